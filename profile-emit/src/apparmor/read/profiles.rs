//! The profiles of a text: each with its own rules in one list, conditions decided and blocks resolved.

use std::collections::BTreeSet;
use std::sync::Arc;

use tracer::recording::ByteString;

use super::ast::{Asks, Condition, Decision, Entry, File, Item, Node, Profile, Qualifiers, Rule};
use super::error::{Place, Problem, ReadError};
use super::variables::Variables;

/// A profile, its rules in one list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Where it begins.
    pub place: Place,
    /// Its name, as `apparmor_parser -N` prints it: behind those of the profiles that it is in, with `//` between.
    pub name: ByteString,
    /// Its flags.
    pub flags: BTreeSet<String>,
    /// It is a hat, or has one.
    pub hats: bool,
    /// Its rules, with their qualifiers and those of the blocks that they are in.
    pub rules: Vec<Node<(Qualifiers, Rule)>>,
    /// The variables, with its name.
    pub variables: Variables,
    /// What paths begin with, and what they begin with too.
    pub aliases: Arc<[(ByteString, ByteString)]>,
}

/// The profiles of a text, children behind their parents.
///
/// # Errors
/// With the file and line, when a variable is set twice, or a condition asks for one that is not.
pub fn profiles(file: &File) -> Result<Vec<Resolved>, ReadError> {
    let mut preamble = Preamble::default();
    preamble.read(&file.items)?;
    let mut all = Vec::new();
    let Preamble { variables, aliases, profiles } = preamble;
    let setting = Setting { variables: &variables, aliases: aliases.into() };
    for (place, profile) in profiles {
        resolve(&place, profile, &[], &setting, &mut all)?;
    }
    Ok(all)
}

#[derive(Default)]
struct Preamble<'a> {
    variables: Variables,
    aliases: Vec<(ByteString, ByteString)>,
    profiles: Vec<(Place, &'a Profile)>,
}

impl<'a> Preamble<'a> {
    fn read(&mut self, items: &'a [Node<Item>]) -> Result<(), ReadError> {
        for Node { place, is } in items {
            let fail = |problem| ReadError { place: place.clone(), problem };
            match is {
                Item::Abi(_) => {}
                Item::Include(include) => {
                    for (_, items) in &include.files {
                        self.read(items)?;
                    }
                }
                Item::Alias { from, to } => self.aliases.push((from.clone(), to.clone())),
                Item::Variable { name, values, more } => {
                    self.variables.set(name, values, *more).map_err(fail)?;
                }
                Item::Boolean { name, value } => {
                    self.variables.set_boolean(name, *value).map_err(fail)?;
                }
                Item::Profile(profile) => self.profiles.push((place.clone(), profile)),
            }
        }
        Ok(())
    }
}

struct Setting<'a> {
    variables: &'a Variables,
    aliases: Arc<[(ByteString, ByteString)]>,
}

fn resolve(
    place: &Place,
    profile: &Profile,
    within: &[u8],
    setting: &Setting<'_>,
    all: &mut Vec<Resolved>,
) -> Result<(), ReadError> {
    let name = match within {
        [] => with_namespace(profile.name.as_bytes()),
        outer => [outer, b"//", profile.name.as_bytes()].concat(),
    };
    let fail = |problem| ReadError { place: place.clone(), problem };
    let plain = setting.variables.expand(&name).map_err(fail)?;
    let mut own = Own { variables: setting.variables, rules: Vec::new(), children: Vec::new() };
    own.read(&profile.body, Qualifiers::default())?;
    let Own { rules, children, .. } = own;
    all.push(Resolved {
        place: place.clone(),
        name: ByteString::new(name.clone()),
        flags: profile.flags.clone(),
        hats: profile.hat || children.iter().any(|(_, child)| child.hat),
        rules,
        variables: setting.variables.of_profile(&plain),
        aliases: Arc::clone(&setting.aliases),
    });
    for (place, child) in children {
        resolve(&place, child, &name, setting, all)?;
    }
    Ok(())
}

/// `:namespace:name` and `:namespace://name` are one.
fn with_namespace(name: &[u8]) -> Vec<u8> {
    let inside = name.strip_prefix(b":");
    let end = inside.and_then(|inside| inside.iter().position(|byte| *byte == b':'));
    match (inside, end) {
        (Some(inside), Some(end)) => {
            let (namespace, rest) = inside.split_at(end);
            let rest = rest.get(1..).unwrap_or_default();
            let rest = rest.strip_prefix(b"//").unwrap_or(rest);
            [b":", namespace, b"://", rest].concat()
        }
        _ => name.to_vec(),
    }
}

struct Own<'a> {
    variables: &'a Variables,
    rules: Vec<Node<(Qualifiers, Rule)>>,
    children: Vec<(Place, &'a Profile)>,
}

impl<'a> Own<'a> {
    fn read(&mut self, body: &'a [Node<Entry>], outer: Qualifiers) -> Result<(), ReadError> {
        for Node { place, is } in body {
            match is {
                Entry::Rule(qualifiers, rule) => {
                    let both = joined(outer, *qualifiers);
                    self.rules.push(Node { place: place.clone(), is: (both, rule.clone()) });
                }
                Entry::Include(include) => {
                    for (_, entries) in &include.files {
                        self.read(entries, outer)?;
                    }
                }
                Entry::Abi(_) => {}
                Entry::Block(qualifiers, entries) => {
                    self.read(entries, joined(outer, *qualifiers))?
                }
                Entry::If { condition, then, otherwise } => {
                    let holds = self
                        .holds(condition)
                        .map_err(|problem| ReadError { place: place.clone(), problem })?;
                    self.read(if holds { then } else { otherwise }, outer)?;
                }
                Entry::Profile(profile) => self.children.push((place.clone(), profile)),
            }
        }
        Ok(())
    }

    fn holds(&self, condition: &Condition) -> Result<bool, Problem> {
        let is = match &condition.asks {
            Asks::True(name) => self.variables.boolean(name).ok_or_else(|| {
                Problem::Variable(format!("${{{name}}}"), "is asked for, but not set")
            })?,
            Asks::DefinedBoolean(name) => self.variables.boolean(name).is_some(),
            Asks::DefinedVariable(name) => self.variables.is_set(name),
        };
        Ok(is != condition.not)
    }
}

/// A block's `owner` is for the rules that have one.
fn joined(outer: Qualifiers, inner: Qualifiers) -> Qualifiers {
    Qualifiers {
        audit: outer.audit || inner.audit,
        decision: inner.decision.or(outer.decision),
        owner: outer.owner || inner.owner,
    }
}

/// Whether qualifiers take away.
pub(super) fn denies(qualifiers: Qualifiers) -> bool {
    qualifiers.decision == Some(Decision::Deny)
}
