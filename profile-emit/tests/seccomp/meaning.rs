//! What a profile allows, for comparing it: as the simulator has it; and differences between profiles are those of their answers.

use std::collections::BTreeSet;

use learner::drift::Drift;
use learner::drift::side::{Outcome, Side};
use profile_emit::seccomp::meaning::{Context, MeaningError, planes, unread};
use profile_emit::seccomp::oci::Profile;
use profile_emit::seccomp::{emit, simulate};
use proptest::prelude::*;
use tracer::abi::{Abi, calls};

use crate::arbitrary::{self, Asking};

fn context() -> Context {
    Context { capabilities: BTreeSet::new(), architecture: "amd64".to_owned(), kernel: (6, 1) }
}

fn side(profile: &Profile) -> Side {
    Side { calls: Some(planes(profile, &context()).unwrap()), ..Side::default() }
}

/// Profiles with every kind of answer, to what is named and to what is not.
fn answering() -> impl Strategy<Value = Profile> {
    let actions = vec![
        "SCMP_ACT_ALLOW",
        "SCMP_ACT_ERRNO",
        "SCMP_ACT_LOG",
        "SCMP_ACT_NOTIFY",
        "SCMP_ACT_TRACE",
        "SCMP_ACT_KILL_PROCESS",
    ];
    let action = prop::sample::select(actions);
    (arbitrary::profile(), prop::collection::vec(action, 21)).prop_map(|(mut profile, actions)| {
        let mut actions = actions.into_iter();
        let mut set = |action: &mut String| *action = actions.next().unwrap().to_owned();
        set(&mut profile.default_action);
        profile.syscalls.iter_mut().for_each(|entry| set(&mut entry.action));
        for entry in &mut profile.syscalls {
            entry.errno_ret = profile.default_errno_ret;
        }
        profile
    })
}

/// What i386 does through others is told of the calls themselves.
const MULTIPLEXERS: [&str; 2] = ["ipc", "socketcall"];

proptest! {
    #[test]
    fn the_meaning_is_what_the_simulator_answers(
        profile in answering(),
        asked in prop::collection::vec(arbitrary::call(), 60),
    ) {
        let side = side(&profile);
        for asking in asked {
            let call = asking.of(&profile);
            let name = calls::name(call.abi, call.nr).filter(|name| !MULTIPLEXERS.contains(name));
            let plane = side.calls.as_ref().unwrap().get(&call.abi);
            let (Some(name), Some(plane)) = (name, plane) else { continue };
            let meant = plane.call(name);
            let answered = simulate(&profile, call.abi, call.nr, call.args);
            let narrow = matches!(call.abi, Abi::I386 | Abi::X32);
            let args = if narrow { call.args.map(|arg| arg & 0xffff_ffff) } else { call.args };
            prop_assert_eq!(meant.allowed.holds(args), answered.outcome() == Outcome::Made, "{:x?}", call);
            prop_assert_eq!(meant.asked.holds(args), answered.outcome() == Outcome::Asked, "{:x?}", call);
            if answered.outcome() == Outcome::Refused {
                prop_assert_eq!(meant.otherwise.outcome(), Outcome::Refused, "{:x?}", call);
            }
        }
    }


    /// What is allowed now and was not is in a difference that widens, and the other way round; nothing differs from itself.
    #[test]
    fn differences_are_those_of_the_answers(
        old in answering(),
        new in answering(),
        asked in prop::collection::vec(arbitrary::call(), 60),
    ) {
        use learner::drift::Direction::{Changed, Narrowed, Widened};
        use learner::drift::side::Kind;
        let sides = [side(&old), side(&new)];
        prop_assert_eq!(Drift::between(&sides[0], &sides[0]), Drift::default());
        let there = Drift::between(&sides[0], &sides[1]);
        let back = Drift::between(&sides[1], &sides[0]);
        let only = |drift: &Drift, direction| -> BTreeSet<(Kind, String)> {
            let differences = drift.differences.iter().filter(|d| d.direction == direction);
            differences.map(|d| (d.kind, d.what.clone())).collect()
        };
        prop_assert_eq!(only(&there, Widened), only(&back, Narrowed));
        prop_assert_eq!(only(&there, Narrowed), only(&back, Widened));
        prop_assert_eq!(only(&there, Changed), only(&back, Changed));
        let widening: BTreeSet<(Kind, String)> =
            there.excess().map(|d| (d.kind, d.what.clone())).collect();
        let asked: Vec<_> = asked.iter().flat_map(|a: &Asking| [a.of(&old), a.of(&new)]).collect();
        for call in asked {
            let Some(name) = calls::name(call.abi, call.nr).filter(|n| !MULTIPLEXERS.contains(n)) else { continue };
            let [before, after] =
                [&old, &new].map(|profile| simulate(profile, call.abi, call.nr, call.args).outcome());
            if after > before {
                let named = sides.iter().any(|side| {
                    side.calls.as_ref().unwrap().get(&call.abi).is_some_and(|plane| plane.calls.contains_key(name))
                });
                let told = match named {
                    true => (Kind::Call, format!("{} {name}", call.abi)),
                    false => (Kind::Default, call.abi.name().to_owned()),
                };
                prop_assert!(widening.contains(&told), "{call:x?}: {told:?}");
            }
        }
    }


    /// What lies within something that lies within a third lies within that.
    #[test]
    fn lying_within_is_transitive(profile in answering(), left_out in prop::collection::vec(0..3_u8, 21)) {
        // Entries that are left out first from one and then from the other: each allows more, less, or something else.
        let without = |most: u8| {
            let mut left = profile.clone();
            let mut kept = left_out.iter().map(|turn| *turn >= most);
            left.syscalls.retain(|_| kept.next().unwrap_or(true));
            side(&left)
        };
        let [a, b, c] = [0, 1, 2].map(without);
        let within = |outer: &Side, inner: &Side| Drift::between(outer, inner).excess().next().is_none();
        prop_assert!(!(within(&a, &b) && within(&b, &c)) || within(&a, &c));
        prop_assert!(!(within(&c, &b) && within(&b, &a)) || within(&c, &a));
    }

    /// A policy allows what its own profile allows.
    #[test]
    fn a_policy_is_its_profile(policy in arbitrary::policy(&[Abi::X86_64, Abi::I386, Abi::X32], 30)) {
        let (profile, _) = emit(&policy);
        let read = Profile::from_json(profile.to_json().as_bytes()).unwrap();
        let drift = Drift::between(
            &Side { calls: Side::of(&policy).calls, ..Side::default() },
            &side(&read),
        );
        prop_assert_eq!(drift.differences, []);
    }
}

#[test]
fn what_is_not_understood_is_said() {
    let profile = |args: &str| {
        let text = format!(
            r#"{{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64"],
                "syscalls":[{{"names":["socket"],"action":"SCMP_ACT_ALLOW",{args}}}]}}"#
        );
        planes(&Profile::from_json(text.as_bytes()).unwrap(), &context())
    };
    let op = profile(r#""args":[{"index":0,"value":1,"op":"SCMP_CMP_NEAR"}]"#);
    assert!(matches!(op, Err(MeaningError::Comparison { .. })), "{op:?}");
    let index = profile(r#""args":[{"index":6,"value":1,"op":"SCMP_CMP_EQ"}]"#);
    assert!(matches!(index, Err(MeaningError::Argument { index: 6, .. })), "{index:?}");
    let action = planes(
        &Profile { default_action: "SCMP_ACT_HOPE".to_owned(), ..Profile::default() },
        &context(),
    );
    assert_eq!(action, Err(MeaningError::Action("SCMP_ACT_HOPE".to_owned())));
    let kernel = profile(r#""includes":{"minKernel":"new"}"#);
    assert_eq!(kernel, Err(MeaningError::Kernel("new".to_owned())));
    // Twenty conditions with an answer of their own, each on one of several bits.
    let entry = |bit: u32, action: &str| {
        let arg = |index: u32| {
            format!(
                r#"{{"index":{index},"value":{},"valueTwo":0,"op":"SCMP_CMP_MASKED_EQ"}}"#,
                1_u64 << bit
            )
        };
        let args = [0, 1, 2].map(arg).join(",");
        format!(
            r#"{{"names":["socket"],"action":"{action}","errnoRet":{},"args":[{args}]}}"#,
            bit + 2
        )
    };
    let entries: Vec<String> = (0..20)
        .map(|bit| entry(bit, "SCMP_ACT_ERRNO"))
        .chain([entry(20, "SCMP_ACT_ALLOW")])
        .collect();
    let text = format!(
        r#"{{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64"],"syscalls":[{}]}}"#,
        entries.join(",")
    );
    let riddle = planes(&Profile::from_json(text.as_bytes()).unwrap(), &context());
    assert_eq!(riddle, Err(MeaningError::Intricate("socket".to_owned())));
}

#[test]
fn names_and_architectures_that_are_passed_over_are_said() {
    let of = |architecture: &str, name: &str| {
        let text = format!(
            r#"{{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64","{architecture}"],
                "syscalls":[{{"names":["read","{name}"],"action":"SCMP_ACT_ALLOW"}}]}}"#
        );
        unread(&Profile::from_json(text.as_bytes()).unwrap())
    };
    // Of i386, and of ARM: a profile may serve several machines.
    assert_eq!(of("SCMP_ARCH_X86", "socketcall"), [""; 0]);
    assert_eq!(of("SCMP_ARCH_X86", "arm_fadvise64_64"), [""; 0]);
    let notes = of("SCMP_ARCH_ARM", "opeat");
    assert!(
        notes.len() == 2 && notes[0].contains("SCMP_ARCH_ARM") && notes[1].contains("opeat"),
        "{notes:?}"
    );
}
