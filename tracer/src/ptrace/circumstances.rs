//! What a call is about, as far as that decides which capability it needs: read at its entry, from the task's memory and procfs.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::unistd::Pid;

use crate::abi::Abi;
use crate::abi::capabilities::POINTED;
use crate::decode::capabilities::{Circumstances, Ipc};
use crate::decode::credentials::Credentials;
use crate::decode::{Call, low};
use crate::memory;
use crate::notify::descriptor_of;
use crate::spawn;

/// `NETLINK_AUDIT` (linux/netlink.h).
const NETLINK_AUDIT: libc::c_int = 9;
/// `FS_IMMUTABLE_FL | FS_APPEND_FL` (linux/fs.h).
const PROTECTED: u8 = 0x30;
/// `S_ISUID`, and `S_ISGID` with `S_IXGRP` (inode(7)).
const S_ISUID: u32 = 0o4000;
const SET_GROUP: u32 = 0o2010;

/// Looks at what the call is about.
pub(super) fn look(tid: Pid, call: &Call, who: &Credentials, about: &mut Circumstances) {
    let Some(name) = call.name() else { return };
    let argument = |at: usize| low(call.args[at]);
    about.no_new_privileges = who.no_new_privileges;
    if let Some((_, at, length)) = POINTED.iter().find(|(known, ..)| *known == name) {
        // clone3 says how much there is.
        let length = if name == "clone3" { (*length).min(argument(1) as usize) } else { *length };
        about.pointed = memory::bytes(tid, call.args[usize::from(*at)], length).unwrap_or_default();
    }
    match name {
        "kill" | "tkill" | "tgkill" | "rt_sigqueueinfo" | "rt_tgsigqueueinfo"
        | "process_vm_readv" | "process_vm_writev" | "kcmp" | "sched_setaffinity"
        | "sched_setattr" | "sched_setparam" | "sched_setscheduler" => {
            about.other = other(argument(0));
        }
        // PTRACE_ATTACH, PTRACE_SEIZE: the others are for what is traced already.
        "ptrace" if matches!(argument(0), 16 | 0x4206) => about.other = other(argument(1)),
        // PRIO_PROCESS; IOPRIO_WHO_PROCESS.
        "setpriority" if argument(0) == 0 => {
            about.other = other(argument(1));
            about.lowers_nice = lowers_nice(tid, argument(1), argument(2));
        }
        "ioprio_set" if argument(0) == 1 => about.other = other(argument(1)),
        "setrlimit" => about.raises_limit = raises_limit(tid, call.args[0], call.args[1], call.abi),
        "prlimit64" => {
            about.raises_limit = raises_limit(tid, call.args[1], call.args[2], Abi::X86_64);
        }
        "fcntl" | "fcntl64" => {
            about.raises_limit = number("/proc/sys/fs/pipe-max-size")
                .is_some_and(|most| u64::from(argument(2)) > most);
            about.others_file = file(tid, argument(0)).is_some_and(|file| !who.owns(&file));
        }
        "mlock" | "mlock2" => about.locks_beyond_limit = locks_beyond(tid, Some(call.args[1])),
        "mlockall" => about.locks_beyond_limit = locks_beyond(tid, None),
        "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" => {
            use std::os::unix::fs::MetadataExt;
            about.set_id_file = file(tid, argument(0)).is_some_and(|file| {
                let mode = file.mode();
                file.is_file() && (mode & S_ISUID != 0 || mode & SET_GROUP == SET_GROUP)
            });
        }
        "ioctl" => {
            about.protects_file =
                memory::bytes(tid, call.args[2], 1).is_some_and(|b| b[0] & PROTECTED != 0);
        }
        "shmctl" | "msgctl" => about.ipc = ipc(&name[..3], argument(0), Some(argument(1)), who),
        "semctl" => about.ipc = ipc("sem", argument(0), Some(argument(2)), who),
        "shmat" | "msgrcv" | "msgsnd" | "semop" => {
            about.ipc = ipc(&name[..3], argument(0), None, who);
        }
        "syslog" => {
            about.messages_restricted = number("/proc/sys/kernel/dmesg_restrict") != Some(0);
        }
        "sendto" => about.audit_message = audit_message(tid, argument(0), call.args[1]),
        _ => {}
    }
}

/// The name of the attribute that a call gives a file or takes from it.
pub(super) fn attribute(tid: Pid, call: &Call) -> Option<Vec<u8>> {
    let name = call.name()?;
    let sets = name.ends_with("setxattr") || name.ends_with("removexattr");
    sets.then(|| memory::string(tid, call.args[1]))?
}

/// `net.ipv4.ip_unprivileged_port_start` (ip(7)); 1024 where it can't be read.
pub(super) fn unprivileged_ports_from() -> u16 {
    number("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .and_then(|port| u16::try_from(port).ok())
        .unwrap_or(1024)
}

fn number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Another process than the task's own.
fn other(pid: u32) -> Option<Credentials> {
    i32::try_from(pid).ok().filter(|pid| *pid > 0).and_then(|_| Credentials::of(pid))
}

fn file(tid: Pid, fd: u32) -> Option<std::fs::Metadata> {
    std::fs::metadata(format!("/proc/{tid}/fd/{fd}")).ok()
}

/// The new hard limit at `address` is above the present one (getrlimit(2)).
fn raises_limit(tid: Pid, resource: u64, address: u64, abi: Abi) -> bool {
    let width = if abi == Abi::I386 { 4 } else { 8 };
    let Some(bytes) = memory::bytes(tid, address, 2 * width).filter(|_| address != 0) else {
        return false;
    };
    let wanted = bytes[width..].iter().rev().fold(0_u64, |n, b| n << 8 | u64::from(*b));
    let Ok(resource) = u32::try_from(resource) else { return false };
    limits(tid, resource).is_some_and(|now| wanted > now.rlim_max)
}

fn limits(tid: Pid, resource: u32) -> Option<libc::rlimit> {
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `now` is a valid place for the old limits; no new limits are given.
    let known =
        unsafe { libc::prlimit(tid.as_raw(), resource, std::ptr::null(), &raw mut now) } == 0;
    known.then_some(now)
}

/// A lower nice value than it has, and than its limit lets it have (getrlimit(2), `RLIMIT_NICE`).
fn lowers_nice(tid: Pid, process: u32, wanted: u32) -> bool {
    let process = if process == 0 { tid.as_raw().cast_unsigned() } else { process };
    // SAFETY: plain numbers.
    let now = unsafe { libc::getpriority(libc::PRIO_PROCESS, process) };
    let wanted = wanted.cast_signed().clamp(-20, 19);
    let allowed = limits(tid, libc::RLIMIT_NICE).map_or(0, |limit| limit.rlim_cur);
    wanted < now && u64::from((20 - wanted).unsigned_abs()) > allowed
}

/// More memory than the limit allows would be locked: so many bytes more, or all there is (mlock(2)).
fn locks_beyond(tid: Pid, more: Option<u64>) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{tid}/status")).unwrap_or_default();
    let size = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        line.trim_end_matches("kB").trim().parse::<u64>().ok()
    };
    let wanted = match more {
        Some(more) => size("VmLck:").unwrap_or(0) * 1024 + more,
        None => size("VmSize:").unwrap_or(0) * 1024,
    };
    limits(tid, libc::RLIMIT_MEMLOCK).is_some_and(|limit| wanted > limit.rlim_cur)
}

/// What the task wants of an object of System V IPC and may not without a capability; `operation` is that of a control call.
fn ipc(kind: &str, id: u32, operation: Option<u32>, who: &Credentials) -> Option<Ipc> {
    // IPC_RMID, IPC_SET, IPC_STAT (linux/ipc.h); the upper bits are a version.
    let operation = operation.map(|operation| operation & 0xff);
    let table = std::fs::read_to_string(format!("/proc/sysvipc/{kind}")).ok()?;
    let mut lines = table.lines();
    let names: Vec<&str> = lines.next()?.split_whitespace().collect();
    let column = |name: &str| names.iter().position(|known| *known == name);
    let (this, perms) = (column(&format!("{kind}id"))?, column("perms")?);
    let [uid, gid, cuid, cgid] = ["uid", "gid", "cuid", "cgid"].map(column);
    let row: Vec<&str> = lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|row| row.get(this).is_some_and(|found| found.parse() == Ok(id)))?;
    let at = |column: Option<usize>| row.get(column?)?.parse::<u32>().ok();
    let owner = [uid, cuid].into_iter().any(|column| at(column) == Some(who.uid[1]));
    let group = [gid, cgid].into_iter().filter_map(at).any(|group| who.in_group(group));
    if matches!(operation, Some(0 | 1)) {
        return (!owner).then_some(Ipc::Changes);
    }
    let mode = u32::from_str_radix(row.get(perms)?, 8).ok()?;
    let granted = mode
        >> if owner {
            6
        } else if group {
            3
        } else {
            0
        };
    let wanted = if operation.is_some() { 4 } else { 6 };
    (granted & wanted != wanted).then_some(Ipc::Uses)
}

/// The type of a message to the kernel's audit system, when the descriptor is a socket of it (netlink(7): the header has the type
/// behind the length).
fn audit_message(tid: Pid, fd: u32, address: u64) -> Option<u16> {
    let name = std::fs::read_link(format!("/proc/{tid}/fd/{fd}")).ok()?;
    name.to_str().filter(|name| name.starts_with("socket:"))?;
    // A socket that has sent nothing yet is in no table of procfs: it is asked itself.
    let socket = borrowed(tid, fd)?;
    let is_audit = option(&socket, libc::SO_DOMAIN) == Some(libc::AF_NETLINK)
        && option(&socket, libc::SO_PROTOCOL) == Some(NETLINK_AUDIT);
    let head = memory::bytes(tid, address, 6).filter(|_| is_audit)?;
    Some(u16::from_ne_bytes([head[4], head[5]]))
}

/// A descriptor of the task's, as one of our own.
fn borrowed(tid: Pid, fd: u32) -> Option<OwnedFd> {
    let group = super::task::group(tid.as_raw().cast_unsigned());
    let process = spawn::pidfd(Pid::from_raw(group.cast_signed())).ok()?;
    descriptor_of(process.as_fd(), fd.cast_signed()).ok()
}

fn option(socket: &OwnedFd, option: libc::c_int) -> Option<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut length = libc::socklen_t::try_from(size_of::<libc::c_int>()).ok()?;
    // SAFETY: the value has the length that is told.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    (done == 0).then_some(value)
}
