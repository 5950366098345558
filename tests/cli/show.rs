//! `learn show`

use std::fs::File;

use crate::support::{INPUT, OUTPUT, Room, command, done, is_golden};

#[test]
fn greet_as_text_and_as_json() {
    let room = Room::new();
    let greet = room.greet();
    is_golden("greet.show.txt", &room.learn(&["show", greet]).succeeded().out);
    let json = room.learn(&["show", "--format", "json", greet]).succeeded().out;
    is_golden("greet.show.json", &json);
    let summary: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&summary["format"], &summary["version"]), (&"learn-summary".into(), &1.into()));
}

#[test]
fn an_incomplete_recording_says_so() {
    let room = Room::new();
    let incomplete = room.incomplete();
    let text = room.learn(&["show", incomplete]).succeeded().out;
    assert!(text.starts_with("INCOMPLETE, 7 facts of 1 run\n"), "{text}");
    assert!(text.contains("17: files of a ring that was full"), "{text}");
    assert!(text.contains("the disk was full"), "{text}");
    let json = room.learn(&["show", "--format", "json", incomplete]).succeeded().out;
    let summary: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(summary["complete"], false);
    assert_eq!(summary["runs"]["6f1c2a9e"]["lost"]["files of a ring that was full"], 17);
}

#[test]
fn unusable_files_are_refused_and_nothing_is_printed() {
    let room = Room::new();
    for (file, words) in room.unusable() {
        for format in ["text", "json"] {
            let done = room.learn(&["show", "--format", format, file]);
            done.refused(INPUT, words);
            assert_eq!(done.out, "");
        }
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let room = Room::new();
    let greet = room.greet();
    for arguments in [&["show", greet][..], &["--help"], &["man"], &["completions", "bash"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut learn = command(arguments);
        learn.current_dir(room.path("")).stdout(writer);
        let ended = done(learn);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let room = Room::new();
    let greet = room.greet();
    for arguments in [&["show", greet][..], &["--help"], &["man"], &["completions", "bash"]] {
        let mut learn = command(arguments);
        let full = File::options().write(true).open("/dev/full").unwrap();
        learn.current_dir(room.path("")).stdout(full);
        assert_eq!(done(learn).code, OUTPUT, "{arguments:?}");
    }
}

/// Who runs whom as a picture, whatever programs are named.
#[test]
fn programs_are_drawn_whatever_their_names_are() {
    use tracer::recording::{Fact, Origin, Seen, What};
    const HOSTILE: &str = "/bin/a\"b\\\n<x>&'\u{202e}";
    let room = Room::new();
    room.changed("r.jsonl", |recording| {
        let run = recording.runs.keys().next().unwrap().clone();
        for (by, program) in [("/bin/greet", HOSTILE), (HOSTILE, "/bin/greet"), (HOSTILE, HOSTILE)]
        {
            let what = What::Exec { path: program.into(), interpreter: None, loader: None };
            let fact = Fact { domain: by.into(), origin: Origin::Entry, what };
            recording.add(&run, fact, &Seen::ending("ok", 1));
        }
    });
    let dot = room.learn(&["show", "--graph", "dot", "r.jsonl"]).succeeded().out;
    assert!(dot.starts_with("digraph domains {\n") && dot.ends_with("}\n"), "{dot}");
    for line in dot.lines() {
        // Quotes that are not escaped come in pairs.
        let bare = line.replace(r"\\", "").replace(r#"\""#, "");
        assert_eq!(bare.matches('"').count() % 2, 0, "{line}");
    }
    assert_eq!(dot.matches(" -> ").count(), 3, "{dot}");
    let svg = room.learn(&["show", "--graph", "svg", "r.jsonl"]).succeeded().out;
    assert_eq!(svg.matches("<rect ").count(), 2, "{svg}");
    assert_eq!(svg.matches("<path d=\"M").count(), 3 + 1, "{svg}");
    assert!(
        !svg.contains("<x>") && !svg.contains('\u{202e}') && svg.contains("&lt;x&gt;"),
        "{svg}"
    );
    assert_eq!(room.learn(&["show", "--graph", "svg", "r.jsonl"]).out, svg);
    room.learn(&["show", "--graph", "svg", "--format", "json", "r.jsonl"])
        .refused(123, &["--graph"]);
}
