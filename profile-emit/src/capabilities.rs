//! Capabilities: what is added to no capability at all.

use learner::Policy;
use serde::{Deserialize, Serialize};

/// What `--cap-drop` and `--cap-add` take, and a Kubernetes `securityContext.capabilities` too: names without `CAP_`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    /// Always all.
    pub drop: Vec<String>,
    /// What the program needs.
    pub add: Vec<String>,
}

/// The capabilities of a policy.
pub fn emit(policy: &Policy) -> Capabilities {
    let name = |name: &str| name.strip_prefix("CAP_").unwrap_or(name).to_owned();
    let mut add: Vec<_> = policy.capabilities.iter().map(|rule| name(&rule.allow.name)).collect();
    add.sort();
    Capabilities { drop: vec!["ALL".to_owned()], add }
}

impl Capabilities {
    /// The file's text.
    pub fn to_json(&self) -> String {
        // The type holds nothing that serde_json could refuse.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads the file.
    ///
    /// # Errors
    /// With line and column, when it is no such file.
    pub fn from_json(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// The names with `CAP_`, as capabilities(7) has them.
    pub fn added(&self) -> impl Iterator<Item = String> {
        self.add.iter().map(|name| format!("CAP_{}", name.strip_prefix("CAP_").unwrap_or(name)))
    }
}
