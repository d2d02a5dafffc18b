//! Tests of the meter on made packets.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

#[path = "meter/captures.rs"]
mod captures;
#[path = "meter/layers.rs"]
mod layers;
#[path = "meter/made.rs"]
mod made;
#[path = "meter/properties.rs"]
mod properties;
#[path = "meter/rules.rs"]
mod rules;
