//! The argument rules that are learned from real programs, both ways: what was recorded passes the real filter, and what differs
//! from it by a value or a bit is refused. The filter answers with an error where it would let a call pass, so that any call
//! can be asked for.
#![cfg(test)]
#![cfg(target_arch = "x86_64")]

#[expect(dead_code, reason = "profile-emit's own tests look at more")]
#[path = "../profile-emit/tests/seccomp/child.rs"]
mod child;
#[expect(
    dead_code,
    reason = "the runs of samples are shared with tests/end_to_end.rs, which looks at more of them"
)]
mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Seek};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::sample::{Backend, Sample};
use learner::explain::{Question, explain};
use learner::policy::{Allowed, Condition, Tightness};
use learner::{Options, Policy, learn};
use profile_emit::seccomp::bpf::{self, Program, interpret};
use profile_emit::seccomp::filter::{self, Default as FilterDefault};
use profile_emit::seccomp::oci::{ALLOW, ERRNO, Profile};
use profile_emit::seccomp::{Answer, emit, simulate};
use tracer::abi::{Abi, arguments, calls};
use tracer::recording::{Args, Recording, What};

/// A call to be judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) abi: Abi,
    pub(crate) nr: u32,
    pub(crate) args: [u64; 6],
}

const SAMPLES: [&str; 12] = [
    "double-fork",
    "find",
    "git",
    "i386",
    "nginx",
    "python-json",
    "python-subprocess",
    "redis",
    "sqlite3",
    "static",
    "tar",
    "threads",
];

/// Errors that no call returns by itself.
const ALLOWED: u32 = 4001;
const REFUSED: u32 = 4002;

fn harmless(mut profile: Profile) -> Profile {
    for entry in profile.syscalls.iter_mut().filter(|entry| entry.action == ALLOW) {
        (entry.action, entry.errno_ret) = (ERRNO.to_owned(), Some(ALLOWED));
    }
    profile.default_errno_ret = Some(REFUSED);
    profile
}

fn programs(profile: &Profile) -> [Program; 2] {
    let filter = filter::compile(profile, FilterDefault::Profile, &[]).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    filter.export_bpf(&file).unwrap();
    file.rewind().unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    [bpf::compile(profile).unwrap(), Program::from_bytes(&bytes).unwrap()]
}

/// What the rules of a policy say of a call, told from its own alternatives.
struct Rules<'a>(BTreeMap<&'a str, Vec<&'a [Condition]>>);

impl<'a> Rules<'a> {
    /// The list of a profile is one for all its ABIs: what one may do the others may too.
    fn of(policy: &'a Policy) -> Self {
        let mut rules: BTreeMap<&str, Vec<&[Condition]>> = BTreeMap::new();
        for rule in &policy.calls {
            let Some(name) = rule.allow.name.as_deref() else { continue };
            let all = rules.entry(name).or_default();
            all.extend(rule.allow.when.iter().map(Vec::as_slice));
            if rule.allow.when.is_empty() {
                all.push(&[]);
            }
        }
        Self(rules)
    }

    fn allow(&self, name: &str, args: [u64; 6]) -> bool {
        let holds =
            |c: &Condition| args[usize::from(c.index)] & u64::from(c.mask) == u64::from(c.value);
        self.0.get(name).is_some_and(|all| all.iter().any(|one| one.iter().all(holds)))
    }
}

const GARBAGE: u64 = 0xdead_beef_0000_0000;

/// What was recorded, as it was and with garbage in the upper halves.
fn recorded(recording: &Recording) -> Vec<Call> {
    let mut all = Vec::new();
    for (fact, _) in recording.sorted() {
        let What::Call { abi, nr, name: Some(name), args } = &fact.what else { continue };
        if arguments::of(*abi, name).is_empty() {
            continue;
        }
        let Some(Args::Values(values)) = args else { continue };
        let mut args = [0; 6];
        values.iter().for_each(|(at, value)| args[usize::from(*at)] = *value);
        all.push(Call { abi: *abi, nr: *nr, args });
        all.push(Call { abi: *abi, nr: *nr, args: args.map(|value| value | GARBAGE) });
    }
    all
}

/// Values beside those that a policy allows: the next one, the one before, and each bit that is compared turned.
fn perturbed(policy: &Policy) -> Vec<Call> {
    let mut all = Vec::new();
    for rule in &policy.calls {
        let call = &rule.allow;
        for alternative in &call.when {
            let mut args = [0_u64; 6];
            for condition in alternative {
                args[usize::from(condition.index)] = condition.value.into();
            }
            for condition in alternative {
                let value = condition.value;
                let bits = (0..32).map(|at| 1_u32 << at).filter(|bit| condition.mask & bit != 0);
                let others = bits.map(|bit| value ^ bit);
                for other in others.chain([value.wrapping_add(1), value.wrapping_sub(1)]) {
                    let mut args = args;
                    args[usize::from(condition.index)] = u64::from(other) | GARBAGE;
                    all.push(Call { abi: call.abi, nr: call.nr, args });
                }
            }
        }
    }
    all
}

fn both_ways(sample: Sample, tightness: Tightness) {
    let recording = &sample.recorded(Backend::Ptrace, 0).recording;
    let policy =
        learn(recording, &Options { name: "x".to_owned(), tightness, ..Options::default() });
    let rules = Rules::of(&policy);
    let profile = harmless(emit(&policy).0);
    let seen = recorded(recording);
    let beside = perturbed(&policy);
    assert!(seen.len() > 10 && beside.len() > 100, "{}: {} {}", sample.0, seen.len(), beside.len());
    let calls: Vec<Call> = seen.iter().chain(&beside).copied().collect();
    for program in programs(&profile) {
        let results = child::results(&[&program], &calls);
        let (mut refused, mut limited) = (BTreeSet::new(), BTreeSet::new());
        for ((call, result), at) in calls.iter().zip(results).zip(0..) {
            let name = calls::name(call.abi, call.nr).unwrap();
            let answer = u32::try_from(-result).unwrap();
            if at < seen.len() {
                // clone3 is answered by a fallback, unless it is to be as seen.
                let wanted = if rules.allow(name, call.args.map(|v| v & 0xffff_ffff)) {
                    ALLOWED
                } else {
                    38
                };
                assert!(wanted == ALLOWED || name == "clone3", "{}: {name} {call:x?}", sample.0);
                assert_eq!(answer, wanted, "{}: {name} {call:x?}", sample.0);
                continue;
            }
            limited.insert(name);
            // What i386 may do through another call is for the simulator to say.
            let wanted = match name {
                "socketcall" | "ipc" => match simulate(&profile, call.abi, call.nr, call.args) {
                    Answer::Errno(errno) => errno,
                    other => panic!("{other:?}"),
                },
                _ if rules.allow(name, call.args.map(|v| v & 0xffff_ffff)) => ALLOWED,
                _ => REFUSED,
            };
            assert_eq!(answer, wanted, "{}: {name} {call:x?}", sample.0);
            if answer == REFUSED {
                refused.insert(name);
            }
        }
        // Every call that has conditions is refused something that nearly fits them; unless another ABI may make it anyhow.
        for name in limited.difference(&refused) {
            assert!(
                rules.allow(name, [u64::from(u32::MAX); 6]),
                "{}: {name} refuses nothing",
                sample.0
            );
        }
    }
}

#[test]
#[ignore = "needs root and Debian's servers: run by make test"]
fn recorded_values_pass_and_others_are_refused() {
    for sample in SAMPLES {
        for tightness in [Tightness::Strict, Tightness::Balanced, Tightness::Portable] {
            both_ways(Sample(sample), tightness);
        }
    }
}

/// What a script of Python does.
fn python(backend: Backend, script: &str) -> Recording {
    let room = tempfile::tempdir().unwrap();
    let file = room.path().join(backend.name());
    let done = Command::new(env!("CARGO_BIN_EXE_learn"))
        .args(["--quiet", "record", "--backend", backend.name(), "-o"])
        .arg(&file)
        .args(["--", "/usr/bin/python3", "-I", "-S", "-c", script])
        .status()
        .unwrap();
    assert!(done.success(), "{}", backend.name());
    Recording::read(&file).unwrap()
}

/// What lies in memory is seen by both backends alike, told in the policy, and limits nothing.
#[test]
#[ignore = "needs root and Debian's servers: run by make test"]
fn both_backends_see_words_in_memory() {
    // perf_event_open(PERF_TYPE_SOFTWARE, of another version), clone3(CLONE_NEWUSER|CLONE_FS, which is refused), openat2(O_PATH).
    const SCRIPT: &str = r"
import ctypes, struct
call = ctypes.CDLL(None).syscall
def ask(number, *args):
    call(number, *[ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args])
ask(298, struct.pack('<IIQ', 1, 0, 9), 0, -1, -1, 0)
ask(435, struct.pack('<QQQQQQQQ', 0x10000200, *[0] * 7), 64)
ask(437, -100, b'/etc', struct.pack('<QQQ', 0o10000000, 0, 0), 24)
ask(435, 1, 64)
";
    let wanted = [
        ("clone3", "flags seen: 0, CLONE_FS|CLONE_NEWUSER", vec![0, 0x1000_0200]),
        ("openat2", "flags seen: O_RDONLY|O_PATH", vec![0o10_000_000]),
        ("perf_event_open", "type seen: PERF_TYPE_SOFTWARE", vec![1]),
    ];
    for backend in [Backend::Ptrace, Backend::Ebpf] {
        let recording = python(backend, SCRIPT);
        let policy = learn(&recording, &Options::default());
        for (call, told, words) in &wanted {
            let seen: Vec<u64> =
                recording
                    .sorted()
                    .into_iter()
                    .filter_map(|(fact, _)| match &fact.what {
                        What::Call {
                            name: Some(name), args: Some(Args::Values(values)), ..
                        } if **name == **call => values.get(&arguments::IN_MEMORY).copied(),
                        _ => None,
                    })
                    .collect();
            assert_eq!(seen, *words, "{} {call}", backend.name());
            let Some(rule) = policy.calls.iter().find(|c| c.allow.name.as_deref() == Some(call))
            else {
                // It is answered ENOSYS.
                assert!(policy.fallbacks.iter().any(|fallback| fallback.name == *call), "{call}");
                continue;
            };
            assert!(rule.allow.when.iter().flatten().all(|c| c.index < arguments::IN_MEMORY));
            let decisions = &rule.evidence.arguments;
            assert!(decisions.iter().any(|d| d.why.ends_with(told)), "{call}: {decisions:?}");
        }
    }
}

/// More combinations of flags than are kept: the bits are known all the same, and the rule is made of them.
#[test]
#[ignore = "needs root and Debian's servers: run by make test"]
fn of_too_many_flag_words_both_backends_know_the_bits() {
    // Flags from 1 << 6 on, where no file can be made, and last a bit that none before had.
    const SCRIPT: &str = r"
import os
for flags in [n << 6 for n in range(200)] + [1 << 22]:
    try:
        os.open('/nowhere/x', flags)
    except OSError:
        pass
";
    for backend in [Backend::Ptrace, Backend::Ebpf] {
        let recording = python(backend, SCRIPT);
        let (mut kept, mut bits, mut many) = (0, 0, false);
        for (fact, _) in recording.sorted() {
            match &fact.what {
                What::Call { name: Some(name), args: Some(args), .. } if &**name == "openat" => {
                    match args {
                        Args::Values(values) => {
                            kept += 1;
                            bits |= values[&2];
                        }
                        Args::Many => many = true,
                    }
                }
                _ => {}
            }
        }
        assert!(many && (arguments::BOUND..80).contains(&kept), "{}: {kept}", backend.name());
        let all = 0xff << 6 | 1 << 22;
        assert_eq!(bits & all, all, "{}: {bits:#x}", backend.name());
        let policy = learn(&recording, &Options::default());
        let open = policy.calls.iter().find(|c| c.allow.name.as_deref() == Some("openat")).unwrap();
        // 1 << 25 was never seen.
        assert!(open.allow.when.iter().all(|all| all[0].mask & (1 << 25) != 0));
        assert!(!open.allow.when.is_empty(), "{}", backend.name());
    }
}

/// Programs whose argument rules are known: the name, and where it was recorded.
const GOLDEN: [(&str, &str, Option<&str>); 5] = [
    ("nginx", "/usr/sbin/nginx", Some("nginx")),
    ("postgresql", "/usr/lib/postgresql/15/bin/postgres", Some(POSTGRESQL)),
    ("python3", "/usr/bin/python3.11", Some("python-json")),
    ("redis-server", "/usr/bin/redis-check-rdb", Some("redis")),
    ("sleep", "/usr/bin/sleep", None),
];

/// Not among the samples: which of its processes does what is a matter of timing.
const POSTGRESQL: &str = "postgresql";

/// A recording of a command by ptrace.
fn record(command: &[&str]) -> Recording {
    let room = tempfile::tempdir().unwrap();
    let file = room.path().join("r");
    let mut learn = Command::new(env!("CARGO_BIN_EXE_learn"));
    learn.args(["--quiet", "record", "--backend", "ptrace", "-o"]).arg(&file).arg("--");
    let done = learn.args(command).env("LC_ALL", "C").output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    Recording::read(&file).unwrap()
}

/// A server in a directory of its own, whose owner it becomes.
fn record_postgresql() -> Recording {
    let room = tempfile::Builder::new()
        .permissions(PermissionsExt::from_mode(0o755))
        .tempdir_in("/tmp")
        .unwrap();
    let directory = room.path().join("cluster");
    fs::create_dir(&directory).unwrap();
    std::os::unix::fs::chown(&directory, Some(65534), Some(65534)).unwrap();
    let serve = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/postgresql/serve");
    let made = Command::new(&serve).arg("make").arg(&directory).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    record(&[serve.to_str().unwrap(), directory.to_str().unwrap()])
}

/// What one program of a recording did.
fn of_program(recording: &Recording, program: &str) -> Recording {
    let mut own = Recording::new();
    own.runs = recording.runs.clone();
    own.completions = recording.completions.clone();
    for (fact, runs) in recording.sorted() {
        if <_ as AsRef<Path>>::as_ref(&fact.domain) == Path::new(program) {
            runs.iter().for_each(|(run, seen)| own.add(run, fact.clone(), seen));
        }
    }
    own
}

fn policy_of(program: &str, sample: Option<&str>) -> Policy {
    let recording = match sample {
        Some(POSTGRESQL) => of_program(&record_postgresql(), program),
        Some(name) => {
            let name = SAMPLES.iter().find(|sample| **sample == name).unwrap();
            of_program(&Sample(name).recorded(Backend::Ptrace, 0).recording, program)
        }
        None => of_program(&record(&[program, "0.01"]), program),
    };
    let policy = learn(&recording, &Options::default());
    assert!(policy.calls.len() > 15, "{program}: {} calls", policy.calls.len());
    policy
}

/// A policy's argument rules for a person: each alternative, and what stays open.
fn told(policy: &Policy) -> String {
    let mut lines = String::new();
    for rule in policy.calls.iter().filter(|rule| !rule.evidence.arguments.is_empty()) {
        let name = rule.allow.name.clone().unwrap();
        // Whether a lock is waited for is a matter of timing.
        if name == "futex" {
            continue;
        }
        let asked = Question::Call { name, arguments: None };
        for told in explain(policy, None, &asked).rules {
            lines.push_str(&format!("{}\n", told.rule));
        }
        for open in rule.evidence.arguments.iter().filter(|one| one.allowed == Allowed::Any) {
            lines.push_str(&format!("    open: {}: {}\n", open.name, open.why));
        }
    }
    lines
}

/// `LEARN_BLESS=1 cargo test --test seccomp_arguments -- --ignored golden` writes them anew.
#[test]
#[ignore = "needs root and Debian's servers: run by make test"]
fn argument_rules_are_those_of_the_golden() {
    let mut wrong = Vec::new();
    for (name, program, sample) in GOLDEN {
        let now = told(&policy_of(program, sample));
        let golden: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden/arguments")
            .join(format!("{name}.txt"));
        if std::env::var_os("LEARN_BLESS").is_some() {
            fs::write(&golden, now).unwrap();
            continue;
        }
        let then = fs::read_to_string(&golden).unwrap();
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
        let (then, now) = (lines(&then), lines(&now));
        if then != now {
            wrong.push(format!("{name}: -{:#?} +{:#?}", &then - &now, &now - &then));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where attacks live, and none of these programs does.
const ATTACKS: [(&str, &str, [u64; 6]); 11] = [
    ("AF_ALG", "socket", [38, 5, 0, 0, 0, 0]),
    ("AF_VSOCK", "socket", [40, 1, 0, 0, 0, 0]),
    ("a raw socket", "socket", [2, 3, 1, 0, 0, 0]),
    ("a packet socket", "socket", [17, 3, 0x300, 0, 0, 0]),
    ("netlink", "socket", [16, 3, 0, 0, 0, 0]),
    // With SIGCHLD.
    ("CLONE_NEWUSER", "clone", [0x1000_0011, 0, 0, 0, 0, 0]),
    ("TIOCSTI", "ioctl", [u64::MAX, 0x5412, 0, 0, 0, 0]),
    ("TIOCLINUX", "ioctl", [u64::MAX, 0x541c, 0, 0, 0, 0]),
    ("PR_SET_MM", "prctl", [35, 0, 0, 0, 0, 0]),
    ("ADDR_NO_RANDOMIZE", "personality", [0x4_0000, 0, 0, 0, 0, 0]),
    // PROT_READ|PROT_WRITE|PROT_EXEC, MAP_PRIVATE|MAP_ANONYMOUS
    ("W+X memory", "mmap", [0, 4096, 7, 0x22, u64::MAX, 0]),
];

/// The profile as it is emitted: nothing is made harmless here.
#[test]
#[ignore = "needs root and Debian's servers: run by make test"]
fn what_no_program_did_is_refused() {
    let all = ATTACKS.map(|(_, name, args)| {
        let nr = calls::number(Abi::X86_64, name).unwrap();
        Call { abi: Abi::X86_64, nr, args }
    });
    for (name, program, sample) in GOLDEN {
        let profile = emit(&policy_of(program, sample)).0;
        for filter in programs(&profile) {
            // A filter that the kernel would not ask by itself is no answer.
            assert!(filter.0.len() > 50 && filter.0.len() <= bpf::MOST);
            let asked = interpret::Asked {
                number: 0,
                architecture: 0xC000_003E,
                instruction_pointer: 0,
                arguments: [0; 6],
            };
            // read is allowed: what refuses everything passes half of all tests.
            assert_eq!(interpret::run(&filter, &asked).unwrap().0, 0x7fff_0000, "{name}");
            let results = child::results(&[&filter], &all);
            for ((what, ..), result) in ATTACKS.iter().zip(results) {
                assert_eq!(result, -i64::from(libc::EPERM), "{name}: {what}");
            }
        }
    }
}
