//! Recordings of test suites, and what they are without one of their units.

use std::path::Path;
use std::process::{Command, Stdio};

use tracer::recording::{Recording, Seen, Units};

/// The suites, by their scripts in benches/units.
pub(crate) const SUITES: [&str; 4] = ["git", "redis", "python", "web"];

/// Records a suite by ptrace in an empty directory.
pub(crate) fn record(learn: &Path, suite: &str) -> Recording {
    let room = tempfile::tempdir().unwrap();
    let work = room.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let file = room.path().join("r.jsonl");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/units").join(suite);
    let path = format!("{}:{}", learn.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let done = Command::new(learn)
        .args(["-q", "record", "--backend", "ptrace", "-o"])
        .arg(&file)
        .arg("--")
        .arg(script)
        .current_dir(&work)
        .env("PATH", path)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(done.success(), "{suite}: {done}");
    Recording::read(&file).unwrap()
}

/// How many units a recording of one run has.
pub(crate) fn units(recording: &Recording) -> u32 {
    recording
        .runs
        .values()
        .map(|run| u32::try_from(run.units.len()).unwrap())
        .max()
        .unwrap_or_default()
}

/// The recording as it would be had only these units been run; what was done outside of units stays.
pub(crate) fn of_units(recording: &Recording, kept: impl Fn(u32) -> bool) -> Recording {
    part(recording, |units| units.iter().filter(|unit| kept(*unit)).collect(), true)
}

/// What one unit did, and nothing else.
pub(crate) fn of_unit(recording: &Recording, one: u32) -> Recording {
    part(recording, |units| units.iter().filter(|unit| *unit == one).collect(), false)
}

fn part(recording: &Recording, keep: impl Fn(&Units) -> Units, outside: bool) -> Recording {
    let mut part = Recording::new();
    part.runs.clone_from(&recording.runs);
    part.completions.clone_from(&recording.completions);
    let mut used: Units = Units::default();
    for (fact, runs) in recording.sorted() {
        for (id, seen) in runs {
            let units = keep(&seen.units);
            if !units.is_empty() || (outside && seen.units.is_empty()) {
                used.union(&units);
                part.add(id, fact.clone(), &Seen { units, ..seen.clone() });
            }
        }
    }
    part
}
