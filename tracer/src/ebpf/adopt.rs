//! Taking a container into a recording that runs already: all its tasks, and whatever they make from then on.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::ffi::OsStringExt;

use crate::recording::ByteString;
use crate::session::RecordError;

use super::programs::Programs;
use super::wire::{BORN, Id, ORIGIN_BITS, RUNNING, Task};

/// Adopts the tasks of a container by its identifier; returns their programs by the names that the kernel has for them now.
///
/// Tasks that are made meanwhile are followed when their maker has been adopted, and found in the next look when it has not.
pub(super) fn container(
    programs: &mut Programs,
    id: &str,
    number: u32,
) -> Result<HashMap<u64, ByteString>, RecordError> {
    let Ok(wire_id) = Id::try_from(id.as_bytes()) else { return Ok(HashMap::new()) };
    programs.add_container(&wire_id, number)?;
    let session = u16::try_from(number << ORIGIN_BITS).unwrap_or_default();
    let mut domains: HashMap<ByteString, u64> = HashMap::new();
    let mut adopted: BTreeSet<u32> = BTreeSet::new();
    loop {
        let new: Vec<(u32, u32)> =
            tasks_of(id).into_iter().filter(|(_, tid)| !adopted.contains(tid)).collect();
        if new.is_empty() {
            return Ok(domains.into_iter().map(|(path, domain)| (domain, path)).collect());
        }
        for (pid, tid) in new {
            adopted.insert(tid);
            let Ok(program) = fs::read_link(format!("/proc/{pid}/exe")) else { continue };
            let program = ByteString::new(program.into_os_string().into_vec());
            // Any number will do that no hash is.
            let domain = *domains
                .entry(program)
                .or_insert_with(|| RandomState::new().hash_one((number, tid)));
            let task = Task { domain, session, phase: RUNNING, place: BORN, ..Task::default() };
            programs.add_task(tid, &task)?;
        }
    }
}

/// The threads whose process is in a control group with the identifier in its name: process and thread.
fn tasks_of(id: &str) -> Vec<(u32, u32)> {
    numbers("/proc".to_owned())
        .filter(|pid| {
            fs::read_to_string(format!("/proc/{pid}/cgroup"))
                .is_ok_and(|groups| groups.contains(id))
        })
        .flat_map(|pid| numbers(format!("/proc/{pid}/task")).map(move |tid| (pid, tid)))
        .collect()
}

fn numbers(directory: String) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
