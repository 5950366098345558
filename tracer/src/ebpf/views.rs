//! How tasks see the file tree, kept after they are gone.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::decode::resolve::View;
use crate::recording::ByteString;

use super::record::{Arrived, Part};

/// The mount namespaces that were met, and what holds their roots.
#[derive(Debug)]
pub(super) struct Views {
    /// The recorder's own mount namespace.
    own: u64,
    /// By the namespace's number that is never given again, and the root's name in it.
    roots: HashMap<(u64, ByteString), File>,
}

fn namespace(of: &str) -> Option<u64> {
    std::fs::metadata(format!("/proc/{of}/ns/mnt")).ok().map(|file| file.ino())
}

impl Views {
    pub(super) fn new() -> Self {
        Self { own: namespace("self").unwrap_or_default(), roots: HashMap::new() }
    }

    /// The view of the task that a record tells of; `None` when its root can't be reached any more.
    pub(super) fn of(&mut self, arrived: &Arrived<'_>) -> Option<View> {
        let head = &arrived.head;
        let root = arrived.path(Part::Root);
        let of_namespace = root == ByteString::from("/");
        let reach = if head.mount_namespace == self.own {
            if of_namespace { PathBuf::new() } else { <_ as AsRef<Path>>::as_ref(&root).to_owned() }
        } else {
            let key = (head.mount_sequence, root.clone());
            let held = match self.roots.entry(key) {
                Entry::Occupied(held) => held.into_mut(),
                Entry::Vacant(place) => {
                    place.insert(open(head.tid, head.mount_namespace).or_else(|| {
                        of_namespace.then(|| another(head.mount_namespace)).flatten()
                    })?)
                }
            };
            PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()))
        };
        let root = if of_namespace { &[][..] } else { root.as_bytes() };
        Some(View::remembered(reach, root, head.own_pid, head.own_tid))
    }
}

/// Takes hold of a task's root, if the task is still the one that is meant.
fn open(tid: u32, wanted: u64) -> Option<File> {
    let root = File::options()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_DIRECTORY)
        .open(format!("/proc/{tid}/root"))
        .ok()?;
    (namespace(&tid.to_string()) == Some(wanted)).then_some(root)
}

/// The root of any other task in the namespace that has its own root for its own, when the task itself is gone.
fn another(wanted: u64) -> Option<File> {
    let tasks = std::fs::read_dir("/proc").ok()?.flatten();
    tasks
        .filter_map(|task| task.file_name().to_str()?.parse().ok())
        .filter(|task: &u32| namespace(&task.to_string()) == Some(wanted))
        .filter(|task| {
            std::fs::read_link(format!("/proc/{task}/root"))
                .is_ok_and(|root| root == Path::new("/"))
        })
        .find_map(|task| open(task, wanted))
}
