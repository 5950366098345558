//! System calls: which are allowed, with which arguments, and what is said to the others.

use std::collections::{BTreeMap, BTreeSet};

use tracer::abi::Abi;

use super::arguments::{Alternative, Beyond, Test, Vectors};
use super::risk::{self, Level};
use super::side::{Answer, Call, Kind, Plane, Why};
use super::{Difference, Direction, because, words};

pub(super) fn compare(
    old: &BTreeMap<Abi, Plane>,
    new: &BTreeMap<Abi, Plane>,
    to: &mut Vec<Difference>,
) {
    // A filter has nothing to say of an ABI that it does not have, but no (seccomp_attr_set(3), SCMP_FLTATR_ACT_BADARCH).
    let none =
        Plane { default: Answer::Other("SCMP_ACT_KILL_THREAD".to_owned()), calls: BTreeMap::new() };
    let abis: BTreeSet<Abi> = old.keys().chain(new.keys()).copied().collect();
    for abi in abis {
        let (before, after) = (old.get(&abi).unwrap_or(&none), new.get(&abi).unwrap_or(&none));
        if old.contains_key(&abi) && new.contains_key(&abi) {
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
        let default = || Call {
            allowed: match self.default {
                Answer::Allowed => Vectors::all(),
                _ => Vectors::none(),
            },
            otherwise: self.default.clone(),
            why: Why::default(),
        };
        self.calls.get(name).cloned().unwrap_or_else(default)
    }
}

fn default(abi: Abi, old: &Answer, new: &Answer) -> Option<Difference> {
    let direction = match (old, new) {
        (old, new) if old == new => return None,
        (_, Answer::Allowed) => Direction::Widened,
        (Answer::Allowed, _) => Direction::Narrowed,
        _ => Direction::Changed,
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
    let (more, less) = (new.allowed.beyond(&old.allowed), old.allowed.beyond(&new.allowed));
    let direction = match (more, less) {
        (Beyond::Nothing, Beyond::Nothing) => {
            // What is allowed is the same: what is said to the rest matters where there is a rest.
            let all = Vectors::all().beyond(&new.allowed) == Beyond::Nothing;
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
        let part = Vectors(new.allowed.0.iter().map(with).collect());
        part.beyond(&old.allowed) != Beyond::Nothing
    };
    let risk = Some(name).filter(|_| widens).and_then(|name| risk::of(Kind::Call, name, gained));
    let why = if direction == Direction::Narrowed { &old.why } else { &new.why };
    let state = |call: &Call| {
        if call.allowed.is_none() {
            call.otherwise.to_string()
        } else {
            words::vectors(abi, name, &call.allowed)
        }
    };
    Some(Difference {
        kind: Kind::Call,
        what: format!("{abi} {name}"),
        direction,
        widens,
        old: state(old),
        new: state(new),
        example: example.filter(|_| {
            !(new.allowed.is_all() || old.allowed.is_all())
                || !old.allowed.is_none() && !new.allowed.is_none()
        }),
        why: why.clone(),
        cause: None,
        risk: risk.map_or(Level::Low, |risk| risk.level),
        because: risk.map(because),
    })
}
