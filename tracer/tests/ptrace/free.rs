//! Known calls run free, and nothing is missed for it: each mode of free.c is recorded with every call stopped at, and without.

use std::collections::BTreeMap;
use std::path::Path;

use tracer::abi::Abi;
use tracer::recording::{Fact, Seen, What};
use tracer::session::{CommandEnd, Options};

use crate::support::{Place, Recorded, modes};

/// Calls that the same program makes or not as time has it.
const TIMING: [&str; 4] = ["futex", "restart_syscall", "rt_sigreturn", "sched_yield"];

fn record(program: &Path, place: &Place, mode: &str, every_call: bool) -> Recorded {
    let command = vec![program.into(), mode.into(), place.path("file").into()];
    let options = Options { command, every_call, ..Options::default() };
    let outcome = tracer::ptrace::record(&options, &mut |_| {}).unwrap();
    let recorded = Recorded { recording: outcome.recording, end: outcome.end };
    assert!(recorded.recording.complete(), "{mode}: {:?}", recorded.completion());
    assert_eq!(recorded.end, CommandEnd::Code(0), "{mode}, every call: {every_call}");
    recorded
}

/// What is known, without how often, with the place's name left out; and when it was seen.
fn facts(recorded: &Recorded, place: &Place) -> BTreeMap<String, Seen> {
    let shown = |fact: &Fact| {
        let text = serde_json::to_string(fact).unwrap();
        text.replace(place.root().to_str().unwrap(), "PLACE")
    };
    recorded
        .facts()
        .filter(|(fact, _)| {
            !matches!(&fact.what, What::Call { name: Some(name), .. } if TIMING.contains(&&**name))
        })
        .map(|(fact, seen)| (format!("{} {}", shown(fact), seen.succeeded()), seen.clone()))
        .collect()
}

/// The call that is made often ran free, in a program.
pub(crate) fn ran_free(recorded: &Recorded, program: &Path, call: &str) -> bool {
    recorded.call(program, Abi::X86_64, call).is_some_and(|seen: Seen| seen.at_least)
}

fn compile(place: &Place) -> std::path::PathBuf {
    place.compile("free", include_str!("free.c"), &["-pthread"])
}

#[track_caller]
fn same(mode: &str, often: Option<&str>) {
    let place = Place::new();
    let program = compile(&place);
    let some = same_facts(&program, mode);
    if let Some(often) = often {
        assert!(ran_free(&some, &program, often), "{mode}: {often} was stopped at to the end");
    }
}

/// Records a mode of a program with every call stopped at, and without, and finds the same; gives the second recording.
#[track_caller]
pub(crate) fn same_facts(program: &Path, mode: &str) -> Recorded {
    let places = [Place::new(), Place::new()];
    let every = record(program, &places[0], mode, true);
    let some = record(program, &places[1], mode, false);
    let (every_facts, some_facts) = (facts(&every, &places[0]), facts(&some, &places[1]));
    let but = |all: &BTreeMap<String, Seen>, others: &BTreeMap<String, Seen>| -> Vec<String> {
        all.keys().filter(|fact| !others.contains_key(*fact)).cloned().collect()
    };
    let (missing, more) = (but(&every_facts, &some_facts), but(&some_facts, &every_facts));
    assert!(missing.is_empty() && more.is_empty(), "{mode}: missing {missing:#?}, more {more:#?}");
    for (fact, seen) in &some_facts {
        let phases = every_facts[fact].phases;
        // What runs free may have been done in each later phase.
        let told =
            if seen.at_least { seen.phases.is_superset(phases) } else { seen.phases == phases };
        assert!(told, "{mode}: {fact}: {:?} for {phases:?}", seen.phases);
    }
    let free = every.facts().filter(|(_, seen)| seen.at_least).count();
    assert_eq!(free, 0, "{mode}");
    some
}

modes! { same:
    what_is_new_afterwards_is_seen "after" Some("getppid");
    what_each_thread_does_is_seen "threads" Some("getppid");
    what_children_do_is_seen "child" Some("getppid");
    processes_that_are_made_meanwhile_are_seen "forking" None;
    another_program_is_seen_from_its_begin_on "program" Some("getppid");
    who_filters_himself_is_seen_to_the_end "filter" Some("getppid");
    signals_are_delivered "timer" Some("getppid");
    job_control_is_respected "stopped" Some("getppid");
    other_conventions_are_seen "abi" None;
    what_a_server_does_is_seen "serving" Some("getppid");
    #[ignore = "needs root: run by make test"]
    capabilities_of_writing_are_seen "set-id" Some("write");
    #[ignore = "needs root: run by make test"]
    privileges_that_are_given_up_are_seen "drops" Some("getppid");
}

/// Whether the process that a mode left behind still runs; it does not after that.
fn was_left(recorded: &Recorded, place: &Place) -> bool {
    let pid = std::fs::read_to_string(place.path("file")).unwrap();
    let pid: i32 = pid.trim().parse().unwrap();
    let outlived = recorded.completion().notes.iter().any(|note| note.contains("outlived"));
    assert!(outlived, "{:?}", recorded.completion());
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let runs = state.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']));
    if runs {
        // SAFETY: a signal to a process that this test had made.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
    runs
}

/// The calls of a program that others have run before run free from its begin on, and what is new is seen.
#[test]
fn what_the_last_of_many_runs_does_is_seen() {
    let place = Place::new();
    let program = compile(&place);
    let some = same_facts(&program, "runs");
    let ran = some.facts().find(|(fact, _)| fact.domain.as_bytes().ends_with(b".program")).unwrap();
    let free = some.facts().any(|(fact, seen)| {
        fact.domain == ran.0.domain
            && matches!(&fact.what, What::Call { name: Some(name), .. } if &**name == "getppid")
            && seen.at_least
    });
    assert!(free, "getppid was stopped at to the end");
}

/// A filter needs the recorder: who has one ends with it, which is said; daemons get none, and are left alone.
#[test]
fn what_is_left_behind_runs_on_unless_it_needs_the_recorder() {
    let place = Place::new();
    let program = compile(&place);
    for (mode, every_call, left, free) in [
        ("left", false, false, true),
        ("left", true, true, false),
        ("daemon", false, true, false),
        ("daemon", true, true, false),
    ] {
        let place = Place::new();
        let recorded = record(&program, &place, mode, every_call);
        assert_eq!(was_left(&recorded, &place), left, "{mode}, every call: {every_call}");
        assert_eq!(ran_free(&recorded, &program, "getppid"), free, "{mode}, {every_call}");
        let ended = recorded.completion().notes.iter().any(|note| note.contains("were ended"));
        assert_eq!(ended, !left, "{:?}", recorded.completion());
    }
}
