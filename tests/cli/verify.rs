//! `learn verify`: what it says and returns. What profiles of real programs allow and refuse is proved in tests/end_to_end.rs.

use serde_json::Value;

use crate::support::{DENIED, Done, INPUT, NOT_EXECUTABLE, NOT_FOUND, OUTPUT, Room};

/// Profiles of a shell that runs a script, in `p`.
fn learned(script: &str) -> Room {
    let room = Room::new();
    room.learn(&["-q", "record", "--backend", "ptrace", "-o", "r", "--", "sh", "-c", script]);
    room.learn(&["-q", "generate", "r", "-o", "p"]).succeeded();
    room
}

fn verify(room: &Room, options: &[&str], script: &str) -> Done {
    room.learn(&[&["verify"], options, &["p", "--", "sh", "-c", script]].concat())
}

#[test]
fn what_was_recorded_passes_with_its_own_status() {
    for (script, code, end) in [
        ("exit 0", 0, "exit 0"),
        ("exit 121", 121, "exit 121"),
        ("kill -TERM $$", 143, "signal 15"),
    ] {
        let room = learned(script);
        let done = verify(&room, &["--report", "report"], script);
        assert_eq!(done.code, code, "{done:?}");
        assert!(done.err.starts_with("learn: nothing was refused; enforced: "), "{done:?}");
        assert!(done.err.ends_with(&format!("; CMD: {end}\n")), "{done:?}");
        let report: Value = serde_json::from_slice(&room.read("report")).unwrap();
        assert_eq!((&report["end"], &report["denials"]), (&end.into(), &Value::Array(vec![])));
        assert_eq!(verify(&room, &["-q"], script).err, "");
    }
}

#[test]
fn what_was_not_recorded_is_refused_whatever_the_command_makes_of_it() {
    let room = learned("echo out 2>/dev/null; exit 3");
    let script = "echo out; kill -TERM $$ 2>/dev/null; exit 3";
    let done = verify(&room, &["--report", "report"], script);
    assert_eq!((done.code, done.out.as_str()), (DENIED, "out\n"), "{done:?}");
    assert!(done.err.contains("kill(SIGTERM)") && done.err.contains("EPERM"), "{done:?}");
    assert!(done.err.contains("learn: 1 call refused, of 1 kind; enforced: "), "{done:?}");
    let report: Value = serde_json::from_slice(&room.read("report")).unwrap();
    assert_eq!((&report["end"], &report["denials"][0]["call"]), (&"exit 3".into(), &"kill".into()));
    verify(&room, &["-q"], script).refused(DENIED, &["1 call refused", "CMD: exit 3"]);
}

#[test]
fn a_command_that_is_not_there_or_can_not_be_executed_is_told_apart() {
    let room = learned("exit 0");
    room.write("text", "#!/bin/sh\n");
    for (command, code) in [("no-such-program", NOT_FOUND), ("./text", NOT_EXECUTABLE)] {
        room.learn(&["verify", "--report", "report", "p", "--", command])
            .refused(code, &["cannot run", command]);
    }
    assert!(!room.path("report").exists());
}

#[test]
fn profiles_that_can_not_be_used_are_refused_before_the_command_runs() {
    let room = learned("exit 0");
    let refused = |directory: &str, words: &[&str]| {
        room.learn(&["verify", "--report", "report", directory, "--", "touch", "ran"])
            .refused(INPUT, words);
    };
    refused("nowhere", &["nowhere/", "No such file", "`learn generate -o` wrote"]);
    refused("r", &["r/", "Not a directory", "`learn generate -o` wrote"]);
    for name in ["seccomp.json", "capabilities.json", "policy.json"] {
        let whole = room.read(&format!("p/{name}"));
        room.write(&format!("p/{name}"), &whole[..whole.len() / 2]);
        refused("p", &[name, "line ", "make it again with `learn generate -o`"]);
        room.write(&format!("p/{name}"), whole);
    }
    let policy = String::from_utf8(room.read("p/policy.json")).unwrap();
    room.write("p/policy.json", policy.replacen("\"version\": 2", "\"version\": 3", 1));
    refused("p", &["policy.json", "newer than 2", "update learn"]);
    assert!(!room.path("ran").exists() && !room.path("report").exists());
}

#[test]
fn a_report_that_can_not_be_written_is_refused_before_the_command_runs() {
    let room = Room::new();
    let greet = room.greet();
    room.learn(&["generate", greet, "-o", "p"]).succeeded();
    let below = format!("{greet}/report");
    for report in [below.as_str(), "/proc/report", "/dev/null", "p"] {
        room.learn(&["verify", "--report", report, "p", "--", "touch", "ran"])
            .refused(OUTPUT, &["write ", report, "; choose another place with --report"]);
    }
    assert!(!room.path("ran").exists());
}

#[test]
fn without_profiles_or_command_nothing_is_done() {
    let room = Room::new();
    for (arguments, word) in
        [(&["verify", "p"][..], "<CMD>"), (&["verify", "--", "touch", "ran"], "<DIR>")]
    {
        room.learn(arguments).refused(INPUT, &[word, "see learn verify --help"]);
    }
    assert!(room.names().is_empty());
}
