//! Finds undesirable behaviour in peer-to-peer traffic from flow records.
