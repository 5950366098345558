//! Processes: threads, children, those that die, those that stay.

use std::time::{Duration, Instant};

use crate::actor::{Trained, assert_report};

#[test]
fn the_end_is_the_commands_own() {
    let trained = Trained::actor();
    assert_report(&trained.run(&["exit", "0"]), "exit 0", &[]);
    assert_report(&trained.run(&["exit", "42"]), "exit 42", &[]);
    // It was trained with SIGKILL to another only; which signal is not what is tested here.
    trained.seccomp(|profile| {
        profile.syscalls.push(profile_emit::seccomp::oci::Entry {
            names: vec!["kill".to_owned(), "getpid".to_owned()],
            action: "SCMP_ACT_ALLOW".to_owned(),
            ..Default::default()
        });
    });
    for signal in ["9", "15", "11"] {
        assert_report(&trained.run(&["signal", signal]), &format!("signal {signal}"), &[]);
    }
}

#[test]
fn a_threads_denial_is_its_programs() {
    let trained = Trained::actor();
    assert_report(&trained.run(&["thread"]), "exit 9", &[trained.socket("actor")]);
}

#[test]
fn a_grandchilds_denial_is_its_programs() {
    let trained = Trained::actor();
    let report = trained.run(&["grandchild", &trained.path("other")]);
    assert_report(&report, "exit 9", &[trained.socket("other")]);
}

#[test]
fn processes_that_die_while_they_wait_do_no_harm() {
    let trained = Trained::actor();
    let report = trained.run(&["die-asking"]);
    let count = report.denials.first().map(|denial| denial.count).unwrap_or_default();
    let denial = verifier::Denial { count, ..trained.socket("actor") };
    assert_report(&report, "exit 0", &[denial]);
}

#[test]
fn signals_neither_change_an_answer_nor_are_denials_counted_twice() {
    let trained = Trained::actor();
    let denial = verifier::Denial { count: 2000, ..trained.socket("actor") };
    assert_report(&trained.run(&["storm"]), "exit 9", &[denial]);
}

#[test]
fn an_orphan_is_supervised_after_the_commands_end() {
    let trained = Trained::actor();
    let report = trained.run(&["orphan", "400"]);
    assert_report(&report, "exit 0", &[trained.socket("actor")]);
    assert!(!report.notes.iter().any(|note| note.contains("outlived")), "{report:#?}");
}

#[test]
fn an_orphan_that_stays_is_left_and_told_of() {
    let trained = Trained::actor();
    let began = Instant::now();
    let done = trained.path("file");
    std::fs::remove_file(&done).unwrap();
    let report = trained.run(&["orphan", "5000", &done]);
    let took = began.elapsed();
    assert_report(&report, "exit 0", &[]);
    assert!(report.notes.iter().any(|note| note.contains("outlived")), "{report:#?}");
    assert!(took > Duration::from_secs(2) && took < Duration::from_secs(5), "{took:?}");
    // It is refused what it was refused before, only with another error; and it is not harmed.
    while !std::path::Path::new(&done).exists() && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(std::path::Path::new(&done).exists());
}
