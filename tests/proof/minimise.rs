//! `learn verify --minimise` on servers: what is left is needed, and nothing else is.

use std::collections::BTreeSet;
use std::fs;
use std::process::Output;

use profile_emit::capabilities::Capabilities;
use profile_emit::seccomp::Profile;
use profile_emit::seccomp::oci::ALLOW;

use crate::support::{Room, samples, text};

/// Runs that a search may take here: nginx takes about 70, redis about 60, so nothing is left untested.
const BUDGET: &str = "150";
/// The search itself has run without each rule that is left; so many are tried without once more, one by one.
const SAMPLED: usize = 4;
/// What makes each run find the same.
const FRESH: &str = "rm -rf work; mkdir work";

/// A room with profiles of a sample, learned from it.
fn learned(sample: &str) -> Room {
    let room = Room::new();
    let script = format!("cd work && exec {}\n", samples().join(sample).join("run").display());
    fs::write(room.path("again"), script).unwrap();
    // A server's threads don't do the same each time.
    let recordings = ["r1", "r2", "r3"];
    for recording in recordings {
        assert!(room.run(&["sh", "-c", FRESH]).status.success());
        room.learned(&["-q", "record", "-o", recording, "--", "sh", "again"]);
    }
    room.learned(&[&["-q", "generate", "-o", "p"], &recordings[..]].concat());
    room
}

/// Runs the sample under profiles. Alone among its processes, and not forever: what was refused may be what it waits for.
fn verify(room: &Room, profiles: &str) -> Output {
    assert!(room.run(&["sh", "-c", FRESH]).status.success());
    let alone =
        ["unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "timeout", "20"];
    let learn = [env!("CARGO_BIN_EXE_learn"), "verify", profiles, "--", "sh", "again"];
    room.run(&[&alone[..], &learn].concat())
}

fn read(room: &Room, directory: &str) -> (Profile, Capabilities) {
    let bytes = |name| fs::read(room.path(directory).join(name)).unwrap();
    let seccomp = Profile::from_json(&bytes("seccomp.json")).unwrap();
    (seccomp, Capabilities::from_json(&bytes("capabilities.json")).unwrap())
}

fn allowed(profile: &Profile) -> BTreeSet<String> {
    let entries = profile.syscalls.iter().filter(|entry| entry.action == ALLOW);
    entries.flat_map(|entry| entry.calls().map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn shrinks(sample: &str) {
    let room = learned(sample);
    // A rule that nothing needs, of each kind.
    let mut policy =
        learner::Policy::from_json(&fs::read(room.path("p/policy.json")).unwrap()).unwrap();
    let before = policy.capabilities.len();
    let mut unneeded = policy.calls[0].clone();
    let acct = tracer::abi::calls::number(unneeded.allow.abi, "acct").unwrap();
    (unneeded.allow.nr, unneeded.allow.name) = (acct, Some("acct".to_owned()));
    unneeded.allow.when.clear();
    policy.calls.push(unneeded);
    let socket =
        policy.calls.iter_mut().find(|rule| rule.allow.name.as_deref() == Some("socket")).unwrap();
    // AF_VSOCK (address_families(7)).
    let mut vsock = socket.allow.when[0].clone();
    vsock[0].value = 40;
    socket.allow.when.push(vsock);
    policy.capabilities.push(learner::policy::Rule {
        allow: learner::policy::CapabilityRule {
            name: "CAP_SYS_BOOT".to_owned(),
            calls: BTreeSet::new(),
        },
        evidence: learner::policy::Evidence::default(),
    });
    profile_emit::bundle::bundle(policy).write(&room.path("p")).unwrap();
    let untouched = fs::read(room.path("p/policy.json")).unwrap();

    let words = ["-v", "verify", "--minimise", "--budget", BUDGET, "--prepare", FRESH, "-o", "m"];
    let done = room.learn(&[&words[..], &["p", "--", "sh", "again"]].concat());
    let told = text(&done.stderr);
    println!("{sample}: {}", told.lines().last().unwrap_or_default());
    assert!(done.status.success(), "{told}");
    assert_eq!(fs::read(room.path("p/policy.json")).unwrap(), untouched);
    for dropped in ["CAP_SYS_BOOT", "acct", "restart_syscall"] {
        assert!(told.lines().any(|line| line == format!("learn: dropped: {dropped}")), "{told}");
    }
    assert!(told.contains("dropped: socket[arg0=0x28"), "{told}");
    assert!(!told.contains("untested"), "{told}");
    let (seccomp, capabilities) = read(&room, "m");
    println!("{sample}: {} calls: {:?}", allowed(&seccomp).len(), allowed(&seccomp));
    println!("{sample}: capabilities: {:?}", capabilities.add);
    assert_eq!(capabilities.add.len(), before, "what the kernel asked for is needed");
    let readme = text(&fs::read(room.path("m/README.md")).unwrap());
    assert!(readme.contains("minimised by ") && readme.contains("minimised away: "), "{readme}");

    // What a thread does now and then, none of the few runs may have asked for.
    let runs: Vec<Output> = (0..3).map(|_| verify(&room, "m")).collect();
    let told = || runs.iter().map(|run| text(&run.stderr)).collect::<String>();
    assert!(runs.iter().any(|run| run.status.success()), "{}", told());
    each_is_needed(&room);
}

/// Without any one of what is left the sample is refused something, or fails: all capabilities, and a sample of the calls.
fn each_is_needed(room: &Room) {
    let (seccomp, capabilities) = read(room, "m");
    let without = |what: &str, seccomp: &Profile, capabilities: &Capabilities| {
        fs::write(room.path("m/seccomp.json"), seccomp.to_json()).unwrap();
        fs::write(room.path("m/capabilities.json"), capabilities.to_json()).unwrap();
        // What is needed at times only may be missed in the first run or the third.
        let refused = (0..3).any(|_| !verify(room, "m").status.success());
        assert!(refused, "{what} is not needed");
    };
    for name in &capabilities.add {
        let mut less = capabilities.clone();
        less.add.retain(|other| other != name);
        without(name, &seccomp, &less);
    }
    let all: Vec<String> = allowed(&seccomp).into_iter().collect();
    for name in all.iter().step_by(all.len() / SAMPLED) {
        let mut less = seccomp.clone();
        for entry in &mut less.syscalls {
            entry.names.retain(|other| other != name);
        }
        less.syscalls.retain(|entry| !entry.names.is_empty());
        without(name, &less, &capabilities);
    }
    println!(
        "tried without: {:?} and each {}th of {} calls",
        capabilities.add,
        all.len() / SAMPLED,
        all.len()
    );
}

#[test]
#[ignore = "needs root and Debian's servers: run by make test"]
fn nginx_keeps_what_it_needs() {
    shrinks("nginx");
}

#[test]
#[ignore = "needs root and Debian's servers: run by make test"]
fn redis_keeps_what_it_needs() {
    shrinks("redis");
}

#[test]
fn a_command_that_is_not_always_the_same_is_told_apart() {
    let room = Room::new();
    room.learned(&["-q", "record", "--backend", "ptrace", "-o", "r", "--", "sh", "-c", "exit 0"]);
    room.learned(&["-q", "generate", "r", "-o", "p"]);
    let mut words = vec!["verify", "--minimise", "-o", "m", "p", "--", "sh", "-c"];
    // It is refused something by the whole profile.
    let done = room.learn(&[&words[..], &["umask 077"]].concat());
    assert_eq!(done.status.code(), Some(123), "{}", text(&done.stderr));
    assert!(text(&done.stderr).contains("the whole profile refuses umask"));
    // It passes, and ends in another way each time: the number of the shell's process tells.
    words.push("exit $(($$ % 97))");
    let done = room.learn(&words);
    assert_eq!(done.status.code(), Some(123), "{}", text(&done.stderr));
    assert!(text(&done.stderr).contains("it ended with "), "{}", text(&done.stderr));
    // The profiles are never written over.
    let done = room.learn(&["verify", "--minimise", "-o", "./p", "p", "--", "sh", "-c", "exit 0"]);
    assert_eq!(done.status.code(), Some(123));
    assert!(text(&done.stderr).contains("stay as they are"), "{}", text(&done.stderr));
    assert!(!room.path("m").exists());
}

#[test]
fn what_a_small_command_does_not_need_is_dropped_and_what_it_needs_is_kept() {
    let room = Room::new();
    let rich = "kill -0 $$; umask 077; exit 0";
    room.learned(&["-q", "record", "--backend", "ptrace", "-o", "r", "--", "sh", "-c", rich]);
    room.learned(&["-q", "generate", "r", "-o", "p"]);
    let poor = "umask 077; exit 0";
    let words =
        ["-v", "verify", "--minimise", "--budget", "200", "-o", "m", "p", "--", "sh", "-c", poor];
    let done = room.learn(&words);
    let told = text(&done.stderr);
    assert!(done.status.success(), "{told}");
    let (seccomp, _) = read(&room, "m");
    let left = allowed(&seccomp);
    assert!(left.contains("umask") && !left.contains("kill"), "{left:?}");
    assert!(told.contains("learn: needed: umask") && !told.contains("untested"), "{told}");
    let passes =
        |script: &str| room.learn(&["verify", "m", "--", "sh", "-c", script]).status.code();
    assert_eq!((passes(poor), passes(rich)), (Some(0), Some(121)));
}

/// A command that copes with a refusal needs the rule, unless refusals are tolerated.
#[test]
fn what_a_command_copes_without_is_dropped_when_refusals_are_tolerated() {
    let room = Room::new();
    let script = "kill -0 $$ 2>/dev/null || :; umask 077";
    room.learned(&["-q", "record", "--backend", "ptrace", "-o", "r", "--", "sh", "-c", script]);
    room.learned(&["-q", "generate", "r", "-o", "p"]);
    let minimised = |to: &str, how: &[&str]| {
        let words = ["-q", "verify", "--minimise", "--budget", "400", "-o", to];
        room.learned(&[&words[..], how, &["p", "--", "sh", "-c", script]].concat());
        allowed(&read(&room, to).0)
    };
    assert!(minimised("strict", &[]).is_superset(&["kill".to_owned(), "umask".to_owned()].into()));
    let left = minimised("tolerant", &["--tolerate-refusals"]);
    assert!(!left.contains("kill") && left.contains("execve"), "{left:?}");
    // It ends as before, and is told of what it copes with.
    let done = room.learn(&["verify", "tolerant", "--", "sh", "-c", script]);
    assert_eq!(done.status.code(), Some(121));
    let told = text(&done.stderr);
    assert!(told.contains("EPERM") && told.contains("CMD: exit 0"), "{told}");
    assert!(room.learned(&["verify", "strict", "--", "sh", "-c", script]).is_empty());
}
