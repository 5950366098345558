//! Train on all units but one, and replay the one that was left out; and how much of a file tree is let through.

use std::path::Path;

use learner::policy::Tightness;
use learner::replay::Replay;
use tracer::recording::{Recording, What};

use crate::baselines::{Allows, ByCount};
use crate::suites::{of_unit, of_units, units};

/// How good a way of learning is: both are better when they are smaller.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// The part of the accesses of a unit that was left out which would have been refused.
    pub(crate) violations: f64,
    /// The part of the units of which any would.
    pub(crate) broken: f64,
    /// How many files of the tree are let through.
    pub(crate) open: usize,
}

/// A way of learning.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Ours(Tightness),
    Exact,
    Threshold(usize),
}

pub(crate) const WAYS: [(&str, Way); 6] = [
    ("strict", Way::Ours(Tightness::Strict)),
    ("balanced", Way::Ours(Tightness::Balanced)),
    ("portable", Way::Ours(Tightness::Portable)),
    ("exact paths", Way::Exact),
    ("threshold 3", Way::Threshold(3)),
    ("threshold 50", Way::Threshold(50)),
];

/// Learns, and asks.
fn learned<T>(way: Way, recording: &Recording, ask: impl FnOnce(&dyn Allows) -> T) -> T {
    match way {
        Way::Ours(tightness) => {
            let options = learner::Options { tightness, ..Default::default() };
            let policy = learner::learn(recording, &options);
            ask(&Replay::of(&policy))
        }
        Way::Exact => ask(&ByCount::learn(recording, None)),
        Way::Threshold(least) => ask(&ByCount::learn(recording, Some(least))),
    }
}

/// The figures of a way for a recording of named units, over a tree's files; every so-many-th unit is left out once.
pub(crate) fn figures(way: Way, recording: &Recording, tree: &[Vec<u8>], every: usize) -> Figures {
    let count = units(recording);
    let left_out: Vec<u32> = (0..count).step_by(every).collect();
    let (mut needed, mut refused, mut broken) = (0_u32, 0_u32, 0_u32);
    for left_out in left_out.iter().copied() {
        let train = of_units(recording, |unit| unit != left_out);
        let test = of_unit(recording, left_out);
        learned(way, &train, |rules| {
            let before = refused;
            for (fact, runs) in test.sorted() {
                if let What::File { path, access, .. } = &fact.what
                    && tracer::recording::succeeded(runs)
                {
                    needed += 1;
                    refused += u32::from(!rules.allows(path.as_bytes(), *access));
                }
            }
            broken += u32::from(refused > before);
        });
    }
    let open =
        learned(way, recording, |rules| tree.iter().filter(|path| rules.opens(path)).count());
    Figures {
        violations: f64::from(refused) / f64::from(needed.max(1)),
        broken: f64::from(broken) / f64::from(u32::try_from(left_out.len().max(1)).unwrap()),
        open,
    }
}

/// The files of some trees, at most so many.
pub(crate) fn tree(roots: &[&str], most: usize) -> Vec<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt;
    let mut files = Vec::new();
    let mut todo: Vec<std::path::PathBuf> =
        roots.iter().map(|root| Path::new(root).to_owned()).collect();
    while let Some(directory) = todo.pop() {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        for entry in entries {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => todo.push(entry.path()),
                Ok(kind) if kind.is_file() && files.len() < most => {
                    files.push(entry.path().as_os_str().as_bytes().to_vec());
                }
                _ => {}
            }
        }
    }
    files
}
