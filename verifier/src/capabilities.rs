//! Dropping capabilities, so that the command gets those of the profile and no other.
//!
//! What a program has is decided at its exec (capabilities(7), "Transformation of capabilities during execve()"): by the
//! bounding, inheritable and ambient sets of whoever executes it, and for root the bounding set alone. So these three are cut
//! down before the exec, and the launcher keeps what it needs to load a filter until then. No set ever grows.

use std::io;

use caps::{CapSet, Capability};
use profile_emit::capabilities::Capabilities;

use crate::VerifyError;
use crate::error::system;
use crate::profiles::Profiles;

/// `_LINUX_CAPABILITY_VERSION_3` (linux/capability.h).
const VERSION_3: u32 = 0x2008_0522;
/// Sets are words of 64 bits (linux/capability.h, `_LINUX_CAPABILITY_U32S_3`).
const MOST: u8 = 64;
const ALL: &str = "ALL";

/// What the child does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drop {
    /// Of the bounding set, by bits.
    bounding: u64,
    /// The sets that remain.
    effective: u64,
    permitted: u64,
    inheritable: u64,
    /// Programs must not gain privileges when they are executed: only then may the unprivileged load a filter.
    pub(crate) no_new_privs: bool,
}

/// What is to be dropped, and what a reader should know of it.
pub(crate) fn plan(profiles: &Profiles) -> Result<(Drop, Vec<String>), VerifyError> {
    let malformed =
        |what| VerifyError::Malformed { path: profiles.capabilities_path.clone(), what };
    let wanted = mask(&profiles.capabilities).map_err(malformed)?;
    let bounding = bounding_set();
    let [effective, permitted, inheritable] =
        [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable].map(own);
    let (effective, permitted, inheritable) = (effective?, permitted?, inheritable?);
    let may = |capability: Capability| effective & capability.bitmask() != 0;
    let no_new_privs = !may(Capability::CAP_SYS_ADMIN) || !may(Capability::CAP_SETPCAP);
    let keep = if no_new_privs { wanted } else { u64::MAX };
    let plan = Drop {
        bounding: if may(Capability::CAP_SETPCAP) { bounding & !wanted } else { 0 },
        effective: effective & keep,
        permitted: permitted & keep,
        inheritable: inheritable & wanted,
        no_new_privs,
    };
    Ok((plan, notes(wanted, bounding & permitted, &plan)))
}

fn notes(wanted: u64, has: u64, plan: &Drop) -> Vec<String> {
    let mut notes = Vec::new();
    if plan.no_new_privs {
        notes.push(
            "no_new_privs is set, as an unprivileged filter needs it: programs with set-user-id bits or file capabilities gain \
             nothing; run as root to leave it unset"
                .to_owned(),
        );
    }
    let mut lacking: Vec<String> = caps::all()
        .into_iter()
        .filter(|capability| wanted & !has & capability.bitmask() != 0)
        .map(|capability| capability.to_string())
        .collect();
    lacking.sort();
    if !lacking.is_empty() && wanted != u64::MAX {
        notes.push(format!(
            "the profile has {}, which the verification lacks itself: the command cannot use it here; run as root",
            lacking.join(", ")
        ));
    }
    notes
}

/// The capabilities that the profile leaves, by bits.
fn mask(capabilities: &Capabilities) -> Result<u64, String> {
    if !capabilities.drop.iter().any(|name| name == ALL) {
        return Err("\"drop\" does not hold \"ALL\", so what remains is not known".to_owned());
    }
    capabilities.added().try_fold(0, |mask, name| {
        if name == format!("CAP_{ALL}") {
            return Ok(u64::MAX);
        }
        let capability: Capability = name
            .parse()
            .map_err(|_unknown| format!("{name} is no capability of capabilities(7)"))?;
        Ok(mask | capability.bitmask())
    })
}

fn own(set: CapSet) -> Result<u64, VerifyError> {
    let of = caps::read(None, set).map_err(|e| system("read capabilities")(io::Error::other(e)))?;
    Ok(of.iter().fold(0, |mask, capability| mask | capability.bitmask()))
}

/// Also those that are newer than any name known here.
fn bounding_set() -> u64 {
    (0..MOST)
        // SAFETY: the operation takes a number.
        .filter(|bit| unsafe { libc::prctl(libc::PR_CAPBSET_READ, u64::from(*bit), 0, 0, 0) } == 1)
        .fold(0, |mask, bit| mask | 1 << bit)
}

/// `struct __user_cap_header_struct` and two of `struct __user_cap_data_struct` (linux/capability.h).
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

impl Drop {
    /// Drops them. Async-signal-safe.
    pub(crate) fn apply(&self) -> io::Result<()> {
        let refused = |done: libc::c_long| {
            if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
        };
        if self.no_new_privs {
            // SAFETY: the operation takes a number.
            refused(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into())?;
        }
        for bit in (0..MOST).filter(|bit| self.bounding & 1 << bit != 0) {
            // SAFETY: as above.
            refused(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, u64::from(bit), 0, 0, 0) }.into())?;
        }
        let (effective, permitted, inheritable) =
            (halves(self.effective), halves(self.permitted), halves(self.inheritable));
        let data = [0, 1].map(|half| Data {
            effective: effective[half],
            permitted: permitted[half],
            inheritable: inheritable[half],
        });
        let header = Header { version: VERSION_3, pid: 0 };
        // What is no longer inheritable is no longer ambient either (capabilities(7)).
        // SAFETY: the structures are those of this version of the call.
        refused(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) })
    }
}

fn halves(mask: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = mask.to_le_bytes();
    [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(drop: &[&str], add: &[&str]) -> Result<u64, String> {
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
        mask(&Capabilities { drop: words(drop), add: words(add) })
    }

    #[test]
    fn names_become_bits() {
        assert_eq!(of(&["ALL"], &[]), Ok(0));
        assert_eq!(of(&["ALL"], &["CHOWN", "CAP_KILL"]), Ok(1 | 1 << 5));
        assert_eq!(of(&["ALL"], &["ALL"]), Ok(u64::MAX));
        assert!(of(&["ALL"], &["FLY"]).unwrap_err().contains("CAP_FLY"));
        assert!(of(&["KILL"], &[]).unwrap_err().contains("ALL"));
        assert_eq!(halves(1 << 33 | 5), [5, 2]);
    }
}
