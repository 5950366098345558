//! What the recording says of places in volatile trees, beyond the accesses themselves.

use std::collections::{BTreeMap, BTreeSet};

use tracer::recording::{Access, Fact, Runs, What, succeeded};

use super::classes::{Known, is_volatile_path};
use super::temporary::Life;
use crate::Seens;

/// What is known of places in volatile trees.
#[derive(Default)]
pub(super) struct Places<'a> {
    made: BTreeSet<&'a [u8]>,
    /// With whether Python did it.
    removed: BTreeMap<&'a [u8], bool>,
    /// Which runs used it; empty when there is only one.
    runs: BTreeMap<&'a [u8], BTreeSet<&'a str>>,
}

impl<'a> Places<'a> {
    /// Goes through the facts.
    pub(super) fn of(facts: &[Seens<'a>]) -> Self {
        let mut places = Self::default();
        let runs: BTreeSet<&str> =
            facts.iter().flat_map(|(_, runs, _)| runs.keys().map(|id| id.as_str())).collect();
        for (fact, seen, _) in facts {
            let What::File { path, access, target } = &fact.what else { continue };
            if !succeeded(seen) {
                continue;
            }
            let path = path.as_bytes();
            let target = target.as_ref().map(|path| path.as_bytes());
            if runs.len() > 1 {
                [Some(path), target].into_iter().flatten().for_each(|p| places.used(p, seen));
            }
            match access {
                Access::Create | Access::Link | Access::Mkdir | Access::Mknod | Access::Symlink => {
                    places.made.insert(path);
                }
                Access::Delete | Access::Rename | Access::Rmdir => {
                    *places.removed.entry(path).or_default() |= is_python(fact);
                    places.made.extend(target);
                }
                _ => {}
            }
        }
        places
    }

    fn used(&mut self, path: &'a [u8], runs: &'a Runs) {
        if !is_volatile_path(path) {
            return;
        }
        let ends = (1..path.len()).filter(|at| path[*at] == b'/').chain([path.len()]);
        for end in ends {
            let known = self.runs.entry(&path[..end]).or_default();
            known.extend(runs.keys().map(|id| id.as_str()));
        }
    }
}

/// The program is a Python: its file is named `python`, `python3.11`, ….
fn is_python(fact: &Fact) -> bool {
    let name = fact.domain.as_bytes().rsplit(|b| *b == b'/').next();
    name.is_some_and(|name| name.starts_with(b"python"))
}

impl Known for Places<'_> {
    fn life(&self, path: &[u8]) -> Life {
        match self.removed.get(path).filter(|_| self.made.contains(path)) {
            None => Life::Unknown,
            Some(false) => Life::Removed,
            Some(true) => Life::RemovedByPython,
        }
    }

    fn constant(&self, path: &[u8]) -> bool {
        self.runs.get(path).is_some_and(|runs| runs.len() > 1)
    }
}
