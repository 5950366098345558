//! What is given, read as what it allows.
//!
//! - [`apparmor`]: AppArmor profiles
//! - [`directory`]: what `learn generate` wrote, and perhaps somebody has edited
//! - [`foreign`]: what others say of a container or a service

mod apparmor;
mod directory;
mod foreign;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use learner::Policy;
use learner::drift::side::{Kind, Side, Why};
use profile_emit::capabilities::Capabilities;
use profile_emit::defaults;
use profile_emit::seccomp::Profile;
use profile_emit::seccomp::meaning::{Context, planes, unread};
use serde_json::Value;
use tracer::recording::read_all;

use super::super::{RECORDING, unusable};
use crate::cli::Diff;
use crate::exit::{Condition, Failure};
use crate::project;

/// Docker's entries that count from some kernel on are judged for this one.
const KERNEL: (u32, u32) = (6, 1);
/// And for this architecture, as Go names it.
const ARCHITECTURE: &str = "amd64";

/// A side with its name.
pub(super) struct Named {
    pub(super) name: String,
    /// What it was read as.
    pub(super) form: String,
    pub(super) side: Side,
    /// What it says besides, that is not compared.
    pub(super) notes: Vec<String>,
}

/// A side as it is read: part by part.
#[derive(Default)]
struct Reading {
    form: &'static str,
    side: Side,
    notes: Vec<String>,
}

/// Reads a side: the name of an engine's defaults, a directory of profiles, or a file.
pub(super) fn read(given: &OsStr, args: &Diff) -> Result<Named, Failure> {
    let reading = match given.to_str() {
        Some(text) => match engine(text).transpose()? {
            None => foreign::command_line(text).transpose()?,
            engine => engine,
        },
        None => None,
    };
    let path = Path::new(given);
    let reading = match reading {
        Some(reading) => reading,
        None if path.is_dir() => directory::read(path)?,
        None => match foreign::manifest(path)? {
            Some(reading) => reading,
            None => file(path, args)?,
        },
    };
    let Reading { form, side, notes } = reading;
    let name = given.to_string_lossy().into_owned();
    let notes = notes.into_iter().map(|note| format!("{name}: {note}")).collect();
    Ok(Named { name, form: form.to_owned(), side, notes })
}

fn engine(name: &str) -> Option<Result<Reading, Failure>> {
    let default = defaults::named(name)?;
    let side = default.side(ARCHITECTURE, KERNEL).map_err(|e| unusable(Path::new(name), &e));
    Some(side.map(|side| Reading { form: default.source, side, notes: Vec::new() }))
}

/// A file that says itself what it is.
fn file(path: &Path, args: &Diff) -> Result<Reading, Failure> {
    let given = path.to_string_lossy();
    let (path, name) = match given.rsplit_once('#') {
        Some((file, name)) if !path.exists() => (Path::new(file), Some(name)),
        _ => (path, None),
    };
    let text = contents(path)?;
    // The reader of recordings knows compressed ones too, and says what is wrong with anything else.
    let value = (!text.starts_with(RECORDING)).then(|| serde_json::from_slice::<Value>(&text));
    let Some(Ok(value)) = value else {
        if value.is_some() && (name.is_some() || apparmor::looks_like_one(&text)) {
            return apparmor::reading(path, &text, name);
        }
        let recording = read_all(&[PathBuf::from(path)])?;
        let settings = project::settings(None)?;
        let tightness = args.tightness.into();
        let options = learner::Options { tightness, settings, ..learner::Options::default() };
        let side = Side::of(&learner::learn(&recording, &options));
        return Ok(Reading { form: "recording", side, notes: Vec::new() });
    };
    let mut reading = Reading::default();
    if value.get("format").is_some() {
        let side = Side::of(&policy(path, &text)?);
        return Ok(Reading { form: "policy", side, notes: Vec::new() });
    }
    if value.get("defaultAction").is_some() {
        reading.form = "seccomp profile";
        reading.seccomp(path, Profile::from_json(&text))?;
    } else if value.get("ociVersion").is_some() {
        reading.form = "OCI configuration";
        // runtime-spec, config.md: the bounding set is what a program can ever have.
        let bounding = value.pointer("/process/capabilities/bounding").and_then(Value::as_array);
        let names = bounding.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        reading.capabilities(names);
        match value.pointer("/linux/seccomp") {
            Some(seccomp) => reading.seccomp(path, serde_json::from_value(seccomp.clone()))?,
            None => reading.unconfined(),
        }
    } else if value.get("add").is_some() || value.get("drop").is_some() {
        reading.form = "capabilities";
        let read = Capabilities::from_json(&text).map_err(|e| unusable(path, &e))?;
        reading.capabilities(read.added());
    } else {
        return Err(unusable(
            path,
            &"expected a recording, a policy, a seccomp profile, capabilities, an OCI config.json or an AppArmor profile",
        ));
    }
    Ok(reading)
}

impl Reading {
    fn capabilities(&mut self, names: impl Iterator<Item = String>) {
        let set = self.side.sets.entry(Kind::Capability).or_default();
        set.extend(names.map(|name| (name, Why::default())));
    }

    /// The calls of a seccomp profile, as it is for the capabilities that are known by now.
    fn seccomp(
        &mut self,
        path: &Path,
        profile: Result<Profile, serde_json::Error>,
    ) -> Result<(), Failure> {
        let profile = profile.map_err(|e| unusable(path, &e))?;
        let own = self.side.sets.get(&Kind::Capability);
        let capabilities: BTreeSet<String> =
            own.map(|set| set.keys().cloned().collect()).unwrap_or_default();
        let context =
            Context { capabilities, architecture: ARCHITECTURE.to_owned(), kernel: KERNEL };
        self.side.calls = Some(planes(&profile, &context).map_err(|e| unusable(path, &e))?);
        self.notes.extend(unread(&profile));
        Ok(())
    }

    /// No filter at all.
    fn unconfined(&mut self) {
        self.side.calls = Some(profile_emit::seccomp::meaning::unconfined());
    }
}

fn policy(path: &Path, text: &[u8]) -> Result<Policy, Failure> {
    Policy::from_json(text).map_err(|e| unusable(path, &e))
}

fn contents(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        let names: Vec<&str> = defaults::TABLE.iter().map(|row| row.name).collect();
        Failure::because(
            Condition::Input,
            format_args!(
                "read {}: {error}; give a file, a directory, or one of {}",
                path.display(),
                names.join(", ")
            ),
        )
    })
}
