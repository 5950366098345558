//! Drift that somebody has accepted: a file with a reason for each difference, and a day until which it holds.

use std::path::Path;

use learner::drift::{Difference, Drift};
use serde::Deserialize;
use time::format_description::well_known::Iso8601;
use time::{Date, OffsetDateTime};

use crate::exit::{Condition, Failure};
use crate::ui::Ui;

const FORMAT: &str = "learn-accepted";
const VERSION: u32 = 1;

/// The file (docs/diff.md).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    format: String,
    version: u32,
    accepted: Vec<Entry>,
}

/// A difference that is accepted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    kind: String,
    what: String,
    direction: String,
    /// How it is, in the report's words: what is accepted, and nothing beyond it.
    new: String,
    reason: String,
    /// The last day on which it holds.
    until: String,
}

/// Leaves out what is accepted today, and tells of what is not accepted any more, and of what is accepted for nothing.
pub(super) fn leave_out(
    drift: &mut Drift,
    path: &Path,
    today: Option<&str>,
    ui: Ui,
) -> Result<(), Failure> {
    let unusable = |why: &dyn std::fmt::Display| super::super::unusable(path, why);
    let today = match today {
        Some(day) => self::day(day).map_err(|why| Failure::because(Condition::Input, why))?,
        None => OffsetDateTime::now_utc().date(),
    };
    let text = std::fs::read(path).map_err(|error| unusable(&error))?;
    let file: Accepted = serde_json::from_slice(&text).map_err(|error| unusable(&error))?;
    if file.format != FORMAT || file.version != VERSION {
        let expected = format!("expected \"format\":\"{FORMAT}\",\"version\":{VERSION}");
        return Err(unusable(&expected));
    }
    for entry in &file.accepted {
        if entry.reason.trim().is_empty() {
            return Err(unusable(&format_args!("{} {}: give a reason", entry.kind, entry.what)));
        }
        let until = day(&entry.until).map_err(|why| unusable(&why))?;
        let about = |difference: &Difference| {
            difference.kind.name() == entry.kind
                && difference.what == entry.what
                && difference.direction.name() == entry.direction
        };
        let found = drift.differences.iter().find(|difference| about(difference));
        let name = format!("{} {}", entry.kind, entry.what);
        match found {
            None => ui.say(&format_args!("{name}: accepted, and no difference")),
            Some(difference) if difference.new != entry.new => ui.say(&format_args!(
                "{name}: accepted as {:?}, and it is {:?} now",
                entry.new, difference.new
            )),
            Some(_) if until < today => ui.say(&format_args!(
                "{name} was accepted until {}, and is not any more",
                entry.until
            )),
            Some(_) => {
                ui.detail(&format_args!("{name}: accepted: {}", entry.reason));
                drift.differences.retain(|difference| !about(difference));
            }
        }
    }
    Ok(())
}

fn day(text: &str) -> Result<Date, String> {
    Date::parse(text, &Iso8601::DATE)
        .map_err(|_error| format!("{text:?} is no day: expected YYYY-MM-DD"))
}
