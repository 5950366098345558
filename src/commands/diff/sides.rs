//! What is given, read as what it allows.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use learner::Policy;
use learner::drift::side::{Kind, Side, Why};
use profile_emit::capabilities::{Capabilities, foreign};
use profile_emit::seccomp::Profile;
use profile_emit::seccomp::meaning::{Context, planes};
use profile_emit::{bundle, defaults};
use serde_json::Value;
use tracer::container::{Client, Invocation};
use tracer::recording::read_all;

use super::super::{RECORDING, unusable};
use crate::cli::Diff;
use crate::exit::{Condition, Failure};

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
}

/// Reads a side: the name of an engine's defaults, a directory of profiles, or a file.
pub(super) fn read(given: &OsStr, args: &Diff) -> Result<Named, Failure> {
    let name = given.to_string_lossy().into_owned();
    let named = |form: &str, side| Named { name: name.clone(), form: form.to_owned(), side };
    if let Some(default) = given.to_str().and_then(defaults::named) {
        let side =
            default.side(ARCHITECTURE, KERNEL).map_err(|e| unusable(Path::new(given), &e))?;
        return Ok(named(default.source, side));
    }
    if let Some(side) = given.to_str().and_then(command_line) {
        return side.map(|side| named("options of a command line", side));
    }
    let path = Path::new(given);
    if path.is_dir() {
        return directory(path).map(|(form, side)| named(form, side));
    }
    if let Some((form, read)) = manifest(path)? {
        let mut side = Side::default();
        add(&mut side, read.map_err(|e| unusable(path, &e))?.into_iter());
        return Ok(named(form, side));
    }
    let text = contents(path)?;
    // The reader of recordings knows compressed ones too, and says what is wrong with anything else.
    let value = (!text.starts_with(RECORDING)).then(|| serde_json::from_slice::<Value>(&text));
    let Some(Ok(value)) = value else {
        let recording = read_all(&[PathBuf::from(path)])?;
        let options =
            learner::Options { tightness: args.tightness.into(), ..learner::Options::default() };
        return Ok(named("recording", Side::of(&learner::learn(&recording, &options))));
    };
    let (form, side) = document(path, &text, &value)?;
    Ok(named(form, side))
}

/// The capabilities of a command line of docker or podman that makes a container.
fn command_line(text: &str) -> Option<Result<Side, Failure>> {
    let words: Vec<OsString> = shlex::split(text)?.into_iter().map(OsString::from).collect();
    let invocation = Invocation::read(&words).filter(|invocation| invocation.verb.makes())?;
    let values = |name| -> Vec<String> {
        let all = invocation.values(name).map(|value| value.to_string_lossy().into_owned());
        // Docker takes several at once, as pflag's StringSlice does not; podman does (podman-run(1)).
        all.flat_map(|value| value.split(',').map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    let privileged = invocation.options.iter().any(|o| o.name == b"privileged" && o.is_on());
    let engine = match invocation.client {
        Client::Docker => &defaults::DOCKER,
        Client::Podman => &defaults::PODMAN,
    };
    let read = foreign::of_options(engine, privileged, &values("cap-add"), &values("cap-drop"));
    Some(read.map_err(|e| unusable(Path::new(text), &e)).map(|names| {
        let mut side = Side::default();
        add(&mut side, names.into_iter());
        side
    }))
}

type Read = Result<BTreeSet<String>, foreign::ForeignError>;

/// The capabilities of a file that is known by its ending: a compose file or a manifest, perhaps with `#` and a container's name
/// behind it, or a unit of systemd.
fn manifest(path: &Path) -> Result<Option<(&'static str, Read)>, Failure> {
    let given = path.to_string_lossy();
    let (file, name) = match given.rsplit_once('#') {
        Some((file, name)) if !path.exists() => (Path::new(file), Some(name)),
        _ => (path, None),
    };
    let form = match file.extension().and_then(OsStr::to_str) {
        Some("yml" | "yaml") => "compose file or manifest",
        Some("service") => "unit of systemd",
        _ => return Ok(None),
    };
    let text = contents(file)?;
    let text = String::from_utf8_lossy(&text);
    let read = if form.starts_with("unit") {
        foreign::of_unit(&text)
    } else {
        foreign::of_yaml(&text, name)
    };
    Ok(Some((form, read)))
}

/// The policy of a directory, or the profiles where there is none.
fn directory(path: &Path) -> Result<(&'static str, Side), Failure> {
    let policy = path.join(bundle::POLICY);
    if policy.exists() {
        return Ok(("policy", self::policy(&policy, &contents(&policy)?)?));
    }
    let mut side = Side::default();
    let capabilities = path.join(bundle::CAPABILITIES);
    if capabilities.exists() {
        let read = Capabilities::from_json(&contents(&capabilities)?);
        add(&mut side, read.map_err(|e| unusable(&capabilities, &e))?.added());
    }
    let seccomp = path.join(bundle::SECCOMP);
    if seccomp.exists() {
        let read = Profile::from_json(&contents(&seccomp)?);
        calls(&mut side, &seccomp, &read.map_err(|e| unusable(&seccomp, &e))?)?;
    }
    if side == Side::default() {
        return Err(Failure::because(
            Condition::Input,
            format_args!(
                "{}: neither {} nor {} nor {} is there; give a directory of profiles",
                path.display(),
                bundle::POLICY,
                bundle::SECCOMP,
                bundle::CAPABILITIES
            ),
        ));
    }
    Ok(("profiles", side))
}

/// A JSON document, by what is in it.
fn document(path: &Path, text: &[u8], value: &Value) -> Result<(&'static str, Side), Failure> {
    let mut side = Side::default();
    if value.get("format").is_some() {
        return Ok(("policy", policy(path, text)?));
    }
    if value.get("defaultAction").is_some() {
        let read = Profile::from_json(text).map_err(|e| unusable(path, &e))?;
        calls(&mut side, path, &read)?;
        return Ok(("seccomp profile", side));
    }
    if value.get("ociVersion").is_some() {
        // runtime-spec, config.md: the bounding set is what a program can ever have.
        let bounding = value.pointer("/process/capabilities/bounding").and_then(Value::as_array);
        let names = bounding.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        add(&mut side, names);
        if let Some(seccomp) = value.pointer("/linux/seccomp") {
            let read = serde_json::from_value(seccomp.clone());
            calls(&mut side, path, &read.map_err(|e| unusable(path, &e))?)?;
        }
        return Ok(("OCI configuration", side));
    }
    if value.get("add").is_some() || value.get("drop").is_some() {
        let read = Capabilities::from_json(text).map_err(|e| unusable(path, &e))?;
        add(&mut side, read.added());
        return Ok(("capabilities", side));
    }
    Err(unusable(
        path,
        &"expected a recording, a policy, a seccomp profile, capabilities or an OCI config.json",
    ))
}

fn policy(path: &Path, text: &[u8]) -> Result<Side, Failure> {
    Policy::from_json(text).map(|policy| Side::of(&policy)).map_err(|e| unusable(path, &e))
}

fn calls(side: &mut Side, path: &Path, profile: &Profile) -> Result<(), Failure> {
    let own = side.sets.get(&Kind::Capability);
    let context = Context {
        capabilities: own
            .map(|set| set.keys().cloned().collect::<BTreeSet<_>>())
            .unwrap_or_default(),
        architecture: ARCHITECTURE.to_owned(),
        kernel: KERNEL,
    };
    side.calls = Some(planes(profile, &context).map_err(|e| unusable(path, &e))?);
    Ok(())
}

fn add(side: &mut Side, capabilities: impl Iterator<Item = String>) {
    let set = side.sets.entry(Kind::Capability).or_default();
    set.extend(capabilities.map(|name| (name, Why::default())));
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
