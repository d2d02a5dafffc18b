//! Flows to one exact aggregate per host and time slot.
