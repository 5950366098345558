//! `learn verify`

use std::io::Write;
use std::path::Path;

use tracer::recording::write_file;
use tracer::session::CommandEnd;
use tracer::whole::WholeFile;
use verifier::{Denial, Near, Options, Report};

use super::{json, minimise, unwritable};
use crate::cli::Verify;
use crate::exit::{Condition, Exit, Failure};
use crate::ui::Ui;
use crate::ui::table::table;
use crate::ui::text::count;

/// All that a report can name as enforced (docs/report.md).
const ENFORCEABLE: [&str; 3] = ["capabilities", "programs", "seccomp"];
const REMEDY: &str = "choose another place with --report";

/// Runs the command under profiles.
pub(crate) fn run(args: &Verify, ui: Ui) -> Result<Exit, Failure> {
    if let Some(path) = &args.report {
        WholeFile::check(path).map_err(unwritable(path, REMEDY))?;
    }
    let options = Options { profiles: args.profiles.clone(), command: args.command.clone() };
    if let Some(output) = args.output.as_ref().filter(|_| args.minimise) {
        return minimise::run(args, &options, output, ui);
    }
    let report = match &args.amend {
        None => verifier::verify(&options)?,
        Some(path) => {
            WholeFile::check(path)
                .map_err(unwritable(path, "choose another place with --amend"))?;
            let (report, recording) = verifier::verify_and_amend(&options)?;
            write_file(path, &recording)?;
            report
        }
    };
    if let Some(path) = &args.report {
        write(path, &report)?;
    }
    conclude(&report, ui)
}

pub(super) fn write(path: &Path, report: &Report) -> Result<(), Failure> {
    let fail = unwritable(path, REMEDY);
    let mut file = WholeFile::create(path).map_err(&fail)?;
    file.write_all(&json(report)?).map_err(&fail)?;
    file.finish().map_err(&fail)
}

/// Says what was refused, which is never passed over.
fn conclude(report: &Report, ui: Ui) -> Result<Exit, Failure> {
    for note in &report.notes {
        ui.detail(note);
    }
    let enforced = enforced(report);
    if report.denials.is_empty() && report.apparmor.is_empty() {
        ui.say(&format_args!("nothing was refused; enforced: {enforced}; CMD: {}", report.end));
        return Ok(Exit::Command(end(&report.end)?));
    }
    let rows = report.denials.iter().map(|denial| {
        vec![
            denial.count.to_string(),
            refused(denial),
            denial.errno.clone(),
            denial.abi.to_string(),
            denial.program.escaped().into_owned(),
            denial.near.as_ref().map_or_else(String::new, place),
        ]
    });
    if !report.denials.is_empty() {
        ui.table(&table(&["count", "call", "answer", "abi", "program", "rule"], rows));
    }
    for denial in &report.denials {
        explain(denial, ui);
    }
    let rows = report.apparmor.iter().map(|refusal| {
        vec![
            refusal.count.to_string(),
            format!("{} {}", refusal.operation, refusal.object.escaped()),
            refusal.denied.clone(),
            refusal.rule.clone().unwrap_or_default(),
            refusal.program.escaped().into_owned(),
        ]
    });
    if !report.apparmor.is_empty() {
        ui.table(&table(&["count", "AppArmor", "refused", "rule that allows it", "program"], rows));
    }
    let refused: u64 = (report.denials.iter().map(|denial| denial.count))
        .chain(report.apparmor.iter().map(|refusal| refusal.count))
        .sum();
    let calls = count(usize::try_from(refused).unwrap_or(usize::MAX), "call");
    Err(Failure::because(
        Condition::Denied,
        format_args!(
            "{calls} refused, of {}; enforced: {enforced}; CMD: {}; where CMD needs them, record a run that makes them and generate again",
            count(report.denials.len() + report.apparmor.len(), "kind"),
            report.end
        ),
    ))
}

/// What was refused: a call, or a capability for one.
fn refused(denial: &Denial) -> String {
    match &denial.capability {
        Some(capability) if denial.call.is_empty() => capability.clone(),
        Some(capability) => format!("{capability} for {}", denial.call),
        None => format!("{}({})", denial.call, denial.arguments),
    }
}

/// The nearest rule's place; its file alone where no line is the rule's.
fn place(near: &Near) -> String {
    match near.line {
        0 => near.file.clone(),
        line => format!("{}:{line}", near.file),
    }
}

/// What led to a refusal, and what would allow it, for whoever wants to know more.
fn explain(denial: &Denial, ui: Ui) {
    let by: Vec<_> = denial.ancestors.iter().map(|program| program.escaped()).collect();
    let by =
        if by.is_empty() { String::new() } else { format!(", run by {}", by.join(", run by ")) };
    let near = denial.near.as_ref();
    let why = near.map_or_else(String::new, |near| format!("; {}: {}", place(near), near.why));
    ui.detail(&format_args!(
        "{} of {}{by}{why}; allowed by {}",
        refused(denial),
        denial.program.escaped(),
        denial.allow
    ));
}

/// What was enforced, and what was not though it can be.
fn enforced(report: &Report) -> String {
    let enforced: Vec<&str> = report.enforced.iter().map(String::as_str).collect();
    let missing: Vec<&str> =
        ENFORCEABLE.into_iter().filter(|kind| !report.enforced.contains(*kind)).collect();
    let mut text = enforced.join(", ");
    if !missing.is_empty() {
        text.push_str(&format!("; NOT enforced: {} (-v says why)", missing.join(", ")));
    }
    text
}

/// How the command ended, from the report's words for it.
pub(super) fn end(words: &str) -> Result<CommandEnd, Failure> {
    let end = match words.split_once(' ') {
        Some(("exit", code)) => code.parse().ok().map(CommandEnd::Code),
        Some(("signal", signal)) => signal.parse().ok().map(CommandEnd::Signal),
        _ => None,
    };
    end.ok_or_else(|| {
        Failure::because(
            Condition::System,
            format_args!("how CMD ended is not clear: {words:?}, expected `exit N` or `signal N`"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(denials: Vec<verifier::Denial>) -> Report {
        Report {
            format: verifier::report::FORMAT.to_owned(),
            version: verifier::report::VERSION,
            command: vec!["/bin/greet".into()],
            enforced: ["capabilities", "seccomp"].map(str::to_owned).into(),
            end: "exit 9".to_owned(),
            denials,
            apparmor: Vec::new(),
            notes: Default::default(),
        }
    }

    fn denial() -> verifier::Denial {
        verifier::Denial {
            program: "/bin/greet".into(),
            abi: tracer::abi::Abi::X86_64,
            call: "socket".to_owned(),
            arguments: "AF_ALG".to_owned(),
            errno: "EPERM".to_owned(),
            kind: verifier::Kind::Call,
            capability: None,
            ancestors: vec!["/bin/sh".into()],
            near: None,
            allow: String::new(),
            count: 3,
        }
    }

    fn quiet() -> Ui {
        Ui::new(&crate::cli::Global { color: crate::cli::Color::Auto, quiet: true, verbose: false })
    }

    #[test]
    fn a_denial_hides_the_status_of_the_command_and_nothing_else_does() {
        let failure = conclude(&report(vec![denial()]), quiet()).unwrap_err();
        assert_eq!(failure.condition, Condition::Denied);
        let line = failure.error.to_string();
        assert!(
            line.starts_with("3 calls refused, of 1 kind; enforced: capabilities, seccomp; NOT "),
            "{line}"
        );
        let exit = conclude(&report(vec![]), quiet()).unwrap();
        assert_eq!(exit, Exit::Command(CommandEnd::Code(9)));
    }

    #[test]
    fn what_is_not_enforced_is_named() {
        let mut report = report(vec![]);
        let text = "capabilities, seccomp; NOT enforced: programs (-v says why)";
        assert_eq!(enforced(&report), text);
        report.enforced.insert("programs".to_owned());
        assert_eq!(enforced(&report), "capabilities, programs, seccomp");
    }

    #[test]
    fn the_report_appears_whole() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("report");
        write(&path, &report(vec![denial()])).unwrap();
        let read: Report = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(read, report(vec![denial()]));
        assert_eq!(std::fs::read_dir(room.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_end_of_the_command_is_read_back() {
        assert_eq!(end("exit 9").unwrap(), CommandEnd::Code(9));
        assert_eq!(end("signal 11").unwrap(), CommandEnd::Signal(11));
        for words in ["", "exit", "exit x", "stopped 3"] {
            assert_eq!(end(words).unwrap_err().condition, Condition::System, "{words}");
        }
    }
}
