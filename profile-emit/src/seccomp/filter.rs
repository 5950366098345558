//! A profile as the filter that the kernel runs. The only place that knows libseccomp.
//!
//! Native rules go in by number: the system's libseccomp may be older than the calls (2.5.4 knows none above 450 or so). Each
//! architecture gets a filter of its own, and the filters are merged.

use std::collections::BTreeSet;

use libseccomp::error::SeccompError;
use libseccomp::{
    ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall,
};
use tracer::abi::{Abi, calls};

use super::oci::{ALLOW, Arg, EPERM, ERRNO, Entry, Profile};

/// Why a profile is no filter.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// libseccomp refused.
    #[error("libseccomp refuses {what}: {source}")]
    Refused {
        /// What was asked of it.
        what: String,
        /// What it said.
        source: SeccompError,
    },
    /// The profile says something that is not known here.
    #[error("{what} {value:?} is not supported: expected {expected}")]
    Unsupported {
        /// Which field.
        what: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// The profile judges no architecture that is known here.
    #[error("the profile names no architecture of this machine in \"architectures\"")]
    NoArchitecture,
}

fn refused(what: impl Into<String>) -> impl FnOnce(SeccompError) -> FilterError {
    let what = what.into();
    move |source| FilterError::Refused { what, source }
}

/// What a filter answers where the profile's default applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// What the profile says.
    Profile,
    /// A notification to a supervisor, who is to answer what the profile says. Calls of an architecture that the profile does
    /// not have are notified as well, where they would kill otherwise.
    Notify,
}

/// Makes the filter. `notified` are calls that go to the supervisor too, whatever the profile says of them.
///
/// # Errors
/// See [`FilterError`].
pub fn compile(
    profile: &Profile,
    default: Default,
    notified: &[&str],
) -> Result<ScmpFilterContext, FilterError> {
    let default = match default {
        Default::Profile => action(&profile.default_action, profile.default_errno_ret)?,
        Default::Notify => ScmpAction::Notify,
    };
    let mut whole: Option<ScmpFilterContext> = None;
    for abi in profile.abis() {
        let one = for_abi(profile, abi, default, notified)?;
        match &mut whole {
            Some(whole) => {
                whole.merge(one).map_err(refused("to merge architectures"))?;
            }
            None => whole = Some(one),
        }
    }
    whole.ok_or(FilterError::NoArchitecture)
}

/// The numbers of calls that reach the supervisor by default may be made under any ABI.
fn for_abi(
    profile: &Profile,
    abi: Abi,
    default: ScmpAction,
    notified: &[&str],
) -> Result<ScmpFilterContext, FilterError> {
    let arch = match abi {
        Abi::X86_64 => ScmpArch::X8664,
        Abi::I386 => ScmpArch::X86,
        Abi::X32 => ScmpArch::X32,
        Abi::Aarch64 => ScmpArch::Aarch64,
    };
    let mut filter = ScmpFilterContext::new(default).map_err(refused("a new filter"))?;
    if arch != ScmpArch::native() {
        filter
            .remove_arch(ScmpArch::native())
            .map_err(refused("to remove the native architecture"))?;
        filter.add_arch(arch).map_err(refused(format!("architecture {abi}")))?;
    }
    if default == ScmpAction::Notify {
        // Calls of other architectures are refused too, and whoever is notified wants to know of all that is.
        filter.set_act_badarch(default).map_err(refused("a notification of foreign calls"))?;
    }
    // The launcher decides about no_new_privs; the filter must not.
    filter.set_ctl_nnp(false).map_err(refused("to leave no_new_privs alone"))?;
    for entry in &profile.syscalls {
        let action = action(&entry.action, entry.errno_ret)?;
        if action == default {
            continue;
        }
        let alternatives = alternatives(entry)?;
        for name in entry.calls().filter(|name| !notified.contains(name)) {
            let Some(number) = number(abi, name) else { continue };
            for conditions in &alternatives {
                add(&mut filter, action, number, conditions, name)?;
            }
        }
    }
    if default != ScmpAction::Notify {
        for name in notified {
            if let Some(number) = number(abi, name) {
                filter
                    .add_rule(ScmpAction::Notify, number)
                    .map_err(refused(format!("a notification of {name}")))?;
            }
        }
    }
    Ok(filter)
}

/// The conditions of an entry. libseccomp takes one an argument; several are alternatives, as runc has it (libcontainer/seccomp,
/// `matchCall`).
fn alternatives(entry: &Entry) -> Result<Vec<Vec<ScmpArgCompare>>, FilterError> {
    let all = entry.args.iter().map(condition).collect::<Result<Vec<_>, _>>()?;
    let indices: BTreeSet<u32> = entry.args.iter().map(|arg| arg.index).collect();
    if indices.len() < all.len() {
        return Ok(all.into_iter().map(|one| vec![one]).collect());
    }
    Ok(vec![all])
}

fn add(
    filter: &mut ScmpFilterContext,
    action: ScmpAction,
    number: ScmpSyscall,
    conditions: &[ScmpArgCompare],
    name: &str,
) -> Result<(), FilterError> {
    let added = if conditions.is_empty() {
        filter.add_rule(action, number)
    } else {
        filter.add_rule_conditional(action, number, conditions)
    };
    added.map(|_| ()).map_err(refused(format!("the rule for {name}")))
}

/// The number by which libseccomp is told of a call, if the ABI has it.
///
/// libseccomp takes native numbers whatever the filter's architecture, and translates them by name; for calls that only another
/// architecture has it has negative numbers of its own (seccomp_rule_add(3), "pseudo syscall numbers"). A call of another
/// architecture that this libseccomp does not know yet can't be allowed: the default applies to it.
fn number(abi: Abi, name: &str) -> Option<ScmpSyscall> {
    let number = calls::number(abi, name)?;
    if abi == Abi::NATIVE {
        i32::try_from(number).ok().map(ScmpSyscall::from)
    } else {
        ScmpSyscall::from_name(name).ok()
    }
}

fn action(name: &str, errno: Option<u32>) -> Result<ScmpAction, FilterError> {
    let errno = i32::try_from(errno.unwrap_or(EPERM)).unwrap_or(libc_eperm());
    Ok(match name {
        ALLOW => ScmpAction::Allow,
        ERRNO => ScmpAction::Errno(errno),
        "SCMP_ACT_LOG" => ScmpAction::Log,
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => ScmpAction::KillThread,
        "SCMP_ACT_KILL_PROCESS" => ScmpAction::KillProcess,
        "SCMP_ACT_TRAP" => ScmpAction::Trap,
        other => {
            return Err(FilterError::Unsupported {
                what: "the action",
                value: other.to_owned(),
                expected: "SCMP_ACT_ALLOW, ERRNO, LOG, KILL, KILL_THREAD, KILL_PROCESS or TRAP",
            });
        }
    })
}

const fn libc_eperm() -> i32 {
    1
}

fn condition(arg: &Arg) -> Result<ScmpArgCompare, FilterError> {
    let op = match arg.op.as_str() {
        "SCMP_CMP_NE" => ScmpCompareOp::NotEqual,
        "SCMP_CMP_LT" => ScmpCompareOp::Less,
        "SCMP_CMP_LE" => ScmpCompareOp::LessOrEqual,
        "SCMP_CMP_EQ" => ScmpCompareOp::Equal,
        "SCMP_CMP_GE" => ScmpCompareOp::GreaterEqual,
        "SCMP_CMP_GT" => ScmpCompareOp::Greater,
        "SCMP_CMP_MASKED_EQ" => {
            return Ok(ScmpArgCompare::new(
                arg.index,
                ScmpCompareOp::MaskedEqual(arg.value),
                arg.value_two,
            ));
        }
        other => {
            return Err(FilterError::Unsupported {
                what: "the comparison",
                value: other.to_owned(),
                expected: "SCMP_CMP_NE, LT, LE, EQ, GE, GT or MASKED_EQ",
            });
        }
    };
    Ok(ScmpArgCompare::new(arg.index, op, arg.value))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};

    use super::*;

    /// The filter in libseccomp's words.
    fn words(architecture: &str, names: &[&str]) -> String {
        words_with(architecture, names, Default::Profile, &[])
    }

    fn words_with(
        architecture: &str,
        names: &[&str],
        default: Default,
        notified: &[&str],
    ) -> String {
        let profile = Profile {
            default_action: ERRNO.to_owned(),
            architectures: vec![architecture.to_owned()],
            syscalls: vec![Entry {
                names: names.iter().map(|name| (*name).to_owned()).collect(),
                action: ALLOW.to_owned(),
                ..Entry::default()
            }],
            ..Profile::default()
        };
        let filter = compile(&profile, default, notified).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        filter.export_pfc(&file).unwrap();
        file.rewind().unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn each_architecture_has_its_own_numbers() {
        // arch/x86/entry/syscalls/syscall_{32,64}.tbl
        let names = ["getrandom", "getuid", "ftruncate64", "socketcall"];
        let native = words("SCMP_ARCH_X86_64", &names);
        for (number, there) in [(318, true), (102, true), (355, false), (24, false), (194, false)] {
            assert_eq!(native.contains(&format!("$syscall == {number})")), there, "{native}");
        }
        let other = words("SCMP_ARCH_X86", &names);
        for (number, there) in [(355, true), (24, true), (194, true), (102, true), (318, false)] {
            assert_eq!(other.contains(&format!("$syscall == {number})")), there, "{other}");
        }
        let x32 = words("SCMP_ARCH_X32", &names);
        // Calls of x32 have bit 30.
        assert!(x32.contains("$syscall == 1073742142)"), "{x32}");
    }

    #[test]
    fn a_supervisor_is_notified_of_all_that_is_refused() {
        let names = ["getuid", "execve"];
        let plain = words("SCMP_ARCH_X86_64", &names);
        assert!(plain.contains("KILL") && plain.contains("ERRNO"), "{plain}");
        // Foreign architectures included: nothing kills behind the supervisor's back.
        let notifying = words_with("SCMP_ARCH_X86_64", &names, Default::Notify, &["execve"]);
        // libseccomp before 2.6 prints the number of SECCOMP_RET_USER_NOTIF (linux/seccomp.h).
        let notified =
            notifying.matches("NOTIFY").count() + notifying.matches("0x7fc00000").count();
        assert_eq!(notified, 2, "{notifying}");
        assert!(!notifying.contains("KILL") && !notifying.contains("ERRNO"), "{notifying}");
        // What is notified is not allowed by a rule: execve is 59, getuid 102.
        assert!(notifying.contains("$syscall == 102)"), "{notifying}");
        assert!(!notifying.contains("$syscall == 59)"), "{notifying}");
    }
}
