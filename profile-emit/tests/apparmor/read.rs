//! The reader of profiles.
//!
//! - `globs`: patterns, against the automata that the parser makes of them
//! - `refused`: texts that are refused, each with a twin that is read
//! - `round_trip`: what the emitter writes
//! - `shipped`: what Debian ships
//! - `sides`: what is told that profiles allow, against what the kernel would allow
//! - `hostile`: any bytes, and real profiles with bytes changed

mod globs;
mod hostile;
mod refused;
mod round_trip;
mod shipped;
mod sides;

use std::collections::BTreeMap;

use profile_emit::apparmor::read::ReadError;
use profile_emit::apparmor::read::profiles::{Resolved, profiles};

/// The profiles of a text that includes nothing.
fn alone(text: &[u8]) -> Result<Vec<Resolved>, ReadError> {
    profiles(&profile_emit::apparmor::read::read("text", text, &BTreeMap::new())?)
}
