//! Whether two patterns have a path in common.

use std::collections::{HashSet, VecDeque};

use super::glob::{Glob, Part};
use super::set::Set;

/// So many pairs of states are looked at: patterns come from strangers.
const PAIRS: usize = 200_000;

/// An automaton that may be in several states at once.
struct Steps {
    empty: Vec<Vec<usize>>,
    on: Vec<Vec<(Set, usize)>>,
    end: usize,
}

impl Steps {
    fn of(glob: &Glob) -> Self {
        let mut steps = Self { empty: vec![vec![]], on: vec![vec![]], end: 0 };
        steps.end = steps.sequence(0, glob.parts());
        steps
    }

    fn state(&mut self) -> usize {
        self.empty.push(Vec::new());
        self.on.push(Vec::new());
        self.on.len() - 1
    }

    fn go(&mut self, from: usize, set: Set, to: usize) {
        if let Some(all) = self.on.get_mut(from) {
            all.push((set, to));
        }
    }

    fn join(&mut self, from: usize, to: usize) {
        if let Some(all) = self.empty.get_mut(from) {
            all.push(to);
        }
    }

    /// Adds a sequence behind a state, and gives the state behind it.
    fn sequence(&mut self, from: usize, parts: &[Part]) -> usize {
        parts.iter().fold(from, |at, part| {
            let next = self.state();
            match part {
                Part::Byte(byte) => self.go(at, Set::one(*byte), next),
                Part::Class(set) => self.go(at, *set, next),
                Part::Name | Part::Any => {
                    self.join(at, next);
                    let set = if *part == Part::Name { Set::no_slash() } else { Set::any() };
                    self.go(next, set, next);
                }
                Part::Either(all) => {
                    for parts in all {
                        let end = self.sequence(at, parts);
                        self.join(end, next);
                    }
                }
            }
            next
        })
    }
}

/// Whether they have a path in common; yes, when they are too intricate to tell.
pub(super) fn overlap(a: &Glob, b: &Glob) -> bool {
    if differs_at_once(a.prefix(), b.prefix()) {
        return false;
    }
    let (a, b) = (Steps::of(a), Steps::of(b));
    let mut met = HashSet::from([(0, 0)]);
    let mut next = VecDeque::from([(0, 0)]);
    while let Some((x, y)) = next.pop_front() {
        if (x, y) == (a.end, b.end) || met.len() > PAIRS {
            return true;
        }
        let of = |all: &[Vec<usize>], at: usize| all.get(at).cloned().unwrap_or_default();
        let mut to: Vec<(usize, usize)> = of(&a.empty, x).into_iter().map(|x| (x, y)).collect();
        to.extend(of(&b.empty, y).into_iter().map(|y| (x, y)));
        for (one, x) in a.on.get(x).into_iter().flatten() {
            for (other, y) in b.on.get(y).into_iter().flatten() {
                if one.meets(other) {
                    to.push((*x, *y));
                }
            }
        }
        next.extend(to.into_iter().filter(|pair| met.insert(*pair)));
    }
    false
}

/// Neither is the other's beginning.
fn differs_at_once(a: Vec<u8>, b: Vec<u8>) -> bool {
    a.iter().zip(&b).any(|(a, b)| a != b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_patterns_have_in_common_is_found() {
        let glob = |text: &str| Glob::read(text.as_bytes()).unwrap();
        for (a, b, common) in [
            ("/a", "/a", true),
            ("/a", "/b", false),
            ("/a", "/a/", false),
            ("/a{,/}", "/a/", true),
            ("/*/x", "/a/*", true),
            ("/*/x", "/a/*/x", false),
            ("/**/x", "/a/*/x", true),
            ("/a[0-9]", "/a[5-6]", true),
            ("/a[0-9]", "/a[^0-9]", false),
            ("/{a,b}c", "/{b,d}{c,e}", true),
            ("/{a,b}c", "/{e,d}{c,e}", false),
            ("/home/*/.ssh/**", "/home/**", true),
            ("/**.py", "/etc/*.pem", false),
        ] {
            assert_eq!(overlap(&glob(a), &glob(b)), common, "{a} {b}");
            assert_eq!(overlap(&glob(b), &glob(a)), common, "{b} {a}");
        }
    }
}
