//! `learn generate`

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use learner::Policy;
use profile_emit::apparmor::{Child, Mode};
use profile_emit::bundle::{self, Bundle};
use tracer::abi::{Abi, calls};
use tracer::recording::{ByteString, Recording, read_all};

use crate::cli::{Emit, Generate};
use crate::exit::{Condition, Exit, Failure};
use crate::project;
use crate::ui::Ui;
use crate::ui::text::count;

/// Learns a policy and writes its profiles.
pub(crate) fn run(args: &Generate, ui: Ui) -> Result<Exit, Failure> {
    let mut recording = read_all(&args.files)?;
    choose(&mut recording, args, ui)?;
    if !recording.complete() {
        let why: Vec<String> = recording.incomplete_because().into_iter().collect();
        let why = why.join("; ");
        if !args.allow_incomplete {
            return Err(Failure::because(
                Condition::Incomplete,
                format_args!(
                    "no profiles are made, since the recording is incomplete ({why}); record again, or give --allow-incomplete"
                ),
            ));
        }
        ui.say(&format_args!("rules will be missing: the recording is incomplete ({why})"));
    }
    let options = learner::Options {
        name: args.name.clone().unwrap_or_else(|| default_name(&args.files[0])),
        tightness: args.tightness.into(),
        origins: args.origins(),
        settings: project::settings(args.project.as_deref())?,
        programs: None,
    };
    let policy = Arc::new(learner::learn(&recording, &options));
    // What comes now needs as much again, and only child profiles are learned from it once more.
    let recording = args.domains.is_some().then_some(recording);
    let mut made = bundle::bundle(Arc::clone(&policy));
    if args.emit.contains(&Emit::Bpf) {
        made.add_bpf(&policy).map_err(|error| {
            Failure::because(
                Condition::Input,
                format_args!("no {} is made: {error}; generate without --emit bpf", bundle::BPF),
            )
        })?;
    }
    let (own, children) = match (&args.domains, &recording) {
        (Some(programs), Some(recording)) => domains(recording, &options, &policy, programs, ui)?,
        _ => (None, Vec::new()),
    };
    let mode = if args.complain { Mode::Complain } else { Mode::Enforce };
    if args.complain || !children.is_empty() {
        made.confine(own.as_ref().unwrap_or(&policy), &children, mode);
    }
    if args.complain {
        ui.say(&format_args!("{} only complains: it refuses nothing", bundle::APPARMOR));
    }
    made.write(&args.output)?;
    report(&policy, &made, &args.output, ui);
    Ok(Exit::Success)
}

/// The policy of the profile itself when it is another, and those of the programs that get profiles of their own.
fn domains(
    recording: &Recording,
    options: &learner::Options,
    policy: &Policy,
    programs: &[OsString],
    ui: Ui,
) -> Result<(Option<Policy>, Vec<Child>), Failure> {
    let found = learner::domains::of(policy);
    let chosen = match programs {
        [] => found.outermost(),
        programs => programs.iter().map(|p| ByteString::from(p.as_bytes())).collect(),
    };
    let shares = learner::domains::shares(policy, &chosen);
    if !programs.is_empty() && !shares.unreached.is_empty() {
        let names: Vec<String> = shares.unreached.iter().map(ToString::to_string).collect();
        return Err(Failure::because(
            Condition::Input,
            format_args!(
                "{} can have no profile of its own: no program that stays under the profile itself runs it; learn show lists who runs whom",
                names.join(", ")
            ),
        ));
    }
    if shares.children.is_empty() {
        ui.say(&"no program would gain by a profile of its own: --domains changes nothing");
        return Ok((None, Vec::new()));
    }
    let learn = |programs| {
        learner::learn(recording, &learner::Options { programs: Some(programs), ..options.clone() })
    };
    // Whoever is in nobody's share, the launcher among them, stays where it was.
    let elsewhere =
        |domain: &&ByteString| !shares.children.values().any(|all| all.contains(*domain));
    let all = recording.sorted();
    let rest = all.iter().map(|(fact, _)| &fact.domain).filter(elsewhere).cloned();
    let own = learn(shares.own.iter().cloned().chain(rest).collect());
    let children: Vec<Child> = shares
        .children
        .iter()
        .map(|(program, all)| Child { program: program.clone(), policy: learn(all.clone()) })
        .collect();
    let names: Vec<String> = children.iter().map(|child| child.program.to_string()).collect();
    ui.say(&format_args!("child profiles for {}", names.join(", ")));
    Ok((Some(own), children))
}

/// Keeps the runs that are asked for.
fn choose(recording: &mut Recording, args: &Generate, ui: Ui) -> Result<(), Failure> {
    let wanted = args.wanted();
    if wanted.is_empty() {
        let containers = recording.labels("container");
        if containers.len() > 1 {
            let names: Vec<&str> = containers.iter().map(String::as_str).collect();
            ui.say(&format_args!(
                "one profile for {}: each may do what any of them does; --container NAME makes one of its own",
                names.join(", ")
            ));
        }
        return Ok(());
    }
    recording.keep_labelled(&wanted);
    if recording.runs.is_empty() {
        let wanted: Vec<String> =
            wanted.iter().map(|(key, value)| format!("{key}={value}")).collect();
        return Err(Failure::because(
            Condition::Input,
            format_args!(
                "no run in the recording has the label {}; learn show lists them",
                wanted.join(" and ")
            ),
        ));
    }
    Ok(())
}

/// A few lines for whoever made it.
fn report(policy: &Policy, made: &Bundle, output: &Path, ui: Ui) {
    let allowed: BTreeSet<_> = policy.calls.iter().map(|r| (r.allow.abi, r.allow.nr)).collect();
    let limited = policy.calls.iter().filter(|rule| !rule.allow.when.is_empty()).count();
    let abis: BTreeSet<Abi> = allowed.iter().map(|(abi, _)| *abi).collect();
    let of: usize = abis.iter().map(|abi| calls::known(*abi)).sum();
    let capabilities: Vec<&str> =
        policy.capabilities.iter().map(|rule| rule.allow.name.as_str()).collect();
    let capabilities =
        if capabilities.is_empty() { "no capability".to_owned() } else { capabilities.join(", ") };
    ui.say(&format_args!(
        "allowed: {} of {of} system calls, {limited} of them with certain arguments only; {}; {}; {capabilities}",
        allowed.len(),
        count(policy.files.len(), "file rule"),
        count(policy.execs.len(), "program"),
    ));
    let notes: Vec<&String> = policy.notes.iter().chain(&made.notes).collect();
    for note in &notes {
        ui.detail(note);
    }
    let remarks = match notes.len() {
        0 => String::new(),
        n => format!(", with {}", count(n, "note")),
    };
    ui.say(&format_args!("written to {}; begin with README.md{remarks}", output.display()));
}

/// The file's name without the endings that recordings have.
fn default_name(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let mut name = name.as_ref();
    for ending in [".zst", ".jsonl", ".learn"] {
        name = name.strip_suffix(ending).filter(|rest| !rest.is_empty()).unwrap_or(name);
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_named_after_its_recording() {
        let name = |file| default_name(Path::new(file));
        assert_eq!(name("runs/nginx.learn.jsonl.zst"), "nginx");
        assert_eq!(name("nginx.jsonl"), "nginx");
        assert_eq!(name("nginx-1.24"), "nginx-1.24");
        assert_eq!(name(".jsonl"), ".jsonl");
    }
}
