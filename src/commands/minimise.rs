//! `learn verify --minimise`

use std::path::Path;

use profile_emit::bundle;
use tracer::container::Invocation;
use verifier::Options;
use verifier::minimise::{Minimise, Minimised, minimise};

use super::verify;
use crate::cli::Verify;
use crate::exit::{Condition, Exit, Failure};
use crate::ui::Ui;
use crate::ui::bar::Bar;
use crate::ui::text::count;

/// Drops what the command does not need, and writes what is left.
pub(crate) fn run(
    args: &Verify,
    options: &Options,
    output: &Path,
    ui: Ui,
) -> Result<Exit, Failure> {
    if same(output, &options.profiles) {
        return Err(Failure::because(
            Condition::Input,
            format_args!(
                "{} is the directory of the profiles themselves, which stay as they are; give -o another one",
                output.display()
            ),
        ));
    }
    if Invocation::read(&options.command).is_some_and(|client| client.verb.makes()) {
        return Err(Failure::because(
            Condition::Input,
            "a container's engine enforces its profiles, so it can't be minimised for; give the program itself as CMD",
        ));
    }
    bundle::check(output)?;
    let how = Minimise {
        budget: args.budget,
        tolerate_refusals: args.tolerate_refusals,
        prepare: args.prepare.clone(),
    };
    let mut bar = Bar::start(ui);
    let done = minimise(options, &how, &mut |progress| bar.show(progress))?;
    drop(bar);
    bundle::bundle(done.policy.clone()).write(output)?;
    if let Some(path) = &args.report {
        verify::write(path, &done.report)?;
    }
    say(&done, output, ui);
    Ok(Exit::Command(verify::end(&done.report.end)?))
}

/// Whether two names are of one directory.
fn same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

fn say(done: &Minimised, output: &Path, ui: Ui) {
    for (what, rules) in
        [("dropped", &done.dropped), ("needed", &done.needed), ("not tested", &done.untested)]
    {
        for rule in rules {
            ui.detail(&format_args!("{what}: {rule}"));
        }
    }
    let untested = match done.untested.len() {
        0 => String::new(),
        left => format!(", {left} left untested by the budget"),
    };
    ui.say(&format_args!(
        "{}: {} dropped, {} needed{untested}; CMD: {}; written to {}",
        count(usize::try_from(done.runs).unwrap_or(usize::MAX), "run"),
        count(done.dropped.len(), "rule"),
        done.needed.len(),
        done.report.end,
        output.display()
    ));
}
