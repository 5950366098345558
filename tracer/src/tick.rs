//! A timer that interrupts the recorder's waiting, so that progress is shown and time-outs are kept while nothing happens.

use std::time::Duration;

use nix::errno::Errno;

/// Interrupts blocking system calls of the thread that started it, again and again, until it is dropped.
///
/// Ticks come as a real-time signal to this thread alone; a tick that comes just before a call blocks is made up for by
/// the next one.
#[derive(Debug)]
pub(crate) struct Tick {
    timer: libc::timer_t,
}

impl Tick {
    /// Starts ticking in this thread.
    pub(crate) fn start(every: Duration) -> nix::Result<Self> {
        let signal = signal();
        // SAFETY: all zeros is a valid value of this struct of plain data.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = ignore as *const () as libc::sighandler_t;
        // No SA_RESTART: interrupting is what the signal is for.
        // SAFETY: the handler does nothing; the old action is not asked for.
        Errno::result(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) })?;
        // SAFETY: as above.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = signal;
        event.sigev_notify_thread_id = nix::unistd::gettid().as_raw();
        let mut timer = std::ptr::null_mut();
        // SAFETY: both places are valid.
        Errno::result(unsafe {
            libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer)
        })?;
        let tick = Self { timer };
        let interval = libc::timespec {
            tv_sec: libc::time_t::try_from(every.as_secs()).unwrap_or(1),
            tv_nsec: every.subsec_nanos().into(),
        };
        let setting = libc::itimerspec { it_interval: interval, it_value: interval };
        // SAFETY: the timer exists, the setting is valid, the old one is not asked for.
        Errno::result(unsafe {
            libc::timer_settime(tick.timer, 0, &raw const setting, std::ptr::null_mut())
        })?;
        Ok(tick)
    }
}

impl Drop for Tick {
    fn drop(&mut self) {
        // SAFETY: the timer was made in `start` and is deleted once.
        unsafe { libc::timer_delete(self.timer) };
    }
}

/// Interrupts what a thread of this process that has started ticks waits for, at once. As with a tick, a wait that only just begins is
/// missed.
pub(crate) fn interrupt(thread: i32) {
    // SAFETY: plain numbers; the signal's handler does nothing, and a thread that has ended is in this process no more.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal()) };
}

fn signal() -> i32 {
    libc::SIGRTMAX() - 1
}

extern "C" fn ignore(_signal: libc::c_int) {}
