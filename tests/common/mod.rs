//! Running the samples: as they are, under `learn`, under strace.
//!
//! - [`sample`]: a sample and its runs, each made once for all tests
//! - [`seen`]: what a recording knows, in a form that can be compared
//! - [`strace`]: what strace knows of a run

pub(crate) mod sample;
pub(crate) mod seen;
pub(crate) mod strace;
