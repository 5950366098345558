//! Nothing is lost, or it is counted: exactly known calls a thousand times over, floods of events that are all new, a host full
//! of others, and a recorder that is killed.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tracer::recording::{Fact, Recording, Seen, What};

const LEARN: &str = env!("CARGO_BIN_EXE_learn");

/// The compiled samples.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let directory = here.join("target/samples");
        let done = Command::new(here.join("samples/build")).arg(&directory).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        directory
    })
}

fn program(name: &str) -> String {
    built().join(name).to_str().unwrap().to_owned()
}

/// Floods are not to disturb each other's timing.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Room(tempfile::TempDir);

impl Room {
    /// A directory in memory: a flood of files is no test of disks.
    fn new() -> Self {
        Self(tempfile::Builder::new().prefix("learn-losses-").tempdir_in("/dev/shm").unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn recorder(&self, backend: &str, command: &[&str]) -> Command {
        let mut learn = Command::new(LEARN);
        learn.args(["--quiet", "record", "--backend", backend, "-o", &self.path("r.jsonl"), "--"]);
        learn.args(command).stdin(Stdio::null()).stdout(Stdio::null());
        learn
    }

    /// Records a command, whether something was lost or not.
    fn record(&self, backend: &str, command: &[&str]) -> Recording {
        let done = self.recorder(backend, command).output().unwrap();
        assert!(
            matches!(done.status.code(), Some(0 | 120)),
            "{}: {}",
            done.status,
            String::from_utf8_lossy(&done.stderr)
        );
        let recording = Recording::read(Path::new(&self.path("r.jsonl"))).unwrap();
        assert_eq!(recording.complete(), done.status.code() == Some(0));
        recording
    }
}

fn facts(recording: &Recording) -> impl Iterator<Item = (&Fact, &Seen)> {
    recording.sorted().into_iter().flat_map(|(fact, runs)| runs.values().map(move |s| (fact, s)))
}

/// How often a program made each call.
fn calls(recording: &Recording, domain: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (fact, seen) in facts(recording).filter(|(fact, _)| fact.domain == domain.into()) {
        if let What::Call { abi, name, nr, .. } = &fact.what
            && fact.origin == tracer::recording::Origin::Entry
        {
            let name = name.as_ref().map_or_else(|| nr.to_string(), ToString::to_string);
            *counts.entry(format!("{abi} {name}")).or_default() += seen.count;
        }
    }
    counts
}

/// The files below a directory that anybody used, by their names in it.
fn files_below(recording: &Recording, place: &str) -> BTreeSet<String> {
    let below = format!("{place}/");
    facts(recording)
        .filter_map(|(fact, _)| match &fact.what {
            What::File { path, .. } => path.to_string().strip_prefix(&below).map(str::to_owned),
            _ => None,
        })
        .collect()
}

fn exactly(backend: &str) {
    const RUNS: u64 = 1000;
    let _turn = alone();
    let room = Room::new();
    let exact = program("exact");
    let script = format!("for n in {{1..{RUNS}}}; do {exact} || exit 3; done");
    let recording = room.record(backend, &["/bin/bash", "-c", &script]);
    assert!(recording.complete(), "{:?}", recording.completions);
    // What samples/exact/exact.S says that it does, and how often it does it.
    let known = [
        ("clone", 1),
        ("close", 2),
        ("execve", 1),
        ("exit", 1),
        ("exit_group", 3),
        ("fork", 2),
        ("futex", 1),
        ("getpgid", 1),
        ("getpriority", 1),
        ("nanosleep", 1),
        ("pipe2", 1),
        ("read", 1),
        ("sched_get_priority_max", 1),
        ("sched_get_priority_min", 1),
        ("setfsuid", 1),
        ("sysinfo", 1),
        ("wait4", 1),
    ];
    let wanted: BTreeMap<String, u64> =
        known.iter().map(|(name, times)| (format!("x86_64 {name}"), times * RUNS)).collect();
    assert_eq!(calls(&recording, &exact), wanted);
}

#[test]
fn ptrace_sees_a_known_list_of_calls_exactly() {
    exactly("ptrace");
}

#[test]
#[ignore = "needs root: run by make test"]
fn ebpf_sees_a_known_list_of_calls_exactly() {
    exactly("ebpf");
}

/// 8 processes, each with 100,000 files that nobody else opens: all are there, or as many are counted as lost as are missing.
#[test]
#[ignore = "needs root: run by make test"]
fn a_flood_of_files_is_held_or_counted() {
    const PROCESSES: u64 = 8;
    const EACH: u64 = 100_000;
    let _turn = alone();
    let room = Room::new();
    let (flood, place) = (program("flood"), room.path("files"));
    fs::create_dir(&place).unwrap();
    let numbers = [PROCESSES.to_string(), EACH.to_string()];
    let made = Command::new(&flood).args(["make", &place]).args(&numbers).status().unwrap();
    assert!(made.success());
    let words = [flood.as_str(), "files", &place, &numbers[0], &numbers[1]];
    let recording = room.record("ebpf", &words);
    let opened = files_below(&recording, &place);
    let lost: u64 = recording.completions.values().flat_map(|end| end.lost.values()).sum();
    let there = opened.len() as u64;
    // Only these files were new; a record that was lost may have been of the program itself, but for a few.
    assert!(
        there + lost >= PROCESSES * EACH && there + lost <= PROCESSES * EACH + 8,
        "{there} there, {lost} lost"
    );
    assert_eq!(recording.complete(), lost == 0);
    eprintln!("a flood of {} files: {lost} lost", PROCESSES * EACH);
}

/// The kernel keeps short names elsewhere than long ones.
fn names_of_every_length(backend: &str) {
    let room = Room::new();
    let place = room.path("names");
    // As long as a name may be (NAME_MAX), as file and as directory; the longer ones stand before the shorter.
    let names: Vec<String> = (1..=255)
        .rev()
        .flat_map(|length| ["f".repeat(length), format!("{}/g", "d".repeat(length))])
        .collect();
    let paths: Vec<String> = names.iter().map(|name| format!("{place}/{name}")).collect();
    for path in &paths {
        fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let command: Vec<&str> =
        std::iter::once("/bin/cat").chain(paths.iter().map(String::as_str)).collect();
    let recording = room.record(backend, &command);
    assert!(recording.complete(), "{:?}", recording.completions);
    assert_eq!(files_below(&recording, &place), names.into_iter().collect());
}

#[test]
fn ptrace_tells_names_of_every_length() {
    names_of_every_length("ptrace");
}

#[test]
#[ignore = "needs root: run by make test"]
fn ebpf_tells_names_of_every_length() {
    names_of_every_length("ebpf");
}

#[test]
#[ignore = "needs root: run by make test"]
fn floods_of_programs_and_of_threads_are_held() {
    let _turn = alone();
    let room = Room::new();
    let flood = program("flood");
    let recording = room.record("ebpf", &[&flood, "execs", "10000"]);
    assert!(recording.complete(), "{:?}", recording.completions);
    assert_eq!(calls(&recording, &flood)["x86_64 execve"], 10_000);

    let recording = room.record("ebpf", &[&flood, "threads", "2000"]);
    assert!(recording.complete(), "{:?}", recording.completions);
    let made = calls(&recording, &flood);
    assert_eq!((made["x86_64 getpriority"], made["x86_64 exit"]), (2000, 2000));
}

/// Ends processes that the test started.
struct Others(Vec<Child>);

impl Drop for Others {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ended_already = child.kill();
            let _reaped = child.wait();
        }
    }
}

#[test]
#[ignore = "needs root: run by make test"]
fn nothing_of_others_is_recorded() {
    let _turn = alone();
    let room = Room::new();
    let (flood, exact) = (program("flood"), program("exact"));
    let busy = || Command::new(&flood).args(["busy", "15"]).spawn().unwrap();
    let _others = Others((0..200).map(|_| busy()).collect());
    let recording = room.record("ebpf", &[&exact]);
    assert!(recording.complete(), "{:?}", recording.completions);
    let domains: BTreeSet<String> =
        facts(&recording).map(|(fact, _)| fact.domain.to_string()).collect();
    assert_eq!(domains, [exact.clone()].into());
    assert!(!calls(&recording, &exact).contains_key("x86_64 getppid"));
}

/// Copies are made while programs start whose names are still on their way to the recorder: that is the copies' loss, not the
/// recording's.
#[test]
#[ignore = "needs root: run by make test"]
fn a_copy_loses_nothing_of_the_recording() {
    const PROGRAMS: usize = 2500;
    let _turn = alone();
    let room = Room::new();
    let exact = program("exact");
    let script = format!(
        "cp {exact} {0}; for n in {{1..{PROGRAMS}}}; do ln {0} {0}$n; {0}$n || exit 3; done",
        room.path("new")
    );
    let recording = room.record("ebpf", &["/bin/bash", "-c", &script]);
    assert!(recording.complete(), "{:?}", recording.completions);
    let ran = facts(&recording).map(|(fact, _)| fact.domain.clone()).collect::<BTreeSet<_>>();
    assert!(ran.len() > PROGRAMS, "{}", ran.len());
}

fn killed(backend: &str) {
    let _turn = alone();
    let room = Room::new();
    let (part, whole) = (room.path("r.jsonl.part"), room.path("r.jsonl"));
    let mut recorder = room.recorder(backend, &["/bin/sh", "-c", "ls / >/dev/null; read line"]);
    let mut child = recorder.stdin(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while !Path::new(&part).exists() {
        assert!(began.elapsed() < Duration::from_secs(30), "no copy was made");
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!Path::new(&whole).exists());
    let recording = Recording::read(Path::new(&part)).unwrap();
    assert!(!recording.complete());
    assert!(calls(&recording, "/usr/bin/ls").contains_key("x86_64 openat"), "{backend}");
    // No profile is made of it unaware.
    let generate = |more: &[&str]| {
        let mut learn = Command::new(LEARN);
        learn.args(["--quiet", "generate", "-o", &room.path("profile")]).args(more).arg(&part);
        learn.output().unwrap()
    };
    let refused = generate(&[]);
    assert_eq!(refused.status.code(), Some(120));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("killed"), "{refused:?}");
    assert_eq!(generate(&["--allow-incomplete"]).status.code(), Some(0));
    let readme = fs::read_to_string(room.path("profile/README.md")).unwrap();
    assert!(readme.to_lowercase().contains("incomplete"), "{readme}");

    // A recording that ends well leaves no copy.
    let done = room.recorder(backend, &["/bin/sleep", "1.5"]).output().unwrap();
    assert!(done.status.success());
    assert!(Path::new(&whole).exists() && !Path::new(&part).exists());
}

#[test]
fn ptrace_killed_leaves_a_readable_part() {
    killed("ptrace");
}

#[test]
#[ignore = "needs root: run by make test"]
fn ebpf_killed_leaves_a_readable_part() {
    killed("ebpf");
}
