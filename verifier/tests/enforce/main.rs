//! Profiles enforced on real processes: what was trained passes, its twin that does one thing more is refused.
//!
//! Tests that need root are marked; all others pass with and without.
#![cfg(test)]

mod actor;

mod calls;
mod capabilities;
mod processes;
mod programs;
