//! `learn record`

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use learner::replay::Replay;
use tracer::container::{Invocation, Verb};
use tracer::recording::{WriteError, write_file};
use tracer::session::{CommandEnd, Options, Outcome, RecordError};
use tracer::whole::WholeFile;
use tracer::{ebpf, part, ptrace};

use crate::cli::{Backend, Record};
use crate::exit::{Condition, Exit, Failure};
use crate::project;
use crate::ui::Ui;
use crate::ui::progress::Progress;
use crate::ui::text::count;

/// Runs the command and writes what it did.
pub(crate) fn run(args: &Record, ui: Ui) -> Result<Exit, Failure> {
    let output =
        args.output.clone().unwrap_or_else(|| default_output(&args.command, &args.containers));
    // A long training run is not to end with nowhere to write.
    WholeFile::check(&output).map_err(|source| WriteError { path: output.clone(), source })?;
    let options = Options {
        command: args.command.clone(),
        unit: args.unit.clone(),
        socket: args.socket.clone(),
        every_call: args.every_call,
        labels: labels(&args.labels)?,
        part: Some(part::path_of(&output)),
    };
    let outcome = match args.until_quiet {
        None => once(args, &options, ui)?,
        Some(quiet) => until_quiet(args, &options, quiet, ui)?,
    };
    write_file(&output, &outcome.recording)?;
    // Now that it is whole; short recordings never had one.
    match std::fs::remove_file(part::path_of(&output)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => ui.say(&format_args!(
            "{} is left over and can be removed: {error}",
            part::path_of(&output).display()
        )),
        _ => {}
    }
    conclude(&outcome, &output, ui)
}

/// Runs the command, or follows containers, once.
fn once(args: &Record, options: &Options, ui: Ui) -> Result<Outcome, Failure> {
    if !args.containers.is_empty() || starts_container(&options.command) {
        observe_containers(args, options, ui)
    } else {
        Ok(observe(args.backend, options, ui)?)
    }
}

/// Repeats the command, each time a run of its own, which is a unit, until enough of them in a row needed nothing that those before
/// had not. Ends sooner when the command fails or something is missing: what follows would tell of that.
fn until_quiet(args: &Record, options: &Options, quiet: u32, ui: Ui) -> Result<Outcome, Failure> {
    let settings = project::settings(None)?;
    let learning = learner::Options { settings, ..learner::Options::default() };
    let mut all = once(args, options, ui)?;
    let mut in_a_row = 0;
    let mut times = 1_u32;
    while in_a_row < quiet {
        if !all.recording.complete() || all.end != CommandEnd::Code(0) {
            return Ok(all);
        }
        let policy = learner::learn(&all.recording, &learning);
        let next = once(args, options, ui)?;
        let new = Replay::of(&policy).refused(&next.recording).len();
        all.recording.join(&next.recording);
        all.end = next.end;
        times += 1;
        in_a_row = if new == 0 { in_a_row + 1 } else { 0 };
        ui.say(&format_args!(
            "run {times}: {}",
            if new == 0 { "nothing new".to_owned() } else { count(new, "new fact") }
        ));
    }
    Ok(all)
}

/// Runs the command under a backend.
fn observe(backend: Backend, options: &Options, ui: Ui) -> Result<Outcome, RecordError> {
    let ready = match backend {
        Backend::Ptrace => None,
        Backend::Ebpf => Some(ebpf::ready(options)?),
        Backend::Auto => match ebpf::ready(options) {
            Err(error @ RecordError::Unavailable { .. }) => {
                ui.say(&format_args!("recording by ptrace: {error}"));
                None
            }
            ready => Some(ready?),
        },
    };
    ui.detail(&format_args!("recording by {}", if ready.is_some() { "eBPF" } else { "ptrace" }));
    let mut progress = Progress::start(ui);
    let mut show = |status: &_| progress.show(status);
    match ready {
        Some(ready) => ready.record(options, &mut show),
        None => ptrace::record(options, &mut show),
    }
}

/// The command makes processes in a container, where the engine is what starts them.
fn starts_container(command: &[OsString]) -> bool {
    Invocation::read(command).is_some_and(|invocation| invocation.verb != Verb::Create)
}

/// Runs the command, if there is one, and records containers.
fn observe_containers(args: &Record, options: &Options, ui: Ui) -> Result<Outcome, Failure> {
    if args.backend == Backend::Ptrace {
        return Err(Failure::because(
            Condition::Input,
            "the ptrace backend can't follow what a container engine starts; leave --backend out, or run learn inside of the container",
        ));
    }
    ui.detail(&"recording by eBPF");
    let mut progress = Progress::start(ui);
    let mut show = |status: &_| progress.show(status);
    Ok(ebpf::record_containers(options, &args.containers, &mut show)?)
}

/// Says what there is now; an incomplete recording is never passed over.
fn conclude(outcome: &Outcome, output: &Path, ui: Ui) -> Result<Exit, Failure> {
    let recording = &outcome.recording;
    let (calls, files) = recording.calls_and_files();
    let known = format!(
        "{} ({} and {})",
        count(recording.len(), "fact"),
        count(calls, "call"),
        count(files, "file")
    );
    let output = output.display();
    for end in recording.completions.values() {
        for note in &end.notes {
            ui.detail(note);
        }
    }
    if recording.complete() {
        ui.say(&format_args!("{known}, complete, written to {output}"));
        return Ok(Exit::Command(outcome.end));
    }
    let why: Vec<String> = recording.incomplete_because().into_iter().collect();
    Err(Failure::because(
        Condition::Incomplete,
        format_args!(
            "{known}, INCOMPLETE ({}), written to {output}; record again, or make profiles of it with --allow-incomplete",
            why.join("; ")
        ),
    ))
}

/// In the current directory, named after the program, or after the first container.
fn default_output(command: &[OsString], containers: &[String]) -> PathBuf {
    let program = command.first().and_then(|word| Path::new(word).file_name());
    let container = containers.first().map(OsStr::new);
    let mut name = container.or(program).unwrap_or(OsStr::new("recording")).to_owned();
    name.push(".learn.jsonl");
    name.into()
}

fn labels(given: &[(String, String)]) -> Result<BTreeMap<String, String>, Failure> {
    let mut labels = BTreeMap::new();
    for (key, value) in given {
        if labels.insert(key.clone(), value.clone()).is_some_and(|known| known != *value) {
            return Err(Failure::because(
                Condition::Input,
                format_args!("--label {key} has two values; give it one"),
            ));
        }
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_named_after_its_program() {
        let name = |command: &str| default_output(&[command.into()], &[]);
        assert_eq!(name("/usr/sbin/nginx"), Path::new("nginx.learn.jsonl"));
        assert_eq!(name(".."), Path::new("recording.learn.jsonl"));
        let web = default_output(&["make".into()], &["web".to_owned()]);
        assert_eq!(web, Path::new("web.learn.jsonl"));
    }

    #[test]
    fn clients_that_start_something_in_a_container_are_told() {
        let starts =
            |line: &str| starts_container(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        for line in ["docker run x", "podman start x", "docker container exec x ls"] {
            assert!(starts(line), "{line}");
        }
        for line in ["docker create x", "docker ps", "make run"] {
            assert!(!starts(line), "{line}");
        }
    }

    #[test]
    fn a_label_has_one_value() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(labels(&[pair("a", "1"), pair("b", "2"), pair("a", "1")]).unwrap().len(), 2);
        assert!(labels(&[pair("a", "1"), pair("a", "2")]).is_err());
    }
}
