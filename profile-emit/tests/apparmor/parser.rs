//! `apparmor_parser`, which needs no kernel with AppArmor to compile.

use std::process::Command;

use crate::automaton::Compiled;

/// What a kernel must have for all rules to be compiled: the parser ships this list, from before Linux 5.9 had its last
/// capability. (Where the kernel has none such, the parser allows `sys_admin`, which such a kernel asks for.)
fn features() -> String {
    let features = std::fs::read_to_string("/etc/apparmor.d/abi/3.0").unwrap();
    assert!(features.contains(" bpf\n"), "{features}");
    features.replacen(" bpf\n", " bpf checkpoint_restore\n", 1)
}

/// Compiles a text.
pub(crate) fn compile(text: &str) -> Result<Vec<Compiled>, String> {
    let directory = tempfile::tempdir().unwrap();
    let [source, binary, kernel] =
        ["source", "binary", "kernel"].map(|name| directory.path().join(name));
    std::fs::write(&source, text).unwrap();
    std::fs::write(&kernel, features()).unwrap();
    let output = Command::new("apparmor_parser")
        .args(["-QTK", "--features-file"])
        .arg(&kernel)
        .arg("--ofile")
        .args([&binary, &source])
        .output()
        .unwrap();
    if output.status.success() {
        Ok(Compiled::read(&std::fs::read(binary).unwrap()))
    } else {
        Err(format!("{}\n{text}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// Compiles a text of one profile.
pub(crate) fn one(text: &str) -> Compiled {
    let mut profiles = compile(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(profiles.len(), 1, "{text}");
    profiles.remove(0)
}
