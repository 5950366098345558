//! The options of docker and podman that take no value: all others do, so these decide where the options of a command
//! line end. The clients' own `--help` is the source; a test compares.

use super::argv::Client;

/// Long and short options without a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Switches {
    /// Without their dashes.
    pub(crate) long: &'static [&'static str],
    /// The letters.
    pub(crate) short: &'static [u8],
}

impl Switches {
    pub(crate) fn has_long(&self, name: &[u8]) -> bool {
        self.long.iter().any(|known| known.as_bytes() == name)
    }

    pub(crate) fn has_short(&self, letter: u8) -> bool {
        self.short.contains(&letter)
    }
}

/// Before the verb.
pub(crate) fn global(client: Client) -> Switches {
    match client {
        // https://docs.docker.com/reference/cli/docker/
        Client::Docker => {
            Switches { long: &["debug", "help", "tls", "tlsverify", "version"], short: b"Dvh" }
        }
        // https://docs.podman.io/en/latest/markdown/podman.1.html
        Client::Podman => Switches {
            long: &["help", "noout", "remote", "syslog", "trace", "transient-store", "version"],
            short: b"rvh",
        },
    }
}

/// Of `run` and `create`, which share theirs.
pub(crate) fn run(client: Client) -> Switches {
    match client {
        // https://docs.docker.com/reference/cli/docker/container/run/
        Client::Docker => Switches {
            long: &[
                "detach",
                "disable-content-trust",
                "help",
                "init",
                "interactive",
                "no-healthcheck",
                "oom-kill-disable",
                "privileged",
                "publish-all",
                "quiet",
                "read-only",
                "rm",
                "sig-proxy",
                "tty",
                "use-api-socket",
            ],
            short: b"diPqt",
        },
        // https://docs.podman.io/en/latest/markdown/podman-run.1.html
        Client::Podman => Switches {
            long: &[
                "detach",
                "disable-content-trust",
                "env-host",
                "help",
                "http-proxy",
                "init",
                "interactive",
                "no-healthcheck",
                "no-hostname",
                "no-hosts",
                "oom-kill-disable",
                "passwd",
                "privileged",
                "publish-all",
                "quiet",
                "read-only",
                "read-only-tmpfs",
                "replace",
                "rm",
                "rmi",
                "rootfs",
                "sig-proxy",
                "tls-verify",
                "tty",
                "unsetenv-all",
            ],
            short: b"diPqt",
        },
    }
}

/// Of `exec` and `start`. Their options share a meaning wherever they share a name.
pub(crate) fn existing(client: Client) -> Switches {
    match client {
        // https://docs.docker.com/reference/cli/docker/container/exec/ and …/start/
        Client::Docker => Switches {
            long: &["attach", "detach", "help", "interactive", "privileged", "tty"],
            short: b"adit",
        },
        // https://docs.podman.io/en/latest/markdown/podman-exec.1.html and podman-start.1.html
        Client::Podman => Switches {
            long: &[
                "all",
                "attach",
                "detach",
                "help",
                "interactive",
                "latest",
                "privileged",
                "sig-proxy",
                "tty",
            ],
            short: b"adilt",
        },
    }
}
