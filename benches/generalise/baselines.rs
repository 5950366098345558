//! What others make of the same accesses: exact paths, and a directory's wildcard from so many names on.

use std::collections::{BTreeMap, BTreeSet};

use tracer::recording::{Access, Recording, What};

/// Something that says whether an access is allowed.
pub(crate) trait Allows {
    fn allows(&self, path: &[u8], access: Access) -> bool;
    /// Whether anything at all may be done to the file.
    fn opens(&self, path: &[u8]) -> bool;
}

/// Paths, and directories with a wildcard.
#[derive(Default)]
pub(crate) struct ByCount {
    exact: BTreeMap<Vec<u8>, BTreeSet<Access>>,
    directories: BTreeMap<Vec<u8>, BTreeSet<Access>>,
}

fn directory(path: &[u8]) -> &[u8] {
    &path[..path.iter().rposition(|byte| *byte == b'/').unwrap_or(0)]
}

impl ByCount {
    /// From so many names in a directory on there is a wildcard for it, with all that was done to any; `None`: never.
    pub(crate) fn learn(recording: &Recording, threshold: Option<usize>) -> Self {
        let mut all = Self::default();
        for (fact, runs) in recording.sorted() {
            if let What::File { path, access, target } = &fact.what
                && tracer::recording::succeeded(runs)
            {
                all.exact.entry(path.as_bytes().to_vec()).or_default().insert(*access);
                for target in target.iter().filter(|_| *access == Access::Rename) {
                    all.exact.entry(target.as_bytes().to_vec()).or_default().insert(Access::Create);
                }
            }
        }
        let mut names: BTreeMap<Vec<u8>, (usize, BTreeSet<Access>)> = BTreeMap::new();
        for (path, access) in &all.exact {
            let (count, done) = names.entry(directory(path).to_vec()).or_default();
            *count += 1;
            done.extend(access);
        }
        let open = names
            .into_iter()
            .filter(|(_, (count, _))| threshold.is_some_and(|least| *count >= least));
        all.directories = open.map(|(directory, (_, access))| (directory, access)).collect();
        all
    }

    fn rules<'a>(&'a self, path: &'a [u8]) -> impl Iterator<Item = &'a BTreeSet<Access>> {
        [self.exact.get(path), self.directories.get(directory(path))].into_iter().flatten()
    }
}

impl Allows for ByCount {
    fn allows(&self, path: &[u8], access: Access) -> bool {
        self.rules(path).any(|allowed| allowed.contains(&access))
    }

    fn opens(&self, path: &[u8]) -> bool {
        self.rules(path).next().is_some()
    }
}

impl Allows for learner::replay::Replay<'_> {
    fn allows(&self, path: &[u8], access: Access) -> bool {
        self.rules(path).any(|rule| rule.access.contains(&access))
    }

    fn opens(&self, path: &[u8]) -> bool {
        self.rules(path).next().is_some()
    }
}
