//! A recording as tables, for `learn show`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use tracer::abi::sockets;
use tracer::recording::summary::{Call, RunSummary, Summary, Total};
use tracer::recording::{Args, ByteString};

use super::table::table;
use super::text::{command_line, count, safe};

/// The whole text.
pub(crate) fn text(summary: &Summary) -> String {
    let mut out = String::new();
    let _infallible = runs(&mut out, summary);
    section(
        &mut out,
        ("program", "programs"),
        &["facts", "started as", "program"],
        &summary.domains,
        |row| {
            vec![
                row.what.facts.to_string(),
                words(&row.what.origins),
                row.what.path.escaped().into_owned(),
            ]
        },
    );
    let heads = ["abi", "call", "count", "ended", "arguments"];
    section(&mut out, ("call", "calls"), &heads, &summary.calls, |row| {
        vec![
            row.what.abi.to_string(),
            name(row.what.name.as_deref(), row.what.nr),
            times(&row.seen),
            outcomes(&row.seen),
            arguments(&row.what),
        ]
    });
    section(
        &mut out,
        ("file", "files"),
        &["access", "only tried", "file"],
        &summary.files,
        |row| {
            let mut path = row.what.path.escaped().into_owned();
            if !row.what.targets.is_empty() {
                let targets: Vec<_> = row.what.targets.iter().map(ByteString::escaped).collect();
                path = format!("{path} → {}", targets.join(", "));
            }
            vec![words(&row.what.access), words(&row.what.failed), path]
        },
    );
    let heads = ["count", "program", "ran", "interpreter", "loader"];
    section(&mut out, ("program run", "programs run"), &heads, &summary.execs, |row| {
        let exec = &row.what;
        let from = match exec.origin {
            tracer::recording::Origin::Runtime => format!("({})", word(&exec.origin)),
            _ => exec.from.escaped().into_owned(),
        };
        let optional = |path: &Option<ByteString>| {
            path.as_ref().map_or_else(String::new, |path| path.escaped().into_owned())
        };
        vec![
            times(&row.seen),
            from,
            exec.path.escaped().into_owned(),
            optional(&exec.interpreter),
            optional(&exec.loader),
        ]
    });
    let heads = ["count", "ended", "family", "type", "protocol"];
    section(&mut out, ("kind of socket", "kinds of socket"), &heads, &summary.sockets, |row| {
        vec![
            times(&row.seen),
            outcomes(&row.seen),
            sockets::family(row.what.family),
            sockets::kind(row.what.kind),
            row.what.protocol.to_string(),
        ]
    });
    let heads = ["count", "ended", "action", "family", "address"];
    section(&mut out, ("address", "addresses"), &heads, &summary.addresses, |row| {
        let address = &row.what;
        let parts = [
            address.class.as_ref().map(ToString::to_string),
            address.port.map(|port| format!("port {port}")),
            address.path.as_ref().map(|path| path.escaped().into_owned()),
        ];
        vec![
            times(&row.seen),
            outcomes(&row.seen),
            word(&address.action),
            sockets::family(address.family),
            parts.into_iter().flatten().collect::<Vec<_>>().join(" "),
        ]
    });
    let heads = ["count", "ended", "capability", "call", ""];
    section(
        &mut out,
        ("capability check", "capability checks"),
        &heads,
        &summary.capabilities,
        |row| {
            let what = &row.what;
            let remark = match (what.probe, what.initial_namespace) {
                (true, _) => "a probe, not a need",
                (false, false) => "in a user namespace of its own",
                (false, true) => "",
            };
            vec![
                times(&row.seen),
                outcomes(&row.seen),
                what.name.to_string(),
                what.call.as_deref().unwrap_or_default().to_owned(),
                remark.to_owned(),
            ]
        },
    );
    section(
        &mut out,
        ("signal", "signals"),
        &["count", "ended", "signal", "to"],
        &summary.signals,
        |row| {
            let to = if row.what.inside { "a recorded process" } else { "another process" };
            vec![times(&row.seen), outcomes(&row.seen), row.what.signal.to_string(), to.to_owned()]
        },
    );
    section(
        &mut out,
        ("call denied by another filter", "calls denied by another filter"),
        &["abi", "call", "count"],
        &summary.denied,
        |row| {
            vec![
                row.what.abi.to_string(),
                name(row.what.name.as_deref(), row.what.nr),
                times(&row.seen),
            ]
        },
    );
    out
}

fn runs(out: &mut String, summary: &Summary) -> std::fmt::Result {
    let facts = usize::try_from(summary.facts).unwrap_or(usize::MAX);
    let complete = if summary.complete { "complete" } else { "INCOMPLETE" };
    writeln!(
        out,
        "{}, {} of {}",
        complete,
        count(facts, "fact"),
        count(summary.runs.len(), "run")
    )?;
    for (id, run) in &summary.runs {
        writeln!(out)?;
        writeln!(out, "run {}", safe(id))?;
        for (name, value) in about(run) {
            writeln!(out, "  {name:<11} {}", safe(&value))?;
        }
    }
    Ok(())
}

/// So many units of a run are named.
const UNITS: usize = 10;

/// What there is to say of a run; names can repeat.
fn about(run: &RunSummary) -> Vec<(&'static str, String)> {
    let complete = if run.completion.complete { "complete" } else { "INCOMPLETE" };
    let mut rows = vec![
        ("command", command_line(run.command.iter().map(ByteString::escaped))),
        ("recorded", format!("{complete}, {} facts, by {}", run.facts, run.backend)),
        ("on", format!("Linux {}, {}", run.kernel, run.machine)),
    ];
    rows.extend(run.completion.reasons.iter().map(|why| ("incomplete", why.clone())));
    rows.extend(run.completion.lost.iter().map(|(what, n)| ("lost", format!("{n}: {what}"))));
    rows.extend(run.completion.notes.iter().map(|note| ("note", note.clone())));
    rows.extend(run.labels.iter().map(|(key, value)| ("label", format!("{key}={value}"))));
    rows.extend(run.units.iter().take(UNITS).map(|unit| ("unit", unit.clone())));
    if run.units.len() > UNITS {
        rows.push(("units", format!("and {} more", run.units.len() - UNITS)));
    }
    let mut by_degree: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for (kind, degree) in &run.fidelity {
        by_degree.entry(*degree).or_default().push(word(kind));
    }
    rows.extend(
        by_degree.into_iter().map(|(degree, kinds)| {
            ("fidelity", format!("{}: {}", word(&degree), kinds.join(", ")))
        }),
    );
    rows
}

/// A heading with a number, and a table; nothing for no rows.
fn section<T>(
    out: &mut String,
    names: (&str, &str),
    heads: &[&str],
    rows: &[T],
    cells: impl Fn(&T) -> Vec<String>,
) {
    if rows.is_empty() {
        return;
    }
    let (one, many) = names;
    let heading = format!("{} {}", rows.len(), if rows.len() == 1 { one } else { many });
    let table = table(heads, rows.iter().map(cells));
    let _infallible = writeln!(out, "\n{heading}\n{table}");
}

fn name(known: Option<&str>, nr: u32) -> String {
    known.map_or_else(|| nr.to_string(), str::to_owned)
}

fn times(seen: &Total) -> String {
    format!("{}{}", seen.count, if seen.at_least { "+" } else { "" })
}

fn outcomes(seen: &Total) -> String {
    let all: Vec<String> = seen.outcomes.iter().map(|(how, n)| format!("{how} {n}")).collect();
    all.join(", ")
}

fn arguments(call: &Call) -> String {
    if call.args.is_empty() {
        return String::new();
    }
    if call.args.contains(&Args::Many) {
        return "many".to_owned();
    }
    count(call.args.len(), "combination")
}

/// A value in the recording's word for it.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn words<T: serde::Serialize>(values: &BTreeSet<T>) -> String {
    let all: Vec<String> = values.iter().map(word).collect();
    all.join(",")
}
