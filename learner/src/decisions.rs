//! How each argument of a call was decided, and why: for the reviewer.

use std::collections::BTreeSet;

use tracer::abi::arguments::{self, Argument, Shape};
use tracer::abi::symbols;
use tracer::recording::Args;

use crate::policy::{Allowed, CallRule, Decision};

/// So many values are told of what lies in memory.
const MOST_TOLD: usize = 8;

/// The decisions about a call's arguments, in the order of the arguments; what lies in memory is last.
///
/// `seen` is absent for a call that was not seen, `widened` says how the rule goes beyond what was seen.
pub(crate) fn of(
    call: &CallRule,
    seen: Option<&BTreeSet<Args>>,
    widened: Option<&str>,
) -> Vec<Decision> {
    let Some(name) = call.name.as_deref() else { return Vec::new() };
    let mut decisions: Vec<Decision> = arguments::of(call.abi, name)
        .iter()
        .map(|argument| {
            let (allowed, why) = of_argument(call, argument, seen, widened);
            Decision { index: Some(argument.index), name: argument.name.to_owned(), allowed, why }
        })
        .collect();
    if let Some((what, source)) = arguments::behind_pointer(name) {
        decisions.push(Decision {
            index: None,
            name: what.to_owned(),
            allowed: Allowed::Any,
            why: format!(
                "lies in memory, where no filter can read it ({source}){}",
                in_memory(name, seen)
            ),
        });
    }
    decisions
}

/// The words that were seen in memory, for whoever judges a call that nothing limits.
fn in_memory(name: &str, seen: Option<&BTreeSet<Args>>) -> String {
    let Some(row) = arguments::in_memory(name) else { return String::new() };
    let words: BTreeSet<u64> = seen
        .into_iter()
        .flatten()
        .filter_map(|args| match args {
            Args::Values(values) => values.get(&arguments::IN_MEMORY).copied(),
            Args::Many => None,
        })
        .collect();
    let low = |word: &u64| u32::try_from(*word).unwrap_or(u32::MAX);
    let told: Vec<String> = words
        .iter()
        .take(MOST_TOLD)
        .map(|word| symbols::spell(name, &row.word, low(word)))
        .collect();
    match words.len().checked_sub(told.len()) {
        _ if told.is_empty() => String::new(),
        None | Some(0) => format!("; {} seen: {}", row.word.name, told.join(", ")),
        Some(more) => format!("; {} seen: {}, and {more} more", row.word.name, told.join(", ")),
    }
}

fn of_argument(
    call: &CallRule,
    argument: &Argument,
    seen: Option<&BTreeSet<Args>>,
    widened: Option<&str>,
) -> (Allowed, String) {
    let limits: Vec<_> = call
        .when
        .iter()
        .map(|all| all.iter().find(|condition| condition.index == argument.index))
        .collect();
    let values: BTreeSet<u64> = seen
        .into_iter()
        .flatten()
        .filter_map(|args| match args {
            Args::Values(values) => values.get(&argument.index).copied(),
            Args::Many => None,
        })
        .collect();
    if limits.is_empty() || limits.iter().any(Option::is_none) {
        return (Allowed::Any, unlimited(call, argument, seen, &values, widened));
    }
    let Some(seen) = seen else {
        let why = format!("not seen; {}", widened.unwrap_or("needed by what was seen"));
        let values = limits.iter().flatten().all(|condition| condition.value != 0);
        return (if values { Allowed::Values } else { Allowed::Bits }, why);
    };
    let bits = argument.shape == Shape::Flags
        && limits.iter().flatten().all(|condition| condition.value == 0)
        && widened.is_some();
    if bits {
        let why = format!(
            "a flag word, seen with {}: any combination of these bits",
            count(values.len())
        );
        return (Allowed::Bits, why);
    }
    let among = if seen.len() > values.len() { ", each in the combinations seen" } else { "" };
    (Allowed::Values, format!("seen with {}{among}", count(values.len())))
}

/// Why nothing limits an argument.
fn unlimited(
    call: &CallRule,
    argument: &Argument,
    seen: Option<&BTreeSet<Args>>,
    values: &BTreeSet<u64>,
    widened: Option<&str>,
) -> String {
    let Some(seen) = seen else {
        return format!("not seen; {}", widened.unwrap_or("needed by what was seen"));
    };
    if seen.contains(&Args::Many) {
        return format!(
            "more than {} different combinations were seen, which is the most that is kept",
            arguments::BOUND
        );
    }
    if values.len() < seen.len() && values.is_empty() {
        return "its values were not recorded".to_owned();
    }
    match widened {
        Some(why) if call.when.is_empty() || argument.shape == Shape::Value => why.to_owned(),
        _ => "every bit of it was seen".to_owned(),
    }
}

fn count(values: usize) -> String {
    format!("{values} value{}", if values == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::conditions;
    use crate::policy::Tightness;
    use tracer::abi::{Abi, calls};

    fn decided(name: &str, seen: &[&[(u8, u64)]], tightness: Tightness) -> Vec<(Allowed, String)> {
        let seen: BTreeSet<Args> =
            seen.iter().map(|t| Args::Values(Box::new(t.iter().copied().collect()))).collect();
        let (when, widened) = conditions(Abi::X86_64, name, &seen, tightness);
        let nr = calls::number(Abi::X86_64, name).unwrap();
        let call = CallRule { abi: Abi::X86_64, nr, name: Some(name.to_owned()), when };
        let all = of(&call, Some(&seen), widened.as_deref());
        all.into_iter().map(|decision| (decision.allowed, decision.why)).collect()
    }

    #[test]
    fn each_argument_says_how_it_was_decided() {
        let mmap = decided("mmap", &[&[(2, 1), (3, 2)], &[(2, 3), (3, 0x22)]], Tightness::Balanced);
        assert_eq!(mmap[0], (Allowed::Values, "seen with 2 values".to_owned()));
        assert_eq!(mmap[1].0, Allowed::Bits);
        assert!(mmap[1].1.starts_with("a flag word, seen with 2 values"));
        let strict = decided("mmap", &[&[(2, 1), (3, 2)]], Tightness::Strict);
        assert!(strict.iter().all(|(allowed, _)| *allowed == Allowed::Values));
        assert!(decided("read", &[], Tightness::Strict).is_empty());
    }

    #[test]
    fn what_stays_open_says_why() {
        let many: Vec<Vec<(u8, u64)>> = (0..20).map(|n| vec![(1, 6), (2, n)]).collect();
        let many: Vec<&[(u8, u64)]> = many.iter().map(Vec::as_slice).collect();
        let options = decided("setsockopt", &many, Tightness::Balanced);
        assert_eq!(options[0].0, Allowed::Values);
        assert_eq!(options[1].0, Allowed::Any);
        assert!(options[1].1.contains("too many combinations"), "{options:?}");
        let unknown = decided("ioctl", &[&[]], Tightness::Balanced);
        assert_eq!(unknown, [(Allowed::Any, "its values were not recorded".to_owned())]);
        let all = decided("mount", &[&[(3, u64::MAX)]], Tightness::Balanced);
        assert_eq!(all[0].0, Allowed::Any);
        assert_eq!(
            all[1],
            (Allowed::Any, "lies in memory, where no filter can read it (mount(2))".to_owned())
        );
        let clone3 = decided("clone3", &[], Tightness::Strict);
        assert!(clone3[0].1.contains("struct clone_args"), "{clone3:?}");
        let clone3 = decided("clone3", &[&[(6, 0x100)], &[(6, 0x1000_0000)]], Tightness::Strict);
        assert!(clone3[0].1.ends_with("; flags seen: CLONE_VM, CLONE_NEWUSER"), "{clone3:?}");
    }
}
