//! `learn explain`

use std::path::PathBuf;

use learner::explain::{Answer, Explained, Explanation, Question, explain};
use learner::policy::Evidence;
use learner::{Options, Policy, PolicyError};
use profile_emit::bundle;
use tracer::recording::{Recording, read_all};

use super::{RECORDING, json, unusable};
use crate::cli::{Explain, Format};
use crate::exit::{Condition, Exit, Failure};
use crate::project;
use crate::ui;
use crate::ui::table::table;
use crate::ui::text::{count, safe};

/// Answers.
pub(crate) fn run(args: &Explain) -> Result<Exit, Failure> {
    let question =
        Question::parse(&args.what).map_err(|error| Failure::new(Condition::Input, error))?;
    let (policy, recording) = read(args)?;
    let answer = explain(&policy, recording.as_ref(), &question);
    ui::product(&match args.format {
        Format::Text => text(&answer).into_bytes(),
        Format::Json => json(&answer)?,
    })?;
    Ok(Exit::Success)
}

/// The policy of a file, and the recording when it is one.
fn read(args: &Explain) -> Result<(Policy, Option<Recording>), Failure> {
    let path = match args.file.is_dir() {
        true => args.file.join(bundle::POLICY),
        false => args.file.clone(),
    };
    let text = std::fs::read(&path).ok();
    let policy = text.filter(|text| !text.starts_with(RECORDING));
    match policy.map(|text| Policy::from_json(&text)) {
        Some(Ok(policy)) => return Ok((policy, None)),
        // It says that it is a policy, and can't be read as one.
        Some(Err(error @ PolicyError::Newer(_))) => return Err(unusable(&path, &error)),
        Some(Err(error)) if path.extension().is_some_and(|ending| ending == "json") => {
            return Err(unusable(&path, &error));
        }
        _ if args.file.is_dir() => {
            return Err(Failure::because(
                Condition::Input,
                format_args!(
                    "{}: no {} that may be read; give a directory that learn generate wrote",
                    args.file.display(),
                    bundle::POLICY
                ),
            ));
        }
        // The reader of recordings says what is wrong with anything else.
        _ => {}
    }
    let recording = read_all(&[PathBuf::from(&path)])?;
    let settings = project::settings(None)?;
    let options = Options { tightness: args.tightness.into(), settings, ..Options::default() };
    Ok((learner::learn(&recording, &options), Some(recording)))
}

fn text(answer: &Explanation) -> String {
    let verdict = match answer.answer {
        Answer::Allowed => "allowed",
        Answer::Limited => "allowed within these limits",
        Answer::Enosys => "answered ENOSYS, so that libc does something else",
        Answer::Refused => "refused: no rule allows it",
    };
    let mut out = format!("{}: {verdict}\n", safe(&answer.asked));
    for rule in &answer.rules {
        out.push_str(&format!("\n{}\n", safe(&rule.rule)));
        let rows = about(rule);
        if !rows.is_empty() {
            out.push_str(&format!("{}\n", table(&[], rows)));
        }
    }
    if !answer.nearest.is_empty() {
        let rows =
            answer.nearest.iter().map(|near| vec![near.rule.as_str(), near.differs.as_str()]);
        out.push_str(&format!("\n{}\n", table(&["nearest rules", "what differs"], rows)));
    }
    out
}

fn about(rule: &Explained) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut row = |name: &str, text: String| {
        if !text.is_empty() {
            rows.push(vec![name.to_owned(), text]);
        }
    };
    if let Some(evidence) = &rule.evidence {
        let programs: Vec<_> = evidence.programs.iter().map(|p| p.escaped().into_owned()).collect();
        row("programs", programs.join(", "));
        let origins: Vec<String> = evidence
            .origins
            .iter()
            .filter_map(|origin| serde_json::to_value(origin).ok()?.as_str().map(str::to_owned))
            .collect();
        row("started by", origins.join(", "));
        row("seen", seen(evidence));
        let names = evidence.units.iter().cloned().collect::<Vec<_>>().join(", ");
        let more = evidence.in_units.saturating_sub(evidence.units.len() as u64);
        row(
            "units",
            if names.is_empty() || more == 0 { names } else { format!("{names} and {more} more") },
        );
        row("widened", evidence.generalised.clone().unwrap_or_default());
        for decision in &evidence.arguments {
            row(&decision.name, decision.why.clone());
        }
    }
    for first in &rule.first {
        let text = format!(
            "{} as process {}, {} ms after the start of run {}",
            first.program, first.pid, first.ms, first.run
        );
        row("first", text);
    }
    rows
}

fn seen(evidence: &Evidence) -> String {
    if evidence.count == 0 {
        return "never".to_owned();
    }
    let outcomes: Vec<String> =
        evidence.outcomes.iter().map(|(outcome, count)| format!("{outcome} {count}")).collect();
    let runs = count(usize::try_from(evidence.runs).unwrap_or(usize::MAX), "run");
    let least = if evidence.at_least { "at least " } else { "" };
    let times = count(usize::try_from(evidence.count).unwrap_or(usize::MAX), "time");
    format!("{least}{times} in {runs}: {}", outcomes.join(", "))
}
