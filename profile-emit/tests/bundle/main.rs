//! The directory that is written: whole or not at all, the same for the same policy, and readable whatever names it holds.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod capabilities;
mod readme;
#[path = "../support/mod.rs"]
mod support;
mod write;
