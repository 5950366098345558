//! The command: arguments in, exit code out.

mod cli;
mod commands;
mod exit;
mod project;
mod ui;

use std::process::ExitCode;

fn main() -> ExitCode {
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
