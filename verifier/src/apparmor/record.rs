//! What an audit record of `AppArmor` tells (security/apparmor/audit.c, `audit_pre`, and the callbacks of each kind).

use std::collections::BTreeMap;

use learner::policy::Pattern;
use profile_emit::apparmor::quote::{self, Directory};
use serde::{Deserialize, Serialize};
use tracer::recording::ByteString;

/// Something that `AppArmor` refused, or would have if it did not only complain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Refusal {
    /// The name of the process, as the kernel has it: at most 15 bytes.
    pub program: ByteString,
    /// What it wanted to do, in `AppArmor`'s word: `open`, `exec`, `capable`, `create`, `signal`, …
    pub operation: String,
    /// What it wanted to do it to: a path, a capability, a family and type of sockets, a signal and its receiver.
    pub object: ByteString,
    /// What it asked for, in the letters of the record; empty where the operation says all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub requested: String,
    /// What of it was refused.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub denied: String,
    /// The rule that would allow it, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// How often.
    pub count: u64,
}

/// A program chooses its paths: so many different refusals are told apart.
const MOST: usize = 1000;

/// The kernel's word for what a profile refuses.
pub(super) const DENIED: &str = "DENIED";
/// And for what one that only complains would refuse.
pub(super) const ALLOWED: &str = "ALLOWED";

/// The refusals of a profile, sorted, each once: the records with this word.
pub(super) fn refusals(records: &[String], word: &str, profile: &str) -> Vec<Refusal> {
    let mut counts: BTreeMap<Refusal, u64> = BTreeMap::new();
    for refusal in records.iter().filter_map(|record| Refusal::read(record, word, profile)) {
        let mut refusal = refusal;
        if counts.len() >= MOST && !counts.contains_key(&refusal) {
            refusal = Refusal { object: "…".into(), rule: None, ..refusal };
        }
        *counts.entry(refusal).or_default() += 1;
    }
    counts.into_iter().map(|(refusal, count)| Refusal { count, ..refusal }).collect()
}

impl Refusal {
    /// Reads a record of a profile; the count is zero.
    fn read(record: &str, word: &str, profile: &str) -> Option<Self> {
        let fields = Fields(record);
        let is = |name, value: &str| fields.text(name).is_some_and(|field| field == value);
        // Of the profile itself, or of a child profile.
        let own = |name: String| match name.strip_prefix(profile) {
            Some(rest) => rest.is_empty() || rest.starts_with("//"),
            None => false,
        };
        if !is("apparmor", word) || !fields.text("profile").is_some_and(own) {
            return None;
        }
        let text = |name| fields.text(name).unwrap_or_default();
        let denied = text("denied_mask");
        let path = fields.bytes("name");
        let (object, rule) = if let Some(capability) = fields.text("capname") {
            (capability.clone(), Some(format!("capability {capability},")))
        } else if let Some(family) = fields.text("family") {
            let of = format!("{family} {}", text("sock_type"));
            let rule = format!("network {of},");
            (of, Some(rule))
        } else if let Some(signal) = fields.text("signal") {
            let peer = text("peer");
            let rule = format!("signal ({denied}) set=({signal}) peer={peer},");
            (format!("{signal} {peer}"), Some(rule))
        } else if let Some(peer) = fields.text("peer") {
            let rule = format!("{} ({denied}) peer={peer},", text("operation"));
            (peer, Some(rule).filter(|_| text("operation") == "ptrace"))
        } else {
            let rule = path.as_deref().and_then(|path| file_rule(path, &denied));
            return Some(Self::of(
                &fields,
                path.unwrap_or_default().as_slice().into(),
                denied,
                rule,
            ));
        };
        Some(Self::of(&fields, object.as_str().into(), denied, rule))
    }

    fn of(fields: &Fields<'_>, object: ByteString, denied: String, rule: Option<String>) -> Self {
        let text = |name| fields.text(name).unwrap_or_default();
        Self {
            program: fields.bytes("comm").unwrap_or_default().as_slice().into(),
            operation: text("operation"),
            object,
            requested: text("requested_mask"),
            denied,
            rule,
            count: 0,
        }
    }
}

/// The rule for a path. Masks have letters that rules don't (`aa_audit_perm_mask`): creating and deleting are writing.
fn file_rule(path: &[u8], denied: &str) -> Option<String> {
    let writes = denied.contains(['w', 'c', 'd']);
    let permissions: String = [
        ("r", denied.contains('r')),
        ("w", writes),
        ("a", denied.contains('a') && !writes),
        ("k", denied.contains('k')),
        ("m", denied.contains('m')),
        ("ix", denied.contains('x')),
    ]
    .iter()
    .filter_map(|(letter, asked)| asked.then_some(*letter))
    .collect();
    // A directory's name ends in a slash here already.
    let quoted = quote::pattern(&Pattern::literal(path), Directory::No);
    // What is not in the tree of names has no rule.
    (path.starts_with(b"/") && !permissions.is_empty()).then(|| format!("{quoted} {permissions},"))
}

/// `name="value"` pairs; a value that could be misread stands in hexadecimal without quotes (`audit_log_untrustedstring`).
struct Fields<'a>(&'a str);

impl Fields<'_> {
    fn raw(&self, name: &str) -> Option<&str> {
        let mut rest = self.0;
        loop {
            let (before, after) = rest.split_once(name)?;
            let starts = before.is_empty() || before.ends_with(' ');
            match after.strip_prefix('=') {
                Some(value) if starts => {
                    let quoted =
                        value.strip_prefix('"').and_then(|v| v.find('"')).map(|end| end + 2);
                    let end = quoted.or_else(|| value.find(' ')).unwrap_or(value.len());
                    return value.get(..end);
                }
                _ => rest = after,
            }
        }
    }

    fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let raw = self.raw(name)?;
        if let Some(quoted) = raw.strip_prefix('"') {
            return Some(quoted.trim_end_matches('"').as_bytes().to_vec());
        }
        let pairs = raw.as_bytes().chunks(2);
        pairs
            .map(|pair| std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2))
            .map(|pair| pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()))
            .collect()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.raw(name).map(|raw| raw.trim_matches('"').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rest: &str) -> Refusal {
        let record = format!("audit(1.2:3): apparmor=\"DENIED\" {rest}");
        Refusal::read(&record, DENIED, "p").unwrap()
    }

    #[test]
    fn each_kind_of_record_names_its_rule() {
        for (record, object, rule) in [
            (
                r#"operation="open" profile="p" name="/etc/service/other" pid=1 comm="sh" requested_mask="r" denied_mask="r" fsuid=0 ouid=0"#,
                "/etc/service/other",
                r#""/etc/service/other" r,"#,
            ),
            (
                r#"operation="mknod" profile="p" name="/a" pid=1 comm="sh" requested_mask="c" denied_mask="c" fsuid=0 ouid=0"#,
                "/a",
                r#""/a" w,"#,
            ),
            (
                r#"operation="exec" profile="p" name=2F746D702F612062 pid=1 comm="sh" requested_mask="x" denied_mask="x" fsuid=0 ouid=0"#,
                "/tmp/a b",
                r#""/tmp/a\040b" ix,"#,
            ),
            (
                r#"operation="capable" profile="p" pid=1 comm="sh" capability=24  capname="sys_resource""#,
                "sys_resource",
                "capability sys_resource,",
            ),
            (
                r#"operation="create" profile="p" pid=1 comm="sh" family="inet" sock_type="dgram" protocol=17 requested_mask="create" denied_mask="create""#,
                "inet dgram",
                "network inet dgram,",
            ),
            (
                r#"operation="signal" profile="p" pid=1 comm="sh" requested_mask="send" denied_mask="send" signal=term peer="unconfined""#,
                "term unconfined",
                "signal (send) set=(term) peer=unconfined,",
            ),
        ] {
            let refusal = read(record);
            assert_eq!(refusal.object, object.into(), "{record}");
            assert_eq!(refusal.rule.as_deref(), Some(rule), "{record}");
            assert_eq!(refusal.program, "sh".into());
        }
    }

    #[test]
    fn others_records_are_not_ours() {
        for record in [
            r#"apparmor="ALLOWED" operation="open" profile="p" name="/a""#,
            r#"apparmor="DENIED" operation="open" profile="q" name="/a""#,
            r#"avc:  denied  { read }"#,
            "",
        ] {
            assert_eq!(Refusal::read(record, DENIED, "p"), None, "{record}");
        }
        let mild = r#"apparmor="ALLOWED" operation="open" profile="p" name="/a""#;
        assert!(Refusal::read(mild, ALLOWED, "p").is_some());
    }

    #[test]
    fn equal_ones_are_counted() {
        let record = r#"apparmor="DENIED" operation="open" profile="p" name="/a" comm="x" requested_mask="r" denied_mask="r""#;
        let all = refusals(&[record.to_owned(), record.to_owned()], DENIED, "p");
        assert_eq!(all.iter().map(|refusal| refusal.count).collect::<Vec<_>>(), [2]);
    }
}
