//! `learn completions`, for packagers

use clap_complete::Shell;

use crate::cli;
use crate::exit::{Exit, Failure};
use crate::ui;

/// Prints the completions for a shell.
pub(crate) fn run(shell: Shell) -> Result<Exit, Failure> {
    // The generator panics when it can't write, and memory always can be.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "learn", &mut text);
    ui::product(&text)?;
    Ok(Exit::Success)
}
