//! What the recorder knows of a traced thread.

use std::os::unix::ffi::OsStrExt;

use nix::unistd::Pid;

use crate::decode::credentials::Credentials;
use crate::decode::resolve::View;
use crate::procfs::status;
use crate::recording::ByteString;
use crate::tally::DomainId;

use super::pending::Pending;
use crate::memory;

/// A traced thread.
#[derive(Debug)]
pub(super) struct Task {
    /// Its program.
    pub(super) domain: DomainId,
    /// The call that it is in.
    pub(super) pending: Option<Pending>,
    /// Its call must be seen though its process runs free.
    pub(super) called_back: bool,
    /// It has executed the command: what it did before was the recorder's doing.
    pub(super) launched: bool,
    /// The process that it belongs to.
    pub(super) process: Pid,
    view: Option<View>,
    credentials: Option<Credentials>,
}

impl Task {
    /// A thread of a process that runs a program.
    pub(super) fn new(process: Pid, domain: DomainId, launched: bool) -> Self {
        Self {
            domain,
            pending: None,
            called_back: false,
            launched,
            process,
            view: None,
            credentials: None,
        }
    }

    /// A thread that this one makes, of the same process until more is known.
    pub(super) fn child(&self) -> Self {
        Self::new(self.process, self.domain, self.launched)
    }

    /// What was known of its root and credentials no longer holds.
    pub(super) fn forget(&mut self) {
        self.view = None;
        self.credentials = None;
    }

    /// The file system as it sees it.
    pub(super) fn view(&mut self, tid: Pid) -> View {
        if let Some(view) = &self.view {
            return view.clone();
        }
        let id = number(tid);
        let view = View::of(group(id), id);
        self.view = Some(view.clone());
        view
    }

    /// Its credentials; `None` when it is gone.
    pub(super) fn credentials(&mut self, tid: Pid) -> Option<&Credentials> {
        if self.credentials.is_none() {
            self.credentials = Credentials::of(number(tid));
        }
        self.credentials.as_ref()
    }

    /// The directory that relative paths start from: the current one, or a descriptor's.
    pub(super) fn directory(&mut self, tid: Pid, fd: Option<i32>) -> Option<ByteString> {
        self.view(tid).directory(fd).ok()
    }
}

/// A thread's number, as procfs names it.
pub(super) fn number(tid: Pid) -> u32 {
    tid.as_raw().unsigned_abs()
}

/// The process that a thread belongs to.
pub(super) fn group(tid: u32) -> u32 {
    let [group] = status(tid, ["Tgid:"]);
    group.unwrap_or(tid)
}

/// The process that a thread belongs to, and its parent.
pub(super) fn group_and_parent(tid: Pid) -> [Option<Pid>; 2] {
    let ids = status(number(tid), ["Tgid:", "PPid:"]);
    ids.map(|id| id.and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
}

/// The program that a thread runs.
pub(super) fn program(tid: Pid) -> Option<ByteString> {
    let tid = number(tid);
    View::of(tid, tid).program().ok()
}

/// The path that was given to execve by whoever started the running program, resolved (`AT_EXECFN`, getauxval(3)).
pub(super) fn executed_name(tid: Pid, view: &View) -> Option<ByteString> {
    const AT_EXECFN: u64 = 31;
    let words = std::fs::read(format!("/proc/{tid}/auxv")).ok()?;
    // Pairs of a kind and a value, as wide as the program's addresses; the first kind tells the width apart, since its
    // upper half is zero where it is a word of 64 bits (kinds are small).
    let wide = words.get(4..8)? == [0; 4];
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |n, b| n << 8 | u64::from(*b));
    let width = if wide { 8 } else { 4 };
    let address = words
        .chunks_exact(2 * width)
        .map(|pair| (number(&pair[..width]), number(&pair[width..])))
        .find_map(|(kind, value)| (kind == AT_EXECFN).then_some(value))?;
    let name = memory::string(tid, address)?;
    let base = view.directory(None).ok()?;
    view.resolve(base.as_bytes(), &name, true).ok()
}

/// Whether an owner is the task itself: what AppArmor's `owner` asks.
pub(super) fn owns(credentials: Option<&Credentials>, file: &std::fs::Metadata) -> bool {
    credentials.is_none_or(|who| who.owns(file))
}

/// A path's bytes as a file of the recorder's own view.
pub(super) fn metadata(view: &View, path: &ByteString) -> Option<std::fs::Metadata> {
    std::fs::symlink_metadata(view.outside(path.as_bytes())).ok()
}

/// The same, through a descriptor of the task.
pub(super) fn descriptor_metadata(tid: Pid, fd: i32) -> Option<std::fs::Metadata> {
    let name = std::ffi::OsStr::from_bytes(format!("/proc/{tid}/fd/{fd}").as_bytes()).to_owned();
    std::fs::metadata(name).ok()
}
