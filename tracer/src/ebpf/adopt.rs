//! Taking a container into a recording that runs already: all its tasks, and whatever they make from then on.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;

use crate::container::Container;
use crate::procfs::status;
use crate::recording::ByteString;
use crate::session::RecordError;

use super::programs::Programs;
use super::wire::{BORN, Id, ORIGIN_BITS, RUNNING, STARTING, Task, origin};

/// Adopts the tasks of a container; returns their programs by the names that the kernel has for them now.
///
/// What descends from the container's first process is the entry point's, what was put beside it a session's (an orphan is its
/// adopter's: the kernel keeps no other parent). Tasks that are made meanwhile are followed when their maker has been adopted, and
/// found in the next look when it has not.
pub(super) fn container(
    programs: &mut Programs,
    container: &Container,
    number: u32,
) -> Result<HashMap<u64, ByteString>, RecordError> {
    let id = container.id.as_str();
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
            let entry = container.pid.is_none_or(|first| descends(pid, first));
            let phase = if entry || runs_inside(pid).unwrap_or(true) {
                RUNNING
            } else if status(tid, ["Seccomp:"]) == [Some(FILTERED)] {
                STARTING
            } else {
                // The runtime, on its way in: it is taken up when it gets there, as any other.
                continue;
            };
            let Ok(program) = fs::read_link(format!("/proc/{pid}/exe")) else { continue };
            let program = ByteString::new(program.into_os_string().into_vec());
            // Any number will do that no hash is.
            let domain = *domains
                .entry(program)
                .or_insert_with(|| RandomState::new().hash_one((number, tid)));
            let session = session | if entry { origin::ENTRY } else { origin::SESSION };
            let task = Task { domain, session, phase, place: BORN, ..Task::default() };
            programs.adopt_task(tid, &task)?;
        }
    }
}

/// `SECCOMP_MODE_FILTER`, as `/proc/TID/status` has it.
const FILTERED: u32 = 2;

/// Whether a process is another one, or was made by it or its like.
fn descends(mut pid: u32, from: u32) -> bool {
    // Processes come and go while this looks: a circle could be seen, and must not hold it up.
    for _ in 0..1000 {
        if pid == from {
            return true;
        }
        match status(pid, ["PPid:"]) {
            [Some(parent)] if parent > 1 => pid = parent,
            _ => return false,
        }
    }
    false
}

/// Whether a process's program lies in a tree of files that the process sees, even if it has been removed: the program of a runtime,
/// which has entered the container to start another, does not.
fn runs_inside(pid: u32) -> io::Result<bool> {
    let program = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_PATH)
        .open(format!("/proc/{pid}/exe"))?;
    let mount = mount_of(&program)?;
    let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo"))?;
    Ok(mounts.lines().any(|line| line.split(' ').next() == Some(&mount)))
}

/// The number of the mount that a file was opened on, as `/proc/PID/mountinfo` has it.
fn mount_of(file: &File) -> io::Result<String> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd()))?;
    let field = info.lines().find_map(|line| line.strip_prefix("mnt_id:"));
    Ok(field.unwrap_or_default().trim().to_owned())
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
