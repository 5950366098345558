//! What others write down of capabilities and seccomp: compose files, Kubernetes manifests, systemd units, command lines of docker and
//! podman.

use std::collections::BTreeSet;

use serde_json::Value;
use tracer::abi::capabilities;

use crate::defaults::{self, Default as Engine};

/// Why a text tells no capabilities.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ForeignError {
    /// It is no YAML.
    #[error("{0}")]
    Yaml(String),
    /// It has no container.
    #[error(
        "no container is in it: expected services of compose, or a Kubernetes manifest with containers"
    )]
    NoContainer,
    /// It has several, or none of the name.
    #[error("which container? give FILE#NAME with one of {}", .0.join(", "))]
    Which(Vec<String>),
    /// A capability that there is not.
    #[error("{0:?} is no capability")]
    Unknown(String),
    /// A `seccompProfile` that is none.
    #[error(
        "seccompProfile.type {0:?}: expected RuntimeDefault, Unconfined, or Localhost with a localhostProfile"
    )]
    Profile(String),
    /// A list that is none.
    #[error("{0}: expected a list of names")]
    NoList(&'static str),
}

/// What a text says of a container or a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// The capabilities that it can have, `CAP_…`.
    pub capabilities: BTreeSet<String>,
    /// Its seccomp profile.
    pub seccomp: Seccomp,
}

/// Which seccomp profile a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seccomp {
    /// None.
    Unconfined,
    /// The one that an engine ships.
    Default(&'static Engine),
    /// One in a file; a path that is not absolute is relative to where the engine looks.
    File(String),
    /// Filters that are not read here, and where they are.
    Unread(&'static str),
}

/// The options of an engine that count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `--privileged`
    pub privileged: bool,
    /// `--cap-add`
    pub add: Vec<String>,
    /// `--cap-drop`
    pub drop: Vec<String>,
    /// The profile of `--security-opt seccomp=`.
    pub seccomp: Option<String>,
}

/// What a compose file says of a service (`services.NAME.cap_add`, `cap_drop`, `privileged`, `security_opt`; compose-spec, spec.md), or
/// a Kubernetes manifest of a container (`securityContext.capabilities`, `privileged`, `seccompProfile`, of the container or its pod;
/// kubernetes.io/docs/tasks/configure-pod-container/security-context), over what the engine gives by itself. Of several containers
/// `name` says which.
///
/// # Errors
/// When it is none of both, or there are several containers and no name.
pub fn of_yaml(text: &str, name: Option<&str>) -> Result<Foreign, ForeignError> {
    let value: Value =
        serde_saphyr::from_str(text).map_err(|error| ForeignError::Yaml(error.to_string()))?;
    if let Some(services) = value.get("services").and_then(Value::as_object) {
        let service = pick(services.iter().map(|(name, service)| (name.as_str(), service)), name)?;
        return of_options(
            &defaults::DOCKER,
            &Options {
                privileged: service.get("privileged") == Some(&Value::Bool(true)),
                add: list(service, "cap_add")?,
                drop: list(service, "cap_drop")?,
                seccomp: list(service, "security_opt")?
                    .iter()
                    .filter_map(|o| seccomp_of(o))
                    .next_back(),
            },
        );
    }
    of_manifest(&value, name)
}

/// The profile that a `security_opt` names; the old form has a colon (docs.docker.com/reference/cli/docker/container/run).
fn seccomp_of(option: &str) -> Option<String> {
    option.strip_prefix("seccomp").and_then(|rest| rest.strip_prefix(['=', ':'])).map(str::to_owned)
}

fn of_manifest(value: &Value, name: Option<&str>) -> Result<Foreign, ForeignError> {
    // A pod itself, what makes pods, and what makes these at times.
    let places = ["/spec", "/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];
    let mut containers = Vec::new();
    for pod in places.iter().filter_map(|place| value.pointer(place)) {
        let lists = ["containers", "initContainers"].map(|kind| pod.get(kind));
        let all = lists.into_iter().flatten().filter_map(Value::as_array).flatten();
        containers.extend(all.map(|container| (pod, container)));
    }
    let named =
        |container: &Value| container.get("name").and_then(Value::as_str).map(str::to_owned);
    let names: Vec<String> = containers.iter().map(|(_, c)| named(c).unwrap_or_default()).collect();
    let (pod, container) = pick(names.iter().map(String::as_str).zip(containers), name)?;
    let context = |of: &Value, key: &str| of.pointer(&format!("/securityContext/{key}")).cloned();
    let wanted = context(container, "capabilities").unwrap_or_default();
    let privileged = context(container, "privileged") == Some(Value::Bool(true));
    let profile = context(container, "seccompProfile").or_else(|| context(pod, "seccompProfile"));
    let text = |key: &str| profile.as_ref()?.get(key)?.as_str();
    let seccomp = match (text("type"), text("localhostProfile")) {
        _ if privileged => Seccomp::Unconfined,
        // The kubelet's --seccomp-default is off unless somebody turns it on.
        (None | Some("Unconfined"), _) => Seccomp::Unconfined,
        (Some("RuntimeDefault"), _) => Seccomp::Default(&defaults::RUNTIME),
        (Some("Localhost"), Some(file)) => Seccomp::File(file.to_owned()),
        (Some(other), _) => return Err(ForeignError::Profile(other.to_owned())),
    };
    let (add, drop) = (list(&wanted, "add")?, list(&wanted, "drop")?);
    let capabilities = adjusted(&defaults::RUNTIME.capabilities(), privileged, &add, &drop)?;
    Ok(Foreign { capabilities, seccomp })
}

/// Directives by which systemd filters system calls (systemd.exec(5)).
const FILTERS: [&str; 14] = [
    "LockPersonality=",
    "MemoryDenyWriteExecute=",
    "PrivateDevices=",
    "ProtectClock=",
    "ProtectHostname=",
    "ProtectKernelLogs=",
    "ProtectKernelModules=",
    "ProtectKernelTunables=",
    "RestrictAddressFamilies=",
    "RestrictNamespaces=",
    "RestrictRealtime=",
    "RestrictSUIDSGID=",
    "SystemCallArchitectures=",
    "SystemCallFilter=",
];

/// What a unit says of a systemd service: `CapabilityBoundingSet=` (systemd.exec(5)), all where there is none. Of a line that begins
/// with `~` all others, several lines are joined, an empty one begins again. Filters of calls are not read.
///
/// # Errors
/// When a name is no capability.
pub fn of_unit(text: &str) -> Result<Foreign, ForeignError> {
    let mut set: Option<BTreeSet<String>> = None;
    let mut seccomp = Seccomp::Unconfined;
    let joined = text.replace("\\\n", " ");
    for line in joined.lines().map(str::trim) {
        if let Some(filter) = FILTERS.iter().find(|name| line.starts_with(*name)) {
            seccomp = Seccomp::Unread(filter);
        }
        let Some(value) = line.strip_prefix("CapabilityBoundingSet=") else { continue };
        let (inverted, names) = match value.trim().strip_prefix('~') {
            Some(names) => (true, names),
            None => (false, value.trim()),
        };
        let names = names.split_whitespace().map(known).collect::<Result<BTreeSet<_>, _>>()?;
        set = Some(match (set, inverted) {
            (_, false) if names.is_empty() => BTreeSet::new(),
            (_, true) if names.is_empty() => all(),
            (None, false) => names,
            (Some(set), false) => &set | &names,
            (set, true) => &set.unwrap_or_else(all) - &names,
        });
    }
    Ok(Foreign { capabilities: set.unwrap_or_else(all), seccomp })
}

/// What options of docker or podman give over what the engine gives by itself.
///
/// # Errors
/// When a name is no capability.
pub fn of_options(engine: &'static Engine, options: &Options) -> Result<Foreign, ForeignError> {
    let Options { privileged, add, drop, seccomp } = options;
    let seccomp = match seccomp.as_deref() {
        // A profile that is given counts all the same (moby, daemon/seccomp_linux.go).
        None if *privileged => Seccomp::Unconfined,
        Some("unconfined") => Seccomp::Unconfined,
        None | Some("builtin") => Seccomp::Default(engine),
        Some(file) => Seccomp::File(file.to_owned()),
    };
    Ok(Foreign { capabilities: adjusted(&engine.capabilities(), *privileged, add, drop)?, seccomp })
}

/// What is added to and dropped from a set, as moby has it (oci/caps/utils.go): `ALL` first, then the others, and who is both added
/// and dropped is dropped, unless everything is.
fn adjusted(
    given: &BTreeSet<String>,
    privileged: bool,
    add: &[String],
    drop: &[String],
) -> Result<BTreeSet<String>, ForeignError> {
    if privileged {
        return Ok(all());
    }
    let is_all = |name: &String| name.eq_ignore_ascii_case("all");
    let named = |names: &[String]| -> Result<BTreeSet<String>, ForeignError> {
        names.iter().filter(|name| !is_all(name)).map(|name| known(name)).collect()
    };
    let (added, dropped) = (named(add)?, named(drop)?);
    if add.iter().any(is_all) {
        return Ok(&all() - &dropped);
    }
    if drop.iter().any(is_all) {
        return Ok(added);
    }
    Ok(&(given - &dropped) | &(&added - &dropped))
}

fn all() -> BTreeSet<String> {
    // include/uapi/linux/capability.h, CAP_LAST_CAP
    (0..=40).map(capabilities::name).collect()
}

/// A capability's name as capabilities(7) has it; others leave the prefix out, or write it small.
fn known(name: &str) -> Result<String, ForeignError> {
    let upper = name.to_ascii_uppercase();
    let full = if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") };
    match capabilities::number(&full) {
        Some(_) => Ok(full),
        None => Err(ForeignError::Unknown(name.to_owned())),
    }
}

fn list(of: &Value, key: &'static str) -> Result<Vec<String>, ForeignError> {
    match of.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(names)) => names
            .iter()
            .map(|name| name.as_str().map(str::to_owned).ok_or(ForeignError::NoList(key)))
            .collect(),
        Some(_) => Err(ForeignError::NoList(key)),
    }
}

fn pick<'a, T: Copy>(
    all: impl Iterator<Item = (&'a str, T)>,
    name: Option<&str>,
) -> Result<T, ForeignError> {
    let all: Vec<_> = all.collect();
    match (all.as_slice(), name) {
        ([], _) => Err(ForeignError::NoContainer),
        ([(_, only)], None) => Ok(*only),
        (all, name) => {
            let found = all.iter().find(|(known, _)| Some(*known) == name);
            found.map(|(_, value)| *value).ok_or_else(|| {
                ForeignError::Which(all.iter().map(|(name, _)| (*name).to_owned()).collect())
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn capabilities(text: &str, name: Option<&str>) -> Result<BTreeSet<String>, ForeignError> {
        of_yaml(text, name).map(|read| read.capabilities)
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| format!("CAP_{name}")).collect()
    }

    #[test]
    fn compose_adds_and_drops() {
        let text = "
services:
  web:
    image: x
    cap_drop: [ALL]
    cap_add: [NET_BIND_SERVICE, cap_chown]
  db:
    image: y
    cap_drop: [mknod]
  root: {privileged: true}
";
        assert_eq!(capabilities(text, Some("web")), Ok(set(&["CHOWN", "NET_BIND_SERVICE"])));
        let db = capabilities(text, Some("db")).unwrap();
        assert!(db.contains("CAP_CHOWN") && !db.contains("CAP_MKNOD") && db.len() == 13);
        assert_eq!(capabilities(text, Some("root")).unwrap().len(), 41);
        let names = ["db", "root", "web"].map(str::to_owned).to_vec();
        let Err(ForeignError::Which(mut found)) = capabilities(text, None) else {
            panic!("of which?")
        };
        found.sort();
        assert_eq!(found, names);
        assert_eq!(
            capabilities("services: {a: {cap_add: [FLY]}}", None),
            Err(ForeignError::Unknown("FLY".to_owned()))
        );
        assert_eq!(
            capabilities("services: {a: {cap_add: FLY}}", None),
            Err(ForeignError::NoList("cap_add"))
        );
        assert_eq!(capabilities("a: 1", None), Err(ForeignError::NoContainer));
        assert!(matches!(capabilities("a: [", None), Err(ForeignError::Yaml(_))));
    }

    #[test]
    fn pods_and_what_makes_them_are_read() {
        let container =
            "{name: app, securityContext: {capabilities: {drop: [ALL], add: [SYS_TIME]}}}";
        for text in [
            format!("kind: Pod\nspec: {{containers: [{container}]}}"),
            format!(
                "kind: Deployment\nspec: {{template: {{spec: {{containers: [{container}]}}}}}}"
            ),
            format!(
                "kind: CronJob\nspec: {{jobTemplate: {{spec: {{template: {{spec: {{containers: [{container}]}}}}}}}}}}"
            ),
        ] {
            assert_eq!(capabilities(&text, None), Ok(set(&["SYS_TIME"])), "{text}");
        }
        let plain = capabilities("kind: Pod\nspec: {containers: [{name: a}]}", None).unwrap();
        assert_eq!(plain, defaults::RUNTIME.capabilities());
    }

    #[test]
    fn units_bound_their_services() {
        let of = |text: &str| of_unit(text).unwrap().capabilities;
        assert_eq!(of("[Service]\nExecStart=/x\n").len(), 41);
        let two =
            "CapabilityBoundingSet=CAP_CHOWN \\\n CAP_KILL\nCapabilityBoundingSet=CAP_FOWNER\n";
        assert_eq!(of(two), set(&["CHOWN", "FOWNER", "KILL"]));
        assert_eq!(of(&format!("{two}CapabilityBoundingSet=\n")), set(&[]));
        assert_eq!(
            of(&format!("{two}CapabilityBoundingSet=~CAP_KILL\n")),
            set(&["CHOWN", "FOWNER"])
        );
        assert_eq!(of("CapabilityBoundingSet=~CAP_SYS_ADMIN").len(), 40);
        assert!(of_unit("CapabilityBoundingSet=CAP_FLY").is_err());
    }

    #[test]
    fn options_go_over_what_the_engine_gives() {
        let of = |engine: &str, add: &[&str], drop: &[&str]| {
            let engine = defaults::named(&format!("{engine}-default")).unwrap();
            let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
            let options = Options { add: owned(add), drop: owned(drop), ..Options::default() };
            of_options(engine, &options).unwrap().capabilities
        };
        assert!(of("docker", &[], &[]).contains("CAP_NET_RAW"));
        assert!(!of("podman", &[], &[]).contains("CAP_NET_RAW"));
        assert_eq!(of("docker", &["chown"], &["all"]), set(&["CHOWN"]));
        assert_eq!(of("docker", &["ALL"], &["CHOWN"]).len(), 40);
        assert!(!of("docker", &["CHOWN"], &["CHOWN"]).contains("CAP_CHOWN"));
    }

    #[test]
    fn the_seccomp_profile_is_told_wherever_it_is_named() {
        let compose =
            |rest: &str| of_yaml(&format!("services: {{a: {{{rest}}}}}"), None).unwrap().seccomp;
        assert_eq!(compose("image: x"), Seccomp::Default(&defaults::DOCKER));
        assert_eq!(compose("privileged: true"), Seccomp::Unconfined);
        assert_eq!(compose("security_opt: ['seccomp:unconfined']"), Seccomp::Unconfined);
        let file = compose("security_opt: ['label=disable', 'seccomp=./app.json']");
        assert_eq!(file, Seccomp::File("./app.json".to_owned()));
        let pod = |pod: &str, container: &str| {
            let text = format!(
                "kind: Pod\nspec: {{securityContext: {{{pod}}}, containers: [{{name: a, securityContext: {{{container}}}}}]}}"
            );
            of_yaml(&text, None).map(|read| read.seccomp)
        };
        let default = "seccompProfile: {type: RuntimeDefault}";
        assert_eq!(pod("", ""), Ok(Seccomp::Unconfined));
        assert_eq!(pod(default, ""), Ok(Seccomp::Default(&defaults::RUNTIME)));
        assert_eq!(pod(default, "seccompProfile: {type: Unconfined}"), Ok(Seccomp::Unconfined));
        assert_eq!(pod(default, "privileged: true"), Ok(Seccomp::Unconfined));
        let local = "seccompProfile: {type: Localhost, localhostProfile: profiles/a.json}";
        assert_eq!(pod("", local), Ok(Seccomp::File("profiles/a.json".to_owned())));
        for wrong in ["seccompProfile: {type: Localhost}", "seccompProfile: {type: Default}"] {
            assert!(matches!(pod("", wrong), Err(ForeignError::Profile(_))), "{wrong}");
        }
        let unit = |text: &str| of_unit(text).unwrap().seccomp;
        assert_eq!(unit("[Service]\nExecStart=/x\n"), Seccomp::Unconfined);
        assert_eq!(
            unit("SystemCallFilter=@system-service\n"),
            Seccomp::Unread("SystemCallFilter=")
        );
        let options = |privileged, seccomp: Option<&str>| {
            let seccomp = seccomp.map(str::to_owned);
            of_options(&defaults::PODMAN, &Options { privileged, seccomp, ..Options::default() })
                .unwrap()
                .seccomp
        };
        assert_eq!(options(false, None), Seccomp::Default(&defaults::PODMAN));
        assert_eq!(options(true, None), Seccomp::Unconfined);
        assert_eq!(options(false, Some("unconfined")), Seccomp::Unconfined);
        assert_eq!(options(false, Some("a.json")), Seccomp::File("a.json".to_owned()));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let _ = of_yaml(&text, None);
            let _ = of_unit(&text);
        }
    }
}
