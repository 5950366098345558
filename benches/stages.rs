//! The stages on a recording with 100,000 facts: reading it, merging it with another, learning from it, emitting profiles.
//!
//! The recording is made up, the same each time, and shaped like a large test suite's: 40 programs, most facts files, of
//! which a part has made-up names.
//!
//! `benches/compare` compares the results with a stored baseline, each as a multiple of the reference's time.

#![expect(clippy::unwrap_used, reason = "a bench that can't work ends")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use learner::Policy;
use profile_emit::bundle::{Bundle, bundle};
use tracer::abi::{Abi, calls};
use tracer::recording::{
    Access, Args, ByteString, Completion, Degree, Fact, FactKind, Fidelity, Origin, Recording, Run,
    Seen, What, Witness, merge, write_file,
};

const FACTS: usize = 100_000;
const PROGRAMS: usize = 40;

/// Numbers that look random and are the same each time (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u32) -> u32 {
        u32::try_from(self.next() % u64::from(limit)).unwrap_or_default()
    }

    fn letter(&mut self) -> char {
        char::from_digit(10 + self.below(26), 36).unwrap_or('x')
    }
}

fn path(numbers: &mut Numbers, n: usize) -> String {
    match numbers.below(10) {
        0 => format!("/proc/{}/stat", 300 + numbers.below(30_000)),
        1 => {
            let made_up: String = (0..6).map(|_| numbers.letter()).collect();
            format!("/tmp/build/cc{made_up}.o")
        }
        2 => format!("/var/lib/service/data/{:032x}", numbers.next()),
        3 => format!("/usr/share/zoneinfo/area{}/city{n}", n % 30),
        _ => format!("/srv/app/module{}/part{}/file{n}.py", n % 97, n % 13),
    }
}

fn fact(numbers: &mut Numbers, n: usize) -> Fact {
    let domain = ByteString::new(format!("/usr/bin/program{}", n % PROGRAMS));
    let what = if n.is_multiple_of(8) {
        let nr = numbers.below(335);
        // ioctl is the call with the most different arguments.
        let args = (nr == 16)
            .then(|| Args::Values(Box::new([(1, 0x5400 + u64::from(numbers.below(200)))].into())));
        let name = calls::name(Abi::X86_64, nr).map(Into::into);
        What::Call { abi: Abi::X86_64, nr, name, args }
    } else {
        let access = match numbers.below(5) {
            0 => Access::Getattr,
            1 => Access::Write,
            2 => Access::Create,
            3 => Access::Delete,
            _ => Access::Read,
        };
        What::File { path: ByteString::new(path(numbers, n)), access, target: None }
    };
    Fact { domain, origin: Origin::Entry, what }
}

/// A recording of [`FACTS`] facts; two of different seeds have the calls and some of the files in common.
fn recording(id: &str, seed: u64) -> Recording {
    let mut numbers = Numbers(seed);
    let mut recording = Recording::new();
    let fidelity = Fidelity { degree: Degree::Observed, how: "made up".to_owned() };
    let run = Run {
        command: vec![ByteString::from("bench")],
        backend: "ebpf".to_owned(),
        kernel: "6.12".to_owned(),
        machine: "x86_64".to_owned(),
        labels: BTreeMap::new(),
        fidelity: BTreeMap::from([(FactKind::Call, fidelity.clone()), (FactKind::File, fidelity)]),
        hooks: BTreeSet::new(),
        units: Vec::new(),
    };
    recording.runs.insert(id.to_owned(), run);
    recording.completions.insert(id.to_owned(), Completion::complete());
    let mut n = 0;
    while recording.len() < FACTS {
        let count = 1 + u64::from(numbers.below(50));
        let first = Some(Witness { ms: 1, pid: 100 });
        let seen = Seen { first, ..Seen::ending(Seen::OK, count) };
        recording.add(id, fact(&mut numbers, n), &seen);
        n += 1;
    }
    recording
}

/// Writes the recordings that the benches read.
fn files(directory: &Path) -> [PathBuf; 2] {
    [("0".repeat(32), 1_u64), ("1".repeat(32), 2)].map(|(id, seed)| {
        let file = directory.join(format!("{seed}.jsonl"));
        write_file(&file, &recording(&id, seed)).unwrap();
        file
    })
}

/// Work that is none of `learn`'s, and is like it: strings are made, sorted, and kept in a map. It tells how fast the machine is.
fn reference(c: &mut Criterion) {
    let strings = || {
        let mut numbers = Numbers(3);
        (0..FACTS).map(move |n| path(&mut numbers, n))
    };
    c.bench_function("reference", |b| {
        b.iter_with_large_drop(|| {
            let mut sorted: Vec<String> = strings().collect();
            sorted.sort();
            let map: HashMap<String, usize> = sorted.into_iter().zip(0..).collect();
            map
        });
    });
}

/// All the text that is written of a policy.
fn emit(policy: impl Into<Arc<Policy>>) -> Bundle {
    let made = bundle(policy);
    made.policy.write_json(std::io::sink()).unwrap();
    made
}

fn stages(c: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let files = files(directory.path());
    let read = || Recording::read(&files[0]).unwrap();
    let known = read();
    let options = learner::Options { name: "bench".to_owned(), ..Default::default() };
    let policy = Arc::new(learner::learn(&known, &options));

    let mut group = c.benchmark_group("100,000 facts");
    group.sample_size(10);
    group.bench_function("read", |b| b.iter_with_large_drop(read));
    group.bench_function("merge two files", |b| {
        let out = directory.path().join("merged.jsonl");
        b.iter(|| merge(&files, &out).unwrap());
    });
    group.bench_function("learn", |b| {
        b.iter_with_large_drop(|| learner::learn(black_box(&known), &options));
    });
    group.bench_function("emit", |b| {
        b.iter_with_large_drop(|| emit(Arc::clone(black_box(&policy))));
    });
    group.bench_function("generate: read, learn, emit", |b| {
        b.iter_with_large_drop(|| emit(learner::learn(&read(), &options)));
    });
    group.finish();
}

criterion_group!(benches, reference, stages);
criterion_main!(benches);
