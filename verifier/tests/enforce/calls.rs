//! System calls.

use profile_emit::seccomp::oci::Entry;
use tracer::abi::Abi;

use crate::actor::{Trained, assert_report, words};

#[test]
fn what_was_trained_passes() {
    let trained = Trained::actor();
    let (file, other) = (trained.path("file"), trained.path("other"));
    let report = trained.run(&["train", &file, &other]);
    assert_report(&report, "exit 0", &[]);
    for what in ["seccomp", "capabilities"] {
        assert!(report.enforced.contains(what), "{report:#?}");
    }
}

#[test]
fn a_call_that_the_profile_does_not_have_is_refused() {
    let trained = Trained::actor();
    assert_report(&trained.run(&["call"]), "exit 9", &[trained.socket("actor")]);
    // The same call passes where the profile has it.
    trained.seccomp(|profile| {
        profile.syscalls.push(Entry {
            names: vec!["socket".to_owned()],
            action: "SCMP_ACT_ALLOW".to_owned(),
            ..Entry::default()
        });
    });
    assert_report(&trained.run(&["call"]), "exit 0", &[]);
}

#[test]
fn another_value_of_an_argument_is_refused() {
    let trained = Trained::actor();
    let report = trained.run(&["argument"]);
    let denial = trained.denial("actor", "socketpair", "AF_UNIX, SOCK_SEQPACKET, 0", "EPERM");
    assert_report(&report, "exit 9", &[denial]);
}

#[test]
fn a_path_is_told() {
    let trained = Trained::actor();
    let directory = trained.path("new");
    let report = trained.run(&["new-directory", &format!("{directory}/../new")]);
    // There is no such directory to go through: the path is told as it was given only when it can be resolved.
    let denial = trained.denial("actor", "mkdirat", "", "EPERM");
    assert_report(&report, "exit 9", &[denial]);
    let report = trained.run(&["new-directory", &directory]);
    assert_report(&report, "exit 9", &[trained.denial("actor", "mkdirat", &directory, "EPERM")]);
}

#[test]
fn a_fallback_is_answered_and_is_no_denial() {
    let trained = Trained::actor();
    let report = trained.run(&["fallback"]);
    assert_report(&report, "exit 1", &[trained.denial("actor", "getcpu", "", "EPERM")]);
    trained.seccomp(|profile| {
        profile.syscalls.push(Entry {
            names: vec!["getcpu".to_owned()],
            action: "SCMP_ACT_ERRNO".to_owned(),
            errno_ret: Some(38),
            ..Entry::default()
        });
    });
    assert_report(&trained.run(&["fallback"]), "exit 9", &[]);
}

#[test]
fn a_rule_that_refuses_is_a_denial_too() {
    let trained = Trained::actor();
    trained.seccomp(|profile| {
        profile.default_action = "SCMP_ACT_ALLOW".to_owned();
        profile.syscalls = vec![Entry {
            names: vec!["socket".to_owned(), "getcpu".to_owned()],
            action: "SCMP_ACT_ERRNO".to_owned(),
            errno_ret: Some(1),
            ..Entry::default()
        }];
    });
    assert_report(&trained.run(&["call"]), "exit 9", &[trained.socket("actor")]);
    assert_report(&trained.run(&["argument"]), "exit 0", &[]);
}

#[test]
fn a_profile_that_kills_kills() {
    let trained = Trained::actor();
    for action in ["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL"] {
        trained.seccomp(|profile| profile.default_action = action.to_owned());
        let mut denial = trained.socket("actor");
        denial.errno = "SIGSYS".to_owned();
        assert_report(&trained.run(&["call"]), "signal 31", &[denial]);
    }
    let (file, other) = (trained.path("file"), trained.path("other"));
    assert_report(&trained.run(&["train", &file, &other]), "exit 0", &[]);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn calls_of_another_architecture_are_refused() {
    let trained = Trained::actor();
    let mut denial = trained.denial("actor", "getpid", "", "SIGSYS");
    denial.abi = Abi::I386;
    assert_report(&trained.run(&["foreign"]), "signal 31", &[denial.clone()]);
    // With the architecture, a call that is not allowed.
    trained.seccomp(|profile| profile.architectures.push("SCMP_ARCH_X86".to_owned()));
    denial.errno = "EPERM".to_owned();
    assert_report(&trained.run(&["foreign"]), "exit 1", &[denial]);
    trained.seccomp(|profile| {
        profile.syscalls.push(Entry {
            names: vec!["getpid".to_owned()],
            action: "SCMP_ACT_ALLOW".to_owned(),
            ..Entry::default()
        });
    });
    assert_report(&trained.run(&["foreign"]), "exit 0", &[]);
}

#[test]
fn the_launcher_needs_nothing_of_the_profile() {
    let trained = Trained::actor();
    trained.forbid("execve");
    let report = trained.run(&["nothing"]);
    assert_eq!(report.end, "exit 126");
    assert_eq!(report.denials.len(), 1);
    assert_eq!(
        (report.denials[0].call.as_str(), report.denials[0].errno.as_str()),
        ("execve", "EPERM")
    );
    for name in ["write", "close", "read"] {
        let trained = Trained::actor();
        trained.forbid(name);
        let end = trained.run(&["nothing"]).end;
        // Why a command can't be executed is told all the same.
        let error = trained.verify(&["/no/such/command"]).unwrap_err().to_string();
        assert!(error.contains("No such file"), "{error}");
        // The program's own start may fail, but it is reached.
        assert!(end == "exit 0" || end == "exit 127", "{name}: {end}");
    }
}

#[test]
fn a_denial_names_who_led_to_it_the_nearest_rule_and_the_one_that_would_allow_it() {
    let command = |script: &str| words(&["/bin/sh", "-c", script]);
    let training = "(sh -c 'kill -0 $$; :'; :); :";
    let trained = Trained::on(|_| command(training));
    let twin = "(sh -c 'kill -CONT $$; :'; :); :";
    let report = trained.verify(&["/bin/sh", "-c", twin]).unwrap();
    // The shell may complain of it, which is one call more.
    let denial = report.denials.iter().find(|denial| denial.call == "kill").unwrap();
    assert_eq!(denial.arguments, "SIGCONT", "{report:#?}");
    assert!(!denial.ancestors.is_empty(), "{report:#?}");
    assert!(denial.ancestors.iter().all(|program| *program == denial.program), "{report:#?}");
    let near = denial.near.as_ref().unwrap();
    assert_eq!((&*near.file, &*near.why), ("seccomp.json", "argument 1 (sig) is 0x12, not 0x0"));
    // The line is that of the condition, in the entry that names the call.
    let text = std::fs::read_to_string(trained.profiles.join("seccomp.json")).unwrap();
    let before: Vec<&str> = text.lines().take(near.line).collect();
    assert!(before.iter().rev().take(12).any(|line| line.contains("\"kill\"")), "{near:?}");
    // With the rule it passes.
    trained.seccomp(|profile| profile.syscalls.push(serde_json::from_str(&denial.allow).unwrap()));
    assert_report(&trained.verify(&["/bin/sh", "-c", twin]).unwrap(), "exit 0", &[]);
}
