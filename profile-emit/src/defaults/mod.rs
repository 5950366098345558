//! What engines give a container that asks for nothing else: their seccomp profiles, as they ship them, and their capabilities.
//!
//! The files are those of the projects, under the Apache License, Version 2.0, as this project is; each row names the source.

use std::collections::BTreeSet;

use learner::drift::side::{Kind, Side, Why};

use crate::seccomp::Profile;
use crate::seccomp::meaning::{Context, MeaningError, planes};

/// An engine's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Default {
    /// The name by which they are asked for.
    pub name: &'static str,
    /// The seccomp profile.
    seccomp: &'static str,
    /// The capabilities.
    capabilities: &'static [&'static str],
    /// Where both are from, with the version.
    pub source: &'static str,
}

/// Docker's.
pub static DOCKER: Default = Default {
    name: "docker-default",
    seccomp: include_str!("docker.seccomp.json"),
    capabilities: &DOCKER_CAPABILITIES,
    source: "moby 20.10.24, profiles/seccomp/default.json and oci/caps/defaults.go",
};

/// Podman's.
pub static PODMAN: Default = Default {
    name: "podman-default",
    seccomp: include_str!("podman.seccomp.json"),
    capabilities: &PODMAN_CAPABILITIES,
    source: "containers-common 0.50.1, seccomp.json and containers.conf",
};

/// What Kubernetes calls `RuntimeDefault`: what the runtime ships. containerd generates its profile from moby's (containerd,
/// contrib/seccomp), so it is Docker's.
pub static RUNTIME: Default = Default {
    name: "runtime-default",
    source: "moby 20.10.24, profiles/seccomp/default.json and oci/caps/defaults.go, as containerd has them",
    ..DOCKER
};

/// The table.
pub static TABLE: [Default; 3] = [DOCKER, PODMAN, RUNTIME];

const DOCKER_CAPABILITIES: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

const PODMAN_CAPABILITIES: [&str; 11] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// An engine's defaults by their name.
pub fn named(name: &str) -> Option<&'static Default> {
    TABLE.iter().find(|row| row.name == name)
}

impl Default {
    /// The seccomp profile.
    ///
    /// # Errors
    /// Never: a test reads all of them.
    pub fn profile(&self) -> Result<Profile, serde_json::Error> {
        Profile::from_json(self.seccomp.as_bytes())
    }

    /// The capabilities.
    pub fn capabilities(&self) -> BTreeSet<String> {
        self.capabilities.iter().map(|name| (*name).to_owned()).collect()
    }

    /// What is allowed on a kernel and an architecture, with the engine's own capabilities.
    ///
    /// # Errors
    /// Never: a test reads all of them.
    pub fn side(&self, architecture: &str, kernel: (u32, u32)) -> Result<Side, MeaningError> {
        let capabilities = self.capabilities();
        let context = Context {
            capabilities: capabilities.clone(),
            architecture: architecture.to_owned(),
            kernel,
        };
        let profile = self.profile().unwrap_or_default();
        let set = capabilities.into_iter().map(|name| (name, Why::default())).collect();
        Ok(Side {
            calls: Some(planes(&profile, &context)?),
            sets: [(Kind::Capability, set)].into(),
            ..Side::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use learner::drift::Drift;
    use learner::drift::side::Answer;
    use tracer::abi::{Abi, calls, capabilities};

    #[test]
    fn all_can_be_read_and_mean_something() {
        for row in &TABLE {
            let profile = row.profile().unwrap();
            assert!(profile.syscalls.len() > 5, "{}", row.name);
            assert!(row.capabilities.iter().all(|name| capabilities::number(name).is_some()));
            let side = row.side("amd64", (6, 1)).unwrap();
            let planes = side.calls.unwrap();
            let all = planes.keys().copied().collect::<Vec<_>>();
            assert_eq!(all, [Abi::X86_64, Abi::I386, Abi::X32], "{}", row.name);
            let native = &planes[&Abi::X86_64];
            assert!(native.call("read").allowed.is_all() && native.call("bpf").allowed.is_none());
            // Docker's refuses new namespaces without CAP_SYS_ADMIN, podman's does not: containers in containers need them.
            let clone = native.call("clone");
            let docker = row.name != "podman-default";
            assert!(clone.allowed.holds([0x11, 0, 0, 0, 0, 0]), "{}", row.name);
            assert_eq!(clone.allowed.holds([0x1000_0011, 0, 0, 0, 0, 0]), !docker, "{}", row.name);
            let clone3 = native.call("clone3");
            assert_eq!(clone3.otherwise == Answer::Errno(38), docker, "{}", row.name);
        }
    }

    /// The report on Docker's and podman's defaults is right: checked by evaluating both on every call, under every set of
    /// capabilities of which an entry speaks.
    #[test]
    fn the_differences_of_engines_are_those_of_each_call() {
        let [docker, podman] = [DOCKER, PODMAN].map(|row| row.profile().unwrap());
        let mut sets: Vec<BTreeSet<String>> = vec![BTreeSet::new()];
        for profile in [&docker, &podman] {
            for entry in &profile.syscalls {
                for filter in [&entry.includes, &entry.excludes] {
                    sets.extend(filter.caps.iter().map(|cap| BTreeSet::from([cap.clone()])));
                }
            }
        }
        sets.push(sets.iter().flatten().cloned().collect());
        sets.sort();
        sets.dedup();
        assert!(sets.len() > 8, "{sets:?}");
        let kinds = [
            [0; 6],
            [0x11, 0, 0, 0, 0, 0],
            [0x7e02_0000, 0, 0, 0, 0, 0],
            [40, 0x5412, 0, 0, 0, 0],
            [u64::MAX; 6],
        ];
        let (mut differing, mut alike) = (0, 0);
        for capabilities in sets {
            let context =
                Context { capabilities, architecture: "amd64".to_owned(), kernel: (6, 1) };
            let side = |profile| Side {
                calls: Some(planes(profile, &context).unwrap()),
                ..Side::default()
            };
            let (old, new) = (side(&docker), side(&podman));
            let drift = Drift::between(&old, &new);
            for abi in [Abi::X86_64, Abi::I386, Abi::X32] {
                for name in (0..600).filter_map(|nr| calls::name(Abi::X86_64, nr)) {
                    let of = |side: &Side| side.calls.as_ref().unwrap()[&abi].call(name);
                    let (before, after) = (of(&old), of(&new));
                    let what = format!("{abi} {name}");
                    let told = drift.differences.iter().find(|difference| difference.what == what);
                    for vector in kinds {
                        let (before, after) =
                            (before.allowed.holds(vector), after.allowed.holds(vector));
                        if before != after {
                            differing += 1;
                            assert!(
                                told.is_some_and(|told| told.widens == after || told.widens),
                                "{what} {vector:x?}"
                            );
                        } else {
                            alike += 1;
                        }
                    }
                    if before == after {
                        assert!(told.is_none(), "{told:?}");
                    }
                }
            }
        }
        assert!(differing > 0 && alike > differing, "{differing} {alike}");
    }
}
