//! Gives a thread a filter: it makes the calls for that itself, where it is about to make one of its own.
//!
//! At the entry of a call the number and the registers are exchanged for another call's; at its end the thread is set back before its
//! own call, and so comes to its entry again. Signals wait meanwhile. The filter lies in a page that the thread maps and unmaps, so that
//! nothing of the program's own memory is touched: its other threads run on.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::unistd::Pid;

use super::stops::{self, Stop, Stopped, Until, Wait};
use crate::memory;
use crate::notify::Listener;

type Registers = libc::user_regs_struct;

/// What became of it.
#[derive(Debug)]
pub(super) enum Installed {
    /// All threads of the process have the filter, and this one is at the entry of its call again; with what the filter notifies.
    Yes(Stopped, Option<Listener>),
    /// None has, and this one is at the entry of its call.
    No(Stopped),
    /// The thread came to an end, or to another program's begin.
    Instead(Wait),
}

/// `syscall`, the instruction (Intel SDM, volume 2).
const SYSCALL: [u8; 2] = [0x0f, 0x05];
/// `SECCOMP_SET_MODE_FILTER`, `SECCOMP_FILTER_FLAG_TSYNC` (linux/seccomp.h).
const SET_MODE_FILTER: u64 = 1;
const ALL_THREADS: u64 = 1;
/// `SECCOMP_FILTER_FLAG_NEW_LISTENER`, and `SECCOMP_FILTER_FLAG_TSYNC_ESRCH` (Linux 5.7), without which the two do not go together.
const LISTENER: u64 = 1 << 3 | 1 << 4;
/// `struct sock_fprog`: a length, and behind it a pointer to the instructions.
const HEAD: usize = 16;

/// Has the thread give its process a filter. Who has no `CAP_SYS_ADMIN` must give up the gaining of privileges for it.
///
/// With `process` set the filter notifies, and its listener is taken out of that process. Its first thread must be alive.
///
/// # Errors
/// When the system refuses tracing.
pub(super) fn install(
    stop: Stopped,
    program: &[u8],
    no_new_privileges: bool,
    process: Option<&OwnedFd>,
) -> nix::Result<Installed> {
    let tid = stop.tid();
    let Ok(saved) = ptrace::getregs(tid) else { return Ok(Installed::No(stop)) };
    if memory::bytes(tid, saved.rip.wrapping_sub(2), 2).is_none_or(|bytes| bytes != SYSCALL) {
        return Ok(Installed::No(stop));
    }
    let Ok(mask) = stops::signal_mask(tid) else { return Ok(Installed::No(stop)) };
    let mut thread = Borrowed { tid, saved, stop: Some(stop), halted: false };
    let done = match stops::set_signal_mask(tid, u64::MAX) {
        Ok(()) => thread.install(program, no_new_privileges, process),
        Err(error) => Err(error.into()),
    };
    let _gone = stops::set_signal_mask(tid, mask).and_then(|()| ptrace::setregs(tid, saved));
    if thread.halted {
        // It was to stop with all others, and will.
        // SAFETY: a signal to a thread.
        unsafe { libc::syscall(libc::SYS_tkill, tid.as_raw(), libc::SIGSTOP) };
    }
    match (done, thread.stop) {
        (Err(Broken::Instead(wait)), _) => Ok(Installed::Instead(wait)),
        (Ok(Some(listener)), Some(stop)) => Ok(Installed::Yes(stop, listener)),
        (Ok(None) | Err(Broken::System(Errno::ESRCH)), Some(stop)) => Ok(Installed::No(stop)),
        // It is gone: the next wait tells how it ended.
        (Err(Broken::System(Errno::ESRCH)) | Ok(_), None) => Ok(Installed::Instead(Wait::Nothing)),
        (Err(Broken::System(error)), _) => Err(error),
    }
}

/// A thread at the entry of a call of its own, that makes others first.
struct Borrowed {
    tid: Pid,
    saved: Registers,
    stop: Option<Stopped>,
    /// Job control stopped it meanwhile.
    halted: bool,
}

/// Why the thread did not come back.
enum Broken {
    System(Errno),
    Instead(Wait),
}

impl From<Errno> for Broken {
    fn from(error: Errno) -> Self {
        Self::System(error)
    }
}

/// Without its listener the filter would refuse calls, so that failing to get it is no small matter.
fn taken(process: &OwnedFd, number: i32) -> nix::Result<Listener> {
    // Not ESRCH: the thread that was given the filter is there.
    Listener::of(process.as_fd(), number).map_err(|_why| Errno::EIO)
}

impl Borrowed {
    fn install(
        &mut self,
        program: &[u8],
        no_new_privileges: bool,
        process: Option<&OwnedFd>,
    ) -> Result<Option<Option<Listener>>, Broken> {
        let instructions = program.len() / size_of::<libc::sock_filter>();
        let length = (HEAD + program.len()) as u64;
        let writable = (libc::PROT_READ | libc::PROT_WRITE).cast_unsigned().into();
        let anonymous = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS).cast_unsigned().into();
        let page = self.call(libc::SYS_mmap, [0, length, writable, anonymous, u64::MAX, 0])?;
        if (-4095..0).contains(&page) {
            return Ok(None);
        }
        let page = page.cast_unsigned();
        let mut bytes = (instructions as u64).to_ne_bytes().to_vec();
        bytes.extend((page + HEAD as u64).to_ne_bytes());
        bytes.extend(program);
        let mut done = memory::write(self.tid, page, &bytes);
        if done && no_new_privileges {
            let set = libc::PR_SET_NO_NEW_PRIVS.cast_unsigned().into();
            done = self.call(libc::SYS_prctl, [set, 1, 0, 0, 0, 0])? == 0;
        }
        let mut listener = None;
        if done {
            let flags = ALL_THREADS | process.map_or(0, |_| LISTENER);
            let filter = [SET_MODE_FILTER, flags, page, 0, 0, 0];
            let given = self.call(libc::SYS_seccomp, filter)?;
            done = if process.is_some() { given >= 0 } else { given == 0 };
            if let (Some(process), Ok(number)) = (process.filter(|_| done), i32::try_from(given)) {
                listener = Some(taken(process, number)?);
                self.call(libc::SYS_close, [number.cast_unsigned().into(), 0, 0, 0, 0, 0])?;
            }
        }
        self.call(libc::SYS_munmap, [page, length, 0, 0, 0, 0])?;
        Ok(done.then_some(listener))
    }

    /// Makes a call, and comes back to the entry of the thread's own.
    fn call(&mut self, nr: i64, args: [u64; 6]) -> Result<i64, Broken> {
        let [rdi, rsi, rdx, r10, r8, r9] = args;
        let orig_rax = nr.cast_unsigned();
        let other = Registers { orig_rax, rdi, rsi, rdx, r10, r8, r9, ..self.saved };
        ptrace::setregs(self.tid, other)?;
        self.go()?;
        let result = ptrace::getregs(self.tid)?.rax;
        // Before the instruction, with no call to restart.
        let again = Registers {
            rip: self.saved.rip.wrapping_sub(2),
            rax: self.saved.orig_rax,
            orig_rax: u64::MAX,
            ..self.saved
        };
        ptrace::setregs(self.tid, again)?;
        self.go()?;
        Ok(result.cast_signed())
    }

    /// Goes on to the end or the entry of a call.
    fn go(&mut self) -> Result<(), Broken> {
        let mut stop = self.stop.take().ok_or(Errno::ESRCH)?;
        loop {
            let _resumed = stop.resume(Until::Call)?;
            match stops::next_of(self.tid)? {
                Wait::Stop(Stop::Call(here)) => {
                    self.stop = Some(here);
                    return Ok(());
                }
                // An earlier filter asks about the call.
                Wait::Stop(Stop::Seccomp(here)) => stop = here,
                Wait::Stop(Stop::Group(group)) => {
                    let stopping;
                    (stopping, stop) = group.overrule();
                    self.halted |= stopping;
                }
                other => return Err(Broken::Instead(other)),
            }
        }
    }
}
