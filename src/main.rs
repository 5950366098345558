//! The command: arguments in, exit code out.

mod cli;
mod commands;
mod exit;
mod project;
mod ui;

use std::process::ExitCode;

/// Bytes of a large block: what glibc begins with.
const LARGE: libc::c_int = 128 * 1024;

fn main() -> ExitCode {
    // Large blocks are returned when they are freed; by itself glibc keeps more and more of them for later (mallopt(3)).
    // SAFETY: nothing else runs yet, and a refusal changes nothing.
    let _refused = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(error) => return cli::answer(&error).into(),
    };
    let ui = ui::Ui::new(&cli.global);
    let exit = commands::run(&cli.verb, &ui).unwrap_or_else(|failure| {
        ui.error(&failure.error);
        failure.condition.into()
    });
    exit.into()
}
