//! Capabilities as the kernel asks for them, and what `learn verify` makes of profiles: denials healed, rules dropped that nothing
//! needs. All of it is enforced or recorded for real.
#![cfg(test)]

mod amend;
mod capabilities;
mod minimise;
#[path = "../common/needed.rs"]
mod needed;
mod support;
