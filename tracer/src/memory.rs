//! The memory of a thread that waits: one that ptrace stopped, or that waits for the answer to a notification.

use std::io::{IoSlice, IoSliceMut};

use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;

/// Pages are at least this large; a string may end just before one that is not mapped.
const PAGE: usize = 4096;
/// The longest path (`PATH_MAX`).
const LONGEST: usize = 4096;
/// Most paths are shorter; longer ones take several reads.
const CHUNK: usize = 256;

/// Exactly `length` bytes, or `None` when they are not all mapped.
pub fn bytes(tid: Pid, address: u64, length: usize) -> Option<Vec<u8>> {
    let mut buffer = vec![0; length];
    (read(tid, address, &mut buffer) == length).then_some(buffer)
}

/// A string that ends with a NUL, at most as long as a path may be; `None` when it is not mapped or too long.
pub fn string(tid: Pid, address: u64) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let mut at = address;
    while all.len() < LONGEST {
        let to_page_end = PAGE - usize::try_from(at).ok()? % PAGE;
        let mut chunk = [0; CHUNK];
        let chunk = &mut chunk[..to_page_end.min(CHUNK)];
        let length = read(tid, at, chunk);
        if length == 0 {
            return None;
        }
        if let Some(end) = chunk[..length].iter().position(|b| *b == 0) {
            all.extend_from_slice(&chunk[..end]);
            return Some(all);
        }
        all.extend_from_slice(&chunk[..length]);
        at = at.checked_add(length as u64)?;
    }
    None
}

fn read(tid: Pid, address: u64, into: &mut [u8]) -> usize {
    let Ok(base) = usize::try_from(address) else { return 0 };
    let remote = RemoteIoVec { base, len: into.len() };
    process_vm_readv(tid, &mut [IoSliceMut::new(into)], &[remote]).unwrap_or(0)
}

/// Writes all of it; false when it is not all mapped.
pub(crate) fn write(tid: Pid, address: u64, bytes: &[u8]) -> bool {
    let Ok(base) = usize::try_from(address) else { return false };
    let remote = RemoteIoVec { base, len: bytes.len() };
    process_vm_writev(tid, &[IoSlice::new(bytes)], &[remote]) == Ok(bytes.len())
}
