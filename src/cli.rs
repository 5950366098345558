//! The command line: its words, its help, and the answer to one that can't be used.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use learner::policy::Tightness;
use tracer::recording::Origin;

use crate::exit::{Condition, Exit};
use crate::ui;

/// Learns least-privilege profiles for containers: records what a program does, makes seccomp, AppArmor and capability
/// profiles of it, and proves them by enforcing them.
#[derive(Debug, Parser)]
#[command(name = "learn", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Options of all verbs.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Colours: auto is for terminals, and only when NO_COLOR is not set
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub(crate) color: Color,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run CMD and record what it and its descendants do
    Record(Record),
    /// Tell the recorder that a unit of the test suite begins, or a phase
    Mark(Mark),
    /// Join recordings into one
    Merge(Merge),
    /// Show what a recording knows
    Show(Show),
    /// Make profiles from recordings
    Generate(Generate),
    /// Say why something is allowed, or what comes nearest to it
    Explain(Explain),
    /// Say how what is allowed differs between two recordings, policies or profiles
    Diff(Diff),
    /// Run CMD under profiles and report what they refuse
    Verify(Verify),
    /// Say what this host can record and enforce, and what to do about the rest
    Doctor(Doctor),
    /// Print the completions for a shell
    #[command(hide = true)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write those of all verbs into DIR
    #[command(hide = true)]
    Man {
        /// A directory that exists
        dir: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Record {
    /// Where the recording goes; .zst at its end compresses it [default: <program>.learn.jsonl]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// How to watch: auto takes ebpf where it can be used, and ptrace otherwise
    #[arg(long, value_enum, value_name = "BACKEND", default_value_t = Backend::Auto)]
    pub(crate) backend: Backend,
    /// By ptrace, stop CMD at every call, also where nothing new has come for long: slower, the same facts, and every call counted
    #[arg(long)]
    pub(crate) every_call: bool,
    /// The part of a test suite that this run is
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) unit: Option<String>,
    /// Where the socket for learn mark is made, to be mounted into containers; nothing may be there [default: in a directory of its own]
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Run CMD again and again, each time a unit, until so many in a row have needed nothing new
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), requires = "command", conflicts_with = "unit")]
    pub(crate) until_quiet: Option<u32>,
    /// Something to remember of this run; can be repeated
    #[arg(long = "label", value_name = "K=V", value_parser = label)]
    pub(crate) labels: Vec<(String, String)>,
    /// Record these containers of docker or podman, while CMD runs, or until an interrupt
    #[arg(long = "container", value_name = "NAME", value_delimiter = ',')]
    pub(crate) containers: Vec<String>,
    /// The command to record, after --; of docker or podman run, start and exec the container is recorded, not the client
    #[arg(last = true, required_unless_present = "containers", value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    Auto,
    Ebpf,
    Ptrace,
}

#[derive(Debug, Args)]
pub(crate) struct Mark {
    /// The phase that begins
    #[arg(long, value_enum, value_name = "PHASE")]
    pub(crate) phase: Option<Phase>,
    /// The unit that begins: the name of a test
    #[arg(value_name = "NAME", required_unless_present = "phase", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) unit: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Phase {
    Startup,
    Serving,
    Shutdown,
}

impl From<Phase> for tracer::recording::Phase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Startup => Self::Startup,
            Phase::Serving => Self::Serving,
            Phase::Shutdown => Self::Shutdown,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// Where the joined recording goes; .zst at its end compresses it
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// The recordings
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// For people, or for programs (docs/show.md)
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Draw who runs whom instead; a program that would be worth a profile of its own has a bold or double border
    #[arg(long, value_enum, value_name = "LANGUAGE", conflicts_with = "format")]
    pub(crate) graph: Option<Graph>,
    /// The recording
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Graph {
    /// For Graphviz
    Dot,
    /// For a browser
    Svg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// The directory for the profiles; one that learn wrote before is replaced
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// The profile's name [default: the first file's name without its endings]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: Option<String>,
    /// How closely the profiles fit what was seen
    #[arg(long, value_enum, value_name = "TIGHTNESS", default_value_t = Fit::Balanced)]
    pub(crate) tightness: Fit,
    /// What the project says of its places (docs/policy.md) [default: learn.toml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) project: Option<PathBuf>,
    /// Make further files; can be repeated
    #[arg(long, value_enum, value_name = "LIST", value_delimiter = ',')]
    pub(crate) emit: Vec<Emit>,
    /// Give programs AppArmor profiles of their own, with what they run: these, or those that learn show proposes
    #[arg(long, value_name = "PROGRAM", value_delimiter = ',', num_args = 0.., require_equals = true)]
    pub(crate) domains: Option<Vec<OsString>>,
    /// Have AppArmor only report what its profile does not allow, and refuse nothing
    #[arg(long)]
    pub(crate) complain: bool,
    /// Make profiles though something is missing in a recording; they will say so
    #[arg(long)]
    pub(crate) allow_incomplete: bool,
    /// Learn only from processes that were started like this; can be repeated [default: all]
    #[arg(long = "origin", value_enum, value_name = "ORIGIN", value_delimiter = ',')]
    pub(crate) origins: Vec<StartedBy>,
    /// Learn only from runs with this label; can be repeated, and all must be there
    #[arg(long = "label", value_name = "K=V", value_parser = label)]
    pub(crate) labels: Vec<(String, String)>,
    /// Learn only from this container: the same as --label container=NAME
    #[arg(long, value_name = "NAME")]
    pub(crate) container: Option<String>,
    /// The recordings; several are joined
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Emit {
    /// seccomp.bpf: the seccomp profile as a filter for bwrap --seccomp
    Bpf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fit {
    /// Exactly what was seen
    Strict,
    /// With classes of names, flags and calls that are equivalent
    Balanced,
    /// With the calls that other versions of libc and other architectures make instead
    Portable,
}

impl From<Fit> for Tightness {
    fn from(fit: Fit) -> Self {
        match fit {
            Fit::Strict => Self::Strict,
            Fit::Balanced => Self::Balanced,
            Fit::Portable => Self::Portable,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StartedBy {
    /// The recorded command, a container's entry point
    Entry,
    /// A session in a running container
    Exec,
    /// A container's health check
    Healthcheck,
    /// What starts the program after the boundary
    Runtime,
}

impl From<StartedBy> for Origin {
    fn from(by: StartedBy) -> Self {
        match by {
            StartedBy::Entry => Self::Entry,
            StartedBy::Exec => Self::Exec,
            StartedBy::Healthcheck => Self::Healthcheck,
            StartedBy::Runtime => Self::Runtime,
        }
    }
}

impl Generate {
    pub(crate) fn origins(&self) -> BTreeSet<Origin> {
        self.origins.iter().map(|by| (*by).into()).collect()
    }

    /// The labels that a run must have.
    pub(crate) fn wanted(&self) -> Vec<(&str, &str)> {
        let container = self.container.as_deref().map(|name| ("container", name));
        self.labels
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .chain(container)
            .collect()
    }
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// For people, or for programs (docs/explain.md)
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// How closely the rules fit what was seen, when FILE is a recording
    #[arg(long, value_enum, value_name = "TIGHTNESS", default_value_t = Fit::Balanced)]
    pub(crate) tightness: Fit,
    /// A system call, perhaps with arguments (numbers, names, or _ for any), a capability, or an absolute path
    #[arg(value_name = "WHAT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) what: String,
    /// A policy, the directory that learn generate wrote, or a recording
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// For people, or for programs (docs/diff.md)
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Report::Text)]
    pub(crate) format: Report,
    /// Which differences end with 1
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = FailOn::Any)]
    pub(crate) fail_on: FailOn,
    /// How closely the rules fit what was seen, when a side is a recording
    #[arg(long, value_enum, value_name = "TIGHTNESS", default_value_t = Fit::Balanced)]
    pub(crate) tightness: Fit,
    /// Leave out the differences that this file accepts, each with a reason and until a day (docs/diff.md)
    #[arg(long, value_name = "FILE")]
    pub(crate) accept: Option<PathBuf>,
    /// The day, for what is accepted until one [default: today, UTC]
    #[arg(long, value_name = "YYYY-MM-DD", requires = "accept")]
    pub(crate) today: Option<String>,
    /// Tell whether NEW lies within OLD, and what exceeds it
    #[arg(long, value_name = "OLD")]
    pub(crate) subset_of: Option<OsString>,
    /// Both sides: a directory of profiles, a policy, a recording, a seccomp profile, capabilities, an OCI config.json, an
    /// AppArmor profile, or docker-default, podman-default, runtime-default
    #[arg(required = true, num_args = 1..=2, value_names = ["OLD", "NEW"])]
    pub(crate) sides: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Report {
    Text,
    Json,
    /// For a comment on a change
    Markdown,
    /// For code scanning
    Sarif,
    /// For a list of test results
    Junit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Any difference
    Any,
    /// Those by which more is allowed
    Widened,
    /// Those by which more is allowed that matters much
    #[value(name = "risk:high")]
    RiskHigh,
    /// Those by which more is allowed that matters
    #[value(name = "risk:medium")]
    RiskMedium,
    /// None
    Never,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Where the report for programs goes (docs/report.md)
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Where the recording goes that heals what was refused: generate from it and the first recordings together
    #[arg(long, value_name = "FILE", conflicts_with = "minimise")]
    pub(crate) amend: Option<PathBuf>,
    /// Drop the rules that CMD does not need, each drop proved by running CMD again; CMD must do the same each time
    #[arg(long, requires = "output", visible_alias = "minimize")]
    pub(crate) minimise: bool,
    /// The directory for the minimised profiles; never DIR
    #[arg(short, long, value_name = "NEW", requires = "minimise")]
    pub(crate) output: Option<PathBuf>,
    /// A line for the shell that is run before each run of CMD, under no profile, so that CMD finds the same each time
    #[arg(long, value_name = "LINE", requires = "minimise")]
    pub(crate) prepare: Option<OsString>,
    /// At most so many runs of CMD
    #[arg(long, value_name = "N", requires = "minimise", default_value_t = 100)]
    pub(crate) budget: u64,
    /// Drop rules too without which CMD is refused something and ends as before
    #[arg(long, requires = "minimise")]
    pub(crate) tolerate_refusals: bool,
    /// The directory that `learn generate` wrote
    #[arg(value_name = "DIR")]
    pub(crate) profiles: PathBuf,
    /// The command to run, after --
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// For people, or for programs (docs/doctor.md)
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// `K=V` with a key.
fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected K=V, as in release=1.4".to_owned()),
    }
}

/// What the help of a verb, and its manual page, say besides its options.
pub(crate) struct More {
    /// The verb, or nothing for learn itself.
    pub(crate) verb: &'static str,
    /// Command lines.
    pub(crate) examples: &'static [&'static str],
    /// What its status is when all is well.
    pub(crate) status: &'static str,
    /// How else it can end.
    pub(crate) conditions: &'static [Condition],
}

const ZERO: &str = "0 when all is well";
const OF_COMMAND: &str = "CMD's own status when all is well, 128+n when signal n ended it";

/// One row a verb that the help shows, and one for learn itself.
pub(crate) const MORE: [More; 10] = [
    More {
        verb: "",
        examples: &[
            "learn record -o nginx.jsonl -- ./test-suite",
            "learn generate nginx.jsonl -o profile",
            "learn verify profile -- ./test-suite",
        ],
        status: "0, or CMD's own status (128+n when signal n ended it), when all is well",
        conditions: &Condition::ALL,
    },
    More {
        verb: "record",
        examples: &[
            "learn record -o tests.jsonl --unit api --label release=1.4 -- make test",
            "learn record -o nginx.jsonl -- docker run --rm nginx",
            "learn record -o app.jsonl --container web,db -- ./test-suite",
            "learn record -o app.jsonl --until-quiet 5 -- ./random-requests",
        ],
        status: OF_COMMAND,
        conditions: &[
            Condition::Incomplete,
            Condition::Unavailable,
            Condition::Input,
            Condition::Output,
            Condition::System,
            Condition::NotExecutable,
            Condition::NotFound,
        ],
    },
    More {
        verb: "mark",
        examples: &["learn mark test_login", "learn mark --phase serving"],
        status: "0 when the mark is in effect, or nothing is recorded (LEARN_SOCKET is not set)",
        conditions: &[Condition::Unavailable, Condition::Input],
    },
    More {
        verb: "merge",
        examples: &["learn merge -o all.jsonl.zst monday.jsonl tuesday.jsonl"],
        status: ZERO,
        conditions: &[Condition::Input, Condition::Output],
    },
    More {
        verb: "show",
        examples: &[
            "learn show tests.jsonl",
            "learn show --format json tests.jsonl | jq .calls",
            "learn show --graph svg tests.jsonl >programs.svg",
        ],
        status: ZERO,
        conditions: &[Condition::Input, Condition::Output],
    },
    More {
        verb: "generate",
        examples: &[
            "learn generate tests.jsonl load.jsonl -o profile --name web",
            "learn generate tests.jsonl -o profile --emit bpf",
        ],
        status: ZERO,
        conditions: &[Condition::Incomplete, Condition::Input, Condition::Output],
    },
    More {
        verb: "explain",
        examples: &[
            "learn explain 'socket(AF_INET, SOCK_STREAM)' profile",
            "learn explain CAP_CHOWN profile/policy.json",
            "learn explain /etc/passwd tests.jsonl",
        ],
        status: ZERO,
        conditions: &[Condition::Input, Condition::Output],
    },
    More {
        verb: "diff",
        examples: &[
            "learn diff profile-1.4 profile-1.5",
            "learn diff --format markdown --fail-on widened committed/policy.json tests.jsonl",
            "learn diff --subset-of runtime-default profile",
        ],
        status: "0 when nothing differs, or nothing that --fail-on names; 1 when something does; 2 when a side can not be read",
        conditions: &[],
    },
    More {
        verb: "verify",
        examples: &[
            "learn verify --report report.json profile -- make test",
            "learn verify --amend more.jsonl profile -- make test",
            "learn verify --minimise -o smaller --prepare 'rm -rf out' profile -- make test",
        ],
        status: OF_COMMAND,
        conditions: &[
            Condition::Denied,
            Condition::Unavailable,
            Condition::Input,
            Condition::Output,
            Condition::System,
            Condition::NotExecutable,
            Condition::NotFound,
        ],
    },
    More {
        verb: "doctor",
        examples: &["learn doctor", "sudo learn doctor"],
        status: ZERO,
        conditions: &[Condition::Unavailable, Condition::Input, Condition::Output],
    },
];

impl More {
    fn text(&self) -> String {
        let mut text =
            String::from(if self.examples.len() == 1 { "Example:" } else { "Examples:" });
        for example in self.examples {
            text.push_str(&format!("\n  {example}"));
        }
        text.push_str(&format!("\n\nExit status:\n  {}", self.status));
        for condition in self.conditions {
            text.push_str(&format!("\n  {}  {}", condition.code(), condition.meaning()));
        }
        text
    }
}

/// The command line, with all that its help says.
pub(crate) fn command() -> clap::Command {
    let mut command = Cli::command();
    for more in &MORE {
        command = if more.verb.is_empty() {
            command.after_help(more.text())
        } else {
            command.mut_subcommand(more.verb, |verb| verb.after_help(more.text()))
        };
    }
    command
}

/// Reads the process's command line.
pub(crate) fn parse() -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(&command().try_get_matches()?)
}

/// Answers a command line that asks for help, or can't be used.
pub(crate) fn answer(error: &clap::Error) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let written = write!(anstream::stdout(), "{}", error.render().ansi());
            ui::written(written).map_or_else(|failure| failure.condition.into(), |()| Exit::Success)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _nobody_reads = write!(anstream::stderr(), "{}", error.render().ansi());
            Condition::Input.into()
        }
        _ => {
            let verb = verb_of(std::env::args_os().skip(1));
            ui::complain(&one_line(&error.render().to_string(), verb));
            match verb {
                Some("diff") => Exit::Status(crate::commands::TROUBLE),
                _ => Condition::Input.into(),
            }
        }
    }
}

/// clap's message without its layout: what is wrong, and where the help is.
fn one_line(message: &str, verb: Option<&str>) -> String {
    let what = message.strip_prefix("error: ").unwrap_or(message);
    let what = what.split("\n\nUsage: ").next().unwrap_or(what);
    let what = what.split("\n\nFor more information").next().unwrap_or(what);
    let words: Vec<&str> = what.split_whitespace().collect();
    let verb = verb.map_or_else(String::new, |verb| format!(" {verb}"));
    format!("{}; see learn{verb} --help", words.join(" "))
}

/// The verb of a command line that can't be used.
fn verb_of(words: impl Iterator<Item = OsString>) -> Option<&'static str> {
    let mut words = words.take_while(|word| word != "--");
    words.find_map(|word| MORE.iter().map(|more| more.verb).find(|verb| word == **verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_verb_that_is_shown_says_more() {
        for verb in command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let more = MORE.iter().find(|more| more.verb == verb.get_name()).unwrap();
            assert!(more.examples.iter().all(|line| line.contains(more.verb)), "{}", more.verb);
        }
    }

    #[test]
    fn a_complaint_is_one_line() {
        let error = command().try_get_matches_from(["learn", "merge", "x"]).unwrap_err();
        let line = one_line(&error.render().to_string(), Some("merge"));
        assert!(
            line.contains("--output <OUT>") && line.ends_with("; see learn merge --help"),
            "{line}"
        );
        assert!(!line.contains('\n'));
    }
}
