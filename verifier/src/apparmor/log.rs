//! The kernel's audit records, from the group of listeners that `audit` has for whoever may read them: nobody else's reading is
//! disturbed, and none is left out because very many come at once, as in the kernel's log.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// `AUDIT_NLGRP_READLOG` (linux/audit.h) as a mask.
const READLOG: u32 = 1;
/// Records of security modules, `AUDIT_AVC` (linux/audit.h).
const AVC: u16 = 1400;
/// The length of a `struct nlmsghdr` (linux/netlink.h).
const HEADER: usize = 16;
/// Room for records that arrive while the command runs.
const ROOM: libc::c_int = 32 << 20;
/// The kernel hands records over in a thread of its own; when none has come for so long, all have.
const SILENCE: Duration = Duration::from_millis(300);
/// But so long at most: others' records come too.
const MOST: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Log(OwnedFd);

impl Log {
    /// Listens from now on. Needs `CAP_AUDIT_READ`.
    pub(super) fn open() -> io::Result<Self> {
        let room = ROOM;
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: plain numbers; the descriptor that is returned is nobody else's.
        let socket = unsafe {
            let fd = libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_AUDIT);
            OwnedFd::from_raw_fd(Errno::result(fd)?)
        };
        // SAFETY: the option is an int; the larger of the two needs CAP_NET_ADMIN, without it the default stays.
        let _default = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVBUFFORCE,
                (&raw const room).cast(),
                4,
            )
        };
        // SAFETY: all zeroes is an address.
        let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        address.nl_family = 16; // AF_NETLINK
        address.nl_groups = READLOG;
        // SAFETY: the address is one of this family, with its size.
        let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), 12) };
        Errno::result(bound)?;
        Ok(Self(socket))
    }

    /// The records that security modules wrote since, and what was lost of them.
    pub(super) fn read(&self) -> (Vec<String>, Vec<String>) {
        let (mut records, mut notes) = (Vec::new(), Vec::new());
        let begun = Instant::now();
        let mut buffer = vec![0; 64 << 10];
        loop {
            // SAFETY: the buffer is as long as is said.
            let got = unsafe {
                libc::recv(self.0.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0)
            };
            match (usize::try_from(got), Errno::last()) {
                (Ok(got), _) => {
                    records.extend(buffer.get(..got).and_then(avc));
                }
                (Err(_), Errno::ENOBUFS) => {
                    notes.push(
                        "the kernel lost audit records: AppArmor refused more than is listed"
                            .to_owned(),
                    );
                }
                (Err(_), Errno::EINTR) => {}
                (Err(_), Errno::EAGAIN) if begun.elapsed() < MOST && self.more() => {}
                (Err(_), Errno::EAGAIN) => break,
                (Err(_), error) => {
                    notes.push(format!("audit records can't be read: {error}"));
                    break;
                }
            }
        }
        notes.dedup();
        (records, notes)
    }

    /// Something comes within the time of silence.
    fn more(&self) -> bool {
        let mut ready = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let wait = PollTimeout::try_from(SILENCE).unwrap_or(PollTimeout::ZERO);
        poll(&mut ready, wait).is_ok_and(|ready| ready > 0)
    }
}

/// The text of a message that is a security module's.
fn avc(message: &[u8]) -> Option<String> {
    let kind = u16::from_ne_bytes(message.get(4..6)?.try_into().ok()?);
    let text = message.get(HEADER..).filter(|_| kind == AVC)?;
    Some(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned())
}
