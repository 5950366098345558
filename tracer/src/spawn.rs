//! Starting the command to be recorded: it waits before its first instruction until a recorder is attached, and is then
//! exactly what it would be without one.

use std::ffi::{CString, OsStr, OsString};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::unistd::{ForkResult, Pid};

use crate::marks::{self, Marks};
use crate::session::{CommandEnd, RecordError};

/// What is done in the child, between its release and its becoming the command.
///
/// # Safety
/// The child is the copy of one thread of a process that may have more. An implementation calls only async-signal-safe
/// functions (signal-safety(7)), and neither allocates nor panics.
pub unsafe trait InChild {
    /// Before the command is executed.
    ///
    /// # Errors
    /// An errno; the command is not executed then, and [`Started::failure`] tells it.
    fn before(&self) -> Result<(), i32>;

    /// The command could not be executed. What follows is one write(2) and the exit.
    fn not_executed(&self, errno: i32);
}

/// Nothing is done.
struct Nothing;

// SAFETY: does nothing.
unsafe impl InChild for Nothing {
    fn before(&self) -> Result<(), i32> {
        Ok(())
    }

    fn not_executed(&self, _errno: i32) {}
}

/// A child that waits to be released; it is killed when dropped before.
pub struct Waiting {
    pid: Pid,
    release: Option<OwnedFd>,
    failure: OwnedFd,
    command: OsString,
}

/// A child that has been released.
pub struct Started {
    failure: OwnedFd,
    command: OsString,
}

fn system(what: &str) -> impl FnOnce(nix::Error) -> RecordError {
    let what = what.to_owned();
    move |error| RecordError::System { what, source: error.into() }
}

/// Forks a child that waits.
///
/// # Errors
/// When the system has no process or pipe to give, or the command holds a NUL byte.
pub fn spawn(command: &[OsString]) -> Result<Waiting, RecordError> {
    start(command, None, &Nothing)
}

/// Forks a child that waits, and that is told in its environment where [marks](crate::marks) are taken.
///
/// # Errors
/// As [`spawn`].
pub(crate) fn spawn_marked(
    command: &[OsString],
    marks: Option<&Marks>,
) -> Result<Waiting, RecordError> {
    start(command, marks.map(Marks::path), &Nothing)
}

/// Forks a child that waits, and does something more before it becomes the command.
///
/// # Errors
/// As [`spawn`].
pub fn spawn_with(command: &[OsString], more: &dyn InChild) -> Result<Waiting, RecordError> {
    start(command, None, more)
}

fn start(
    command: &[OsString],
    socket: Option<&Path>,
    more: &dyn InChild,
) -> Result<Waiting, RecordError> {
    let words: Vec<CString> = command
        .iter()
        .map(|word| CString::new(word.as_bytes()))
        .collect::<Result<_, _>>()
        .map_err(|nul| RecordError::Command {
            command: command.first().cloned().unwrap_or_default(),
            source: io::Error::new(io::ErrorKind::InvalidInput, nul),
        })?;
    let argv = pointers(&words);
    let with_socket = socket.map(environment);
    let environment = with_socket.as_deref().map(pointers);
    let pipe = || nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(system("make a pipe"));
    let (wait, release) = pipe()?;
    let (failure, tell) = pipe()?;
    // SAFETY: the child calls only async-signal-safe functions, in `child`; `InChild` promises the same.
    match unsafe { nix::unistd::fork() }.map_err(system("start a process"))? {
        ForkResult::Child => child(&argv, environment.as_deref(), &wait, &release, &tell, more),
        ForkResult::Parent { child } => Ok(Waiting {
            pid: child,
            release: Some(release),
            failure,
            command: command.first().cloned().unwrap_or_default(),
        }),
    }
}

/// The environment, with the socket for marks in it.
fn environment(socket: &Path) -> Vec<CString> {
    let pair = |name: &OsStr, value: &OsStr| {
        CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok()
    };
    let others = std::env::vars_os().filter(|(name, _)| name != marks::VARIABLE);
    let others = others.filter_map(|(name, value)| pair(&name, &value));
    others.chain(pair(marks::VARIABLE.as_ref(), socket.as_os_str())).collect()
}

/// As execve(2) wants them; they hold as long as the words do.
fn pointers(words: &[CString]) -> Vec<*const libc::c_char> {
    words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect()
}

/// The child's side: waits for one byte, and becomes the command. Never returns.
fn child(
    argv: &[*const libc::c_char],
    environment: Option<&[*const libc::c_char]>,
    wait: &OwnedFd,
    release: &OwnedFd,
    tell: &OwnedFd,
    more: &dyn InChild,
) -> ! {
    // The Rust runtime ignores SIGPIPE; the command must not inherit that. The signal mask is as we got it.
    // SAFETY: plain system calls on descriptors that are open, and an argv that ends with a null pointer.
    unsafe {
        libc::close(release.as_raw_fd());
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        let mut byte = 0_u8;
        if libc::read(wait.as_raw_fd(), (&raw mut byte).cast(), 1) != 1 {
            libc::_exit(125);
        }
        let errno = match more.before() {
            Ok(()) => {
                match environment {
                    Some(environment) => {
                        libc::execvpe(argv[0], argv.as_ptr(), environment.as_ptr())
                    }
                    None => libc::execvp(argv[0], argv.as_ptr()),
                };
                *libc::__errno_location()
            }
            Err(errno) => errno,
        };
        more.not_executed(errno);
        libc::write(tell.as_raw_fd(), (&raw const errno).cast(), size_of::<i32>());
        libc::_exit(127);
    }
}

impl Waiting {
    /// The child's process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Lets the child become the command.
    ///
    /// # Errors
    /// When the child is gone.
    pub fn release(mut self) -> Result<Started, RecordError> {
        if let Some(release) = self.release.take() {
            nix::unistd::write(&release, b"x").map_err(system("release the command"))?;
        }
        let failure = self.failure.try_clone();
        let failure = failure
            .map_err(|source| RecordError::System { what: "keep a pipe".to_owned(), source })?;
        Ok(Started { failure, command: std::mem::take(&mut self.command) })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // A child that was not released reads the end of the pipe and exits. Whoever drops it does not wait for it.
        self.release = None;
    }
}

impl Started {
    /// Why the command could not be executed, once the child has executed or exited; `None` if it was.
    pub fn failure(&self) -> Option<RecordError> {
        let mut errno = [0; size_of::<i32>()];
        let mut pipe = std::fs::File::from(self.failure.try_clone().ok()?);
        pipe.read_exact(&mut errno).ok()?;
        let mut errno = i32::from_ne_bytes(errno);
        if errno == libc::EACCES && !found(&self.command) {
            errno = libc::ENOENT;
        }
        let source = io::Error::from_raw_os_error(errno);
        Some(RecordError::Command { command: self.command.clone(), source })
    }
}

/// Whether there is such a file. execvp(3) says `EACCES` when a directory of PATH may not be searched, whatever the others
/// hold; shells say that the command was not found.
fn found(command: &OsStr) -> bool {
    if command.as_bytes().contains(&b'/') {
        return true;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(command).is_file())
}

/// A descriptor of a process that becomes readable when it ends (pidfd_open(2), Linux 5.3).
///
/// # Errors
/// When there is no such process, or no descriptor to give.
pub fn pidfd(process: Pid) -> io::Result<OwnedFd> {
    // SAFETY: plain numbers; the call returns a descriptor of our own.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, process.as_raw(), 0) };
    let fd = i32::try_from(Errno::result(fd)?).map_err(io::Error::other)?;
    // SAFETY: the kernel just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether the process of a [`pidfd`] has ended.
///
/// # Errors
/// When the system can't tell.
pub fn has_ended(process: &OwnedFd) -> io::Result<bool> {
    let mut fds = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    match poll(&mut fds, PollTimeout::ZERO) {
        Err(Errno::EINTR) => Ok(false),
        done => Ok(done? > 0),
    }
}

/// How a command ended, from the status of waitpid(2).
pub fn end_of(status: i32) -> CommandEnd {
    let status = std::process::ExitStatus::from_raw(status);
    match status.code() {
        Some(code) => CommandEnd::Code(code),
        None => CommandEnd::Signal(status.signal().unwrap_or(libc::SIGKILL)),
    }
}

/// The signals that ask a service to end (signal(7); nginx(8) and postgres(1) end gracefully by SIGQUIT and SIGINT).
pub(crate) const STOPS: [i32; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT];

/// While it lives, the terminal's signals are left to the command, and a request to end is passed on to it.
pub struct Signals {
    ids: Vec<signal_hook::SigId>,
}

impl Signals {
    /// Takes the signals for a command with this id.
    ///
    /// # Errors
    /// When handlers can't be installed.
    pub fn leave_to(pid: Pid) -> Result<Self, RecordError> {
        let fail = |source| RecordError::System { what: "handle signals".to_owned(), source };
        let mut ids = Vec::new();
        for signal in [Signal::SIGINT, Signal::SIGQUIT] {
            // SAFETY: the handler does nothing.
            ids.push(
                unsafe { signal_hook::low_level::register(signal as i32, || {}) }.map_err(fail)?,
            );
        }
        for signal in [Signal::SIGTERM, Signal::SIGHUP] {
            // SAFETY: kill(2) is async-signal-safe.
            let forward = move || unsafe {
                libc::kill(pid.as_raw(), signal as i32);
            };
            // SAFETY: as above.
            ids.push(
                unsafe { signal_hook::low_level::register(signal as i32, forward) }
                    .map_err(fail)?,
            );
        }
        Ok(Self { ids })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}
