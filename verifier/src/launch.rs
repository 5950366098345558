//! The child between its release and its exec: everything that the command must not be able to do is taken from it.
//!
//! After the filter is loaded the child makes one call, `execve`, and always waits in it for the supervisor: so the number of the
//! listener, which it leaves in shared memory, leads the supervisor to it with no call that the filter could refuse.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use nix::errno::Errno;
use tracer::spawn::InChild;

use crate::capabilities::Drop as Capabilities;

/// What the child was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Stage {
    Waiting,
    Profile,
    Programs,
    Capabilities,
    Filter,
    Executing,
    /// It will exit: the command can't be executed.
    NotExecuted,
}

impl Stage {
    const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Profile,
        Self::Programs,
        Self::Capabilities,
        Self::Filter,
        Self::Executing,
        Self::NotExecuted,
    ];
}

/// Memory that the child shares with us until it becomes the command.
#[derive(Debug)]
pub(crate) struct Shared(NonNull<Words>);

#[derive(Debug)]
struct Words {
    stage: AtomicU32,
    /// The stage that failed.
    failed: AtomicU32,
    errno: AtomicI32,
    /// Below zero: none yet.
    listener: AtomicI32,
}

impl Shared {
    pub(crate) fn new() -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let page = unsafe {
            libc::mmap(std::ptr::null_mut(), size_of::<Words>(), protection, flags, -1, 0)
        };
        if page == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let page = NonNull::new(page.cast::<Words>()).ok_or_else(io::Error::last_os_error)?;
        let words = Words {
            stage: AtomicU32::new(0),
            failed: AtomicU32::new(0),
            errno: AtomicI32::new(0),
            listener: AtomicI32::new(-1),
        };
        // SAFETY: the mapping is large enough, aligned to a page, and nobody else's yet.
        unsafe { page.write(words) };
        Ok(Self(page))
    }

    fn words(&self) -> &Words {
        // SAFETY: the mapping lives as long as this, and holds atomics only.
        unsafe { self.0.as_ref() }
    }

    fn enter(&self, stage: Stage) {
        self.words().stage.store(stage as u32, Ordering::SeqCst);
    }

    fn read(word: &AtomicU32) -> Stage {
        let word = word.load(Ordering::SeqCst);
        Stage::ALL.into_iter().find(|stage| *stage as u32 == word).unwrap_or(Stage::Waiting)
    }

    /// The number of the listener in the child.
    pub(crate) fn listener(&self) -> Option<i32> {
        let number = self.words().listener.load(Ordering::SeqCst);
        (number >= 0).then_some(number)
    }

    /// Where the child failed, and why.
    pub(crate) fn failure(&self) -> Option<(Stage, io::Error)> {
        let failed = Self::read(&self.words().stage) == Stage::NotExecuted;
        let errno = self.words().errno.load(Ordering::SeqCst);
        failed.then(|| (Self::read(&self.words().failed), io::Error::from_raw_os_error(errno)))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing refers to it any more.
        unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<Words>()) };
    }
}

/// What the child does.
pub(crate) struct Launch {
    /// What asks the kernel for an `AppArmor` profile from the exec on.
    pub(crate) profile: Option<CString>,
    pub(crate) shared: Shared,
    pub(crate) capabilities: Capabilities,
    pub(crate) programs: Option<OwnedFd>,
    /// What takes the place of the command's standard streams.
    pub(crate) streams: Option<OwnedFd>,
    pub(crate) filter: Vec<libc::sock_filter>,
    /// Flags of seccomp(2) that the profile asks for.
    pub(crate) flags: libc::c_ulong,
}

// SAFETY: `before` and `not_executed` make plain system calls and write to shared memory; errors are numbers, without memory of
// their own.
unsafe impl InChild for Launch {
    fn before(&self) -> Result<(), i32> {
        self.restrict().map_err(|error| error.raw_os_error().unwrap_or(libc::EINVAL))
    }

    fn not_executed(&self, errno: i32) {
        let words = self.shared.words();
        words.failed.store(words.stage.load(Ordering::SeqCst), Ordering::SeqCst);
        words.errno.store(errno, Ordering::SeqCst);
        self.shared.enter(Stage::NotExecuted);
    }
}

impl Launch {
    fn restrict(&self) -> io::Result<()> {
        if let Some(instead) = &self.streams {
            for stream in 0..=2 {
                // SAFETY: plain numbers.
                Errno::result(unsafe { libc::dup2(instead.as_raw_fd(), stream) })?;
            }
        }
        if let Some(profile) = &self.profile {
            self.shared.enter(Stage::Profile);
            confine_at_exec(profile)?;
        }
        self.shared.enter(Stage::Capabilities);
        self.capabilities.apply()?;
        if let Some(ruleset) = &self.programs {
            self.shared.enter(Stage::Programs);
            // SAFETY: plain numbers.
            let done =
                unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) };
            Errno::result(done)?;
        }
        self.shared.enter(Stage::Filter);
        let listener = self.load()?;
        self.shared.enter(Stage::Executing);
        self.shared.words().listener.store(listener, Ordering::SeqCst);
        Ok(())
    }

    /// Loads the filter. Signals must not disturb a call whose notification has been received: the profile's own answer
    /// would not be interrupted either.
    fn load(&self) -> io::Result<i32> {
        let flags = self.flags | libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
        match self.load_with(flags | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) {
            // Linux before 5.19.
            Err(Errno::EINVAL) => Ok(self.load_with(flags)?),
            done => Ok(done?),
        }
    }

    fn load_with(&self, flags: libc::c_ulong) -> nix::Result<i32> {
        let program = libc::sock_fprog {
            // BPF_MAXINSNS is 4096: whatever does not fit is refused by the kernel.
            len: u16::try_from(self.filter.len()).unwrap_or(u16::MAX),
            filter: self.filter.as_ptr().cast_mut(),
        };
        // SAFETY: the program describes the filter, which the kernel copies.
        let done = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                &raw const program,
            )
        };
        i32::try_from(Errno::result(done)?).map_err(|_too_large| Errno::EBADF)
    }
}

/// Asks for a profile from this task's exec on, without allocating.
fn confine_at_exec(profile: &CString) -> io::Result<()> {
    // SAFETY: the names and the profile are strings that outlive the calls.
    unsafe {
        // The first is AppArmor's own; kernels before 5.8 have only the second.
        let open =
            |name: &std::ffi::CStr| libc::open(name.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        let mut fd = open(c"/proc/self/attr/apparmor/exec");
        if fd < 0 {
            fd = open(c"/proc/self/attr/exec");
        }
        Errno::result(fd)?;
        let bytes = profile.as_bytes();
        Errno::result(libc::write(fd, bytes.as_ptr().cast(), bytes.len()))?;
        Errno::result(libc::close(fd))?;
    }
    Ok(())
}
