//! The kernel's answers are the simulator's.

use profile_emit::seccomp::emit;
use profile_emit::seccomp::oci::{ALLOW, ERRNO, Profile};
use proptest::prelude::*;
use tracer::abi::{Abi, calls};

use crate::child::{self, killed_by};
use crate::{Call, arbitrary, by_learn, by_libseccomp, simulated};

/// Errors that no call returns by itself, for what would be allowed and for the default.
const ALLOWED: u32 = 4001;
const REFUSED: u32 = 4002;

/// The profile with an error in place of what lets calls pass: the decisions are the same, and any call can be asked for.
fn harmless(mut profile: Profile) -> Profile {
    for entry in &mut profile.syscalls {
        if entry.action == ALLOW {
            (entry.action, entry.errno_ret) = (ERRNO.to_owned(), Some(ALLOWED));
        }
    }
    profile.default_errno_ret = Some(REFUSED);
    profile
}

/// `uretprobe` and `uprobe` of x86_64: newer kernels ask no filter about them (kernel/seccomp.c, `seccomp_uprobe_exception`).
const NEVER_ASKED: [u32; 2] = [335, 336];

/// Calls of the ABIs that the profile judges: others are killed for.
fn judged(profile: &Profile, calls: &[arbitrary::Asking]) -> Vec<Call> {
    let abis = profile.abis();
    let asked = |call: &Call| {
        let exempt = call.abi == Abi::X86_64 && NEVER_ASKED.contains(&call.nr);
        abis.contains(&call.abi) && !exempt
    };
    calls.iter().map(|call| call.of(profile)).filter(asked).collect()
}

fn agrees(profile: Profile, calls: &[arbitrary::Asking]) -> Result<(), TestCaseError> {
    let profile = harmless(profile);
    let calls = judged(&profile, calls);
    for program in [by_learn(&profile), by_libseccomp(&profile)] {
        let results = child::results(&[&program], &calls);
        for (call, result) in calls.iter().zip(results) {
            let wanted = simulated(&profile, *call) & 0xffff;
            prop_assert_eq!(result, -i64::from(wanted), "{:x?}", call);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn emitted_profiles_mean_to_the_kernel_what_they_mean_here(
        policy in arbitrary::policy(&[Abi::X86_64, Abi::I386, Abi::X32], 40),
        calls in prop::collection::vec(arbitrary::call(), 400),
    ) {
        agrees(emit(&policy).0, &calls)?;
    }

    #[test]
    fn foreign_profiles_mean_to_the_kernel_what_they_mean_here(
        profile in arbitrary::profile(),
        calls in prop::collection::vec(arbitrary::call(), 400),
    ) {
        agrees(profile, &calls)?;
    }
}

fn profile(architectures: &[&str], names: &[&str]) -> Profile {
    let entry = profile_emit::seccomp::oci::Entry {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        action: ALLOW.to_owned(),
        ..Default::default()
    };
    Profile {
        default_action: ERRNO.to_owned(),
        architectures: architectures.iter().map(|name| (*name).to_owned()).collect(),
        syscalls: vec![entry],
        ..Profile::default()
    }
}

/// Without the error in place of what is allowed: calls that nothing refuses are made.
#[test]
fn what_is_allowed_is_made() {
    let profile = profile(&["SCMP_ARCH_X86_64"], &["getpid", "close"]);
    let call = |name, first| {
        let nr = calls::number(Abi::X86_64, name).unwrap();
        Call { abi: Abi::X86_64, nr, args: [first, 0, 0, 0, 0, 0] }
    };
    let all = [call("getpid", 0), call("close", u64::MAX), call("getppid", 0), call("dup", 0)];
    for program in [by_learn(&profile), by_libseccomp(&profile)] {
        let results = child::results(&[&program], &all);
        assert!(results[0] > 0, "{results:?}");
        assert_eq!(results[1..], [-i64::from(libc::EBADF), -1, -1]);
    }
}

#[test]
fn a_foreign_call_kills() {
    let profile = profile(&["SCMP_ARCH_X86_64"], &["getpid"]);
    let nr = calls::number(Abi::I386, "getpid").unwrap();
    let call = Call { abi: Abi::I386, nr, args: [0; 6] };
    for program in [by_learn(&profile), by_libseccomp(&profile)] {
        assert_eq!(killed_by(&program, call), libc::SIGSYS);
    }
}
