//! Policies, profiles and calls of any kind.

use std::collections::{BTreeMap, BTreeSet};

use learner::Policy;
use learner::policy::{CallRule, Condition, Evidence, FallbackRule, Rule, Tightness, Training};
use libseccomp::{ScmpArch, ScmpSyscall};
use profile_emit::seccomp::oci::{ALLOW, Arg, Entry, Profile};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tracer::abi::{Abi, arguments, calls};

use crate::Call;

/// Calls that the system's libseccomp (2.5.4) knows by name under each ABI: it takes others of foreign ABIs for none.
pub(crate) fn known(abi: Abi) -> Vec<&'static str> {
    (0..600)
        .filter_map(|nr| calls::name(Abi::X86_64, nr).or_else(|| calls::name(Abi::I386, nr)))
        .filter(|name| calls::number(abi, name).is_some())
        .filter(|name| abi == Abi::NATIVE || libseccomp_knows(abi, name))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

fn libseccomp_knows(abi: Abi, name: &str) -> bool {
    let architecture = match abi {
        Abi::X86_64 => ScmpArch::X8664,
        Abi::I386 => ScmpArch::X86,
        Abi::X32 => ScmpArch::X32,
        Abi::Aarch64 => ScmpArch::Aarch64,
    };
    // It is told of foreign calls by their native numbers, and has negative ones of its own for those without.
    let there =
        ScmpSyscall::from_name_by_arch(name, architecture).is_ok_and(|s| s.as_raw_syscall() >= 0);
    there && ScmpSyscall::from_name(name).is_ok()
}

fn condition(argument: arguments::Argument) -> BoxedStrategy<Condition> {
    let index = argument.index;
    let mask = prop_oneof![Just(argument.mask), Just(!0xf_u32), any::<u32>()];
    (mask, prop_oneof![0..8_u32, any::<u32>()])
        .prop_map(move |(mask, value)| Condition { index, mask, value: value & mask })
        .boxed()
}

fn alternatives(abi: Abi, name: &str) -> BoxedStrategy<Vec<Vec<Condition>>> {
    let table = arguments::of(abi, name);
    if table.is_empty() {
        return Just(Vec::new()).boxed();
    }
    let all: Vec<_> = table.iter().map(|argument| condition(*argument)).collect();
    let some = prop::collection::vec(any::<bool>(), all.len());
    let alternative = (all, some).prop_map(|(all, some)| {
        all.into_iter().zip(some).filter_map(|(one, kept)| kept.then_some(one)).collect()
    });
    prop::collection::vec(alternative, 0..12)
        .prop_map(|mut all: Vec<Vec<Condition>>| {
            // As the learner has it: one without conditions stands for all.
            if all.iter().any(Vec::is_empty) {
                all.clear();
            }
            all.sort();
            all.dedup();
            all
        })
        .boxed()
}

fn rule(abi: Abi, name: &'static str) -> BoxedStrategy<CallRule> {
    let nr = calls::number(abi, name).unwrap();
    alternatives(abi, name)
        .prop_map(move |when| CallRule { abi, nr, name: Some(name.to_owned()), when })
        .boxed()
}

/// Policies of calls, with `most` of them at most.
pub(crate) fn policy(abis: &'static [Abi], most: usize) -> BoxedStrategy<Policy> {
    let limited: Vec<&'static str> = arguments::TABLE.iter().map(|row| row.name).collect();
    select(abis)
        .prop_flat_map(move |abi| {
            let known = known(abi);
            let limited: Vec<_> =
                limited.iter().copied().filter(|name| known.contains(name)).collect();
            let names = prop_oneof![select(known.clone()), select(limited)];
            let rules = names.prop_flat_map(move |name| rule(abi, name));
            let fallbacks = prop::collection::vec(select(known), 0..10);
            (prop::collection::vec(rules, 1..most), fallbacks, Just(abi))
        })
        .prop_map(|(rules, fallbacks, abi)| {
            let rules: BTreeMap<u32, CallRule> =
                rules.into_iter().map(|rule| (rule.nr, rule)).collect();
            let fallbacks = fallbacks
                .into_iter()
                .map(|name| FallbackRule {
                    abi,
                    nr: calls::number(abi, name).unwrap(),
                    name: name.to_owned(),
                    instead: String::new(),
                })
                .collect();
            of(rules.into_values(), fallbacks)
        })
        .boxed()
}

/// A policy of calls alone.
pub(crate) fn of(
    rules: impl IntoIterator<Item = CallRule>,
    fallbacks: Vec<FallbackRule>,
) -> Policy {
    let evidence = Evidence::default();
    Policy {
        format: learner::policy::FORMAT.to_owned(),
        version: learner::policy::VERSION,
        name: "x".to_owned(),
        tightness: Tightness::Balanced,
        training: Training::default(),
        calls: rules.into_iter().map(|allow| Rule { allow, evidence: evidence.clone() }).collect(),
        fallbacks,
        files: Vec::new(),
        execs: Vec::new(),
        capabilities: Vec::new(),
        sockets: Vec::new(),
        addresses: Vec::new(),
        signals: Vec::new(),
        saturation: Default::default(),
        notes: BTreeSet::new(),
    }
}

fn arg() -> BoxedStrategy<Arg> {
    let op = select(vec!["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"]);
    let value = || prop_oneof![0..4_u64, Just(0x1_0000_0001), any::<u64>(), Just(u64::MAX)];
    (0..6_u32, value(), value(), op)
        .prop_map(|(index, value, value_two, op)| Arg {
            index,
            value,
            value_two: if op == "MASKED_EQ" { value & value_two } else { 0 },
            op: format!("SCMP_CMP_{op}"),
        })
        .boxed()
}

/// Foreign profiles: every comparison, of 64 bits where registers have them, several architectures.
///
/// Each call is in one entry, and values fit the registers: libseccomp 2.5.4 loops forever over some alternatives of
/// different comparisons (db.c, `_db_tree_add`), and what it makes of others is its own secret.
pub(crate) fn profile() -> BoxedStrategy<Profile> {
    const SETS: [&[Abi]; 6] = [
        &[Abi::X86_64],
        &[Abi::I386],
        &[Abi::X32],
        &[Abi::X86_64, Abi::I386],
        &[Abi::X86_64, Abi::X32],
        &[Abi::X86_64, Abi::I386, Abi::X32],
    ];
    let names: Vec<&'static str> = known(Abi::I386)
        .into_iter()
        .filter(|name| calls::number(Abi::X86_64, name).is_some())
        .collect();
    let entry = (prop::collection::vec(arg(), 0..3), prop::collection::vec(select(names), 1..6));
    (select(&SETS[..]), prop::collection::vec(entry, 0..20))
        .prop_map(|(abis, entries)| (abis, entries, BTreeSet::new()))
        .prop_map(|(abis, entries, mut named)| Profile {
            default_action: "SCMP_ACT_ERRNO".to_owned(),
            default_errno_ret: Some(7),
            architectures: abis.iter().map(|abi| abi.scmp_name().to_owned()).collect(),
            syscalls: entries
                .into_iter()
                .map(|(mut args, mut names)| {
                    names.retain(|name| named.insert(*name));
                    if abis != [Abi::X86_64] {
                        for arg in &mut args {
                            arg.value &= 0xffff_ffff;
                            arg.value_two &= 0xffff_ffff;
                        }
                    }
                    args.sort();
                    args.dedup_by_key(|arg| arg.index);
                    Entry {
                        names: names.iter().map(|name| (*name).to_owned()).collect(),
                        action: ALLOW.to_owned(),
                        args,
                        ..Entry::default()
                    }
                })
                .collect(),
            ..Profile::default()
        })
        .boxed()
}

/// A call that a profile has something to say of, or any other.
pub(crate) fn call() -> BoxedStrategy<Asking> {
    let abi = select(vec![Abi::X86_64, Abi::I386, Abi::X32]);
    let value = || (any::<Index>(), any::<u64>(), 0..7_u8).boxed();
    (abi, any::<Index>(), any::<u16>(), prop::array::uniform6(value()))
        .prop_map(|(abi, entry, number, values)| Asking { abi, entry, number, values })
        .boxed()
}

/// A call, once the profile is known: its values are near those that the profile compares.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    abi: Abi,
    entry: Index,
    number: u16,
    values: [(Index, u64, u8); 6],
}

impl Asking {
    pub(crate) fn of(&self, profile: &Profile) -> Call {
        let entries = &profile.syscalls;
        let named = (!entries.is_empty()).then(|| &entries[self.entry.index(entries.len())]);
        let args: Vec<&Arg> = named.into_iter().flat_map(|entry| &entry.args).collect();
        let names: Vec<&str> = named.into_iter().flat_map(|entry| entry.calls()).collect();
        let any = u32::from(self.number % 512) | if self.abi == Abi::X32 { 1 << 30 } else { 0 };
        let nr = (!names.is_empty() && !self.number.is_multiple_of(8))
            .then(|| calls::number(self.abi, names[usize::from(self.number) % names.len()]))
            .flatten()
            .unwrap_or(any);
        let mut values = [0; 6];
        for (at, (which, noise, how)) in self.values.iter().enumerate() {
            let own = args.iter().find(|arg| arg.index as usize == at);
            let other = (!args.is_empty()).then(|| &args[which.index(args.len())]);
            let near = own.or(other).map_or(*noise, |arg| {
                if arg.op.ends_with("MASKED_EQ") {
                    arg.value_two | (noise & !arg.value)
                } else {
                    arg.value
                }
            });
            values[at] = match how {
                0 | 1 => near,
                2 => near.wrapping_add(1),
                3 => near.wrapping_sub(1),
                4 => near ^ (1 << (noise % 64)),
                5 => near ^ (noise << 32),
                _ => *noise,
            };
        }
        Call { abi: self.abi, nr, args: values }
    }
}
