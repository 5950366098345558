//! Units and phases: what a test harness marks is told apart, by both backends alike, also from inside of a container, and with the
//! adapters of samples/units.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tracer::recording::{Phase, Recording, What};

const LEARN: &str = env!("CARGO_BIN_EXE_learn");

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A command that finds `learn` in its path.
fn command(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    let directory = Path::new(LEARN).parent().unwrap().to_str().unwrap().to_owned();
    let path = format!("{directory}:{}", std::env::var("PATH").unwrap());
    command.args(&words[1..]).env("PATH", path).env_remove("LEARN_SOCKET").stdin(Stdio::null());
    command
}

/// Records a command in a directory, and gives the recording of a run that ended well.
fn record(backend: &str, words: &[&str], change: impl FnOnce(&mut Command)) -> Recording {
    let room = tempfile::tempdir().unwrap();
    let file = room.path().join("r.jsonl");
    let begin = [LEARN, "-q", "record", "--backend", backend, "-o", file.to_str().unwrap(), "--"];
    let mut command = command(&[&begin[..], words].concat());
    command.current_dir(room.path());
    change(&mut command);
    let done = command.output().unwrap();
    let told = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&told));
    Recording::read(&file).unwrap()
}

/// The units that read a file, by name.
fn readers(recording: &Recording, wanted: &str) -> BTreeSet<String> {
    let mut units = BTreeSet::new();
    for (fact, runs) in recording.sorted() {
        if matches!(&fact.what, What::File { path, .. } if path.as_bytes() == wanted.as_bytes()) {
            for (id, seen) in runs.iter().filter(|(_, seen)| seen.succeeded()) {
                let names = &recording.runs[id.as_str()].units;
                units.extend(seen.units.iter().map(|at| names[at as usize].clone()));
            }
        }
    }
    units
}

fn names(units: &[&str]) -> BTreeSet<String> {
    units.iter().map(|unit| (*unit).to_owned()).collect()
}

/// The phases of a file's facts.
fn phases(recording: &Recording, wanted: &str) -> BTreeSet<Phase> {
    let facts = recording.sorted();
    let of = facts.iter().filter(
        |(fact, _)| matches!(&fact.what, What::File { path, .. } if path.as_bytes() == wanted.as_bytes()),
    );
    of.flat_map(|(_, runs)| runs.values()).flat_map(|seen| seen.phases).collect()
}

/// Which units made a call by number alone, and whether each of them was counted.
fn callers(recording: &Recording, wanted: &str) -> (BTreeSet<String>, bool) {
    let facts = recording.sorted();
    let of = facts.iter().filter(
        |(fact, _)| matches!(&fact.what, What::Call { name: Some(name), .. } if **name == *wanted),
    );
    let mut units = BTreeSet::new();
    let mut at_least = false;
    for (id, seen) in of.flat_map(|(_, runs)| runs.iter()) {
        let names = &recording.runs[id.as_str()].units;
        units.extend(seen.units.iter().map(|at| names[at as usize].clone()));
        at_least |= seen.at_least;
    }
    (units, !at_least)
}

/// By ptrace known calls run free, until a harness wants to know which unit made which.
#[test]
fn what_ran_free_is_called_back_for_units() {
    let script = "import os, subprocess
for n in range(6000): os.getppid()
subprocess.run(['learn', 'mark', 'one'], check=True)
os.getuid()
subprocess.run(['learn', 'mark', 'two'], check=True)
os.getppid()
subprocess.run(['learn', 'mark', 'three'], check=True)
os.getuid()";
    let recording = record("ptrace", &["python3", "-I", "-S", "-c", script], |_| {});
    assert_eq!(callers(&recording, "getppid"), (names(&["two"]), false));
    assert_eq!(callers(&recording, "getuid"), (names(&["one", "three"]), true));
}

const SUITE: &str = "cat /etc/hostname >/dev/null
    learn mark one; cat /etc/passwd >/dev/null
    learn mark two; cat /etc/group >/dev/null; cat /etc/passwd >/dev/null
    learn mark three; cat /etc/hostname >/dev/null
    learn mark one; cat /etc/services >/dev/null; sync";

fn suite_is_told_apart(backend: &str) {
    let recording = record(backend, &["sh", "-ec", SUITE], |_| {});
    for run in recording.runs.values() {
        assert_eq!(run.units, ["one", "two", "three"]);
    }
    assert_eq!(readers(&recording, "/etc/passwd"), names(&["one", "two"]));
    assert_eq!(readers(&recording, "/etc/group"), names(&["two"]));
    assert_eq!(
        readers(&recording, "/etc/hostname"),
        names(&["three"]),
        "the first time there was none"
    );
    assert_eq!(readers(&recording, "/etc/services"), names(&["one"]));
    // Calls are counted in the kernel; each of these has a unit nevertheless.
    let mut of_call: BTreeMap<String, String> = BTreeMap::new();
    for (fact, runs) in recording.sorted() {
        if let What::Call { name: Some(name), .. } = &fact.what
            && fact.domain.as_bytes().ends_with(b"/sync")
        {
            of_call.extend(runs.values().map(|seen| (name.to_string(), seen.units.to_string())));
        }
    }
    assert_eq!(of_call["sync"], "0");
}

#[test]
fn units_are_told_apart_by_ptrace() {
    suite_is_told_apart("ptrace");
}

#[test]
#[ignore = "needs root: run by make test"]
fn units_are_told_apart_by_ebpf() {
    suite_is_told_apart("ebpf");
}

#[test]
fn what_comes_before_the_first_mark_is_of_the_unit_that_was_given() {
    let room = tempfile::tempdir().unwrap();
    let file = room.path().join("r.jsonl");
    let script = "cat /etc/passwd >/dev/null; learn mark next; cat /etc/group >/dev/null";
    let words = [LEARN, "-q", "record", "--backend", "ptrace", "--unit", "start", "-o"];
    let rest = [file.to_str().unwrap(), "--", "sh", "-ec", script];
    assert!(command(&[&words[..], &rest].concat()).status().unwrap().success());
    let recording = Recording::read(&file).unwrap();
    assert_eq!(readers(&recording, "/etc/passwd"), names(&["start"]));
    assert_eq!(readers(&recording, "/etc/group"), names(&["next"]));
}

/// A server that reads a file before it takes a connection, one after, and one when it is asked to end. Its client is a thread of it.
const SERVER: &str = r#"
import os, signal, socket, sys, threading
read = lambda name: open(name).close()
def stop(*_):
    read("/etc/services")
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
read("/etc/passwd")
server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=lambda: socket.create_connection(server.getsockname())).start()
server.accept()
sys.stderr.write("serving\n")
import time
time.sleep(0.3)
read("/etc/group")
sys.stdout.write("ready\n")
sys.stdout.flush()
while True:
    signal.pause()
"#;

fn service_has_phases(backend: &str) {
    use std::io::Read;
    let room = tempfile::tempdir().unwrap();
    let file = room.path().join("r.jsonl");
    let begin = [LEARN, "-q", "record", "--backend", backend, "-o", file.to_str().unwrap(), "--"];
    let mut child = command(&[&begin[..], &["python3", "-c", SERVER]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(kill.success() && child.wait().unwrap().success());
    let recording = Recording::read(&file).unwrap();
    assert_eq!(phases(&recording, "/etc/passwd"), [Phase::Startup].into());
    assert_eq!(phases(&recording, "/etc/group"), [Phase::Serving].into());
    assert_eq!(phases(&recording, "/etc/services"), [Phase::Shutdown].into());
}

#[test]
#[ignore = "needs python3: run by make test"]
fn a_service_has_phases_under_ptrace() {
    service_has_phases("ptrace");
}

#[test]
#[ignore = "needs root and python3: run by make test"]
fn a_service_has_phases_under_ebpf() {
    service_has_phases("ebpf");
}

#[test]
fn a_phase_that_is_marked_is_not_guessed() {
    let script = "cat /etc/passwd >/dev/null; learn mark --phase serving; cat /etc/group >/dev/null
                  learn mark --phase shutdown last; cat /etc/services >/dev/null";
    let recording = record("ptrace", &["sh", "-ec", script], |_| {});
    assert_eq!(phases(&recording, "/etc/passwd"), [Phase::Startup].into());
    assert_eq!(phases(&recording, "/etc/group"), [Phase::Serving].into());
    assert_eq!(phases(&recording, "/etc/services"), [Phase::Shutdown].into());
    assert_eq!(readers(&recording, "/etc/services"), names(&["last"]));
}

#[test]
fn a_program_that_never_serves_has_no_phase() {
    let recording = record("ptrace", &["cat", "/etc/passwd"], |_| {});
    assert_eq!(phases(&recording, "/etc/passwd"), BTreeSet::new());
}

#[test]
fn programs_of_a_loop_are_units() {
    let room = tempfile::tempdir().unwrap();
    for (name, reads) in [("first", "/etc/passwd"), ("second", "/etc/group")] {
        let path = room.path().join(name);
        let text = format!("#!/bin/sh\ncat {reads} >/dev/null\n");
        // Another process writes it: a child that is started meanwhile would keep it open, and nobody could execute it.
        let mut tee = Command::new("tee")
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        tee.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(tee.wait().unwrap().success());
        assert!(Command::new("chmod").arg("755").arg(&path).status().unwrap().success());
    }
    let each = source("samples/units/each");
    let [first, second] =
        ["first", "second"].map(|name| room.path().join(name).to_str().unwrap().to_owned());
    let recording = record("ptrace", &[each.to_str().unwrap(), &first, &second], |_| {});
    assert_eq!(readers(&recording, "/etc/passwd"), names(&["first"]));
    assert_eq!(readers(&recording, "/etc/group"), names(&["second"]));
}

/// The two tests of a language are told apart.
fn two_tests(recording: &Recording, passwd: &str, group: &str) {
    assert!(readers(recording, "/etc/passwd").contains(passwd), "{:?}", recording.runs);
    assert!(!readers(recording, "/etc/passwd").contains(group));
    assert!(readers(recording, "/etc/group").contains(group));
    assert!(!readers(recording, "/etc/group").contains(passwd));
}

#[test]
#[ignore = "needs pytest: run by make test"]
fn tests_of_pytest_are_units() {
    let test = source("tests/units/python/test_marked.py");
    // Debian's own, which its pytest is for.
    let words = [
        "/usr/bin/python3",
        "-B",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "learn_units",
    ];
    let recording =
        record("ptrace", &[&words[..], &[test.to_str().unwrap()]].concat(), |command| {
            command.env("PYTHONPATH", source("samples/units"));
        });
    let named = |name: &str| {
        let all = recording.runs.values().flat_map(|run| &run.units);
        all.into_iter().find(|unit| unit.ends_with(name)).cloned().unwrap()
    };
    two_tests(&recording, &named("::test_passwd"), &named("::test_group"));
}

#[test]
#[ignore = "needs cargo: run by make test"]
fn tests_of_cargo_are_units() {
    let target = tempfile::tempdir().unwrap();
    let manifest = source("tests/units/crate/Cargo.toml");
    let cargo = |command: &mut Command| {
        command.env("CARGO_TARGET_DIR", target.path());
        let host = std::env::consts::ARCH.to_uppercase();
        let runner = format!("CARGO_TARGET_{host}_UNKNOWN_LINUX_GNU_RUNNER");
        command.env(runner, source("samples/units/cargo-runner"));
    };
    let words = [
        "cargo",
        "test",
        "-q",
        "--offline",
        "--lib",
        "--manifest-path",
        manifest.to_str().unwrap(),
    ];
    // It is built before: a compiler makes many calls.
    let mut build = command(&[&words[..], &["--no-run"]].concat());
    cargo(&mut build);
    assert!(build.status().unwrap().success());
    let recording = record("ptrace", &words, cargo);
    two_tests(&recording, "marked tests::reads_passwd", "marked tests::reads_group");
    // As nextest calls it: to list, and for each test.
    let deps = target.path().join("debug/deps");
    let program = std::fs::read_dir(deps).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        (path.extension().is_none() && path.file_name()?.to_str()?.starts_with("marked-"))
            .then_some(path)
    });
    let program = program.unwrap();
    let runner = source("samples/units/cargo-runner");
    let script = "\"$1\" \"$2\" --list --format terse >/dev/null
                  \"$1\" \"$2\" --exact tests::reads_passwd --nocapture
                  \"$1\" \"$2\" --exact tests::reads_group --nocapture";
    let words = ["sh", "-ec", script, "sh", runner.to_str().unwrap(), program.to_str().unwrap()];
    let recording = record("ptrace", &words, |_| {});
    two_tests(&recording, "marked tests::reads_passwd", "marked tests::reads_group");
}

#[test]
#[ignore = "needs go: run by make test"]
fn tests_of_go_are_units() {
    let cache = tempfile::tempdir().unwrap();
    let go = |command: &mut Command| {
        command.current_dir(source("tests/units/go")).env("GOCACHE", cache.path());
        command
            .env("GOFLAGS", "-count=1")
            .env("GOPROXY", "off")
            .env("CGO_ENABLED", "0")
            .env("HOME", cache.path());
    };
    let build = cache.path().join("marked.test");
    let mut compile = command(&["go", "test", "-c", "-o", build.to_str().unwrap()]);
    go(&mut compile);
    assert!(compile.status().unwrap().success());
    // Building is not recorded: go would call the script so.
    let exec = source("samples/units/go-exec");
    let words = [exec.to_str().unwrap(), build.to_str().unwrap(), "-test.timeout=10m"];
    let recording = record("ptrace", &words, go);
    two_tests(&recording, "marked TestPasswd", "marked TestGroup");
    let mut plain = command(&["go", "test", "-exec", exec.to_str().unwrap()]);
    go(&mut plain);
    assert!(plain.status().unwrap().success(), "without a recorder go's tests run as ever");
}

#[test]
#[ignore = "needs bats: run by make test"]
fn tests_of_bats_are_units() {
    let room = tempfile::tempdir().unwrap();
    let file = room.path().join("marked.bats");
    let text = "setup() { learn mark \"$BATS_TEST_DESCRIPTION\"; }\n\
                @test \"passwd\" { cat /etc/passwd >/dev/null; }\n\
                @test \"group\" { cat /etc/group >/dev/null; }\n";
    std::fs::write(&file, text).unwrap();
    let recording = record("ptrace", &["bats", file.to_str().unwrap()], |_| {});
    two_tests(&recording, "passwd", "group");
}
