//! What many lines of a file say is kept once: the program, the path, the identifiers of runs.

use std::collections::BTreeSet;

use ecow::EcoString;

use super::{ByteString, Line, Runs, What};

/// What lines before had. The program and the path that a line shares with others stand in those just before it, for lines are sorted.
#[derive(Debug, Default)]
pub(super) struct Shared {
    domain: ByteString,
    path: ByteString,
    runs: BTreeSet<EcoString>,
}

impl Shared {
    /// The same line, with what it shares with those before, and no more room than it needs.
    pub(super) fn share(&mut self, mut line: Line) -> Line {
        same(&mut self.domain, &mut line.fact.domain);
        if let What::File { path, .. } = &mut line.fact.what {
            same(&mut self.path, path);
        }
        let mut runs = Runs::with_capacity(line.runs.len());
        for (id, seen) in line.runs {
            let id = self.runs.get(&id).cloned().unwrap_or_else(|| {
                self.runs.insert(id.clone());
                id
            });
            runs.insert(id, seen);
        }
        line.runs = runs;
        line
    }
}

/// Takes the known one for an equal one.
fn same(known: &mut ByteString, new: &mut ByteString) {
    if known == new {
        new.clone_from(known);
    } else {
        known.clone_from(new);
    }
}
