//! The kernel's interface of seccomp's user notifier (`seccomp_unotify(2)`, Linux 5.0; taking a listener out of a process needs 5.6).
//!
//! Guarantees: buffers have the kernel's sizes, whatever they are; from Linux 6.6 on whoever answers is woken on the asker's processor.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP` (linux/seccomp.h, since Linux 6.6): whoever answers is woken on the asker's CPU.
const SYNC_WAKE_UP: u64 = 1;

/// The descriptor that notifications come from.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    // The kernel's structures may be larger than those known here; words, for their alignment.
    request: Vec<u64>,
    response: Vec<u64>,
}

/// A call that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub struct Notification {
    /// By which it is answered.
    pub id: u64,
    /// The thread; zero for one that is not visible in this process id namespace.
    pub tid: u32,
    /// `AUDIT_ARCH_…` (linux/audit.h).
    pub arch: u32,
    /// The call's number.
    pub nr: u32,
    /// Its arguments.
    pub args: [u64; 6],
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The call is made.
    Continue,
    /// It returns this error.
    Errno(i32),
}

/// A descriptor of a process, as one of our own (pidfd_getfd(2), Linux 5.6).
///
/// # Errors
/// When the process is gone, has no such descriptor, or may not be looked into.
pub fn descriptor_of(process: BorrowedFd<'_>, number: i32) -> io::Result<OwnedFd> {
    // SAFETY: plain numbers; the call returns a descriptor of our own.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) };
    let fd = i32::try_from(Errno::result(fd)?).map_err(io::Error::other)?;
    // SAFETY: the kernel just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

impl Listener {
    /// Takes a listener out of the process that loaded the filter and has it by this number.
    ///
    /// # Errors
    /// When the process is gone, has no such descriptor, or may not be looked into.
    pub fn of(process: BorrowedFd<'_>, number: i32) -> io::Result<Self> {
        let fd = descriptor_of(process, number)?;
        let mut sizes =
            libc::seccomp_notif_sizes { seccomp_notif: 0, seccomp_notif_resp: 0, seccomp_data: 0 };
        // SAFETY: the operation fills the structure that it is given.
        Errno::result(unsafe {
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_NOTIF_SIZES, 0, &raw mut sizes)
        })?;
        // SAFETY: the request takes a number. Kernels before 6.6 don't know it: then wake-ups are as they always were.
        unsafe { libc::ioctl(fd.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP) };
        let words = |kernel: u16, own: usize| vec![0; usize::from(kernel).max(own).div_ceil(8)];
        Ok(Self {
            fd,
            request: words(sizes.seccomp_notif, size_of::<libc::seccomp_notif>()),
            response: words(sizes.seccomp_notif_resp, size_of::<libc::seccomp_notif_resp>()),
        })
    }

    /// The next notification; `None` when the thread died or was interrupted before it could be received.
    ///
    /// # Errors
    /// When the kernel refuses it for another reason.
    pub fn receive(&mut self) -> io::Result<Option<Notification>> {
        // The kernel wants zeroes.
        self.request.fill(0);
        let request = self.request.as_mut_ptr().cast::<libc::seccomp_notif>();
        // SAFETY: the buffer is as large as the kernel's structure, and aligned.
        let done =
            unsafe { libc::ioctl(self.fd.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, request) };
        match Errno::result(done) {
            Err(Errno::ENOENT | Errno::EINTR | Errno::EAGAIN) => return Ok(None),
            done => done?,
        };
        // SAFETY: the buffer is at least as large as the structure, aligned, and was filled.
        let got = unsafe { request.read() };
        Ok(Some(Notification {
            id: got.id,
            tid: got.pid,
            arch: got.data.arch,
            nr: got.data.nr.cast_unsigned(),
            args: got.data.args,
        }))
    }

    /// The thread still waits: what was read of it meanwhile was read of it, and not of another with its number.
    pub fn still_waits(&self, id: u64) -> bool {
        // SAFETY: the request reads one word.
        let done = unsafe {
            libc::ioctl(self.fd.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const id)
        };
        done == 0
    }

    /// Answers; `false` when nobody waits any more: the thread died, or a signal interrupted it and it asks again.
    ///
    /// # Errors
    /// When the kernel refuses it for another reason.
    pub fn answer(&mut self, id: u64, reply: Reply) -> io::Result<bool> {
        let (error, flags) = match reply {
            // The flag is one bit of 32.
            Reply::Continue => {
                (0, u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).unwrap_or(1))
            }
            Reply::Errno(errno) => (-errno, 0),
        };
        self.response.fill(0);
        let response = self.response.as_mut_ptr().cast::<libc::seccomp_notif_resp>();
        // SAFETY: the buffer is at least as large as the structure, and aligned.
        unsafe { response.write(libc::seccomp_notif_resp { id, val: 0, error, flags }) };
        loop {
            // SAFETY: the buffer is as large as the kernel's structure.
            let done = unsafe {
                libc::ioctl(self.fd.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, response)
            };
            return match Errno::result(done) {
                Ok(_) => Ok(true),
                Err(Errno::EINTR) => continue,
                Err(Errno::ENOENT) => Ok(false),
                Err(error) => Err(error.into()),
            };
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
