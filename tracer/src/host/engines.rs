//! Container engines: whether a client is there, and whether an engine answers it.

use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Check;

/// An engine that does not answer within this time is not usable.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn checks() -> [Check; 2] {
    let ask = |client, arguments: &[&str], install, start| {
        check(client, answer(client, arguments), install, start)
    };
    [
        ask(
            "docker",
            &["version", "--format", "{{.Server.Version}}"],
            "apt-get install docker.io",
            "systemctl start docker",
        ),
        ask(
            "podman",
            &["version", "--format", "{{.Client.Version}}"],
            "apt-get install podman",
            "podman info",
        ),
    ]
}

/// What the engine said, or its refusal.
enum Answer {
    Said(String),
    Refused(String),
}

fn check(client: &'static str, answer: io::Result<Answer>, install: &str, start: &str) -> Check {
    let purpose = "containers";
    match answer {
        Ok(Answer::Said(version)) => Check::there(client, purpose, version),
        Ok(Answer::Refused(why)) => Check::missing(client, purpose, why, start),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Check::missing(client, purpose, "not installed", install)
        }
        Err(error) => Check::missing(client, purpose, error.to_string(), start),
    }
}

fn answer(client: &str, arguments: &[&str]) -> io::Result<Answer> {
    let mut child = Command::new(client)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let began = Instant::now();
    while child.try_wait()?.is_none() {
        if began.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Ok(Answer::Refused(format!("no answer within {} s", PATIENCE.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    // A version is far shorter than what a pipe holds, so nothing was kept waiting.
    let done = child.wait_with_output()?;
    let line = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.lines().find(|line| !line.trim().is_empty()).unwrap_or("no answer").trim().to_owned()
    };
    Ok(if done.status.success() {
        Answer::Said(line(&done.stdout))
    } else {
        Answer::Refused(line(&done.stderr))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_missing() {
        let none = check("docker", answer("no-such-client", &[]), "install", "start");
        assert_eq!((none.ok, none.remedy.as_deref()), (false, Some("install")));
        let down =
            check("docker", answer("sh", &["-c", "echo down >&2; exit 1"]), "install", "start");
        assert_eq!((down.found.as_str(), down.remedy.as_deref()), ("down", Some("start")));
        let up = check("docker", answer("echo", &["20.10"]), "install", "start");
        assert_eq!((up.ok, up.found.as_str()), (true, "20.10"));
    }
}
