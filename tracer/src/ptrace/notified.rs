//! Calls on known files run on without a stop: the filter notifies of them, and a thread of the recorder's own answers.
//!
//! Whoever is woken by a notification runs on the asker's processor (`SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`, Linux 6.6), which costs a
//! fraction of a stop. How the call ends is not told; so only what is known already is answered, and everything else is called back to
//! the thread that traces: it interrupts the call, which begins anew under its eyes.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::unistd::Pid;

use super::known_files::{KnownFiles, Target, Use};
use crate::abi::Abi;
use crate::decode::Call;
use crate::notify::{Listener, Notification, Reply};
use crate::tick;

/// So long a call-back waits until the tracing thread is interrupted again, in ms: it may have been about to wait.
const AGAIN: u16 = 1;

/// The answering thread, and what it is told.
#[derive(Debug)]
pub(super) struct Notified {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Something is new for the answering thread.
    news: EventFd,
    /// The thread that traces.
    recorder: i32,
}

#[derive(Debug, Default)]
struct State {
    /// New ones.
    listeners: Vec<Listener>,
    /// What is known of processes that run free.
    processes: HashMap<Pid, KnownFiles>,
    /// The processes of threads.
    threads: HashMap<Pid, Pid>,
    /// Threads in a call whose begin and end the tracing thread sees; true when it was answered.
    entered: HashMap<Pid, bool>,
    /// Threads whose call the tracing thread must see.
    called_back: Vec<Pid>,
    /// Why no answers are given any more.
    failed: Option<io::Error>,
    ended: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notified {
    /// Starts the answering thread, for the thread that traces, which has ticks.
    ///
    /// # Errors
    /// When the system gives no descriptor or no thread.
    pub(super) fn start() -> io::Result<Self> {
        let news = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let recorder = nix::unistd::gettid().as_raw();
        let shared = Arc::new(Shared { state: Mutex::default(), news, recorder });
        let own = Arc::clone(&shared);
        let answer = move || {
            let done = Answering { shared: &own, listeners: Vec::new() }.run();
            own.state().failed = done.err();
        };
        let thread = std::thread::Builder::new().name("answers".to_owned()).spawn(answer)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// A process has been given a filter that notifies.
    pub(super) fn listen(&self, listener: Listener) {
        self.shared.state().listeners.push(listener);
        self.tell();
    }

    fn tell(&self) {
        // It can only be full, and then there is something to hear already.
        let _full = self.shared.news.write(1);
    }

    /// A thread of a process appears.
    pub(super) fn joined(&self, thread: Pid, process: Pid) {
        self.shared.state().threads.insert(thread, process);
    }

    /// A thread is gone.
    pub(super) fn gone(&self, thread: Pid) {
        let mut state = self.shared.state();
        state.threads.remove(&thread);
        state.entered.remove(&thread);
        state.processes.remove(&thread);
    }

    /// From now on files may be known of a process.
    pub(super) fn runs_free(&self, process: Pid) {
        self.shared.state().processes.insert(process, KnownFiles::default());
    }

    /// Everything that a process does is to be seen.
    pub(super) fn is_observed(&self, process: Pid) {
        self.shared.state().processes.remove(&process);
    }

    /// Everything is to be seen.
    pub(super) fn all_are_observed(&self) {
        self.shared.state().processes.clear();
    }

    /// A use of a file teaches nothing from now on, if the process runs free.
    pub(super) fn remember(&self, process: Pid, how: Use, target: Target) {
        if let Some(files) = self.shared.state().processes.get_mut(&process) {
            files.add(how, target);
        }
    }

    /// Names may lead elsewhere.
    pub(super) fn forget_files(&self) {
        let mut state = self.shared.state();
        state.processes.values_mut().for_each(|files| *files = KnownFiles::default());
    }

    /// The begin of a thread's call was seen, and its end will be.
    pub(super) fn entered(&self, thread: Pid) {
        self.shared.state().entered.insert(thread, false);
    }

    /// The end of a thread's call was seen, or will not be.
    pub(super) fn left(&self, thread: Pid) {
        self.shared.state().entered.remove(&thread);
    }

    /// A call of the thread that was interrupted had been answered, so that it was really made.
    pub(super) fn was_answered(&self, thread: Pid) -> bool {
        self.shared.state().entered.get(&thread).is_some_and(|answered| *answered)
    }

    /// The threads that must be interrupted, so that their calls are seen.
    ///
    /// # Errors
    /// When the answering thread has failed.
    pub(super) fn called_back(&self) -> io::Result<Vec<Pid>> {
        let mut state = self.shared.state();
        match state.failed.take() {
            Some(error) => Err(error),
            None => Ok(std::mem::take(&mut state.called_back)),
        }
    }
}

impl Drop for Notified {
    fn drop(&mut self) {
        self.shared.state().ended = true;
        self.tell();
        if let Some(thread) = self.thread.take() {
            // What it had to say is said by `called_back`.
            let _panicked = thread.join();
        }
    }
}

/// The answering thread.
struct Answering<'a> {
    shared: &'a Shared,
    listeners: Vec<Listener>,
}

impl Answering<'_> {
    fn run(mut self) -> io::Result<()> {
        loop {
            let timeout = {
                let mut state = self.shared.state();
                if state.ended {
                    return Ok(());
                }
                self.listeners.append(&mut state.listeners);
                if state.called_back.is_empty() {
                    PollTimeout::NONE
                } else {
                    tick::interrupt(self.shared.recorder);
                    AGAIN.into()
                }
            };
            let mut fds: Vec<PollFd<'_>> =
                self.listeners.iter().map(|l| PollFd::new(l.as_fd(), PollFlags::POLLIN)).collect();
            fds.push(PollFd::new(self.shared.news.as_fd(), PollFlags::POLLIN));
            match poll(&mut fds, timeout) {
                Err(Errno::EINTR) => continue,
                done => _ = done?,
            }
            let ready: Vec<PollFlags> =
                fds.iter().map(|fd| fd.revents().unwrap_or(PollFlags::empty())).collect();
            if ready.last().is_some_and(|news| !news.is_empty()) {
                let _how_many = self.shared.news.read();
            }
            for (listener, ready) in self.listeners.iter_mut().zip(&ready) {
                if ready.contains(PollFlags::POLLIN)
                    && let Some(notification) = listener.receive()?
                {
                    answer(self.shared, listener, &notification)?;
                }
            }
            // Nobody is left who has the filter.
            let mut ready = ready.iter();
            self.listeners
                .retain(|_| !ready.next().is_some_and(|ready| ready.contains(PollFlags::POLLHUP)));
        }
    }
}

fn answer(shared: &Shared, listener: &mut Listener, asks: &Notification) -> io::Result<()> {
    let Ok(tid) = i32::try_from(asks.tid) else { return Ok(()) };
    let tid = Pid::from_raw(tid);
    if let Some(answered) = shared.state().entered.get_mut(&tid) {
        *answered = listener.answer(asks.id, Reply::Continue)?;
        return Ok(());
    }
    let known = is_known(shared, tid, asks);
    // An answer that nobody waits for any more is no loss: the call begins anew.
    if known {
        listener.answer(asks.id, Reply::Continue)?;
    } else {
        shared.state().called_back.push(tid);
    }
    Ok(())
}

fn is_known(shared: &Shared, tid: Pid, asks: &Notification) -> bool {
    let Some(abi) = Abi::from_audit(asks.arch, asks.nr.into()).filter(|abi| *abi == Abi::NATIVE)
    else {
        return false;
    };
    let call = Call { abi, nr: asks.nr, args: asks.args, result: None };
    let Some((how, target)) = Use::read(tid, &call) else { return false };
    let state = shared.state();
    let files = state.threads.get(&tid).and_then(|process| state.processes.get(process));
    files.is_some_and(|files| files.know(&how, target))
}
