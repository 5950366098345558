//! Conditions for a person.

use tracer::abi::arguments::{Argument, Shape};
use tracer::abi::{Abi, arguments, symbols};

use crate::policy::{CallRule, Condition};

/// The argument that a condition is about.
pub(super) fn argument(abi: Abi, call: &str, index: u8) -> Option<&'static Argument> {
    arguments::of(abi, call).iter().find(|argument| argument.index == index)
}

/// `domain = AF_UNIX`, `flags: only O_CREAT|O_WRONLY`.
pub(super) fn condition(abi: Abi, call: &str, condition: &Condition) -> String {
    let Condition { index, mask, value } = *condition;
    let Some(argument) = argument(abi, call, index) else {
        return format!("argument {index} & {mask:#x} = {value:#x}");
    };
    let open = argument.mask & !mask;
    let bits = |bits| symbols::spell_bits(call, argument, bits);
    let name = argument.name;
    if open == 0 {
        return format!("{name} = {}", symbols::spell(call, argument, value));
    }
    if argument.shape == Shape::Flags && value == 0 {
        // Whichever is shorter: what may be set, or what may not.
        return if open.count_ones() > (mask & argument.mask).count_ones() {
            format!("{name}: without {}", bits(mask & argument.mask))
        } else {
            format!("{name}: only {}", bits(open))
        };
    }
    format!("{name} = {}, whatever {} is", symbols::spell(call, argument, value), bits(open))
}

/// A rule with one of its alternatives, or without.
pub(super) fn rule(call: &CallRule, all: &[Condition]) -> String {
    let name = call.name.clone().unwrap_or_else(|| call.nr.to_string());
    if all.is_empty() {
        return format!("{name} ({}), any arguments", call.abi);
    }
    let words: Vec<String> = all.iter().map(|one| condition(call.abi, &name, one)).collect();
    format!("{name} ({}), when {}", call.abi, words.join(", "))
}
