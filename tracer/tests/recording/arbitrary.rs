//! Recordings of any content. The universe of facts, runs and names is small, so that two recordings often meet.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use tracer::abi::Abi;
use tracer::recording::{
    Access, Args, ByteString, Completion, Degree, Fact, FactKind, Fidelity, Origin, Phase,
    Recording, Run, Seen, SocketAction, What, Witness,
};

/// Text that JSON, sorting and escaping could trip over.
fn text() -> BoxedStrategy<String> {
    prop_oneof![
        Just(String::new()),
        Just("end".to_owned()),
        Just("\"},\"runs\":{".to_owned()),
        Just("\\x41\\".to_owned()),
        "[a-c]{1,2}",
        "\\PC{0,4}",
        any::<String>(),
    ]
    .boxed()
}

/// Bytes that need not be text.
fn bytes() -> BoxedStrategy<ByteString> {
    prop_oneof![
        Just(ByteString::from("/etc/passwd")),
        Just(ByteString::new(*b"/a\xff\\\n\x00")),
        "/[a-c]{1,2}".prop_map(|s| ByteString::new(s.into_bytes())),
        text().prop_map(|s| ByteString::new(s.into_bytes())),
        vec(any::<u8>(), 0..12).prop_map(ByteString::new),
    ]
    .boxed()
}

fn number() -> BoxedStrategy<u64> {
    prop_oneof![0..3_u64, Just(u64::MAX), any::<u64>()].boxed()
}

fn abi() -> BoxedStrategy<Abi> {
    prop::sample::select(&[Abi::X86_64, Abi::I386, Abi::X32, Abi::Aarch64][..]).boxed()
}

fn args() -> BoxedStrategy<Args> {
    prop_oneof![
        Just(Args::Many),
        btree_map(prop_oneof![0..3_u8, any::<u8>()], number(), 0..4)
            .prop_map(|values| Args::Values(Box::new(values)))
    ]
    .boxed()
}

fn access() -> BoxedStrategy<Access> {
    use Access::{Append, Chdir, Link, MmapExec, Read, Rename, Write};
    prop::sample::select(&[Read, Write, Append, Rename, Link, MmapExec, Chdir][..]).boxed()
}

fn what() -> BoxedStrategy<What> {
    let small = || prop_oneof![0..4_u32, any::<u32>()];
    prop_oneof![
        (abi(), small(), prop::option::of(text()), prop::option::of(args())).prop_map(
            |(abi, nr, name, args)| What::Call { abi, nr, name: name.map(Into::into), args }
        ),
        (bytes(), access(), prop::option::of(bytes()))
            .prop_map(|(path, access, target)| What::File { path, access, target }),
        (bytes(), prop::option::of(bytes()), prop::option::of(bytes()))
            .prop_map(|(path, interpreter, loader)| What::Exec { path, interpreter, loader }),
        (text(), any::<bool>(), prop::option::of(text()), any::<bool>()).prop_map(
            |(name, initial_namespace, call, probe)| What::Capability {
                name: name.into(),
                initial_namespace,
                call: call.map(Into::into),
                probe
            }
        ),
        (small(), small(), small()).prop_map(|(family, kind, protocol)| What::Socket {
            family,
            kind,
            protocol
        }),
        (small(), prop::option::of(any::<u16>()), prop::option::of(text()), bytes()).prop_map(
            |(family, port, class, path)| What::Address {
                action: SocketAction::Bind,
                family,
                port,
                class: class.map(Into::into),
                path: Some(path)
            }
        ),
        (small(), any::<bool>()).prop_map(|(signal, inside)| What::Signal { signal, inside }),
        (abi(), small(), prop::option::of(args())).prop_map(|(abi, nr, args)| What::Denied {
            abi,
            nr,
            name: None,
            args
        }),
    ]
    .boxed()
}

fn fact() -> BoxedStrategy<Fact> {
    let origin = prop::sample::select(
        &[Origin::Entry, Origin::Exec, Origin::Healthcheck, Origin::Runtime][..],
    );
    (bytes(), origin, what())
        .prop_map(|(domain, origin, what)| Fact { domain, origin, what })
        .boxed()
}

fn seen() -> BoxedStrategy<Seen> {
    let phases = prop::sample::select(&[Phase::Startup, Phase::Serving, Phase::Shutdown][..]);
    let outcome = prop_oneof![Just("ok".to_owned()), Just("ENOENT".to_owned()), text()];
    (
        number(),
        btree_map(outcome, number(), 0..3),
        any::<[bool; 2]>(),
        vec(0_u32..4, 0..3),
        btree_set(phases, 0..3),
        prop::option::of(any::<(u32, u32)>()),
    )
        .prop_map(|(count, outcomes, [at_least, not_owner], units, phases, first)| Seen {
            count,
            outcomes: outcomes.into_iter().map(|(how, count)| (how.into(), count)).collect(),
            at_least,
            not_owner,
            units: units.into_iter().collect(),
            phases: phases.into_iter().collect(),
            first: first.map(|(ms, pid)| Witness { ms, pid }),
        })
        .boxed()
}

fn completion() -> BoxedStrategy<Completion> {
    (
        any::<bool>(),
        btree_set(text(), 0..2),
        btree_map(text(), number(), 0..2),
        btree_set(text(), 0..2),
    )
        .prop_map(|(complete, reasons, lost, notes)| Completion { complete, reasons, lost, notes })
        .boxed()
}

/// The run of an identifier: always the same one, as a random identifier promises.
pub(crate) fn run(id: &str) -> Run {
    let fidelity = Fidelity { degree: Degree::Resolved, how: format!("as {id} has it") };
    Run {
        command: vec![ByteString::new(*b"/bin/\xf0"), id.into()],
        backend: "ptrace".to_owned(),
        kernel: "6.1".to_owned(),
        machine: "x86_64".to_owned(),
        labels: BTreeMap::from([(id.to_owned(), "\u{7f}\u{2028}".to_owned())]),
        fidelity: BTreeMap::from([(FactKind::Call, fidelity)]),
        hooks: BTreeSet::new(),
        units: ["", "smoke", "\u{2028}\n", "again"].map(str::to_owned).into(),
    }
}

/// Any recording of the runs a, b and c.
pub(crate) fn recording() -> BoxedStrategy<Recording> {
    let id = || prop::sample::select(&["a", "b", "c"][..]).prop_map(str::to_owned);
    (btree_map(id(), completion(), 0..4), vec((fact(), id(), seen()), 0..12))
        .prop_map(|(completions, facts)| {
            let mut recording = Recording::new();
            for (id, completion) in completions {
                recording.runs.insert(id.clone(), run(&id));
                recording.completions.insert(id, completion);
            }
            for (fact, id, seen) in facts {
                if recording.runs.contains_key(&id) {
                    recording.add(&id, fact, &seen);
                }
            }
            recording
        })
        .boxed()
}
