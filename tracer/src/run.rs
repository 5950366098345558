//! Describing a run: the same for every backend.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::ffi::OsStrExt;

use crate::recording::{ByteString, FactKind, Fidelity, Run};
use crate::session::Options;

/// A new run's identifier: 128 random bits in hexadecimal, so that no two runs ever share one.
pub fn new_id() -> String {
    // The standard library seeds each of these from the system's random numbers.
    let word = |salt: u64| {
        RandomState::new().hash_one((salt, std::process::id(), std::time::SystemTime::now()))
    };
    format!("{:016x}{:016x}", word(1), word(2))
}

/// What the header says of a run.
pub fn describe(
    options: &Options,
    backend: &str,
    fidelity: BTreeMap<FactKind, Fidelity>,
    hooks: impl IntoIterator<Item = String>,
    units: &[String],
) -> Run {
    let (kernel, machine) = crate::host::kernel();
    Run {
        command: options.command.iter().map(|word| ByteString::from(word.as_bytes())).collect(),
        backend: backend.to_owned(),
        kernel,
        machine,
        labels: options.labels.clone(),
        fidelity,
        hooks: hooks.into_iter().collect(),
        units: units.to_vec(),
    }
}
