//! Asking an engine about its containers, through its own client: that works for docker and podman, rootless or not,
//! wherever the user's options and environment say the engine is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::argv::Invocation;

/// An engine, reached by a client and its own options.
#[derive(Clone, Debug)]
pub struct Engine {
    /// The client and its own options.
    command: Vec<OsString>,
}

/// What an engine knows of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// The full identifier.
    pub id: String,
    /// Its name, without the slash that docker puts before it.
    pub name: String,
    /// The image, as it was named.
    pub image: String,
    /// The first process, when it runs.
    pub pid: Option<u32>,
    /// The command line of the health check, when it has one.
    pub healthcheck: Option<Vec<String>>,
    /// It runs without a filter, or under the engine's own: the options are as the engine keeps them.
    pub security: Vec<String>,
}

/// Why an engine did not answer.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The client can't be run.
    #[error("cannot run {client:?}: {source}")]
    Client {
        /// Its name.
        client: OsString,
        /// What the system said.
        source: io::Error,
    },
    /// The client said no.
    #[error("{client:?} does not know the container {container:?}: {said}")]
    Unknown {
        /// Its name.
        client: OsString,
        /// Which.
        container: String,
        /// What it said.
        said: String,
    },
    /// The answer is not what it should be.
    #[error("{client:?} gave an answer that can't be read: {source}")]
    Answer {
        /// Its name.
        client: OsString,
        /// Where and why.
        source: serde_json::Error,
    },
}

/// The parts that are read; docker and podman write them alike.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    name: String,
    state: State,
    config: Config,
    host_config: Option<HostConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    #[serde(default)]
    pid: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    #[serde(default)]
    image: String,
    healthcheck: Option<Healthcheck>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HostConfig {
    security_opt: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Healthcheck {
    test: Option<Vec<String>>,
}

impl Engine {
    /// The engine that a command line speaks to.
    pub fn of(invocation: &Invocation) -> Self {
        Self { command: invocation.globals.clone() }
    }

    /// The engine of a client by its name.
    pub fn of_client(client: impl Into<OsString>) -> Self {
        Self { command: vec![client.into()] }
    }

    /// The client's name, without its directory.
    pub fn name(&self) -> String {
        let client = self.client();
        let name = std::path::Path::new(&client).file_name().unwrap_or(&client);
        name.to_string_lossy().into_owned()
    }

    /// The name of a container that has been removed since then, from the engine's log of events.
    pub fn name_of_removed(&self, id: &str, since: SystemTime) -> Option<String> {
        let seconds = |time: SystemTime| {
            time.duration_since(UNIX_EPOCH).map(|past| past.as_secs().to_string()).ok()
        };
        let (since, until) =
            (seconds(since)?, seconds(SystemTime::now() + Duration::from_secs(1))?);
        let container = format!("container={id}");
        let output = self
            .ask(&[
                "events",
                "--since",
                &since,
                "--until",
                &until,
                "--filter",
                &container,
                "--format",
                "{{json .}}",
            ])
            .ok()?;
        name_in_events(&output.stdout)
    }

    /// Runs the client and waits for its answer.
    fn ask(&self, words: &[&str]) -> io::Result<Output> {
        Command::new(self.client())
            .args(self.command.iter().skip(1))
            .args(words)
            .stdin(Stdio::null())
            .output()
    }

    fn client(&self) -> OsString {
        self.command.first().cloned().unwrap_or_default()
    }

    /// What the engine knows of a container, by its name or identifier.
    ///
    /// # Errors
    /// When the client can't be run, knows no such container, or answers in another form.
    pub fn inspect(&self, container: &str) -> Result<Container, EngineError> {
        let output = self
            .ask(&["container", "inspect", "--", container])
            .map_err(|source| EngineError::Client { client: self.client(), source })?;
        if !output.status.success() {
            return Err(EngineError::Unknown {
                client: self.client(),
                container: container.to_owned(),
                said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            });
        }
        read(&output.stdout).map_err(|source| EngineError::Answer { client: self.client(), source })
    }
}

/// The container's name in events, a line each: docker has it among the actor's attributes, podman as a field.
fn name_in_events(lines: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Event {
        #[serde(default)]
        name: Option<String>,
        #[serde(default)]
        actor: Option<Actor>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Actor {
        attributes: BTreeMap<String, String>,
    }
    lines.split(|byte| *byte == b'\n').find_map(|line| {
        let event: Event = serde_json::from_slice(line).ok()?;
        event.name.or_else(|| event.actor?.attributes.remove("name"))
    })
}

/// Reads what `inspect` printed.
fn read(text: &[u8]) -> Result<Container, serde_json::Error> {
    // A list, with as many containers as were asked for.
    let [Inspected { id, name, state, config, host_config }] = serde_json::from_slice(text)?;
    Ok(Container {
        id,
        name: name.trim_start_matches('/').to_owned(),
        image: config.image,
        pid: u32::try_from(state.pid).ok().filter(|pid| *pid > 0),
        healthcheck: config.healthcheck.and_then(|check| command_of(check.test?)),
        security: host_config.and_then(|host| host.security_opt).unwrap_or_default(),
    })
}

/// The command line that a health check runs: `CMD` and words, or `CMD-SHELL` and a line for the shell.
/// <https://docs.docker.com/reference/dockerfile/#healthcheck>
fn command_of(test: Vec<String>) -> Option<Vec<String>> {
    let (kind, words) = test.split_first()?;
    match (kind.as_str(), words) {
        ("CMD", [_, ..]) => Some(words.to_vec()),
        ("CMD-SHELL", [line]) => Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let text = br#"[{"Id":"ab","Name":"/web","State":{"Pid":12,"Status":"running"},
            "Config":{"Healthcheck":{"Test":["CMD","redis-cli","ping"]},"Image":"x"},
            "HostConfig":{"SecurityOpt":["no-new-privileges"]}}]"#;
        let read = read(text).unwrap();
        assert_eq!((read.id.as_str(), read.name.as_str(), read.pid), ("ab", "web", Some(12)));
        assert_eq!(read.healthcheck.unwrap(), ["redis-cli", "ping"]);
        assert_eq!(read.security, ["no-new-privileges"]);
    }

    #[test]
    fn a_container_that_has_ended_has_no_process_and_may_have_no_check() {
        for health in ["null", "{}", r#"{"Test":["NONE"]}"#, r#"{"Test":[]}"#] {
            let text = format!(
                r#"[{{"Id":"ab","Name":"web","State":{{"Pid":0}},"Config":{{"Healthcheck":{health}}}}}]"#
            );
            let read = read(text.as_bytes()).unwrap();
            assert_eq!((read.pid, read.healthcheck), (None, None), "{health}");
        }
    }

    #[test]
    fn events_of_both_engines_name_the_container() {
        let docker = br#"{"status":"die","id":"ab","Actor":{"ID":"ab","Attributes":{"image":"x","name":"web"}},"time":1}"#;
        assert_eq!(name_in_events(docker).as_deref(), Some("web"));
        let podman = b"{\"ID\":\"ab\",\"Image\":\"x\",\"Name\":\"web\",\"Status\":\"died\"}\n";
        assert_eq!(name_in_events(podman).as_deref(), Some("web"));
        assert_eq!(name_in_events(b"\nnothing\n"), None);
    }

    #[test]
    fn a_shell_runs_a_line() {
        let test = ["CMD-SHELL", "curl -f x || exit 1"].map(str::to_owned).to_vec();
        assert_eq!(command_of(test).unwrap(), ["/bin/sh", "-c", "curl -f x || exit 1"]);
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for text in ["", "[]", "{}", r#"[{"Id":1}]"#] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
