//! Sets of a run's units, small at any number of units: what is seen is mostly seen in one, or in all from some on.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thin_vec::{ThinVec, thin_vec};

/// Units by their places in a list of names, as ranges: `0-3,7`.
///
/// There is one spelling of a set: ranges rise, have no unit in common, and do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Units(ThinVec<(u32, u32)>);

impl Units {
    /// No unit at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|(first, last)| u64::from(last - first) + 1).sum()
    }

    /// The last one.
    pub fn last(&self) -> Option<u32> {
        self.0.last().map(|(_, last)| *last)
    }

    /// The units, one by one.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|(first, last)| *first..=*last)
    }

    /// This one is among them.
    pub fn contains(&self, unit: u32) -> bool {
        let at = self.0.partition_point(|(_, last)| *last < unit);
        self.0.get(at).is_some_and(|(first, _)| *first <= unit)
    }

    /// Adds one.
    pub fn insert(&mut self, unit: u32) {
        match self.0.last_mut() {
            Some((first, last)) if unit >= *first => {
                if unit == last.saturating_add(1) {
                    *last = unit;
                } else if unit > *last {
                    self.0.push((unit, unit));
                }
            }
            None => self.0.push((unit, unit)),
            Some(_) => self.union(&Self(thin_vec![(unit, unit)])),
        }
    }

    /// Adds all of another set.
    pub fn union(&mut self, other: &Self) {
        if other.0.is_empty() || self.0 == other.0 {
            return;
        }
        let mut all = ThinVec::with_capacity(self.0.len() + other.0.len());
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let Some(next) = match (a.peek(), b.peek()) {
            (Some(x), Some(y)) if x <= y => a.next(),
            (Some(_), None) => a.next(),
            _ => b.next(),
        } {
            match all.last_mut() {
                Some((_, last)) if next.0 <= u32::saturating_add(*last, 1) => {
                    *last = next.1.max(*last)
                }
                _ => all.push(*next),
            }
        }
        self.0 = all;
    }

    /// Reads the one spelling.
    fn parse(text: &str) -> Option<Self> {
        let number = |digits: &str| {
            let number: u32 = digits.parse().ok()?;
            (number.to_string() == digits).then_some(number)
        };
        let mut ranges: ThinVec<(u32, u32)> = ThinVec::new();
        for range in text.split(',') {
            let (first, last) = match range.split_once('-') {
                Some((first, last)) => (number(first)?, number(last)?),
                None => (number(range)?, number(range)?),
            };
            let is_one = !range.contains('-');
            let follows =
                ranges.last().is_none_or(|(_, before)| u64::from(first) > u64::from(*before) + 1);
            if !follows || first > last || is_one != (first == last) {
                return None;
            }
            ranges.push((first, last));
        }
        Some(Self(ranges))
    }
}

impl FromIterator<u32> for Units {
    fn from_iter<I: IntoIterator<Item = u32>>(units: I) -> Self {
        let mut all = Self::default();
        units.into_iter().for_each(|unit| all.insert(unit));
        all
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, last)) in self.0.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for Units {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Units {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "{text:?} is no list of units: expected rising ranges, as in \"0-3,7\""
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set(units: &Units) -> BTreeSet<u32> {
        units.iter().collect()
    }

    proptest! {
        #[test]
        fn they_are_sets(a in prop::collection::vec(0_u32..30, 0..20), b in prop::collection::vec(0_u32..30, 0..20)) {
            let (x, y): (Units, Units) = (a.iter().copied().collect(), b.iter().copied().collect());
            let (i, j): (BTreeSet<u32>, BTreeSet<u32>) = (a.iter().copied().collect(), b.into_iter().collect());
            prop_assert_eq!(&set(&x), &i);
            prop_assert_eq!((x.len(), x.last(), x.is_empty()), (i.len() as u64, i.last().copied(), i.is_empty()));
            prop_assert!((0..31).all(|unit| x.contains(unit) == i.contains(&unit)));
            let mut both = x.clone();
            both.union(&y);
            prop_assert_eq!(&set(&both), &i.union(&j).copied().collect());
            let mut other = y;
            other.union(&x);
            prop_assert_eq!(&both, &other, "there is one form of a set");
            if !both.is_empty() {
                let json = serde_json::to_string(&both).unwrap();
                prop_assert_eq!(serde_json::from_str::<Units>(&json).unwrap(), both);
            }
        }

        #[test]
        fn only_the_one_spelling_is_read(text in "[0-9,-]{0,12}") {
            if let Some(units) = Units::parse(&text) {
                prop_assert_eq!(units.to_string(), text);
            }
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in
            ["", "01", "3,2", "2,2", "2,3", "4-4", "5-4", "1-", "-1", "1,", " 1", "4294967296"]
        {
            assert_eq!(Units::parse(text), None, "{text}");
        }
        assert_eq!(Units::parse("0-4294967295").map(|all| all.len()), Some(1 << 32));
    }

    /// What 10,000 units take: a few bytes for what is seen in one or in all, and less than a list of their names at the worst.
    #[test]
    fn ten_thousand_units_are_small() {
        let all: Units = (0..10_000).collect();
        assert_eq!(all.to_string(), "0-9999");
        let every_other: Units = (0..10_000).step_by(2).collect();
        assert!(every_other.to_string().len() < 25_000 && every_other.len() == 5000);
    }
}
