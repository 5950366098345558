//! Calls in loops run on without a stop, and nothing is missed or disturbed for it: each mode of repeats.c is recorded with every call
//! stopped at, and without.

use std::time::{Duration, Instant};

use tracer::abi::Abi;
use tracer::recording::{Phase, Seen};
use tracer::session::{CommandEnd, Options};

use crate::free::{ran_free, same_facts};
use crate::support::Place;

const CALL: &str = "rt_sigaction";

/// `run_on`: whether the loop's calls do, where the kernel can let them.
#[track_caller]
fn same(mode: &str, run_on: bool) -> Seen {
    let place = Place::new();
    let program = place.compile("repeats", include_str!("repeats.c"), &["-pthread"]);
    let recorded = same_facts(&program, mode);
    let can = tracer::host::kernel_version() >= Some((6, 4));
    assert_eq!(ran_free(&recorded, &program, CALL), run_on && can, "{mode}");
    recorded.call(&program, Abi::X86_64, CALL).unwrap()
}

#[test]
fn spawned_processes_ask_for_all_handlers_at_once() {
    same("spawn", true);
}

#[test]
fn other_calls_are_seen() {
    same("others", true);
}

#[test]
fn what_is_blocked_stays_blocked() {
    same("blocked", true);
}

#[test]
fn who_ignores_the_signal_or_handles_it_is_stopped_at_each_call() {
    same("ignored", false);
    same("caught", false);
}

#[test]
fn signals_come_and_calls_of_their_handlers_are_seen() {
    same("interrupted", true);
}

#[test]
fn each_thread_has_its_own_loop() {
    same("threads", true);
}

#[test]
fn a_loop_belongs_to_its_own_phase_alone() {
    let seen = same("serving", true);
    assert_eq!(seen.phases, Phase::Startup);
}

#[test]
fn what_outlives_the_recorder_goes_on_with_its_loop() {
    let place = Place::new();
    let program = place.compile("repeats", include_str!("repeats.c"), &["-pthread"]);
    let file = place.path("file");
    let command = vec![program.into(), "left".into(), file.clone().into()];
    let options = Options { command, ..Options::default() };
    let outcome = tracer::ptrace::record(&options, &mut |_| {}).unwrap();
    assert_eq!(outcome.end, CommandEnd::Code(0));
    let began = Instant::now();
    while !file.exists() {
        assert!(began.elapsed() < Duration::from_secs(20), "it has ended, or stands still");
        std::thread::sleep(Duration::from_millis(50));
    }
}
