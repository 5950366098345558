//! benches/compare: which stages have become slower, on results that are made up.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Done, Room, done};

/// Puts results in a room as criterion does: nanoseconds by name, in this order.
fn measured(room: &Room, results: &[(&str, f64)]) {
    for (at, (name, median)) in results.iter().enumerate() {
        let place = room.path(&format!("criterion/{}/new", name.replace('/', "-")));
        fs::create_dir_all(&place).unwrap();
        let id = format!(r#"{{"full_id":"{name}"}}"#);
        fs::write(place.join("benchmark.json"), id).unwrap();
        let estimates = format!(r#"{{"median":{{"point_estimate":{median}}}}}"#);
        let file = place.join("estimates.json");
        fs::write(&file, estimates).unwrap();
        let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1 + at as u64);
        fs::File::options().append(true).open(&file).unwrap().set_modified(then).unwrap();
    }
}

fn compare(room: &Room, more: &[&str]) -> Done {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare");
    let mut command = Command::new(script);
    command.args(["criterion", "--baseline", "baseline.json"]).args(more);
    command.current_dir(room.path("")).stdin(Stdio::null());
    done(command)
}

#[test]
fn a_stage_that_has_become_slower_fails() {
    let room = Room::new();
    measured(&room, &[("reference", 100.0), ("facts/read", 200.0), ("facts/learn", 500.0)]);
    compare(&room, &["--save"]).succeeded();
    assert!(
        compare(&room, &[]).succeeded().out.contains("| facts/learn | 5.00 | 5.00 | +0 % |  |")
    );

    // A machine that is half as fast, and noise.
    measured(&room, &[("reference", 200.0), ("facts/read", 500.0), ("facts/learn", 900.0)]);
    assert!(
        compare(&room, &[]).succeeded().out.contains("| facts/read | 2.00 | 2.50 | +25 % |  |")
    );

    let slower = compare(&room, &["--tolerance", "20"]);
    assert_eq!(slower.code, 1, "{slower:?}");
    assert!(slower.out.contains("| facts/read | 2.00 | 2.50 | +25 % | slower |"), "{slower:?}");
    assert!(slower.err.contains("20 %") && !slower.err.contains("facts/learn"), "{slower:?}");
}

#[test]
fn a_stage_that_was_not_measured_in_this_run_fails() {
    let room = Room::new();
    measured(&room, &[("reference", 100.0), ("facts/read", 200.0)]);
    compare(&room, &["--save"]).succeeded();
    // What was measured before the reference is of another run; what the baseline does not have is no failure.
    measured(&room, &[("facts/read", 200.0), ("reference", 100.0), ("facts/new", 100.0)]);
    let other = compare(&room, &[]);
    assert_eq!(other.code, 1, "{other:?}");
    assert!(other.out.contains("| facts/read | 2.00 |  |  | not measured |"), "{other:?}");
    assert!(other.out.contains("| facts/new |  | 1.00 |  | new |"), "{other:?}");

    measured(&room, &[("reference", 100.0), ("facts/read", 200.0)]);
    compare(&room, &[]).succeeded();
    fs::remove_dir_all(room.path("criterion/reference")).unwrap();
    let without = compare(&room, &[]);
    assert!(without.code == 1 && without.err.contains("cargo bench"), "{without:?}");
}
