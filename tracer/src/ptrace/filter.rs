//! The filter that lets known calls run free, notifies of those on files, and stops at all others (seccomp(2)).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek};

use libseccomp::error::SeccompError;
use libseccomp::{ScmpAction, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::known_files;
use crate::abi::{Abi, arguments, calls, paths};

/// A call of the native ABI that runs free.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Free {
    pub(super) nr: u32,
    /// The values that it has at its meaningful arguments.
    pub(super) values: BTreeMap<u8, u64>,
}

/// What the filter does at calls that read, look at or open a named file ([`known_files`](super::known_files)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtFiles {
    /// It stops.
    Stop,
    /// It notifies the listener that is made with it.
    Notify,
    /// It leaves them to an earlier filter, which notifies.
    LeaveToEarlier,
}

/// The kernel takes no longer programs (`BPF_MAXINSNS`, linux/bpf_common.h).
const LONGEST: usize = 4096;

/// The program, as the kernel wants it; `None` when it would be too long. With `empty_name` a look at a descriptor by the empty name at
/// this address runs free: the text there does not change.
///
/// # Errors
/// When libseccomp, or the system, has no room for it.
pub(super) fn program(
    free: &BTreeSet<Free>,
    at_files: AtFiles,
    empty_name: Option<u64>,
) -> io::Result<Option<Vec<u8>>> {
    let filter = context(free, at_files, empty_name).map_err(io::Error::other)?;
    // libseccomp before 2.6 writes to descriptors only.
    let memory = memfd_create("filter", MFdFlags::MFD_CLOEXEC)?;
    filter.export_bpf(&memory).map_err(io::Error::other)?;
    let mut file = File::from(memory);
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok((bytes.len() <= LONGEST * size_of::<libc::sock_filter>()).then_some(bytes))
}

fn context(
    free: &BTreeSet<Free>,
    at_files: AtFiles,
    empty_name: Option<u64>,
) -> Result<ScmpFilterContext, SeccompError> {
    let stop = ScmpAction::Trace(0);
    let mut filter = ScmpFilterContext::new(stop)?;
    // Calls of other ABIs.
    filter.set_act_badarch(stop)?;
    let at_files = match at_files {
        AtFiles::Stop => None,
        AtFiles::Notify => Some(ScmpAction::Notify),
        AtFiles::LeaveToEarlier => Some(ScmpAction::Allow),
    };
    let looks = calls::number(Abi::NATIVE, known_files::LOOKS);
    for (nr, action) in known_files::numbers().zip(at_files.into_iter().cycle()) {
        let call = ScmpSyscall::from(nr.cast_signed());
        match empty_name.filter(|_| Some(nr) == looks && action != ScmpAction::Allow) {
            None => _ = filter.add_rule(action, call)?,
            Some(name) => {
                let [named, other, named_elsewhere] = looking(name);
                filter.add_rule_conditional(action, call, &[other])?;
                filter.add_rule_conditional(action, call, &[named, named_elsewhere])?;
            }
        }
    }
    if let (Some(name), Some(nr)) = (empty_name, looks)
        && at_files != Some(ScmpAction::Allow)
    {
        let [at_descriptor, ..] = looking(name);
        let this = ScmpArgCompare::new(1, ScmpCompareOp::Equal, name);
        let call = ScmpSyscall::from(nr.cast_signed());
        filter.add_rule_conditional(ScmpAction::Allow, call, &[at_descriptor, this])?;
    }
    for Free { nr, values } in free {
        let Some(name) = calls::name(Abi::NATIVE, *nr) else { continue };
        let compared: Vec<ScmpArgCompare> = arguments::of(Abi::NATIVE, name)
            .iter()
            .filter_map(|argument| {
                let value = values.get(&argument.index)?;
                let masked = ScmpCompareOp::MaskedEqual(argument.mask.into());
                Some(ScmpArgCompare::new(argument.index.into(), masked, *value))
            })
            .collect();
        let call = ScmpSyscall::from(nr.cast_signed());
        if compared.is_empty() {
            filter.add_rule(ScmpAction::Allow, call)?;
        } else {
            filter.add_rule_conditional(ScmpAction::Allow, call, &compared)?;
        }
    }
    Ok(filter)
}

/// Of a call that may look at a descriptor: that it does, that it does not, and that its name stands elsewhere.
fn looking(name: u64) -> [ScmpArgCompare; 3] {
    let flag = u64::from(paths::AT_EMPTY_PATH);
    [
        ScmpArgCompare::new(3, ScmpCompareOp::Equal, flag),
        ScmpArgCompare::new(3, ScmpCompareOp::NotEqual, flag),
        ScmpArgCompare::new(1, ScmpCompareOp::NotEqual, name),
    ]
}
