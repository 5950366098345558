//! Programs.

use std::fs;

use crate::actor::{Trained, assert_report, words};

/// Landlock is there: all kernels of Debian 12 and later have it. Where the tests are to prove something it must be.
fn enforced(trained: &Trained) -> bool {
    let there = trained.run(&["nothing"]).enforced.contains("programs");
    assert!(there || nix::unistd::geteuid().as_raw() != 0, "this kernel has no Landlock");
    there
}

#[test]
fn a_program_that_the_policy_does_not_name_is_refused() {
    let trained = Trained::actor();
    if !enforced(&trained) {
        return;
    }
    assert_report(&trained.run(&["program", &trained.path("other")]), "exit 0", &[]);
    let stranger = trained.path("stranger");
    let denial = trained.denial("actor", "execve", &stranger, "EACCES");
    assert_report(&trained.run(&["program", &stranger]), "exit 9", std::slice::from_ref(&denial));
    // Another name of an allowed file is another program, as AppArmor has it.
    let link = trained.path("link");
    fs::hard_link(trained.path("other"), &link).unwrap();
    let denial = trained.denial("actor", "execve", &link, "EACCES");
    assert_report(&trained.run(&["program", &link]), "exit 9", &[denial]);
    // A symbolic link is only a way.
    let symbolic = trained.path("symbolic");
    std::os::unix::fs::symlink(trained.path("other"), &symbolic).unwrap();
    assert_report(&trained.run(&["program", &symbolic]), "exit 0", &[]);
}

#[test]
fn a_name_that_changes_while_it_is_judged_runs_nothing_else() {
    let trained = Trained::actor();
    if !enforced(&trained) {
        return;
    }
    // Between "other" and "othes", which differ in the number that they exit with. Landlock refuses what the supervisor
    // did not see.
    fs::copy(trained.path("stranger"), trained.path("othes")).unwrap();
    let report = trained.run(&["race", &trained.path("other"), "s"]);
    assert_eq!(report.end, "exit 9", "{report:#?}");
    for denial in &report.denials {
        assert_eq!((&*denial.call, &*denial.arguments), ("execve", &*trained.path("othes")));
    }
}

#[test]
fn descriptors_are_executed_by_their_names() {
    let trained = Trained::actor();
    if !enforced(&trained) {
        return;
    }
    trained.seccomp(|profile| profile.syscalls[0].names.push("execveat".to_owned()));
    let stranger = trained.path("stranger");
    let denial = trained.denial("actor", "execveat", &stranger, "EACCES");
    assert_report(&trained.run(&["become", &stranger]), "exit 9", &[denial]);
    assert_report(&trained.run(&["become", &trained.path("other")]), "exit 0", &[]);
}

#[test]
fn a_program_that_is_not_there_is_no_denial() {
    let trained = Trained::actor();
    assert_report(&trained.run(&["no-program"]), "exit 9", &[]);
}

#[test]
fn the_loader_runs_no_program_of_its_own() {
    let trained = Trained::actor();
    if !enforced(&trained) {
        return;
    }
    let policy = fs::read(trained.profiles.join("policy.json")).unwrap();
    let policy = learner::Policy::from_json(&policy).unwrap();
    let loader = policy.execs.iter().find_map(|rule| rule.allow.loader.clone()).unwrap();
    let loader = loader.to_string();
    let denial = trained.denial("actor", "execve", &loader, "EACCES");
    assert_report(&trained.run(&["program", &loader]), "exit 9", &[denial]);
}

#[test]
fn a_command_that_the_policy_does_not_name_is_a_denial() {
    let trained = Trained::actor();
    if !enforced(&trained) {
        return;
    }
    let stranger = trained.path("stranger");
    let report = trained.verify(&[&stranger, "nothing"]).unwrap();
    assert_eq!(report.end, "exit 126");
    let [denial] = report.denials.as_slice() else { panic!("{report:#?}") };
    assert_eq!((denial.call.as_str(), denial.arguments.as_str()), ("execve", stranger.as_str()));
    let error = trained.verify(&["/no/such/command"]).unwrap_err().to_string();
    assert!(error.contains("/no/such/command") && error.contains("No such file"), "{error}");
}

#[test]
fn a_program_that_the_command_makes_may_be_run_and_others_beside_it_not() {
    let script = "cp \"$1\" made && ./made && rm made";
    let twin = "cp \"$1\" made && ./made && cp \"$1\" more && ./more; rm made more";
    let command = |base: &std::path::Path, script: &str| {
        let script = format!("cd {} && {script}", base.display());
        words(&["/bin/sh", "-c", &script, "sh", "/bin/true"])
    };
    let trained = Trained::on(|base| command(base, script));
    let run = |script: &str| {
        let base = trained.directory.path().canonicalize().unwrap();
        let command = command(&base, script);
        let command: Vec<&str> = command.iter().map(|word| word.to_str().unwrap()).collect();
        trained.verify(&command).unwrap()
    };
    let report = run(script);
    assert_report(&report, "exit 0", &[]);
    if report.enforced.contains("programs") {
        let place = trained.path("");
        assert!(
            report.notes.iter().any(|note| note.contains(place.trim_end_matches('/'))),
            "{report:#?}"
        );
        let report = run(twin);
        // The shell says why, which it never did in training: that is refused too.
        let refused: Vec<_> =
            report.denials.iter().filter(|denial| denial.call == "execve").collect();
        let [denial] = refused.as_slice() else { panic!("{report:#?}") };
        assert_eq!(denial.arguments, trained.path("more"));
    }
}

#[test]
fn a_program_may_be_moved_to_where_it_is_run() {
    // Landlock refuses to move a file to where more is allowed: mv would copy it, which training never did.
    let command = |base: &std::path::Path| {
        for name in ["from", "to"] {
            fs::create_dir_all(base.join(name)).unwrap();
        }
        let script = "cp /bin/true from/x && mv from/x to/made && to/made && rm to/made";
        words(&["/bin/sh", "-c", &format!("cd {} && {script}", base.display())])
    };
    let trained = Trained::on(command);
    let command = command(&trained.directory.path().canonicalize().unwrap());
    let command: Vec<&str> = command.iter().map(|word| word.to_str().unwrap()).collect();
    assert_report(&trained.verify(&command).unwrap(), "exit 0", &[]);
}

#[test]
fn a_shell_runs_what_it_ran_and_nothing_else() {
    let trained = Trained::on(|_| words(&["sh", "-c", "ls / >/dev/null"]));
    let run = |script: &str| trained.verify(&["sh", "-c", script]).unwrap();
    let report = run("ls / >/dev/null");
    assert_report(&report, "exit 0", &[]);
    if report.enforced.contains("programs") {
        let report = run("ls / >/dev/null; uname 2>/dev/null");
        assert_eq!(report.end, "exit 126");
        let calls: Vec<_> =
            report.denials.iter().map(|denial| (&*denial.call, &*denial.errno)).collect();
        assert!(
            !calls.is_empty() && calls.iter().all(|c| *c == ("execve", "EACCES")),
            "{report:#?}"
        );
    }
}
