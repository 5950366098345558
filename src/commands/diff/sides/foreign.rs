//! What others say of a container or a service.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use profile_emit::defaults;
use profile_emit::foreign::{self, Foreign, ForeignError, Options, Seccomp};
use profile_emit::seccomp::Profile;
use tracer::container::{Client, Invocation};

use super::super::super::unusable;
use super::{Reading, contents};
use crate::exit::Failure;

/// A command line of docker or podman that makes a container.
pub(super) fn command_line(text: &str) -> Option<Result<Reading, Failure>> {
    let words: Vec<OsString> = shlex::split(text)?.into_iter().map(OsString::from).collect();
    let invocation = Invocation::read(&words).filter(|invocation| invocation.verb.makes())?;
    let values = |name| -> Vec<String> {
        let all = invocation.values(name).map(|value| value.to_string_lossy().into_owned());
        // Docker takes several at once, as pflag's StringSlice does not; podman does (podman-run(1)).
        all.flat_map(|value| value.split(',').map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    let engine = match invocation.client {
        Client::Docker => &defaults::DOCKER,
        Client::Podman => &defaults::PODMAN,
    };
    let options = Options {
        privileged: invocation.is_on("privileged"),
        add: values("cap-add"),
        drop: values("cap-drop"),
        seccomp: invocation.seccomp().map(|file| file.to_string_lossy().into_owned()),
    };
    // The engines' clients look for files from where they are.
    let read = foreign::of_options(engine, &options);
    Some(reading("command line", Path::new(text), Path::new(""), read))
}

/// A file that is known by its ending: a compose file or a manifest, perhaps with `#` and a container's name behind it, or a unit of
/// systemd.
pub(super) fn manifest(path: &Path) -> Result<Option<Reading>, Failure> {
    let given = path.to_string_lossy();
    let (file, name) = match given.rsplit_once('#') {
        Some((file, name)) if !path.exists() => (Path::new(file), Some(name)),
        _ => (path, None),
    };
    let unit = match file.extension().and_then(OsStr::to_str) {
        Some("yml" | "yaml") => false,
        Some("service") => true,
        _ => return Ok(None),
    };
    let text = contents(file)?;
    let text = String::from_utf8_lossy(&text);
    let (form, read) = match unit {
        true => ("unit of systemd", foreign::of_unit(&text)),
        false => ("compose file or manifest", foreign::of_yaml(&text, name)),
    };
    let beside = file.parent().unwrap_or(Path::new(""));
    reading(form, path, beside, read).map(Some)
}

/// Profiles in files are looked for in a directory.
fn reading(
    form: &'static str,
    path: &Path,
    directory: &Path,
    read: Result<Foreign, ForeignError>,
) -> Result<Reading, Failure> {
    let Foreign { capabilities, seccomp } = read.map_err(|e| unusable(path, &e))?;
    let mut reading = Reading { form, ..Reading::default() };
    reading.capabilities(capabilities.into_iter());
    match seccomp {
        Seccomp::Unconfined => reading.unconfined(),
        Seccomp::Default(engine) => reading.seccomp(path, engine.profile())?,
        Seccomp::File(file) => {
            let file = directory.join(file);
            reading.seccomp(&file, Profile::from_json(&contents(&file)?))?;
        }
        Seccomp::Unread(directive) => reading.notes.push(format!(
            "not compared: the calls, which {directive} filters; give a seccomp profile for them"
        )),
    }
    Ok(reading)
}
