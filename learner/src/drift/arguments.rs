//! Sets of argument vectors, as filters describe them: what is in one and not in another, shown by a vector.
//!
//! A filter compares an argument, masked, with a value, or tells whether it is below a limit. A set is a union of alternatives, an
//! alternative a conjunction of such tests.

use std::collections::BTreeSet;

/// A test of one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Test {
    /// The argument's position.
    pub index: u8,
    /// What is compared.
    pub compare: Compare,
    /// It must be so, and not must not.
    pub holds: bool,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compare {
    /// `argument & mask == value`; never, if the value has bits that the mask has not.
    Masked {
        /// The bits compared.
        mask: u64,
        /// What they must be.
        value: u64,
    },
    /// `argument < limit`.
    Below(u64),
}

/// Tests that must all hold. None: any vector.
pub type Alternative = BTreeSet<Test>;

/// Argument vectors: those of one alternative or another.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vectors(pub BTreeSet<Alternative>);

/// How many arguments a call has.
pub const ARGUMENTS: usize = 6;

/// So many alternatives are looked at to find a vector. Profiles come from strangers, and the question is a hard one (SAT) in the worst case.
const STEPS: usize = 200_000;

/// So many alternatives may a set have that is made of others.
const MOST: usize = 1000;

/// So many bits of an argument are tried.
const TRIES: usize = 10_000;

/// Of so few alternatives each is compared with each, before the search.
const FEW: usize = 64;

/// What is in one set and not in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// Nothing: the other has all of it.
    Nothing,
    /// This vector, for one.
    Vector([u64; ARGUMENTS]),
    /// Nobody knows: the sets are too intricate.
    Unknown,
}

impl Beyond {
    /// This, or where it is nothing, the other.
    pub(super) fn or(self, other: impl FnOnce() -> Self) -> Self {
        if self == Self::Nothing { other() } else { self }
    }
}

impl Test {
    /// `argument & mask == value`.
    pub fn masked(index: u8, mask: u64, value: u64) -> Self {
        Self { index, compare: Compare::Masked { mask, value }, holds: true }
    }

    /// `argument < limit`.
    pub fn below(index: u8, limit: u64) -> Self {
        Self { index, compare: Compare::Below(limit), holds: true }
    }

    /// `argument <= limit`.
    pub fn up_to(index: u8, limit: u64) -> Self {
        // Everything is at most the largest number.
        limit.checked_add(1).map_or(Self::masked(index, 0, 0), |limit| Self::below(index, limit))
    }

    fn passes(self, argument: u64) -> bool {
        let so = match self.compare {
            Compare::Masked { mask, value } => argument & mask == value,
            Compare::Below(limit) => argument < limit,
        };
        so == self.holds
    }
}

/// The same test with the other answer.
impl std::ops::Not for Test {
    type Output = Self;

    fn not(self) -> Self {
        Self { holds: !self.holds, ..self }
    }
}

impl Vectors {
    /// All vectors.
    pub fn all() -> Self {
        Self(BTreeSet::from([Alternative::new()]))
    }

    /// No vector.
    pub fn none() -> Self {
        Self::default()
    }

    /// It says so without a test. A set that is all of them by its tests together is found by [`Vectors::beyond`].
    pub fn is_all(&self) -> bool {
        self.0.iter().any(BTreeSet::is_empty)
    }

    /// There is no vector in it.
    pub fn is_none(&self) -> bool {
        self.beyond(&Self::none()) == Beyond::Nothing
    }

    /// The vector is in the set.
    pub fn holds(&self, vector: [u64; ARGUMENTS]) -> bool {
        self.0.iter().any(|all| passes(all, vector))
    }

    /// What is in this set and not in the other.
    pub fn beyond(&self, other: &Self) -> Beyond {
        let mut search = Search { others: other.0.iter().collect(), left: STEPS };
        // What has all tests of another alternative, and perhaps more, is in it.
        let few = other.0.len() <= FEW;
        let within = |all: &Alternative| {
            other.0.contains(all) || few && other.0.iter().any(|wider| wider.is_subset(all))
        };
        let mut left = self.0.iter().filter(|all| !within(all));
        let found = left.find_map(|all| search.outside(&mut all.iter().copied().collect()));
        match found {
            Some(vector) => Beyond::Vector(vector),
            None if search.left == 0 => Beyond::Unknown,
            None => Beyond::Nothing,
        }
    }

    /// This set without what is in the other; `None` when it would have more alternatives than anybody wants to compare.
    pub fn without(&self, other: &Self) -> Option<Self> {
        let mut left = self.clone();
        for refused in &other.0 {
            let each = left.0.iter().flat_map(|all| {
                refused.iter().map(move |test| {
                    let mut less = all.clone();
                    less.insert(!*test);
                    less
                })
            });
            left = Self(
                each.filter(|all| solve(&all.iter().copied().collect::<Vec<_>>()) != Solved::No)
                    .collect(),
            );
            if left.0.len() > MOST {
                return None;
            }
        }
        Some(left)
    }

    /// Adds what another set has.
    pub fn add(&mut self, other: &Self) {
        self.0.extend(other.0.iter().cloned());
    }
}

/// All tests hold for a vector.
fn passes(all: &Alternative, vector: [u64; ARGUMENTS]) -> bool {
    let argument = |test: &Test| vector.get(usize::from(test.index)).copied().unwrap_or_default();
    all.iter().all(|test| test.passes(argument(test)))
}

/// The search for a vector that is in none of some alternatives.
struct Search<'a> {
    others: Vec<&'a Alternative>,
    /// Alternatives that may still be looked at.
    left: usize,
}

impl Search<'_> {
    /// A vector for which these tests hold and none of the alternatives: of each of them, one test must fail.
    fn outside(&mut self, tests: &mut Vec<Test>) -> Option<[u64; ARGUMENTS]> {
        let Some(left) = self.left.checked_sub(self.others.len() + 1) else {
            self.left = 0;
            return None;
        };
        self.left = left;
        let found = match solve(tests) {
            Solved::By(found) => found,
            Solved::No => return None,
            Solved::Unknown => {
                self.left = 0;
                return None;
            }
        };
        let holds = |all: &&Alternative| passes(all, found);
        let Some(all) = self.others.iter().copied().find(holds) else { return Some(found) };
        for test in all {
            tests.push(!*test);
            let found = self.outside(tests);
            tests.pop();
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

/// A vector for which all tests hold.
fn solve(tests: &[Test]) -> Solved<[u64; ARGUMENTS]> {
    let mut vector = [0; ARGUMENTS];
    for (index, argument) in (0..).zip(&mut vector) {
        let own: Vec<Test> = tests.iter().filter(|test| test.index == index).copied().collect();
        match value(&own) {
            Solved::By(value) => *argument = value,
            Solved::No => return Solved::No,
            Solved::Unknown => return Solved::Unknown,
        }
    }
    Solved::By(vector)
}

/// What solves a riddle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Solved<T> {
    By(T),
    No,
    Unknown,
}

/// The least value for which all tests of one argument hold.
fn value(tests: &[Test]) -> Solved<u64> {
    let mut wanted = Wanted { known: 0, bits: 0, least: 0, most: u64::MAX, left: TRIES };
    let mut refused = Vec::new();
    for test in tests {
        match (test.compare, test.holds) {
            (Compare::Masked { mask, value }, true) => {
                if value & !mask != 0 || (wanted.bits ^ value) & wanted.known & mask != 0 {
                    return Solved::No;
                }
                (wanted.known, wanted.bits) = (wanted.known | mask, wanted.bits | value);
            }
            (Compare::Masked { mask: 0, value: 0 }, false) | (Compare::Below(0), true) => {
                return Solved::No;
            }
            (Compare::Masked { mask, value }, false) if value & !mask == 0 => {
                refused.push((mask, value));
            }
            // What never holds need not be refused.
            (Compare::Masked { .. }, false) => {}
            (Compare::Below(limit), true) => wanted.most = wanted.most.min(limit - 1),
            (Compare::Below(limit), false) => wanted.least = wanted.least.max(limit),
        }
    }
    wanted.value(u64::BITS, 0, [true, true], &refused)
}

/// What a value must be.
struct Wanted {
    /// Bits that are given.
    known: u64,
    bits: u64,
    least: u64,
    most: u64,
    /// Bits that may still be tried.
    left: usize,
}

impl Wanted {
    /// The least value that begins as `above` does, of which so many bits are `open`. `bounded` tells whether it begins as the least
    /// and the most that it may be; `refused` are the masked values that it still equals.
    fn value(
        &mut self,
        open: u32,
        above: u64,
        bounded: [bool; 2],
        refused: &[(u64, u64)],
    ) -> Solved<u64> {
        let Some(at) = open.checked_sub(1) else { return Solved::By(above) };
        let Some(left) = self.left.checked_sub(1) else { return Solved::Unknown };
        self.left = left;
        let (bit, below) = (1_u64 << at, (1_u64 << at) - 1);
        // A bound that nothing below can break is none.
        let low = bounded[0] && self.least & (bit | below) != 0;
        let high = bounded[1] && self.most & (bit | below) != (bit | below);
        let matters = low || high || refused.iter().any(|(mask, _)| mask & bit != 0);
        for set in [false, true] {
            let is = |word: u64| (word & bit != 0) == set;
            if self.known & bit != 0 && !is(self.bits)
                || low && !set && !is(self.least)
                || high && set && !is(self.most)
            {
                continue;
            }
            let same = |(mask, value): &&(u64, u64)| mask & bit == 0 || is(*value);
            let refused: Vec<(u64, u64)> = refused.iter().filter(same).copied().collect();
            if refused.iter().any(|(mask, _)| mask & below == 0) {
                continue;
            }
            let bounded = [low && is(self.least), high && is(self.most)];
            let found = self.value(at, if set { above | bit } else { above }, bounded, &refused);
            // Where the bit does not matter the other choice would find no more.
            if found != Solved::No || !matters {
                return found;
            }
        }
        Solved::No
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    /// Few bits, so that values meet.
    fn test() -> impl Strategy<Value = Test> {
        let compare = prop_oneof![
            (0..16_u64, 0..16_u64)
                .prop_map(|(mask, value)| Compare::Masked { mask, value: value & mask }),
            (0..17_u64).prop_map(Compare::Below),
        ];
        (0..2_u8, compare, any::<bool>()).prop_map(|(index, compare, holds)| Test {
            index,
            compare,
            holds,
        })
    }

    fn vectors() -> impl Strategy<Value = Vectors> {
        btree_set(btree_set(test(), 0..4), 0..4).prop_map(Vectors)
    }

    fn every() -> impl Iterator<Item = [u64; ARGUMENTS]> {
        (0..32).flat_map(|a| (0..32).map(move |b| [a, b, 0, 0, 0, 0]))
    }

    #[test]
    fn a_riddle_is_given_up() {
        // Thirteen times over, three bits with each of their eight values: any eight of one bit's place cover everything.
        let riddle = (0..13_u64).flat_map(|at| (0..8_u64).map(move |value| (at, value)));
        let all = riddle.map(|(at, value)| {
            let test = |index: u8| Test::masked(index, 1 << at, (value >> index & 1) << at);
            (0..3).map(test).collect()
        });
        let covered = Vectors(all.collect());
        // Whoever branches over all thirteen takes very many steps to see it.
        assert!(matches!(Vectors::all().beyond(&covered), Beyond::Nothing | Beyond::Unknown));
    }

    /// Docker's condition on clone, and a learned one within it.
    #[test]
    fn flags_lie_within_flags() {
        let flags = |refused: u64| {
            Vectors(BTreeSet::from([Alternative::from([Test::masked(0, refused, 0)])]))
        };
        let (docker, learned) = (flags(0x7e02_0000), flags(0xfede_ffee));
        assert_eq!(learned.beyond(&docker), Beyond::Nothing);
        assert!(matches!(docker.beyond(&learned), Beyond::Vector(_)));
        assert!(matches!(Vectors::all().beyond(&docker), Beyond::Vector([0x2_0000, ..])));
    }

    proptest! {
        #[test]
        fn what_is_beyond_is_shown_and_what_is_not_is_nowhere(a in vectors(), b in vectors()) {
            match a.beyond(&b) {
                Beyond::Vector(vector) => prop_assert!(a.holds(vector) && !b.holds(vector), "{vector:?}"),
                Beyond::Nothing => prop_assert!(every().all(|vector| !a.holds(vector) || b.holds(vector))),
                Beyond::Unknown => prop_assert!(false, "these are simple"),
            }
            prop_assert_eq!(a.is_none(), every().all(|vector| !a.holds(vector)));
            prop_assert_eq!(a.beyond(&a), Beyond::Nothing);
        }

        #[test]
        fn what_is_taken_away_is_gone_and_nothing_else(a in vectors(), b in vectors()) {
            let left = a.without(&b).unwrap();
            for vector in every() {
                prop_assert_eq!(left.holds(vector), a.holds(vector) && !b.holds(vector));
            }
        }

        #[test]
        fn the_least_value_is_found(tests in proptest::collection::vec(test(), 0..8)) {
            let own: Vec<Test> = tests.into_iter().map(|test| Test { index: 0, ..test }).collect();
            // Beyond 16 nothing differs but higher bits, which no mask has.
            let wanted = (0..32).find(|value| own.iter().all(|test| test.passes(*value)));
            prop_assert_eq!(value(&own), wanted.map_or(Solved::No, Solved::By));
        }
    }
}
