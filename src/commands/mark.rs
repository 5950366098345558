//! `learn mark`

use std::path::PathBuf;

use tracer::marks::{Mark, MarkError, VARIABLE};

use crate::cli;
use crate::exit::{Condition, Exit, Failure};
use crate::ui::Ui;

/// Tells the recorder that a unit or a phase begins.
pub(crate) fn run(args: &cli::Mark, ui: Ui) -> Result<Exit, Failure> {
    let Some(socket) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) else {
        // The same test suite is run without a recorder too.
        ui.say(&format_args!(
            "nothing is marked: {VARIABLE} is not set, so nothing is recorded here"
        ));
        return Ok(Exit::Success);
    };
    let mark = Mark { unit: args.unit.clone(), phase: args.phase.map(Into::into) };
    mark.send(&PathBuf::from(socket)).map_err(|error| {
        let condition = match error {
            MarkError::Unreachable { .. } => Condition::Unavailable,
            MarkError::Refused { .. } => Condition::Input,
        };
        Failure::new(condition, error)
    })?;
    Ok(Exit::Success)
}
