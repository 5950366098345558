//! The recipes for CI in samples/ci: their shell steps, run one after the other as the services run them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::Room;

/// The blocks of shell lines in a recipe: what is indented below a line that ends with `|`.
fn steps(recipe: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(recipe)).unwrap();
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut steps = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim_end() != line || !(line.ends_with("run: |") || line.ends_with("- |")) {
            continue;
        }
        let outer = depth(line) + if line.ends_with("- |") { 1 } else { 0 };
        let mut step = String::new();
        while let Some(line) = lines.next_if(|line| line.is_empty() || depth(line) > outer) {
            step.push_str(line.trim_start());
            step.push('\n');
        }
        steps.push(step);
    }
    steps
}

/// A shell in a checkout, with what the services say in the environment.
fn succeeds(room: &Room, script: &str, tests: &str) -> bool {
    let path = format!("{}:/usr/bin:/bin", room.path("bin").display());
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", script]).current_dir(room.path("")).env_clear().env("PATH", &path);
    shell.env("TEST_COMMAND", tests).env("CALLS", room.path("calls"));
    shell.env("GITHUB_STEP_SUMMARY", room.path("summary")).env("NUMBER", "12");
    shell.env("CI_API_V4_URL", "http://127.0.0.1/api/v4").env("CI_PROJECT_ID", "3");
    shell.env("CI_MERGE_REQUEST_IID", "12").env("LEARN_TOKEN", "secret");
    let done = shell.stdin(Stdio::null()).output().unwrap();
    print!("{}", String::from_utf8_lossy(&done.stderr));
    done.status.success()
}

/// A checkout with the profile of some tests, and the services' own tools, which only note how they were called.
fn checkout(tests: &str) -> Room {
    let room = Room::new();
    fs::create_dir(room.path("bin")).unwrap();
    for tool in ["gh", "curl"] {
        room.write(&format!("bin/{tool}"), "#!/bin/sh\necho \"$0 $*\" >>\"$CALLS\"\n");
        let runs = fs::Permissions::from_mode(0o755);
        fs::set_permissions(room.path(&format!("bin/{tool}")), runs).unwrap();
    }
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_learn"), room.path("bin/learn")).unwrap();
    let first = "learn -q record -o r.jsonl -- sh -c \"$TEST_COMMAND\"
        learn -q generate r.jsonl -o profile --name app";
    assert!(succeeds(&room, first, tests));
    room
}

/// Runs a recipe with these tests, in one shell for GitLab and in one for each step for GitHub. Whether it succeeded.
fn run(room: &Room, recipe: &str, tests: &str) -> bool {
    let steps = steps(recipe);
    assert!(steps.len() >= 4, "{steps:#?}");
    let scripts = if recipe.contains("gitlab") { vec![steps.concat()] } else { steps };
    scripts.iter().all(|script| succeeds(room, script, tests))
}

fn holds(recipe: &str) {
    let (same, more) =
        ("read -r line </etc/passwd", "read -r line </etc/passwd; umask 077; kill -0 $$");
    let room = checkout(same);
    assert!(run(&room, recipe, same), "nothing has changed");
    let comment = || String::from_utf8(room.read("drift.markdown")).unwrap();
    assert!(comment().contains("allow the same"), "{}", comment());
    assert!(String::from_utf8(room.read("calls")).unwrap().contains("drift.markdown"));

    assert!(!run(&room, recipe, more), "more is allowed");
    assert!(comment().contains("call x86\\_64 umask") && comment().contains("call x86\\_64 kill"));
    assert!(String::from_utf8(room.read("drift.junit")).unwrap().contains("x86_64 umask"));

    // Somebody accepts it.
    let drift: Value = {
        let done = room.learn(&["diff", "--format", "json", "profile", "learned"]);
        serde_json::from_str(&done.out).unwrap()
    };
    let new = |call: &str| {
        let all = drift["differences"].as_array().unwrap();
        let what = format!("x86_64 {call}");
        let is = |d: &&Value| d["what"].as_str() == Some(&what);
        all.iter().find(is).unwrap()["new"].as_str().unwrap().to_owned()
    };
    let entry = |call: &str, until: &str| {
        format!(
            r#"{{"kind":"call","what":"x86_64 {call}","direction":"widened","new":"{}","reason":"looked at","until":"{until}"}}"#,
            new(call)
        )
    };
    let accept = |until: &str| {
        let entries = [entry("umask", until), entry("kill", until)].join(",");
        let signal = r#"{"kind":"signal","what":"0 to its own","direction":"widened","new":"allowed","reason":"looked at","until":"9999-12-31"}"#;
        let text =
            format!(r#"{{"format":"learn-accepted","version":1,"accepted":[{entries},{signal}]}}"#);
        room.write("profile/accepted.json", text);
    };
    accept("9999-12-31");
    assert!(run(&room, recipe, more), "{}", comment());
    accept("2020-01-01");
    assert!(!run(&room, recipe, more), "it was accepted until a day that is over");
}

#[test]
fn the_github_workflow_holds() {
    holds("samples/ci/github.yml");
}

#[test]
fn the_gitlab_job_holds() {
    holds("samples/ci/gitlab.yml");
}

#[test]
fn what_is_accepted_has_a_reason_and_a_day() {
    let room = Room::new();
    let greet = room.greet();
    let accept = |text: &str| {
        room.write("a.json", text);
        room.learn(&["diff", "--accept", "a.json", "--today", "2027-01-31", greet, greet])
    };
    let of =
        |entry: &str| format!(r#"{{"format":"learn-accepted","version":1,"accepted":[{entry}]}}"#);
    let entry = |reason: &str, until: &str| {
        of(&format!(
            r#"{{"kind":"call","what":"x86_64 read","direction":"widened","new":"allowed","reason":"{reason}","until":"{until}"}}"#
        ))
    };
    let told = accept(&entry("why", "2027-01-31")).succeeded();
    assert!(told.err.contains("accepted, and no difference"), "{told:?}");
    let read = of(
        r#"{"kind":"call","what":"x86_64 read","direction":"widened","new":"allowed when fd = 0","reason":"why","until":"2027-01-31"}"#,
    );
    // What is accepted is one state, and no other that the same call gets later.
    room.write(
        "closed.json",
        r#"{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64"],"syscalls":[]}"#,
    );
    room.write("open.json", r#"{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64"],"syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}"#);
    for (text, code) in [(entry("why", "2027-01-31"), 0), (read, 1)] {
        room.write("a.json", text);
        let words =
            ["diff", "--accept", "a.json", "--today", "2027-01-31", "closed.json", "open.json"];
        let done = room.learn(&words);
        assert_eq!(done.code, code, "{done:?}");
        assert_eq!(
            done.err.contains(r#"accepted as "allowed when fd = 0", and it is "allowed" now"#),
            code == 1
        );
    }
    accept(&entry(" ", "2027-01-31")).refused(2, &["a.json", "give a reason"]);
    accept(&entry("why", "soon")).refused(2, &["a.json", "YYYY-MM-DD"]);
    accept("{}").refused(2, &["a.json"]);
    accept(r#"{"format":"learn-accepted","version":2,"accepted":[]}"#).refused(2, &["version"]);
    let day = ["diff", "--accept", "a.json", "--today", "tomorrow", greet, greet];
    room.learn(&day).refused(2, &["tomorrow"]);
}
