//! A policy as a seccomp profile.
//!
//! The profile's list of calls is one for all its architectures, so a call that one ABI may make is allowed to all that the
//! policy has. Conditions compare the low 32 bits, by a mask: the upper half of a register may be garbage.

use std::collections::{BTreeMap, BTreeSet};

use learner::Policy;
use learner::policy::Condition;

use super::oci::{ALLOW, Arg, ENOSYS, EPERM, ERRNO, Entry, Profile};
use crate::Note;

/// The limits of distribution as an OCI artifact: Kubernetes KEP-6061.
const MOST_ENTRIES: usize = 128;
const MOST_BYTES: usize = 1 << 20;

/// Makes the profile, and says what it cannot express.
pub fn emit(policy: &Policy) -> (Profile, Vec<Note>) {
    let mut notes = Vec::new();
    let abis: BTreeSet<_> = policy.calls.iter().map(|rule| rule.allow.abi).collect();
    // Calls by name; the alternatives of all ABIs together, and none at all when one of them needs none.
    let mut allowed: BTreeMap<&str, BTreeSet<Vec<Condition>>> = BTreeMap::new();
    for rule in &policy.calls {
        let call = &rule.allow;
        let Some(name) = call.name.as_deref() else {
            notes.push(format!(
                "call {} of {} has no name, and a profile names calls: it will be refused",
                call.nr, call.abi
            ));
            continue;
        };
        let when = if call.when.is_empty() { vec![Vec::new()] } else { call.when.clone() };
        allowed.entry(name).or_default().extend(when);
    }
    let mut entries: BTreeMap<Vec<Arg>, BTreeSet<String>> = BTreeMap::new();
    for (name, when) in &allowed {
        let any = when.contains(&Vec::new());
        let alternatives =
            if any { vec![Vec::new()] } else { when.iter().map(|all| args(all)).collect() };
        for args in alternatives {
            entries.entry(args).or_default().insert((*name).to_owned());
        }
    }
    let mut syscalls: Vec<Entry> = entries
        .into_iter()
        .map(|(args, names)| Entry { args, ..entry(names, ALLOW, None) })
        .collect();
    let fallbacks: BTreeSet<String> = policy
        .fallbacks
        .iter()
        .map(|rule| rule.name.clone())
        .filter(|name| !allowed.contains_key(name.as_str()))
        .collect();
    if !fallbacks.is_empty() {
        syscalls.push(entry(fallbacks, ERRNO, Some(ENOSYS)));
    }
    let profile = Profile {
        default_action: ERRNO.to_owned(),
        default_errno_ret: Some(EPERM),
        architectures: abis.iter().map(|abi| abi.scmp_name().to_owned()).collect(),
        syscalls,
        ..Profile::default()
    };
    if profile.syscalls.len() > MOST_ENTRIES || profile.to_json().len() > MOST_BYTES {
        notes.push(format!(
            "the seccomp profile has {} entries; Kubernetes takes at most {MOST_ENTRIES} (and {MOST_BYTES} bytes) from an OCI artifact",
            profile.syscalls.len()
        ));
    }
    (profile, notes)
}

fn entry(names: BTreeSet<String>, action: &str, errno_ret: Option<u32>) -> Entry {
    Entry {
        names: names.into_iter().collect(),
        action: action.to_owned(),
        errno_ret,
        ..Entry::default()
    }
}

fn args(all: &[Condition]) -> Vec<Arg> {
    all.iter()
        .map(|condition| Arg {
            index: u32::from(condition.index),
            value: u64::from(condition.mask),
            value_two: u64::from(condition.value),
            op: "SCMP_CMP_MASKED_EQ".to_owned(),
        })
        .collect()
}
