//! Domains: the programs of a policy as a graph of who runs whom, what each needs, and which would be worth a profile of its own.
//!
//! A program that runs under one profile with others may do whatever any of them needs. A profile of its own (AppArmor's child
//! profiles, apparmor.d(5), "Cx") takes from it what only others need; that is what is counted here. Nothing is decided: a
//! proposal names what would be saved, and a person knows what the program is worth.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::dominators;
use petgraph::graph::{DiGraph, NodeIndex};
use serde::Serialize;
use tracer::recording::{Access, ByteString, Origin};

use crate::Policy;
use crate::policy::{Evidence, Rule};

/// The programs of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Domains {
    /// In the order of their names.
    pub domains: Vec<Domain>,
    /// Rules that more than one program needs.
    pub shared: Needs,
    /// All rules that some program is known to need.
    pub all: Needs,
}

/// One program in its role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Domain {
    /// The executable.
    pub program: ByteString,
    /// The programs that it runs, by the executable that the kernel runs then.
    pub runs: BTreeSet<ByteString>,
    /// The program without which this one is never reached: its immediate dominator. Absent for one that is reached from
    /// outside, or by ways that have nothing in common.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_through: Option<ByteString>,
    /// The rules that it needs.
    pub needs: Needs,
    /// Those that no other program needs.
    pub alone: Needs,
    /// Why a profile of its own would pay; absent when it would not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
}

/// A profile of its own, proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// What the program, and what it runs in turn, could not do any more, of what the one profile lets them do.
    pub without: Needs,
    /// What that is worth, in words: the rows of the table that it meets.
    pub because: Vec<String>,
}

/// How many rules of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Needs {
    /// System calls.
    pub calls: usize,
    /// Capabilities.
    pub capabilities: usize,
    /// Files that are changed.
    pub writes: usize,
    /// Files that are read only.
    pub reads: usize,
    /// Programs that are run.
    pub programs: usize,
    /// Kinds of socket.
    pub sockets: usize,
}

/// What a program is worth freeing of: how many of it at least, what it is, and who says so.
type Worth = (fn(&Needs) -> usize, usize, &'static str, &'static str);

/// The table. Reading is what programs do: it counts in numbers only. System calls do not count: the filter stays one, whatever
/// profile of `AppArmor` a program is in.
const WORTH: [Worth; 5] = [
    (|n| n.capabilities, 1, "capabilities", "capabilities(7): each is a part of root's power"),
    (|n| n.programs, 1, "programs to run", "execve(2); apparmor.d(5), Execute Mode"),
    (|n| n.sockets, 1, "kinds of socket", "socket(2); apparmor.d(5), Network Rules"),
    (|n| n.writes, 1, "files to change", "apparmor.d(5), File Permissions"),
    (|n| n.reads, 20, "files to read", "apparmor.d(5), File Permissions"),
];

/// A rule by its kind and place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Call(usize),
    Capability(usize),
    Write(usize),
    Read(usize),
    Program(usize),
    Socket(usize),
}

impl Needs {
    fn of<'a>(items: impl IntoIterator<Item = &'a Item>) -> Self {
        let mut needs = Self::default();
        for item in items {
            *match item {
                Item::Call(_) => &mut needs.calls,
                Item::Capability(_) => &mut needs.capabilities,
                Item::Write(_) => &mut needs.writes,
                Item::Read(_) => &mut needs.reads,
                Item::Program(_) => &mut needs.programs,
                Item::Socket(_) => &mut needs.sockets,
            } += 1;
        }
        needs
    }
}

/// The programs of a policy.
pub fn of(policy: &Policy) -> Domains {
    let mut needs: BTreeMap<&ByteString, BTreeSet<Item>> = BTreeMap::new();
    let mut by: BTreeMap<Item, usize> = BTreeMap::new();
    fn each<T>(rules: &[Rule<T>]) -> impl Iterator<Item = (usize, &T, &Evidence)> {
        rules.iter().enumerate().map(|(at, rule)| (at, &rule.allow, &rule.evidence))
    }
    let changes = |access: &BTreeSet<Access>| access.iter().any(|a| crate::paths::changes(*a));
    let items: Vec<(Item, &Evidence)> = each(&policy.calls)
        .map(|(at, _, evidence)| (Item::Call(at), evidence))
        .chain(each(&policy.capabilities).map(|(at, _, evidence)| (Item::Capability(at), evidence)))
        .chain(each(&policy.files).map(|(at, rule, evidence)| {
            (if changes(&rule.access) { Item::Write(at) } else { Item::Read(at) }, evidence)
        }))
        .chain(each(&policy.execs).map(|(at, _, evidence)| (Item::Program(at), evidence)))
        .chain(each(&policy.sockets).map(|(at, _, evidence)| (Item::Socket(at), evidence)))
        .collect();
    // Who needs a rule that no program is named for is not known: it tells programs nothing apart.
    for (item, evidence) in items.iter().filter(|(_, evidence)| !evidence.programs.is_empty()) {
        by.insert(*item, evidence.programs.len());
        for program in &evidence.programs {
            needs.entry(program).or_default().insert(*item);
        }
    }
    let runs = runs(policy);
    let run_by_others = run_by_others(&runs);
    for program in runs.iter().flat_map(|(by, all)| all.iter().chain([*by])) {
        needs.entry(program).or_default();
    }
    let through = dominators_of(&needs, &runs);
    let all: BTreeSet<Item> = by.keys().copied().collect();
    let mut domains = Vec::new();
    for (program, own) in &needs {
        let with_it = reached(&runs, [*program], |_| false);
        let needed: BTreeSet<Item> =
            with_it.iter().filter_map(|program| needs.get(program)).flatten().copied().collect();
        let without = Needs::of(all.difference(&needed));
        let only_through = through.get(program).map(|by| (*by).clone());
        domains.push(Domain {
            program: (*program).clone(),
            runs: runs.get(program).cloned().unwrap_or_default(),
            needs: Needs::of(own),
            alone: Needs::of(own.iter().filter(|item| by.get(item) == Some(&1))),
            // The entry's own profile is the one that there is.
            proposal: run_by_others.contains(program).then(|| proposal(without)).flatten(),
            only_through,
        });
    }
    Domains {
        shared: Needs::of(by.iter().filter(|(_, programs)| **programs > 1).map(|(item, _)| item)),
        all: Needs::of(&all),
        domains,
    }
}

/// The programs of a policy, shared out among profiles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// Those that run under the profile itself.
    pub own: BTreeSet<ByteString>,
    /// Those that run under a profile of its own, by the program that it begins with: what it runs stays under it.
    pub children: BTreeMap<ByteString, BTreeSet<ByteString>>,
    /// Those of the chosen that none of the profile's own programs runs.
    pub unreached: BTreeSet<ByteString>,
}

/// Shares the programs out: each of the chosen begins a profile of its own whenever a program of the profile itself runs it. A
/// program that both reach is in both.
pub fn shares(policy: &Policy, chosen: &BTreeSet<ByteString>) -> Shares {
    let runs = runs(policy);
    let all: BTreeSet<&ByteString> = runs
        .iter()
        .flat_map(|(by, all)| all.iter().chain([*by]))
        .chain(&policy.training.programs)
        .collect();
    let run_by_others = run_by_others(&runs);
    let first = all.iter().copied().filter(|program| !run_by_others.contains(program));
    let own = reached(&runs, first, |program| chosen.contains(program));
    let children: BTreeMap<ByteString, BTreeSet<ByteString>> = chosen
        .iter()
        .filter(|program| {
            own.iter().any(|by| runs.get(by).is_some_and(|all| all.contains(*program)))
        })
        .map(|program| (program.clone(), reached(&runs, [program], |_| false)))
        .collect();
    let unreached =
        chosen.iter().filter(|program| !children.contains_key(*program)).cloned().collect();
    // Who is in nobody's share was reached in a way that is not seen: its rules stay where they were.
    let others = all.into_iter().filter(|p| !children.values().any(|share| share.contains(*p)));
    let own = own.into_iter().chain(others.cloned()).collect();
    Shares { own, children, unreached }
}

impl Domains {
    /// The programs for which a profile of their own is proposed, but for those that are only reached through another of them.
    pub fn outermost(&self) -> BTreeSet<ByteString> {
        let of: BTreeMap<&ByteString, &Domain> =
            self.domains.iter().map(|domain| (&domain.program, domain)).collect();
        let proposed = |domain: &&Domain| domain.proposal.is_some();
        let is_outermost = |domain: &&Domain| {
            let mut above = domain.only_through.as_ref();
            while let Some(domain) = above.and_then(|program| of.get(program)) {
                if domain.proposal.is_some() {
                    return false;
                }
                above = domain.only_through.as_ref();
            }
            true
        };
        let all = self.domains.iter().filter(proposed).filter(is_outermost);
        all.map(|domain| domain.program.clone()).collect()
    }
}

fn proposal(without: Needs) -> Option<Proposal> {
    let because: Vec<String> = WORTH
        .iter()
        .map(|(count, least, what, source)| (count(&without), least, what, source))
        .filter(|(count, least, ..)| count >= *least)
        .map(|(count, _, what, source)| format!("{count} {what} ({source})"))
        .collect();
    (!because.is_empty()).then_some(Proposal { without, because })
}

/// Who runs whom. A script's domain is the interpreter that the kernel runs for it.
fn runs(policy: &Policy) -> BTreeMap<&ByteString, BTreeSet<ByteString>> {
    let mut runs: BTreeMap<&ByteString, BTreeSet<ByteString>> = BTreeMap::new();
    for rule in &policy.execs {
        let program = rule.allow.runs();
        // What starts the command, before it, is no program of it.
        if rule.evidence.origins == Origin::Runtime {
            continue;
        }
        for by in &rule.evidence.programs {
            runs.entry(by).or_default().insert(program.clone());
        }
    }
    runs
}

/// The programs that others than themselves run.
fn run_by_others<'a>(
    runs: &'a BTreeMap<&ByteString, BTreeSet<ByteString>>,
) -> BTreeSet<&'a ByteString> {
    runs.iter().flat_map(|(by, all)| all.iter().filter(move |program| program != by)).collect()
}

/// The programs that some are and run, and those that these run, without those where to stop.
fn reached<'a>(
    runs: &'a BTreeMap<&ByteString, BTreeSet<ByteString>>,
    from: impl IntoIterator<Item = &'a ByteString>,
    stop: impl Fn(&ByteString) -> bool,
) -> BTreeSet<ByteString> {
    let mut found = BTreeSet::new();
    let mut next: Vec<&ByteString> = from.into_iter().collect();
    while let Some(program) = next.pop() {
        if found.insert(program.clone()) {
            let run = runs.get(program).into_iter().flatten();
            next.extend(run.filter(|program| !stop(program)));
        }
    }
    found
}

/// The immediate dominator of each program, from outside: what is run by nobody, and whatever can't be reached from there.
fn dominators_of<'a>(
    needs: &BTreeMap<&'a ByteString, BTreeSet<Item>>,
    runs: &BTreeMap<&'a ByteString, BTreeSet<ByteString>>,
) -> BTreeMap<&'a ByteString, &'a ByteString> {
    let mut graph: DiGraph<Option<&ByteString>, ()> = DiGraph::new();
    let outside = graph.add_node(None);
    let places: BTreeMap<&ByteString, NodeIndex> =
        needs.keys().map(|program| (*program, graph.add_node(Some(*program)))).collect();
    let mut run_by_others = BTreeSet::new();
    for (by, all) in runs {
        for program in all.iter().filter(|program| program != by) {
            if let (Some(from), Some(to)) = (places.get(by), places.get(program)) {
                graph.add_edge(*from, *to, ());
                run_by_others.insert(*to);
            }
        }
    }
    for place in places.values().filter(|place| !run_by_others.contains(*place)) {
        graph.add_edge(outside, *place, ());
    }
    // Programs that only run each other in a circle were reached from outside at some point.
    for place in places.values() {
        if !petgraph::algo::has_path_connecting(&graph, outside, *place, None) {
            graph.add_edge(outside, *place, ());
        }
    }
    let found = dominators::simple_fast(&graph, outside);
    let named = |place: NodeIndex| graph.node_weight(place).copied().flatten();
    let through = |place: &NodeIndex| found.immediate_dominator(*place).and_then(named);
    places
        .iter()
        .filter_map(|(program, place)| {
            let by = through(place)?;
            // The key's lifetime is the policy's.
            places.get_key_value(by).map(|(by, _)| (*program, *by))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tracer::recording::{Fact, Recording, Seen, What};

    fn policy(facts: &[(&str, What)]) -> Policy {
        let mut recording = Recording::new();
        for (domain, what) in facts {
            let fact = Fact { domain: (*domain).into(), origin: Origin::Entry, what: what.clone() };
            recording.add("1", fact, &Seen::ending("ok", 1));
        }
        crate::learn(&recording, &crate::Options::default())
    }

    fn exec(path: &str, interpreter: Option<&str>) -> What {
        let interpreter = interpreter.map(ByteString::from);
        What::Exec { path: path.into(), interpreter, loader: None }
    }

    fn file(path: &str, access: Access) -> What {
        What::File { path: path.into(), access, target: None }
    }

    fn capability(name: &str) -> What {
        What::Capability { name: name.into(), initial_namespace: true, call: None, probe: false }
    }

    fn domain<'a>(domains: &'a Domains, program: &str) -> &'a Domain {
        let program = ByteString::from(program);
        domains.domains.iter().find(|domain| domain.program == program).unwrap()
    }

    #[test]
    fn each_program_has_its_own_needs_and_shares_others() {
        let domains = of(&policy(&[
            ("/bin/sh", exec("/srv/hook", Some("/bin/python"))),
            ("/bin/sh", capability("CAP_CHOWN")),
            ("/bin/sh", file("/var/log/x", Access::Write)),
            ("/bin/sh", file("/etc/one", Access::Read)),
            ("/bin/python", file("/etc/one", Access::Read)),
            ("/bin/python", file("/etc/two", Access::Read)),
            ("/bin/python", exec("/bin/ls", None)),
        ]));
        let (sh, python) = (domain(&domains, "/bin/sh"), domain(&domains, "/bin/python"));
        assert_eq!(sh.runs, BTreeSet::from(["/bin/python".into()]), "the interpreter runs");
        assert_eq!((sh.needs.capabilities, sh.needs.writes, sh.needs.reads), (1, 1, 1));
        assert_eq!((python.needs.reads, python.alone.reads, domains.shared.reads), (2, 1, 1));
        assert_eq!((&sh.only_through, &sh.proposal), (&None, &None), "the entry has the profile");
        assert_eq!(python.only_through, Some("/bin/sh".into()));
        let proposal = python.proposal.as_ref().unwrap();
        assert_eq!((proposal.without.capabilities, proposal.without.writes), (1, 1));
        assert!(proposal.because[0].starts_with("1 capabilities (capabilities(7)"));
        // What is run and seen to do nothing needs nothing.
        assert_eq!(domain(&domains, "/bin/ls").needs, Needs::default());
    }

    #[test]
    fn a_program_that_two_run_is_reached_through_what_they_have_in_common() {
        let domains = of(&policy(&[
            ("/bin/top", exec("/bin/a", None)),
            ("/bin/top", exec("/bin/b", None)),
            ("/bin/a", exec("/bin/both", None)),
            ("/bin/b", exec("/bin/both", None)),
            ("/bin/a", exec("/bin/only", None)),
            // A circle, and a program that runs itself.
            ("/bin/both", exec("/bin/a", None)),
            ("/bin/b", exec("/bin/b", None)),
        ]));
        let through = |program: &str| domain(&domains, program).only_through.clone();
        assert_eq!(through("/bin/both"), Some("/bin/top".into()));
        assert_eq!(through("/bin/only"), Some("/bin/a".into()));
        assert_eq!(through("/bin/top"), None);
        // Nobody from outside is seen to run these.
        let circle = of(&policy(&[("/x", exec("/y", None)), ("/y", exec("/x", None))]));
        assert_eq!(circle.domains.len(), 2);
    }

    #[test]
    fn a_profile_of_its_own_takes_only_what_nobody_below_needs() {
        let two_begin = [
            ("/bin/one", exec("/bin/tool", None)),
            ("/bin/two", exec("/bin/tool", None)),
            ("/bin/one", file("/srv/one", Access::Write)),
            ("/bin/tool", exec("/bin/helper", None)),
            ("/bin/helper", file("/srv/helper", Access::Write)),
        ];
        let domains = of(&policy(&two_begin));
        let tool = domain(&domains, "/bin/tool");
        assert_eq!(tool.only_through, None, "two ways that have nothing in common");
        assert_eq!(tool.proposal.as_ref().unwrap().without.writes, 1, "what it runs stays with it");
        for entry in ["/bin/one", "/bin/two"] {
            assert_eq!(domain(&domains, entry).proposal, None);
        }
        // A rule of which nobody knows who needs it takes nothing from anybody.
        let mut anonymous = policy(&two_begin);
        let before = of(&anonymous);
        let mut rule = anonymous.files[0].clone();
        rule.evidence.programs = Default::default();
        anonymous.files.push(rule);
        assert_eq!(of(&anonymous), before);
        // Calls alone are no reason.
        let abi = tracer::abi::Abi::X86_64;
        let calls = (0..60).filter_map(|nr| {
            let name = Some(tracer::abi::calls::name(abi, nr)?.into());
            Some(("/bin/top", What::Call { abi, nr, name, args: None }))
        });
        // It runs itself, so that it runs nothing less than the first does.
        let programs = ["/bin/top", "/bin/tool"].map(|by| (by, exec("/bin/tool", None)));
        let only_calls: Vec<(&str, What)> = calls.chain(programs).collect();
        assert_eq!(domain(&of(&policy(&only_calls)), "/bin/tool").proposal, None);
    }

    #[test]
    fn programs_are_shared_out_among_profiles() {
        let policy = policy(&[
            ("/bin/top", exec("/bin/a", None)),
            ("/bin/top", exec("/bin/b", None)),
            ("/bin/a", exec("/bin/both", None)),
            ("/bin/b", exec("/bin/both", None)),
            ("/bin/both", exec("/bin/deep", None)),
            ("/bin/a", exec("/bin/a", None)),
        ]);
        let names = |names: &[&str]| {
            names.iter().map(|name| ByteString::from(*name)).collect::<BTreeSet<_>>()
        };
        let one = shares(&policy, &names(&["/bin/a"]));
        assert_eq!(one.own, names(&["/bin/b", "/bin/both", "/bin/deep", "/bin/top"]));
        assert_eq!(
            one.children[&ByteString::from("/bin/a")],
            names(&["/bin/a", "/bin/both", "/bin/deep"])
        );
        let two = shares(&policy, &names(&["/bin/a", "/bin/b"]));
        assert_eq!(two.own, names(&["/bin/top"]));
        // Within a profile of its own nothing begins another; and the first program has the profile itself.
        for never in ["/bin/deep", "/bin/absent", "/bin/top"] {
            let unreached = shares(&policy, &names(&["/bin/a", "/bin/b", never])).unreached;
            assert_eq!(unreached, names(&[never]));
        }
        assert!(two.unreached.is_empty());
        assert!(shares(&policy, &BTreeSet::new()).children.is_empty());
    }

    proptest! {
        #[test]
        fn parts_add_up(edges in proptest::collection::vec((0..6_u8, 0..6_u8, 0..8_u8), 0..30)) {
            let name = |n: u8| format!("/bin/p{n}");
            let facts: Vec<(String, What)> = edges
                .iter()
                .flat_map(|(by, program, read)| {
                    let path = format!("/etc/f{read}");
                    [(name(*by), exec(&name(*program), None)), (name(*by), file(&path, Access::Read))]
                })
                .collect();
            let facts: Vec<(&str, What)> = facts.iter().map(|(d, w)| (d.as_str(), w.clone())).collect();
            let domains = of(&policy(&facts));
            let alone: usize = domains.domains.iter().map(|domain| domain.alone.reads).sum();
            prop_assert_eq!(alone + domains.shared.reads, domains.all.reads);
            for domain in &domains.domains {
                prop_assert!(domain.needs.reads <= domains.all.reads && domain.alone.reads <= domain.needs.reads);
                prop_assert_ne!(domain.only_through.as_ref(), Some(&domain.program));
            }
        }
    }
}
