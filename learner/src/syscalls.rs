//! Calls.

use std::collections::{BTreeMap, BTreeSet};

use tracer::abi::{Abi, calls};
use tracer::recording::{Args, What};

use crate::Seens;
use crate::arguments;
use crate::decisions;
use crate::evidence::Gathered;
use crate::families;
use crate::implied;
use crate::policy::{CallRule, Condition, Evidence, Rule, Tightness};

/// Namespace flags of clone(2), which are not allowed when clone is only there as the fallback of clone3: `CLONE_NEWNS`,
/// `NEWCGROUP`, `NEWUTS`, `NEWIPC`, `NEWUSER`, `NEWPID`, `NEWNET` (linux/sched.h).
pub(crate) const NAMESPACE_FLAGS: u32 = 0x7e02_0000;

/// The condition on clone when its flags were not seen.
pub(crate) const NO_NAMESPACES: Condition = Condition { index: 0, mask: NAMESPACE_FLAGS, value: 0 };

/// The call rules, sorted.
pub(crate) fn rules(
    facts: &[Seens<'_>],
    tightness: Tightness,
    notes: &mut BTreeSet<String>,
) -> Vec<Rule<CallRule>> {
    let mut seen: BTreeMap<(Abi, u32), (Gathered, BTreeSet<Args>)> = BTreeMap::new();
    for fact in facts {
        if let What::Call { abi, nr, args, .. } = &fact.0.what {
            let (gathered, all) = seen.entry((*abi, *nr)).or_default();
            gathered.add(*fact);
            all.extend(args.iter().cloned());
        }
    }
    let mut rules = BTreeMap::new();
    let mut values = BTreeMap::new();
    for ((abi, nr), (gathered, args)) in seen {
        let name = calls::name(abi, nr);
        if name.is_none() {
            notes.insert(format!("call {nr} of {abi} has no name in this version's tables"));
        }
        let (when, generalised) =
            arguments::conditions(abi, name.unwrap_or_default(), &args, tightness);
        let allow = CallRule { abi, nr, name: name.map(str::to_owned), when };
        rules.insert((abi, nr), Rule { allow, evidence: gathered.finish(generalised) });
        values.insert((abi, nr), args);
    }
    if tightness != Tightness::Strict {
        implied::add(&mut rules);
        replace_clone3(&mut rules, notes);
    }
    if tightness == Tightness::Portable {
        families::close(&mut rules);
    }
    for (call, rule) in &mut rules {
        let widened = rule.evidence.generalised.as_deref();
        rule.evidence.arguments = decisions::of(&rule.allow, values.get(call), widened);
    }
    rules.into_values().collect()
}

/// The rules while they grow, by ABI and number.
pub(crate) type Rules = BTreeMap<(Abi, u32), Rule<CallRule>>;

/// The ABIs in use.
pub(crate) fn abis(rules: &Rules) -> BTreeSet<Abi> {
    rules.keys().map(|(abi, _)| *abi).collect()
}

/// Allows a call that was not seen, for a reason, with the evidence of what makes it needed. A rule that is there stays.
pub(crate) fn allow(
    rules: &mut Rules,
    abi: Abi,
    name: &str,
    when: Vec<Vec<Condition>>,
    because: &Evidence,
    why: &str,
) {
    if let Some(nr) = calls::number(abi, name) {
        rules.entry((abi, nr)).or_insert_with(|| {
            let mut evidence = Evidence { generalised: None, ..because.clone() };
            evidence.widened(why);
            Rule { allow: CallRule { abi, nr, name: Some(name.to_owned()), when }, evidence }
        });
    }
}

/// clone3 takes a pointer, so its flags can't be filtered; libc falls back to clone, whose flags can.
fn replace_clone3(rules: &mut Rules, notes: &mut BTreeSet<String>) {
    for abi in abis(rules) {
        let Some(number) = calls::number(abi, "clone3") else { continue };
        let Some(clone) = calls::number(abi, "clone") else { continue };
        let Some(clone3) = rules.remove(&(abi, number)) else { continue };
        let why = "stands for clone3, whose flags no filter can read: clone3 is answered ENOSYS and libc calls clone \
                   (clone(2)); new namespaces are not allowed by it";
        notes.insert(
            "clone3 was used and is answered ENOSYS, so that libc uses clone, whose flags a filter can read; a program that \
             calls clone3 by itself and cannot do without it needs the tightness strict"
                .to_owned(),
        );
        match rules.get_mut(&(abi, clone)) {
            Some(rule) => {
                let when = &mut rule.allow.when;
                if !when.is_empty() && !when.contains(&vec![NO_NAMESPACES]) {
                    when.push(vec![NO_NAMESPACES]);
                    when.sort();
                }
                rule.evidence.absorb(&clone3.evidence, why);
            }
            None => {
                let when = vec![vec![NO_NAMESPACES]];
                allow(rules, abi, "clone", when, &clone3.evidence, why);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;
    use tracer::recording::{ByteString, Fact, Origin, Seen, Units};

    static NO_UNITS: LazyLock<Units> = LazyLock::new(Units::default);

    fn call(name: &str, args: &[(u8, u64)]) -> What {
        let args =
            (!args.is_empty()).then(|| Args::Values(Box::new(args.iter().copied().collect())));
        let nr = calls::number(Abi::X86_64, name).unwrap();
        What::Call { abi: Abi::X86_64, nr, name: Some(name.into()), args }
    }

    fn learned(calls: &[What], tightness: Tightness) -> BTreeMap<String, Rule<CallRule>> {
        let all: Vec<_> = calls
            .iter()
            .map(|what| {
                let domain = ByteString::from("/bin/x");
                let fact = Fact { domain, origin: Origin::Entry, what: what.clone() };
                (fact, [("run".into(), Seen::ending("ok", 2))].into_iter().collect())
            })
            .collect();
        let seens: Vec<Seens<'_>> = all.iter().map(|(f, s)| (f, s, &*NO_UNITS)).collect();
        rules(&seens, tightness, &mut BTreeSet::new())
            .into_iter()
            .map(|rule| {
                (rule.allow.name.clone().unwrap_or_else(|| rule.allow.nr.to_string()), rule)
            })
            .collect()
    }

    fn names(rules: &BTreeMap<String, Rule<CallRule>>) -> Vec<&str> {
        rules.keys().map(String::as_str).collect()
    }

    #[test]
    fn strict_is_what_was_seen() {
        let rules = learned(&[call("read", &[]), call("clone3", &[])], Tightness::Strict);
        assert_eq!(names(&rules), ["clone3", "read"]);
        assert!(rules.values().all(|rule| rule.evidence.generalised.is_none()));
    }

    #[test]
    fn a_failed_call_is_allowed_and_a_denied_one_is_not() {
        let seen = Seen::ending("EPERM", 1);
        let runs = [("run".into(), seen)].into_iter().collect();
        let fact = |what| Fact { domain: "/bin/x".into(), origin: Origin::Entry, what };
        let failed = fact(call("mount", &[(3, 0)]));
        let denied = fact(What::Denied { abi: Abi::X86_64, nr: 1, name: None, args: None });
        let rules = rules(
            &[(&failed, &runs, &*NO_UNITS), (&denied, &runs, &*NO_UNITS)],
            Tightness::Strict,
            &mut BTreeSet::new(),
        );
        assert_eq!(rules.len(), 1);
        assert_eq!(rules[0].allow.name.as_deref(), Some("mount"));
    }

    #[test]
    fn an_unknown_number_is_kept_and_noted() {
        let what = What::Call { abi: Abi::X86_64, nr: 9999, name: None, args: None };
        let fact = Fact { domain: "/bin/x".into(), origin: Origin::Entry, what };
        let runs = [("run".into(), Seen::ending("ENOSYS", 1))].into_iter().collect();
        let mut notes = BTreeSet::new();
        let rules = rules(&[(&fact, &runs, &*NO_UNITS)], Tightness::Strict, &mut notes);
        assert_eq!((rules[0].allow.nr, &rules[0].allow.name), (9999, &None));
        assert!(notes.iter().any(|note| note.contains("9999")));
    }

    #[test]
    fn clone3_becomes_clone_without_namespaces() {
        let rules = learned(&[call("clone3", &[])], Tightness::Balanced);
        assert!(!rules.contains_key("clone3"));
        assert_eq!(rules["clone"].allow.when, [[NO_NAMESPACES]]);
        assert_eq!(rules["clone"].evidence.count, 2);
        let both = [call("clone3", &[]), call("clone", &[(0, 0x1000_0000)])];
        let rules = learned(&both, Tightness::Balanced);
        let clone = &rules["clone"];
        assert_eq!(clone.allow.when.len(), 2, "the namespace that was seen stays");
        assert_eq!(clone.evidence.count, 4);
    }

    #[test]
    fn portable_closes_families_and_no_namespace_opens() {
        let rules = learned(&[call("vfork", &[]), call("stat", &[])], Tightness::Portable);
        for name in ["fork", "clone", "newfstatat", "statx"] {
            assert!(rules.contains_key(name), "{name}");
            assert!(rules[name].evidence.generalised.is_some(), "{name}");
        }
        assert_eq!(rules["clone"].allow.when, [[NO_NAMESPACES]]);
        assert!(!rules.contains_key("open"), "of no family that was seen");
        let balanced = learned(&[call("vfork", &[]), call("stat", &[])], Tightness::Balanced);
        assert!(!balanced.contains_key("clone") && !balanced.contains_key("statx"));
    }

    #[test]
    fn threads_imply_what_timing_decides() {
        const CLONE_THREAD: u64 = 0x1_0000;
        let rules = learned(&[call("clone", &[(0, CLONE_THREAD | 0x100)])], Tightness::Balanced);
        assert!(rules.contains_key("futex") && rules.contains_key("exit"));
        assert!(!rules["futex"].allow.when.is_empty());
        let rules = learned(&[call("clone", &[(0, 17)])], Tightness::Balanced);
        assert!(!rules.contains_key("futex") && !rules.contains_key("exit"));
        assert!(rules.contains_key("rt_sigreturn") && rules.contains_key("exit_group"));
    }
}
