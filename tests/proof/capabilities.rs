//! The programs of samples/capabilities, each of which needs one capability or none: that they do, and what the recorders make of
//! them.

use std::collections::{BTreeMap, BTreeSet};

use tracer::recording::Recording;

use crate::needed;
use crate::support::{Room, built, samples, text};

/// Namespaces of their own, so that nothing of the machine is changed.
pub(crate) const APART: [&str; 6] = ["unshare", "--mount", "--uts", "--net", "--ipc", "--"];

/// What a sample exits with when it was not permitted to do what it does.
const REFUSED: i32 = 9;

/// What ptrace must reach on these programs, measured: what it deduces is so, and what is so it deduces.
const PRECISION: f64 = 0.98;
const RECALL: f64 = 0.95;

fn program() -> String {
    built().join("capabilities").to_str().unwrap().to_owned()
}

/// A room with the programs in it.
pub(crate) fn prepared() -> Room {
    let room = Room::new();
    // Programs are linked to, so they must lie in the same file system.
    std::fs::copy(program(), room.path("capabilities")).unwrap();
    let done = room.run(&["./capabilities", "prepare"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    room
}

/// The programs with what they say that they need.
pub(crate) fn table() -> BTreeMap<String, Option<String>> {
    let room = Room::new();
    let listed = text(&room.run(&[&program(), "list"]).stdout);
    let row = |line: &str| {
        let (name, needs) = line.split_once(' ').unwrap();
        (name.to_owned(), Some(needs.to_owned()).filter(|needs| needs != "none"))
    };
    listed.lines().map(row).collect()
}

/// The capabilities that the tests have themselves: in a container there are fewer.
fn own() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap()
}

fn has(mask: u64, capability: &str) -> bool {
    mask >> tracer::abi::capabilities::number(capability).unwrap() & 1 == 1
}

/// What this machine can tell of a program: one that needs what the tests lack themselves is refused.
fn expected() -> BTreeMap<String, BTreeSet<String>> {
    let own = own();
    let mut lacking = BTreeSet::new();
    let all = table()
        .into_iter()
        .map(|(name, needs)| {
            let usable = needs.filter(|needs| {
                let there = has(own, needs);
                if !there {
                    lacking.insert(needs.clone());
                }
                there
            });
            (name, usable.into_iter().collect())
        })
        .collect();
    if !lacking.is_empty() {
        println!("not proved here, because the tests lack them themselves: {lacking:?}");
    }
    // A container may lack a few. Whoever lacks many proves nothing.
    assert!(lacking.len() <= 3, "run as root: {lacking:?} are missing");
    all
}

#[test]
#[ignore = "needs root: run by make test"]
fn each_program_needs_what_it_says() {
    let table = table();
    assert!(table.values().filter(|needs| needs.is_some()).count() >= 25);
    assert!(table.values().filter(|needs| needs.is_none()).count() >= 25);
    let (with, without) = (prepared(), prepared());
    let expected = expected();
    for (name, needs) in &table {
        let of = |room: &Room, sets: &str| {
            let bounding = format!("--bounding-set={sets}");
            let words = ["./capabilities", "one", name, "setpriv", &bounding, "--inh-caps=-all"];
            room.run(&[&APART[..], &words].concat())
        };
        let Some(needs) = needs else {
            let done = of(&without, "-all");
            assert!(done.status.success(), "{name} needs something: {}", text(&done.stderr));
            continue;
        };
        let done = of(&without, "-all");
        assert_eq!(done.status.code(), Some(REFUSED), "{name} needs nothing");
        if expected[name].contains(needs) {
            let bare = needs.strip_prefix("CAP_").unwrap().to_lowercase();
            let done = of(&with, &format!("-all,+{bare}"));
            assert!(done.status.success(), "{name} needs more: {}", text(&done.stderr));
        }
    }
}

/// The capabilities of which a recording says that a program needed them, by the program.
fn recorded(backend: &str) -> BTreeMap<String, BTreeSet<String>> {
    let room = prepared();
    let words = ["record", "--backend", backend, "-o", "recording", "--", "./capabilities", "all"];
    let done = room.run(&[&APART[..], &[env!("CARGO_BIN_EXE_learn"), "-q"], &words].concat());
    let expected = expected();
    let printed = text(&done.stdout);
    let refused = format!(" {REFUSED}");
    let own = own();
    let lacking: Vec<String> = table()
        .into_iter()
        .filter(|(_, needs)| needs.as_ref().is_some_and(|needs| !has(own, needs)))
        .map(|(name, _)| name)
        .collect();
    for name in expected.keys() {
        let line = printed.lines().find(|line| line.split(' ').next() == Some(name)).unwrap();
        let wanted = if lacking.contains(name) { &refused } else { " 0" };
        assert!(line.ends_with(wanted), "{line}; {}", text(&done.stderr));
    }
    let recording = Recording::read(&room.path("recording")).unwrap();
    needed::by_program(&recording)
}

#[test]
#[ignore = "needs root: run by make test"]
fn the_kernels_checks_are_told_exactly() {
    let recorded = recorded("ebpf");
    for (name, needs) in expected() {
        let found = recorded.get(&name).cloned().unwrap_or_default();
        assert_eq!(found, needs, "{name}");
    }
}

/// How much of what is deduced is so, and how much of what is so is deduced: precision and recall.
struct Measured {
    right: usize,
    deduced: usize,
    needed: usize,
}

impl Measured {
    fn of(
        deduced: &BTreeMap<String, BTreeSet<String>>,
        needed: &BTreeMap<String, BTreeSet<String>>,
    ) -> Self {
        let pairs = |of: &BTreeMap<String, BTreeSet<String>>| -> BTreeSet<(String, String)> {
            let flat = |(name, all): (&String, &BTreeSet<String>)| {
                all.iter().map(|c| (name.clone(), c.clone())).collect::<Vec<_>>()
            };
            of.iter().flat_map(flat).collect()
        };
        let (deduced, needed) = (pairs(deduced), pairs(needed));
        for (name, capability) in deduced.difference(&needed) {
            println!("{name}: {capability} is deduced, and not needed");
        }
        for (name, capability) in needed.difference(&deduced) {
            println!("{name}: {capability} is needed, and not deduced");
        }
        Self {
            right: deduced.intersection(&needed).count(),
            deduced: deduced.len(),
            needed: needed.len(),
        }
    }

    fn precision(&self) -> f64 {
        ratio(self.right, self.deduced)
    }

    fn recall(&self) -> f64 {
        ratio(self.right, self.needed)
    }

    fn say(&self, what: &str) {
        println!(
            "{what}: precision {:.3} ({} of {}), recall {:.3} ({} of {})",
            self.precision(),
            self.right,
            self.deduced,
            self.recall(),
            self.right,
            self.needed
        );
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(whole).unwrap().max(1))
}

#[test]
#[ignore = "needs root: run by make test"]
fn what_ptrace_deduces_is_measured() {
    let names: BTreeSet<String> = table().into_keys().collect();
    let of_programs = |mut all: BTreeMap<String, BTreeSet<String>>| {
        all.retain(|name, _| names.contains(name));
        all
    };
    let (deduced, needed) = (of_programs(recorded("ptrace")), of_programs(recorded("ebpf")));
    let measured = Measured::of(&deduced, &needed);
    measured.say("small programs, ptrace");
    assert!(measured.precision() >= PRECISION && measured.recall() >= RECALL);
}

/// The same on programs that nobody wrote to be measured.
#[test]
#[ignore = "needs root: run by make test"]
fn what_ptrace_deduces_of_servers_is_what_the_kernel_asks() {
    let of = |sample: &str, backend: &str| {
        let room = Room::new();
        let run = samples().join(sample).join("run");
        std::fs::create_dir(room.path("work")).unwrap();
        let words = format!(
            "cd work && exec {} -q record --backend {backend} -o ../recording -- {}",
            env!("CARGO_BIN_EXE_learn"),
            run.display()
        );
        let done = room.run(&["sh", "-c", &words]);
        assert!(done.status.success(), "{sample}: {}", text(&done.stderr));
        let recording = Recording::read(&room.path("recording")).unwrap();
        let prefixed = |(name, all)| (format!("{sample} {name}"), all);
        needed::by_program(&recording).into_iter().map(prefixed).collect::<BTreeMap<_, _>>()
    };
    let all = |backend| {
        let samples = ["nginx", "redis", "tar", "git", "python-subprocess", "double-fork"];
        samples.into_iter().flat_map(|sample| of(sample, backend)).collect::<BTreeMap<_, _>>()
    };
    let (deduced, mut needed) = (all("ptrace"), all("ebpf"));
    // The kernel asks before it looks at the owner (docs/backends.md): git's links are of its own read-only files.
    if let Some(of_git) = needed.get_mut("git git") {
        println!("the kernel asks more of git than it needs: {of_git:?}");
        of_git.remove("CAP_DAC_OVERRIDE");
    }
    assert!(!needed.is_empty(), "nginx needs some as root");
    let measured = Measured::of(&deduced, &needed);
    measured.say("samples, ptrace");
    assert!(measured.precision() >= 0.9 && measured.recall() >= 0.9);
}
