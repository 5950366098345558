//! Counting calls while they are made, cheaply, with a bound on how many different arguments are kept.

use std::collections::{BTreeMap, HashMap};

use ecow::EcoString;

use crate::abi::Abi;
use crate::abi::arguments::{self, BOUND};
use crate::course::{Course, Stamp};
use crate::decode::Call;
use crate::recording::{Args, FewMap, Origin, Recording, Seen, What, Witness};
use crate::recording::{ByteString, Fact, Phase};

/// A domain's place in the list of domains.
pub(crate) type DomainId = u32;

/// The executables seen.
#[derive(Debug, Default)]
pub(crate) struct Domains {
    paths: Vec<ByteString>,
    ids: HashMap<ByteString, DomainId>,
}

impl Domains {
    /// The id of an executable, known or new.
    pub(crate) fn id(&mut self, path: ByteString) -> DomainId {
        let next = u32::try_from(self.paths.len()).unwrap_or(u32::MAX);
        *self.ids.entry(path).or_insert_with_key(|path| {
            self.paths.push(path.clone());
            next
        })
    }

    /// The executable of an id.
    pub(crate) fn path(&self, id: DomainId) -> ByteString {
        self.paths.get(id as usize).cloned().unwrap_or_default()
    }
}

/// A call as it is counted: by program, origin, number and meaningful arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    domain: DomainId,
    origin: Origin,
    abi: Abi,
    nr: u32,
    args: Option<Args>,
}

#[derive(Debug, Default)]
struct Count {
    entered: u64,
    outcomes: FewMap<EcoString, u64>,
    first: Option<Witness>,
    stamp: Stamp,
    /// It runs free: how often, the recorder does not know.
    free: bool,
    /// It was made in a loop that ran on: more often than the recorder knows.
    looped: bool,
}

/// The calls of a run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: HashMap<Key, Count>,
    variants: HashMap<(DomainId, Origin, Abi, u32), Variants>,
}

/// The combinations of arguments that a call has.
#[derive(Debug, Default)]
struct Variants {
    count: usize,
    /// The bits that are in them, by argument.
    bits: BTreeMap<u8, u64>,
}

impl Variants {
    /// Whether one more may be kept; it counts as kept then.
    fn may_have(&mut self, call: &Call, args: Option<&Args>) -> bool {
        let Some(Args::Values(values)) = args else { return true };
        let flags = call.name().is_some_and(|name| arguments::only_flags(call.abi, name));
        let known = |at: &u8| self.bits.get(at).copied().unwrap_or_default();
        let new_bits = flags && values.iter().any(|(at, v)| v & !known(at) != 0);
        if self.count >= BOUND && !new_bits {
            return false;
        }
        self.count += 1;
        values.iter().for_each(|(at, value)| *self.bits.entry(*at).or_default() |= value);
        true
    }
}

impl Tally {
    /// Counts a call that is about to be made; the second value is true for one that was not known. `word` is the one in memory.
    pub(crate) fn enter(
        &mut self,
        domain: DomainId,
        origin: Origin,
        call: &Call,
        word: Option<u32>,
        first: Witness,
        course: &Course,
    ) -> (Key, bool) {
        let mut key =
            Key { domain, origin, abi: call.abi, nr: call.nr, args: call.meaningful(word) };
        let mut new = !self.counts.contains_key(&key);
        if new && key.args.is_some() {
            let variants = self.variants.entry((domain, origin, call.abi, call.nr)).or_default();
            if !variants.may_have(call, key.args.as_ref()) {
                key.args = Some(Args::Many);
                new = !self.counts.contains_key(&key);
            }
        }
        let count = self.counts.entry(key.clone()).or_default();
        count.entered += 1;
        count.first.get_or_insert(first);
        if !course.is_plain() {
            count.stamp.union(&course.stamp());
        }
        (key, new)
    }

    /// Counts how a call ended.
    pub(crate) fn leave(&mut self, key: &Key, outcome: String) {
        if let Some(count) = self.counts.get_mut(key) {
            *count.outcomes.entry(outcome.into()).or_default() += 1;
        }
    }

    /// How a call ended is known, and that it ends so again teaches nothing: it is not counted any more.
    pub(crate) fn stop_counting(&mut self, key: &Key) -> bool {
        let known = self.counts.get_mut(key).filter(|count| count.outcomes.contains_key(Seen::OK));
        known.map(|count| count.free = true).is_some()
    }

    /// A call is made in a loop from now on, and only its beginning was counted.
    pub(crate) fn loops(&mut self, key: &Key) {
        self.counts.get_mut(key).into_iter().for_each(|count| count.looped = true);
    }

    /// The calls of a program in the native ABI that succeeded, in this phase if there are any: the number, and the values of the
    /// meaningful arguments.
    pub(crate) fn succeeded(
        &self,
        of: DomainId,
        course: &Course,
    ) -> impl Iterator<Item = (&Key, Call, BTreeMap<u8, u64>)> {
        let now = move |count: &Count| {
            let mut phases = course.phase().into_iter();
            phases.all(|phase| count.stamp.phases.contains(phase))
        };
        self.counts.iter().filter_map(move |(key, count)| {
            let wanted = key.domain == of && key.origin == Origin::Entry && key.abi == Abi::NATIVE;
            if !wanted || !count.outcomes.contains_key(Seen::OK) || !now(count) {
                return None;
            }
            let values = match &key.args {
                None => BTreeMap::new(),
                Some(Args::Values(values)) => (**values).clone(),
                Some(Args::Many) => return None,
            };
            let mut args = [0; 6];
            for (at, value) in &values {
                *args.get_mut(usize::from(*at))? = *value;
            }
            Some((key, Call { abi: key.abi, nr: key.nr, args, result: None }, values))
        })
    }

    /// Another phase begins: what runs free may be made in it too.
    pub(crate) fn runs_on_in(&mut self, phase: Phase) {
        for count in self.counts.values_mut().filter(|count| count.free) {
            count.stamp.phases.insert(phase);
        }
    }

    /// All that was counted belongs to a phase.
    pub(crate) fn begin_with(&mut self, phase: Phase) {
        #[expect(clippy::iter_over_hash_type, reason = "each is changed alike")]
        for count in self.counts.values_mut() {
            count.stamp.phases.insert(phase);
        }
    }

    /// How many different calls are known.
    pub(crate) fn len(&self) -> usize {
        self.counts.len()
    }

    /// Puts everything into the recording.
    pub(crate) fn add_to(&self, recording: &mut Recording, run: &str, domains: &Domains) {
        #[expect(clippy::iter_over_hash_type, reason = "adding does not depend on the order")]
        for (key, count) in &self.counts {
            let Key { domain, origin, abi, nr, args } = key.clone();
            let name = crate::abi::calls::name(abi, nr).map(Box::from);
            let what = What::Call { abi, nr, name, args };
            let fact = Fact { domain: domains.path(domain), origin, what };
            let mut seen = Seen {
                count: count.entered,
                outcomes: count.outcomes.clone(),
                first: count.first,
                at_least: count.free || count.looped,
                ..Seen::default()
            };
            count.stamp.put_on(&mut seen);
            recording.add(run, fact, &seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::calls;

    fn counted(name: &str, at: usize, values: impl Iterator<Item = u64>) -> (usize, bool, u64) {
        let (mut tally, mut domains) = (Tally::default(), Domains::default());
        let domain = domains.id(ByteString::from("/bin/x"));
        let nr = calls::number(Abi::X86_64, name).unwrap();
        for value in values {
            let mut args = [0; 6];
            args[at] = value;
            let call = Call { abi: Abi::X86_64, nr, args, result: None };
            let first = Witness { ms: 0, pid: 1 };
            tally.enter(domain, Origin::Entry, &call, None, first, &Course::default());
        }
        let kept = tally.counts.keys().filter_map(|key| match &key.args {
            Some(Args::Values(values)) => Some(values.values().fold(0, |all, value| all | value)),
            _ => None,
        });
        let bits = kept.fold(0, |all, value| all | value);
        let many = tally.counts.keys().any(|key| key.args == Some(Args::Many));
        (tally.counts.len(), many, bits)
    }

    #[test]
    fn of_too_many_words_of_bits_every_bit_is_kept() {
        let words = (0..200).chain([1 << 20, 1 << 30, 1 << 20 | 5]);
        let (kept, many, bits) = counted("openat", 2, words);
        // 64 and the combinations that had a new bit: 64, 128, and two more; and `many`.
        assert_eq!((kept, many, bits), (64 + 4 + 1, true, 0xff | 1 << 20 | 1 << 30));
    }

    #[test]
    fn of_too_many_values_the_bound_is_kept() {
        let (kept, many, _) = counted("ioctl", 1, (0..200).chain([1 << 30]));
        assert_eq!((kept, many), (BOUND + 1, true));
    }
}
