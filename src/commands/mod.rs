//! The verbs, one file each; `minimise` is a part of `verify`.

mod completions;
mod diff;
mod doctor;
mod explain;
mod generate;
mod man;
mod mark;
mod merge;
mod minimise;
mod record;
mod show;
mod verify;

use std::path::Path;

pub(crate) use diff::TROUBLE;

use crate::cli::Verb;
use crate::exit::{Condition, Exit, Failure};
use crate::ui::Ui;

/// Does what the verb says.
pub(crate) fn run(verb: &Verb, ui: &Ui) -> Result<Exit, Failure> {
    match verb {
        Verb::Record(args) => record::run(args, *ui),
        Verb::Mark(args) => mark::run(args, *ui),
        Verb::Merge(args) => merge::run(args, *ui),
        Verb::Show(args) => show::run(args),
        Verb::Generate(args) => generate::run(args, *ui),
        Verb::Explain(args) => explain::run(args),
        Verb::Diff(args) => Ok(diff::run(args, *ui)),
        Verb::Verify(args) => verify::run(args, *ui),
        Verb::Doctor(args) => doctor::run(args),
        Verb::Completions { shell } => completions::run(*shell),
        Verb::Man { dir } => man::run(dir.as_deref()),
    }
}

/// How a recording begins, whatever its name is.
const RECORDING: &[u8] = b"{\"format\":\"learn-recording\"";

/// A file that was given can't be used.
fn unusable(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::because(Condition::Input, format_args!("{}: {why}", path.display()))
}

/// A value as JSON for programs.
fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, Failure> {
    let mut text =
        serde_json::to_vec_pretty(value).map_err(|error| Failure::new(Condition::System, error))?;
    text.push(b'\n');
    Ok(text)
}

/// A file that can't be written.
fn unwritable<'a>(path: &'a Path, remedy: &'a str) -> impl Fn(std::io::Error) -> Failure + 'a {
    move |error| {
        Failure::because(
            Condition::Output,
            format_args!("write {}: {error}; {remedy}", path.display()),
        )
    }
}
