//! How well the learner generalises, and at which scale: `cargo bench --bench generalise`.
//!
//! Prints tables: leave-one-unit-out for each suite beside three baselines, the calibration of the estimators, and the cost of many
//! recordings. `tests/generalise.rs` has the same on less.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and fails by panicking"
)]

mod baselines;
mod calibration;
mod leave_one_out;
mod scale;
mod suites;

use std::path::Path;

const LEARN: &str = env!("CARGO_BIN_EXE_learn");
const TREES: [&str; 6] = ["/etc", "/home", "/opt", "/srv", "/usr", "/var"];

fn main() {
    // cargo test --benches asks every bench to show that it runs.
    if std::env::args().any(|word| word == "--test") {
        return;
    }
    let tree = leave_one_out::tree(&TREES, 500_000);
    println!("leave one unit out; {} files in {}\n", tree.len(), TREES.join(" "));
    println!(
        "| suite | units | way | accesses refused | units with a refusal | files let through |"
    );
    println!("|---|---|---|---|---|---|");
    let mut recordings = Vec::new();
    for suite in suites::SUITES {
        let recording = suites::record(Path::new(LEARN), suite);
        let units = suites::units(&recording);
        for (name, way) in leave_one_out::WAYS {
            let of = leave_one_out::figures(way, &recording, &tree, 1);
            println!(
                "| {suite} | {units} | {name} | {:.2} % | {:.0} % | {} |",
                of.violations * 100.0,
                of.broken * 100.0,
                of.open
            );
        }
        recordings.push((suite, recording));
    }
    println!("\nnew needs in the second half of the units, 200 random splits\n");
    println!("| suite | predicted | came | mean error |\n|---|---|---|---|");
    for (suite, recording) in &recordings {
        let of = calibration::calibrate(recording, 200);
        println!("| {suite} | {:.1} | {:.1} | {:.1} |", of.predicted, of.came, of.error);
    }
    at_scale();
}

fn at_scale() {
    const RECORDINGS: u64 = 1000;
    const FACTS: u64 = 1000;
    let room = tempfile::tempdir().unwrap();
    let files = scale::write(room.path(), RECORDINGS, FACTS);
    println!("\n{RECORDINGS} recordings of {FACTS} path facts each\n");
    println!("| | facts/s | peak memory |\n|---|---|---|");
    let all = room.path().join("all.jsonl");
    let profile = room.path().join("profile");
    let steps: [(&str, Vec<&str>, &[std::path::PathBuf]); 2] = [
        ("merge", vec!["merge", "-o", all.to_str().unwrap()], &files),
        ("generate", vec!["generate", "-o", profile.to_str().unwrap()], std::slice::from_ref(&all)),
    ];
    for (name, words, inputs) in steps {
        let cost = scale::cost(Path::new(LEARN), &words, inputs);
        let rate = f64::from(u32::try_from(RECORDINGS * FACTS).unwrap()) / cost.took.as_secs_f64();
        println!("| {name} | {rate:.0} | {} MiB |", cost.peak / 1024);
    }
}
