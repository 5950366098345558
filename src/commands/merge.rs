//! `learn merge`

use tracer::recording::{Reader, merge};

use crate::cli::Merge;
use crate::exit::{Exit, Failure};
use crate::ui::Ui;
use crate::ui::text::count;

/// Joins recordings on disk.
pub(crate) fn run(args: &Merge, ui: Ui) -> Result<Exit, Failure> {
    let facts = merge(&args.files, &args.output)?;
    let runs = Reader::open(&args.output)?.header().runs.len();
    ui.say(&format_args!(
        "{} of {}, written to {}",
        count(usize::try_from(facts).unwrap_or(usize::MAX), "fact"),
        count(runs, "run"),
        args.output.display()
    ));
    Ok(Exit::Success)
}
