//! Argument tests for a person.

use tracer::abi::{Abi, arguments, symbols};
use tracer::decode::low;

use super::arguments::{ARGUMENTS, Alternative, Compare, Test, Vectors};

/// Between alternatives.
pub const OR: &str = "; or ";

/// The low half of a register: all that a meaningful argument has.
const LOW: u64 = 0xffff_ffff;

/// `allowed when domain = AF_UNIX, type = SOCK_STREAM; or …`: in which state a call is, and with which arguments.
pub(super) fn vectors(abi: Abi, call: &str, state: &str, set: &Vectors) -> String {
    if set.is_all() {
        return state.to_owned();
    }
    let alternative = |all: &Alternative| {
        all.iter().map(|one| test(abi, call, one)).collect::<Vec<_>>().join(", ")
    };
    let words: Vec<String> = set.0.iter().map(alternative).collect();
    format!("{state} when {}", words.join(OR))
}

fn test(abi: Abi, call: &str, test: &Test) -> String {
    let sign = if test.holds { "=" } else { "≠" };
    let known = arguments::of(abi, call).iter().find(|argument| argument.index == test.index);
    let name = known.map_or_else(|| format!("argument {}", test.index), |a| a.name.to_owned());
    let (mask, value) = match test.compare {
        Compare::Masked { mask, value } => (mask, value),
        Compare::Below(limit) => {
            return format!("{name} {} {limit:#x}", if test.holds { "<" } else { "≥" });
        }
    };
    let Some(argument) = known.filter(|_| mask & !LOW == 0 || mask == u64::MAX) else {
        return match mask {
            u64::MAX => format!("{name} {sign} {value:#x}"),
            mask => format!("{name} & {mask:#x} {sign} {value:#x}"),
        };
    };
    let (mask, value) = (low(mask), low(value));
    if mask & argument.mask == argument.mask {
        return format!("{name} {sign} {}", symbols::spell(call, argument, value));
    }
    if value == 0 && test.holds {
        let open = symbols::spell_bits(call, argument, argument.mask & !mask);
        let refused = symbols::spell_bits(call, argument, argument.mask & mask);
        return if open.len() < refused.len() {
            format!("{name}: only {open}")
        } else {
            format!("{name}: without {refused}")
        };
    }
    if test.holds {
        let (is, open) = (symbols::spell(call, argument, value), argument.mask & !mask);
        return format!("{name} = {is}, whatever {} is", symbols::spell_bits(call, argument, open));
    }
    format!("{name} & {mask:#x} ≠ {value:#x}")
}

/// A call with arguments: those that mean something, or those that are not 0.
pub(super) fn example(abi: Abi, call: &str, vector: [u64; ARGUMENTS]) -> String {
    let value = |index: u8| vector.get(usize::from(index)).copied().unwrap_or_default();
    let known = symbols::spell_all(abi, call, value);
    let words = match known.is_empty() {
        false => known,
        true => {
            let last = vector.iter().rposition(|value| *value != 0).map_or(0, |at| at + 1);
            vector.iter().take(last).map(|value| format!("{value:#x}")).collect()
        }
    };
    format!("{call}({})", words.join(", "))
}
