//! Capabilities as others write them down: compose files, Kubernetes manifests, systemd units, command lines of docker and podman.

use std::collections::BTreeSet;

use serde_json::Value;
use tracer::abi::capabilities;

use crate::defaults;

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
    /// A list that is none.
    #[error("{0}: expected a list of names")]
    NoList(&'static str),
}

/// The capabilities of a container of a compose file (`services.NAME.cap_add`, `cap_drop`, `privileged`; compose-spec, spec.md), or of
/// a Kubernetes manifest (`securityContext.capabilities`, `privileged`; kubernetes.io/docs/tasks/configure-pod-container/security-context),
/// over what the engine gives by itself. Of several containers `name` says which.
///
/// # Errors
/// When it is none of both, or there are several containers and no name.
pub fn of_yaml(text: &str, name: Option<&str>) -> Result<BTreeSet<String>, ForeignError> {
    let value: Value =
        serde_saphyr::from_str(text).map_err(|error| ForeignError::Yaml(error.to_string()))?;
    if let Some(services) = value.get("services").and_then(Value::as_object) {
        let service = pick(services.iter().map(|(name, service)| (name.as_str(), service)), name)?;
        let privileged = service.get("privileged") == Some(&Value::Bool(true));
        let (add, drop) = (list(service, "cap_add")?, list(service, "cap_drop")?);
        return adjusted(&defaults::DOCKER.capabilities(), privileged, &add, &drop);
    }
    // A pod itself, what makes pods, and what makes these at times.
    let places = ["/spec", "/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];
    let spec = places.iter().filter_map(|place| value.pointer(place));
    let containers: Vec<&Value> = spec
        .flat_map(|spec| ["containers", "initContainers"].map(|kind| spec.get(kind)))
        .flatten()
        .filter_map(Value::as_array)
        .flatten()
        .collect();
    let named =
        |container: &&Value| container.get("name").and_then(Value::as_str).map(str::to_owned);
    let names: Vec<String> = containers.iter().map(|c| named(c).unwrap_or_default()).collect();
    let container = pick(names.iter().map(String::as_str).zip(containers), name)?;
    let context = container.get("securityContext").unwrap_or(&Value::Null);
    let privileged = context.get("privileged") == Some(&Value::Bool(true));
    let wanted = context.get("capabilities").unwrap_or(&Value::Null);
    let (add, drop) = (list(wanted, "add")?, list(wanted, "drop")?);
    adjusted(&defaults::RUNTIME.capabilities(), privileged, &add, &drop)
}

/// The capabilities of a systemd service: `CapabilityBoundingSet=` (systemd.exec(5)), all where there is none. Of a line that begins
/// with `~` all others, several lines are joined, an empty one begins again.
///
/// # Errors
/// When a name is no capability.
pub fn of_unit(text: &str) -> Result<BTreeSet<String>, ForeignError> {
    let mut set: Option<BTreeSet<String>> = None;
    let joined = text.replace("\\\n", " ");
    for line in joined.lines().map(str::trim) {
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
    Ok(set.unwrap_or_else(all))
}

/// The capabilities that options of docker or podman give over what the engine gives by itself.
///
/// # Errors
/// When a name is no capability.
pub fn of_options(
    engine: &defaults::Default,
    privileged: bool,
    add: &[String],
    drop: &[String],
) -> Result<BTreeSet<String>, ForeignError> {
    adjusted(&engine.capabilities(), privileged, add, drop)
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

fn pick<'a>(
    all: impl Iterator<Item = (&'a str, &'a Value)>,
    name: Option<&str>,
) -> Result<&'a Value, ForeignError> {
    let all: Vec<_> = all.collect();
    match (all.as_slice(), name) {
        ([], _) => Err(ForeignError::NoContainer),
        ([(_, only)], None) => Ok(only),
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
        assert_eq!(of_yaml(text, Some("web")), Ok(set(&["CHOWN", "NET_BIND_SERVICE"])));
        let db = of_yaml(text, Some("db")).unwrap();
        assert!(db.contains("CAP_CHOWN") && !db.contains("CAP_MKNOD") && db.len() == 13);
        assert_eq!(of_yaml(text, Some("root")).unwrap().len(), 41);
        let names = ["db", "root", "web"].map(str::to_owned).to_vec();
        let Err(ForeignError::Which(mut found)) = of_yaml(text, None) else { panic!("of which?") };
        found.sort();
        assert_eq!(found, names);
        assert_eq!(
            of_yaml("services: {a: {cap_add: [FLY]}}", None),
            Err(ForeignError::Unknown("FLY".to_owned()))
        );
        assert_eq!(
            of_yaml("services: {a: {cap_add: FLY}}", None),
            Err(ForeignError::NoList("cap_add"))
        );
        assert_eq!(of_yaml("a: 1", None), Err(ForeignError::NoContainer));
        assert!(matches!(of_yaml("a: [", None), Err(ForeignError::Yaml(_))));
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
            assert_eq!(of_yaml(&text, None), Ok(set(&["SYS_TIME"])), "{text}");
        }
        let plain = of_yaml("kind: Pod\nspec: {containers: [{name: a}]}", None).unwrap();
        assert_eq!(plain, defaults::RUNTIME.capabilities());
    }

    #[test]
    fn units_bound_their_services() {
        let of = |text: &str| of_unit(text).unwrap();
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
            of_options(engine, false, &owned(add), &owned(drop)).unwrap()
        };
        assert!(of("docker", &[], &[]).contains("CAP_NET_RAW"));
        assert!(!of("podman", &[], &[]).contains("CAP_NET_RAW"));
        assert_eq!(of("docker", &["chown"], &["all"]), set(&["CHOWN"]));
        assert_eq!(of("docker", &["ALL"], &["CHOWN"]).len(), 40);
        assert!(!of("docker", &["CHOWN"], &["CHOWN"]).contains("CAP_CHOWN"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let _ = of_yaml(&text, None);
            let _ = of_unit(&text);
        }
    }
}
