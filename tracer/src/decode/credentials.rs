//! Who a task is: what `/proc/TID/status` says of its ids and capabilities.

use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

/// The credentials of a task at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Real, effective, saved and file system user.
    pub uid: [u32; 4],
    /// Real, effective, saved and file system group.
    pub gid: [u32; 4],
    /// Further groups.
    pub groups: Vec<u32>,
    /// The effective capabilities, as bits.
    pub effective: u64,
    /// The permitted capabilities, as bits.
    pub permitted: u64,
    /// It can gain no privileges by executing a program.
    pub no_new_privileges: bool,
    /// Its user namespace, by its number; 0 when that can't be seen.
    pub users: u64,
}

impl Credentials {
    /// Reads them; `None` when the task is gone.
    pub fn of(tid: u32) -> Option<Self> {
        let read = Self::parse(&std::fs::read_to_string(format!("/proc/{tid}/status")).ok()?)?;
        Some(Self { users: users(&tid.to_string()), ..read })
    }

    /// The lines of proc(5), `/proc/PID/status`.
    fn parse(status: &str) -> Option<Self> {
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let numbers = |name: &str| -> Option<Vec<u32>> {
            field(name)?.split_whitespace().map(|n| n.parse().ok()).collect()
        };
        Some(Self {
            uid: numbers("Uid:")?.try_into().ok()?,
            gid: numbers("Gid:")?.try_into().ok()?,
            groups: numbers("Groups:")?,
            effective: u64::from_str_radix(field("CapEff:")?.trim(), 16).ok()?,
            permitted: u64::from_str_radix(field("CapPrm:")?.trim(), 16).ok()?,
            no_new_privileges: field("NoNewPrivs:").is_some_and(|value| value.trim() == "1"),
            users: 0,
        })
    }

    /// Whether its capabilities count where the recorder's do, and not only in a user namespace of its own.
    pub fn among_own_users(&self) -> bool {
        static OWN: OnceLock<u64> = OnceLock::new();
        self.users == 0 || self.users == *OWN.get_or_init(|| users("self"))
    }

    /// It may trace the other, and look into what procfs keeps for those who may, without a capability (ptrace(2), "Ptrace access
    /// mode checking").
    pub fn may_trace(&self, other: &Self) -> bool {
        let same = |mine: u32, theirs: &[u32; 4]| theirs[..3].iter().all(|id| *id == mine);
        same(self.uid[0], &other.uid)
            && same(self.gid[0], &other.gid)
            && other.permitted & !self.permitted == 0
            && self.users == other.users
    }

    /// The capability of this number is effective.
    pub fn has(&self, capability: u32) -> bool {
        capability < 64 && self.effective & (1 << capability) != 0
    }

    /// The task owns the file.
    pub fn owns(&self, file: &std::fs::Metadata) -> bool {
        file.uid() == self.uid[3]
    }

    /// A group of the task's.
    pub fn in_group(&self, gid: u32) -> bool {
        gid == self.gid[3] || self.groups.contains(&gid)
    }

    /// The mode bits grant `wanted` (4 read, 2 write, 1 execute or search) without any capability. Access control lists are
    /// not looked at.
    pub fn mode_grants(&self, file: &std::fs::Metadata, wanted: u32) -> bool {
        let shift = if self.owns(file) {
            6
        } else if self.in_group(file.gid()) {
            3
        } else {
            0
        };
        (file.mode() >> shift) & wanted == wanted
    }
}

/// The number of a process's user namespace.
fn users(of: &str) -> u64 {
    std::fs::metadata(format!("/proc/{of}/ns/user")).map_or(0, |file| file.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_read() {
        let status = "Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t9 10 \nCapPrm:\t0000000000000401\nCapEff:\t0000000000000401\nNoNewPrivs:\t1\n";
        let read = Credentials::parse(status).unwrap();
        assert_eq!((read.uid, read.gid), ([1, 2, 3, 4], [5, 6, 7, 8]));
        assert!(read.in_group(8) && read.in_group(10) && !read.in_group(5));
        assert!(read.has(0) && read.has(10) && !read.has(1) && read.no_new_privileges);
        assert_eq!(Credentials::parse("Uid:\t1\n"), None);
        assert!(Credentials::of(std::process::id()).is_some());
    }
}
