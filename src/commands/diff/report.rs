//! The differences, for people and for programs.

use learner::drift::risk::Level;
use learner::drift::{Difference, Direction, Drift, words};
use serde_json::{Value, json};

use super::sides::Named;
use crate::ui::table::table;
use crate::ui::text::{count, safe, xml};

/// What `--format json` says of itself (docs/diff.md).
const FORMAT: &str = "learn-drift";
const VERSION: u32 = 1;

/// Two sides and their differences.
pub(super) struct Compared<'a> {
    pub(super) old: &'a Named,
    pub(super) new: &'a Named,
    /// The question was whether the new side lies within the old one.
    pub(super) subset: bool,
    pub(super) drift: &'a Drift,
    /// A difference that the exit code tells of.
    pub(super) failing: &'a dyn Fn(&Difference) -> bool,
}

/// Who brought a difference and where it can come from, in a sentence's part.
fn whence(difference: &Difference) -> String {
    let programs: Vec<String> = difference.why.programs.iter().map(ToString::to_string).collect();
    let units: Vec<String> = difference.why.units.iter().cloned().collect();
    let mut parts = Vec::new();
    parts.extend(difference.cause.clone());
    if !programs.is_empty() && !difference.cause.as_deref().is_some_and(|c| c.contains("program")) {
        parts.push(programs.join(", "));
    }
    if !units.is_empty() {
        parts.push(format!("in {}", units.join(", ")));
    }
    parts.join("; ")
}

impl Compared<'_> {
    /// The first line: how it ended.
    fn verdict(&self) -> String {
        let of = |direction| {
            self.drift.differences.iter().filter(move |d| d.direction == direction).count()
        };
        let (old, new) = (&self.old.name, &self.new.name);
        if self.subset {
            return match self.drift.differences.len() {
                0 => format!("{new} lies within {old}"),
                more => format!("{new} exceeds {old} in {}", count(more, "way")),
            };
        }
        if self.drift.differences.is_empty() {
            return format!("{old} and {new} allow the same");
        }
        format!(
            "from {old} to {new}: {} widened, {} narrowed, {} changed",
            of(Direction::Widened),
            of(Direction::Narrowed),
            of(Direction::Changed)
        )
    }

    fn not_compared(&self) -> Option<String> {
        let kinds: Vec<&str> = self.drift.not_compared.iter().map(|kind| kind.name()).collect();
        (!kinds.is_empty())
            .then(|| format!("not compared, since only one side tells of it: {}", kinds.join(", ")))
    }

    /// What the sides say that is not compared.
    pub(super) fn notes(&self) -> impl Iterator<Item = &String> {
        self.old.notes.iter().chain(&self.new.notes)
    }

    pub(super) fn text(&self) -> String {
        let mut out = format!("{}\n", safe(&self.verdict()));
        for risk in [Level::High, Level::Medium, Level::Low] {
            let these: Vec<&Difference> =
                self.drift.differences.iter().filter(|d| d.risk == risk).collect();
            if these.is_empty() {
                continue;
            }
            let rows = these.iter().map(|difference| {
                let example = difference.example.as_ref().map(|e| format!("; as {e}"));
                vec![
                    difference.direction.name().to_owned(),
                    format!("{} {}", difference.kind.name(), difference.what),
                    format!(
                        "{} → {}{}",
                        brief(&difference.old),
                        brief(&difference.new),
                        example.unwrap_or_default()
                    ),
                    whence(difference),
                    difference.because.clone().unwrap_or_default(),
                ]
            });
            let heads = [risk.name(), "what", "before → after", "from", "matters because"];
            out.push_str(&format!("\n{}\n", table(&heads, rows)));
        }
        if let Some(line) = self.not_compared() {
            out.push_str(&format!("\n{line}\n"));
        }
        out
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "format": FORMAT,
            "version": VERSION,
            "old": { "name": self.old.name, "form": self.old.form },
            "new": { "name": self.new.name, "form": self.new.form },
            "subset": self.subset.then_some(self.drift.differences.is_empty()),
            "differences": self.drift.differences,
            "not_compared": self.drift.not_compared,
            "notes": self.notes().collect::<Vec<_>>(),
        })
    }

    pub(super) fn markdown(&self) -> String {
        // Names are others' choice: they must not end a cell or begin markup.
        let cell = |text: &str| -> String {
            safe(text)
                .chars()
                .flat_map(|c| {
                    let escape = r"\`*_{}[]<>()#+-!|~&".contains(c);
                    escape.then_some('\\').into_iter().chain([c])
                })
                .collect()
        };
        let mut out = format!("**{}**\n", cell(&self.verdict()));
        if !self.drift.differences.is_empty() {
            out.push_str("\n| risk | | what | before | after | from | because |\n|---|---|---|---|---|---|---|\n");
        }
        for difference in &self.drift.differences {
            let cells = [
                difference.risk.name().to_owned(),
                difference.direction.name().to_owned(),
                format!("{} {}", difference.kind.name(), difference.what),
                brief(&difference.old),
                brief(&difference.new),
                whence(difference),
                difference.because.clone().unwrap_or_default(),
            ];
            out.push_str(&format!("| {} |\n", cells.map(|text| cell(&text)).join(" | ")));
        }
        for line in self.not_compared().iter().chain(self.notes()) {
            out.push_str(&format!("\n{}\n", cell(line)));
        }
        out
    }

    /// SARIF 2.1.0 (docs.oasis-open.org/sarif/sarif/v2.1.0).
    pub(super) fn sarif(&self) -> Value {
        let results: Vec<Value> = self
            .drift
            .differences
            .iter()
            .map(|difference| {
                json!({
                    "ruleId": rule(difference),
                    "level": match difference.risk {
                        _ if !(self.failing)(difference) => "note",
                        Level::High => "error",
                        Level::Medium | Level::Low => "warning",
                    },
                    "message": { "text": self.sentence(difference) },
                    "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri(&self.new.name) } } }],
                    "partialFingerprints": { "learn/v1": format!("{} {} {}", rule(difference), difference.what, difference.new) },
                })
            })
            .collect();
        let mut rules: Vec<String> = self.drift.differences.iter().map(rule).collect();
        rules.sort();
        rules.dedup();
        let rules: Vec<Value> = rules
            .into_iter()
            .map(|id| json!({ "id": id, "shortDescription": { "text": format!("what is allowed drifts: {id}") } }))
            .collect();
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": { "name": "learn", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
                "results": results,
            }],
        })
    }

    /// One test case a difference, in the form that Jenkins and GitLab read.
    pub(super) fn junit(&self) -> String {
        let differences = &self.drift.differences;
        let failures = differences.iter().filter(|difference| (self.failing)(difference)).count();
        let mut out = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"learn diff\" tests=\"{}\" failures=\"{failures}\" errors=\"0\">\n",
            differences.len().max(1)
        );
        if differences.is_empty() {
            out.push_str(&format!(
                "    <testcase classname=\"drift\" name=\"{}\"/>\n",
                xml(&self.verdict())
            ));
        }
        for difference in differences {
            let name = format!(
                "{} {} {}",
                difference.kind.name(),
                difference.what,
                difference.direction.name()
            );
            let case = format!(
                "    <testcase classname=\"drift.{}\" name=\"{}\"",
                difference.kind.name(),
                xml(&name)
            );
            if (self.failing)(difference) {
                let sentence = xml(&self.sentence(difference));
                out.push_str(&format!(
                    "{case}>\n      <failure type=\"{}\" message=\"{sentence}\"/>\n    </testcase>\n",
                    difference.risk.name()
                ));
            } else {
                out.push_str(&format!("{case}/>\n"));
            }
        }
        out.push_str("  </testsuite>\n</testsuites>\n");
        out
    }

    fn sentence(&self, difference: &Difference) -> String {
        let mut text = format!(
            "{} {} {}: {} → {}",
            difference.kind.name(),
            difference.what,
            difference.direction.name(),
            brief(&difference.old),
            brief(&difference.new)
        );
        if let Some(example) = &difference.example {
            text.push_str(&format!("; as {example}"));
        }
        for more in [whence(difference), difference.because.clone().unwrap_or_default()] {
            if !more.is_empty() {
                text.push_str(&format!("; {more}"));
            }
        }
        safe(&text).into_owned()
    }
}

/// So many alternatives are shown; of more, how many there are.
const ALTERNATIVES: usize = 4;

/// A state in few words.
fn brief(state: &str) -> String {
    let all: Vec<&str> = state.split(words::OR).collect();
    match all.get(..ALTERNATIVES) {
        Some(first) if all.len() > ALTERNATIVES => {
            let more = all.len() - ALTERNATIVES;
            format!("{}{}{more} more", first.join(words::OR), words::OR)
        }
        _ => state.to_owned(),
    }
}

fn rule(difference: &Difference) -> String {
    format!("{}-{}", difference.kind.name(), difference.direction.name())
}

/// A path as a relative reference of RFC 3986.
fn uri(path: &str) -> String {
    path.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                char::from(b).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
