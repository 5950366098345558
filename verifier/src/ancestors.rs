//! Which programs led to a program, from what a recording knows of who executed it.

use std::collections::BTreeMap;

use tracer::recording::{ByteString, Recording, What, Witness};

/// Who executed each program first.
#[derive(Debug, Default)]
pub(crate) struct Ancestors(BTreeMap<ByteString, (Option<Witness>, ByteString)>);

impl Ancestors {
    pub(crate) fn of(recording: &Recording) -> Self {
        let mut by = BTreeMap::new();
        for (fact, runs) in recording.sorted() {
            let What::Exec { path, interpreter, .. } = &fact.what else { continue };
            let program = interpreter.as_ref().unwrap_or(path);
            if *program == fact.domain {
                continue;
            }
            let first = runs.values().filter_map(|seen| seen.first).min();
            let this = (first, fact.domain.clone());
            let known = by.entry(program.clone()).or_insert_with(|| this.clone());
            if this.0.is_some() && (known.0.is_none() || this < *known) {
                *known = this;
            }
        }
        Self(by)
    }

    /// Those that led to a program, nearest first. Programs execute each other in circles.
    pub(crate) fn to(&self, program: &ByteString) -> Vec<ByteString> {
        let mut met = vec![program.clone()];
        while let Some((_, by)) = met.last().and_then(|last| self.0.get(last))
            && !met.contains(by)
        {
            met.push(by.clone());
        }
        met.split_off(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracer::recording::{Fact, Origin, Seen};

    #[test]
    fn the_first_who_executed_a_program_leads_to_it() {
        let mut recording = Recording::new();
        for (by, path, interpreter, ms) in [
            ("/bin/sh", "/bin/a", None, 2),
            ("/bin/late", "/bin/a", None, 9),
            ("/bin/a", "/srv/script", Some("/bin/python"), 3),
            ("/bin/python", "/bin/sh", None, 4),
        ] {
            let what = What::Exec {
                path: path.into(),
                interpreter: interpreter.map(ByteString::from),
                loader: None,
            };
            let fact = Fact { domain: by.into(), origin: Origin::Entry, what };
            let seen = Seen { first: Some(Witness { ms, pid: 1 }), ..Seen::ending("ok", 1) };
            recording.add("1", fact, &seen);
        }
        let ancestors = Ancestors::of(&recording);
        let to = |program: &str| {
            ancestors.to(&program.into()).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(to("/bin/a"), ["/bin/sh", "/bin/python"]);
        assert_eq!(to("/bin/python"), ["/bin/a", "/bin/sh"]);
        assert!(to("/bin/late").is_empty());
    }
}
