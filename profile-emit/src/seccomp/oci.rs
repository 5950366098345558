//! The JSON of a seccomp profile: `LinuxSeccomp` of the OCI runtime specification (config-linux.md, "Seccomp"), with
//! Docker's `archMap`, `includes` and `excludes` (moby/profiles, seccomp/seccomp.go).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tracer::abi::Abi;

/// `SCMP_ACT_ERRNO`: the call returns an error.
pub const ERRNO: &str = "SCMP_ACT_ERRNO";
/// `SCMP_ACT_ALLOW`: the call is made.
pub const ALLOW: &str = "SCMP_ACT_ALLOW";
/// `EPERM` and `ENOSYS` (asm-generic/errno.h).
pub const EPERM: u32 = 1;
/// See [`EPERM`].
pub const ENOSYS: u32 = 38;

/// A profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The answer to every call that no entry names.
    pub default_action: String,
    /// Its errno; `EPERM` without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_errno_ret: Option<u32>,
    /// The architectures whose calls are judged; calls of others are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<String>,
    /// Docker's form of the architectures: each native one with those that run on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arch_map: Vec<ArchMap>,
    /// Flags of seccomp(2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// The entries.
    #[serde(default)]
    pub syscalls: Vec<Entry>,
}

/// A native architecture and those that run on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArchMap {
    /// `SCMP_ARCH_…`.
    pub architecture: String,
    /// `SCMP_ARCH_…` of those.
    #[serde(default, deserialize_with = "none_as_empty")]
    pub sub_architectures: Vec<String>,
}

/// One entry: calls, and the answer to them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The calls.
    #[serde(default)]
    pub names: Vec<String>,
    /// Docker's old form of one call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The answer.
    pub action: String,
    /// Its errno.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno_ret: Option<u32>,
    /// Conditions on arguments, all of which must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "none_as_empty")]
    pub args: Vec<Arg>,
    /// A remark.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Docker: the entry counts only where this holds.
    #[serde(default, skip_serializing_if = "Filter::is_empty")]
    pub includes: Filter,
    /// Docker: the entry does not count where this holds.
    #[serde(default, skip_serializing_if = "Filter::is_empty")]
    pub excludes: Filter,
}

/// A condition on an argument.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Arg {
    /// Its position.
    pub index: u32,
    /// The value, or the mask of `SCMP_CMP_MASKED_EQ`.
    pub value: u64,
    /// The value of `SCMP_CMP_MASKED_EQ`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub value_two: u64,
    /// `SCMP_CMP_…`.
    pub op: String,
}

/// Where a Docker entry counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Filter {
    /// With these capabilities.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub caps: BTreeSet<String>,
    /// On these architectures, as Go names them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub arches: BTreeSet<String>,
    /// From this kernel on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_kernel: Option<String>,
}

impl Filter {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// Docker's own files write `null` for an empty list.
fn none_as_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

impl Profile {
    /// Reads a profile.
    ///
    /// # Errors
    /// With line and column, when it is no JSON or no profile.
    pub fn from_json(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// The profile's text.
    pub fn to_json(&self) -> String {
        // The types hold nothing that serde_json could refuse.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The ABIs that are judged, of those that are known here.
    pub fn abis(&self) -> Vec<Abi> {
        let named = |abi: &Abi| {
            let name = abi.scmp_name();
            self.architectures.iter().any(|a| a == name)
                || self.arch_map.iter().any(|map| {
                    map.architecture == name || map.sub_architectures.iter().any(|a| a == name)
                })
        };
        [Abi::X86_64, Abi::I386, Abi::X32, Abi::Aarch64].into_iter().filter(named).collect()
    }
}

impl Entry {
    /// The calls, whichever form names them.
    pub fn calls(&self) -> impl Iterator<Item = &str> {
        self.names.iter().chain(&self.name).map(String::as_str)
    }
}

impl Arg {
    /// The condition holds for this value. `None` for a comparison that is not known.
    pub fn holds(&self, value: u64) -> Option<bool> {
        Some(match self.op.as_str() {
            "SCMP_CMP_NE" => value != self.value,
            "SCMP_CMP_LT" => value < self.value,
            "SCMP_CMP_LE" => value <= self.value,
            "SCMP_CMP_EQ" => value == self.value,
            "SCMP_CMP_GE" => value >= self.value,
            "SCMP_CMP_GT" => value > self.value,
            "SCMP_CMP_MASKED_EQ" => value & self.value == self.value_two,
            _ => return None,
        })
    }
}
