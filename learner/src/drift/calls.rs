//! System calls: which are allowed, with which arguments, and what is said to the others.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use tracer::abi::Abi;

use super::arguments::{Alternative, Beyond, Test, Vectors};
use super::risk::{self, Level};
use super::side::{Answer, Call, Kind, Outcome, Plane, Why};
use super::{Difference, Direction, because, words};

pub(super) fn compare(
    old: &BTreeMap<Abi, Plane>,
    new: &BTreeMap<Abi, Plane>,
    to: &mut Vec<Difference>,
) {
    // A filter has nothing to say of an ABI that it does not have, but no (seccomp_attr_set(3), SCMP_FLTATR_ACT_BADARCH). How a
    // call is refused that nothing names is told only where both have the ABI.
    let none =
        Plane { default: Answer::Other("SCMP_ACT_KILL_THREAD".to_owned()), calls: BTreeMap::new() };
    let abis: BTreeSet<Abi> = old.keys().chain(new.keys()).copied().collect();
    for abi in abis {
        let (before, after) = (old.get(&abi).unwrap_or(&none), new.get(&abi).unwrap_or(&none));
        let refuses = |plane: &Plane| plane.default.outcome() == Outcome::Refused;
        if old.contains_key(&abi) && new.contains_key(&abi) || !refuses(before) || !refuses(after) {
            to.extend(default(abi, &before.default, &after.default));
        }
        let names: BTreeSet<&String> = before.calls.keys().chain(after.calls.keys()).collect();
        for name in names {
            to.extend(difference(abi, name, &before.call(name), &after.call(name)));
        }
    }
}

impl Plane {
    /// A call, whether it is named or not.
    pub fn call(&self, name: &str) -> Call {
        let default = || Call::answered(self.default.clone());
        self.calls.get(name).cloned().unwrap_or_else(default)
    }
}

fn default(abi: Abi, old: &Answer, new: &Answer) -> Option<Difference> {
    let direction = match (old, new) {
        (old, new) if old == new => return None,
        (old, new) => match old.outcome().cmp(&new.outcome()) {
            Ordering::Less => Direction::Widened,
            Ordering::Greater => Direction::Narrowed,
            Ordering::Equal => Direction::Changed,
        },
    };
    let widened = direction == Direction::Widened;
    let risk = risk::of(Kind::Default, abi.name(), |_| false).filter(|_| widened);
    Some(Difference {
        kind: Kind::Default,
        what: abi.name().to_owned(),
        direction,
        widens: widened,
        old: old.to_string(),
        new: new.to_string(),
        example: None,
        why: Why::default(),
        cause: None,
        risk: risk.map_or(Level::Low, |risk| risk.level),
        because: risk.map(because),
    })
}

fn difference(abi: Abi, name: &str, old: &Call, new: &Call) -> Option<Difference> {
    let (possible_before, possible_after) = (old.possible(), new.possible());
    // Of what is allowed now, and of what is left to somebody to decide, what was not before; and the other way round.
    let more = new.allowed.beyond(&old.allowed).or(|| possible_after.beyond(&possible_before));
    let less = old.allowed.beyond(&new.allowed).or(|| possible_before.beyond(&possible_after));
    let direction = match (more, less) {
        (Beyond::Nothing, Beyond::Nothing) => {
            // What is allowed is the same: what is said to the rest matters where there is a rest.
            let all = Vectors::all().beyond(&possible_after) == Beyond::Nothing;
            if all || old.otherwise == new.otherwise {
                return None;
            }
            Direction::Changed
        }
        (_, Beyond::Nothing) => Direction::Widened,
        (Beyond::Nothing, _) => Direction::Narrowed,
        _ => Direction::Changed,
    };
    let example = match (more, less) {
        (Beyond::Vector(vector), _) => Some(words::example(abi, name, vector)),
        (Beyond::Unknown, _) => Some(format!("{name}: more than can be compared")),
        (Beyond::Nothing, Beyond::Vector(vector)) if direction == Direction::Narrowed => {
            Some(words::example(abi, name, vector))
        }
        _ => None,
    };
    let widens = more != Beyond::Nothing;
    let gained = |(index, mask, value): (u8, u32, u32)| {
        let test = Test::masked(index, u64::from(mask), u64::from(value));
        let with = |all: &Alternative| all.iter().copied().chain([test]).collect();
        let part = |of: &Vectors| Vectors(of.0.iter().map(with).collect());
        part(&new.allowed).beyond(&old.allowed) != Beyond::Nothing
            || part(&possible_after).beyond(&possible_before) != Beyond::Nothing
    };
    let risk = Some(name).filter(|_| widens).and_then(|name| risk::of(Kind::Call, name, gained));
    let why = if direction == Direction::Narrowed { &old.why } else { &new.why };
    let state = |call: &Call| {
        let sets = [("allowed", &call.allowed), ("left to a tracer or supervisor", &call.asked)];
        let sets = sets.iter().filter(|(_, set)| !set.is_none());
        let words: Vec<String> =
            sets.map(|(state, set)| words::vectors(abi, name, state, set)).collect();
        if words.is_empty() { call.otherwise.to_string() } else { words.join("; ") }
    };
    Some(Difference {
        kind: Kind::Call,
        what: format!("{abi} {name}"),
        direction,
        widens,
        old: state(old),
        new: state(new),
        example: example.filter(|_| {
            // Where a side is all or nothing the state says it already.
            !(new.allowed.is_all() || old.allowed.is_all())
                || !possible_before.is_none() && !possible_after.is_none()
        }),
        why: why.clone(),
        cause: None,
        risk: risk.map_or(Level::Low, |risk| risk.level),
        because: risk.map(because),
    })
}
