//! What each recorder tells of the ways in which programs use files.
#![cfg(test)]

#[path = "common/behaviours.rs"]
#[expect(dead_code, reason = "tests/vm needs more of it")]
mod behaviours;

use std::path::{Path, PathBuf};
use std::process::Command;

use behaviours::{TABLE, Watcher};
use tracer::recording::Recording;

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs something that must succeed; what it printed.
fn ran(command: &mut Command) -> String {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// The program of the behaviours.
fn program() -> PathBuf {
    ran(Command::new(source("samples/build")).arg(source("target/samples")));
    source("target/samples/files")
}

fn tells(backend: &str, watcher: Watcher) {
    let program = program();
    let room = tempfile::tempdir().unwrap();
    let (root, file) = (room.path().join("root"), room.path().join("recording"));
    ran(Command::new(source("samples/files/prepare")).args([&program, &root]));
    ran(Command::new(env!("CARGO_BIN_EXE_learn"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .args(["--quiet", "record", "--backend", backend, "-o"])
        .arg(&file)
        .arg("--")
        .arg(source("samples/files/all"))
        .args([&program, &root]));
    let wrong = behaviours::differences(&Recording::read(&file).unwrap(), &root, watcher);
    assert!(wrong.is_empty(), "{backend}: {}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_behaviour_has_its_row() {
    let list = ran(Command::new(program()).arg("--list"));
    let all: Vec<&str> = list.lines().filter(|name| *name != "nothing").collect();
    let rows: Vec<&str> = TABLE.iter().map(|behaviour| behaviour.name).collect();
    assert_eq!(all, rows);
}

#[test]
#[ignore = "needs root, for some behaviours: run by make test"]
fn ptrace_tells_what_happened() {
    tells("ptrace", Watcher::Ptrace);
}

#[test]
#[ignore = "needs privileges to load eBPF programs: run by make test"]
fn ebpf_tells_what_happened() {
    tells("ebpf", Watcher::Calls);
}
