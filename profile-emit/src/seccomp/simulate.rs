//! What a profile answers to a call, without a kernel.

pub use learner::drift::side::Answer;
use tracer::abi::{Abi, calls};

use super::multiplexed;
use super::oci::{ALLOW, Arg, EPERM, ERRNO, Profile};
use super::rules::wide;

/// The answer to a call.
///
/// As runc and libseccomp have it: an entry without conditions replaces those with some for the same call, several entries are
/// alternatives, several conditions on one argument too, an entry that says what the default says is passed over, and what
/// nothing matches gets the default. Arguments have 32 bits where the ABI has no more. What i386 can do through `socketcall`
/// and `ipc` is allowed in both forms. A call of an architecture that the profile does not have kills the thread
/// (`SCMP_FLTATR_ACT_BADARCH`, seccomp_attr_set(3)).
pub fn simulate(profile: &Profile, abi: Abi, nr: u32, args: [u64; 6]) -> Answer {
    if !profile.abis().contains(&abi) {
        return Answer::Other("SCMP_ACT_KILL_THREAD".to_owned());
    }
    let default = answer(&profile.default_action, profile.default_errno_ret);
    let Some(name) = calls::name(abi, nr) else { return default };
    let mut matched = None;
    for entry in &profile.syscalls {
        let this = answer(&entry.action, entry.errno_ret);
        if this == default {
            continue;
        }
        for call in entry.calls() {
            if call == name {
                if entry.args.is_empty() {
                    return this;
                }
                if holds(&entry.args, abi, args) {
                    matched.get_or_insert(this.clone());
                }
            }
            if let Some((through, operation)) = multiplexed::through(abi, call)
                && through == name
                && args[0] & 0xffff_ffff == u64::from(operation)
            {
                let rest: Vec<Arg> =
                    entry.args.iter().filter(|arg| arg.index != 0).cloned().collect();
                if rest.is_empty() || holds(&rest, abi, args) {
                    matched.get_or_insert(this.clone());
                }
            }
        }
    }
    matched.unwrap_or(default)
}

fn holds(all: &[Arg], abi: Abi, args: [u64; 6]) -> bool {
    let width = if wide(abi) { u64::MAX } else { u64::from(u32::MAX) };
    let mut each = all.iter().map(|arg| {
        let arg = Arg { value: arg.value & width, value_two: arg.value_two & width, ..arg.clone() };
        args.get(arg.index as usize).is_some_and(|v| arg.holds(v & width) == Some(true))
    });
    let repeated =
        all.iter().any(|arg| all.iter().filter(|other| other.index == arg.index).count() > 1);
    if repeated { each.any(|one| one) } else { each.all(|one| one) }
}

/// What an action answers.
pub(super) fn answer(action: &str, errno: Option<u32>) -> Answer {
    match action {
        ALLOW => Answer::Allowed,
        ERRNO => Answer::Errno(errno.unwrap_or(EPERM)),
        other => Answer::Other(other.to_owned()),
    }
}
