//! Packets to flows, with classification of peer-to-peer protocols.
