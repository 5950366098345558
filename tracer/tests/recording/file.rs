//! What is written is what is read; the order of lines.

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use tracer::recording::{Reader, Recording, write_file};

use crate::arbitrary::recording;

proptest! {
    #[test]
    fn what_is_written_is_what_is_read(recording in recording()) {
        let dir = tempfile::tempdir().unwrap();
        for name in ["plain.jsonl", "packed.jsonl.zst"] {
            let path = dir.path().join(name);
            write_file(&path, &recording).unwrap();
            prop_assert_eq!(&Recording::read(&path).unwrap(), &recording);
        }
        let mut packed = Reader::open(&dir.path().join("packed.jsonl.zst")).unwrap();
        let mut plain = Reader::open(&dir.path().join("plain.jsonl")).unwrap();
        while let Some(line) = plain.next_line().unwrap() {
            prop_assert_eq!(Some(line), packed.next_line().unwrap());
        }
        prop_assert_eq!(plain.end().unwrap(), packed.end().unwrap());
    }

    #[test]
    fn facts_stand_in_the_order_of_bytes(recording in recording()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.jsonl");
        write_file(&path, &recording).unwrap();
        let text = std::fs::read(&path).unwrap();
        let lines: Vec<&[u8]> = text.split_inclusive(|b| *b == b'\n').collect();
        prop_assert_eq!(lines.len(), recording.len() + 2);
        prop_assert!(lines[1..lines.len() - 1].is_sorted());
    }
}

/// The promise of docs/recording.md: sort(1) agrees.
#[test]
fn sort_agrees() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.jsonl");
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..20 {
        let recording = recording().new_tree(&mut runner).unwrap().current();
        write_file(&path, &recording).unwrap();
        let text = std::fs::read(&path).unwrap();
        let lines: Vec<&[u8]> = text.split_inclusive(|b| *b == b'\n').collect();
        let facts = lines[1..lines.len() - 1].concat();
        let mut sort = Command::new("sort")
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let reversed: Vec<u8> =
            lines[1..lines.len() - 1].iter().rev().copied().flatten().copied().collect();
        sort.stdin.take().unwrap().write_all(&reversed).unwrap();
        assert_eq!(sort.wait_with_output().unwrap().stdout, facts);
    }
}

/// The promise of docs/recording.md: the checksum covers all but the last 68 bytes.
#[test]
fn sha256sum_agrees() {
    use sha2::{Digest, Sha256};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.jsonl");
    write_file(&path, &Recording::new()).unwrap();
    let text = std::fs::read(&path).unwrap();
    let (covered, rest) = text.split_at(text.len() - 68);
    let digest: String = Sha256::digest(covered).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(rest, format!("{digest}\"}}}}\n").as_bytes());
    assert!(covered.ends_with(b"\"sha256\":\""));
}

#[test]
fn nothing_appears_where_writing_fails() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("missing/r.jsonl");
    let error = write_file(&path, &Recording::new()).unwrap_err().to_string();
    assert!(error.contains("missing/r.jsonl") && error.contains("No such file"), "{error}");
    let path = dir.path().join("directory");
    std::fs::create_dir(&path).unwrap();
    write_file(&path, &Recording::new()).unwrap_err();
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "only the directory: {left:?}");
}
