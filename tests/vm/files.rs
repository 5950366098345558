//! The ways in which programs use files, where AppArmor enforces: each is told by both recorders, is allowed by the profile that was
//! learned from it, and is refused elsewhere.

use std::collections::BTreeMap;
use std::path::Path;

use tracer::recording::Recording;

use super::behaviours::{self, TABLE, Watcher};
use super::machine::{self, Done};

const KERNEL: &str = "6.1";
const ROOT: &str = "/tmp/files/one";
/// What `files` ends with when something was refused.
const REFUSED: i32 = 3;
/// Under every profile but its own.
const MORE: &str = "name-space";

fn done() -> Done {
    let done = machine::ran(KERNEL, super::tests_of(KERNEL)).test("files");
    done.passed();
    done
}

#[test]
#[ignore = "needs a virtual machine: run by make test"]
fn each_is_told_as_its_row_has_it() {
    let done = done();
    for (backend, watcher) in [("ebpf", Watcher::Hooks), ("ptrace", Watcher::Ptrace)] {
        let recording = Recording::read(&done.files.join(format!("{backend}.jsonl"))).unwrap();
        let wrong = behaviours::differences(&recording, Path::new(ROOT), watcher);
        assert!(wrong.is_empty(), "{backend}: {}:\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// How a run ended, and what AppArmor refused meanwhile.
struct Ended {
    status: i32,
    denied: Vec<String>,
}

fn runs(done: &Done) -> BTreeMap<(String, String), Ended> {
    let mut all = BTreeMap::new();
    let mut last = None;
    for line in done.text("runs").lines() {
        if let Some(record) = line.strip_prefix("  ") {
            let ended: &mut Ended = last.as_ref().and_then(|key| all.get_mut(key)).unwrap();
            ended.denied.push(record.to_owned());
            continue;
        }
        let [name, run, status] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let key = (name.to_owned(), run.to_owned());
        last = Some(key.clone());
        all.insert(key, Ended { status: status.parse().unwrap(), denied: Vec::new() });
    }
    all
}

#[test]
#[ignore = "needs a virtual machine: run by make test"]
fn each_is_allowed_where_it_was_learned_and_refused_elsewhere() {
    let done = done();
    let runs = runs(&done);
    let mut wrong = Vec::new();
    for behaviour in TABLE {
        let name = behaviour.name;
        for (run, refused) in [
            ("same", behaviour.gap.is_some()),
            ("other", behaviour.gap.is_some() || behaviour.free.is_none()),
            ("more", name != MORE),
        ] {
            let Ended { status, denied } = &runs[&(name.to_owned(), run.to_owned())];
            let is = (*status, denied.is_empty());
            if is != if refused { (REFUSED, false) } else { (0, true) } {
                wrong.push(format!(
                    "{name}: {run}: {status} {denied:#?}\n{}",
                    done.text(&format!("{name}.profile"))
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are not:\n{}", wrong.len(), wrong.join("\n"));
}
