//! ptrace's protocol as types: one type a kind of stop. Resuming consumes the stop and gives a [`Resumed`], which nothing
//! else gives: whoever has to return one cannot forget to resume, and cannot resume twice.
//!
//! A tracee can be killed at any moment, so any request may answer `ESRCH`; that is never an error here, the end is
//! reported by the next wait.

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::unistd::Pid;

use crate::abi::Abi;
use crate::decode::Call;

/// How a stopped thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Until an event, a signal, or a call that the filter asks about.
    Event,
    /// Until the next entry or exit of a call, too.
    Call,
}

/// What a wait reported.
#[derive(Debug)]
pub(super) enum Wait {
    /// A thread stopped.
    Stop(Stop),
    /// A thread is gone; with the raw wait status.
    Gone(Pid, i32),
    /// Nothing happened until now, or until a signal came.
    Nothing,
    /// There is nothing left to wait for.
    NoChildren,
}

/// A stop that was answered.
#[derive(Debug)]
#[must_use = "proves that the thread goes on"]
pub(super) struct Resumed(());

impl Resumed {
    /// The thread is gone: nobody has to go on.
    pub(super) fn nobody() -> Self {
        Self(())
    }
}

/// A thread that stopped, and why.
#[derive(Debug)]
pub(super) enum Stop {
    /// A call is about to be made, or has been.
    Call(Stopped),
    /// The seccomp filter asks about a call that is about to be made.
    Seccomp(Stopped),
    /// A new thread or process was made.
    Clone(Stopped),
    /// The thread runs a new program.
    Exec(Stopped),
    /// A signal is about to be delivered.
    Signal(SignalStop),
    /// The thread is stopped as a part of job control, or has just been attached.
    Group(GroupStop),
}

/// A thread that stopped at a call or an event.
#[derive(Debug)]
#[must_use = "a stopped thread must be resumed"]
pub(super) struct Stopped {
    tid: Pid,
}

/// Before a signal is delivered.
#[derive(Debug)]
#[must_use = "a stopped thread must be resumed"]
pub(super) struct SignalStop {
    tid: Pid,
    signal: i32,
}

/// Stopped by job control or just attached.
#[derive(Debug)]
#[must_use = "a stopped thread must be resumed"]
pub(super) struct GroupStop {
    tid: Pid,
    stopping: bool,
}

/// What `PTRACE_GET_SYSCALL_INFO` says.
#[derive(Debug)]
pub(super) enum CallInfo {
    /// Entering, or asked about by the filter.
    Entry(Call),
    /// Leaving with this result, to the address behind the instruction that made the call.
    Exit(i64, u64),
    /// A call of an architecture that is not known, or none.
    Unknown,
}

/// A request on a thread id and a number, without memory. A thread that is gone is no error.
fn request(request: libc::c_uint, tid: Pid, data: i32) -> nix::Result<Resumed> {
    // SAFETY: the requests made here (CONT, SYSCALL, LISTEN, INTERRUPT, DETACH) take a number, no memory.
    let done = unsafe { libc::ptrace(request, tid.as_raw(), 0, libc::c_long::from(data)) };
    match Errno::result(done) {
        Ok(_) | Err(Errno::ESRCH) => Ok(Resumed(())),
        Err(error) => Err(error),
    }
}

fn resume(tid: Pid, until: Until, signal: i32) -> nix::Result<Resumed> {
    request(
        if until == Until::Call { libc::PTRACE_SYSCALL } else { libc::PTRACE_CONT },
        tid,
        signal,
    )
}

impl Stopped {
    /// The thread.
    pub(super) fn tid(&self) -> Pid {
        self.tid
    }

    /// Which call, or which result: works for every ABI, Linux 5.3.
    pub(super) fn info(&self) -> nix::Result<CallInfo> {
        let info = ptrace::syscall_info(self.tid)?;
        let (nr, args) = match info.op {
            // SAFETY: `op` says which member of the union the kernel wrote.
            libc::PTRACE_SYSCALL_INFO_ENTRY => unsafe { (info.u.entry.nr, info.u.entry.args) },
            // SAFETY: as above.
            libc::PTRACE_SYSCALL_INFO_SECCOMP => unsafe {
                (info.u.seccomp.nr, info.u.seccomp.args)
            },
            libc::PTRACE_SYSCALL_INFO_EXIT => {
                // SAFETY: as above.
                let result = unsafe { info.u.exit.sval };
                return Ok(CallInfo::Exit(result, info.instruction_pointer));
            }
            _ => return Ok(CallInfo::Unknown),
        };
        let Some(abi) = Abi::from_audit(info.arch, nr) else { return Ok(CallInfo::Unknown) };
        // Numbers are 32 bits wide for the kernel.
        let nr = u32::try_from(nr & 0xffff_ffff).unwrap_or_default();
        Ok(CallInfo::Entry(Call { abi, nr, args, result: None }))
    }

    /// The new thread's id, or an exec's former thread id.
    pub(super) fn message(&self) -> nix::Result<Pid> {
        let id = ptrace::getevent(self.tid)?;
        Ok(Pid::from_raw(i32::try_from(id).map_err(|_out_of_range| Errno::ERANGE)?))
    }

    /// Goes on.
    pub(super) fn resume(self, until: Until) -> nix::Result<Resumed> {
        resume(self.tid, until, 0)
    }
}

impl SignalStop {
    /// The thread.
    pub(super) fn tid(&self) -> Pid {
        self.tid
    }

    /// Its number.
    pub(super) fn signal(&self) -> i32 {
        self.signal
    }

    /// Does not deliver the signal.
    pub(super) fn withheld(self) -> Stopped {
        Stopped { tid: self.tid }
    }

    /// Delivers the signal, untouched.
    pub(super) fn deliver(self, until: Until) -> nix::Result<Resumed> {
        resume(self.tid, until, self.signal)
    }
}

impl GroupStop {
    /// Lets the thread go on all the same; the first value is true when job control had stopped it.
    pub(super) fn overrule(self) -> (bool, Stopped) {
        (self.stopping, Stopped { tid: self.tid })
    }

    /// The thread.
    pub(super) fn tid(&self) -> Pid {
        self.tid
    }

    /// Leaves a thread stopped that job control has stopped (SIGCONT will continue it); lets a new one run.
    pub(super) fn respect(self, until: Until) -> nix::Result<Resumed> {
        if self.stopping {
            request(libc::PTRACE_LISTEN, self.tid, 0)
        } else {
            resume(self.tid, until, 0)
        }
    }
}

/// Attaches to a process, which goes on running; it dies with the recorder.
pub(super) fn seize(pid: Pid) -> nix::Result<()> {
    use ptrace::Options;
    ptrace::seize(
        pid,
        Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_TRACESECCOMP
            | Options::PTRACE_O_EXITKILL,
    )
}

/// Waits for what happens next to any child of this thread or thread that it traces.
///
/// With `block` set it returns earlier only for a signal; without, at once.
pub(super) fn next(block: bool) -> nix::Result<Wait> {
    wait(-1, if block { 0 } else { libc::WNOHANG })
}

/// Waits for what happens next to one thread, whatever signals come.
pub(super) fn next_of(tid: Pid) -> nix::Result<Wait> {
    loop {
        match wait(tid.as_raw(), 0)? {
            Wait::Nothing => {}
            wait => return Ok(wait),
        }
    }
}

fn wait(whom: libc::pid_t, flags: libc::c_int) -> nix::Result<Wait> {
    let mut status = 0;
    // Other threads of this process have children of their own, which are not ours to wait for.
    let flags = libc::__WALL | libc::__WNOTHREAD | flags;
    // nix's waitpid refuses the stops of real-time signals, so the status is taken raw.
    // SAFETY: `status` is a valid place for the result.
    let tid = unsafe { libc::waitpid(whom, &raw mut status, flags) };
    match Errno::result(tid) {
        Ok(0) | Err(Errno::EINTR) => Ok(Wait::Nothing),
        Ok(tid) => Ok(kind(Pid::from_raw(tid), status)),
        Err(Errno::ECHILD) => Ok(Wait::NoChildren),
        Err(error) => Err(error),
    }
}

/// The kind of a wait status (ptrace(2), "Stopped states").
fn kind(tid: Pid, status: i32) -> Wait {
    if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
        return Wait::Gone(tid, status);
    }
    let signal = libc::WSTOPSIG(status);
    Wait::Stop(match status >> 16 {
        libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => {
            Stop::Clone(Stopped { tid })
        }
        libc::PTRACE_EVENT_EXEC => Stop::Exec(Stopped { tid }),
        libc::PTRACE_EVENT_SECCOMP => Stop::Seccomp(Stopped { tid }),
        libc::PTRACE_EVENT_STOP => {
            let stopping =
                matches!(signal, libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU);
            Stop::Group(GroupStop { tid, stopping })
        }
        _ if signal == libc::SIGTRAP | 0x80 => Stop::Call(Stopped { tid }),
        _ => Stop::Signal(SignalStop { tid, signal }),
    })
}

/// The size of the kernel's signal masks.
const MASK: usize = size_of::<u64>();
/// linux/ptrace.h
const GETSIGMASK: libc::c_uint = 0x420a;
const SETSIGMASK: libc::c_uint = 0x420b;

/// The signals that a stopped thread blocks (Linux 3.11).
pub(super) fn signal_mask(tid: Pid) -> nix::Result<u64> {
    let mut mask = 0_u64;
    // SAFETY: the place has the size that is told.
    let done = unsafe { libc::ptrace(GETSIGMASK, tid.as_raw(), MASK, &raw mut mask) };
    Errno::result(done).map(|_| mask)
}

/// Has a stopped thread block these signals, and no others.
pub(super) fn set_signal_mask(tid: Pid, mask: u64) -> nix::Result<()> {
    // SAFETY: the place has the size that is told.
    let done = unsafe { libc::ptrace(SETSIGMASK, tid.as_raw(), MASK, &raw const mask) };
    Errno::result(done).map(|_| ())
}

/// Syscall user dispatch of a thread: `struct ptrace_sud_config` (linux/ptrace.h).
#[repr(C)]
#[derive(Default)]
struct Dispatch {
    mode: u64,
    selector: u64,
    offset: u64,
    length: u64,
}
const SET_SYSCALL_USER_DISPATCH_CONFIG: libc::c_uint = 0x4210;
const GET_SYSCALL_USER_DISPATCH_CONFIG: libc::c_uint = 0x4211;
/// `PR_SYS_DISPATCH_ON` (linux/prctl.h): calls are dispatched but those between two addresses.
const DISPATCH_ON: u64 = 1;

/// Whether some calls of a stopped thread are dispatched to it (Linux 6.4).
pub(super) fn is_dispatched(tid: Pid) -> nix::Result<bool> {
    let mut now = Dispatch::default();
    let request = GET_SYSCALL_USER_DISPATCH_CONFIG;
    // SAFETY: the place has the size that is told.
    let done = unsafe { libc::ptrace(request, tid.as_raw(), size_of::<Dispatch>(), &raw mut now) };
    Errno::result(done).map(|_| now.mode != 0)
}

/// Has all calls of a stopped thread dispatched to it but those whose instruction ends at this address (Linux 6.4).
pub(super) fn dispatch_but(tid: Pid, behind: u64) -> nix::Result<()> {
    dispatch(tid, &Dispatch { mode: DISPATCH_ON, selector: 0, offset: behind, length: 1 })
}

/// Has no calls dispatched any more.
pub(super) fn dispatch_none(tid: Pid) -> nix::Result<()> {
    dispatch(tid, &Dispatch::default())
}

fn dispatch(tid: Pid, how: &Dispatch) -> nix::Result<()> {
    let request = SET_SYSCALL_USER_DISPATCH_CONFIG;
    // SAFETY: the place has the size that is told.
    let done =
        unsafe { libc::ptrace(request, tid.as_raw(), size_of::<Dispatch>(), &raw const *how) };
    Errno::result(done).map(|_| ())
}

/// Makes a thread stop soon, wherever it is.
pub(super) fn interrupt(tid: Pid) -> nix::Result<()> {
    request(libc::PTRACE_INTERRUPT, tid, 0).map(|_it_still_runs| ())
}

impl Stop {
    /// The thread.
    pub(super) fn tid(&self) -> Pid {
        match self {
            Self::Call(stop) | Self::Seccomp(stop) | Self::Clone(stop) | Self::Exec(stop) => {
                stop.tid
            }
            Self::Signal(stop) => stop.tid,
            Self::Group(stop) => stop.tid,
        }
    }

    /// Leaves the thread alone for good. A signal that was on its way is delivered.
    pub(super) fn detach(self) -> nix::Result<Resumed> {
        let signal = if let Self::Signal(stop) = &self { stop.signal } else { 0 };
        request(libc::PTRACE_DETACH, self.tid(), signal)
    }
}
