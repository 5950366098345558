//! What a policy promises, on arbitrary recordings: what was needed is allowed, what was not is refused, and the same
//! facts give the same bytes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use learner::drift::side::Side;
use learner::drift::{Direction, Drift};
use learner::policy::{CallRule, Tightness};
use learner::replay::Replay;
use learner::{Options, Policy, learn};
use proptest::prelude::*;
use tracer::abi::{Abi, arguments, calls};
use tracer::recording::{
    Access, Args, ByteString, Completion, Fact, Origin, Recording, Run, Seen, What,
};

/// What was done, and how it ended.
type Deed = (What, &'static str);

fn path() -> BoxedStrategy<ByteString> {
    let name = prop_oneof![
        Just("shadow".to_owned()),
        Just("secrets".to_owned()),
        "[a-z0-9._-]{1,8}",
        "[a-zA-Z0-9]{6}",
        "tmp[a-z0-9_]{8}",
        "[0-9]{1,8}",
    ];
    let tree = prop::sample::select(&["/etc", "/tmp", "/run", "/proc", "/usr/lib", "/dev/shm"][..]);
    (tree, prop::collection::vec(name, 1..4))
        .prop_map(|(tree, names)| format!("{tree}/{}", names.join("/")).as_str().into())
        .boxed()
}

fn outcome() -> BoxedStrategy<&'static str> {
    prop::sample::select(&["ok", "ENOENT", "EACCES"][..]).boxed()
}

fn access() -> BoxedStrategy<Access> {
    use Access::{Create, Delete, Exec, MmapExec, Read, Write};
    prop::sample::select(&[Read, Write, Create, Delete, Exec, MmapExec][..]).boxed()
}

const CALLS: [&str; 9] =
    ["read", "clone", "clone3", "socket", "mmap", "ioctl", "futex", "setsockopt", "stat"];

fn call() -> BoxedStrategy<What> {
    let value = prop_oneof![0..4_u64, Just(0xffff_ffff_0000_0001), any::<u64>()];
    (prop::sample::select(&CALLS[..]), prop::collection::vec(value, 6))
        .prop_map(|(name, values)| {
            let table = arguments::of(Abi::X86_64, name);
            let kept: BTreeMap<u8, u64> =
                table.iter().map(|a| (a.index, values[usize::from(a.index)])).collect();
            let args = (!kept.is_empty()).then_some(Args::Values(Box::new(kept)));
            let nr = calls::number(Abi::X86_64, name).unwrap();
            What::Call { abi: Abi::X86_64, nr, name: Some(name.into()), args }
        })
        .boxed()
}

fn deed() -> BoxedStrategy<Deed> {
    prop_oneof![
        (call(), outcome()),
        (
            (path(), access()).prop_map(|(path, access)| What::File { path, access, target: None }),
            outcome()
        ),
        (path().prop_map(|path| What::Exec { path, interpreter: None, loader: None }), outcome()),
    ]
    .boxed()
}

fn recording<'a>(deeds: impl IntoIterator<Item = &'a Deed>, id: &str) -> Recording {
    let mut recording = Recording::new();
    let run = Run {
        command: vec!["/bin/x".into()],
        backend: "ptrace".to_owned(),
        kernel: "6.1".to_owned(),
        machine: "x86_64".to_owned(),
        labels: BTreeMap::new(),
        fidelity: BTreeMap::new(),
        hooks: BTreeSet::new(),
        units: Vec::new(),
    };
    recording.runs.insert(id.to_owned(), run);
    recording.completions.insert(id.to_owned(), Completion::complete());
    for (what, outcome) in deeds {
        let fact = Fact { domain: "/bin/x".into(), origin: Origin::Entry, what: what.clone() };
        recording.add(id, fact, &Seen::ending(outcome, 1));
    }
    recording
}

fn with(tightness: Tightness) -> Options {
    Options { name: "x".to_owned(), tightness, ..Options::default() }
}

fn tightness() -> BoxedStrategy<Tightness> {
    use Tightness::{Balanced, Portable, Strict};
    prop::sample::select(&[Strict, Balanced, Portable][..]).boxed()
}

/// A filter's own view: the low 32 bits of six registers.
fn allows(rule: &CallRule, args: &BTreeMap<u8, u64>) -> bool {
    let low = |index| u32::try_from(args.get(&index).copied().unwrap_or(0) & 0xffff_ffff).unwrap();
    rule.when.is_empty()
        || rule.when.iter().any(|all| all.iter().all(|c| low(c.index) & c.mask == c.value))
}

proptest! {
    #[test]
    fn what_was_needed_is_allowed(deeds in prop::collection::vec(deed(), 0..40), tightness in tightness()) {
        let policy = learn(&recording(&deeds, "a"), &with(tightness));
        for (what, outcome) in &deeds {
            let allowed = match what {
                What::Call { nr, args, name, .. } => {
                    let nothing = BTreeMap::new();
                    let values = match args {
                        Some(Args::Values(values)) => values,
                        _ => &nothing,
                    };
                    let rule = policy.calls.iter().find(|rule| rule.allow.nr == *nr);
                    rule.is_some_and(|rule| allows(&rule.allow, values))
                        || (name.as_deref() == Some("clone3")
                            && policy.fallbacks.iter().any(|rule| rule.nr == *nr))
                }
                What::File { path, access, .. } => {
                    *outcome != "ok" || policy.files.iter().any(|rule| {
                        rule.allow.path.matches(path.as_bytes()) && rule.allow.access.contains(access)
                    })
                }
                What::Exec { path, .. } => {
                    *outcome != "ok" || policy.execs.iter().any(|rule| rule.allow.path == *path)
                }
                _ => true,
            };
            prop_assert!(allowed, "{:?} {}", what, outcome);
        }
    }

    /// Nothing differs from itself, and what is more one way is less the other way.
    #[test]
    fn drift_is_the_same_from_both_sides(
        old in prop::collection::vec(deed(), 0..20),
        new in prop::collection::vec(deed(), 0..20),
        tightness in tightness(),
    ) {
        let [old, new] =
            [&old, &new].map(|deeds| Side::of(&learn(&recording(deeds, "a"), &with(tightness))));
        prop_assert_eq!(Drift::between(&old, &old), Drift::default());
        let told = |drift: &Drift, direction| -> BTreeSet<_> {
            let all = drift.differences.iter().filter(|d| d.direction == direction);
            all.map(|d| (d.kind, d.what.clone())).collect()
        };
        let [there, back] = [Drift::between(&old, &new), Drift::between(&new, &old)];
        for (one, other) in [
            (Direction::Widened, Direction::Narrowed),
            (Direction::Narrowed, Direction::Widened),
            (Direction::Changed, Direction::Changed),
        ] {
            prop_assert_eq!(told(&there, one), told(&back, other), "{:?}", one);
        }
    }

    /// Whoever saw less is allowed no more; and what lies within something that lies within a third lies within that.
    #[test]
    fn lying_within_is_transitive(
        deeds in prop::collection::vec(deed(), 0..30),
        cuts in prop::array::uniform2(any::<prop::sample::Index>()),
        others in prop::array::uniform3(prop::collection::vec(deed(), 0..3)),
    ) {
        let side = |deeds: &[Deed]| Side::of(&learn(&recording(deeds, "a"), &with(Tightness::Strict)));
        let within = |outer: &Side, inner: &Side| Drift::between(outer, inner).excess().next().is_none();
        let some = &deeds[..cuts[0].index(deeds.len() + 1)];
        let few = &some[..cuts[1].index(some.len() + 1)];
        let [all, some, few] = [&deeds, some, few].map(side);
        prop_assert!(within(&all, &some) && within(&some, &few) && within(&all, &few));
        let [a, b, c] = others.each_ref().map(|deeds| side(deeds));
        prop_assert!(!(within(&a, &b) && within(&b, &c)) || within(&a, &c));
    }

    /// Nothing that was recorded is refused, whatever else was, and however closely the policy fits.
    #[test]
    fn nothing_that_was_recorded_is_refused(deeds in prop::collection::vec(deed(), 0..40), tightness in tightness()) {
        let recording = recording(&deeds, "a");
        let policy = learn(&recording, &with(tightness));
        prop_assert_eq!(Replay::of(&policy).refused(&recording), Vec::<&Fact>::new());
    }

    #[test]
    fn what_was_not_recorded_is_refused(deeds in prop::collection::vec(deed(), 0..20)) {
        let policy = learn(&recording(&deeds, "a"), &with(Tightness::Strict));
        let other = [
            (What::File { path: "/never/seen".into(), access: Access::Read, target: None }, "ok"),
            (What::Exec { path: "/never/seen".into(), interpreter: None, loader: None }, "ok"),
            (What::Call { abi: Abi::X86_64, nr: 165, name: Some("mount".into()), args: None }, "EPERM"),
        ];
        prop_assert_eq!(Replay::of(&policy).refused(&recording(&other, "b")).len(), 3);
    }

    #[test]
    fn what_never_succeeded_is_not_allowed(deeds in prop::collection::vec(deed(), 0..20), tightness in tightness()) {
        let failed = deeds.into_iter().map(|(what, _)| (what, "EACCES")).collect::<Vec<_>>();
        let policy = learn(&recording(&failed, "a"), &with(tightness));
        prop_assert!(policy.files.is_empty() && policy.execs.is_empty());
    }

    #[test]
    fn a_program_that_runs_is_named_exactly(path in path(), tightness in tightness(), access in access()) {
        let deeds = [
            (What::Exec { path: path.clone(), interpreter: None, loader: None }, "ok"),
            (What::File { path: path.clone(), access: Access::Exec, target: None }, "ok"),
            (What::File { path: path.clone(), access, target: None }, "ok"),
        ];
        let policy = learn(&recording(&deeds, "a"), &with(tightness));
        prop_assert_eq!(policy.files.len(), 1);
        prop_assert_eq!(policy.files[0].allow.path.as_literal(), Some(&path));
        prop_assert_eq!(&policy.execs[0].allow.path, &path);
    }

    #[test]
    fn a_guarded_place_is_reached_only_by_name(path in path(), tightness in tightness()) {
        let deeds = [(What::File { path: path.clone(), access: Access::Write, target: None }, "ok")];
        let policy = learn(&recording(&deeds, "a"), &with(tightness));
        for guarded in ["/etc/shadow", "/run/secrets", "/run/secrets/key", "/run/docker.sock", "/root/x"] {
            prop_assert!(
                !policy.files[0].allow.path.matches(guarded.as_bytes()) || path.as_bytes() == guarded.as_bytes()
            );
        }
    }

    #[test]
    fn the_same_facts_give_the_same_bytes(deeds in prop::collection::vec(deed(), 0..20), tightness in tightness()) {
        let one = learn(&recording(&deeds, "a"), &with(tightness)).to_json();
        let other = learn(&recording(deeds.iter().rev(), "b"), &with(tightness)).to_json();
        prop_assert_eq!(&one, &other, "neither the order nor the run's identifier matters");
        prop_assert_eq!(Policy::from_json(one.as_bytes()).unwrap().to_json(), one);
    }

    #[test]
    fn a_damaged_policy_is_an_error_and_no_panic(cut: prop::sample::Index, deeds in prop::collection::vec(deed(), 0..5)) {
        let text = learn(&recording(&deeds, "a"), &with(Tightness::Balanced)).to_json();
        let text = text.trim_end();
        prop_assert!(Policy::from_json(&text.as_bytes()[..cut.index(text.len())]).is_err());
    }
}

#[test]
fn looser_allows_more() {
    let deeds = [
        (What::Call { abi: Abi::X86_64, nr: 4, name: Some("stat".into()), args: None }, "ok"),
        (What::File { path: "/tmp/x.aB3dE9".into(), access: Access::Create, target: None }, "ok"),
    ];
    let of = |tightness| learn(&recording(&deeds, "a"), &with(tightness));
    let calls = |policy: &Policy| policy.calls.len();
    let (strict, balanced, portable) =
        (of(Tightness::Strict), of(Tightness::Balanced), of(Tightness::Portable));
    assert!(calls(&strict) == 1 && calls(&balanced) > 1 && calls(&portable) > calls(&balanced));
    assert!(!strict.files[0].allow.path.matches(b"/tmp/x.zZ9yY8"));
    assert!(balanced.files[0].allow.path.matches(b"/tmp/x.zZ9yY8"));
    assert!(!balanced.files[0].allow.path.matches(b"/tmp/y.zZ9yY8"));
}

#[test]
fn a_name_that_several_runs_share_stays() {
    let file =
        |path: &str| (What::File { path: path.into(), access: Access::Create, target: None }, "ok");
    let mut both = recording(&[file("/run/x.1234"), file("/run/y.1234")], "a");
    both.join(&recording(&[file("/run/x.1234"), file("/run/y.5678")], "b"));
    let policy = learn(&both, &with(Tightness::Balanced));
    let paths: Vec<String> = policy.files.iter().map(|rule| rule.allow.path.to_string()).collect();
    assert_eq!(paths, ["/run/x.1234", "/run/y.<number>"]);
    assert_eq!(policy.files[1].evidence.runs, 2);
}

#[test]
fn only_capabilities_that_were_granted_and_needed_make_rules() {
    let capability = |name: &str, probe| What::Capability {
        name: name.into(),
        initial_namespace: true,
        call: Some("chown".into()),
        probe,
    };
    let deeds = [
        (capability("CAP_CHOWN", false), "ok"),
        (capability("CAP_SYS_ADMIN", true), "ok"),
        (capability("CAP_SETUID", false), "EPERM"),
    ];
    let policy = learn(&recording(&deeds, "a"), &with(Tightness::Portable));
    let names: Vec<&str> =
        policy.capabilities.iter().map(|rule| rule.allow.name.as_str()).collect();
    assert_eq!(names, ["CAP_CHOWN"]);
}

#[test]
fn origins_can_be_chosen() {
    let mut recording = recording(&[], "a");
    for (origin, path) in [(Origin::Entry, "/etc/a"), (Origin::Exec, "/etc/b")] {
        let what = What::File { path: path.into(), access: Access::Read, target: None };
        recording.add("a", Fact { domain: "/bin/x".into(), origin, what }, &Seen::ending("ok", 1));
    }
    let only = Options { origins: BTreeSet::from([Origin::Entry]), ..Options::default() };
    assert_eq!(learn(&recording, &only).files.len(), 1);
    assert_eq!(learn(&recording, &Options::default()).files.len(), 2);
}

#[test]
fn an_incomplete_recording_gives_a_policy_that_says_so() {
    let mut recording = recording(&[], "a");
    assert!(learn(&recording, &Options::default()).training.complete);
    recording.completions.get_mut("a").unwrap().lose("events", 7);
    let training = learn(&recording, &Options::default()).training;
    assert!(!training.complete);
    assert!(training.incomplete_because.iter().any(|why| why.contains("7 lost: events")));
}

#[test]
fn other_texts_are_refused_with_the_reason() {
    let policy = learn(&recording(&[], "a"), &with(Tightness::Balanced)).to_json();
    let error = |text: String| Policy::from_json(text.as_bytes()).unwrap_err().to_string();
    assert!(error(policy.replace("learn-policy", "other")).contains("not a policy"));
    assert!(error(policy.replace("\"version\": 2", "\"version\": 3")).contains("update learn"));
    assert!(
        error(policy.replacen("\"version\": 2", "\"version\": 2, \"new\": 0", 1)).contains("`new`")
    );
    assert!(error(policy.replace("\"version\": 2", "\"version\": null")).contains("line 3"));
    assert!(error("{".to_owned()).contains("line 1"));
}

/// docs/policy.md's example is what its recording teaches; LEARN_BLESS=1 writes it anew.
#[test]
fn the_documented_example_is_learned() {
    let examples = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples"));
    let recording = Recording::read(&examples.join("greet.jsonl")).unwrap();
    let options = Options { name: "greet".to_owned(), ..Options::default() };
    let (learned, example) =
        (learn(&recording, &options).to_json(), examples.join("greet.policy.json"));
    if std::env::var_os("LEARN_BLESS").is_some() {
        std::fs::write(&example, &learned).unwrap();
    }
    assert!(learned == std::fs::read_to_string(&example).unwrap(), "{}", example.display());
}

/// What version 2 added may be missing.
#[test]
fn a_policy_of_version_1_is_read() {
    let mut policy = learn(&recording(&[], "a"), &with(Tightness::Balanced));
    policy.saturation = Default::default();
    let mut value: serde_json::Value = serde_json::from_str(&policy.to_json()).unwrap();
    value["version"] = 1.into();
    value.as_object_mut().unwrap().remove("saturation").unwrap();
    policy.version = 1;
    assert_eq!(Policy::from_json(value.to_string().as_bytes()).unwrap(), policy);
}
