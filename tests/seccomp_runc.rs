//! Profiles in containers: runc and crun make the same decisions of the same JSON as the simulator does.
//!
//! The container is a static program alone ([`samples/probe`](../samples/probe/probe.c)), which makes the calls that it is told.
//! What a profile would let pass is answered with an error of its own instead, so that any call can be asked for; only what the
//! runtime and the probe need themselves is allowed, and not asked for.
#![cfg(test)]
#![cfg(target_arch = "x86_64")]

#[expect(dead_code, reason = "profile-emit's own tests look at more")]
#[path = "../profile-emit/tests/seccomp/arbitrary.rs"]
mod arbitrary;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use profile_emit::seccomp::oci::{ALLOW, ENOSYS, ERRNO, Entry, Profile};
use profile_emit::seccomp::{Answer, emit, simulate};
use proptest::prelude::Strategy;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;
use tracer::abi::{Abi, calls};

/// A call to be judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) abi: Abi,
    pub(crate) nr: u32,
    pub(crate) args: [u64; 6],
}

const PROFILES: usize = 24;
const CALLS: usize = 300;

/// Errors that no call returns by itself.
const ALLOWED: u32 = 4001;
const REFUSED: u32 = 4002;

/// What Go's and C's part of the runtimes may do between loading the filter and the exec, and what the probe does.
const NEEDED: [&str; 45] = [
    "arch_prctl",
    "brk",
    "capget",
    "capset",
    "chdir",
    "clone",
    "close",
    "close_range",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "execve",
    "exit",
    "exit_group",
    "fchdir",
    "fcntl",
    "fstat",
    "fstatfs",
    "futex",
    "getcwd",
    "getdents64",
    "getpid",
    "getppid",
    "gettid",
    "lseek",
    "madvise",
    "mmap",
    "mprotect",
    "munmap",
    "nanosleep",
    "newfstatat",
    "openat",
    "pipe2",
    "prctl",
    "read",
    "readlinkat",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_yield",
    "setgroups",
    "sigaltstack",
    "tgkill",
    "umask",
    "write",
];

/// The profile of a random policy, under which a container starts and nothing that is asked for is done.
fn profile(runner: &mut TestRunner) -> Profile {
    let policy = arbitrary::policy(&[Abi::I386, Abi::X32], 40).new_tree(runner).unwrap().current();
    let mut profile = emit(&policy).0;
    for entry in profile.syscalls.iter_mut().filter(|entry| entry.action == ALLOW) {
        (entry.action, entry.errno_ret) = (ERRNO.to_owned(), Some(ALLOWED));
    }
    for entry in &mut profile.syscalls {
        entry.names.retain(|name| !NEEDED.contains(&name.as_str()));
    }
    profile.syscalls.retain(|entry| !entry.names.is_empty());
    let names = NEEDED.iter().map(|name| (*name).to_owned()).collect();
    profile.syscalls.push(Entry { names, action: ALLOW.to_owned(), ..Entry::default() });
    profile.default_errno_ret = Some(REFUSED);
    profile.architectures =
        [Abi::X86_64, Abi::I386, Abi::X32].map(|abi| abi.scmp_name().to_owned()).into();
    profile
}

/// The calls that may be asked for under a profile, with the error that each is answered.
fn asked(runner: &mut TestRunner, profile: &Profile) -> Vec<(Call, u32)> {
    let calls = proptest::collection::vec(arbitrary::call(), CALLS);
    let calls = calls.new_tree(runner).unwrap().current();
    let asked = calls.iter().map(|call| call.of(profile)).filter_map(|call| {
        // Newer kernels ask no filter about uretprobe and uprobe.
        if call.abi == Abi::X86_64 && matches!(call.nr, 335 | 336) {
            return None;
        }
        match simulate(profile, call.abi, call.nr, call.args) {
            Answer::Errno(errno) => Some((call, errno)),
            Answer::Allowed => None,
            other => panic!("{other:?}"),
        }
    });
    asked.collect()
}

/// The highest number that a profile names, of each ABI: runc answers `ENOSYS` to what is above (libcontainer/seccomp/patchbpf),
/// as for calls that are newer than the profile.
fn highest(profile: &Profile) -> BTreeMap<Abi, u32> {
    let names = || profile.syscalls.iter().flat_map(Entry::calls);
    [Abi::X86_64, Abi::I386, Abi::X32]
        .into_iter()
        .map(|abi| (abi, names().filter_map(|name| calls::number(abi, name)).max().unwrap()))
        .collect()
}

/// Runs the probe in a container of the runtime.
fn answers(runtime: &str, bundle: &Path, profile: &Profile, asked: &[(Call, u32)]) -> Vec<u32> {
    let config = json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["/probe"],
            "cwd": "/",
            "env": [],
            "noNewPrivileges": true,
        },
        "root": {"path": "rootfs", "readonly": true},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
        ],
        "linux": {
            "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}],
            "seccomp": profile,
        },
    });
    fs::write(bundle.join("config.json"), config.to_string()).unwrap();
    let mut text = String::new();
    for (Call { abi, nr, args }, _) in asked {
        let way = if *abi == Abi::I386 { 3 } else { 6 };
        write!(text, "{way} {nr:x}").unwrap();
        args.iter().for_each(|arg| write!(text, " {arg:x}").unwrap());
        text.push('\n');
    }
    let name = format!("learn-probe-{}-{runtime}", std::process::id());
    let mut command = match runtime {
        // Control groups are not what is tested, and crun wants to see those of the second version only.
        "crun" => {
            let script = "mount -t cgroup2 none /sys/fs/cgroup && exec crun --cgroup-manager=disabled \"$@\"";
            let mut command = Command::new("unshare");
            command.args(["--mount", "sh", "-c", script, "sh"]);
            command
        }
        _ => Command::new(runtime),
    };
    let mut child = command
        .args(["run", "--bundle"])
        .arg(bundle)
        .arg(name)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{runtime}: {error}"));
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{runtime}: {}: {err}", done.status);
    let out = String::from_utf8(done.stdout).unwrap();
    out.lines().map(|line| line.parse().unwrap()).collect()
}

fn decides_as_the_simulator(runtime: &str) {
    let room = tempfile::tempdir().unwrap();
    let built = room.path().join("built");
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/build");
    assert!(Command::new(build).arg(&built).status().unwrap().success());
    let root = room.path().join("rootfs");
    for directory in ["dev", "proc"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::copy(built.join("probe"), root.join("probe")).unwrap();

    let mut runner = TestRunner::deterministic();
    let mut counts = BTreeMap::<u32, usize>::new();
    for _ in 0..PROFILES {
        let profile = profile(&mut runner);
        let asked = asked(&mut runner, &profile);
        let answers = answers(runtime, room.path(), &profile, &asked);
        assert_eq!(answers.len(), asked.len());
        let highest = highest(&profile);
        for ((call, wanted), answer) in asked.iter().zip(answers) {
            let newer = runtime == "runc" && call.nr > highest[&call.abi];
            let wanted = if newer { ENOSYS } else { *wanted };
            let name = calls::name(call.abi, call.nr);
            assert_eq!(answer, wanted, "{runtime}: {name:?} {call:x?}");
            *counts.entry(answer).or_default() += 1;
        }
    }
    // Every kind of answer was seen, many times.
    for errno in [ALLOWED, REFUSED, ENOSYS] {
        assert!(counts.get(&errno).is_some_and(|n| *n > 20), "{counts:?}");
    }
}

#[test]
#[ignore = "needs root and runc: run by make test"]
fn runc_decides_as_the_simulator() {
    decides_as_the_simulator("runc");
}

#[test]
#[ignore = "needs root and crun: run by make test"]
fn crun_decides_as_the_simulator() {
    decides_as_the_simulator("crun");
}
