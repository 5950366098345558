//! The laws of merging: commutative, associative, idempotent, to the byte.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use tracer::recording::{
    Completion, Fact, MergeError, Origin, Recording, Seen, What, merge, write_file,
};

use crate::arbitrary::{recording, run};

/// Files of recordings in a directory of their own.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new(recordings: &[&Recording]) -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        for (at, recording) in recordings.iter().enumerate() {
            write_file(&bench.input(at), recording).unwrap();
        }
        bench
    }

    fn input(&self, at: usize) -> PathBuf {
        self.0.path().join(format!("{at}.jsonl"))
    }

    /// The bytes of a merge.
    fn merged(&self, inputs: &[PathBuf], name: &str) -> (PathBuf, Vec<u8>) {
        let output = self.0.path().join(name);
        merge(inputs, &output).unwrap();
        let bytes = std::fs::read(&output).unwrap();
        (output, bytes)
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn merging_is_commutative_and_agrees_with_joining(a in recording(), b in recording()) {
        let bench = Bench::new(&[&a, &b]);
        let (path, ab) = bench.merged(&[bench.input(0), bench.input(1)], "ab");
        let (_, ba) = bench.merged(&[bench.input(1), bench.input(0)], "ba");
        prop_assert_eq!(&ab, &ba);
        let mut joined = a.clone();
        joined.join(&b);
        prop_assert_eq!(&Recording::read(&path).unwrap(), &joined);
        let mut other = b;
        other.join(&a);
        prop_assert_eq!(joined, other);
    }

    #[test]
    fn merging_is_associative(a in recording(), b in recording(), c in recording()) {
        let bench = Bench::new(&[&a, &b, &c]);
        let [a, b, c] = [0, 1, 2].map(|at| bench.input(at));
        let (ab, _) = bench.merged(&[a.clone(), b.clone()], "ab");
        let (bc, _) = bench.merged(&[b.clone(), c.clone()], "bc");
        let (_, left) = bench.merged(&[ab, c.clone()], "ab-c");
        let (_, right) = bench.merged(&[a.clone(), bc], "a-bc");
        let (_, all) = bench.merged(&[a, b, c], "abc");
        prop_assert_eq!(&left, &right);
        prop_assert_eq!(left, all);
    }

    #[test]
    fn merging_is_idempotent(a in recording()) {
        let bench = Bench::new(&[&a]);
        let a = bench.input(0);
        prop_assert_eq!(bench.merged(&[a.clone(), a.clone(), a.clone()], "aaa").1, bytes(&a));
        prop_assert_eq!(bench.merged(std::slice::from_ref(&a), "one").1, bytes(&a));
    }

    #[test]
    fn counts_of_different_runs_are_kept_apart(a in recording()) {
        prop_assume!(!a.is_empty());
        let mut twin = Recording::new();
        twin.runs = a.runs.iter().map(|(id, run)| (format!("{id}2"), run.clone())).collect();
        twin.completions = a.completions.iter().map(|(id, c)| (format!("{id}2"), c.clone())).collect();
        for (fact, runs) in a.sorted() {
            for (id, seen) in runs {
                twin.add(&format!("{id}2"), fact.clone(), seen);
            }
        }
        let bench = Bench::new(&[&a, &twin]);
        let (path, _) = bench.merged(&[bench.input(0), bench.input(1)], "both");
        let both = Recording::read(&path).unwrap();
        prop_assert_eq!(both.len(), a.len());
        for (fact, runs) in a.sorted() {
            prop_assert_eq!(both.get(fact).unwrap().len(), 2 * runs.len());
        }
    }
}

#[test]
fn two_runs_of_one_identifier_are_refused_and_nothing_is_written() {
    let make = |kernel: &str| {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut recording = loop {
            let found = recording().new_tree(&mut runner).unwrap().current();
            if found.runs.contains_key("a") {
                break found;
            }
        };
        recording.runs.get_mut("a").unwrap().kernel = kernel.to_owned();
        recording
    };
    let bench = Bench::new(&[&make("6.1"), &make("6.2")]);
    let output = bench.0.path().join("out");
    let error = merge(&[bench.input(0), bench.input(1)], &output).unwrap_err();
    assert!(matches!(error, MergeError::Conflict { ref id, .. } if id == "a"), "{error}");
    assert!(!output.exists());
}

/// More inputs than may be open at a time.
#[test]
fn many_files_are_merged_as_few_are() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let few: Vec<Recording> =
        (0..7).map(|_| recording().new_tree(&mut runner).unwrap().current()).collect();
    let bench = Bench::new(&few.iter().collect::<Vec<_>>());
    let inputs = |count: usize| (0..count).map(|at| bench.input(at % 7)).collect::<Vec<_>>();
    let few = bench.merged(&inputs(7), "few").1;
    let before = std::fs::read_dir(bench.0.path()).unwrap().count();
    assert_eq!(bench.merged(&inputs(1500), "few").1, few);
    assert_eq!(std::fs::read_dir(bench.0.path()).unwrap().count(), before, "nothing is left over");
}

#[test]
fn an_unusable_input_leaves_no_output() {
    let bench = Bench::new(&[&Recording::new()]);
    let cut = bench.0.path().join("cut");
    let whole = bytes(&bench.input(0));
    std::fs::write(&cut, &whole[..whole.len() - 1]).unwrap();
    let output = bench.0.path().join("out");
    merge(&[bench.input(0), cut], &output).unwrap_err();
    assert!(!output.exists());
    assert_eq!(std::fs::read_dir(bench.0.path()).unwrap().count(), 2);
}

#[test]
fn joining_never_overflows() {
    let mut seen = Seen::ending("ok", u64::MAX);
    seen.add(&Seen::ending("ok", 2));
    assert_eq!((seen.count, *seen.outcomes.get("ok").unwrap()), (u64::MAX, u64::MAX));
}

/// A file that was written in the middle of a run, and the whole of it, are of the same run.
#[test]
fn of_one_run_the_longer_list_of_units_is_kept() {
    let with = |names: &[&str]| {
        let mut recording = Recording::new();
        let mut run = run("a");
        run.units = names.iter().map(|name| (*name).to_owned()).collect();
        recording.runs.insert("a".to_owned(), run);
        recording.completions.insert("a".to_owned(), Completion::complete());
        let fact = Fact {
            domain: "/x".into(),
            origin: Origin::Entry,
            what: What::Signal { signal: 1, inside: true },
        };
        let units = (0..).zip(names).map(|(at, _)| at).last().into_iter().collect();
        recording.add("a", fact, &Seen { units, ..Seen::ending("ok", 1) });
        recording
    };
    let bench =
        Bench::new(&[&with(&["x", "y"]), &with(&["x"]), &with(&["x", "y", "z"]), &with(&["y"])]);
    let [two, one, three, other] = [0, 1, 2, 3].map(|at| bench.input(at));
    let (path, merged) = bench.merged(&[two.clone(), one.clone(), three.clone()], "up");
    assert_eq!(merged, bench.merged(&[three.clone(), one.clone(), two], "down").1);
    let read = Recording::read(&path).unwrap();
    assert_eq!(read.runs.get("a").unwrap().units, ["x", "y", "z"]);
    assert!(
        read.sorted().iter().all(|(_, runs)| runs.get("a").unwrap().units.to_string() == "0-2")
    );
    for at in [one, three] {
        let error = merge(&[at, other.clone()], &bench.0.path().join("no")).unwrap_err();
        assert!(matches!(error, MergeError::Conflict { ref id, .. } if id == "a"), "{error}");
    }
}
