//! A call between its entry and its exit: what has to be read before it takes effect.

use std::os::unix::fs::MetadataExt;

use nix::unistd::Pid;

use crate::abi;
use crate::abi::paths::{Effect, Object, PathCall, TIOCGPTPEER};
use crate::decode::capabilities::{self, Circumstances};
use crate::decode::files::{self, O_ACCMODE, O_CREAT, Opened};
use crate::decode::{Call, low, sockets};
use crate::recording::{Access, ByteString, SocketAction, What};
use crate::tally::Key;

use super::circumstances;
use super::free::{self, SET_ID};
use super::task::{self, Task};
use crate::memory;

/// `AT_FDCWD` (linux/fcntl.h), in the low half of a register.
const AT_FDCWD: u64 = 0xffff_ff9c;

/// A call that has been entered.
#[derive(Debug)]
pub(super) struct Pending {
    /// The call.
    pub(super) call: Call,
    /// Where it is counted; `None` for one that is not.
    pub(super) key: Option<Key>,
    /// The file that it names.
    pub(super) file: Option<NamedFile>,
    /// The address that it gives.
    pub(super) address: Option<What>,
    /// The capabilities that it will have used if it succeeds.
    pub(super) capabilities: Vec<&'static str>,
    /// What could not be read, if it succeeds.
    pub(super) unread: Option<&'static str>,
}

/// A file that a call names, as it was before the call.
#[derive(Debug)]
pub(super) struct NamedFile {
    pub(super) row: &'static PathCall,
    pub(super) object: ByteString,
    pub(super) second: Option<ByteString>,
    pub(super) flags: Option<u32>,
    pub(super) existed: bool,
    pub(super) owned: bool,
    /// It is neither a directory nor a link: no name leads through it.
    pub(super) plain: bool,
    /// After the call there may be a file with a set-id bit that somebody writes to.
    pub(super) sets_id: bool,
}

impl Pending {
    /// It names a file through which no other name leads.
    pub(super) fn names_plain_file(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.plain)
    }
}

impl NamedFile {
    /// The facts, once the call has its result. An open's path is that of the descriptor, where there is one.
    pub(super) fn facts(&self, call: &Call, tid: Pid, task: &mut Task) -> Vec<What> {
        let opened =
            self.flags.map(|flags| Opened { flags, created: call.succeeded() && !self.existed });
        let by_descriptor = self.opened(call, tid, task);
        let object = by_descriptor.as_ref().unwrap_or(&self.object);
        files::facts(self.row, call, opened, object, self.second.as_ref())
    }

    /// What an open that succeeded has opened, by its descriptor.
    pub(super) fn opened(&self, call: &Call, tid: Pid, task: &mut Task) -> Option<ByteString> {
        let fd = call.result.filter(|_| call.succeeded() && self.flags.is_some())?;
        // Descriptors are ints: the result fits.
        task.directory(tid, Some(i32::try_from(fd).ok()?))
    }

    /// The facts, if the call succeeds.
    pub(super) fn expected(&self, call: &Call) -> Vec<What> {
        let opened = self.flags.map(|flags| Opened { flags, created: !self.existed });
        let succeeded = Call { result: Some(0), ..*call };
        files::facts(self.row, &succeeded, opened, &self.object, self.second.as_ref())
    }
}

/// Reads what a call is about to do.
pub(super) fn read(tid: Pid, task: &mut Task, call: Call) -> Pending {
    let mut pending = Pending {
        call,
        key: None,
        file: None,
        address: None,
        capabilities: Vec::new(),
        unread: None,
    };
    let Some(name) = call.name() else { return pending };
    if let Some(row) = abi::paths::of(name) {
        match named_file(tid, task, &call, row) {
            Ok(file) => pending.file = file,
            Err(why) => pending.unread = Some(why),
        }
    }
    let mut about = Circumstances::default();
    if let Some((action, at, length)) = sockets::address_arguments(name) {
        match address(tid, task, &call, action, at, length) {
            Ok(address) => pending.address = address,
            Err(why) => pending.unread = Some(why),
        }
        if let Some(What::Address { port, .. }) = &pending.address {
            about.port = *port;
            about.unprivileged_ports_from = circumstances::unprivileged_ports_from();
        }
    }
    pending.capabilities = capabilities(tid, task, &call, about, pending.file.as_ref());
    pending
}

fn capabilities(
    tid: Pid,
    task: &mut Task,
    call: &Call,
    mut about: Circumstances,
    file: Option<&NamedFile>,
) -> Vec<&'static str> {
    let view = file.map(|_| task.view(tid));
    // Among users of its own a task has every capability, and none that counts elsewhere.
    let who = task.credentials(tid).filter(|who| who.effective != 0 && who.among_own_users());
    let Some(who) = who else { return Vec::new() };
    circumstances::look(tid, call, who, &mut about);
    let mut all: Vec<_> = capabilities::of_call(call, who, &about).into_iter().collect();
    if let (Some(file), Some(view)) = (file, view) {
        let opened = file.flags.map(|flags| Opened { flags, created: !file.existed });
        let accesses = files::accesses(file.row, call, opened);
        let attribute = circumstances::attribute(tid, call);
        let of_file = capabilities::of_file(
            file.row,
            call,
            &accesses,
            &file.object,
            &view,
            who,
            attribute.as_deref(),
        );
        for capability in of_file {
            if !all.contains(&capability) {
                all.push(capability);
            }
        }
    }
    all
}

const UNREADABLE: &str = "paths that could not be read";
const UNRESOLVED: &str = "paths that could not be resolved";
const UNREADABLE_ADDRESS: &str = "socket addresses that could not be read";

fn named_file(
    tid: Pid,
    task: &mut Task,
    call: &Call,
    row: &'static PathCall,
) -> Result<Option<NamedFile>, &'static str> {
    let flags = match row.effect {
        Effect::OpenHow(at) => {
            // struct open_how begins with 64 bits of flags (openat2(2)).
            let how = memory::bytes(tid, call.args[usize::from(at)], 8).ok_or(UNREADABLE)?;
            Some(how.iter().take(4).rev().fold(0_u32, |n, b| n << 8 | u32::from(*b)))
        }
        Effect::Map(_) | Effect::LockBy(_) if files::accesses(row, call, None).is_empty() => {
            return Ok(None);
        }
        Effect::OpenPeer { request, .. } if low(call.args[usize::from(request)]) != TIOCGPTPEER => {
            return Ok(None);
        }
        _ => files::flags_in_registers(row, call),
    };
    let Some((object, existing)) = object(tid, task, call, row.object, row.effect, flags)? else {
        return Ok(None);
    };
    let second = match row.second {
        Some(second) => match self::object(tid, task, call, second, row.effect, None)? {
            Some((path, _)) => Some(path),
            None => return Ok(None),
        },
        None => None,
    };
    let owned = existing.as_ref().is_none_or(|file| task::owns(task.credentials(tid), file));
    let existed = existing.is_some() || flags.is_none_or(|f| f & O_CREAT == 0);
    let plain = existing.as_ref().is_some_and(std::fs::Metadata::is_file);
    let opens_set_id = flags.is_some_and(|flags| flags & O_ACCMODE != 0)
        && existing.as_ref().is_some_and(|file| file.mode() & SET_ID != 0);
    let sets_id = opens_set_id || free::may_set_id(call, !existed);
    Ok(Some(NamedFile { row, object, second, flags, existed, owned, plain, sets_id }))
}

type Named = Option<(ByteString, Option<std::fs::Metadata>)>;

/// The file that an argument names, and what there is of it; `None` for something without a path.
fn object(
    tid: Pid,
    task: &mut Task,
    call: &Call,
    object: Object,
    effect: Effect,
    flags: Option<u32>,
) -> Result<Named, &'static str> {
    let (dir, path, follow) = match object {
        Object::Fd(at) => return Ok(descriptor(tid, task, call.args[usize::from(at)])),
        Object::Path { dir, path, follow } => (dir, path, follow),
    };
    let dir = dir.map_or(AT_FDCWD, |at| call.args[usize::from(at)] & 0xffff_ffff);
    let address = call.args[usize::from(path)];
    let text =
        if address == 0 { Vec::new() } else { memory::string(tid, address).ok_or(UNREADABLE)? };
    if text.is_empty() {
        // AT_EMPTY_PATH, or a null path (utimensat): the descriptor itself. Reading attributes of an open file is no
        // access of its own, as with fstat.
        let harmless = effect == Effect::Does(Access::Getattr) || dir == AT_FDCWD;
        return Ok(if harmless { None } else { descriptor(tid, task, dir) });
    }
    let follow = follow.holds(&call.args, flags);
    let base = match text.first() {
        Some(b'/') => ByteString::from("/"),
        _ if dir == AT_FDCWD => task.directory(tid, None).ok_or(UNRESOLVED)?,
        _ => match task.directory(tid, Some(low(dir).cast_signed())) {
            Some(base) => base,
            // Not an open descriptor: the call will fail.
            None => return Ok(None),
        },
    };
    let view = task.view(tid);
    match view.resolve(base.as_bytes(), &text, follow) {
        Ok(path) => {
            let existing = task::metadata(&view, &path);
            Ok(Some((path, existing)))
        }
        Err(_) => Err(UNRESOLVED),
    }
}

fn descriptor(tid: Pid, task: &mut Task, fd: u64) -> Named {
    let fd = low(fd).cast_signed();
    let path = task.directory(tid, Some(fd))?;
    files::is_file(path.as_bytes()).then(|| (path, task::descriptor_metadata(tid, fd)))
}

fn address(
    tid: Pid,
    task: &mut Task,
    call: &Call,
    action: SocketAction,
    at: usize,
    length: usize,
) -> Result<Option<What>, &'static str> {
    let length =
        usize::try_from(call.args[length] & 0xffff_ffff).unwrap_or(0).min(sockets::LONGEST);
    if call.args[at] == 0 || length < 2 {
        return Ok(None);
    }
    let bytes = memory::bytes(tid, call.args[at], length).ok_or(UNREADABLE_ADDRESS)?;
    let mut address = sockets::address(action, &bytes);
    if let Some(What::Address { path: Some(path), .. }) = &mut address
        && !path.as_bytes().starts_with(b"@")
    {
        let base = task.directory(tid, None).ok_or(UNRESOLVED)?;
        *path = task
            .view(tid)
            .resolve(base.as_bytes(), path.as_bytes(), true)
            .map_err(|_gone| UNRESOLVED)?;
    }
    Ok(address)
}
