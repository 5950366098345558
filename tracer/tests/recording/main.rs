//! The file format's laws, on arbitrary recordings with hostile bytes.
//!
//! - [`arbitrary`]: recordings of any content
//! - [`file`]: what is written is what is read; the order of lines
//! - [`merging`]: the laws of merging
//! - [`documented`]: docs/recording.md tells the truth
//! - [`damage`]: truncated, changed, foreign and newer files
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arbitrary;
mod damage;
mod documented;
mod file;
mod merging;
