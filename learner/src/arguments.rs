//! From the argument values seen to the conditions of a rule.

use std::collections::{BTreeMap, BTreeSet};

use tracer::abi::Abi;
use tracer::abi::arguments::{self, Argument, Shape};
use tracer::recording::Args;

use crate::policy::{Condition, Tightness};

/// A rule has at most so many alternatives; a filter tries them one after the other.
pub(crate) const MOST_ALTERNATIVES: usize = 16;

/// Bits that change nothing that a reviewer would refuse: call, argument, bits, source. Unless strict they are not compared.
const HARMLESS: [(&str, u8, u32, &str); 8] = [
    ("memfd_create", 1, 1, "memfd_create(2): MFD_CLOEXEC"),
    ("mmap", 3, NO_EFFECT, "mmap(2): MAP_STACK, MAP_DENYWRITE and MAP_EXECUTABLE have no effect"),
    ("mmap2", 3, NO_EFFECT, "mmap2(2): as mmap"),
    ("open", 1, DESCRIPTOR, "open(2), asm-generic/fcntl.h"),
    ("open_by_handle_at", 2, DESCRIPTOR, "open_by_handle_at(2): as open"),
    ("openat", 2, DESCRIPTOR, "openat(2): as open"),
    ("socket", 1, SOCKET_FLAGS, "socket(2)"),
    ("socketpair", 1, SOCKET_FLAGS, "socketpair(2)"),
];

/// `SOCK_NONBLOCK | SOCK_CLOEXEC`: they change how a descriptor behaves in its own process only (socket(2)).
const SOCKET_FLAGS: u32 = 0o4000 | 0o2_000_000;

/// `O_CLOEXEC`, `O_NONBLOCK`, `O_NOCTTY`, `O_LARGEFILE`: as above; `O_DIRECTORY`, `O_NOFOLLOW`, `O_EXCL`: the call refuses more;
/// `O_PATH`: the descriptor gives no access.
const DESCRIPTOR: u32 =
    0o2_000_000 | 0o4000 | 0o400 | 0o100_000 | 0o200_000 | 0o400_000 | 0o200 | 0o10_000_000;

/// `MAP_STACK`, `MAP_DENYWRITE`, `MAP_EXECUTABLE`.
const NO_EFFECT: u32 = 0x2_0000 | 0x800 | 0x1000;

fn harmless(name: &str, index: u8, tightness: Tightness) -> u32 {
    let row = HARMLESS.iter().find(|row| row.0 == name && row.1 == index);
    row.filter(|_| tightness != Tightness::Strict).map_or(0, |row| row.2)
}

/// The conditions that allow what was seen, and how they were widened. No conditions: any arguments.
pub(crate) fn conditions(
    abi: Abi,
    name: &str,
    seen: &BTreeSet<Args>,
    tightness: Tightness,
) -> (Vec<Vec<Condition>>, Option<String>) {
    let table = arguments::of(abi, name);
    if table.is_empty() || seen.is_empty() {
        return (Vec::new(), None);
    }
    let mut tuples = BTreeSet::new();
    let mut many = false;
    for args in seen {
        match args {
            // What is kept has every bit that was seen.
            Args::Many if arguments::only_flags(abi, name) && seen.len() > 1 => many = true,
            Args::Many => {
                return (
                    Vec::new(),
                    Some("more different arguments than are kept: any are allowed".to_owned()),
                );
            }
            Args::Values(values) => {
                tuples.insert((**values).clone());
            }
        }
    }
    if tightness != Tightness::Strict && FUTEX.contains(&name) {
        return futex(tuples.iter().filter_map(|values| equal(&table[0], values, 0)));
    }
    let skip = |argument: &Argument| harmless(name, argument.index, tightness);
    let exact = alternatives(table, &tuples, skip);
    let has_flags = table.iter().any(|a| a.shape == Shape::Flags);
    let as_seen = (tightness == Tightness::Strict && !many) || !has_flags;
    if exact.len() <= MOST_ALTERNATIVES && as_seen {
        return (any_if_one_is_empty(exact), None);
    }
    let merged = merge_flags(table, &tuples, skip);
    if merged.len() <= MOST_ALTERNATIVES {
        let widened = (merged.len() < exact.len() || has_flags)
            .then(|| "any combination of the flag bits that were seen".to_owned());
        return (any_if_one_is_empty(merged), widened);
    }
    for kept in (1..table.len()).rev() {
        let fewer = merge_flags(&table[..kept], &tuples, skip);
        if fewer.len() <= MOST_ALTERNATIVES {
            let names: Vec<&str> = table[..kept].iter().map(|argument| argument.name).collect();
            let why = format!("too many combinations: only {} is compared", names.join(" and "));
            return (any_if_one_is_empty(fewer), Some(why));
        }
    }
    (Vec::new(), Some(format!("more than {MOST_ALTERNATIVES} different values: any are allowed")))
}

/// The futex calls; the second is that of 32-bit ABIs with a 64-bit clock.
pub(crate) const FUTEX: [&str; 2] = ["futex", "futex_time64"];

/// `FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME`: whose memory, which clock (futex(2)).
const FUTEX_FLAGS: u32 = 128 | 256;

/// `FUTEX_WAIT`, `FUTEX_WAKE`, `FUTEX_WAIT_BITSET`, `FUTEX_WAKE_BITSET` (linux/futex.h).
const FUTEX_BASICS: [u32; 4] = [0, 1, 9, 10];

/// Waiting and waking, and what was seen besides: which of them a lock needs is a matter of timing.
pub(crate) fn futex(
    seen: impl Iterator<Item = Condition>,
) -> (Vec<Vec<Condition>>, Option<String>) {
    let mask = !FUTEX_FLAGS;
    let all: BTreeSet<u32> = seen.map(|c| c.value & mask).chain(FUTEX_BASICS).collect();
    let why = "waiting and waking: which of them a lock needs is a matter of timing (futex(2))";
    if all.len() > MOST_ALTERNATIVES {
        return (
            Vec::new(),
            Some(format!("more than {MOST_ALTERNATIVES} different values: any are allowed")),
        );
    }
    let when = all.into_iter().map(|value| vec![Condition { index: 1, mask, value }]).collect();
    (when, Some(why.to_owned()))
}

/// An alternative without conditions allows any arguments, and says so as a rule without alternatives does.
fn any_if_one_is_empty(when: Vec<Vec<Condition>>) -> Vec<Vec<Condition>> {
    if when.iter().any(Vec::is_empty) { Vec::new() } else { when }
}

fn low(value: u64) -> u32 {
    u32::try_from(value & 0xffff_ffff).unwrap_or_default()
}

/// Exactly this value, but for bits that are skipped.
fn equal(argument: &Argument, values: &BTreeMap<u8, u64>, skipped: u32) -> Option<Condition> {
    let mask = argument.mask & !skipped;
    let value = low(*values.get(&argument.index)?) & mask;
    Some(Condition { index: argument.index, mask, value })
}

/// Exactly these combinations.
fn alternatives(
    table: &[Argument],
    tuples: &BTreeSet<BTreeMap<u8, u64>>,
    skip: impl Fn(&Argument) -> u32,
) -> Vec<Vec<Condition>> {
    let all: BTreeSet<Vec<Condition>> = tuples
        .iter()
        .map(|values| table.iter().filter_map(|a| equal(a, values, skip(a))).collect())
        .collect();
    all.into_iter().collect()
}

/// One alternative for each combination of values; of the flag words, no bit that was never seen with it.
fn merge_flags(
    table: &[Argument],
    tuples: &BTreeSet<BTreeMap<u8, u64>>,
    skip: impl Fn(&Argument) -> u32,
) -> Vec<Vec<Condition>> {
    let mut by_values: BTreeMap<Vec<Condition>, BTreeMap<u8, u32>> = BTreeMap::new();
    for values in tuples {
        let fixed = table
            .iter()
            .filter(|a| a.shape == Shape::Value)
            .filter_map(|a| equal(a, values, skip(a)))
            .collect();
        let bits = by_values.entry(fixed).or_default();
        for argument in table.iter().filter(|a| a.shape == Shape::Flags) {
            // What is not compared is as good as seen, and so is all when the word was not recorded.
            let seen = values.get(&argument.index).map_or(u32::MAX, |word| low(*word));
            *bits.entry(argument.index).or_default() |= seen | skip(argument) | !argument.mask;
        }
    }
    by_values
        .into_iter()
        .map(|(mut all, bits)| {
            all.extend(bits.into_iter().map(|(index, bits)| Condition {
                index,
                mask: !bits,
                value: 0,
            }));
            all.retain(|condition| condition.mask != 0);
            all.sort();
            all
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(tuples: &[&[(u8, u64)]]) -> BTreeSet<Args> {
        tuples.iter().map(|t| Args::Values(Box::new(t.iter().copied().collect()))).collect()
    }

    fn allows(when: &[Vec<Condition>], args: &[u64]) -> bool {
        when.is_empty()
            || when
                .iter()
                .any(|all| all.iter().all(|c| low(args[usize::from(c.index)]) & c.mask == c.value))
    }

    #[test]
    fn sockets_are_allowed_as_combinations() {
        let both = seen(&[&[(0, 2), (1, 1 | 0o2_000_000), (2, 6)], &[(0, 1), (1, 2), (2, 0)]]);
        let (when, why) = conditions(Abi::X86_64, "socket", &both, Tightness::Balanced);
        assert_eq!(why, None);
        assert!(
            allows(&when, &[2, 1, 6])
                && allows(&when, &[2, 1 | 0o4000, 6])
                && allows(&when, &[1, 2, 0])
        );
        assert!(!allows(&when, &[2, 2, 6]), "no cross product");
        assert!(!allows(&when, &[38, 1, 0]), "another family");
        let (strict, _) = conditions(Abi::X86_64, "socket", &both, Tightness::Strict);
        assert!(!allows(&strict, &[2, 1, 6]), "strict keeps the flags");
    }

    #[test]
    fn flags_allow_the_bits_seen_and_no_other() {
        let seen = seen(&[&[(2, 1), (3, 2)], &[(2, 3), (3, 0x22)]]);
        let (when, why) = conditions(Abi::X86_64, "mmap", &seen, Tightness::Balanced);
        assert!(why.is_some());
        assert!(allows(&when, &[0, 0, 3, 2]) && allows(&when, &[0, 0, 3, 0x20]));
        assert!(!allows(&when, &[0, 0, 1, 0x20]), "not seen with PROT_READ alone");
        assert!(!allows(&when, &[0, 0, 4, 2]), "PROT_EXEC was not seen");
        assert!(allows(&when, &[0, 0, 1, 0x2_0002]), "MAP_STACK has no effect");
        assert!(allows(&when, &[0, 0, 0xffff_ffff_0000_0001, 2]), "the upper half is garbage");
    }

    #[test]
    fn timing_decides_between_waiting_and_waking() {
        let seen = seen(&[&[(1, 129)], &[(1, 4)]]);
        let (when, why) = conditions(Abi::X86_64, "futex", &seen, Tightness::Balanced);
        assert!(why.is_some());
        assert!([0, 128, 129, 137, 137 | 256, 4].iter().all(|op| allows(&when, &[0, *op])));
        assert!([3, 5, 6, 13, 512].iter().all(|op| !allows(&when, &[0, *op])));
        let (strict, why) = conditions(Abi::X86_64, "futex", &seen, Tightness::Strict);
        assert!(why.is_none() && allows(&strict, &[0, 129]) && !allows(&strict, &[0, 128]));
    }

    #[test]
    fn a_call_whose_arguments_are_not_known_is_unconstrained() {
        let (when, _) =
            conditions(Abi::X86_64, "ioctl", &seen(&[&[], &[(1, 2)]]), Tightness::Strict);
        assert!(when.is_empty());
        let all = seen(&[&[(3, u64::MAX)]]);
        let (when, why) = conditions(Abi::X86_64, "mount", &all, Tightness::Balanced);
        assert!(when.is_empty() && why.is_some());
    }

    #[test]
    fn too_many_values_are_said_to_be_unconstrained() {
        let many: Vec<Vec<(u8, u64)>> = (0..17).map(|n| vec![(1, n)]).collect();
        let many: Vec<&[(u8, u64)]> = many.iter().map(Vec::as_slice).collect();
        let (when, why) = conditions(Abi::X86_64, "ioctl", &seen(&many), Tightness::Balanced);
        assert!(when.is_empty() && why.is_some());
        let (when, why) = conditions(Abi::X86_64, "ioctl", &seen(&many[..16]), Tightness::Balanced);
        assert!(when.len() == 16 && why.is_none());
        let (when, why) =
            conditions(Abi::X86_64, "ioctl", &BTreeSet::from([Args::Many]), Tightness::Balanced);
        assert!(when.is_empty() && why.is_some());
    }

    #[test]
    fn writable_and_executable_apart_do_not_make_both() {
        let seen = seen(&[&[(2, 3)], &[(2, 5)], &[(2, 0)]]);
        let (when, why) = conditions(Abi::X86_64, "mprotect", &seen, Tightness::Balanced);
        assert!(why.is_none() && when.len() == 3);
        assert!(!allows(&when, &[0, 0, 7]) && allows(&when, &[0, 0, 5]));
    }

    #[test]
    fn opening_allows_the_ways_seen_and_what_changes_only_the_descriptor() {
        let seen = seen(&[&[(2, 0)], &[(2, 0o1101)]]);
        let (when, _) = conditions(Abi::X86_64, "openat", &seen, Tightness::Balanced);
        assert!(
            [0, 1, 0o1101, 0o2_000_000, 0o2_100_101].iter().all(|w| allows(&when, &[0, 0, *w]))
        );
        assert!([2, 0o2000, 0o20_000_000].iter().all(|word| !allows(&when, &[0, 0, *word])));
        let (strict, _) = conditions(Abi::X86_64, "openat", &seen, Tightness::Strict);
        assert!(allows(&strict, &[0, 0, 0o1101]) && !allows(&strict, &[0, 0, 1]));
    }

    #[test]
    fn of_a_mode_only_the_bits_of_set_id_programs_are_compared() {
        let seen = seen(&[&[(1, 0)]]);
        let (when, _) = conditions(Abi::X86_64, "chmod", &seen, Tightness::Balanced);
        assert!(allows(&when, &[0, 0o777]) && allows(&when, &[0, 0o1000]));
        assert!(!allows(&when, &[0, 0o4755]) && !allows(&when, &[0, 0o2755]));
    }

    #[test]
    fn harmless_bits_are_of_the_table() {
        assert!(HARMLESS.is_sorted());
        for (name, index, _, source) in HARMLESS {
            let row = arguments::TABLE.iter().find(|row| row.name == name).unwrap();
            assert!(row.arguments.iter().any(|a| a.index == index) && source.contains('('));
        }
    }

    #[test]
    fn of_too_many_words_of_bits_the_bits_are_known() {
        let mut seen = seen(&[&[(2, 0o100)], &[(2, 1)]]);
        seen.insert(Args::Many);
        for tightness in [Tightness::Strict, Tightness::Balanced] {
            let (when, why) = conditions(Abi::X86_64, "openat", &seen, tightness);
            assert!(why.is_some() && allows(&when, &[0, 0, 0o101]) && !allows(&when, &[0, 0, 2]));
        }
        // Not where the first argument says what the others are.
        let mut values = BTreeSet::from([Args::Values(Box::new([(2, 1), (3, 2)].into()))]);
        values.insert(Args::Many);
        assert!(conditions(Abi::X86_64, "mmap", &values, Tightness::Strict).0.is_empty());
    }

    #[test]
    fn many_socket_options_fall_back_to_their_level() {
        let many: Vec<Vec<(u8, u64)>> = (0..20).map(|n| vec![(1, 6), (2, n)]).collect();
        let many: Vec<&[(u8, u64)]> = many.iter().map(Vec::as_slice).collect();
        let (when, why) = conditions(Abi::X86_64, "setsockopt", &seen(&many), Tightness::Balanced);
        assert!(why.is_some() && allows(&when, &[0, 6, 99]) && !allows(&when, &[0, 1, 1]));
    }
}
