//! What programs do to files, one behaviour at a time (samples/files), and what each recorder is to tell of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tracer::recording::{Access, ByteString, Recording, What};

/// Who watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watcher {
    /// By ptrace.
    Ptrace,
    /// By eBPF at the ends of calls.
    Calls,
    /// By eBPF at the ends of calls, and where the kernel asks its security modules.
    Hooks,
}

/// A behaviour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    /// Its name.
    pub(crate) name: &'static str,
    /// `access path`, ` -> path` for a link's or a rename's other one, and in parentheses the error if it failed; separated by
    /// `; `. Paths are below the directory in which it happens, or absolute: then it is only known that some behaviour did it.
    facts: &'static str,
    /// What is told of it by others, and why.
    but: &'static [(&'static [Watcher], &'static str, &'static str)],
    /// Why AppArmor does not refuse the same in another directory, where it does not.
    pub(crate) free: Option<&'static str>,
    /// Why it is refused under the profile that was learned from it, where it is.
    pub(crate) gap: Option<&'static str>,
}

impl Behaviour {
    /// What this one is to tell.
    fn told_by(&self, watcher: Watcher) -> BTreeSet<String> {
        let other = self.but.iter().find(|(who, ..)| who.contains(&watcher));
        let facts = other.map_or(self.facts, |(_, facts, _)| facts);
        facts.split("; ").filter(|fact| !fact.is_empty()).map(str::to_owned).collect()
    }

    const fn but(self, but: &'static [(&'static [Watcher], &'static str, &'static str)]) -> Self {
        Self { but, ..self }
    }

    const fn gap(self, why: &'static str) -> Self {
        Self { gap: Some(why), ..self }
    }
}

const fn row(name: &'static str, facts: &'static str) -> Behaviour {
    Behaviour { name, facts, but: &[], free: None, gap: None }
}

const fn free(name: &'static str, facts: &'static str, why: &'static str) -> Behaviour {
    Behaviour { free: Some(why), ..row(name, facts) }
}

/// What a recording of all behaviours (samples/files/all) tells of them.
#[derive(Debug, Default)]
struct Told {
    /// Of each, what it did in its own directory.
    by_name: BTreeMap<String, BTreeSet<String>>,
    /// What they did elsewhere.
    elsewhere: BTreeSet<String>,
}

/// Where a recording and the table disagree. Accesses that are not mediated do not count, nor what the shell does that runs the
/// behaviours, nor what the loader of programs maps. Numbers of processes, terminals and inodes, which differ from run to run, are
/// `#`; of long names their length is shown.
pub(crate) fn differences(recording: &Recording, root: &Path, watcher: Watcher) -> Vec<String> {
    assert!(recording.complete(), "{:?}", recording.completions);
    let mut told = told(recording, root);
    let mut wrong = Vec::new();
    let mut elsewhere = BTreeSet::new();
    for behaviour in TABLE {
        let (outside, expected): (BTreeSet<_>, BTreeSet<_>) =
            behaviour.told_by(watcher).into_iter().partition(|fact| fact.contains(" /"));
        elsewhere.extend(outside);
        let told = told.by_name.remove(behaviour.name).unwrap_or_default();
        if told != expected {
            wrong.push(format!("{}: told {told:?}, expected {expected:?}", behaviour.name));
        }
    }
    if told.elsewhere != elsewhere {
        wrong.push(format!("elsewhere: told {:?}, expected {elsewhere:?}", told.elsewhere));
    }
    if !told.by_name.is_empty() {
        wrong.push(format!("in no row: {:?}", told.by_name));
    }
    wrong
}

fn told(recording: &Recording, root: &Path) -> Told {
    let mut told = Told::default();
    for (fact, runs) in recording.sorted() {
        let What::File { path, access, target } = &fact.what else { continue };
        if matches!(access, Access::Getattr | Access::Setattr | Access::Chdir)
            || (matches!(access, Access::Read | Access::MmapExec) && is_library(path))
            || is_shell(&fact.domain)
            || path.as_bytes().ends_with(b"/samples/files")
            || path.as_bytes().ends_with(b"/built/files")
        {
            continue;
        }
        let (name, path) = shown(path, root);
        let target = target.as_ref().map(|target| format!(" -> {}", shown(target, root).1));
        let failed = runs.values().find(|seen| !seen.succeeded());
        let error = failed.and_then(|seen| Some(format!(" ({})", seen.outcomes.keys().next()?)));
        let [target, error] = [target, error].map(Option::unwrap_or_default);
        let word = serde_json::to_value(access).unwrap();
        let fact = format!("{} {path}{target}{error}", word.as_str().unwrap());
        match name {
            Some(name) => told.by_name.entry(name).or_default().insert(fact),
            None => told.elsewhere.insert(fact),
        };
    }
    told
}

fn is_shell(domain: &ByteString) -> bool {
    ["/usr/bin/dash", "/usr/bin/bash"].iter().any(|shell| domain.as_bytes() == shell.as_bytes())
}

fn is_library(path: &ByteString) -> bool {
    path.as_bytes().starts_with(b"/usr/lib/") || path.as_bytes() == b"/etc/ld.so.cache"
}

/// The behaviour in whose directory a path lies, and the path below it; a path elsewhere as it is.
fn shown(path: &ByteString, root: &Path) -> (Option<String>, String) {
    let path = path.escaped();
    let below = path.strip_prefix(root.to_str().unwrap()).and_then(|rest| rest.strip_prefix('/'));
    let (name, path) = match below.map(|below| below.split_once('/').unwrap_or((below, "."))) {
        Some((name, path)) => (Some(name.to_owned()), path),
        None => (None, &*path),
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let words: Vec<String> = path
        .split('/')
        .map(|name| match name {
            _ if name.len() > 100 => format!("{}*{}", &name[..1], name.len()),
            _ if is_number(name.strip_prefix('#').unwrap_or(name)) => "#".to_owned(),
            _ => name.to_owned(),
        })
        .collect();
    (name, words.join("/"))
}

/// Why a behaviour is free in another directory.
const SAME: &str = "it is the same file wherever it happens";

/// The table.
pub(crate) const TABLE: &[Behaviour] = &[
    row("open-read", "read found"),
    row("open-write", "write found"),
    row("open-read-write", "read found; write found"),
    row("open-write-never", "read found; write found"),
    free("open-mode-3", "", "neither reading nor writing is asked for"),
    row("open-append", "append found"),
    row("open-append-new", "append made; create made"),
    row("open-append-create", "append found"),
    row("open-create", "create made; write made"),
    row("open-create-exclusive", "create made; read made; write made"),
    row("open-create-existing", "write found"),
    row("open-create-existing-read", "create found; read found"),
    row("open-create-read", "create made; read made"),
    row("open-truncate", "truncate found; write found"),
    row("open-truncate-read", "read found; truncate found"),
    row("open-replace", "truncate found; write found"),
    row("creat", "create made; write made"),
    row("open-nofollow", "read found"),
    row("open-symlink", "read found"),
    row("open-symlink-chain", "read found"),
    row("open-symlink-absolute", "read found; symlink made"),
    row("open-create-behind-symlink", "create made; write made"),
    row("open-parent-and-back", "read found"),
    row("open-slashes", "read directory/inside"),
    row("open-foreign", "read foreign"),
    free("open-path", "", "O_PATH asks for nothing"),
    row("open-path-reopened", "read found"),
    free("open-absent", "read absent (ENOENT)", "the kernel looks for the file first"),
    row("open-tmpfile", "create directory/#; read directory/#; write directory/#"),
    row("open-tmpfile-linked", "create directory/#; link made -> directory/#; write directory/#"),
    row("openat", "read directory; read directory/inside"),
    row("openat-path", "read directory/inside"),
    row("open-after-fchdir", "read directory/inside"),
    row("open-after-chdir", "read found"),
    row("openat2-beneath", "read directory/inside"),
    row("openat2-in-root", "read root/inside"),
    row("openat2-in-root-symlink", "read root/inside; symlink root/link"),
    row("openat2-no-symlinks", "read directory/inside"),
    free(
        "openat2-no-symlinks-refused",
        "read found (ELOOP)",
        "the call itself refuses the symbolic link",
    ),
    row("openat2-create", "create directory/made; write directory/made"),
    row("open-directory", "read directory"),
    free(
        "open-directory-write",
        "write directory (EISDIR)",
        "the kernel looks first whether it is a directory",
    ),
    row("open-by-handle", "read .; read found"),
    row("open-fifo", "read fifo; write fifo"),
    row("open-fifo-no-reader", "write fifo (ENXIO)"),
    row(
        "open-long-path",
        "create d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/made; read d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/made; write d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/d*250/made",
    ),
    row("name-space", "read with space; write with space"),
    row("name-quote", "read quote\"s; write quote\"s"),
    row("name-tick", "read tick's; write tick's"),
    row("name-backslash", "read back\\\\slash; write back\\\\slash"),
    row("name-star", "read star*; write star*"),
    row("name-stars", "read **; write **"),
    row("name-question", "read question?; write question?"),
    row("name-class", "read [a-z]; write [a-z]"),
    row("name-braces", "read {one,two}; write {one,two}"),
    row("name-variable", "read @{HOME}; write @{HOME}"),
    row("name-hash", "read #hash; write #hash"),
    row("name-caret", "read caret^; write caret^"),
    row("name-comma", "read comma,; write comma,"),
    row("name-deleted", "read (deleted); write (deleted)"),
    row("name-ends-deleted", "read bare (deleted); write bare (deleted)"),
    row("name-dash", "read -dash; write -dash"),
    row("name-ampersands", "read &&; write &&"),
    row("name-dollar", "read $HOME; write $HOME"),
    row("name-equals", "read equals=; write equals="),
    row("name-newline", "read new\nline.; write new\nline."),
    row("name-tab", "read tab\t.; write tab\t."),
    row("name-bell", "read bell\u{7}; write bell\u{7}"),
    row("name-latin-1", "read latin\\xe9; write latin\\xe9"),
    row("name-half-utf-8", "read half\\xe2\\x82; write half\\xe2\\x82"),
    row("name-utf-8", "read wide€; write wide€"),
    row("name-longest", "read 0*255; write 0*255"),
    row("rename", "rename found -> made"),
    row("rename-over", "rename found -> second"),
    row("rename-noreplace", "rename found -> made"),
    row("rename-exchange", "rename found -> second; rename second -> found"),
    row("rename-directory", "rename directory -> made"),
    row("rename-symlink", "rename symlink -> made"),
    row("rename-onto-full", "rename root -> directory (ENOTEMPTY)"),
    row("renameat", "rename directory/inside -> root/made"),
    row("link", "link made -> found"),
    row("link-symlink", "link made -> symlink"),
    row("link-behind-symlink", "link made -> found"),
    row("link-descriptor", "link made -> found"),
    row("symlink", "symlink made"),
    free("readlink", "", "reading attributes is granted to everybody"),
    row("unlink", "delete found"),
    row("unlinkat", "delete directory/inside"),
    row("unlink-symlink", "delete symlink"),
    row("unlink-directory", "delete directory (EISDIR)"),
    row("unlink-while-open", "chmod found; delete found; read found; truncate found; write found"),
    row("create-and-unlink", "create made; delete made; write made"),
    row("mkdir", "mkdir made"),
    row("mkdirat", "mkdir directory/made"),
    free(
        "mkdir-existing",
        "mkdir directory (EEXIST)",
        "the kernel looks first whether there is one",
    ),
    row("rmdir", "rmdir directory/empty"),
    row("rmdir-unlinkat", "rmdir directory/empty"),
    row("rmdir-full", "rmdir directory (ENOTEMPTY)"),
    row("rmdir-file", "rmdir found (ENOTDIR)")
        .gap("it fails anyway: a rule for removing is for directories"),
    row("mknod-fifo", "mknod made"),
    row("mknod-socket", "mknod made"),
    row("mknod-file", "mknod made"),
    row("mknod-device", "mknod made"),
    row("chmod", "chmod found"),
    row("fchmod", "chmod found; read found"),
    row("chmod-directory", "chmod directory"),
    row("chown", "chown found"),
    row("lchown", "chown symlink"),
    row("fchown", "chown found; read found"),
    row("truncate", "truncate found"),
    row("ftruncate", "truncate found; write found"),
    row("fallocate", "write found"),
    free("utimensat", "", "times are not mediated"),
    free("setxattr", "", "extended attributes are not mediated"),
    free("look", "", "reading attributes is granted to everybody"),
    row("map-private", "read found"),
    row("map-shared", "read found; write found"),
    row("map-execute", "mmap-exec program; read program"),
    row("map-then-execute", "mmap-exec program; read program").but(&[(
        &[Watcher::Ptrace, Watcher::Calls],
        "read program",
        "mprotect names no file: which one is behind the mapping is heard of at the hook alone",
    )]),
    row("lock-shared", "lock found; read found"),
    row("lock-exclusive", "lock-exclusive found; read found; write found"),
    row("lock-exclusive-read", "lock-exclusive found; read found"),
    row("lock-directory", "lock directory; read directory"),
    row("lock-file", "create made; lock-exclusive made; read made"),
    row("lock-record", "lock found; read found"),
    row("lock-record-write", "lock found; write found"),
    row("lock-description", "lock found; read found; write found"),
    row("lock-asked-for", "read found"),
    row("lock-taken", "lock found (EAGAIN); lock-exclusive found; read found; write found"),
    row("copy-file-range", "create made; read found; write made"),
    row("sendfile", "create made; read found; write made"),
    row("append-begun-later", "write found"),
    row("append-ended", "append found"),
    free("memfd", "", "memory stands in no tree"),
    row("exec", "exec program; mmap-exec program; read program"),
    row("exec-symlink", "exec program; mmap-exec program; read program"),
    row("exec-in-place", "exec program; mmap-exec program; read program"),
    row("exec-at", "exec program; mmap-exec program; read program"),
    row("exec-descriptor", "exec program; mmap-exec program; read program"),
    row("exec-script", "exec program; exec script; mmap-exec program; read program; read script"),
    row(
        "exec-script-of-script",
        "exec program; exec script-1; mmap-exec program; read program; read script-1",
    ),
    row(
        "exec-script-descriptor",
        "exec program; exec script; mmap-exec program; read program; read script",
    ),
    row("exec-headless", "exec headless (ENOEXEC)"),
    free("exec-unexecutable", "", "the kernel looks first at the mode"),
    row(
        "exec-by-loader",
        "exec /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2; mmap-exec program; read program",
    ),
    row(
        "exec-memfd",
        "exec /memfd:program; mmap-exec /memfd:program; read /memfd:program; read program",
    )
    .gap("AppArmor calls memory `/`, and no profile is to allow that to be executed"),
    free("exec-anonymous-memory", "", "no file is behind it"),
    free("proc-self", "read /proc/#/status", SAME),
    free("proc-number", "read /proc/#/status", SAME),
    free("proc-thread-self", "read /proc/#/task/#/status", SAME),
    free("proc-self-fd", "read /proc/#/fd", SAME),
    free("proc-child", "read /proc/#/status", SAME),
    free("proc-write", "write /proc/#/comm", SAME),
    free("proc-sys", "read /proc/sys/kernel/ostype", SAME),
    row("descriptor-passed", "read found; write found"),
    row("descriptor-inherited", "read found"),
    row("descriptor-fetched", "read found"),
    row("descriptor-reopened", "read found"),
    free("pipe-reopened", "", "a pipe stands in no tree"),
    free("device-null", "write /dev/null", SAME),
    free("terminal", "read /dev/ptmx; read /dev/pts/#; write /dev/ptmx; write /dev/pts/#", SAME),
    row("socket-bound", ""),
    row("socket-connected", ""),
    free(
        "shared-memory",
        "create /dev/shm/learn-files; delete /dev/shm/learn-files; read /dev/shm/learn-files; write /dev/shm/learn-files",
        SAME,
    ),
    row("thread", "read found"),
    row("thread-elsewhere", "read directory/inside; read found"),
    row("io-uring", "read found").but(&[(
        &[Watcher::Ptrace, Watcher::Calls],
        "",
        "no call tells what io_uring does: that there was some is said",
    )]),
    row("chroot", "read root/inside"),
    row("chroot-left", "read found"),
    row("mount-bind", "read directory/inside"),
    row("mount-tmpfs", "create directory/made; write directory/made"),
    row("mount-read-only", "read root/inside"),
    free("pivot-root", "read /inside", SAME),
];
