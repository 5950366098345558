//! A container under its profiles. The engine enforces them, as it will in production; what the filter refuses is seen by the
//! eBPF backend: a call that ends without having begun.

use std::collections::BTreeSet;

use profile_emit::seccomp::{Answer, Profile, simulate};
use serde_json::Value;
use tracer::container::{Engine, Filter, prepare};
use tracer::decode::Call;
use tracer::ebpf;
use tracer::recording::{Args, Fact, Recording, What};
use tracer::session;

pub(crate) use tracer::container::Invocation;

use crate::ancestors::Ancestors;
use crate::checks;
use crate::lines::Lines;
use crate::profiles::Profiles;
use crate::report::{Denial, Denials, Kind};
use crate::run::Proof;
use crate::{Options, Report, VerifyError, apparmor, arguments, nearest};

/// Runs the container with the learned profile and capabilities, and nothing else that its options would allow.
pub(crate) fn verify(options: &Options, invocation: &Invocation) -> Result<Proof, VerifyError> {
    let profiles = Profiles::read(&options.profiles)?;
    // The file itself is what the engine gets.
    let seccomp: Value = std::fs::read(&profiles.seccomp_path)
        .map_err(|source| VerifyError::Read { path: profiles.seccomp_path.clone(), source })
        .and_then(|text| {
            serde_json::from_slice(&text).map_err(|error| VerifyError::Malformed {
                path: profiles.seccomp_path.clone(),
                what: error.to_string(),
            })
        })?;
    let capabilities = profiles.capabilities.added().collect();
    let (confinement, why) = match apparmor::Loaded::of(&options.profiles) {
        Ok(loaded) => (Some(loaded), None),
        Err(why) => (None, Some(why)),
    };
    let name = confinement.as_ref().map(|loaded| loaded.name().to_owned());
    let filter = Filter::Enforce { seccomp, capabilities, apparmor: name };
    let prepared = prepare(&options.command, invocation, &filter)?;
    let asked = session::Options { command: options.command.clone(), ..Default::default() };
    let outcome =
        ebpf::record_prepared(&asked, &prepared, &Engine::of(invocation), &mut |_status| {})?;
    let recording = &outcome.recording;
    let ancestors = Ancestors::of(recording);
    let mut denials = denials(recording, &profiles.seccomp, &profiles.lines, &ancestors);
    for (mut denial, healing) in checks::denials(&outcome.checks) {
        denial.ancestors = ancestors.to(&denial.program);
        denials.add(denial, healing);
    }
    let healing = denials.healing();
    let (denials, note) = denials.finish();
    let mut notes: BTreeSet<String> = prepared.notes.iter().cloned().collect();
    notes.extend(note);
    notes.extend(why);
    notes.extend(
        recording
            .incomplete_because()
            .into_iter()
            .map(|why| format!("not everything was seen: {why}")),
    );
    // Nothing was enforced on a container that never started.
    let mut enforced = BTreeSet::new();
    let mut apparmor = Vec::new();
    if !recording.is_empty() {
        enforced.extend(["capabilities", "seccomp"].map(str::to_owned));
    }
    if let Some(loaded) = confinement {
        if !recording.is_empty() {
            loaded.say(&mut enforced, &mut notes);
            // Which programs may be run is AppArmor's part.
            if enforced.contains("apparmor") {
                enforced.insert("programs".to_owned());
            }
        }
        let (refusals, lost) = loaded.finish();
        apparmor = refusals;
        notes.extend(lost);
    }
    let report =
        Report { enforced, apparmor, notes, ..Report::new(&options.command, outcome.end, denials) };
    Ok(Proof { report, healing, sees_capabilities: true })
}

/// What the filter refused; not what the profile answers by a rule of its own, so that libc falls back.
fn denials(
    recording: &Recording,
    profile: &Profile,
    lines: &Lines,
    ancestors: &Ancestors,
) -> Denials {
    let mut denials = Denials::default();
    for (fact, runs) in recording.sorted() {
        let What::Denied { abi, nr, name, args } = &fact.what else { continue };
        let mut call = Call { abi: *abi, nr: *nr, args: [0; 6], result: None };
        if let Some(Args::Values(values)) = args {
            for (index, value) in values.iter() {
                if let Some(arg) = call.args.get_mut(usize::from(*index)) {
                    *arg = *value;
                }
            }
        }
        for (errno, count) in runs.values().flat_map(|seen| &seen.outcomes) {
            if is_rule(profile, &call, errno) {
                continue;
            }
            let arguments = match args {
                Some(Args::Many) => "…".to_owned(),
                _ => arguments::of_values(&call),
            };
            let denial = Denial {
                program: fact.domain.clone(),
                abi: *abi,
                call: name.as_ref().map_or_else(|| nr.to_string(), ToString::to_string),
                arguments,
                errno: errno.to_string(),
                kind: Kind::Call,
                capability: None,
                ancestors: ancestors.to(&fact.domain),
                near: Some(nearest::near(profile, lines, &call)),
                allow: nearest::allowing(&call),
                count: *count,
            };
            denials.add(denial, vec![Fact { what: call.fact(), ..fact.clone() }]);
        }
    }
    denials
}

/// The profile has a rule with this answer, as for calls that a newer libc tries first; its default is another.
fn is_rule(profile: &Profile, call: &Call, errno: &str) -> bool {
    let Answer::Errno(number) = simulate(profile, call.abi, call.nr, call.args) else {
        return false;
    };
    let default = profile.default_errno_ret.unwrap_or(profile_emit::seccomp::oci::EPERM);
    number != default && tracer::decode::outcome(-i64::from(number)) == errno
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracer::abi::{Abi, calls};
    use tracer::recording::{Origin, Seen};

    fn denied(name: &str, args: &[(u8, u64)]) -> Fact {
        Fact {
            domain: "/bin/app".into(),
            origin: Origin::Entry,
            what: What::Denied {
                abi: Abi::X86_64,
                nr: calls::number(Abi::X86_64, name).unwrap(),
                name: Some(name.into()),
                args: (!args.is_empty())
                    .then(|| Args::Values(Box::new(args.iter().copied().collect()))),
            },
        }
    }

    #[test]
    fn refusals_are_denials_and_answers_by_rule_are_not() {
        let profile = Profile::from_json(
            br#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,"architectures":["SCMP_ARCH_X86_64"],
                "syscalls":[{"names":["clone3"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]}"#,
        )
        .unwrap();
        let mut recording = Recording::new();
        recording.add("1", denied("clone3", &[]), &Seen::ending("ENOSYS", 2));
        recording.add("1", denied("socket", &[(0, 38), (1, 5), (2, 0)]), &Seen::ending("EPERM", 3));
        let (found, _) =
            denials(&recording, &profile, &Lines::default(), &Ancestors::default()).finish();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].call.as_str(), found[0].count), ("socket", 3));
        assert_eq!(found[0].arguments, "AF_ALG, SOCK_SEQPACKET, 0");
    }
}
