//! Drift: how what is allowed differs between two sides, in meaning and not in text.
//!
//! - [`side`]: what one side allows
//! - [`arguments`]: sets of argument vectors, and what is in one and not in another
//! - `calls`: system calls
//! - [`files`]: files, by what patterns stand for
//! - [`language`]: whether a pattern stands for all that another stands for
//! - [`risk`]: how much a difference matters
//! - `causes`: where a difference can come from
//! - [`words`]: for a person
//!
//! Guarantees: a side differs from itself in nothing; what is widened from one side to another is narrowed the other way round;
//! and whatever only the new side allows is in a difference that is widened or changed. Sets of arguments that are too intricate
//! to compare are told as changed.

pub mod arguments;
mod calls;
mod causes;
pub mod files;
pub mod language;
pub mod risk;
pub mod side;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use risk::{Level, Risk};
use side::{Kind, Side, Why};

/// How what is allowed differs between two sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// The differences, what matters most first.
    pub differences: Vec<Difference>,
    /// What only one side says something of, so that it was not compared.
    pub not_compared: BTreeSet<Kind>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it is about.
    pub kind: Kind,
    /// Which call, capability, ….
    pub what: String,
    /// Whether more is allowed.
    pub direction: Direction,
    /// The new side allows something that the old one does not.
    pub widens: bool,
    /// How it was.
    pub old: String,
    /// How it is.
    pub new: String,
    /// Something that only one side allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// Who brought it, or needed it before.
    pub why: Why,
    /// Where it can come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// How much it matters.
    pub risk: Level,
    /// Why, and who says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// Whether more is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Less is.
    Narrowed,
    /// Each side allows something that the other does not, or refuses it in another way.
    Changed,
    /// More is.
    Widened,
}

impl Direction {
    /// Its name in texts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Narrowed => "narrowed",
            Self::Changed => "changed",
            Self::Widened => "widened",
        }
    }
}

impl Drift {
    /// The differences between two sides.
    pub fn between(old: &Side, new: &Side) -> Self {
        let mut drift = Self::default();
        if let (Some(old), Some(new)) = (&old.calls, &new.calls) {
            calls::compare(old, new, &mut drift.differences);
        }
        for (kind, old) in &old.sets {
            if let Some(new) = new.sets.get(kind) {
                sets(*kind, old, new, &mut drift.differences);
            }
        }
        if let (Some(old), Some(new)) = (&old.files, &new.files) {
            files::compare(old, new, &mut drift.differences);
        }
        drift.not_compared = &old.kinds() ^ &new.kinds();
        causes::tell(&mut drift.differences, old, new);
        drift.differences.sort_by(|a, b| {
            let of = |d: &Difference| (std::cmp::Reverse((d.risk, d.direction)), d.kind);
            of(a).cmp(&of(b)).then_with(|| a.what.cmp(&b.what))
        });
        drift
    }

    /// Only what the new side allows more. Nothing: it lies within the old one.
    pub fn excess(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|difference| difference.widens)
    }
}

/// A row's reason with its source.
fn because(risk: &Risk) -> String {
    format!("{} ({})", risk.because, risk.source)
}

fn sets(
    kind: Kind,
    old: &BTreeMap<String, Why>,
    new: &BTreeMap<String, Why>,
    to: &mut Vec<Difference>,
) {
    let mut add = |what: &String, direction, why: &Why| {
        let widened = direction == Direction::Widened;
        let risk = Some(what).filter(|_| widened).and_then(|what| risk::of(kind, what, |_| false));
        let (old, new) = if widened { ("refused", "allowed") } else { ("allowed", "refused") };
        to.push(Difference {
            kind,
            what: what.clone(),
            direction,
            widens: widened,
            old: old.to_owned(),
            new: new.to_owned(),
            example: None,
            why: why.clone(),
            cause: None,
            risk: risk.map_or(Level::Low, |risk| risk.level),
            because: risk.map(because),
        });
    };
    for (what, why) in new.iter().filter(|(what, _)| !old.contains_key(*what)) {
        add(what, Direction::Widened, why);
    }
    for (what, why) in old.iter().filter(|(what, _)| !new.contains_key(*what)) {
        add(what, Direction::Narrowed, why);
    }
}
