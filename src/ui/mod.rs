//! The conversation: errors and remarks on stderr. stdout is for products only.
//!
//! - [`graph`]: programs as a picture
//! - [`progress`]: the live line of a recording
//! - [`saturation`]: how much of a test suite's needs was seen
//! - [`summary`]: a recording as tables
//! - [`text`]: what others chose, made fit for a terminal

pub(crate) mod bar;
pub(crate) mod domains;
pub(crate) mod graph;
pub(crate) mod progress;
pub(crate) mod saturation;
pub(crate) mod summary;
pub(crate) mod table;
pub(crate) mod text;

use std::fmt::Display;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::cli::{Color, Global};
use crate::exit::{Condition, Failure};

const BAD: Style = AnsiColor::Red.on_default().bold();
const NAME: Style = Style::new().bold();

/// How much is said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ui {
    quiet: bool,
    verbose: bool,
}

impl Ui {
    pub(crate) fn new(global: &Global) -> Self {
        match global.color {
            // What anstream does unless told: terminals, NO_COLOR, CLICOLOR.
            Color::Auto => {}
            Color::Always => anstream::ColorChoice::Always.write_global(),
            Color::Never => anstream::ColorChoice::Never.write_global(),
        }
        Self { quiet: global.quiet, verbose: global.verbose }
    }

    pub(crate) fn quiet(self) -> bool {
        self.quiet
    }

    /// A line that is always worth saying.
    pub(crate) fn error(self, error: &dyn Display) {
        complain(error);
    }

    /// A line for whoever wants to know how it went.
    pub(crate) fn say(self, what: &dyn Display) {
        if !self.quiet {
            line(NAME, what);
        }
    }

    /// A line for whoever asked for more.
    pub(crate) fn detail(self, what: &dyn Display) {
        if self.verbose {
            line(NAME, what);
        }
    }

    /// Lines of a table, below a remark.
    pub(crate) fn table(self, table: &dyn Display) {
        if !self.quiet {
            let _nobody_reads = writeln!(anstream::stderr().lock(), "{table}");
        }
    }
}

/// An error's line, also before the options are known.
pub(crate) fn complain(error: &dyn Display) {
    line(BAD, error);
}

/// A line on stderr. Where nobody reads it there is nobody to tell.
fn line(style: Style, what: &dyn Display) {
    let what = what.to_string();
    let what = text::safe(&what);
    let _nobody_reads = writeln!(anstream::stderr().lock(), "{style}learn:{style:#} {what}");
}

/// What became of writing to stdout. A reader that has seen enough is no failure.
pub(crate) fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            Err(Failure::because(Condition::Output, format_args!("write to stdout: {error}")))
        }
        Ok(()) => Ok(()),
    }
}

/// Writes a product to stdout.
pub(crate) fn product(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}
