//! Reading the directory that `learn generate` wrote.

use std::path::{Path, PathBuf};

use learner::Policy;
use profile_emit::bundle;
use profile_emit::capabilities::Capabilities;
use profile_emit::seccomp::Profile;

use crate::VerifyError;
use crate::lines::Lines;

/// What the directory holds, as far as it is enforced here.
#[derive(Debug)]
pub(crate) struct Profiles {
    pub(crate) seccomp: Profile,
    /// The seccomp profile's file, for messages.
    pub(crate) seccomp_path: PathBuf,
    pub(crate) capabilities: Capabilities,
    /// The capabilities' file, for messages.
    pub(crate) capabilities_path: PathBuf,
    pub(crate) policy: Policy,
    /// Where the seccomp profile's entries stand in its file.
    pub(crate) lines: Lines,
}

impl Profiles {
    /// Reads the directory.
    pub(crate) fn read(directory: &Path) -> Result<Self, VerifyError> {
        let (seccomp_path, seccomp) = file(directory, bundle::SECCOMP, Profile::from_json)?;
        let (capabilities_path, capabilities) =
            file(directory, bundle::CAPABILITIES, Capabilities::from_json)?;
        let (_, policy) = file(directory, bundle::POLICY, Policy::from_json)?;
        // It was read a moment ago; without it only lines are not known.
        let lines = Lines::of(&std::fs::read(&seccomp_path).unwrap_or_default());
        Ok(Self { seccomp, seccomp_path, capabilities, capabilities_path, policy, lines })
    }

    /// The profiles of a policy that allows no more than this one, as they would be written in the same place. Where it allows no
    /// call at all, there are architectures still.
    pub(crate) fn less(&self, policy: Policy) -> Self {
        let (mut seccomp, _) = profile_emit::seccomp::emit(&policy);
        seccomp.architectures.clone_from(&self.seccomp.architectures);
        let lines = Lines::of(seccomp.to_json().as_bytes());
        Self {
            seccomp,
            seccomp_path: self.seccomp_path.clone(),
            capabilities: profile_emit::capabilities::emit(&policy),
            capabilities_path: self.capabilities_path.clone(),
            policy,
            lines,
        }
    }
}

fn file<T, E: std::fmt::Display>(
    directory: &Path,
    name: &str,
    parse: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Result<(PathBuf, T), VerifyError> {
    let path = directory.join(name);
    match std::fs::read(&path) {
        Err(source) => Err(VerifyError::Read { path, source }),
        Ok(text) => match parse(&text) {
            Ok(value) => Ok((path, value)),
            Err(error) => Err(VerifyError::Malformed { path, what: error.to_string() }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_asked_for_by_name_and_errors_lead_to_it() {
        let directory = tempfile::tempdir().unwrap();
        let error = |name: &str| {
            let text = Profiles::read(directory.path()).unwrap_err().to_string();
            assert!(text.contains(directory.path().join(name).to_str().unwrap()), "{text}");
            assert!(text.contains("learn generate"), "{text}");
            text
        };
        let write = |name: &str, text: &str| {
            std::fs::write(directory.path().join(name), text).unwrap();
        };
        assert!(error("seccomp.json").contains("No such file"));
        write("seccomp.json", "{");
        assert!(error("seccomp.json").contains("line 1"));
        write("seccomp.json", r#"{"defaultAction":"SCMP_ACT_ERRNO"}"#);
        error("capabilities.json");
        write("capabilities.json", r#"{"drop":["ALL"],"add":[]}"#);
        error("policy.json");
        write("policy.json", r#"{"format":"something"}"#);
        assert!(error("policy.json").contains("not a policy"));
    }
}
