//! Threads that wait for an answer: what procfs says of them, and signals to them.

use tracer::decode::resolve::View;
use tracer::recording::ByteString;

/// The fields of `/proc/TID/status` (proc(5)).
fn status(tid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{tid}/status")).unwrap_or_default()
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// The process that a thread belongs to.
pub(crate) fn process(tid: u32) -> Option<u32> {
    field(&status(tid), "Tgid")?.parse().ok()
}

/// Further up no ancestors are named.
const MOST_ANCESTORS: usize = 16;

/// The programs of a process's ancestors, nearest first, up to the command.
pub(crate) fn ancestors(process: u32, command: u32) -> Vec<ByteString> {
    let mut found = Vec::new();
    let mut at = process;
    while at != command && found.len() < MOST_ANCESTORS {
        let parent = field(&status(at), "PPid").and_then(|number| number.parse().ok());
        // An orphan's parent is whoever adopts it: nobody of the command's.
        let Some(parent) = parent.filter(|parent| *parent > 1) else { return found };
        if parent == std::process::id() {
            return found;
        }
        found.push(View::of(parent, parent).program().unwrap_or_default());
        at = parent;
    }
    found
}

/// How many threads its process has.
pub(crate) fn threads(tid: u32) -> u32 {
    field(&status(tid), "Threads").and_then(|number| number.parse().ok()).unwrap_or(1)
}

/// Ends a process as a filter that kills does: by `SIGSYS`, unless the program would not die of it.
pub(crate) fn kill(tid: u32) {
    let status = status(tid);
    let bit = 1_u64 << (libc::SIGSYS - 1);
    let survives = ["SigBlk", "SigIgn", "SigCgt"].iter().any(|set| {
        let mask = field(&status, set).and_then(|mask| u64::from_str_radix(mask, 16).ok());
        mask.is_none_or(|mask| mask & bit != 0)
    });
    send(tid, &status, if survives { libc::SIGKILL } else { libc::SIGSYS });
}

/// Sends `SIGSYS`, whatever the program does about it.
pub(crate) fn trap(tid: u32) {
    send(tid, &status(tid), libc::SIGSYS);
}

fn send(tid: u32, status: &str, signal: i32) {
    // A thread that is gone needs no signal.
    if let Some(process) = field(status, "Tgid").and_then(|id| id.parse::<i32>().ok()) {
        // SAFETY: plain numbers.
        unsafe { libc::syscall(libc::SYS_tgkill, process, tid, signal) };
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn procfs_is_read() {
        let me = std::process::id();
        assert_eq!(super::process(me), Some(me));
        assert!(super::threads(me) >= 1);
        assert_eq!(super::process(0), None);
    }
}
