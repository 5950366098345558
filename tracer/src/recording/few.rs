//! Small sorted maps and sets with room for one entry in place: of a million facts nearly all have one run and one outcome, of a million
//! rules one program.

use std::cmp::Ordering;

use litemap::store::{
    Store, StoreBulkMut, StoreConstEmpty, StoreFromIterable, StoreIntoIterator, StoreIterable,
    StoreIterableMut, StoreMut,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

/// A map of few entries.
pub type FewMap<K, V> = litemap::LiteMap<K, V, Few<K, V>>;

/// The entries of a [`FewMap`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Few<K, V>(SmallVec<[(K, V); 1]>);

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<K, V> StoreConstEmpty<K, V> for Few<K, V> {
    const EMPTY: Self = Self(SmallVec::new_const());
}

impl<K, V> Store<K, V> for Few<K, V> {
    fn lm_len(&self) -> usize {
        self.0.len()
    }

    fn lm_get(&self, index: usize) -> Option<(&K, &V)> {
        self.0.get(index).map(lent)
    }

    fn lm_binary_search_by<F: FnMut(&K) -> Ordering>(&self, mut cmp: F) -> Result<usize, usize> {
        self.0.binary_search_by(|(key, _)| cmp(key))
    }
}

impl<K, V> StoreMut<K, V> for Few<K, V> {
    fn lm_with_capacity(capacity: usize) -> Self {
        Self(SmallVec::with_capacity(capacity))
    }

    fn lm_reserve(&mut self, additional: usize) {
        self.0.reserve(additional);
    }

    fn lm_get_mut(&mut self, index: usize) -> Option<(&K, &mut V)> {
        self.0.get_mut(index).map(lent_mut)
    }

    fn lm_push(&mut self, key: K, value: V) {
        self.0.push((key, value));
    }

    fn lm_insert(&mut self, index: usize, key: K, value: V) {
        self.0.insert(index, (key, value));
    }

    fn lm_remove(&mut self, index: usize) -> (K, V) {
        self.0.remove(index)
    }

    fn lm_clear(&mut self) {
        self.0.clear();
    }
}

impl<K: Ord, V> StoreBulkMut<K, V> for Few<K, V> {
    fn lm_retain<F: FnMut(&K, &V) -> bool>(&mut self, mut predicate: F) {
        self.0.retain(|(key, value)| predicate(key, value));
    }

    fn lm_extend<I: IntoIterator<Item = (K, V)>>(&mut self, other: I) {
        self.0.extend(other);
        // Of equal keys the last one counts: they are next to each other then, in their order.
        self.0.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.0.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
    }
}

impl<K: Ord, V> StoreFromIterable<K, V> for Few<K, V> {
    fn lm_sort_from_iter<I: IntoIterator<Item = (K, V)>>(iter: I) -> Self {
        let mut all = Self::EMPTY;
        all.lm_extend(iter);
        all
    }
}

type Lend<K, V> = fn(&(K, V)) -> (&K, &V);
type LendMut<K, V> = fn(&mut (K, V)) -> (&K, &mut V);

fn lent<K, V>((key, value): &(K, V)) -> (&K, &V) {
    (key, value)
}

fn lent_mut<K, V>((key, value): &mut (K, V)) -> (&K, &mut V) {
    (key, value)
}

impl<'a, K: 'a, V: 'a> StoreIterable<'a, K, V> for Few<K, V> {
    type KeyValueIter = std::iter::Map<std::slice::Iter<'a, (K, V)>, Lend<K, V>>;

    fn lm_iter(&'a self) -> Self::KeyValueIter {
        self.0.iter().map(lent)
    }
}

impl<'a, K: 'a, V: 'a> StoreIterableMut<'a, K, V> for Few<K, V> {
    type KeyValueIterMut = std::iter::Map<std::slice::IterMut<'a, (K, V)>, LendMut<K, V>>;

    fn lm_iter_mut(&'a mut self) -> Self::KeyValueIterMut {
        self.0.iter_mut().map(lent_mut)
    }
}

impl<K, V> StoreIntoIterator<K, V> for Few<K, V> {
    type KeyValueIntoIter = smallvec::IntoIter<[(K, V); 1]>;

    fn lm_into_iter(self) -> Self::KeyValueIntoIter {
        self.0.into_iter()
    }
}

/// A sorted set with room for one member in place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FewSet<T>(SmallVec<[T; 1]>);

impl<T> Default for FewSet<T> {
    fn default() -> Self {
        Self(SmallVec::new_const())
    }
}

impl<T: Ord> FewSet<T> {
    /// Adds a member; false when it was there.
    pub fn insert(&mut self, member: T) -> bool {
        let place = self.0.binary_search(&member);
        place.map_err(|place| self.0.insert(place, member)).is_err()
    }
}

/// The members, in their order.
impl<T> std::ops::Deref for FewSet<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Ord> Extend<T> for FewSet<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, more: I) {
        more.into_iter().for_each(|member| _ = self.insert(member));
    }
}

impl<T: Ord> FromIterator<T> for FewSet<T> {
    fn from_iter<I: IntoIterator<Item = T>>(members: I) -> Self {
        let mut members: SmallVec<[T; 1]> = members.into_iter().collect();
        members.sort();
        members.dedup();
        Self(members)
    }
}

impl<'a, T> IntoIterator for &'a FewSet<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: Serialize> Serialize for FewSet<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<'de, T: Ord + Deserialize<'de>> Deserialize<'de> for FewSet<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from_iter)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_set_is_sorted(members: Vec<u8>, more: Vec<u8>) {
            let mut expected: BTreeSet<u8> = members.iter().copied().collect();
            let mut set: FewSet<u8> = members.iter().copied().collect();
            let json = serde_json::to_string(&members).unwrap();
            prop_assert_eq!(&serde_json::from_str::<FewSet<u8>>(&json).unwrap(), &set);
            for member in more {
                prop_assert_eq!(set.insert(member), expected.insert(member));
            }
            prop_assert!(set.iter().eq(expected.iter()));
            prop_assert_eq!(serde_json::to_string(&set).unwrap(), serde_json::to_string(&expected).unwrap());
        }

        #[test]
        fn it_is_a_sorted_map(pairs: Vec<(u8, u16)>, more: Vec<(u8, u16)>, without: u8) {
            let mut expected: BTreeMap<u8, u16> = pairs.iter().copied().collect();
            let mut map: FewMap<u8, u16> = pairs.into_iter().collect();
            for (key, value) in more {
                prop_assert_eq!(map.insert(key, value), expected.insert(key, value));
            }
            prop_assert_eq!(map.remove(&without), expected.remove(&without));
            map.retain(|_, value| value % 3 != 0);
            expected.retain(|_, value| *value % 3 != 0);
            prop_assert!(map.iter().eq(expected.iter()));
            let json = serde_json::to_string(&map).unwrap();
            prop_assert_eq!(&json, &serde_json::to_string(&expected).unwrap());
            prop_assert_eq!(serde_json::from_str::<FewMap<u8, u16>>(&json).unwrap(), map);
        }

        #[test]
        fn of_a_key_that_comes_twice_the_last_value_counts(pairs: Vec<(u8, u16)>) {
            let json: Vec<String> = pairs.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
            let read: FewMap<u8, u16> = serde_json::from_str(&format!("{{{}}}", json.join(","))).unwrap();
            let expected: BTreeMap<u8, u16> = pairs.into_iter().collect();
            prop_assert!(read.iter().eq(expected.iter()));
        }
    }
}
