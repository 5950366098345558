//! Names that vary over units: what is generalised, and what never is.

use std::collections::{BTreeMap, BTreeSet};

use learner::policy::{Part, Tightness};
use learner::replay::Replay;
use learner::{Options, Policy, Settings, learn};
use proptest::prelude::*;
use tracer::recording::{Access, ByteString, Completion, Fact, Origin, Recording, Run, Seen, What};

/// What a unit did to a file.
type Deed = (String, Access);

fn run(units: &[&str]) -> Run {
    Run {
        command: vec!["/bin/x".into()],
        backend: "ptrace".to_owned(),
        kernel: String::new(),
        machine: String::new(),
        labels: BTreeMap::new(),
        fidelity: BTreeMap::new(),
        hooks: BTreeSet::new(),
        units: units.iter().map(|unit| (*unit).to_owned()).collect(),
    }
}

fn fact((path, access): &Deed) -> Fact {
    let what = What::File { path: path.as_str().into(), access: *access, target: None };
    Fact { domain: "/bin/x".into(), origin: Origin::Entry, what }
}

/// Each list is a unit: a run of its own, or one of a run's named units.
fn recording(units: &[Vec<Deed>], named: bool) -> Recording {
    let mut recording = Recording::new();
    let names: Vec<String> = (0..units.len()).map(|n| format!("test{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (at, deeds) in (0..).zip(units) {
        let id = if named { "run".to_owned() } else { format!("run{at}") };
        recording.runs.insert(id.clone(), run(if named { &names } else { &[] }));
        recording.completions.insert(id.clone(), Completion::complete());
        for deed in deeds {
            let units = named.then_some(at).into_iter().collect();
            recording.add(&id, fact(deed), &Seen { units, ..Seen::ending("ok", 1) });
        }
    }
    recording
}

fn read(paths: &[&str]) -> Vec<Deed> {
    paths.iter().map(|path| ((*path).to_owned(), Access::Read)).collect()
}

fn policy(units: &[Vec<Deed>], named: bool, tightness: Tightness) -> Policy {
    learn(&recording(units, named), &Options { tightness, ..Options::default() })
}

fn shown(units: &[Vec<Deed>], named: bool) -> Vec<String> {
    let policy = policy(units, named, Tightness::Balanced);
    policy.files.iter().map(|rule| rule.allow.path.to_string()).collect()
}

#[test]
fn what_differs_in_every_run_is_learned_at_two_and_what_never_does_stays() {
    let units = ["8f14e45f", "c9f0f895"].map(|id| {
        let mine = format!("/var/lib/x/{id}/state");
        read(&[
            &mine,
            "/var/lib/x/config",
            "/var/lib/x/schema",
            "/var/lib/x/users",
            "/var/lib/x/mails",
        ])
    });
    let expected = ["config", "mails", "schema", "users"].map(|name| format!("/var/lib/x/{name}"));
    let expected = [vec!["/var/lib/x/<hex>/state".to_owned()], expected.to_vec()].concat();
    assert_eq!(shown(&units, false), expected);
    // Two tests that read two files are no evidence.
    assert!(shown(&units, true).iter().all(|path| !path.contains('<')));
}

#[test]
fn a_directory_is_open_when_units_keep_bringing_names_and_closed_when_they_do_not() {
    let open: Vec<_> = (0..6)
        .map(|n| read(&["/srv/data/index", &format!("/srv/data/report-{}.txt", 1000 + n)]))
        .collect();
    assert_eq!(shown(&open, true), ["/srv/data/index", "/srv/data/report-<number>.txt"]);
    // Fifty names, all of them seen by all: closed.
    let names: Vec<String> =
        (0..50).map(|n| format!("/srv/data/report-{}.txt", 1000 + n)).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let closed = vec![read(&all); 6];
    assert_eq!(shown(&closed, true).len(), 50);
    let policy = policy(&open, true, Tightness::Balanced);
    let evidence = &policy.files[1].evidence;
    assert_eq!((evidence.paths, evidence.in_units, evidence.examples.len()), (6, 6, 3));
    assert!(evidence.generalised.as_ref().unwrap().contains("6 of the 6 units"), "{evidence:?}");
}

#[test]
fn tightness_moves_the_threshold() {
    let units: Vec<_> =
        (0..4).map(|n| read(&[&format!("/srv/data/report-{}.txt", 1000 + n)])).collect();
    let widened = |tightness| policy(&units, true, tightness).files.len() == 1;
    assert_eq!(
        [Tightness::Strict, Tightness::Balanced, Tightness::Portable].map(widened),
        [false, false, true]
    );
}

#[test]
fn a_project_says_what_is_volatile_and_what_is_sensitive() {
    let units: Vec<Vec<Deed>> = (0..6)
        .map(|n| {
            vec![
                (format!("/srv/spool/job-{n}000"), Access::Create),
                (format!("/srv/keys/key-{n}000"), Access::Read),
            ]
        })
        .collect();
    let with = |volatile: &[&str], sensitive: &[&str]| {
        let set = |places: &[&str]| places.iter().map(|place| (*place).into()).collect();
        let settings = Settings { volatile: set(volatile), sensitive: set(sensitive) };
        let policy = learn(&recording(&units, true), &Options { settings, ..Options::default() });
        let shown = policy.files.iter().map(|rule| rule.allow.path.to_string());
        shown.filter(|path| path.contains('<')).collect::<Vec<_>>()
    };
    assert_eq!(with(&[], &[]), ["/srv/keys/key-<number>"], "nothing is written that was not seen");
    assert_eq!(with(&["/srv/spool"], &[]), ["/srv/keys/key-<number>", "/srv/spool/job-<number>"]);
    assert_eq!(with(&["/srv/spool"], &["/srv/keys/"]), ["/srv/spool/job-<number>"]);
    assert_eq!(with(&["/srv/spool"], &["/srv/*/"]), Vec::<String>::new());
}

#[test]
fn what_a_wide_rule_has_needs_no_rule_of_its_own() {
    let mut units: Vec<_> =
        (0..6).map(|n| read(&[&format!("/srv/data/report-{}.txt", 1000 + n)])).collect();
    units[0].extend(read(&["/srv/data/report-7.txt"]));
    units[1].extend(read(&["/srv/data/report-7.txt"]));
    assert_eq!(shown(&units, true), ["/srv/data/report-<number>.txt"]);
    // Written to, it keeps one.
    units[1].push(("/srv/data/report-7.txt".to_owned(), Access::Write));
    assert_eq!(shown(&units, true), ["/srv/data/report-<number>.txt", "/srv/data/report-7.txt"]);
}

/// Places that a wildcard must never reach, and some that it may.
const TREES: [&str; 9] = [
    "/etc",
    "/usr/bin",
    "/proc/sys/net",
    "/run/secrets",
    "/srv/data",
    "/tmp/w",
    "/home/u/.ssh",
    "/root",
    "/var/lib/x",
];

fn deeds() -> BoxedStrategy<Vec<Vec<Deed>>> {
    use Access::{Create, Exec, MmapExec, Read, Write};
    let name = prop_oneof![
        "[a-f0-9]{6}",
        "[a-z]{1,6}",
        "f-[0-9]{1,3}",
        Just("shadow".to_owned()),
        Just("passwd".to_owned())
    ];
    let tree = prop::sample::select(&TREES[..]);
    let access = prop::sample::select(&[Read, Read, Read, Write, Create, Exec, MmapExec][..]);
    let deed = (tree, prop::collection::vec(name, 1..3), access)
        .prop_map(|(tree, names, access)| (format!("{tree}/{}", names.join("/")), access));
    prop::collection::vec(prop::collection::vec(deed, 0..8), 1..9).boxed()
}

fn tightness() -> BoxedStrategy<Tightness> {
    use Tightness::{Balanced, Portable, Strict};
    prop::sample::select(&[Strict, Balanced, Portable][..]).boxed()
}

fn is_wide(parts: &[Part]) -> bool {
    parts.iter().any(|part| matches!(part, Part::Class { .. }))
}

proptest! {
    #[test]
    fn nothing_that_was_recorded_is_refused(units in deeds(), named: bool, tightness in tightness()) {
        let recording = recording(&units, named);
        let policy = learn(&recording, &Options { tightness, ..Options::default() });
        prop_assert_eq!(Replay::of(&policy).refused(&recording), Vec::<&Fact>::new());
    }

    #[test]
    fn guards_hold(units in deeds(), named: bool, tightness in tightness()) {
        let policy = policy(&units, named, tightness);
        let seen: BTreeSet<&str> = units.iter().flatten().map(|(path, _)| path.as_str()).collect();
        for rule in policy.files.iter().filter(|rule| is_wide(&rule.allow.path.0)) {
            let (path, access) = (&rule.allow.path, &rule.allow.access);
            let text = path.to_string();
            prop_assert!(!access.contains(&Access::Exec) && !access.contains(&Access::MmapExec), "{}", text);
            let writes = access.contains(&Access::Write) || access.contains(&Access::Create);
            prop_assert!(!writes || text.starts_with("/tmp/"), "{}", text);
            for place in ["/etc/shadow", "/run/secrets/a", "/home/u/.ssh/a", "/root/a", "/proc/sys/net/a"] {
                prop_assert!(!path.matches(place.as_bytes()) || seen.contains(place), "{} by {}", place, text);
            }
            prop_assert!(rule.evidence.generalised.is_some(), "{}", text);
        }
    }

    #[test]
    fn the_order_of_units_does_not_matter(units in deeds(), tightness in tightness()) {
        let mut other = units.clone();
        other.reverse();
        let files = |units: &[Vec<Deed>]| policy(units, false, tightness).files;
        prop_assert_eq!(files(&units), files(&other));
    }

    /// The same units once more: nothing is wider, and nothing is news.
    #[test]
    fn repetition_never_widens(units in deeds(), tightness in tightness(), paths in prop::collection::vec("[a-f0-9]{6}|f-[0-9]{1,3}|[a-z]{1,6}", 20)) {
        let once = policy(&units, false, tightness);
        let twice = policy(&[units.clone(), units.clone()].concat(), false, tightness);
        for (tree, name) in TREES.iter().flat_map(|tree| paths.iter().map(move |name| (tree, name))) {
            let path: ByteString = format!("{tree}/{name}").as_str().into();
            for access in [Access::Read, Access::Write, Access::Create] {
                let allows = |policy: &Policy| Replay::of(policy).rules(path.as_bytes()).any(|rule| rule.access.contains(&access));
                prop_assert!(allows(&once) || !allows(&twice), "{} {:?}", path, access);
            }
        }
    }

    /// A unit more that has a name of its own, where names vary already.
    #[test]
    fn more_variation_never_narrows(ids in prop::collection::btree_set(100_u32..999, 6..12), more in 1000_u32..9999, named: bool) {
        let unit = |id: &u32| read(&["/srv/data/index", &format!("/srv/data/report-{id}.txt")]);
        let units: Vec<_> = ids.iter().map(unit).collect();
        let (fewer, all) = (policy(&units, named, Tightness::Balanced), policy(&[units.clone(), vec![unit(&more)]].concat(), named, Tightness::Balanced));
        for id in 0..100 {
            let path = format!("/srv/data/report-{id}.txt");
            let allows = |policy: &Policy| Replay::of(policy).rules(path.as_bytes()).next().is_some();
            prop_assert!(allows(&fewer) && allows(&all), "{}", path);
        }
    }
}

/// A name that was made by a link, and given another one later: the one says nothing of the other.
#[test]
fn what_a_name_links_to_and_what_it_becomes_are_kept_apart() {
    let mut recording = recording(&[Vec::new()], false);
    let file = |access, target: &str| Fact {
        domain: "/bin/x".into(),
        origin: Origin::Entry,
        what: What::File { path: "/srv/a".into(), access, target: Some(target.into()) },
    };
    for (access, target) in [(Access::Link, "/srv/existing"), (Access::Rename, "/srv/later")] {
        recording.add("run0", file(access, target), &Seen::ending("ok", 1));
    }
    let policy = learn(&recording, &Options::default());
    let rule = policy.files.iter().find(|rule| rule.allow.path.to_string() == "/srv/a").unwrap();
    let names = |patterns: &BTreeSet<learner::policy::Pattern>| {
        patterns.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(names(&rule.allow.links_to), ["/srv/existing"]);
    assert_eq!(names(&rule.allow.renames_to), ["/srv/later"]);
    let seen = [("run0".into(), Seen::ending("ok", 1))].into_iter().collect();
    let allows = |target| Replay::of(&policy).allows(&file(Access::Link, target), &seen);
    assert!(allows("/srv/existing") && !allows("/srv/later"));
}
