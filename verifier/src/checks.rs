//! Capabilities that the kernel asked for and the profile drops, as denials.

use std::collections::BTreeSet;

use profile_emit::bundle::CAPABILITIES;
use tracer::abi::capabilities::{ALTERNATIVES, is_asked_first};
use tracer::ebpf::Check;
use tracer::recording::{ByteString, Fact, Origin, What};

use crate::report::{Denial, Kind, Near};

/// Those of the checks that the profile refused, each with what heals it.
///
/// A check counts when root was refused what only the bounding set keeps from it: a process that gave its privileges up itself is
/// refused under any profile. Checks that the kernel makes without need are none, nor those that it makes before it looks at what decides, nor those after which it asked for another
/// capability and granted that.
pub(crate) fn denials(checks: &[Check]) -> Vec<(Denial, Vec<Fact>)> {
    let refused = checks.iter().filter(|check| {
        !check.granted
            && check.bounded
            && check.counts
            && !check.probe
            && !is_asked_first(&check.capability, check.call.as_deref())
            && !instead(check, checks)
            && !follows(check, checks)
    });
    refused.map(|check| (denial(check), vec![healing(check)])).collect()
}

/// The kernel asked for it only because it had refused another one, which is told; or which was no need.
fn follows(check: &Check, checks: &[Check]) -> bool {
    let same = |other: &&Check| other.program == check.program && other.call == check.call;
    let first = |name: &str| {
        let refused = checks.iter().filter(same).filter(|o| !o.granted && o.capability == name);
        refused.map(|other| other.count).sum::<u64>()
    };
    ALTERNATIVES.iter().filter(|row| concerns(row.calls, check)).any(|row| {
        let before = row.capabilities.iter().take_while(|known| **known != check.capability);
        let is_later = row.capabilities.iter().skip(1).any(|known| *known == check.capability);
        is_later && before.map(|name| first(name)).sum::<u64>() >= check.count
    })
}

/// A row is of this check's call.
fn concerns(calls: &[&str], check: &Check) -> bool {
    calls.is_empty() || check.call.as_deref().is_some_and(|call| calls.contains(&call))
}

/// Another capability was granted in the place of this one.
fn instead(check: &Check, checks: &[Check]) -> bool {
    let granted: BTreeSet<&str> = checks
        .iter()
        .filter(|other| other.granted && other.program == check.program && other.call == check.call)
        .map(|other| other.capability.as_str())
        .collect();
    let name = check.capability.as_str();
    ALTERNATIVES.iter().filter(|row| concerns(row.calls, check)).any(|row| {
        let mut later = row.capabilities.iter().skip_while(|known| **known != name).skip(1);
        later.any(|other| granted.contains(other))
    })
}

fn denial(check: &Check) -> Denial {
    let bare = check.capability.strip_prefix("CAP_").unwrap_or(&check.capability);
    Denial {
        program: check.program.clone(),
        abi: check.abi,
        call: check.call.clone().unwrap_or_default(),
        arguments: String::new(),
        errno: "EPERM".to_owned(),
        kind: Kind::Capability,
        capability: Some(check.capability.clone()),
        ancestors: check.ancestors.clone(),
        near: Some(Near {
            file: CAPABILITIES.to_owned(),
            line: 0,
            why: format!("\"add\" does not hold {bare}"),
        }),
        allow: serde_json::json!({ "add": [bare] }).to_string(),
        count: check.count,
    }
}

fn healing(check: &Check) -> Fact {
    let what = What::Capability {
        name: check.capability.as_str().into(),
        initial_namespace: true,
        call: check.call.as_deref().map(Into::into),
        probe: false,
    };
    Fact { domain: ByteString::from(check.program.as_bytes()), origin: Origin::Entry, what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracer::abi::Abi;

    fn check(capability: &str, granted: bool) -> Check {
        Check {
            program: "/bin/x".into(),
            capability: capability.to_owned(),
            call: Some("bpf".to_owned()),
            abi: Abi::X86_64,
            granted,
            bounded: !granted,
            counts: true,
            probe: false,
            count: 2,
            ancestors: vec!["/bin/sh".into()],
        }
    }

    #[test]
    fn only_what_the_profile_refuses_is_a_denial() {
        let refused = check("CAP_BPF", false);
        let told = denials(std::slice::from_ref(&refused));
        let [(denial, healing)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((denial.capability.as_deref(), denial.count), (Some("CAP_BPF"), 2));
        assert_eq!(denial.allow, r#"{"add":["BPF"]}"#);
        assert!(matches!(&healing[0].what, What::Capability { name, .. } if name == "CAP_BPF"));
        for other in [
            Check { granted: true, ..refused.clone() },
            Check { bounded: false, ..refused.clone() },
            Check { counts: false, ..refused.clone() },
            Check { probe: true, ..refused.clone() },
        ] {
            assert!(denials(&[other]).is_empty());
        }
    }

    #[test]
    fn a_refusal_is_none_when_the_kernel_asks_on_and_grants() {
        let both = [check("CAP_BPF", false), check("CAP_SYS_ADMIN", true)];
        assert!(denials(&both).is_empty());
        // The other way round nothing was asked for instead.
        let both = [check("CAP_BPF", true), check("CAP_SYS_ADMIN", false)];
        assert_eq!(denials(&both).len(), 1);
        // Both were refused: the first is what was needed, and if that was no need, the second is none.
        let both = [check("CAP_BPF", false), check("CAP_SYS_ADMIN", false)];
        assert_eq!(denials(&both)[0].0.capability.as_deref(), Some("CAP_BPF"));
        assert_eq!(denials(&both).len(), 1);
        let probed = [Check { probe: true, ..both[0].clone() }, both[1].clone()];
        assert!(denials(&probed).is_empty());
        // It was asked for more often than that explains.
        let more = [both[0].clone(), Check { count: 3, ..both[1].clone() }];
        assert_eq!(denials(&more).len(), 2);
        let elsewhere = Check { call: Some("other".to_owned()), ..check("CAP_SYS_ADMIN", true) };
        assert_eq!(denials(&[check("CAP_BPF", false), elsewhere]).len(), 1);
    }
}
