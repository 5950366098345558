//! Files: which accesses of which paths are allowed.
//!
//! - [`classes`]: which parts of a name differ from run to run by their nature
//! - `granted`: which accesses make rules
//! - [`temporary`]: names that programs make up for files that they throw away
//! - [`places`]: what the recording says of volatile places
//! - [`variation`]: names that differ from unit to unit
//! - `inclusion`: whether a pattern has all that another has
//! - [`guards`]: what is never generalised, and why

mod classes;
mod granted;
pub(crate) mod guards;
mod inclusion;
mod places;
mod temporary;
pub(crate) mod variation;

use std::collections::{BTreeMap, BTreeSet};

use tracer::recording::{Access, ByteString, What};

use crate::Seens;
use crate::evidence::Gathered;
use crate::policy::{FileRule, Pattern, Rule, Tightness};
use classes::Known as _;
pub(crate) use granted::granted;
use guards::segments;
pub(crate) use guards::{Settings, changes, examples as guarded_examples, why as guarded};
use places::Places;
use temporary::Life;
use variation::{Sampled, Used};

#[derive(Default)]
struct Grown {
    access: BTreeSet<Access>,
    links_to: BTreeSet<Pattern>,
    renames_to: BTreeSet<Pattern>,
    not_owner: bool,
    gathered: Gathered,
    /// The paths that it stands for, as they were met.
    paths: Vec<ByteString>,
}

impl Grown {
    /// It stands for this path. What is met again is mostly met at once.
    fn met(&mut self, path: &ByteString) {
        if self.paths.last() != Some(path) {
            self.paths.push(path.clone());
        }
    }

    fn absorb(&mut self, other: Self) {
        self.access.extend(other.access);
        self.links_to.extend(other.links_to);
        self.renames_to.extend(other.renames_to);
        self.not_owner |= other.not_owner;
        self.paths.extend(other.paths);
        self.gathered.absorb(other.gathered);
    }

    /// It allows all that another does, where it stands for the same paths.
    fn allows(&self, other: &Self) -> bool {
        other.access.is_subset(&self.access)
            && other.links_to.is_subset(&self.links_to)
            && other.renames_to.is_subset(&self.renames_to)
            && (self.not_owner || !other.not_owner)
    }
}

/// So many paths are shown as examples.
const EXAMPLES: usize = 3;

/// The file rules, sorted by their pattern. Only accesses that were granted make rules.
pub(crate) fn rules(
    facts: &[Seens<'_>],
    tightness: Tightness,
    sampled: Sampled,
    settings: &Settings,
) -> Vec<Rule<FileRule>> {
    let granted: Vec<_> = facts
        .iter()
        .filter_map(|fact| match &fact.0.what {
            What::File { path, access, target } if granted(*access, fact.1) => {
                Some((*fact, path, *access, target))
            }
            _ => None,
        })
        .collect();
    let executed: BTreeSet<&ByteString> = granted
        .iter()
        .filter(|(_, _, access, _)| matches!(access, Access::Exec | Access::MmapExec))
        .map(|(_, path, _, _)| *path)
        .collect();
    let places = Places::of(facts);
    let guess = |path: &ByteString| {
        if executed.contains(path) {
            return Pattern::from(path);
        }
        let sure = classes::pattern(path.as_bytes(), None);
        if tightness == Tightness::Strict {
            return sure;
        }
        let guessed = classes::pattern(path.as_bytes(), Some(&places));
        if guessed != sure && guards::why(&guessed, settings).is_some() { sure } else { guessed }
    };
    let all_paths = granted.iter().flat_map(|(_, path, _, target)| [Some(*path), target.as_ref()]);
    let guesses: BTreeMap<&ByteString, Pattern> =
        all_paths.flatten().map(|path| (path, guess(path))).collect();
    // By directory and length of the path.
    let mut siblings: BTreeMap<(&[u8], usize), BTreeSet<Pattern>> = BTreeMap::new();
    for (path, pattern) in &guesses {
        if classes::is_volatile_path(path.as_bytes()) && pattern.as_literal().is_none() {
            siblings.entry(place(path)).or_default().insert(pattern.clone());
        }
    }
    let pattern = |path: &ByteString| {
        let guessed = guesses.get(path).cloned().unwrap_or_default();
        // A name that looks like a word, but was made and removed like its siblings that do not.
        let is_candidate = guessed.as_literal().is_some()
            && places.life(path.as_bytes()) > Life::Unknown
            && !executed.contains(path);
        let siblings = siblings.get(&place(path)).filter(|_| is_candidate).into_iter().flatten();
        siblings.into_iter().find(|p| p.matches(path.as_bytes())).cloned().unwrap_or(guessed)
    };
    // By the names that are the same, and then by how they vary.
    let mut used: BTreeMap<Pattern, Used> = BTreeMap::new();
    for (fact, path, access, target) in &granted {
        let of_path = used.entry(pattern(path)).or_default();
        of_path.units.union(fact.2);
        of_path.access.insert(*access);
        if let Some(target) = target {
            let of_target = used.entry(pattern(target)).or_default();
            of_target.units.union(fact.2);
            of_target.access.insert(Access::Create);
        }
    }
    let wider = variation::widen(&used, tightness, sampled, settings);
    drop(used);
    let mut whys: BTreeMap<Pattern, String> = BTreeMap::new();
    let mut pattern = |path: &ByteString| {
        let same = pattern(path);
        match wider.get(&same) {
            None => same,
            Some((pattern, why)) => {
                whys.entry(pattern.clone()).or_insert_with(|| why.clone());
                pattern.clone()
            }
        }
    };
    // Boxed: a tree has room for more than it holds.
    let mut all: BTreeMap<Pattern, Box<Grown>> = BTreeMap::new();
    for (fact, path, access, target) in granted {
        let to = target.as_ref().map(&mut pattern);
        let grown = all.entry(pattern(path)).or_default();
        grown.access.insert(access);
        grown.met(path);
        match access {
            Access::Link => grown.links_to.extend(to),
            Access::Rename => grown.renames_to.extend(to),
            _ => {}
        }
        grown.not_owner |= fact.1.values().any(|seen| seen.not_owner);
        grown.gathered.add(fact);
        // What is renamed or linked appears under the other name too.
        if let (Some(target), Access::Rename) = (target, access) {
            let other = all.entry(pattern(target)).or_default();
            other.access.insert(Access::Create);
            other.met(target);
            other.not_owner |= fact.1.values().any(|seen| seen.not_owner);
            other.gathered.add(fact);
        }
    }
    // What follows needs as much again.
    drop((guesses, siblings, wider));
    subsume(&mut all, &executed);
    all.into_iter()
        .map(|(path, grown)| {
            let by_variation = whys.remove(&path);
            let varies = by_variation.is_some();
            let whys = [classes::reason(&path), by_variation];
            let whys: Vec<String> = whys.into_iter().flatten().collect();
            let why = (!whys.is_empty()).then(|| whys.join("; "));
            let mut evidence = grown.gathered.finish(why);
            // An example of a process id or of a temporary name would be another in each recording of the same.
            if varies {
                let paths: BTreeSet<ByteString> = grown.paths.into_iter().collect();
                evidence.paths = paths.len() as u64;
                evidence.examples = paths.into_iter().take(EXAMPLES).collect();
            }
            Rule {
                allow: FileRule {
                    path,
                    access: grown.access,
                    owner: !grown.not_owner,
                    links_to: grown.links_to,
                    renames_to: grown.renames_to,
                },
                evidence,
            }
        })
        .collect()
}

/// Drops rules for paths that another rule has too, with all that may be done to them.
fn subsume(all: &mut BTreeMap<Pattern, Box<Grown>>, executed: &BTreeSet<&ByteString>) {
    let split = |pattern: &Pattern| (pattern.clone(), segments(pattern));
    let wide: Vec<(Pattern, Vec<Pattern>)> =
        all.keys().filter(|pattern| pattern.as_literal().is_none()).map(split).collect();
    let patterns: Vec<Pattern> = all.keys().cloned().collect();
    for pattern in &patterns {
        if pattern.as_literal().is_some_and(|path| executed.contains(path)) {
            continue;
        }
        let names = segments(pattern);
        let has = |(wide, segments): &&(Pattern, Vec<Pattern>)| {
            wide != pattern
                && inclusion::includes(segments, &names)
                && all.get(wide).zip(all.get(pattern)).is_some_and(|(wide, own)| wide.allows(own))
        };
        let Some((wide, _)) = wide.iter().find(has) else { continue };
        if let Some(own) = all.remove(pattern)
            && let Some(wide) = all.get_mut(wide)
        {
            wide.absorb(*own);
        }
    }
}

/// A path's directory, and how long the path is.
fn place(path: &ByteString) -> (&[u8], usize) {
    let bytes = path.as_bytes();
    let end = bytes.iter().rposition(|b| *b == b'/').unwrap_or(0);
    (&bytes[..end], bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;
    use tracer::recording::{Fact, Origin, Seen, Units};

    static NO_UNITS: LazyLock<Units> = LazyLock::new(Units::default);

    fn learned(facts: &[(&str, Access, &str)]) -> Vec<FileRule> {
        let all: Vec<_> = facts
            .iter()
            .map(|(path, access, outcome)| {
                let what = What::File { path: (*path).into(), access: *access, target: None };
                let fact = Fact { domain: "/bin/x".into(), origin: Origin::Entry, what };
                (fact, [("run".into(), Seen::ending(outcome, 1))].into_iter().collect())
            })
            .collect();
        let seens: Vec<Seens<'_>> = all.iter().map(|(f, s)| (f, s, &*NO_UNITS)).collect();
        let sampled = Sampled { replicas_from: 0 };
        let settings = Settings::default();
        rules(&seens, Tightness::Balanced, sampled, &settings)
            .into_iter()
            .map(|rule| rule.allow)
            .collect()
    }

    #[test]
    fn a_failed_probe_makes_no_rule() {
        let rules = learned(&[("/etc/a", Access::Read, "ok"), ("/etc/b", Access::Read, "ENOENT")]);
        assert_eq!(rules.len(), 1);
        assert!(rules[0].path.matches(b"/etc/a") && !rules[0].path.matches(b"/etc/b"));
    }

    #[test]
    fn what_is_executed_stays_literal() {
        let rules = learned(&[
            ("/tmp/tmpabcd1234", Access::Exec, "ok"),
            ("/tmp/tmpwxyz1234", Access::Write, "ok"),
        ]);
        assert_eq!(rules.iter().filter(|r| r.path.as_literal().is_some()).count(), 1);
        assert!(rules.iter().any(|r| r.path.as_literal() == Some(&"/tmp/tmpabcd1234".into())));
    }

    #[test]
    fn a_sibling_that_reads_as_a_word_is_one_of_them() {
        use Access::{Create, Delete};
        // The second is locked too: a rule that has no more than the first's would be no rule of its own.
        let of = |names: [&str; 2], last: Access| {
            let mut facts: Vec<_> = names
                .iter()
                .flat_map(|name| [(*name, Create, "ok"), (*name, last, "ok")])
                .collect();
            facts.push((names[1], Access::Lock, "ok"));
            learned(&facts).into_iter().map(|rule| rule.path.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(of(["/tmp/x.aB3dE9", "/tmp/x.config"], Delete), ["/tmp/x.<mktemp>"]);
        let alone = learned(&[("/tmp/x.config", Create, "ok"), ("/tmp/x.config", Delete, "ok")]);
        assert_eq!(alone[0].path.to_string(), "/tmp/x.config", "no sibling");
        let kept = of(["/tmp/x.aB3dE9", "/tmp/x.config"], Access::Write);
        assert_eq!(kept, ["/tmp/x.<mktemp>", "/tmp/x.config"], "not removed");
        let longer = of(["/tmp/x.aB3dE9", "/tmp/x.settings"], Delete);
        assert_eq!(longer, ["/tmp/x.<mktemp>", "/tmp/x.settings"], "not as long");
    }

    #[test]
    fn accesses_of_one_path_are_one_rule() {
        let rules =
            learned(&[("/var/log/a", Access::Append, "ok"), ("/var/log/a", Access::Create, "ok")]);
        assert_eq!(rules.len(), 1);
        assert_eq!(rules[0].access, BTreeSet::from([Access::Append, Access::Create]));
        assert!(rules[0].owner);
    }
}
