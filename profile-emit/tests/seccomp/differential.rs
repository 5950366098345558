//! The simulator, this crate's BPF, libseccomp's BPF and seccompiler's, on any policy and any call.

use std::collections::BTreeMap;

use profile_emit::seccomp::bpf::{MOST, Program};
use profile_emit::seccomp::emit;
use profile_emit::seccomp::oci::{ALLOW, Profile};
use profile_emit::seccomp::{Action, bpf};
use proptest::prelude::*;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};
use tracer::abi::{Abi, calls};

use crate::arbitrary::{self, Asking};
use crate::{Call, by_learn, by_libseccomp, judged, simulated};

/// All agree, but for what libseccomp can't know.
fn agree(profile: &Profile, calls: &[Asking]) -> Result<(), TestCaseError> {
    let (ours, theirs) = (by_learn(profile), by_libseccomp(profile));
    for call in calls {
        let call = call.of(profile);
        let wanted = simulated(profile, call);
        prop_assert_eq!(judged(&ours, call), wanted, "ours: {:x?}", call);
        prop_assert_eq!(judged(&theirs, call), wanted, "libseccomp: {:x?}", call);
    }
    Ok(())
}

/// The profile by seccompiler: one answer for what matches, arguments of 32 bits.
fn by_seccompiler(profile: &Profile) -> Program {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for entry in profile.syscalls.iter().filter(|entry| entry.action == ALLOW) {
        for name in entry.calls() {
            let number = i64::from(calls::number(Abi::X86_64, name).unwrap());
            let conditions: Vec<SeccompCondition> = entry
                .args
                .iter()
                .map(|arg| {
                    let index = u8::try_from(arg.index).unwrap();
                    let op = SeccompCmpOp::MaskedEq(arg.value);
                    SeccompCondition::new(index, SeccompCmpArgLen::Dword, op, arg.value_two)
                        .unwrap()
                })
                .collect();
            let rules = rules.entry(number).or_default();
            if !conditions.is_empty() {
                rules.push(SeccompRule::new(conditions).unwrap());
            }
        }
    }
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Errno(1),
        SeccompAction::Allow,
        TargetArch::x86_64,
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    let instruction = |i: &seccompiler::sock_filter| bpf::Instruction {
        code: i.code,
        jt: i.jt,
        jf: i.jf,
        k: i.k,
    };
    Program(program.iter().map(instruction).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn emitted_profiles_mean_the_same_everywhere(
        policy in arbitrary::policy(&[Abi::X86_64, Abi::I386, Abi::X32], 60),
        calls in prop::collection::vec(arbitrary::call(), 200),
    ) {
        agree(&emit(&policy).0, &calls)?;
    }

    #[test]
    fn foreign_profiles_mean_the_same_everywhere(
        profile in arbitrary::profile(),
        calls in prop::collection::vec(arbitrary::call(), 200),
    ) {
        agree(&profile, &calls)?;
    }

    #[test]
    fn seccompiler_agrees_where_it_can_say_the_same(
        policy in arbitrary::policy(&[Abi::X86_64], 60),
        calls in prop::collection::vec(arbitrary::call(), 100),
    ) {
        let mut profile = emit(&policy).0;
        profile.syscalls.retain(|entry| entry.action == ALLOW);
        let (ours, theirs) = (by_learn(&profile), by_seccompiler(&profile));
        for call in calls {
            let call = call.of(&profile);
            // It kills calls of other ABIs by the process.
            if call.abi == Abi::X86_64 {
                prop_assert_eq!(judged(&theirs, call), judged(&ours, call), "{:x?}", call);
            }
        }
    }

    #[test]
    fn no_argument_is_compared_twice_in_an_entry(policy in arbitrary::policy(&[Abi::X86_64, Abi::I386], 60)) {
        for entry in emit(&policy).0.syscalls {
            let indices: Vec<u32> = entry.args.iter().map(|arg| arg.index).collect();
            prop_assert!(indices.is_sorted_by(|a, b| a < b), "{:?}", entry);
        }
    }
}

/// A profile of every call, each with conditions of its own: jumps are far longer than 255 instructions.
#[test]
fn a_program_with_long_jumps_answers_right() {
    let names = arbitrary::known(Abi::X86_64);
    let entries = names.iter().zip(0_u64..).flat_map(|(name, n)| {
        [0, 1].map(|more| profile_emit::seccomp::oci::Entry {
            names: vec![(*name).to_owned()],
            action: ALLOW.to_owned(),
            args: vec![profile_emit::seccomp::oci::Arg {
                index: u32::try_from(n % 6).unwrap(),
                value: 0xffff_ffff,
                value_two: n * 2 + more,
                op: "SCMP_CMP_MASKED_EQ".to_owned(),
            }],
            ..Default::default()
        })
    });
    let profile = Profile {
        default_action: "SCMP_ACT_ERRNO".to_owned(),
        architectures: vec!["SCMP_ARCH_X86_64".to_owned()],
        syscalls: entries.collect(),
        ..Profile::default()
    };
    let (ours, theirs) = (by_learn(&profile), by_libseccomp(&profile));
    assert!(ours.0.len() > 1000 && ours.0.len() <= MOST, "{}", ours.0.len());
    let mut most = 0;
    for (name, n) in names.iter().zip(0_u64..) {
        let nr = calls::number(Abi::X86_64, name).unwrap();
        for value in [2 * n, 2 * n + 1, 2 * n + 2, 2 * n + (7 << 32)] {
            let mut args = [u64::MAX; 6];
            args[usize::try_from(n % 6).unwrap()] = value;
            let call = Call { abi: Abi::X86_64, nr, args };
            let wanted = simulated(&profile, call);
            assert_eq!(wanted == Action::Allow.code(), value != 2 * n + 2, "{name} {value}");
            assert_eq!(judged(&ours, call), wanted, "{name} {value}");
            assert_eq!(judged(&theirs, call), wanted, "{name} {value}");
            most = most.max(bpf::interpret::run(&ours, &call.asked()).unwrap().1);
        }
    }
    // A binary search: far fewer than one comparison a call.
    assert!(most < 40, "{most} instructions executed");
}

#[test]
fn what_the_kernel_would_not_take_is_refused() {
    let names = arbitrary::known(Abi::X86_64);
    let entries = (0..5000_u64).map(|n| profile_emit::seccomp::oci::Entry {
        names: vec![names[usize::try_from(n).unwrap() % names.len()].to_owned()],
        action: ALLOW.to_owned(),
        args: vec![profile_emit::seccomp::oci::Arg {
            index: 1,
            value: n,
            value_two: 0,
            op: "SCMP_CMP_EQ".to_owned(),
        }],
        ..Default::default()
    });
    let mut profile = Profile {
        default_action: "SCMP_ACT_ERRNO".to_owned(),
        architectures: vec!["SCMP_ARCH_X86_64".to_owned()],
        syscalls: entries.collect(),
        ..Profile::default()
    };
    assert!(matches!(bpf::compile(&profile), Err(bpf::BpfError::TooLong(n)) if n > MOST));
    profile.syscalls.truncate(1);
    profile.syscalls[0].args[0].op = "SCMP_CMP_ALMOST".to_owned();
    assert!(matches!(bpf::compile(&profile), Err(bpf::BpfError::Unsupported(_))));
    profile.architectures = vec!["SCMP_ARCH_PARISC".to_owned()];
    assert_eq!(bpf::compile(&profile), Err(bpf::BpfError::NoArchitecture));
}
