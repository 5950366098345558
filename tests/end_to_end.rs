//! The main job on real programs, proved: what is recorded, by both backends and against strace; what is learned from it;
//! and what enforcing it allows and refuses.
//!
//! The programs are those of `samples/`. Each module below is one of them, each test in it one promise.
#![cfg(test)]

mod common;

use std::collections::BTreeSet;
use std::fs;

use common::sample::{Backend, DENIED, Sample, text};
use common::seen;

/// What the two backends may see differently, and why. docs/backends.md has the same table for readers.
///
/// A row is the sample (or `*`), a fact as [`seen::calls`] or [`seen::files`] has it (or its beginning, before a `*`),
/// and the reason.
const BACKENDS: [(&str, &str, &str); 0] = [];

/// What strace sees and a recording need not, and why.
const STRACE: [(&str, &str, &str); 1] = [(
    "i386",
    "socketpair",
    "strace names the call that socketcall does; the recording has the call that the filter is asked about, and the \
     socket as a fact of its own",
)];

/// Calls that the same program makes or not as time has it: signals come early or late, threads wait for each other or not.
const TIMING: [&str; 4] = ["futex", "restart_syscall", "rt_sigreturn", "sched_yield"];

fn excused(table: &[(&str, &str, &str)], sample: Sample, fact: &str) -> bool {
    let by_chance = TIMING.iter().any(|name| fact == *name || fact.ends_with(&format!(" {name}")));
    by_chance
        || table.iter().any(|(where_, what, _)| {
            (*where_ == "*" || *where_ == sample.0)
                && what.strip_suffix('*').map_or(*what == fact, |start| fact.starts_with(start))
        })
}

/// What is in one set and not in the other, without what a table excuses.
fn unexplained<'a>(
    table: &'a [(&str, &str, &str)],
    sample: Sample,
    theirs: &'a BTreeSet<String>,
    ours: &'a BTreeSet<String>,
) -> Vec<&'a String> {
    theirs.difference(ours).filter(|fact| !excused(table, sample, fact)).collect()
}

/// Both backends tell the same of a sample.
fn backends_agree(sample: Sample) {
    let ptrace = &sample.recorded(Backend::Ptrace, 0).recording;
    let ebpf = &sample.recorded(Backend::Ebpf, 0).recording;
    for (what, of) in [("calls", seen::calls as fn(&_) -> BTreeSet<String>), ("files", seen::files)]
    {
        let (ptrace, ebpf) = (of(ptrace), of(ebpf));
        assert!(ptrace.len() > 5, "{what}: {ptrace:?}");
        let only_ptrace = unexplained(&BACKENDS, sample, &ptrace, &ebpf);
        let only_ebpf = unexplained(&BACKENDS, sample, &ebpf, &ptrace);
        assert!(
            only_ptrace.is_empty() && only_ebpf.is_empty(),
            "{}: {what} only by ptrace: {only_ptrace:#?}, only by ebpf: {only_ebpf:#?}",
            sample.0
        );
    }
}

/// Both backends keep the same combinations of arguments of a sample that does the same each time.
fn arguments_agree(sample: Sample) {
    let of = |backend| -> BTreeSet<String> {
        let all = seen::arguments(&sample.recorded(backend, 0).recording);
        let by_chance =
            |fact: &String| TIMING.iter().any(|name| fact.contains(&format!(" {name} ")));
        all.into_iter().filter(|fact| !by_chance(fact)).collect()
    };
    let (ptrace, ebpf) = (of(Backend::Ptrace), of(Backend::Ebpf));
    assert!(ptrace.len() > 10, "{ptrace:?}");
    assert_eq!(
        (&ptrace - &ebpf, &ebpf - &ptrace),
        (BTreeSet::new(), BTreeSet::new()),
        "{}: only by ptrace, only by ebpf",
        sample.0
    );
}

/// strace knows of no call and no file that the recording does not know of. And the comparison can fail: without any one
/// of the calls or files that strace saw, it does.
fn strace_sees_no_more(sample: Sample, backend: Backend) {
    let recording = &sample.recorded(backend, 0).recording;
    let names: BTreeSet<String> = seen::calls(recording)
        .iter()
        .filter_map(|call| call.split_once(' ').map(|(_, name)| name.to_owned()))
        .collect();
    let paths = seen::paths(recording);
    let straced = sample.straced();

    let opened = &straced.opened | &straced.executed;
    assert!(straced.calls.len() > 10 && opened.len() > 5, "{straced:?}");
    for (what, theirs, ours) in [("calls", &straced.calls, &names), ("files", &opened, &paths)] {
        let missing = unexplained(&STRACE, sample, theirs, ours);
        assert!(missing.is_empty(), "{}: {what} missing: {missing:#?}", sample.0);
        for fact in theirs.intersection(ours).filter(|fact| !excused(&STRACE, sample, fact)) {
            let mut less = ours.clone();
            less.remove(fact);
            assert_eq!(unexplained(&STRACE, sample, theirs, &less), [fact]);
        }
    }
}

/// The facts that a compiled sample prints of itself: `+` is recorded, `-` is not.
fn says_of_itself(sample: Sample, backend: Backend) {
    let recorded = sample.recorded(backend, 0);
    let domain = common::sample::program(sample.0);
    let words = seen::words(&recorded.recording, &domain);
    let mut checked = 0;
    for line in recorded.printed.lines() {
        match line.split_once(' ') {
            Some(("+", fact)) => assert!(words.contains(fact), "{fact} is missing in {words:#?}"),
            Some(("-", fact)) => assert!(!words.contains(fact), "{fact} is in {words:#?}"),
            _ => panic!("{}: not a fact: {line}", sample.0),
        }
        checked += 1;
    }
    assert!(checked > 5, "{}", recorded.printed);
}

/// The workload passes under its own profiles with nothing refused.
fn profile_holds(sample: Sample) {
    let (done, report) = sample.verified("run", &[]);
    assert_eq!(
        (report["denials"].as_array().map(Vec::len), done.status.code()),
        (Some(0), Some(0)),
        "{}: {report:#}\n{}{}",
        sample.0,
        text(&done.stdout),
        text(&done.stderr)
    );
}

/// The workload that does one thing more is refused that thing, and says so.
fn twin_is_refused(sample: Sample, what: &str) {
    // The twin is able to: without a profile nothing refuses it.
    let free = sample.run(&[], &sample.command("more", &[what]));
    assert!(free.status.success(), "{}: {}", sample.0, text(&free.stderr));

    let (done, report) = sample.verified("more", &[what]);
    assert_eq!(done.status.code(), Some(DENIED), "{}: {report:#}", sample.0);
    let denials = report["denials"].as_array().unwrap();
    let wanted = match what {
        "call" => ["socket"].as_slice(),
        _ => ["execve", "execveat"].as_slice(),
    };
    assert!(
        !denials.is_empty()
            && denials.iter().all(|denial| wanted.iter().any(|w| denial["call"] == *w)),
        "{}: {report:#}",
        sample.0
    );
    // The sample saw it too: it exits 9 when its one thing more was refused.
    assert_eq!(report["end"], "exit 9", "{}: {report:#}\n{}", sample.0, text(&done.stderr));
}

/// Two recordings of the same workload give the same profiles, to the byte.
fn same_bytes(sample: Sample, backend: Backend) {
    let (one, other) = (sample.profiles(backend, 0), sample.profiles(backend, 1));
    for name in ["seccomp.json", "apparmor.profile", "capabilities.json"] {
        let read = |directory: &std::path::Path| fs::read_to_string(directory.join(name)).unwrap();
        let (one, other) = (read(one), read(other));
        assert!(!one.is_empty());
        if one != other {
            let lines =
                |text: &str| -> BTreeSet<String> { text.lines().map(str::to_owned).collect() };
            let (one, other) = (lines(&one), lines(&other));
            panic!("{} {name}: -{:#?} +{:#?}", sample.0, &one - &other, &other - &one);
        }
    }
}

/// The tests that every sample passes, and those that only some do.
macro_rules! samples {
    ($($module:ident = $name:literal: $($extra:ident)*;)*) => {$(
        mod $module {
            use super::*;
            const SAMPLE: Sample = Sample($name);

            #[test]
            #[ignore = "needs root and Debian's servers: run by make test"]
            fn both_backends_tell_the_same() {
                backends_agree(SAMPLE);
            }

            #[test]
            #[ignore = "needs root and Debian's servers: run by make test"]
            fn strace_sees_no_more_than_ptrace() {
                strace_sees_no_more(SAMPLE, Backend::Ptrace);
            }

            #[test]
            #[ignore = "needs root and Debian's servers: run by make test"]
            fn strace_sees_no_more_than_ebpf() {
                strace_sees_no_more(SAMPLE, Backend::Ebpf);
            }

            #[test]
            #[ignore = "needs root and Debian's servers: run by make test"]
            fn passes_under_its_profiles() {
                profile_holds(SAMPLE);
            }

            #[test]
            #[ignore = "needs root and Debian's servers: run by make test"]
            fn one_more_call_is_refused() {
                twin_is_refused(SAMPLE, "call");
            }

            #[test]
            #[ignore = "needs root and Debian's servers: run by make test"]
            fn one_more_program_is_refused() {
                twin_is_refused(SAMPLE, "program");
            }

            $(samples!(@ $extra);)*
        }
    )*};
    (@ deterministic) => {
        #[test]
        #[ignore = "needs root and Debian's servers: run by make test"]
        fn both_backends_keep_the_same_arguments() {
            arguments_agree(SAMPLE);
        }

        #[test]
        #[ignore = "needs root and Debian's servers: run by make test"]
        fn two_recordings_give_the_same_profiles() {
            same_bytes(SAMPLE, Backend::Ptrace);
            same_bytes(SAMPLE, Backend::Ebpf);
        }
    };
    (@ prints) => {
        #[test]
        #[ignore = "needs root and Debian's servers: run by make test"]
        fn leaves_what_it_says() {
            says_of_itself(SAMPLE, Backend::Ptrace);
            says_of_itself(SAMPLE, Backend::Ebpf);
        }
    };
}

samples! {
    nginx = "nginx":;
    redis = "redis":;
    sqlite3 = "sqlite3": deterministic;
    // Names of git's and Python's temporary files hold process ids.
    git = "git":;
    python_json = "python-json":;
    python_subprocess = "python-subprocess":;
    tar = "tar": deterministic;
    find = "find": deterministic;
    static_program = "static": deterministic prints;
    threads = "threads": deterministic prints;
    double_fork = "double-fork": deterministic prints;
    i386 = "i386": deterministic prints;
}

#[test]
fn every_sample_is_tested() {
    let tested = include_str!("end_to_end.rs");
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    for entry in fs::read_dir(here).unwrap() {
        let path = entry.unwrap().path();
        if path.join("run").exists() {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(tested.contains(&format!("= \"{name}\":")), "{name} is in no test");
            assert_eq!(fs::read_link(path.join("more")).unwrap().to_str(), Some("run"));
        }
    }
}
