//! `learn doctor`

use serde_json::Value;

use crate::support::{Room, UNAVAILABLE, Unprivileged};

fn check<'a>(findings: &'a Value, name: &str) -> &'a Value {
    let all = ["record", "enforce"].iter().flat_map(|of| findings[of].as_array().unwrap());
    all.into_iter().find(|check| check["name"] == name).unwrap()
}

#[test]
fn names_what_there_is_and_what_to_do_about_the_rest() {
    let room = Room::new();
    let json = room.learn(&["doctor", "--format", "json"]).succeeded().out;
    let findings: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&findings["format"], &findings["version"]), (&"learn-doctor".into(), &1.into()));
    let text = room.learn(&["doctor"]).succeeded().out;
    for name in [
        "ptrace",
        "ebpf",
        "btf",
        "tracefs",
        "bpffs",
        "docker",
        "podman",
        "seccomp",
        "capabilities",
        "landlock",
        "apparmor",
        "apparmor_parser",
    ] {
        let check = check(&findings, name);
        assert_eq!(check["ok"].as_bool().unwrap(), check.get("remedy").is_none(), "{check}");
        assert!(text.contains(name), "{text}");
        if let Some(remedy) = check.get("remedy") {
            assert!(text.contains(remedy.as_str().unwrap()), "{text}");
        }
    }
}

/// What it says of the backends is what happens.
#[test]
fn tells_the_truth_about_the_backends() {
    let room = Unprivileged::new();
    let json = room.learn(&["doctor", "--format", "json"]).succeeded().out;
    let findings: Value = serde_json::from_str(&json).unwrap();
    for backend in ["ptrace", "ebpf"] {
        let done = room.learn(&["record", "-o", "r", "--backend", backend, "--", "true"]);
        let usable = check(&findings, backend)["ok"].as_bool().unwrap();
        assert_eq!(done.code, if usable { 0 } else { UNAVAILABLE }, "{backend}: {done:?}");
    }
    assert_eq!(check(&findings, "ebpf")["ok"], false);
    assert_eq!(check(&findings, "capabilities")["ok"], false);
    let chosen = room.learn(&["-v", "record", "-o", "r", "--", "true"]).succeeded();
    assert!(chosen.err.contains("recording by ptrace: the ebpf backend "), "{chosen:?}");
    assert!(!chosen.err.contains("recording by eBPF"), "{chosen:?}");
}

/// What is traced already can't be traced again, and eBPF needs privileges.
#[test]
fn where_nothing_can_be_recorded_it_says_so() {
    let room = Unprivileged::new();
    let done = room.learn(&["-q", "record", "-o", "r", "--", "./learn", "doctor"]);
    done.refused(UNAVAILABLE, &["nothing can be recorded here: ", "the report says what to do"]);
    for name in ["ptrace", "ebpf"] {
        assert!(done.out.contains(&format!("\n NO   {name} ")), "{}", done.out);
    }
}

#[test]
#[ignore = "needs root: run by make test"]
fn root_can_drop_capabilities_and_what_is_said_of_ebpf_is_true() {
    let room = Room::new();
    let json = room.learn(&["doctor", "--format", "json"]).succeeded().out;
    let findings: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(check(&findings, "capabilities")["ok"], true);
    let done = room.learn(&["record", "-o", "r", "--backend", "ebpf", "--", "true"]);
    let usable = check(&findings, "ebpf")["ok"].as_bool().unwrap();
    assert_eq!(done.code, if usable { 0 } else { UNAVAILABLE }, "{done:?} {json}");
    let chosen = room.learn(&["-v", "record", "-o", "r", "--", "true"]).succeeded();
    assert_eq!(chosen.err.contains("recording by eBPF"), usable, "{chosen:?}");
    assert_eq!(chosen.err.contains("recording by ptrace: "), !usable, "{chosen:?}");
}
