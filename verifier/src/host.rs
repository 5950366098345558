//! What this host can enforce, and what is missing for the rest.

use std::path::Path;

use tracer::host::Check;

/// Where the kernel lists what a filter may answer (seccomp(2), "/proc interfaces").
const ANSWERS: &str = "/proc/sys/kernel/seccomp/actions_avail";

/// Looks at everything that concerns enforcing. Changes nothing.
pub fn checks() -> Vec<Check> {
    vec![notifier(), capabilities(), landlock(), apparmor(), apparmor_parser()]
}

fn notifier() -> Check {
    let (name, purpose) = ("seccomp", "proving system call rules, each denial attributed");
    let remedy = "boot a kernel that was built with CONFIG_SECCOMP_FILTER=y, Linux 5.6 or newer";
    match std::fs::read_to_string(ANSWERS) {
        Ok(actions) if actions.split_whitespace().any(|action| action == "user_notif") => {
            Check::there(name, purpose, "filters and the notifier")
        }
        Ok(_) => Check::missing(name, purpose, "filters without the notifier", remedy),
        Err(error) => Check::missing(name, purpose, format!("{ANSWERS}: {error}"), remedy),
    }
}

fn capabilities() -> Check {
    let (name, purpose) = ("capabilities", "proving without no_new_privs");
    let remedy = "run learn as root (sudo)";
    let mut lacking = Vec::new();
    // What `capabilities::plan` asks for, unless it sets no_new_privs.
    for needed in [caps::Capability::CAP_SYS_ADMIN, caps::Capability::CAP_SETPCAP] {
        match caps::has_cap(None, caps::CapSet::Effective, needed) {
            Ok(true) => {}
            Ok(false) => lacking.push(needed.to_string()),
            Err(error) => return Check::missing(name, purpose, error.to_string(), remedy),
        }
    }
    if lacking.is_empty() {
        return Check::there(name, purpose, "as a container engine does");
    }
    let found = format!("without {}: programs gain no privileges by exec", lacking.join(" and "));
    Check::missing(name, purpose, found, remedy)
}

fn landlock() -> Check {
    let (name, purpose) = ("landlock", "proving which programs may be run");
    // SAFETY: without attributes and with the flag for the version, nothing is made (landlock_create_ruleset(2)).
    let abi = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, 1_u32)
    };
    if abi >= 2 {
        Check::there(name, purpose, format!("ABI {abi}"))
    } else if abi > 0 {
        let found = format!("ABI {abi}, and 2 is needed to move files between directories");
        Check::missing(name, purpose, found, "boot Linux 5.19 or newer")
    } else {
        Check::missing(
            name,
            purpose,
            std::io::Error::last_os_error().to_string(),
            "boot Linux 5.19 or newer with landlock in the kernel's lsm= parameter",
        )
    }
}

fn apparmor() -> Check {
    let (name, purpose) = ("apparmor", "enforcing file rules");
    match std::fs::read_to_string("/sys/module/apparmor/parameters/enabled") {
        Ok(text) if text.trim() == "Y" => Check::there(name, purpose, "enabled"),
        Ok(_) => Check::missing(
            name,
            purpose,
            "in the kernel, but not enabled",
            "boot with apparmor in the kernel's lsm= parameter",
        ),
        Err(_not_there) => Check::missing(
            name,
            purpose,
            "this kernel has none",
            "boot a kernel that was built with CONFIG_SECURITY_APPARMOR=y",
        ),
    }
}

fn apparmor_parser() -> Check {
    let (name, purpose) = ("apparmor_parser", "checking and loading file rules");
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps it where an ordinary user's PATH does not lead.
    let found = std::env::split_paths(&path)
        .chain([Path::new("/usr/sbin").to_owned(), Path::new("/sbin").to_owned()])
        .map(|directory| directory.join(name))
        .find(|file| file.is_file());
    match found {
        Some(file) => Check::there(name, purpose, file.display().to_string()),
        None => Check::missing(name, purpose, "not installed", "apt-get install apparmor"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_comes_with_what_is_missing_only() {
        for check in checks() {
            assert_eq!(check.ok, check.remedy.is_none(), "{check:?}");
            assert!(!check.found.is_empty() && !check.purpose.is_empty(), "{check:?}");
        }
    }
}
