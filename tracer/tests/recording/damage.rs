//! Files that are truncated, changed, foreign or newer: an error that says so, never a panic, never other facts.

use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use tracer::recording::{ReadError, Recording, write_file};

use crate::arbitrary::recording;

fn file(dir: &Path, name: &str, recording: &Recording) -> Vec<u8> {
    let path = dir.join(name);
    write_file(&path, recording).unwrap();
    std::fs::read(path).unwrap()
}

fn read(dir: &Path, bytes: &[u8]) -> Result<Recording, ReadError> {
    let path = dir.join("damaged");
    std::fs::write(&path, bytes).unwrap();
    Recording::read(&path)
}

proptest! {
    #[test]
    fn a_truncated_file_is_an_error(recording in recording(), cut: prop::sample::Index) {
        let dir = tempfile::tempdir().unwrap();
        for name in ["r", "r.zst"] {
            let whole = file(dir.path(), name, &recording);
            prop_assert!(read(dir.path(), &whole[..cut.index(whole.len())]).is_err());
        }
    }

    #[test]
    fn a_changed_byte_is_an_error(recording in recording(), at: prop::sample::Index, bits in 1..=255_u8) {
        let dir = tempfile::tempdir().unwrap();
        let mut whole = file(dir.path(), "r", &recording);
        let at = at.index(whole.len());
        whole[at] ^= bits;
        prop_assert!(read(dir.path(), &whole).is_err());
    }

    /// A compressed file has bits of its own that say nothing: what can be read must then be the same.
    #[test]
    fn a_changed_byte_of_a_compressed_file_changes_no_fact(recording in recording(), at: prop::sample::Index, bits in 1..=255_u8) {
        let dir = tempfile::tempdir().unwrap();
        let mut whole = file(dir.path(), "r.zst", &recording);
        let at = at.index(whole.len());
        whole[at] ^= bits;
        if let Ok(read) = read(dir.path(), &whole) {
            prop_assert_eq!(read, recording);
        }
    }

    #[test]
    fn anything_else_is_no_recording(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let dir = tempfile::tempdir().unwrap();
        prop_assert!(read(dir.path(), &bytes).is_err());
    }

    #[test]
    fn swapped_lines_are_an_error(recording in recording(), at: prop::sample::Index) {
        prop_assume!(recording.len() > 1);
        let dir = tempfile::tempdir().unwrap();
        let whole = file(dir.path(), "r", &recording);
        let mut lines: Vec<&[u8]> = whole.split_inclusive(|b| *b == b'\n').collect();
        let at = 1 + at.index(recording.len() - 1);
        lines.swap(at, at + 1);
        let error = read(dir.path(), &lines.concat()).unwrap_err().to_string();
        prop_assert!(error.contains("not sorted"), "{}", error);
    }
}

fn example() -> Recording {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    loop {
        let found = recording().new_tree(&mut runner).unwrap().current();
        if found.len() > 3 {
            return found;
        }
    }
}

/// Every place, not only those that chance picks.
#[test]
fn every_truncation_and_every_changed_byte_of_one_file_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let recording = example();
    let whole = file(dir.path(), "r", &recording);
    for cut in 0..whole.len() {
        assert!(read(dir.path(), &whole[..cut]).is_err(), "cut at {cut}");
        let mut changed = whole.clone();
        changed[cut] ^= 1;
        assert!(read(dir.path(), &changed).is_err(), "changed at {cut}");
    }
    assert_eq!(read(dir.path(), &whole).unwrap(), recording);
}

#[test]
fn each_fault_has_its_own_words() {
    let dir = tempfile::tempdir().unwrap();
    let whole = String::from_utf8(file(dir.path(), "r", &example())).unwrap();
    let fault = |text: String| read(dir.path(), text.as_bytes()).unwrap_err();
    let newer = fault(whole.replacen("\"version\":2", "\"version\":3", 1));
    assert!(matches!(newer, ReadError::Newer { found: 3, .. }), "{newer}");
    assert!(newer.to_string().contains("update learn"));
    let foreign = fault(whole.replacen("learn-recording", "learn-policy", 1));
    assert!(matches!(foreign, ReadError::NotARecording { .. }), "{foreign}");
    assert!(matches!(fault(String::new()), ReadError::NotARecording { .. }));
    let cut = fault(whole[..whole.len() - 1].to_owned());
    assert!(matches!(cut, ReadError::Truncated { .. }), "{cut}");
    for (from, to, says) in [
        ("{\"domain\":", "{ \"domain\":", "canonical"),
        ("{\"domain\":", "{\"new\":1,\"domain\":", "unknown field `new`"),
        ("\"version\":2", "\"version\":null", "no version"),
        ("\"version\":2,", "\"version\":2,\"more\":0,", "unknown field `more`"),
        ("\"end\":{", "\"end\":{\"extra\":1,", "unknown field `extra`"),
    ] {
        let error = fault(whole.replacen(from, to, 1)).to_string();
        assert!(error.contains(says), "{from} → {to}: {error}");
        assert!(error.contains("damaged:"), "the file and the line: {error}");
    }
    let more = fault(format!("{whole}{{}}\n"));
    assert!(more.to_string().contains("end after its footer"), "{more}");
}
