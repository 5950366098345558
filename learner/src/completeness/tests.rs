//! Saturation of whole recordings.

use super::*;
use crate::{Options, learn};
use tracer::recording::{Access, Completion, Fact, Origin, Recording, Run, Seen, What};

fn read(path: &str) -> What {
    What::File { path: path.into(), access: Access::Read, target: None }
}

/// A recording of one run for each list of facts, with a unit's name or without.
fn recording(runs: &[(&str, &[What])]) -> Recording {
    let mut recording = Recording::new();
    for (at, (unit, facts)) in runs.iter().enumerate() {
        let id = format!("run{at}");
        let run = Run {
            command: Vec::new(),
            backend: "ptrace".to_owned(),
            kernel: String::new(),
            machine: String::new(),
            labels: BTreeMap::new(),
            fidelity: BTreeMap::new(),
            hooks: BTreeSet::new(),
            units: Some(*unit)
                .filter(|unit| !unit.is_empty())
                .map(str::to_owned)
                .into_iter()
                .collect(),
        };
        recording.runs.insert(id.clone(), run);
        recording.completions.insert(id.clone(), Completion::complete());
        for what in *facts {
            let fact = Fact { domain: "/bin/x".into(), origin: Origin::Entry, what: what.clone() };
            let unit = (!unit.is_empty()).then_some(0);
            let seen = Seen { units: unit.into_iter().collect(), ..Seen::ending("ok", 1) };
            recording.add(&id, fact, &seen);
        }
    }
    recording
}

fn saturation(runs: &[(&str, &[What])]) -> Saturation {
    learn(&recording(runs), &Options::default()).saturation
}

#[test]
fn runs_are_units_where_none_is_named() {
    let of = saturation(&[
        ("", &[read("/a"), read("/b")]),
        ("", &[read("/a")]),
        ("", &[read("/a"), read("/c")]),
    ]);
    assert_eq!((of.units, of.runs_as_units, of.all.seen), (3, 3, 3));
    assert_eq!((of.all.in_one, of.all.in_two), (2, 0));
    // Two of three runs had something of their own; each had one such thing.
    assert_eq!(of.all.chance, Some(Decimal::new(2.0 / 3.0)));
    assert_eq!(of.all.new_in_next, Some(Decimal::new(2.0 / 3.0)));
    assert_eq!(of.all.chance_below, None);
    assert_eq!(of.kinds[&Kind::File], of.all);
    assert_eq!(of.programs[&"/bin/x".into()], of.all);
    let curve: Vec<u64> = of.curve.iter().map(|point| point.units).collect();
    assert_eq!(curve, [1, 2, 3]);
    assert_eq!(of.curve[2].needs, Decimal::new(3.0));
}

#[test]
fn the_same_unit_of_several_runs_is_one() {
    let again: [(&str, &[What]); 4] = [
        ("t1", &[read("/a")]),
        ("t1", &[read("/b")]),
        ("t2", &[read("/a")]),
        ("t2", &[read("/b")]),
    ];
    let of = saturation(&again);
    assert_eq!((of.units, of.runs_as_units, of.all.in_one, of.all.in_two), (2, 0, 0, 2));
    // Nothing new is no proof that nothing will come: three of two units is no bound at all.
    assert_eq!(
        (of.all.chance, of.all.chance_below),
        (Some(Decimal::new(0.0)), Some(Decimal::new(1.0)))
    );
    assert_eq!(of.all.coverage, Some(Decimal::new(1.0)));
}

#[test]
fn a_random_name_is_no_news() {
    let of = saturation(&[
        ("", &[read("/tmp/x.aB3dE9")]),
        ("", &[read("/tmp/x.Zk29Qp")]),
        ("", &[read("/tmp/x.mM4nN5")]),
    ]);
    assert_eq!((of.all.seen, of.all.in_one), (1, 0));
}

#[test]
fn what_is_done_outside_of_units_is_told_apart() {
    let mut of = recording(&[("t1", &[read("/a"), read("/c")]), ("t2", &[read("/a"), read("/c")])]);
    let fact = |path| Fact { domain: "/bin/x".into(), origin: Origin::Entry, what: read(path) };
    of.add("run0", fact("/setup"), &Seen::ending("ok", 1));
    let of = learn(&of, &Options::default()).saturation;
    assert_eq!((of.units, of.outside, of.all.seen, of.all.in_one), (2, 1, 2, 0));
}

#[test]
fn of_one_unit_nothing_is_estimated() {
    let of = saturation(&[("", &[read("/a")])]);
    assert_eq!((of.units, of.all.seen), (1, 1));
    assert_eq!((of.all.coverage, of.all.expected, of.all.chance), (None, None, None));
}

#[test]
fn a_refused_access_is_no_need() {
    let mut of = recording(&[("", &[read("/a")]), ("", &[read("/a")])]);
    let fact = Fact { domain: "/bin/x".into(), origin: Origin::Entry, what: read("/b") };
    of.add("run0", fact, &Seen::ending("ENOENT", 1));
    assert_eq!(learn(&of, &Options::default()).saturation.all.seen, 1);
}

#[test]
fn numbers_come_back() {
    for value in [0.0, 0.1234, 1.0, 14.24875, 123_456.789] {
        let number = Decimal::new(value);
        let json = serde_json::to_string(&number).unwrap();
        assert_eq!(serde_json::from_str::<Decimal>(&json).unwrap(), number, "{json}");
    }
}
