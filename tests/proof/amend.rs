//! `learn verify --amend`: generated from the first recording and from what it writes, profiles allow what was refused.

use crate::support::{Room, text};

const DENIED: i32 = 121;

/// A room with a recording, and profiles of it.
fn learned(backend: &str, command: &[&str]) -> Room {
    let room = Room::new();
    std::fs::write(room.path("file"), "").unwrap();
    room.learned(&[&["-q", "record", "--backend", backend, "-o", "r", "--"], command].concat());
    room.learned(&["-q", "generate", "r", "-o", "p"]);
    room
}

/// Verifies and amends until nothing is refused any more; returns the kinds of what was refused first, and how often that took.
fn heal(room: &Room, command: &[&str]) -> (Vec<String>, usize) {
    let mut first = Vec::new();
    let mut recordings = vec!["r".to_owned()];
    for round in 0..8 {
        let amendment = format!("a{round}");
        let words = ["verify", "--amend", &amendment, "--report", "report", "p", "--"];
        let done = room.learn(&[&words, command].concat());
        let report = room.json("report");
        let denials = report["denials"].as_array().unwrap();
        if denials.is_empty() {
            assert!(done.status.success(), "{report:#}");
            return (first, round);
        }
        assert_eq!(done.status.code(), Some(DENIED), "{}", text(&done.stderr));
        if round == 0 {
            let kind = |denial: &serde_json::Value| match &denial["capability"] {
                serde_json::Value::String(capability) => capability.clone(),
                _ => denial["call"].as_str().unwrap().to_owned(),
            };
            // Complaining of a refusal is one call more.
            first = denials.iter().map(kind).filter(|call| call != "write").collect();
        }
        recordings.push(amendment);
        let files: Vec<&str> = recordings.iter().map(String::as_str).collect();
        room.learned(&[&["-q", "generate", "--name", "r", "-o", "p"], &files[..]].concat());
    }
    panic!("not healed: {:#}", room.json("report"));
}

#[test]
fn a_call_is_healed() {
    let room = learned("ptrace", &["sh", "-c", "exit 0"]);
    let (refused, rounds) = heal(&room, &["sh", "-c", "umask 077; exit 0"]);
    assert_eq!((refused.as_slice(), rounds), (["umask".to_owned()].as_slice(), 1));
}

#[test]
fn an_argument_is_healed_and_others_stay_refused() {
    let room = learned("ptrace", &["sh", "-c", "kill -0 $$"]);
    let (refused, rounds) = heal(&room, &["sh", "-c", "kill -CONT $$"]);
    assert_eq!((refused.as_slice(), rounds), (["kill".to_owned()].as_slice(), 1));
    let done = room.learn(&["verify", "p", "--", "sh", "-c", "kill -WINCH $$"]);
    assert_eq!(done.status.code(), Some(DENIED), "{}", text(&done.stderr));
}

#[test]
fn a_program_is_healed() {
    let room = learned("ptrace", &["sh", "-c", "/bin/true; exit 0"]);
    let command = ["sh", "-c", "/bin/true; /bin/uname; exit 0"];
    let report = |room: &Room| room.json("report")["enforced"].to_string();
    let (refused, rounds) = heal(&room, &command);
    // Without Landlock programs are not enforced, and the report says so.
    if report(&room).contains("programs") {
        assert!(refused.contains(&"execve".to_owned()) && rounds >= 1, "{refused:?}");
    }
}

#[test]
#[ignore = "needs root: run by make test"]
fn a_capability_is_healed() {
    // The same calls: to oneself without need, to another with.
    let room = learned("ebpf", &["chown", "0", "file"]);
    let (refused, rounds) = heal(&room, &["chown", "1000", "file"]);
    assert_eq!((refused.as_slice(), rounds), (["CAP_CHOWN".to_owned()].as_slice(), 1));
    assert_eq!(room.json("p/capabilities.json")["add"], serde_json::json!(["CHOWN"]));
}

/// Everything that the programs do which need no capability passes with none, and none is told as refused.
#[test]
#[ignore = "needs root: run by make test"]
fn without_need_no_capability_is_refused() {
    let room = crate::capabilities::prepared();
    let names: Vec<String> = crate::capabilities::table()
        .into_iter()
        .filter(|(_, needs)| needs.is_none())
        .map(|(name, _)| name)
        .collect();
    let script = format!(
        "export OTHERS_PROCESS=1\nfor name in {}; do (cd work/$name && exec ../../bin/$name) || exit 1; done\n",
        names.join(" ")
    );
    std::fs::write(room.path("all"), script).unwrap();
    let learn = env!("CARGO_BIN_EXE_learn");
    // The loopback is up from the first program on.
    let script = format!(
        "set -e; ./capabilities one asks-for-groups; cp -a work kept
         {learn} -q record --backend ebpf -o r -- sh all; {learn} -q generate r -o p
         rm -rf work; mv kept work; {learn} verify --report report p -- sh all"
    );
    let done = room.run(&[&crate::capabilities::APART[..], &["sh", "-c", &script]].concat());
    let told = text(&done.stderr);
    assert!(done.status.success(), "{told}");
    assert_eq!(room.json("p/capabilities.json")["add"], serde_json::json!([]));
    let report = room.json("report");
    assert_eq!(report["denials"], serde_json::json!([]));
    assert!(!report["notes"].to_string().contains("not seen"), "{report:#}");
}
