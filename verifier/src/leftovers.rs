//! What a run leaves behind when the command is run again and again: servers that nobody stopped, because what would have stopped
//! them was refused. They are ended after each run.

use std::collections::{BTreeMap, BTreeSet};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

/// While it lives, orphans of this process's descendants become its children.
#[derive(Debug)]
pub(crate) struct Leftovers {
    /// Processes that were there before.
    known: BTreeSet<i32>,
    was_subreaper: bool,
}

impl Leftovers {
    /// From now on.
    pub(crate) fn watch() -> nix::Result<Self> {
        let was_subreaper = nix::sys::prctl::get_child_subreaper()?;
        nix::sys::prctl::set_child_subreaper(true)?;
        Ok(Self { known: descendants(), was_subreaper })
    }

    /// Ends everything that has become a descendant of this process since. The command itself is waited for by whoever started it.
    pub(crate) fn end(&self, command: Pid) {
        // What is made meanwhile is met in the next round; what dies is gone from the list once it was waited for.
        for _ in 0..100 {
            let new: Vec<i32> = descendants().difference(&self.known).copied().collect();
            if new.iter().all(|process| *process == command.as_raw()) {
                let _gone = kill(command, Signal::SIGKILL);
                return;
            }
            for process in new {
                let process = Pid::from_raw(process);
                let _gone = kill(process, Signal::SIGKILL);
                if process != command {
                    // Only our own children can be waited for; others are once they have become ours.
                    let _not_ours = waitpid(process, Some(WaitPidFlag::WNOHANG));
                }
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        let _as_before = nix::sys::prctl::set_child_subreaper(self.was_subreaper);
    }
}

/// The processes that descend from this one.
fn descendants() -> BTreeSet<i32> {
    let parents: BTreeMap<i32, i32> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|process: i32| Some((process, parent(process)?)))
        .collect();
    let own = std::process::id().cast_signed();
    let descends = |process: &i32| {
        let mut at = *process;
        // A tree that changes while it is read may seem to have circles.
        for _ in 0..parents.len() {
            match parents.get(&at) {
                Some(parent) if *parent == own => return true,
                Some(parent) => at = *parent,
                None => return false,
            }
        }
        false
    };
    parents.keys().filter(|process| descends(process)).copied().collect()
}

/// The fourth field of `/proc/PID/stat` (proc(5)), behind the name, which may hold anything.
fn parent(process: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_read() {
        let own = std::process::id().cast_signed();
        assert_eq!(parent(own), Some(nix::unistd::getppid().as_raw()));
        assert!(!descendants().contains(&own));
    }
}
