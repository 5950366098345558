//! The recorder on each kernel: both backends tell the same of the samples, and the kernel's own checks of capabilities are
//! among it.

use std::collections::BTreeSet;

use tracer::recording::{Degree, FactKind, Recording, What};

use super::machine;
use super::needed;
use super::seen;

/// Calls that the same program makes or not as time has it.
const TIMING: [&str; 4] = ["futex", "restart_syscall", "rt_sigreturn", "sched_yield"];

fn recordings(kernel: &'static str, sample: &str) -> [Recording; 2] {
    let line = format!("record {sample}");
    let done = machine::ran(kernel, super::tests_of(kernel)).test(&line);
    done.passed();
    ["ptrace", "ebpf"].map(|backend| {
        let recording = Recording::read(&done.files.join(format!("{backend}.jsonl"))).unwrap();
        assert!(recording.complete(), "{kernel}: {sample}: {:?}", recording.completions);
        recording
    })
}

fn backends_agree(kernel: &'static str, sample: &str) {
    let [ptrace, ebpf] = recordings(kernel, sample);
    let by_chance = |call: &String| TIMING.iter().any(|name| call.ends_with(&format!(" {name}")));
    for (what, of) in [("calls", seen::calls as fn(&_) -> BTreeSet<String>), ("files", seen::files)]
    {
        let (ptrace, ebpf) = (of(&ptrace), of(&ebpf));
        assert!(ptrace.len() > 5, "{what}: {ptrace:?}");
        let different: Vec<&String> =
            ptrace.symmetric_difference(&ebpf).filter(|fact| !by_chance(fact)).collect();
        assert!(different.is_empty(), "{kernel}: {sample}: {what} by one only: {different:#?}");
    }
}

/// nginx gives its directories away and becomes another user: so the kernel was asked, and the recording tells the calls.
fn capabilities_are_seen(kernel: &'static str) {
    let [_, ebpf] = recordings(kernel, "nginx");
    let used: BTreeSet<_> = ebpf
        .sorted()
        .into_iter()
        .filter_map(|(fact, _)| match &fact.what {
            What::Capability { name, call, probe: false, .. } => {
                Some((name.as_str(), call.as_deref()))
            }
            _ => None,
        })
        .collect();
    for (name, call) in [("CAP_CHOWN", "chown"), ("CAP_SETUID", "setuid"), ("CAP_SETGID", "setgid")]
    {
        let wanted = (name, Some(call));
        assert!(used.contains(&wanted), "{kernel}: {wanted:?} is not in {used:#?}");
    }
    for run in ebpf.runs.values() {
        assert_eq!(run.fidelity[&FactKind::Capability].degree, Degree::Observed, "{kernel}");
        assert!(run.hooks.contains("fexit/cap_capable"), "{kernel}: {:?}", run.hooks);
    }
}

/// The programs of samples/capabilities, each of which needs one capability or none: exactly that is told where the checks are
/// seen at the return of the kernel's function, but for one that compilers build into its caller.
#[test]
#[ignore = "needs a virtual machine: run by make test"]
fn what_each_program_needs_is_told() {
    const UNSEEN: [&str; 1] = ["sets-securebits"];
    let done = machine::ran("6.1", super::tests_of("6.1")).test("capabilities");
    done.passed();
    let recording = Recording::read(&done.files.join("ebpf.jsonl")).unwrap();
    assert!(recording.complete(), "{:?}", recording.completions);
    let found = needed::by_program(&recording);
    let (list, all) = (done.text("list"), done.text("all"));
    assert!(list.lines().count() > 100);
    for (name, needs) in list.lines().map(|line| line.split_once(' ').unwrap()) {
        assert!(all.lines().any(|line| line == format!("{name} 0")), "{name}: {all}");
        let found = found.get(name).cloned().unwrap_or_default();
        let unseen = needs == "none" || UNSEEN.contains(&name);
        let wanted: BTreeSet<String> = (!unseen).then(|| needs.to_owned()).into_iter().collect();
        assert_eq!(found, wanted, "{name}");
    }
}

macro_rules! kernels {
    ($($module:ident $kernel:literal),*) => {$(
        mod $module {
            #[test]
            #[ignore = "needs a virtual machine: run by make test"]
            fn both_backends_tell_the_same() {
                for line in super::super::tests_of($kernel) {
                    if let Some(sample) = line.strip_prefix("record ") {
                        super::backends_agree($kernel, sample);
                    }
                }
            }

            #[test]
            #[ignore = "needs a virtual machine: run by make test"]
            fn capability_checks_are_seen() {
                super::capabilities_are_seen($kernel);
            }
        }
    )*};
}

kernels!(linux_5_10 "5.10", linux_6_1 "6.1", linux_6_12 "6.12");
