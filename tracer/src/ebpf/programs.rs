//! The programs in the kernel: loading, attaching, and reading what they keep.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use aya::maps::{Array, HashMap, MapData, MapError, PerCpuArray, RingBuf};
use aya::programs::{BtfTracePoint, FExit, Program};
use aya::{Btf, Ebpf, EbpfLoader};

use crate::host;
use crate::session::RecordError;

use super::wire::{
    CLAIMED, CallKey, CapabilityKey, Count, Id, LOSSES, Place, ROWS, Row, RowKey, Settings,
    SignalKey, Task, Words, slot_of,
};
use super::{counts, rules};

/// What clang made of `bpf/recorder.bpf.c`.
pub(super) static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("LEARN_BPF_OBJECT")));

/// Flags of an update of a map (include/uapi/linux/bpf.h).
const BPF_ANY: u64 = 0;
const BPF_NOEXIST: u64 = 1;

/// The tracepoints that must be there, and the program at each.
const NEEDED: [(&str, &str); 6] = [
    ("call_entered", "sys_enter"),
    ("call_ended", "sys_exit"),
    ("task_made", "sched_process_fork"),
    ("program_started", "sched_process_exec"),
    ("task_ended", "sched_process_exit"),
    ("signal_sent", "signal_generate"),
];
/// Where capability checks are seen, the better place first: the tracepoint is in Linux 6.16 and newer, the function in all of
/// them, but some kernels refuse programs at functions (no trampolines, lockdown).
pub(super) const CAPABILITIES: [(&str, Hook); 2] = [
    ("capability_checked", Hook::Tracepoint("cap_capable")),
    ("capability_asked", Hook::Return("cap_capable")),
];

/// Where the kernel asks its security modules about what no call tells: what io_uring does to files, and which file's mapping becomes
/// executable. Some kernels refuse programs at functions, and before Linux 5.12 the threads that do it belong to nobody.
pub(super) const OPERATIONS: [(&str, Hook); 9] = [
    ("file_opened", Hook::Return("security_file_open")),
    ("node_made", Hook::Return("security_path_mknod")),
    ("directory_made", Hook::Return("security_path_mkdir")),
    ("directory_removed", Hook::Return("security_path_rmdir")),
    ("name_removed", Hook::Return("security_path_unlink")),
    ("symlink_made", Hook::Return("security_path_symlink")),
    ("link_made", Hook::Return("security_path_link")),
    ("name_changed", Hook::Return("security_path_rename")),
    ("mapping_changed", Hook::Return("security_file_mprotect")),
];
const OPERATIONS_SINCE: (u32, u32) = (5, 12);

/// Where a program is attached. Its text is the section's name in the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    /// A tracepoint whose arguments have types.
    Tracepoint(&'static str),
    /// The return of a function.
    Return(&'static str),
}

impl std::fmt::Display for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tracepoint(name) => write!(f, "tp_btf/{name}"),
            Self::Return(name) => write!(f, "fexit/{name}"),
        }
    }
}

/// What is attached to see capability checks and nothing else, of the command's own process tree.
const CHECKS: [(&str, &str); 5] = [
    ("call_entered", "sys_enter"),
    ("call_left", "sys_exit"),
    ("task_made", "sched_process_fork"),
    ("program_started", "sched_process_exec"),
    ("task_ended", "sched_process_exit"),
];

/// The programs, attached; they are detached when this is dropped.
pub(super) struct Programs {
    kernel: Ebpf,
    ring: RingBuf<MapData>,
    /// What they are attached to.
    pub(super) hooks: Vec<Hook>,
}

fn unavailable(why: impl Into<String>, remedy: &str) -> RecordError {
    RecordError::Unavailable { backend: "ebpf", why: why.into(), remedy: remedy.to_owned() }
}

const AS_ROOT: &str =
    "run learn as root (CAP_BPF, CAP_PERFMON and CAP_SYS_RESOURCE), or use --backend ptrace";
const KERNEL: &str =
    "use --backend ptrace; the eBPF backend needs Linux 5.10 with CONFIG_DEBUG_INFO_BTF";

impl Programs {
    /// Loads the programs, and attaches them.
    pub(super) fn load(settings: &Settings) -> Result<Self, RecordError> {
        let (mut programs, btf) = Self::prepare(settings)?;
        // Ends first: whoever is made or begins before the calls are seen would not be known.
        for (program, hook) in NEEDED {
            programs.attach(program, Hook::Tracepoint(hook), &btf)?;
        }
        // Where there is none, the fidelity says so.
        let _seen = programs.attach_capabilities(&btf);
        programs.attach_operations(&btf);
        Ok(programs)
    }

    /// Loads and attaches only what sees capability checks.
    pub(super) fn load_checks(settings: &Settings) -> Result<Self, RecordError> {
        let (mut programs, btf) = Self::prepare(settings)?;
        for (program, hook) in CHECKS {
            programs.attach(program, Hook::Tracepoint(hook), &btf)?;
        }
        programs.attach_capabilities(&btf)?;
        Ok(programs)
    }

    /// Loads the maps; nothing is attached yet.
    fn prepare(settings: &Settings) -> Result<(Self, Btf), RecordError> {
        let btf = Btf::from_sys_fs().map_err(|error| {
            unavailable(format!("the kernel's types can't be read: {error}"), KERNEL)
        })?;
        let mut kernel = EbpfLoader::new()
            .btf(Some(&btf))
            .override_global("settings", settings, true)
            .map_max_entries("rows", ROWS * settings.copies)
            .load(OBJECT)
            .map_err(|error| refused("the kernel refuses a map", &error))?;
        let mut table: Array<_, super::wire::Rule> = Array::try_from(map(&mut kernel, "rules")?)
            .map_err(|error| refused("the table of calls", &error))?;
        for (place, rule) in rules::all() {
            table
                .set(place, rule, 0)
                .map_err(|error| refused("the table of calls can't be written", &error))?;
        }
        let ring = kernel.take_map("records").ok_or_else(missing)?;
        let ring = RingBuf::try_from(ring).map_err(|error| refused("the ring", &error))?;
        Ok((Self { kernel, ring, hooks: Vec::new() }, btf))
    }

    fn attach(&mut self, program: &str, hook: Hook, btf: &Btf) -> Result<(), RecordError> {
        attach(&mut self.kernel, program, hook, btf)?;
        self.hooks.push(hook);
        Ok(())
    }

    /// Attaches the first of the programs for capability checks that this kernel takes.
    fn attach_capabilities(&mut self, btf: &Btf) -> Result<(), RecordError> {
        let [first, second] = CAPABILITIES;
        self.attach(first.0, first.1, btf).or_else(|_absent| self.attach(second.0, second.1, btf))
    }

    /// Attaches what sees the operations of io_uring: all of it, or nothing.
    fn attach_operations(&mut self, btf: &Btf) {
        if host::kernel_version().is_none_or(|version| version < OPERATIONS_SINCE) {
            return;
        }
        let before = self.hooks.len();
        if OPERATIONS.iter().any(|(program, hook)| self.attach(program, *hook, btf).is_err()) {
            for hook in self.hooks.split_off(before) {
                let place = OPERATIONS.iter().find(|(_, known)| *known == hook);
                let program = place.and_then(|(program, _)| self.kernel.program_mut(program));
                if let Some(Program::FExit(program)) = program {
                    let _detached = program.unload();
                }
            }
        }
    }

    /// What becomes readable when the kernel thinks that the recorder should hurry.
    pub(super) fn ready(&self) -> BorrowedFd<'_> {
        // SAFETY: the ring lives as long as the borrow.
        unsafe { BorrowedFd::borrow_raw(self.ring.as_raw_fd()) }
    }

    /// Hands over each record that has arrived; returns how many.
    pub(super) fn drain(&mut self, mut take: impl FnMut(&[u8])) -> u64 {
        let mut arrived = 0;
        while let Some(record) = self.ring.next() {
            take(&record);
            arrived += 1;
        }
        arrived
    }

    /// Takes the programs off their hooks: from then on nothing changes any more. Returns how often the kernel skipped a program,
    /// because it was running on the same processor already.
    pub(super) fn detach(&mut self) -> u64 {
        let mut skipped = 0;
        // A program that was never loaded has nothing to unload.
        for (_, program) in self.kernel.programs_mut() {
            if let Ok(fd) = program.fd() {
                skipped += skipped_of(fd.as_fd().as_raw_fd());
            }
            let _never_loaded = match program {
                Program::BtfTracePoint(program) => program.unload(),
                Program::FExit(program) => program.unload(),
                _ => Ok(()),
            };
        }
        skipped
    }

    /// How many records were sent, and how many different calls, capabilities and signals are counted.
    pub(super) fn totals(&self) -> Result<[u64; 2], RecordError> {
        let all = self.per_cpu("totals")?;
        Ok([all.first().copied().unwrap_or_default(), all.get(1).copied().unwrap_or_default()])
    }

    /// What was lost, by kind.
    pub(super) fn losses(&self) -> Result<Vec<(&'static str, u64)>, RecordError> {
        Ok(LOSSES.into_iter().zip(self.per_cpu("losses")?).collect())
    }

    fn per_cpu(&self, name: &str) -> Result<Vec<u64>, RecordError> {
        let map = self.kernel.map(name).ok_or_else(missing)?;
        let counters: PerCpuArray<_, u64> =
            PerCpuArray::try_from(map).map_err(|error| refused(name, &error))?;
        counters
            .iter()
            .map(|each| each.map(|cpus| cpus.iter().sum()))
            .collect::<Result<_, _>>()
            .map_err(|error| refused(name, &error))
    }

    /// The calls as they are counted. A counter that is in use was begun when its call was known: so the rows are read first.
    pub(super) fn calls(&self) -> Result<Vec<(CallKey, Count)>, RecordError> {
        let rows: Array<_, Row> = Array::try_from(self.kernel.map("rows").ok_or_else(missing)?)
            .map_err(|error| refused("rows", &error))?;
        let copies = rows.len() / ROWS;
        let mut by_row = std::collections::HashMap::<CallKey, u64>::new();
        for (number, owner) in self.all::<u32, RowKey>("owners")? {
            for place in number * copies..(number + 1) * copies {
                let row = rows.get(&place, 0).map_err(|error| refused("rows", &error))?;
                for (key, count) in counts::of_row(&owner, &row) {
                    *by_row.entry(key).or_default() += count;
                }
            }
        }
        let mut calls = self.all("calls")?;
        for (key, count) in &mut calls {
            counts::add(count, by_row.get(key).copied());
        }
        Ok(calls)
    }

    pub(super) fn capabilities(&self) -> Result<Vec<(CapabilityKey, Count)>, RecordError> {
        self.all("capabilities")
    }

    pub(super) fn signals(&self) -> Result<Vec<(SignalKey, Count)>, RecordError> {
        self.all("signals")
    }

    /// How often each record was seen, by its hash.
    pub(super) fn seen(&self) -> Result<Vec<(u64, u64)>, RecordError> {
        self.all("seen")
    }

    /// Asks how often a record was seen, by its hash; `None` when that is not known any more.
    pub(super) fn count_of(&self) -> Result<impl Fn(u64) -> Option<u64>, RecordError> {
        let seen = self.map::<u64, u64>("seen")?;
        Ok(move |hash| seen.get(&hash, 0).ok())
    }

    /// The tasks that are recorded now.
    pub(super) fn tasks(&self) -> Result<Vec<(u32, Task)>, RecordError> {
        let mut tasks: BTreeMap<u32, Task> = self.all("tasks")?.into_iter().collect();
        let places: Array<_, Place> =
            Array::try_from(self.kernel.map("places").ok_or_else(missing)?)
                .map_err(|error| refused("places", &error))?;
        for (slot, tid) in self.all::<u32, u32>("holders")? {
            let place = places.get(&slot, 0).map_err(|error| refused("places", &error))?;
            if place.tid == tid {
                tasks.insert(tid, place.task);
            }
        }
        Ok(tasks.into_iter().collect())
    }

    /// Takes a task into the recording, unless the kernel has done so meanwhile. Its slot is marked first: whoever has it is looked for
    /// there still.
    pub(super) fn adopt_task(&mut self, tid: u32, task: &Task) -> Result<(), RecordError> {
        let slot = slot_of(tid);
        Array::<_, u32>::try_from(map(&mut self.kernel, "crowded")?)
            .and_then(|mut crowded| crowded.set(slot, 1, 0))
            .map_err(|error| refused("crowded", &error))?;
        match self.writable::<u32, Task>("tasks")?.insert(tid, task, BPF_NOEXIST) {
            Err(MapError::SyscallError(error))
                if error.io_error.kind() == ErrorKind::AlreadyExists =>
            {
                Ok(())
            }
            done => done.map_err(|error| refused("tasks", &error)),
        }
    }

    /// Gives a container that runs already a number, the highest so far: it has been entered, and others get higher ones.
    pub(super) fn add_container(&mut self, id: &Id, number: u32) -> Result<(), RecordError> {
        self.insert("containers", id, &number)?;
        self.insert("entered", &(number | CLAIMED), &1_u32)?;
        self.insert("entered", &number, &1_u32)
    }

    /// Tells a container's health check.
    pub(super) fn add_healthcheck(
        &mut self,
        container: u32,
        words: &Words,
    ) -> Result<(), RecordError> {
        self.insert("healthchecks", &container, words)
    }

    fn insert<K: aya::Pod, V: aya::Pod>(
        &mut self,
        name: &str,
        key: &K,
        value: &V,
    ) -> Result<(), RecordError> {
        self.writable::<K, V>(name)?
            .insert(key, value, BPF_ANY)
            .map_err(|error| refused(name, &error))
    }

    fn writable<K: aya::Pod, V: aya::Pod>(
        &mut self,
        name: &str,
    ) -> Result<HashMap<&mut MapData, K, V>, RecordError> {
        HashMap::try_from(map(&mut self.kernel, name)?).map_err(|error| refused(name, &error))
    }

    /// Whether any task is recorded now.
    pub(super) fn any_task(&self) -> Result<bool, RecordError> {
        Ok(self.map::<u32, u32>("holders")?.keys().next().is_some()
            || self.map::<u32, Task>("tasks")?.keys().next().is_some())
    }

    fn map<K: aya::Pod, V: aya::Pod>(
        &self,
        name: &str,
    ) -> Result<HashMap<&MapData, K, V>, RecordError> {
        let map = self.kernel.map(name).ok_or_else(missing)?;
        HashMap::try_from(map).map_err(|error| refused(name, &error))
    }

    /// Everything in a map. Only complete when nothing changes it meanwhile.
    fn all<K: aya::Pod, V: aya::Pod>(&self, name: &str) -> Result<Vec<(K, V)>, RecordError> {
        self.map(name)?.iter().collect::<Result<_, _>>().map_err(|error| refused(name, &error))
    }
}

fn map<'a>(kernel: &'a mut Ebpf, name: &str) -> Result<&'a mut aya::maps::Map, RecordError> {
    kernel.map_mut(name).ok_or_else(missing)
}

fn attach(kernel: &mut Ebpf, program: &str, hook: Hook, btf: &Btf) -> Result<(), RecordError> {
    let program = kernel.program_mut(program).ok_or_else(missing)?;
    let attached = match hook {
        Hook::Tracepoint(name) => <&mut BtfTracePoint>::try_from(program)
            .and_then(|program| program.load(name, btf).and_then(|()| program.attach().map(drop))),
        Hook::Return(name) => <&mut FExit>::try_from(program)
            .and_then(|program| program.load(name, btf).and_then(|()| program.attach().map(drop))),
    };
    attached.map_err(|error| refused(&format!("the kernel refuses the program for {hook}"), &error))
}

/// The error with all its causes; what the kernel refuses, it mostly refuses for want of privilege.
fn refused(what: &str, error: &dyn std::error::Error) -> RecordError {
    let mut why = format!("{what}: {error}");
    let mut cause = error.source();
    while let Some(next) = cause {
        why = format!("{why}: {next}");
        cause = next.source();
    }
    let remedy = if nix::unistd::geteuid().is_root() { KERNEL } else { AS_ROOT };
    unavailable(gist(&why), remedy)
}

/// What procfs says of a program (kernel/bpf/syscall.c, `bpf_prog_show_fdinfo`; Linux 5.12); 0 where it says nothing.
fn skipped_of(fd: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
    skipped_in(&text)
}

fn skipped_in(text: &str) -> u64 {
    let number = text.lines().find_map(|line| line.strip_prefix("recursion_misses:"));
    number.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
}

/// What a person needs of an error that may hold the verifier's log, which is many lines long: how it begins, and the verifier's
/// last words before its statistics.
fn gist(why: &str) -> String {
    let first = why.lines().next().unwrap_or_default();
    let last = why.split("\nverification time").next().and_then(|log| log.lines().last());
    match last.filter(|last| *last != first) {
        Some(last) => format!("{first} … {last}"),
        None => first.to_owned(),
    }
}

fn missing() -> RecordError {
    unavailable("its object is damaged", "build learn again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_is_heard_in_one_line() {
        let log = "the load failed: 0: R1=ctx()\n1: (85) call\nR1 is not a scalar\nverification time 8 usec\nprocessed 6";
        assert_eq!(gist(log), "the load failed: 0: R1=ctx() … R1 is not a scalar");
        assert_eq!(gist("not permitted"), "not permitted");
    }

    #[test]
    fn what_the_kernel_skipped_is_read() {
        assert_eq!(skipped_in("prog_type:\t26\nrecursion_misses:\t3\n"), 3);
        assert_eq!(skipped_in("prog_type:\t26\n"), 0);
    }
}
