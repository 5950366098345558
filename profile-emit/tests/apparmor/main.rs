//! What the AppArmor text means to the kernel: it is compiled by `apparmor_parser`, and the automaton that the kernel would
//! run is run here.
//!
//! - `quote`: a path matches itself and nothing else
//! - `profile`: a policy's profile allows what the policy allows
//! - `hostile`: no name writes a rule that it did not earn
//! - `paths`: paths of any bytes, and what is nearly the same
//! - `read`: what the reader makes of texts, against what the parser makes of them
//! - `parser`, `automaton`: compiling, and reading what was compiled
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod automaton;
mod hostile;
mod parser;
mod paths;
mod profile;
mod quote;
mod read;
#[path = "../support/mod.rs"]
mod support;
