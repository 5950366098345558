//! Names that differ from unit to unit: what varies is learned as varying, and what never varies stays as it is.
//!
//! A directory is *open* when the units that use it keep bringing names of their own (its unseen mass, estimated by the part of the units
//! that did), and *closed* otherwise, however many names it has. In an open one the names that one unit had alone, and that were used
//! alike, are described by the least general pattern that has them all, when that is a shorter description of them than the list by more
//! than what it risks (MDL).

use std::collections::BTreeMap;

use tracer::recording::{Access, Units};

use super::guards::{self, Settings};
use super::segments;
use crate::policy::{Class, Part, Pattern, Tightness};

/// What is known of a pattern before its names are compared.
#[derive(Clone, Debug, Default)]
pub(super) struct Used {
    pub(super) units: Units,
    pub(super) access: std::collections::BTreeSet<Access>,
}

/// How sure it must be that names vary.
struct Threshold {
    /// So many units must have used the directory: of different tests, and of the same command run again.
    units: u64,
    runs: u64,
    /// So many of them, in 100, must have had a name of their own.
    chance: u64,
    /// What a wildcard risks counts so much, in 100.
    risk: u64,
}

fn threshold(tightness: Tightness) -> Option<Threshold> {
    match tightness {
        Tightness::Strict => None,
        Tightness::Balanced => Some(Threshold { units: 5, runs: 2, chance: 50, risk: 100 }),
        Tightness::Portable => Some(Threshold { units: 3, runs: 2, chance: 20, risk: 50 }),
    }
}

/// A name is a unit's own when at most one in so many units used it.
const FEW: u64 = 5;

/// The sampling units, as far as comparing names needs them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sampled {
    /// From this number on units are runs of one command, so that only what is random differs between them.
    pub(crate) replicas_from: u32,
}

/// Wider patterns for those that vary, and how each came to be.
pub(super) fn widen(
    all: &BTreeMap<Pattern, Used>,
    tightness: Tightness,
    sampled: Sampled,
    settings: &Settings,
) -> BTreeMap<Pattern, (Pattern, String)> {
    let mut wider = BTreeMap::new();
    let Some(threshold) = threshold(tightness) else { return wider };
    let mut sampled_at_all = Units::default();
    all.values().for_each(|used| sampled_at_all.union(&used.units));
    if sampled_at_all.len() < threshold.units.min(threshold.runs) {
        return wider;
    }
    let mut root = Node::default();
    for (pattern, used) in all {
        root.insert(&segments(pattern), pattern, used);
    }
    let walk = Walk { threshold, sampled, settings };
    walk.level(&[&root], &mut Vec::new(), &mut Vec::new(), &mut wider);
    wider
}

/// A directory, or a file, by the patterns of its segments.
#[derive(Default)]
struct Node<'a> {
    children: BTreeMap<Pattern, Node<'a>>,
    /// What ends here.
    here: Option<&'a Pattern>,
    /// What used it, or something below.
    units: Units,
    access: std::collections::BTreeSet<Access>,
}

impl<'a> Node<'a> {
    fn insert(&mut self, rest: &[Pattern], whole: &'a Pattern, used: &Used) {
        self.units.union(&used.units);
        self.access.extend(&used.access);
        match rest.split_first() {
            None => self.here = Some(whole),
            Some((first, rest)) => {
                self.children.entry(first.clone()).or_default().insert(rest, whole, used);
            }
        }
    }
}

struct Walk<'s> {
    threshold: Threshold,
    sampled: Sampled,
    settings: &'s Settings,
}

/// How a name was used: whether nothing is below it, and what was done.
type Use = (bool, Vec<Access>);
/// A name, and the units that used it.
type Seen<'n> = (&'n Pattern, Units);

/// Nodes that are taken for one, since their directory's names vary.
type Group<'n, 'a> = Vec<&'n Node<'a>>;

impl Walk<'_> {
    /// Decides about the names in a directory, or in several that are taken for one.
    fn level<'a>(
        &self,
        nodes: &[&Node<'a>],
        above: &mut Vec<Pattern>,
        why: &mut Vec<String>,
        wider: &mut BTreeMap<Pattern, (Pattern, String)>,
    ) {
        let mut children: BTreeMap<&Pattern, Group<'_, 'a>> = BTreeMap::new();
        for node in nodes {
            if let Some(pattern) = node.here.filter(|_| !why.is_empty()) {
                let whole = joined(above);
                if guards::why(&whole, self.settings).is_none() {
                    wider.insert(pattern.clone(), (whole, why.join("; ")));
                }
            }
            for (name, child) in &node.children {
                children.entry(name).or_default().push(child);
            }
        }
        for (of, reason) in self.open(&children, above) {
            let names = of.names;
            let group: Vec<_> =
                names.iter().filter_map(|name| children.remove(name)).flatten().collect();
            above.push(of.pattern);
            why.push(reason);
            self.level(&group, above, why, wider);
            why.pop();
            above.pop();
        }
        for (name, group) in children {
            above.push(name.clone());
            self.level(&group, above, why, wider);
            above.pop();
        }
    }

    /// The names of a directory that vary, by what is done with them.
    fn open<'n>(
        &self,
        children: &BTreeMap<&'n Pattern, Group<'n, '_>>,
        above: &[Pattern],
    ) -> Vec<(Varying<'n>, String)> {
        let mut alike: BTreeMap<Use, Vec<Seen<'_>>> = BTreeMap::new();
        for (name, group) in children {
            let mut units = Units::default();
            let mut access = std::collections::BTreeSet::new();
            group.iter().for_each(|node| {
                units.union(&node.units);
                access.extend(&node.access);
            });
            // What is executed stays as it is.
            let executed = access.contains(&Access::Exec) || access.contains(&Access::MmapExec);
            if name.as_literal().is_some_and(|name| !name.as_bytes().is_empty()) && !executed {
                let leaf = group.iter().all(|node| node.children.is_empty());
                // Files are alike by all that was done to them; of directories it is decided below what may be done in them.
                let access: Vec<Access> = if leaf {
                    access.into_iter().filter(|access| *access != Access::Getattr).collect()
                } else {
                    let writes = access.iter().any(|access| guards::changes(*access));
                    vec![if writes { Access::Write } else { Access::Read }]
                };
                alike.entry((leaf, access)).or_default().push((name, units));
            }
        }
        let decide =
            |((_, access), names): (Use, Vec<Seen<'n>>)| self.decide(&names, &access, above);
        alike.into_iter().filter_map(decide).collect()
    }

    fn decide<'n>(
        &self,
        names: &[Seen<'n>],
        access: &[Access],
        above: &[Pattern],
    ) -> Option<(Varying<'n>, String)> {
        let mut visited = Units::default();
        let mut alone = Units::default();
        let mut single: Vec<&'n Pattern> = Vec::new();
        names.iter().for_each(|(_, units)| visited.union(units));
        // Of many units a few may have used what is another's: whoever cleans up uses all.
        let few = (visited.len() / FEW).max(1);
        for (name, units) in names.iter().filter(|(_, units)| units.len() <= few) {
            alone.union(units);
            single.push(name);
        }
        let replicas = visited.iter().all(|unit| unit >= self.sampled.replicas_from);
        let least = if replicas { self.threshold.runs } else { self.threshold.units };
        let is_open = visited.len() >= least
            && single.len() as u64 >= least
            && alone.len() * 100 >= visited.len() * self.threshold.chance;
        if !is_open {
            return None;
        }
        let bytes: Vec<&[u8]> = single
            .iter()
            .filter_map(|name| name.as_literal())
            .map(|name| name.as_bytes())
            .collect();
        let (pattern, saved) = generalised(&bytes);
        let mut whole = above.to_vec();
        whole.push(pattern.clone());
        let whole = joined(&whole);
        let directory = joined(above).to_string();
        let writes = access.iter().any(|access| guards::changes(*access));
        if guards::why(&whole, self.settings).is_some()
            || (writes && !self.settings.is_volatile(directory.as_bytes()))
            || saved * 100 <= self.settings.risk(directory.as_bytes()) * self.threshold.risk
        {
            return None;
        }
        let what = if replicas { "runs" } else { "units" };
        let reason = format!(
            "names in {directory} vary: {} of the {} {what} that used it had one of its own",
            alone.len(),
            visited.len()
        );
        Some((Varying { pattern, names: single }, reason))
    }
}

/// Names that vary, and what has them all.
struct Varying<'n> {
    pattern: Pattern,
    names: Vec<&'n Pattern>,
}

/// Segments as one pattern.
fn joined(segments: &[Pattern]) -> Pattern {
    let mut parts: Vec<Part> = Vec::new();
    let mut literal = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        if at > 0 {
            literal.push(b'/');
        }
        for part in &segment.0 {
            match part {
                Part::Literal(bytes) => literal.extend_from_slice(bytes.as_bytes()),
                Part::Class { .. } => {
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal).into()));
                    }
                    parts.push(part.clone());
                }
            }
        }
    }
    if !literal.is_empty() || parts.is_empty() {
        parts.push(Part::Literal(literal.into()));
    }
    Pattern(parts)
}

/// The least general pattern of names: what they begin and end with, and a class for what differs; and how many bits the list says that
/// the pattern does not.
fn generalised(names: &[&[u8]]) -> (Pattern, u64) {
    let first = names.first().copied().unwrap_or_default();
    let (mut begins, mut ends) = in_common(names);
    let shortest = names.iter().map(|name| name.len()).min().unwrap_or_default();
    // Something must be left of each, and no part of a word or number is common by chance.
    begins = begins.min(shortest.saturating_sub(1));
    let digits = |name: &&[u8]| name.get(begins).is_some_and(u8::is_ascii_digit);
    let behind_letters =
        names.iter().all(digits) && begins > 0 && first[begins - 1].is_ascii_alphabetic();
    while begins > 0 && first[begins - 1].is_ascii_alphanumeric() && !behind_letters {
        begins -= 1;
    }
    ends = ends.min(shortest - begins - usize::from(shortest > begins));
    while ends > 0 && first[first.len() - ends].is_ascii_alphanumeric() {
        ends -= 1;
    }
    let middles: Vec<&[u8]> = names.iter().map(|name| &name[begins..name.len() - ends]).collect();
    let class = middles.iter().map(|middle| class_of(middle)).reduce(join).unwrap_or(Class::Name);
    let mut parts = Vec::new();
    if begins > 0 {
        parts.push(Part::Literal(first[..begins].into()));
    }
    parts.push(Part::Class { class });
    if ends > 0 {
        parts.push(Part::Literal(first[first.len() - ends..].into()));
    }
    (Pattern(parts), middles.iter().map(|middle| 8 * middle.len() as u64).sum())
}

/// How many bytes all names begin with, and how many they end with.
fn in_common(names: &[&[u8]]) -> (usize, usize) {
    let first = names.first().copied().unwrap_or_default();
    let common = |at: &dyn Fn(&[u8], usize) -> Option<u8>| {
        (0..first.len())
            .take_while(|i| names.iter().all(|name| at(name, *i) == at(first, *i)))
            .count()
    };
    let begins = common(&|name, i| name.get(i).copied());
    (begins, common(&|name, i| name.len().checked_sub(i + 1).map(|at| name[at])))
}

/// The least class that has these bytes.
fn class_of(bytes: &[u8]) -> Class {
    let of = [Class::Number, Class::Uuid, Class::Hex, Class::Stamp];
    of.into_iter().find(|class| class.holds(bytes)).unwrap_or(Class::Name)
}

/// The least class that has what both have.
fn join(a: Class, b: Class) -> Class {
    match (a, b) {
        _ if a == b => a,
        (Class::Number, wide @ (Class::Hex | Class::Stamp))
        | (wide @ (Class::Hex | Class::Stamp), Class::Number) => wide,
        _ => Class::Name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(names: &[&str]) -> String {
        generalised(&names.iter().map(|name| name.as_bytes()).collect::<Vec<_>>()).0.to_string()
    }

    #[test]
    fn the_least_general_pattern_is_found() {
        for (names, expected) in [
            (&["job-17.log", "job-18.log"][..], "job-<number>.log"),
            (&["session12", "session345"], "session<number>"),
            (&["2024-01-02", "2024-01-03"], "2024-01-<number>"),
            (&["2024-01-02", "2023-11-03"], "<stamp>"),
            (&["d41d8cd9.o", "0cc175b9.o"], "<hex>.o"),
            (
                &["550e8400-e29b-41d4-a716-446655440000", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"],
                "<uuid>",
            ),
            (&["a.txt", "readme"], "<name>"),
            (&["x", "xx"], "<name>"),
            (&["a.b", "a.b.b"], "a.<name>"),
        ] {
            assert_eq!(shown(names), expected);
        }
    }

    /// Whether the bytes that all begin with and those that all end with are apart in each. Where they are not, as in `a.b` and `a.b.b`,
    /// the beginning is kept and the end is what varies, or the other way round once a name has another beginning.
    fn ends_are_apart(names: &[&[u8]]) -> bool {
        let (begins, ends) = in_common(names);
        names.iter().all(|name| name.len() > begins + ends)
    }

    #[test]
    fn what_names_begin_and_end_with_may_be_the_same() {
        assert!(ends_are_apart(&[b"a-1.b", b"a-2.b"]));
        assert!(!ends_are_apart(&[b"a.b", b"a.b.b"]) && !ends_are_apart(&[b"__", b"___"]));
    }

    proptest! {
        #[test]
        fn a_pattern_has_all_its_names(names in prop::collection::btree_set("[a-f0-9._-]{1,12}", 1..6)) {
            let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
            let (pattern, _) = generalised(&names);
            for name in &names {
                prop_assert!(pattern.matches(name), "{:?} {}", name, pattern);
            }
            // One name more leaves none behind that the pattern of the others has.
            let (fewer, _) = generalised(&names[1..]);
            if names.len() > 2 && ends_are_apart(&names[1..]) {
                for probe in ["0", "12", "ab", "a-b", "a.1", "zz"] {
                    let probes = [probe.as_bytes().to_vec(), [names[1], probe.as_bytes()].concat()];
                    for probe in probes.iter().filter(|probe| fewer.matches(probe)) {
                        prop_assert!(pattern.matches(probe), "{:?}: {} not {}", probe, fewer, pattern);
                    }
                }
            }
        }
    }
}
