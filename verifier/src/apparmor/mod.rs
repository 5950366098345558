//! The `AppArmor` profile: loaded under a name of its own, enforced on the command, and unloaded; where the kernel has no
//! `AppArmor`, only parsed.
//!
//! - `log`: the kernel's audit records while the command runs
//! - `record`: what a record tells, and the rule that would have allowed it

mod log;
mod record;

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use profile_emit::bundle;

pub use record::Refusal;

use log::Log;

/// Where the kernel takes and lists profiles (Documentation/admin-guide/LSM/apparmor.rst).
const KERNEL: &str = "/sys/kernel/security/apparmor/profiles";
/// The parser, also where an ordinary user's PATH does not lead.
const PARSERS: [&str; 3] =
    ["apparmor_parser", "/usr/sbin/apparmor_parser", "/sbin/apparmor_parser"];

/// What is to be said of a profile that complains.
const COMPLAINS: &str = "AppArmor's part is not enforced: apparmor.profile only complains; what is listed of it was done, and a \
     profile made without --complain would have refused it";

/// A profile in the kernel, until this is dropped.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// It refuses what it does not allow, and does not only complain.
    enforces: bool,
    name: String,
    text: String,
    log: Log,
}

impl Loaded {
    /// Loads the directory's profile. The error says why it is not enforced, and how far it was looked at.
    pub(crate) fn of(directory: &Path) -> Result<Self, String> {
        let path = directory.join(bundle::APPARMOR);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            format!("AppArmor's part is not enforced: {}: {error}", path.display())
        })?;
        // Names of profiles are the whole system's.
        let name = format!("learn-verify-{}", std::process::id());
        let text = named(&text, &name).ok_or_else(|| {
            format!("AppArmor's part is not enforced: {} has no profile", path.display())
        })?;
        if let Err(why) = enforces() {
            return Err(match parser(&["--skip-kernel-load", "--skip-cache"], &text) {
                Ok(()) => format!("AppArmor's part was only parsed, without an error: {why}"),
                Err(error) => {
                    format!("AppArmor's part is not enforced: {why}; nor was it parsed: {error}")
                }
            });
        }
        let log = Log::open().map_err(|error| {
            format!("AppArmor's part is not enforced: its audit records can't be read: {error}")
        })?;
        parser(&["--replace", "--skip-cache"], &text)
            .map_err(|error| format!("AppArmor's part is not enforced: {error}"))?;
        Ok(Self { enforces: !complains(&text), name, text, log })
    }

    /// The name under which the kernel has it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Adds that it is enforced, or that it only complains.
    pub(crate) fn say(&self, enforced: &mut BTreeSet<String>, notes: &mut BTreeSet<String>) {
        match self.enforces {
            true => enforced.insert("apparmor".to_owned()),
            false => notes.insert(COMPLAINS.to_owned()),
        };
    }

    /// What the child writes to be confined from its exec on (aa_change_onexec(2)).
    pub(crate) fn change(&self) -> Option<CString> {
        CString::new(format!("exec {}", self.name)).ok()
    }

    /// What was refused to the command, sorted, and what a reader should know.
    pub(crate) fn finish(self) -> (Vec<Refusal>, Vec<String>) {
        let (records, notes) = self.log.read();
        let word = if self.enforces { record::DENIED } else { record::ALLOWED };
        (record::refusals(&records, word, &self.name), notes)
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // Whatever outlives the command runs unconfined from then on; there is nobody to tell if it fails.
        let _left = parser(&["--remove"], &self.text);
    }
}

/// Whether this kernel enforces profiles, and takes them from us.
fn enforces() -> Result<(), String> {
    match std::fs::read_to_string("/sys/module/apparmor/parameters/enabled") {
        Ok(enabled) if enabled.trim() == "Y" => {}
        Ok(_) => return Err("it is not enabled in this kernel".to_owned()),
        Err(_) => return Err("this kernel has none".to_owned()),
    }
    std::fs::File::open(KERNEL).map(drop).map_err(|error| {
        format!("{KERNEL} can't be read ({error}); loading a profile needs root and securityfs")
    })
}

/// Whether its profile has the flag `complain` (apparmor.d(5)).
fn complains(text: &str) -> bool {
    let flags = text.lines().find(|line| line.starts_with("profile "));
    let flags = flags.and_then(|line| line.split_once("flags=(")?.1.split_once(')'));
    flags.is_some_and(|(flags, _)| flags.split([',', ' ']).any(|flag| flag == "complain"))
}

/// The text with another name for its profile, and for what its rules call by it: itself and its child profiles.
fn named(text: &str, name: &str) -> Option<String> {
    let begins = |line: &&str| line.starts_with("profile ");
    let head = text.split_inclusive('\n').find(begins)?;
    let former = head.split(' ').nth(1)?;
    let peer = |name: &str| format!("peer=\"{{{name},{name}//*}}\"");
    let renamed = head.replacen(former, name, 1);
    Some(text.replacen(head, &renamed, 1).replace(&peer(former), &peer(name)))
}

fn parser(options: &[&str], text: &str) -> Result<(), String> {
    let found = |name: &&&str| {
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .map(|directory| directory.join(name))
            .any(|path: PathBuf| path.is_file())
    };
    let program = PARSERS.iter().find(found).ok_or("apparmor_parser is not installed")?;
    let run = || -> io::Result<std::process::Output> {
        let mut child = Command::new(program)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(text.as_bytes())?;
        }
        child.wait_with_output()
    };
    let done = run().map_err(|error| format!("{program}: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&done.stderr);
    let line = words.lines().find(|line| line.contains("rror")).unwrap_or(words.trim());
    Err(format!("{program}: {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_gets_another_name_and_keeps_its_rules() {
        let text = "# c\nabi <abi/3.0>,\n\nprofile nginx flags=(attach_disconnected) {\n  \"/profile x\" r,\n}\n";
        let other = named(text, "learn-verify-1").unwrap();
        assert_eq!(other, text.replace("profile nginx", "profile learn-verify-1"));
        assert_eq!(named("abi <abi/3.0>,\n", "x"), None);
        let family = "profile a flags=() {\n  signal peer=\"{a,a//*}\",\n}\n";
        assert_eq!(
            named(family, "b"),
            Some("profile b flags=() {\n  signal peer=\"{b,b//*}\",\n}\n".to_owned())
        );
    }

    #[test]
    fn a_profile_that_complains_says_so_in_its_flags() {
        let of = |flags: &str| {
            complains(&format!("profile complain {flags}{{\n  # flags=(complain)\n}}\n"))
        };
        assert!(
            of("flags=(attach_disconnected,complain,mediate_deleted) ") && of("flags=(complain) ")
        );
        assert!(!of("flags=(attach_disconnected,mediate_deleted) ") && !of(""));
    }

    #[test]
    fn what_is_not_there_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let why = Loaded::of(directory.path()).unwrap_err();
        assert!(why.contains("apparmor.profile"), "{why}");
    }
}
