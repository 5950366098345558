//! Files: which accesses, to which paths.

use std::collections::{BTreeMap, BTreeSet};

use tracer::recording::{Access, ByteString};

use super::language::{self, Language};
use super::risk::Level;
use super::side::{Kind, Why};
use super::{Difference, Direction};
use crate::paths::{Settings, guarded, guarded_examples};
use crate::policy::{Class, FileRule, Part, Pattern, Rule, word};

/// Accesses to the paths that a pattern stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileAllowed {
    /// The paths.
    pub paths: Paths,
    /// What may be done, by its name.
    pub access: BTreeSet<String>,
    /// Only by the file's owner.
    pub owner: bool,
    /// Who needed it.
    pub why: Why,
}

/// The paths that a pattern stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Paths {
    /// One.
    One(ByteString),
    /// Many.
    Many {
        /// The pattern as people write it.
        pattern: String,
        /// As a regular expression over bytes.
        expression: String,
    },
}

impl FileAllowed {
    /// Accesses that another format's rule allows, of which nobody knows who needed them.
    pub fn new(paths: Paths, access: impl IntoIterator<Item = Access>, owner: bool) -> Self {
        let access = access.into_iter().filter_map(word).collect();
        Self { paths, access, owner, why: Why::default() }
    }

    pub(super) fn of(rule: &Rule<FileRule>) -> Self {
        let access = rule.allow.access.iter().filter_map(word);
        Self {
            paths: (&rule.allow.path).into(),
            access: access.collect(),
            owner: rule.allow.owner,
            why: (&rule.evidence).into(),
        }
    }
}

impl From<&Pattern> for Paths {
    fn from(pattern: &Pattern) -> Self {
        if let Some(path) = pattern.as_literal() {
            return Self::One(path.clone());
        }
        let part = |part: &Part| match part {
            Part::Literal(bytes) => language::literal(bytes.as_bytes()),
            Part::Class { class } => expression(*class),
        };
        Self::Many {
            pattern: pattern.to_string(),
            expression: pattern.0.iter().map(part).collect(),
        }
    }
}

/// The names of a class. The longest that it can have is the longest that there are, so that is no limit.
fn expression(class: Class) -> String {
    let (is, least, most) = class.shape();
    let bytes: String = (0..=u8::MAX).filter(|b| is(*b)).map(|b| format!(r"\x{b:02x}")).collect();
    match class {
        Class::Name => format!("[{bytes}]+"),
        _ => format!("[{bytes}]{{{least},{most}}}"),
    }
}

impl Paths {
    /// As people write it.
    pub fn text(&self) -> String {
        match self {
            Self::One(path) => path.to_string(),
            Self::Many { pattern, .. } => pattern.clone(),
        }
    }

    fn expression(&self) -> String {
        match self {
            Self::One(path) => language::literal(path.as_bytes()),
            Self::Many { expression, .. } => expression.clone(),
        }
    }
}

/// What one side allows, by access and whether only for owners.
struct Index<'a> {
    rules: &'a [FileAllowed],
    /// The rules for one path, by the path.
    one: BTreeMap<&'a Paths, Vec<usize>>,
    /// Those for many: the automata are made once.
    many: Vec<(usize, Option<Language>)>,
}

impl<'a> Index<'a> {
    fn of(rules: &'a [FileAllowed]) -> Self {
        let mut index = Self { rules, one: BTreeMap::new(), many: Vec::new() };
        for (at, rule) in rules.iter().enumerate() {
            match &rule.paths {
                Paths::One(_) => index.one.entry(&rule.paths).or_default().push(at),
                Paths::Many { expression, .. } => {
                    index.many.push((at, Language::of(std::slice::from_ref(expression))));
                }
            }
        }
        index
    }

    /// Whether an access to all of these paths is allowed; to any user's file, unless `owner`.
    fn covers(&self, paths: &Paths, access: &str, owner: bool) -> bool {
        let allows = |at: usize| {
            self.rules
                .get(at)
                .is_some_and(|rule| rule.access.contains(access) && (owner || !rule.owner))
        };
        let same = self.one.get(paths).into_iter().flatten().any(|at| allows(*at));
        let equal = |at: usize| self.rules.get(at).is_some_and(|rule| rule.paths == *paths);
        if same || self.many.iter().any(|(at, _)| allows(*at) && equal(*at)) {
            return true;
        }
        let candidates: Vec<&Language> = self
            .many
            .iter()
            .filter(|(at, _)| allows(*at))
            .filter_map(|(_, language)| language.as_ref())
            .collect();
        match paths {
            Paths::One(path) => candidates.iter().any(|language| language.holds(path.as_bytes())),
            Paths::Many { expression, .. } => {
                let Some(own) = Language::of(std::slice::from_ref(expression)) else {
                    return false;
                };
                candidates.iter().any(|language| own.beyond(language) == Ok(None))
                    || self.together(&own, &allows)
            }
        }
    }

    /// Whether the rules together cover what none of them covers alone.
    fn together(&self, own: &Language, allows: &dyn Fn(usize) -> bool) -> bool {
        let all: Vec<String> = (0..self.rules.len())
            .filter(|at| allows(*at))
            .map(|at| self.rules[at].paths.expression())
            .collect();
        // One path alone can't be most of many.
        let many = self.many.iter().filter(|(at, _)| allows(*at)).count();
        many > 1 && Language::of(&all).is_some_and(|all| own.beyond(&all) == Ok(None))
    }
}

pub(super) fn compare(old: &[FileAllowed], new: &[FileAllowed], to: &mut Vec<Difference>) {
    let (before, after) = (Index::of(old), Index::of(new));
    let mut found: BTreeMap<String, [Side; 2]> = BTreeMap::new();
    for (which, rules, other) in [(0, old, &after), (1, new, &before)] {
        for rule in rules {
            let lacks = |access: &&String| !other.covers(&rule.paths, access, rule.owner);
            let only: BTreeSet<String> = rule.access.iter().filter(lacks).cloned().collect();
            let side = &mut found.entry(rule.paths.text()).or_default()[which];
            side.has.extend(rule.access.iter().map(|access| said(access, rule.owner)));
            if !only.is_empty() {
                side.only.extend(only);
                side.why.get_or_insert_with(|| rule.why.clone());
                side.paths.get_or_insert_with(|| rule.paths.clone());
            }
        }
    }
    for (what, [old, new]) in found {
        let direction = match (old.only.is_empty(), new.only.is_empty()) {
            (true, true) => continue,
            (true, false) => Direction::Widened,
            (false, true) => Direction::Narrowed,
            (false, false) => Direction::Changed,
        };
        let widens = !new.only.is_empty();
        let risk = new.paths.as_ref().filter(|_| widens).map(|paths| risk(paths, &new.only));
        let (risk, because) = risk.unwrap_or((Level::Low, None));
        let why = if widens { new.why.clone() } else { old.why.clone() };
        to.push(Difference {
            kind: Kind::File,
            what,
            direction,
            widens,
            old: old.text(),
            new: new.text(),
            example: None,
            why: why.unwrap_or_default(),
            cause: None,
            risk,
            because,
        });
    }
}

/// What a side has of a pattern.
#[derive(Default)]
struct Side {
    has: BTreeSet<String>,
    /// What the other side does not allow.
    only: BTreeSet<String>,
    why: Option<Why>,
    paths: Option<Paths>,
}

impl Side {
    fn text(&self) -> String {
        match self.has.is_empty() {
            true => "no rule of this name".to_owned(),
            false => self.has.iter().cloned().collect::<Vec<_>>().join(", "),
        }
    }
}

fn said(access: &str, owner: bool) -> String {
    if owner { format!("{access} (owner)") } else { access.to_owned() }
}

/// Sensitive places, and writing where programs and settings are.
fn risk(paths: &Paths, access: &BTreeSet<String>) -> (Level, Option<String>) {
    let begins = match paths {
        Paths::One(path) => path.as_bytes().to_vec(),
        Paths::Many { pattern, .. } => pattern.clone().into_bytes(),
    };
    let looks = access.iter().all(|access| LOOKS.contains(&access.as_str()));
    if looks {
        return (Level::Low, None);
    }
    let language = match paths {
        Paths::One(_) => None,
        Paths::Many { expression, .. } => Language::of(std::slice::from_ref(expression)),
    };
    let has = |path: &str| language.as_ref().is_some_and(|all| all.holds(path.as_bytes()));
    let within = || guarded_examples().find(|(path, _)| has(path)).map(|(_, why)| why.to_owned());
    let sensitive = guarded(&Pattern::literal(&begins), &Settings::default());
    if let Some(why) = sensitive.map(|why| why.to_string()).or_else(within) {
        return (Level::High, Some(format!("{why} (hier(7), proc(5))")));
    }
    let writes = access.iter().any(|access| WRITES.contains(&access.as_str()));
    let place = PLACES.iter().find(|(tree, ..)| {
        writes && (begins.starts_with(tree.as_bytes()) || has(&format!("{tree}x")))
    });
    match place {
        Some((tree, because, source)) => {
            (Level::High, Some(format!("writes below {tree}: {because} ({source})")))
        }
        None => (Level::Low, None),
    }
}

/// Accesses that tell that a file is there.
const LOOKS: [&str; 2] = ["chdir", "getattr"];

/// Accesses that change what a path names, or for which AppArmor's letters let it be changed (`wk`); and the letters.
const WRITES: [&str; 15] = [
    "write",
    "append",
    "create",
    "delete",
    "rename",
    "link",
    "symlink",
    "mkdir",
    "rmdir",
    "mknod",
    "truncate",
    "lock-exclusive",
    "w",
    "a",
    "l",
];

/// Trees in which a change is another program's behaviour.
const PLACES: [(&str, &str, &str); 8] = [
    ("/etc/", "settings", "hier(7)"),
    ("/usr/", "programs and libraries", "hier(7)"),
    ("/bin/", "programs", "hier(7)"),
    ("/sbin/", "programs", "hier(7)"),
    ("/lib", "libraries", "hier(7)"),
    ("/boot/", "the kernel", "hier(7)"),
    ("/proc/sys/", "the kernel's settings", "proc(5)"),
    ("/sys/", "the kernel's settings", "sysfs(5)"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::policy::Evidence;

    #[test]
    fn who_may_lock_a_file_alone_may_write_it() {
        let settings = Paths::from(&Pattern::literal(b"/etc/x.conf"));
        let level = |access: &str| risk(&settings, &[access.to_owned()].into()).0;
        assert_eq!(level("lock-exclusive"), Level::High);
        assert_eq!((level("lock"), level("read")), (Level::Low, Level::Low));
    }

    /// A rule that another format has is the policy's own when it says the same.
    #[test]
    fn a_rule_of_another_format_is_compared_with_a_policy_s() {
        let policy = |path: Pattern, access: &[Access]| {
            let access = access.iter().copied().collect();
            let allow = FileRule {
                path,
                access,
                owner: false,
                links_to: BTreeSet::new(),
                renames_to: BTreeSet::new(),
            };
            FileAllowed::of(&Rule { allow, evidence: Evidence::default() })
        };
        let one = || Pattern::literal(b"/a");
        let own = policy(one(), &[Access::Read, Access::MmapExec]);
        let other = FileAllowed::new(Paths::from(&one()), [Access::MmapExec, Access::Read], false);
        assert_eq!(own, other);
        let many = Paths::Many { pattern: "/*".to_owned(), expression: "/[^/]+".to_owned() };
        let many = FileAllowed::new(many, [Access::Read], false);
        let differences = |old: &[FileAllowed], new: &[FileAllowed]| {
            let mut all = Vec::new();
            compare(old, new, &mut all);
            all.into_iter().map(|difference| difference.widens).collect::<Vec<_>>()
        };
        let own = [policy(one(), &[Access::Read])];
        assert_eq!(differences(&own, std::slice::from_ref(&many)), [true]);
        assert_eq!(differences(&[many], &own), [false]);
    }
}
