//! `learn merge`

use tracer::recording::{Completion, Recording};

use crate::support::{INPUT, OUTPUT, Room};

#[test]
fn a_file_merged_with_itself_is_itself() {
    let room = Room::new();
    let greet = room.greet();
    let done = room.learn(&["merge", "-o", "same", greet, greet]).succeeded();
    assert_eq!(room.read("same"), room.read(greet));
    assert_eq!(done.err, "learn: 7 facts of 1 run, written to same\n");
}

#[test]
fn the_order_of_files_does_not_matter() {
    let room = Room::new();
    let greet = room.greet();
    room.learn(&["record", "--backend", "ptrace", "-o", "other", "--", "true"]).succeeded();
    room.learn(&["merge", "-o", "one", greet, "other"]).succeeded();
    room.learn(&["merge", "-o", "two", "other", greet]).succeeded();
    assert_eq!(room.read("one"), room.read("two"));
    assert_eq!(Recording::read(&room.path("one")).unwrap().runs.len(), 2);
}

#[test]
fn incomplete_wins() {
    let room = Room::new();
    let (greet, incomplete) = (room.greet(), room.incomplete());
    room.learn(&["merge", "-o", "both", greet, incomplete]).succeeded();
    assert!(!Recording::read(&room.path("both")).unwrap().complete());
}

#[test]
fn an_output_may_be_one_of_the_inputs() {
    let room = Room::new();
    let greet = room.greet();
    let before = room.read(greet);
    room.learn(&["merge", "-o", greet, greet]).succeeded();
    assert_eq!(room.read(greet), before);
}

#[test]
fn unusable_files_are_refused_and_nothing_is_written() {
    let room = Room::new();
    let greet = room.greet();
    for (file, words) in room.unusable() {
        room.learn(&["merge", "-o", "out", greet, file]).refused(INPUT, words);
    }
    assert!(room.names().iter().all(|name| name != "out" && !name.starts_with('.')));
}

#[test]
fn different_runs_of_one_identifier_do_not_belong_together() {
    let room = Room::new();
    let greet = room.greet();
    room.changed("forged", |recording| {
        recording.runs.values_mut().for_each(|run| "forged".clone_into(&mut run.kernel));
    });
    for arguments in
        [&["merge", "-o", "out", greet, "forged"], &["generate", "-o", "out", greet, "forged"]]
    {
        room.learn(arguments).refused(INPUT, &["forged: run \"6f1c2a9e\" differs"]);
    }
    assert!(!room.path("out").exists());
    // Another end of the same run does.
    room.changed("other-end", |recording| {
        recording.completions.values_mut().for_each(|end| *end = Completion::complete());
    });
    room.learn(&["merge", "-o", "out", greet, "other-end"]).succeeded();
}

#[test]
fn an_output_that_can_not_be_written_is_refused() {
    let room = Room::new();
    let greet = room.greet();
    let below = format!("{greet}/out");
    for output in [below.as_str(), "/proc/out", "/dev/full"] {
        room.learn(&["merge", "-o", output, greet]).refused(OUTPUT, &[output, "-o"]);
    }
    assert_eq!(room.names(), [greet]);
    room.learn(&["merge", greet]).refused(INPUT, &["--output", "see learn merge --help"]);
}
