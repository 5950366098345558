//! A directory that `learn generate` wrote: what is enforced are the profiles, and the policy has the evidence.

use std::path::Path;

use learner::drift::Drift;
use learner::drift::side::{Kind, Side};
use profile_emit::apparmor::{self, Mode};
use profile_emit::bundle;
use profile_emit::capabilities::Capabilities;
use profile_emit::seccomp::Profile;

use super::super::super::unusable;
use super::{Reading, contents, policy};
use crate::exit::{Condition, Failure};

/// Reads the profiles, and of the policy what they do not tell. Where they say something else than the policy, somebody has edited
/// them: they count, and that is noted.
pub(super) fn read(path: &Path) -> Result<Reading, Failure> {
    let [from, seccomp, capabilities, text] =
        [bundle::POLICY, bundle::SECCOMP, bundle::CAPABILITIES, bundle::APPARMOR]
            .map(|name| path.join(name));
    let policy = match from.exists() {
        true => Some(policy(&from, &contents(&from)?)?),
        false => None,
    };
    let mut profiles = Reading { form: "profiles", ..Reading::default() };
    if capabilities.exists() {
        let read = Capabilities::from_json(&contents(&capabilities)?);
        profiles.capabilities(read.map_err(|e| unusable(&capabilities, &e))?.added());
    }
    if seccomp.exists() {
        profiles.seccomp(&seccomp, Profile::from_json(&contents(&seccomp)?))?;
    }
    if text.exists() {
        let own = |mode| policy.as_ref().map(|policy| apparmor::emit(policy, mode).0.into_bytes());
        let (text, name) = (Some(contents(&text)?), bundle::APPARMOR);
        if text == own(Mode::Complain) {
            profiles.notes.push(format!("{name} only complains: it refuses nothing"));
        } else if text != own(Mode::Enforce) {
            profiles.notes.push(format!(
                "not compared: {name}, which policy.json does not make; give the two files themselves"
            ));
        }
    }
    if policy.is_none() && profiles.side == Side::default() {
        return Err(Failure::because(
            Condition::Input,
            format_args!(
                "{}: neither {} nor {} nor {} is there; give a directory of profiles",
                path.display(),
                bundle::POLICY,
                bundle::SECCOMP,
                bundle::CAPABILITIES
            ),
        ));
    }
    let Some(policy) = policy else { return Ok(profiles) };
    Ok(over(Side::of(&policy), profiles))
}

/// Profiles over the policy that they were made from.
fn over(mut policy: Side, mut profiles: Reading) -> Reading {
    let differences = Drift::between(&policy, &profiles.side).differences;
    for (kind, file) in [(Kind::Call, bundle::SECCOMP), (Kind::Capability, bundle::CAPABILITIES)] {
        let these = differences.iter().filter(|d| match kind {
            Kind::Call => matches!(d.kind, Kind::Call | Kind::Default),
            kind => d.kind == kind,
        });
        let names: Vec<&str> = these.map(|difference| difference.what.as_str()).collect();
        if !names.is_empty() {
            profiles.notes.push(format!(
                "{file} is not what policy.json says, and counts: {}",
                names.join(", ")
            ));
        }
    }
    if let Some(mut planes) = profiles.side.calls {
        for (abi, plane) in &mut planes {
            let known = policy.calls.as_ref().and_then(|calls| calls.get(abi));
            for (name, call) in &mut plane.calls {
                if let Some(known) = known.and_then(|plane| plane.calls.get(name)) {
                    call.why = known.why.clone();
                }
            }
        }
        policy.calls = Some(planes);
    }
    for (kind, mut set) in profiles.side.sets {
        let known = policy.sets.get(&kind);
        for (name, why) in &mut set {
            if let Some(known) = known.and_then(|set| set.get(name)) {
                *why = known.clone();
            }
        }
        policy.sets.insert(kind, set);
    }
    Reading { form: "profiles", side: policy, notes: profiles.notes }
}
