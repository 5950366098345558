//! The command line that is really run: what the user wrote, with a marked filter, and a file for the container's id.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::argv::{Client, Given, Invocation};
use super::marker::{MarkError, Marker};

/// Under which filter the container is to run.
#[derive(Clone, Debug)]
pub enum Filter {
    /// Recording: everything allowed, or the profile that the user's own options name.
    Record,
    /// Proving: this seccomp profile and these capabilities, and nothing else that the user's options would allow.
    Enforce {
        /// The profile, in the form of OCI or Docker.
        seccomp: Value,
        /// The capabilities to add after all are dropped, as `CAP_…`.
        capabilities: Vec<String>,
        /// The name of an AppArmor profile in the kernel; without one the user's options decide.
        apparmor: Option<String>,
    },
}

/// A command line, ready to be run in place of the user's.
#[derive(Debug)]
pub struct Prepared {
    /// The command line.
    pub argv: Vec<OsString>,
    /// What tells the container's filter.
    pub marker: Marker,
    /// Where the engine writes the container's id. Gone when the container is removed, as `--rm` asks.
    pub cidfile: PathBuf,
    /// What the user should know.
    pub notes: Vec<String>,
    /// Holds the profile; needed until the engine has read it.
    _directory: TempDir,
}

/// Why a command line can't be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The options name a profile that nobody outside of the engine has.
    #[error(
        "the option --security-opt seccomp={0} names a profile inside the engine, which can't be marked; \
         leave the option out, or name a file"
    )]
    BuiltIn(String),
    /// The user's profile can't be read.
    #[error("cannot read the seccomp profile {path:?}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system or the JSON parser said.
        source: io::Error,
    },
    /// The user's profile can't be marked.
    #[error("cannot use the seccomp profile {path:?}: {source}")]
    Mark {
        /// The file.
        path: PathBuf,
        /// Why.
        source: MarkError,
    },
    /// The profile can't be written.
    #[error("cannot write a seccomp profile: {0}")]
    Write(#[from] io::Error),
    /// The engine is elsewhere.
    #[error("{0} names an engine on another machine: run learn where the containers run")]
    Remote(String),
}

/// Prepares a command line that makes a container.
///
/// # Errors
/// When the user's own profile can't be read or marked, the engine is on another machine, or nothing can be written.
pub fn prepare(
    argv: &[OsString],
    invocation: &Invocation,
    filter: &Filter,
) -> Result<Prepared, PrepareError> {
    local(invocation, &std::env::var_os("DOCKER_HOST").unwrap_or_default())?;
    let marker = Marker::new();
    let mut notes = Vec::new();
    let mut remove: Vec<&Given> = Vec::new();
    let mut insert: Vec<OsString> = Vec::new();

    let own: Vec<&Given> =
        invocation.given("security-opt").filter(|given| seccomp_of(given).is_some()).collect();
    let chosen = invocation.seccomp();
    remove.extend(&own);
    let profile = match filter {
        Filter::Record => record_profile(marker, chosen, &mut notes)?,
        Filter::Enforce { seccomp, capabilities, apparmor } => {
            if let Some(name) = apparmor {
                for given in invocation.given("security-opt").filter(|given| is_apparmor(given)) {
                    notes.push(
                        "--security-opt apparmor is left out: the learned profile decides"
                            .to_owned(),
                    );
                    remove.push(given);
                }
                insert.push(format!("--security-opt=apparmor={name}").into());
            }
            for name in ["cap-add", "cap-drop", "privileged"] {
                for given in invocation.given(name) {
                    notes.push(format!("--{name} is left out: the learned profile decides"));
                    remove.push(given);
                }
            }
            insert.push("--cap-drop=ALL".into());
            insert.extend(capabilities.iter().map(|name| format!("--cap-add={name}").into()));
            let mut profile = seccomp.clone();
            marker.mark(&mut profile).map_err(|source| PrepareError::Mark {
                path: PathBuf::from("seccomp.json"),
                source,
            })?;
            profile
        }
    };

    let directory = tempfile::Builder::new().prefix("learn-").tempdir()?;
    let path = directory.path().join("seccomp.json");
    std::fs::write(&path, profile.to_string())?;
    let mut option = OsString::from("--security-opt=seccomp=");
    option.push(&path);
    insert.push(option);
    let cidfile = match invocation.values("cidfile").last() {
        Some(file) => PathBuf::from(file),
        None => {
            let file = directory.path().join("cid");
            let mut option = OsString::from("--cidfile=");
            option.push(&file);
            insert.push(option);
            file
        }
    };
    let argv = edit(argv, invocation.options_at, insert, &remove);
    Ok(Prepared { argv, marker, cidfile, notes, _directory: directory })
}

/// The profile to record under: everything allowed, or the user's own, marked.
fn record_profile(
    marker: Marker,
    chosen: Option<&OsStr>,
    notes: &mut Vec<String>,
) -> Result<Value, PrepareError> {
    match chosen.map(OsStr::as_bytes) {
        None | Some(b"unconfined" | b"") => Ok(marker.allow_all()),
        // Docker knows this name; podman would look for a file of it.
        Some(b"builtin") => Err(PrepareError::BuiltIn("builtin".to_owned())),
        Some(name) => {
            let path = Path::new(OsStr::from_bytes(name));
            let read = |source| PrepareError::Read { path: path.to_owned(), source };
            let text = std::fs::read(path).map_err(read)?;
            let mut profile: Value =
                serde_json::from_slice(&text).map_err(|error| read(error.into()))?;
            marker
                .mark(&mut profile)
                .map_err(|source| PrepareError::Mark { path: path.to_owned(), source })?;
            notes.push(format!(
                "recorded under the seccomp profile {}: what it refuses can't be learned",
                path.display()
            ));
            Ok(profile)
        }
    }
}

/// A `--security-opt` that is about AppArmor. Docker's old form has a colon.
fn is_apparmor(given: &Given) -> bool {
    let value = given.value.as_ref().map(|value| value.as_bytes()).unwrap_or_default();
    value.starts_with(b"apparmor=") || value.starts_with(b"apparmor:")
}

/// The value of a `--security-opt` that is about seccomp. Docker's old form has a colon.
pub(super) fn seccomp_of(given: &Given) -> Option<&OsStr> {
    let value = given.value.as_ref()?.as_bytes();
    let name = value.strip_prefix(b"seccomp=").or_else(|| value.strip_prefix(b"seccomp:"))?;
    Some(OsStr::from_bytes(name))
}

/// Leaves out the removed options and puts the new ones behind the verb.
fn edit(
    argv: &[OsString],
    behind: usize,
    insert: Vec<OsString>,
    remove: &[&Given],
) -> Vec<OsString> {
    let gone = |index: usize| remove.iter().any(|g| (g.at..g.at + g.words).contains(&index));
    let mut edited: Vec<OsString> = argv.iter().take(behind).cloned().collect();
    edited.extend(insert);
    edited.extend(
        argv.iter()
            .enumerate()
            .skip(behind)
            .filter(|(index, _)| !gone(*index))
            .map(|(_, word)| word.clone()),
    );
    edited
}

/// Refuses an engine that is not on this machine: its processes can't be seen from here.
fn local(invocation: &Invocation, host: &OsStr) -> Result<(), PrepareError> {
    let (names, environment): (&[&[u8]], _) = match invocation.client {
        Client::Docker => (&[b"H", b"host"], host.as_bytes()),
        Client::Podman => (&[b"url", b"r", b"remote", b"c", b"connection"], b"".as_slice()),
    };
    let globals = invocation.global_options();
    let mut hosts: Vec<(String, &[u8])> = vec![("DOCKER_HOST".to_owned(), environment)];
    for given in globals.iter().filter(|given| names.contains(&given.name.as_slice())) {
        let name = String::from_utf8_lossy(&given.name).into_owned();
        let value = given.value.as_deref().map_or(b"remote".as_slice(), OsStr::as_bytes);
        hosts.push((format!("the option {name} of the client"), value));
    }
    for (name, value) in hosts {
        let here = value.is_empty() || value == b"false" || value.starts_with(b"unix:");
        if !here {
            return Err(PrepareError::Remote(name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn prepared(line: &str, filter: &Filter) -> Result<(Vec<String>, Prepared), PrepareError> {
        let argv = words(line);
        let prepared = prepare(&argv, &Invocation::read(&argv).unwrap(), filter)?;
        let argv = prepared.argv.iter().map(|w| w.to_str().unwrap().to_owned()).collect();
        Ok((argv, prepared))
    }

    /// The profile that a prepared command line names.
    fn profile(argv: &[String]) -> Value {
        let names: Vec<_> =
            argv.iter().filter_map(|word| word.strip_prefix("--security-opt=seccomp=")).collect();
        assert_eq!(names.len(), 1, "{argv:?}");
        serde_json::from_slice(&std::fs::read(names[0]).unwrap()).unwrap()
    }

    #[test]
    fn options_go_behind_the_verb_and_the_rest_stays() {
        let (argv, _kept) =
            prepared("docker -D run -it image --cidfile x", &Filter::Record).unwrap();
        assert_eq!(argv[..3], ["docker", "-D", "run"]);
        assert!(argv[3].starts_with("--security-opt=seccomp=/"));
        assert!(argv[4].starts_with("--cidfile=/"));
        assert_eq!(argv[5..], ["-it", "image", "--cidfile", "x"]);
        assert_eq!(profile(&argv)["defaultAction"], "SCMP_ACT_ALLOW");
    }

    #[test]
    fn the_users_file_for_the_id_is_used() {
        let (argv, prepared) =
            prepared("podman run --cidfile /tmp/x image", &Filter::Record).unwrap();
        assert_eq!(prepared.cidfile, Path::new("/tmp/x"));
        assert_eq!(argv[3..], ["--cidfile", "/tmp/x", "image"]);
    }

    #[test]
    fn unconfined_becomes_a_filter_that_allows_all() {
        for option in [
            "--security-opt seccomp=unconfined",
            "--security-opt=seccomp=unconfined",
            "--security-opt seccomp:unconfined",
        ] {
            let line = format!("docker run {option} --security-opt no-new-privileges image");
            let (argv, kept) = prepared(&line, &Filter::Record).unwrap();
            assert_eq!(argv[4..], ["--security-opt", "no-new-privileges", "image"], "{option}");
            assert_eq!(profile(&argv)["syscalls"].as_array().unwrap().len(), 1);
            assert!(kept.notes.is_empty());
        }
    }

    #[test]
    fn the_users_profile_is_kept_and_marked() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let own = json!({
            "defaultAction": "SCMP_ACT_ERRNO", "archMap": [],
            "syscalls": [{ "names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {} }],
        });
        std::fs::write(file.path(), own.to_string()).unwrap();
        let line = format!("docker run --security-opt seccomp={} image", file.path().display());
        let (argv, kept) = prepared(&line, &Filter::Record).unwrap();
        let mut used = profile(&argv);
        assert_eq!(used["syscalls"][1]["args"][0]["value"], kept.marker.value());
        used["syscalls"].as_array_mut().unwrap().pop();
        assert_eq!(used, own);
        assert!(kept.notes[0].contains("can't be learned"), "{:?}", kept.notes);
    }

    #[test]
    fn profiles_that_cannot_be_had_are_refused() {
        for (line, expected) in [
            ("docker run --security-opt seccomp=builtin image", "inside the engine"),
            ("docker run --security-opt seccomp=/absent image", "cannot read"),
            ("docker run --security-opt seccomp=/dev/null image", "cannot read"),
            ("docker -H tcp://1.2.3.4:5 run image", "another machine"),
            ("docker --host=ssh://x run image", "another machine"),
            ("podman --remote run image", "another machine"),
            ("podman --url ssh://x run image", "another machine"),
        ] {
            let error = prepared(line, &Filter::Record).unwrap_err().to_string();
            assert!(error.contains(expected), "{line}: {error}");
        }
        assert!(prepared("docker -H unix:///run/x run image", &Filter::Record).is_ok());
    }

    #[test]
    fn proving_leaves_nothing_to_the_users_options() {
        let mut filter = Filter::Enforce {
            seccomp: json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []}),
            capabilities: vec!["CAP_CHOWN".to_owned()],
            apparmor: None,
        };
        let line = "docker run --privileged --cap-add ALL --cap-drop=X \
                    --security-opt seccomp=unconfined -d image"
            .replace("  ", "");
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let (argv, kept) = prepared(&line, &filter).unwrap();
        assert_eq!(argv[2..4], ["--cap-drop=ALL", "--cap-add=CAP_CHOWN"]);
        assert_eq!(argv[6..], ["-d", "image"]);
        assert_eq!(profile(&argv)["defaultAction"], "SCMP_ACT_ERRNO");
        assert_eq!(kept.notes.len(), 3);

        let line =
            "podman run --security-opt apparmor=unconfined --security-opt label=disable image";
        let (argv, _kept) = prepared(line, &filter).unwrap();
        assert!(argv.contains(&"apparmor=unconfined".to_owned()), "{argv:?}");
        if let Filter::Enforce { apparmor, .. } = &mut filter {
            *apparmor = Some("learned".to_owned());
        }
        let (argv, kept) = prepared(line, &filter).unwrap();
        assert_eq!(argv[2], "--security-opt=apparmor=learned");
        assert!(!argv.iter().any(|word| word.contains("unconfined")), "{argv:?}");
        assert!(argv.contains(&"label=disable".to_owned()), "{argv:?}");
        assert_eq!(kept.notes.len(), 1, "{:?}", kept.notes);
    }
}
