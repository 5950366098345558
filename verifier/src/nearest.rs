//! The rule of a seccomp profile that nearly allowed a call, and the one that would.

use profile_emit::seccomp::oci::{ALLOW, Arg, Entry, Profile};
use tracer::abi::{Abi, arguments};
use tracer::decode::{Call, low};

use crate::lines::Lines;
use crate::report::Near;

/// The name of the file, in the directory.
use profile_emit::bundle::SECCOMP;

/// The rule that nearly allowed the call.
pub(crate) fn near(profile: &Profile, lines: &Lines, call: &Call) -> Near {
    let at = |line, why| Near { file: SECCOMP.to_owned(), line, why };
    if !profile.abis().contains(&call.abi) {
        return at(lines.architectures, format!("{} is none of the architectures", call.abi));
    }
    let Some(name) = call.name() else {
        return at(lines.default, format!("call {} has no name, and rules name calls", call.nr));
    };
    let entries = profile.syscalls.iter().zip(0..).filter(|(e, _)| e.calls().any(|c| c == name));
    // The rule of which the fewest conditions fail, in the fewest bits; the first of equals.
    let nearest = entries.min_by_key(|(entry, _)| {
        let failing = failing(entry, call);
        let bits: u32 = failing.iter().map(|(_, arg)| difference(arg, call)).sum();
        (entry.action != ALLOW, failing.len(), bits)
    });
    let Some((entry, position)) = nearest else {
        return at(lines.default, format!("no rule names {name}: the default applies"));
    };
    let place = lines.entries.get(position).cloned().unwrap_or_default();
    if entry.action != ALLOW {
        return at(place.of(name), format!("this rule answers {name} with {}", entry.action));
    }
    match failing(entry, call).first() {
        None => at(place.of(name), format!("another rule for {name} decides before this one")),
        Some((which, arg)) => {
            let line = place.conditions.get(*which).copied().unwrap_or(place.line);
            at(line, why(arg, call))
        }
    }
}

/// The conditions of an entry that do not hold, with their positions.
fn failing<'a>(entry: &'a Entry, call: &Call) -> Vec<(usize, &'a Arg)> {
    entry
        .args
        .iter()
        .enumerate()
        .filter(|(_, arg)| arg.holds(value(arg, call)) != Some(true))
        .collect()
}

fn value(arg: &Arg, call: &Call) -> u64 {
    call.args.get(arg.index as usize).copied().unwrap_or_default()
}

/// In how many bits a value is not what a condition wants.
fn difference(arg: &Arg, call: &Call) -> u32 {
    match arg.op.as_str() {
        "SCMP_CMP_MASKED_EQ" => ((value(arg, call) & arg.value) ^ arg.value_two).count_ones(),
        _ => (value(arg, call) ^ arg.value).count_ones(),
    }
}

fn why(arg: &Arg, call: &Call) -> String {
    let name = call.name().unwrap_or_default();
    let known = arguments::of(call.abi, name);
    let known = known.iter().find(|known| u32::from(known.index) == arg.index);
    let argument = known.map_or_else(
        || format!("argument {}", arg.index),
        |known| format!("argument {} ({})", arg.index, known.name),
    );
    let value = value(arg, call);
    match arg.op.as_str() {
        "SCMP_CMP_MASKED_EQ" if arg.value_two == 0 && arg.value != 0xffff_ffff => {
            format!("{argument} has the bits {:#x} too", value & arg.value)
        }
        "SCMP_CMP_MASKED_EQ" => {
            format!("{argument} is {:#x}, not {:#x}", value & arg.value, arg.value_two)
        }
        other => {
            let op = other.strip_prefix("SCMP_CMP_").unwrap_or(other);
            format!("{argument} is {value:#x}, and {op} {:#x} does not hold", arg.value)
        }
    }
}

/// The rule that would allow the call and no other arguments that mean something.
pub(crate) fn allowing(call: &Call) -> String {
    let Some(name) = call.name() else { return String::new() };
    // The filter sees the number of the operation; what it points to it does not see.
    let args = conditions(call.abi, name, call);
    let entry =
        Entry { names: vec![name.to_owned()], action: ALLOW.to_owned(), args, ..Entry::default() };
    // The type holds nothing that serde_json could refuse.
    serde_json::to_string(&entry).unwrap_or_default()
}

fn conditions(abi: Abi, name: &str, call: &Call) -> Vec<Arg> {
    arguments::of(abi, name)
        .iter()
        .map(|argument| Arg {
            index: u32::from(argument.index),
            value: u64::from(argument.mask),
            value_two: u64::from(low(call.args[usize::from(argument.index)]) & argument.mask),
            op: "SCMP_CMP_MASKED_EQ".to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracer::abi::calls;

    const PROFILE: &str = r#"{
  "defaultAction": "SCMP_ACT_ERRNO",
  "architectures": ["SCMP_ARCH_X86_64"],
  "syscalls": [
    {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
      {"index": 0, "value": 4294967295, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"},
      {"index": 1, "value": 15, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}]},
    {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
      {"index": 0, "value": 4294967295, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}]},
    {"names": ["mprotect"], "action": "SCMP_ACT_ALLOW", "args": [
      {"index": 2, "value": 4294967292, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
    {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
  ]
}"#;

    fn of(abi: Abi, name: &str, args: [u64; 6]) -> Near {
        let profile = Profile::from_json(PROFILE.as_bytes()).unwrap();
        let nr = calls::number(abi, name).unwrap();
        near(&profile, &Lines::of(PROFILE.as_bytes()), &Call { abi, nr, args, result: None })
    }

    #[test]
    fn the_rule_that_differs_least_is_named_with_its_line() {
        let native = |name, args| {
            let near = of(Abi::X86_64, name, args);
            (near.line, near.why)
        };
        let line = |line: usize, why: &str| (line, why.to_owned());
        assert_eq!(
            native("socket", [2, 2, 0, 0, 0, 0]),
            line(8, "argument 1 (type) is 0x2, not 0x1")
        );
        assert_eq!(
            native("socket", [3, 2, 0, 0, 0, 0]),
            line(10, "argument 0 (domain) is 0x3, not 0x1"),
            "one condition fails, and two of the other"
        );
        assert_eq!(
            native("mprotect", [0, 0, 7, 0, 0, 0]),
            line(12, "argument 2 (prot) has the bits 0x4 too")
        );
        assert_eq!(native("write", [0; 6]), line(2, "no rule names write: the default applies"));
        assert_eq!(
            native("clone3", [0; 6]),
            line(13, "this rule answers clone3 with SCMP_ACT_ERRNO")
        );
        assert_eq!(of(Abi::I386, "read", [0; 6]).line, 3);
    }

    #[test]
    fn the_rule_that_would_allow_it_does() {
        let nr = calls::number(Abi::X86_64, "socket").unwrap();
        let args = [38, 5 | 0o2_000_000, 0, 0, 0, 0];
        let call = Call { abi: Abi::X86_64, nr, args, result: None };
        let mut profile = Profile::from_json(PROFILE.as_bytes()).unwrap();
        let answer = |profile: &Profile, args| {
            profile_emit::seccomp::simulate(profile, call.abi, call.nr, args)
        };
        assert_ne!(answer(&profile, args), profile_emit::seccomp::Answer::Allowed);
        profile.syscalls.push(serde_json::from_str(&allowing(&call)).unwrap());
        let high = args.map(|arg| arg | 0xffff_ffff << 32);
        // The condition compares low halves, as the profile's own rules do.
        for args in [args, high] {
            assert_eq!(answer(&profile, args), profile_emit::seccomp::Answer::Allowed);
        }
        assert_ne!(answer(&profile, [38, 2, 0, 0, 0, 0]), profile_emit::seccomp::Answer::Allowed);
    }
}
