//! A filter that the kernel shows to be ours.
//!
//! A profile gets one rule more, about a call that no kernel implements, with a random 64-bit number as the value that an
//! argument must have. The rule can't change what is allowed. The number stands in the filter's program as two constants,
//! where the recorder finds it: whoever runs under that program is in the container, whatever the engine, the runtime, the
//! cgroups or the names. An exec session and a health check load the same filter, so they are found too.

use std::hash::{BuildHasher, RandomState};

use serde_json::{Value, json};

/// Calls that were never implemented, see syscalls(2): a rule about them changes nothing. A profile that speaks of one
/// is given a rule about the next.
const CARRIERS: [&str; 6] = ["afs_syscall", "tuxcall", "security", "vserver", "getpmsg", "putpmsg"];

/// The architectures of a filter that must let everything pass, as OCI names them.
const ARCHITECTURES: &[&str] = match std::env::consts::ARCH.as_bytes() {
    b"x86_64" => &["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    b"aarch64" => &["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
    _ => &[],
};

/// The two constants that tell a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The upper half of the number.
    pub high: u32,
    /// The lower half.
    pub low: u32,
}

/// Why a profile can't be marked.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MarkError {
    /// It is no profile.
    #[error("it is not a seccomp profile: {0}")]
    Profile(&'static str),
    /// All of [`CARRIERS`] have rules.
    #[error(
        "it has rules about every call that is not implemented: {CARRIERS:?}; leave one of them out"
    )]
    NoCarrier,
}

impl Marker {
    /// A new one. Both halves have their top bit set and are no small number, so that no filter holds them by accident.
    pub fn new() -> Self {
        let half = |salt: u8| {
            // The standard library seeds this from the system's random numbers.
            let word = RandomState::new().hash_one((salt, std::process::id())).to_le_bytes();
            u32::from_le_bytes([word[0], word[1], word[2], word[3]]) | 0x8000_0000
        };
        Self { high: half(0), low: half(1) }
    }

    /// The number in the rule.
    pub fn value(self) -> u64 {
        u64::from(self.high) << 32 | u64::from(self.low)
    }

    /// A profile that allows everything, for the architectures of this machine.
    ///
    /// The engines load it as a filter although it refuses nothing; without one there would be no boundary to see.
    pub fn allow_all(self) -> Value {
        json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "architectures": ARCHITECTURES,
            "syscalls": [self.rule(CARRIERS[0], "SCMP_ACT_ERRNO")],
        })
    }

    /// Puts the mark into a profile, which then allows and refuses what it did before.
    ///
    /// # Errors
    /// When it isn't a profile in the form of OCI or Docker, or has rules about all calls that could carry the mark.
    pub fn mark(self, profile: &mut Value) -> Result<(), MarkError> {
        let fields = profile.as_object_mut().ok_or(MarkError::Profile("not an object"))?;
        let default = fields
            .get("defaultAction")
            .and_then(Value::as_str)
            .ok_or(MarkError::Profile("no defaultAction"))?;
        // A rule whose action is the default's is refused by libseccomp.
        let action = if default == "SCMP_ACT_ALLOW" { "SCMP_ACT_ERRNO" } else { "SCMP_ACT_ALLOW" };
        let rules = fields.entry("syscalls").or_insert_with(|| json!([]));
        if rules.is_null() {
            *rules = json!([]);
        }
        let rules = rules.as_array_mut().ok_or(MarkError::Profile("syscalls is not a list"))?;
        let named = |name: &str| rules.iter().any(|rule| names(rule).any(|known| known == name));
        let carrier = CARRIERS.into_iter().find(|name| !named(name)).ok_or(MarkError::NoCarrier)?;
        rules.push(self.rule(carrier, action));
        Ok(())
    }

    fn rule(self, call: &str, action: &str) -> Value {
        json!({
            "names": [call],
            "action": action,
            "args": [{ "index": 5, "value": self.value(), "op": "SCMP_CMP_EQ" }],
        })
    }
}

impl Default for Marker {
    fn default() -> Self {
        Self::new()
    }
}

/// The calls that a rule is about; old profiles have one `name`.
fn names(rule: &Value) -> impl Iterator<Item = &str> {
    let list = rule.get("names").and_then(Value::as_array).into_iter().flatten();
    list.chain(rule.get("name")).filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_new_each_time_and_never_small() {
        let marks: Vec<_> = (0..64).map(|_| Marker::new()).collect();
        for (index, mark) in marks.iter().enumerate() {
            assert!(mark.high >> 31 == 1 && mark.low >> 31 == 1);
            assert!(!marks[..index].contains(mark));
        }
    }

    #[test]
    fn the_mark_is_about_a_call_that_the_profile_does_not_speak_of() {
        let mark = Marker { high: 0x8000_0001, low: 0x8000_0002 };
        let mut profile = json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "syscalls": [
                { "names": ["read", "afs_syscall"], "action": "SCMP_ACT_ALLOW" },
                { "name": "tuxcall", "action": "SCMP_ACT_ALLOW" },
            ],
        });
        let before = profile["syscalls"].as_array().unwrap().clone();
        mark.mark(&mut profile).unwrap();
        let after = profile["syscalls"].as_array().unwrap();
        assert_eq!(after[..2], before);
        assert_eq!(after[2]["names"], json!(["security"]));
        assert_eq!(after[2]["action"], "SCMP_ACT_ALLOW");
        assert_eq!(after[2]["args"][0]["value"], 0x8000_0001_8000_0002_u64);
    }

    #[test]
    fn the_action_is_never_the_default() {
        for (default, action) in [
            ("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"),
            ("SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW"),
            ("SCMP_ACT_KILL_PROCESS", "SCMP_ACT_ALLOW"),
            ("SCMP_ACT_LOG", "SCMP_ACT_ALLOW"),
        ] {
            let mut profile = json!({ "defaultAction": default, "syscalls": null });
            Marker::new().mark(&mut profile).unwrap();
            assert_eq!(profile["syscalls"][0]["action"], action);
        }
    }

    #[test]
    fn what_is_no_profile_is_refused() {
        for profile in [json!([]), json!({}), json!({"defaultAction": 1})] {
            assert!(Marker::new().mark(&mut profile.clone()).is_err(), "{profile}");
        }
        let text = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": "x"});
        assert!(Marker::new().mark(&mut text.clone()).is_err());
        let all = json!({
            "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": CARRIERS, "action": "x"}]
        });
        assert_eq!(Marker::new().mark(&mut all.clone()), Err(MarkError::NoCarrier));
    }
}
