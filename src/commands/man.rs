//! `learn man`, for packagers

use std::io::{self, Write};
use std::path::Path;

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use tracer::whole::WholeFile;

use super::unwritable;
use crate::cli::{self, MORE, More};
use crate::exit::{Condition, Exit, Failure};
use crate::ui;

/// Prints learn(1), or writes the pages of all verbs.
pub(crate) fn run(dir: Option<&Path>) -> Result<Exit, Failure> {
    // What --help says below the options has sections of its own in a manual page.
    let mut learn = cli::command().after_help(None);
    learn.build();
    let system = |error| Failure::new(Condition::System, error);
    let Some(dir) = dir else {
        ui::product(&page(&learn, &MORE[0]).map_err(system)?)?;
        return Ok(Exit::Success);
    };
    for more in &MORE {
        let (command, name) = match learn.find_subcommand(more.verb) {
            Some(verb) => (verb, format!("learn-{}.1", more.verb)),
            None => (&learn, "learn.1".to_owned()),
        };
        let page = page(command, more).map_err(system)?;
        let path = dir.join(name);
        let fail = unwritable(&path, "give a directory that you may write");
        let mut file = WholeFile::create(&path).map_err(&fail)?;
        file.write_all(&page).map_err(&fail)?;
        file.finish().map_err(&fail)?;
    }
    Ok(Exit::Success)
}

fn page(command: &clap::Command, more: &More) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let man = Man::new(command.clone());
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]).text([roman(more.status), roman(".")]);
    for condition in more.conditions {
        roff.control("TP", [])
            .text([bold(condition.code().to_string())])
            .text([roman(condition.meaning())]);
    }
    roff.control("SH", ["EXAMPLES"]).control("nf", []);
    for example in more.examples {
        roff.text([roman(*example)]);
    }
    roff.control("fi", []);
    roff.to_writer(&mut text)?;
    Ok(text)
}
