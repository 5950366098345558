//! What io_uring does to files is no call, and is seen where the kernel asks its security modules; AppArmor enforces what was learned.

use std::collections::BTreeSet;

use tracer::recording::{Access, Degree, FactKind, Recording, What};

use super::machine::{self, Done};

/// What the sample does (samples/io-uring), in its directory: the access, the name, and a link's or a rename's other name.
const DONE: [(Access, &str, &str); 14] = [
    (Access::Read, "found", ""),
    (Access::Append, "found", ""),
    (Access::Create, "made", ""),
    (Access::Write, "made", ""),
    (Access::Mkdir, "directory", ""),
    (Access::Link, "linked", "found"),
    (Access::Symlink, "symbolic", ""),
    (Access::Rename, "made", "renamed"),
    (Access::Delete, "renamed", ""),
    (Access::Delete, "linked", ""),
    (Access::Delete, "symbolic", ""),
    (Access::Rmdir, "directory", ""),
    // Of its own program, by the kernel and by itself.
    (Access::Exec, "/payload/built/io-uring", ""),
    (Access::MmapExec, "/payload/built/io-uring", ""),
];

fn recorded(kernel: &'static str) -> (Done, Recording) {
    let done = machine::ran(kernel, super::tests_of(kernel)).test("io-uring");
    done.passed();
    let recording = Recording::read(&done.files.join("ebpf.jsonl")).unwrap();
    assert!(recording.complete(), "{kernel}: {:?}", recording.completions);
    (done, recording)
}

fn notes(recording: &Recording) -> String {
    recording.completions.values().flat_map(|end| end.notes.clone()).collect()
}

fn is_seen(kernel: &'static str) {
    let (done, recording) = recorded(kernel);
    assert_eq!(done.text("record.status"), "0\n", "{kernel}");
    let below = |name: &str| match name {
        "" => String::new(),
        name if name.starts_with('/') => name.to_owned(),
        name => format!("/tmp/io-uring/{name}"),
    };
    let expected: BTreeSet<(Access, String, String)> =
        DONE.iter().map(|(access, name, other)| (*access, below(name), below(other))).collect();
    let found: BTreeSet<(Access, String, String)> = recording
        .sorted()
        .into_iter()
        .filter_map(|(fact, _)| match &fact.what {
            What::File { access, path, target } if *access != Access::Getattr => {
                let target = target.as_ref().map(ToString::to_string).unwrap_or_default();
                Some((*access, path.to_string(), target))
            }
            _ => None,
        })
        // The program is read when it is executed.
        .filter(|(access, path, _)| *access != Access::Read || !path.starts_with("/payload"))
        .collect();
    assert_eq!(found, expected, "{kernel}");
    for run in recording.runs.values() {
        assert_eq!(run.fidelity[&FactKind::IoUring].degree, Degree::Resolved, "{kernel}");
        assert!(run.hooks.contains("fexit/security_path_rename"), "{kernel}: {:?}", run.hooks);
    }
    assert!(notes(&recording).contains("what it did to files is seen"));

    // What was learned is enough, and one file more is refused.
    assert_eq!(
        (done.text("workload.status"), done.text("workload.audit")),
        ("0\n".into(), "".into())
    );
    let denied = done.text("more.audit");
    assert_eq!(done.text("more.status"), "3\n", "{kernel}: {denied}");
    assert!(denied.lines().count() == 1 && denied.contains("/tmp/io-uring/other"), "{denied}");
}

#[test]
#[ignore = "needs a virtual machine: run by make test"]
fn is_seen_and_enforced_on_linux_6_1() {
    is_seen("6.1");
}

#[test]
#[ignore = "needs a virtual machine: run by make test"]
fn is_seen_and_enforced_on_linux_6_12() {
    is_seen("6.12");
}

/// Where it is not seen, that is said: the threads that do it belong to nobody.
#[test]
#[ignore = "needs a virtual machine: run by make test"]
fn is_said_not_to_be_seen_on_linux_5_10() {
    let (_, recording) = recorded("5.10");
    for run in recording.runs.values() {
        assert_eq!(run.fidelity[&FactKind::IoUring].degree, Degree::None);
    }
    assert!(notes(&recording).contains("what was done through it is not seen"));
}
