//! `learn record`

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::Stdio;

use tracer::recording::{Recording, What};

use crate::support::{
    INCOMPLETE, INPUT, NOT_EXECUTABLE, NOT_FOUND, OUTPUT, Room, UNAVAILABLE, Unprivileged, command,
    install,
};

/// The words of a recording of CMD by ptrace, which needs no privilege.
fn record<'a>(options: &[&'a str], command: &[&'a str]) -> Vec<&'a str> {
    [&["record", "--backend", "ptrace"], options, &["--"], command].concat()
}

#[test]
fn says_what_is_known_and_where_it_is() {
    let room = Room::new();
    let done = room.learn(&record(&["-o", "r.jsonl"], &["true"])).succeeded();
    let recording = Recording::read(&room.path("r.jsonl")).unwrap();
    let (calls, files) = recording.calls_and_files();
    assert!(calls > 3 && files > 1);
    assert_eq!(
        done.err,
        format!(
            "learn: {} facts ({calls} calls and {files} files), complete, written to r.jsonl\n",
            recording.len()
        )
    );
    assert_eq!(room.names(), ["r.jsonl"]);
}

#[test]
fn quiet_says_nothing() {
    let room = Room::new();
    for arguments in [&["-q", "record"][..], &["record", "--quiet"]] {
        let arguments = [arguments, &["-o", "r", "--", "true"]].concat();
        let done = room.learn(&arguments).succeeded();
        assert_eq!(done.err, "");
    }
}

#[test]
fn a_recording_is_named_after_its_program() {
    let room = Room::new();
    room.learn(&record(&[], &["/bin/true"])).succeeded();
    assert_eq!(room.names(), ["true.learn.jsonl"]);
}

#[test]
fn an_ending_asks_for_compression() {
    let room = Room::new();
    room.learn(&record(&["-o", "r.jsonl.zst"], &["true"])).succeeded();
    assert!(room.read("r.jsonl.zst").starts_with(&[0x28, 0xb5, 0x2f, 0xfd]));
    assert!(Recording::read(&room.path("r.jsonl.zst")).unwrap().complete());
}

#[test]
fn unit_and_labels_are_kept() {
    let room = Room::new();
    let options = ["-o", "r", "--unit", "api", "--label", "a=1", "--label", "b=x=y"];
    room.learn(&record(&options, &["true"])).succeeded();
    let recording = Recording::read(&room.path("r")).unwrap();
    let run = recording.runs.values().next().unwrap();
    let labels: Vec<_> = run.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(labels, [("a", "1"), ("b", "x=y")]);
    assert_eq!(run.units, ["api"]);
    for (fact, runs) in recording.sorted() {
        let units: Vec<_> = runs.values().map(|seen| seen.units.to_string()).collect();
        assert_eq!(units, ["0"], "{fact:?}");
    }
}

#[test]
fn labels_need_a_key_and_one_value() {
    let room = Room::new();
    for (labels, says) in [
        (&["--label", "release"][..], "expected K=V"),
        (&["--label", "=1.4"], "expected K=V"),
        (&["--label", "a=1", "--label", "a=2"], "--label a has two values; give it one"),
    ] {
        room.learn(&record(labels, &["touch", "ran"])).refused(INPUT, &[says]);
    }
    assert!(room.names().is_empty());
}

#[test]
fn the_command_keeps_its_stdin_stdout_and_stderr() {
    let room = Room::new();
    let output = room.path("r");
    let words = record(
        &["-o", output.to_str().unwrap()],
        &["sh", "-c", "cat; echo to-stderr >&2; test -t 0 || echo no terminal"],
    );
    let mut child = command(&[&["-q"], &words[..]].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"from stdin\n").unwrap();
    let done = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stdout), "from stdin\nno terminal\n");
    assert_eq!(String::from_utf8_lossy(&done.stderr), "to-stderr\n");
}

#[test]
fn the_status_is_that_of_the_command() {
    let room = Room::new();
    for (script, code) in [
        ("exit 0", 0),
        ("exit 1", 1),
        ("exit 121", 121),
        ("exit 255", 255),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
        ("kill -PIPE $$", 141),
    ] {
        let done = room.learn(&record(&["-o", "r"], &["sh", "-c", script]));
        assert_eq!(done.code, code, "{script}: {done:?}");
        assert!(Recording::read(&room.path("r")).unwrap().complete());
    }
}

#[test]
fn a_request_to_end_is_passed_on_and_the_recording_kept() {
    let room = Room::new();
    let output = room.path("r");
    let script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    let words = record(&["-o", output.to_str().unwrap()], &["sh", "-c", script]);
    let mut child =
        command(&[&["-q"], &words[..]].concat()).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    // SAFETY: a signal to a child that has not been waited for.
    unsafe { libc::kill(i32::try_from(child.id()).unwrap(), libc::SIGTERM) };
    let status = child.wait().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(9), None));
    assert!(Recording::read(&output).unwrap().complete());
}

/// A terminal's signals go to learn and the command alike: they are the command's to answer.
#[test]
fn an_interrupt_is_left_to_the_command() {
    let room = Room::new();
    let output = room.path("r");
    // Whoever runs the tests may ignore interrupts, and then a shell can not take them.
    let script = "trap 'exit 9' INT; echo ready; while :; do sleep 0.05; done";
    let words = record(
        &["-o", output.to_str().unwrap()],
        &["env", "--default-signal=INT", "sh", "-c", script],
    );
    let mut child = command(&[&["-q"], &words[..]].concat())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    // SAFETY: a signal to the group of a child that has not been waited for.
    unsafe { libc::kill(-i32::try_from(child.id()).unwrap(), libc::SIGINT) };
    assert_eq!(child.wait().unwrap().code(), Some(9));
    assert!(Recording::read(&output).unwrap().complete());
}

/// What is traced already can't be traced again.
#[test]
fn where_ptrace_is_refused_nothing_is_recorded() {
    let room = Room::new();
    let learn = env!("CARGO_BIN_EXE_learn");
    let inner = record(&["-o", "inner"], &["touch", "ran"]);
    let done = room.learn(&[&["-q"], &record(&["-o", "r"], &[learn])[..], &inner].concat());
    done.refused(UNAVAILABLE, &["the ptrace backend cannot be used: ", "a process has one tracer"]);
    assert_eq!(room.names(), ["r"]);
}

#[test]
fn a_command_that_is_not_there_is_127_and_leaves_nothing() {
    let room = Room::new();
    for command in ["no-such-program", "./no/such/program", ""] {
        room.learn(&record(&["-o", "r"], &[command, "argument"]))
            .refused(NOT_FOUND, &["cannot run", command, "No such file", "PATH"]);
    }
    assert!(room.names().is_empty());
}

#[test]
fn a_command_that_can_not_be_executed_is_126_and_leaves_nothing() {
    let room = Room::new();
    room.write("text", "#!/bin/sh\n");
    for command in ["./text", "/"] {
        room.learn(&record(&["-o", "r"], &[command])).refused(
            NOT_EXECUTABLE,
            &["cannot run", command, "Permission denied", "give an executable program"],
        );
    }
    assert_eq!(room.names(), ["text"]);
}

#[test]
fn without_a_command_nothing_is_done() {
    let room = Room::new();
    room.learn(&["record", "-o", "r"]).refused(INPUT, &["<CMD>", "see learn record --help"]);
    room.learn(&["record", "-o", "r", "true"]).refused(INPUT, &["see learn record --help"]);
    assert!(room.names().is_empty());
}

#[test]
fn an_output_that_can_not_be_written_is_refused_before_the_command_runs() {
    let room = Room::new();
    room.write("file", "untouched");
    std::fs::create_dir(room.path("directory")).unwrap();
    for (output, why) in [
        ("file/r", "Not a directory"),
        ("no/such/place/r", "No such file"),
        ("/proc/r", "No such file"),
        ("directory", "is a directory"),
        ("/dev/null", "no regular file"),
    ] {
        room.learn(&record(&["-o", output], &["touch", "ran"])).refused(
            OUTPUT,
            &["write the recording ", output, why, "; choose another place with -o"],
        );
    }
    assert_eq!(room.names(), ["directory", "file"]);
    assert_eq!(room.read("file"), b"untouched");
}

#[test]
fn an_older_recording_is_replaced_only_by_a_new_one() {
    let room = Room::new();
    room.write("r", "old");
    room.learn(&record(&["-o", "r"], &["no-such-program"])).refused(NOT_FOUND, &[]);
    assert_eq!(room.read("r"), b"old");
    room.learn(&record(&["-o", "r"], &["true"])).succeeded();
    assert!(Recording::read(&room.path("r")).is_ok());
}

#[test]
fn the_ptrace_backend_says_that_it_can_not_follow_a_container() {
    let room = Room::new();
    install(Path::new("/bin/false"), &room.path("docker"), "0755");
    let by_ptrace = ["record", "--backend", "ptrace", "-o", "r"];
    for containers in [&["--", "./docker", "run", "image"][..], &["--container", "web"]] {
        let words = [&by_ptrace[..], containers].concat();
        room.learn(&words).refused(INPUT, &["ptrace", "container engine", "--backend"]);
        assert!(!room.path("r").exists());
    }
    // A client that starts no container is a program like any other.
    let words = [&by_ptrace[..], &["--", "./docker", "images"]].concat();
    assert_eq!(room.learn(&words).code, 1);
}

/// A program that its own user may not read hides from an unprivileged tracer.
#[test]
fn an_incomplete_recording_is_written_and_never_hidden() {
    let room = Unprivileged::new();
    for quiet in [&[][..], &["-q"]] {
        let words = [quiet, &record(&["-o", "r"], &["sh", "-c", "./secret; exit 7"])].concat();
        let done = room.learn(&words);
        done.refused(INCOMPLETE, &["INCOMPLETE", "1 lost: programs", "written to r; record again"]);
        assert!(!Recording::read(&room.path("r")).unwrap().complete());
    }
    let done = room.learn(&record(&["-q", "-o", "r"], &["sh", "-c", "/bin/true; exit 7"]));
    assert_eq!((done.code, done.err.as_str()), (7, ""));
    assert!(Recording::read(&room.path("r")).unwrap().complete());
}

#[test]
fn without_privileges_ebpf_is_refused_and_auto_is_ptrace() {
    let room = Unprivileged::new();
    room.learn(&["record", "--backend", "ebpf", "-o", "r", "--", "touch", "ran"])
        .refused(UNAVAILABLE, &["the ebpf backend cannot be used: ", "; "]);
    assert!(!room.path("r").exists() && !room.path("ran").exists());

    let done = room.learn(&["record", "-o", "r", "--", "true"]).succeeded();
    let (why, what) = done.err.split_once('\n').unwrap();
    assert!(
        why.starts_with("learn: recording by ptrace: the ebpf backend cannot be used: "),
        "{why}"
    );
    assert!(what.contains("complete"), "{what}");
    let recording = Recording::read(&room.path("r")).unwrap();
    assert!(recording.runs.values().all(|run| run.backend == "ptrace"));
}

#[test]
fn names_that_a_program_chose_do_not_reach_the_terminal_as_commands() {
    let room = Room::new();
    let script = "printf x > \"$(printf 'a\\033[31m\\nb')\"";
    room.learn(&record(&["-o", "r"], &["sh", "-c", script])).succeeded();
    let odd =
        |what: &What| matches!(what, What::File { path, .. } if path.as_bytes().contains(&0x1b));
    let recording = Recording::read(&room.path("r")).unwrap();
    assert!(recording.sorted().iter().any(|(fact, _)| odd(&fact.what)));
    let shown = room.learn(&["show", "r"]).succeeded();
    assert!(
        !shown.out.contains('\x1b') && shown.out.contains(r"a\u{1b}[31m\u{a}b"),
        "{}",
        shown.out
    );
}

/// The command needs something new in its first three runs; a fourth is quiet, and a fifth.
#[test]
fn a_command_is_repeated_until_it_is_quiet() {
    let room = Room::new();
    let script = "n=$(cat n 2>/dev/null || echo 0); n=$((n + 1)); echo $n >n
        case $n in 1) cat /etc/passwd;; 2) cat /etc/group;; 3) cat /etc/services;; esac >/dev/null
        mktemp >/dev/null";
    let options = ["-o", "r", "--until-quiet", "2"];
    let done = room.learn(&record(&options, &["sh", "-c", script])).succeeded();
    assert_eq!(room.read("n"), b"5\n", "{done:?}");
    let recording = Recording::read(&room.path("r")).unwrap();
    assert_eq!(recording.runs.len(), 5);
    assert!(done.err.contains("run 5: nothing new"), "{done:?}");
    let text = room.learn(&["show", "r"]).succeeded().out;
    assert!(text.contains("test-suite saturation over 5 units"), "{text}");
}

#[test]
fn a_command_that_fails_is_not_repeated() {
    let room = Room::new();
    let words = record(&["-o", "r", "--until-quiet", "2"], &["sh", "-c", "echo x >>n; exit 3"]);
    assert_eq!(room.learn(&words).code, 3);
    assert_eq!(room.read("n"), b"x\n");
    for options in [&["--until-quiet", "0"][..], &["--until-quiet", "2", "--unit", "a"]] {
        assert_eq!(room.learn(&record(options, &["true"])).code, INPUT);
    }
}
