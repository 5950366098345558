//! strace as an outside oracle.

use std::collections::BTreeSet;
use std::process::Command;

use tracer::recording::What;

use crate::support::{Place, record};

/// Names of the calls that `strace -f` sees.
fn strace(command: &[&str]) -> BTreeSet<String> {
    let place = Place::new();
    let output = place.path("strace");
    let done = Command::new("strace")
        .args(["-f", "-qq", "-e", "signal=none", "-o"])
        .arg(&output)
        .args(command)
        .output()
        .expect("strace is installed");
    assert!(done.status.success(), "{done:?}");
    std::fs::read_to_string(output)
        .unwrap()
        .lines()
        .filter_map(|line| {
            // "123  openat(…) = 3", "123  <... read resumed>…", "123  +++ exited with 0 +++"
            let rest = line.split_once(' ')?.1.trim_start();
            let name = rest.split_once('(')?.0;
            let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            plain.then(|| name.to_owned())
        })
        .collect()
}

/// Made or not by the same program as time has it: the kernel restarts a wait with a time-out that a signal interrupted.
const RACES: [&str; 1] = ["restart_syscall"];

fn compare(command: &[&str]) {
    let theirs = strace(command);
    let recorded = record(command);
    let ours: BTreeSet<String> = recorded
        .facts()
        .filter_map(|(fact, _)| match &fact.what {
            What::Call { name, .. } => name.as_ref().map(ToString::to_string),
            _ => None,
        })
        .collect();
    let by_chance = |name: &&String| !RACES.contains(&name.as_str());
    let missing: Vec<_> = theirs.difference(&ours).filter(by_chance).collect();
    let more: Vec<_> = ours.difference(&theirs).filter(by_chance).collect();
    assert!(theirs.len() > 5, "{theirs:?}");
    assert!(missing.is_empty() && more.is_empty(), "missing {missing:?}, more {more:?}");
}

#[test]
#[ignore = "needs strace: run by make test"]
fn strace_sees_no_other_calls_of_a_pipeline() {
    compare(&["sh", "-c", "ls -l / | sort | (read line; cat; exit 0); (true &) ; wait"]);
}

#[test]
#[ignore = "needs strace: run by make test"]
fn strace_sees_no_other_calls_of_threads() {
    compare(&[
        "python3",
        "-c",
        "import threading, subprocess
ts = [threading.Thread(target=lambda: subprocess.run(['true'])) for _ in range(4)]
[t.start() for t in ts]; [t.join() for t in ts]",
    ]);
}
