//! Many recordings: how fast they are merged and generalised, and in how much memory.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tracer::recording::{Access, Completion, Fact, Origin, Recording, Run, Seen, What, write_file};

use crate::calibration::Numbers;

/// Writes recordings of path facts, each of a run of its own; all paths differ.
pub(crate) fn write(directory: &Path, recordings: u64, facts: u64) -> Vec<PathBuf> {
    let mut numbers = Numbers(5);
    let mut write = |at: u64| {
        let id = format!("{at:032x}");
        let mut recording = Recording::new();
        let run = Run {
            command: vec!["/bin/x".into()],
            backend: "ptrace".to_owned(),
            kernel: String::new(),
            machine: "x86_64".to_owned(),
            labels: Default::default(),
            fidelity: Default::default(),
            hooks: Default::default(),
            units: Vec::new(),
        };
        recording.runs.insert(id.clone(), run);
        recording.completions.insert(id.clone(), Completion::complete());
        for fact in 0..facts {
            let tree = ["/usr/share/x", "/var/lib/x", "/tmp/x", "/srv/data"]
                [usize::try_from(numbers.below(4)).unwrap()];
            let path = format!("{tree}/d{}/f{at:05}{fact:05}", numbers.below(200));
            let what =
                What::File { path: path.as_str().into(), access: Access::Read, target: None };
            let fact = Fact { domain: "/bin/x".into(), origin: Origin::Entry, what };
            recording.add(&id, fact, &Seen::ending("ok", 1));
        }
        let file = directory.join(format!("{at}.jsonl"));
        write_file(&file, &recording).unwrap();
        file
    };
    (0..recordings).map(&mut write).collect()
}

/// How long a command took, and the most memory that it had, in KiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) took: Duration,
    pub(crate) peak: u64,
}

/// Runs `learn`, which must succeed.
#[expect(clippy::zombie_processes, reason = "wait4 reaps it, and tells what it used")]
pub(crate) fn cost(learn: &Path, words: &[&str], files: &[PathBuf]) -> Cost {
    let began = Instant::now();
    let mut command = Command::new(learn);
    command.arg("-q").args(words).args(files).stdin(Stdio::null());
    let child = command.spawn().unwrap();
    let mut status = 0;
    // SAFETY: all zeros is a valid value of this struct of plain data; both places are valid, and the child is ours alone.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let pid = i32::try_from(child.id()).unwrap();
    // SAFETY: as above.
    let reaped = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    assert_eq!(reaped, pid);
    assert!(std::process::ExitStatus::from_raw(status).success(), "{words:?}: {status}");
    Cost { took: began.elapsed(), peak: u64::try_from(usage.ru_maxrss).unwrap() }
}
