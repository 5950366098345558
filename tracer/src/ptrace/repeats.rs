//! Calls that a thread makes again and again at one place, and that teach nothing, run on without a stop: glibc's `posix_spawn` asks for the
//! handler of each signal in each new process, and Go and Python do so when they start.
//!
//! By syscall user dispatch (Documentation/admin-guide/syscall-user-dispatch.rst; a tracer can set it from Linux 6.4 on): calls from that one
//! place are made, and any other sends a `SIGSYS` to the thread instead, at which it stops. Then all is undone: the signal is not
//! delivered, and the call is made anew and seen. Unlike a filter, nothing of it stays with the process, nor with what it makes or
//! executes, and whatever else stops the thread ends it too.

use std::collections::HashMap;

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::unistd::Pid;

use crate::decode::Call;
use crate::tally::Key;
use crate::{memory, procfs};

use super::stops::{self, SignalStop, Stop, Stopped};
use super::task;

/// Calls that programs make in loops over all signals, and of which the number of times says nothing.
const LOOPED: [&str; 1] = ["rt_sigaction"];
/// So often in a row a call is made at one place before the next ones are expected there too.
const IN_A_ROW: u32 = 8;
/// `SYS_USER_DISPATCH` (asm-generic/siginfo.h).
const SYS_USER_DISPATCH: i32 = 2;
/// The length of the instruction that makes a call: `syscall`, as `int $0x80`.
const INSTRUCTION: u64 = 2;

/// What threads do again and again.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    threads: HashMap<Pid, Place>,
    /// The kernel does not let a tracer set this.
    unavailable: bool,
}

/// Where a thread has made its last calls.
#[derive(Debug)]
struct Place {
    /// The address behind the instruction.
    behind: u64,
    times: u32,
    runs_on: Option<Loop>,
}

/// Calls that run on without a stop.
#[derive(Debug)]
struct Loop {
    key: Key,
    /// The signals that the thread blocked when it began.
    mask: u64,
}

/// A stop of a thread, when nothing runs on any more.
pub(super) enum Ended {
    /// It is what it was.
    Stop(Stop),
    /// The thread stopped for another call, which it is about to make anew.
    OtherCall(Stopped),
}

impl Repeats {
    /// A thread has made a call at a place. Whether it succeeds there again and again, and nothing comes between.
    pub(super) fn again(&mut self, tid: Pid, call: &Call, behind: u64) -> bool {
        if self.unavailable || !call.name().is_some_and(|name| LOOPED.contains(&name)) {
            self.threads.remove(&tid);
            return false;
        }
        if !call.succeeded() {
            return false;
        }
        let place = self.threads.entry(tid).or_insert(Place { behind, times: 0, runs_on: None });
        if place.behind != behind {
            *place = Place { behind, times: 0, runs_on: None };
        }
        place.times = place.times.saturating_add(1);
        place.times == IN_A_ROW
    }

    /// Lets a stopped thread make this call at its place without a stop. False where that can not be, or would change something for the
    /// thread.
    pub(super) fn let_run_on(&mut self, tid: Pid, call: &Call, key: &Key) -> nix::Result<bool> {
        let Some(place) = self.threads.get_mut(&tid) else { return Ok(false) };
        if !makes_only(tid, call, place.behind) || handles_dispatch(task::number(tid)) {
            return Ok(false);
        }
        match stops::is_dispatched(tid) {
            Ok(false) => {}
            // The program does so itself.
            Ok(true) | Err(Errno::ESRCH) => return Ok(false),
            Err(_not_known) => {
                self.unavailable = true;
                return Ok(false);
            }
        }
        let mask = stops::signal_mask(tid);
        let done = mask.and_then(|mask| stops::dispatch_but(tid, place.behind).map(|()| mask));
        match done {
            Ok(mask) => {
                place.runs_on = Some(Loop { key: key.clone(), mask });
                Ok(true)
            }
            Err(Errno::ESRCH) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The thread's calls run on without a stop.
    pub(super) fn runs_on(&self, tid: Pid) -> bool {
        self.threads.get(&tid).is_some_and(|place| place.runs_on.is_some())
    }

    /// The threads whose calls run on without a stop.
    pub(super) fn all(&self) -> impl Iterator<Item = Pid> {
        self.threads.iter().filter(|(_, place)| place.runs_on.is_some()).map(|(tid, _)| *tid)
    }

    /// The calls that run on without a stop.
    pub(super) fn calls(&self) -> impl Iterator<Item = &Key> {
        self.threads.values().filter_map(|place| Some(&place.runs_on.as_ref()?.key))
    }

    /// A thread has stopped: from now on it stops at each call.
    pub(super) fn end(&mut self, stop: Stop) -> nix::Result<Ended> {
        let tid = stop.tid();
        let running = self.threads.get_mut(&tid).and_then(|place| place.runs_on.take());
        let Some(Loop { mask, .. }) = running else { return Ok(Ended::Stop(stop)) };
        self.threads.remove(&tid);
        match undo(stop, mask) {
            Err((stop, Errno::ESRCH)) => Ok(Ended::Stop(stop)),
            Err((_, error)) => Err(error),
            Ok(ended) => Ok(ended),
        }
    }

    /// A thread is gone.
    pub(super) fn gone(&mut self, tid: Pid) {
        self.threads.remove(&tid);
    }
}

fn undo(stop: Stop, mask: u64) -> Result<Ended, (Stop, Errno)> {
    let tid = stop.tid();
    if let Err(error) = stops::dispatch_none(tid) {
        return Err((stop, error));
    }
    match stop {
        Stop::Signal(signal) => match call_anew(&signal, mask) {
            Ok(true) => Ok(Ended::OtherCall(signal.withheld())),
            Ok(false) => Ok(Ended::Stop(Stop::Signal(signal))),
            Err(error) => Err((Stop::Signal(signal), error)),
        },
        other => Ok(Ended::Stop(other)),
    }
}

/// If the signal stands for a call, has the thread make it anew, as if nothing had happened.
fn call_anew(stop: &SignalStop, mask: u64) -> nix::Result<bool> {
    let tid = stop.tid();
    if stop.signal() != libc::SIGSYS {
        return Ok(false);
    }
    let told = ptrace::getsiginfo(tid)?;
    let mut registers = ptrace::getregs(tid)?;
    // SAFETY: the address of the call stands where that of a fault does, in a SIGSYS of the kernel's; else it is a number that is compared.
    let at = unsafe { told.si_addr() } as u64;
    if told.si_code != SYS_USER_DISPATCH || at != registers.rip {
        return Ok(false);
    }
    registers.rip -= INSTRUCTION;
    registers.rax = registers.orig_rax;
    // It comes from no call that could have to be restarted.
    registers.orig_rax = u64::MAX;
    ptrace::setregs(tid, registers)?;
    // The kernel has taken the signal out, to be sure that it is delivered.
    stops::set_signal_mask(tid, mask)?;
    Ok(true)
}

/// Whoever comes to this place makes this call and no other: `mov $nr, %eax; syscall`, in memory that is not written to.
fn makes_only(tid: Pid, call: &Call, behind: u64) -> bool {
    let [a, b, c, d] = call.nr.to_le_bytes();
    let code = [0xb8, a, b, c, d, 0x0f, 0x05];
    let Some(at) = behind.checked_sub(code.len() as u64) else { return false };
    memory::bytes(tid, at, code.len()).is_some_and(|found| found == code)
        && procfs::is_constant(task::number(tid), at)
}

/// Where a thread blocks or ignores the signal, the kernel takes back what is to be done about it, to be sure that it is delivered: who
/// ignores or handles it would notice that.
fn handles_dispatch(tid: u32) -> bool {
    const BIT: u64 = 1 << (libc::SIGSYS - 1);
    let masks = procfs::signals(tid, ["SigIgn:", "SigCgt:"]);
    masks.iter().any(|mask| mask.is_none_or(|mask| mask & BIT != 0))
}
