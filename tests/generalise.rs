//! What benches/generalise measures, on less: the learner is asked what a unit needs that it has not seen, beside what others make of
//! the same accesses; and many recordings are merged in memory that does not grow with them.
#![cfg(test)]

#[path = "../benches/generalise/baselines.rs"]
mod baselines;
#[path = "../benches/generalise/calibration.rs"]
mod calibration;
#[path = "../benches/generalise/leave_one_out.rs"]
mod leave_one_out;
#[path = "../benches/generalise/scale.rs"]
mod scale;
#[path = "../benches/generalise/suites.rs"]
mod suites;

use std::path::Path;

use learner::policy::Tightness;
use leave_one_out::{Way, figures, tree};

const LEARN: &str = env!("CARGO_BIN_EXE_learn");

#[test]
#[ignore = "needs git, redis-server and pytest: run by make test"]
fn a_unit_that_was_left_out_is_refused_less_than_by_exact_paths_and_less_is_open_than_by_count() {
    let tree = tree(
        &["/etc", "/usr/lib/git-core", "/usr/lib/python3.11", "/usr/lib/x86_64-linux-gnu"],
        20_000,
    );
    assert!(tree.len() > 1000);
    for suite in ["git", "web"] {
        let recording = suites::record(Path::new(LEARN), suite);
        assert!(suites::units(&recording) >= 12);
        let of = |way| figures(way, &recording, &tree, 4);
        let (ours, exact, three) =
            (of(Way::Ours(Tightness::Balanced)), of(Way::Exact), of(Way::Threshold(3)));
        println!("{suite}: ours {ours:?}, exact {exact:?}, threshold 3 {three:?}");
        assert!(ours.violations < exact.violations, "{suite}: {ours:?} {exact:?}");
        assert!(ours.open < three.open, "{suite}: {ours:?} {three:?}");
        assert!(ours.broken <= exact.broken && exact.open <= three.open);
        let tables: Vec<_> = leave_one_out::WAYS.iter().map(|(name, _)| *name).collect();
        assert!(tables.contains(&"threshold 50") && suites::SUITES.contains(&suite));
        let calibration = calibration::calibrate(&recording, 50);
        println!("{suite}: {calibration:?}");
        let of_means = (calibration.predicted - calibration.came).abs();
        assert!(of_means < calibration.came + 10.0 && calibration.error.is_finite());
    }
}

/// As many facts in four times as many recordings need no more memory to be merged.
#[test]
fn memory_does_not_grow_with_the_number_of_recordings() {
    let room = tempfile::tempdir().unwrap();
    let peak = |name: &str, recordings, facts| {
        let directory = room.path().join(name);
        std::fs::create_dir(&directory).unwrap();
        let files = scale::write(&directory, recordings, facts);
        let all = directory.join("all.jsonl");
        let cost = scale::cost(Path::new(LEARN), &["merge", "-o", all.to_str().unwrap()], &files);
        println!("{name}: {cost:?}");
        assert!(!cost.took.is_zero());
        let merged = tracer::recording::Reader::open(&all).unwrap().end().unwrap();
        assert_eq!(merged.facts, recordings * facts);
        cost.peak
    };
    let few = peak("few", 300, 80);
    let many = peak("many", 1200, 20);
    assert!(many < few + few / 2, "{many} KiB for many, {few} KiB for few");
}
