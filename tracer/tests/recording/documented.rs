//! docs/recording.md tells the truth: its example is a recording, and the lines that it quotes are of it.

use std::path::Path;

use tracer::recording::{Recording, write_file};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/greet.jsonl");
const TEXT: &str = include_str!("../../../docs/recording.md");

#[test]
fn the_example_is_a_recording_in_its_only_spelling() {
    let recording = Recording::read(Path::new(EXAMPLE)).unwrap();
    assert!(recording.complete() && recording.len() == 7);
    let dir = tempfile::tempdir().unwrap();
    let again = dir.path().join("again");
    write_file(&again, &recording).unwrap();
    let facts = |text: String| text.lines().skip(1).take(7).map(str::to_owned).collect::<Vec<_>>();
    let read = |path: &Path| facts(std::fs::read_to_string(path).unwrap());
    assert_eq!(read(&again), read(Path::new(EXAMPLE)));
}

#[test]
fn the_quoted_lines_are_the_examples() {
    let example = std::fs::read_to_string(EXAMPLE).unwrap();
    let quoted: Vec<&str> =
        TEXT.lines().filter(|line| line.starts_with("{\"domain\":\"/")).collect();
    assert!(!quoted.is_empty());
    for line in quoted {
        assert!(example.lines().any(|known| known == line), "{line}");
    }
}

/// Version 1 named the units in each fact. This file is the example as it was; its units become a list of the run's.
#[test]
fn a_file_of_version_1_is_read() {
    let old = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recording/version1.jsonl"));
    let recording = Recording::read(old).unwrap();
    assert_eq!(recording, Recording::read(Path::new(EXAMPLE)).unwrap());
    assert_eq!(recording.runs["6f1c2a9e"].units, ["smoke"]);
    let dir = tempfile::tempdir().unwrap();
    let both = dir.path().join("both");
    tracer::recording::merge(&[old.to_owned(), EXAMPLE.into(), old.to_owned()], &both).unwrap();
    assert_eq!(
        std::fs::read(&both).unwrap(),
        std::fs::read(EXAMPLE).unwrap(),
        "it is written as version 2"
    );
    // Each version has its own spelling of units.
    let text = std::fs::read_to_string(old).unwrap();
    for (at, from, to) in
        [(0, "\"labels\"", "\"units\":[\"smoke\"],\"labels\""), (2, "[\"smoke\"]", "\"0\"")]
    {
        let mut lines: Vec<String> = text.lines().map(|line| format!("{line}\n")).collect();
        lines[at] = lines[at].replacen(from, to, 1);
        std::fs::write(&both, lines.concat()).unwrap();
        assert!(Recording::read(&both).is_err(), "{to}");
    }
}
