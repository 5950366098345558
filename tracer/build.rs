//! Compiles the programs that run in the kernel, `bpf/recorder.bpf.c`, with clang.
//!
//! Without clang the crate builds without them, and the eBPF backend says so when it is asked for; with `LEARN_REQUIRE_BPF`
//! set the build fails instead. `CLANG` names another compiler.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian 12 has 19; any from 14 on will do.
const NAMES: [&str; 7] =
    ["clang", "clang-19", "clang-18", "clang-17", "clang-16", "clang-15", "clang-14"];

fn main() {
    println!("cargo::rerun-if-changed=bpf");
    for variable in ["CLANG", "LEARN_REQUIRE_BPF"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    println!("cargo::rustc-check-cfg=cfg(bpf)");
    let required = std::env::var_os("LEARN_REQUIRE_BPF").is_some_and(|value| value == "1");
    match compile() {
        Ok(object) => {
            println!("cargo::rustc-cfg=bpf");
            println!("cargo::rustc-env=LEARN_BPF_OBJECT={}", object.display());
        }
        Err(Why::NoCompiler(why)) if !required => {
            println!("cargo::warning=built without the eBPF backend: {why}");
        }
        Err(Why::NoCompiler(why) | Why::Failed(why)) => {
            for line in why.lines() {
                println!("cargo::error={line}");
            }
        }
    }
}

/// Why there are no programs.
enum Why {
    /// Nothing can compile them here.
    NoCompiler(String),
    /// They don't compile: that is a mistake in them.
    Failed(String),
}

fn compile() -> Result<PathBuf, Why> {
    let architecture = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    if architecture != "x86_64" {
        return Err(Why::NoCompiler(format!(
            "its programs know the registers of x86_64, not of {architecture}"
        )));
    }
    let clang = clang()?;
    let out = std::env::var_os("OUT_DIR")
        .ok_or_else(|| Why::Failed("cargo gives no OUT_DIR".to_owned()))?;
    let object = Path::new(&out).join("recorder.bpf.o");
    let done = Command::new(&clang)
        .args(["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Wextra", "-Werror"])
        // Which types are read must not depend on where the sources lie.
        .args(["-ffile-prefix-map=bpf=.", "-c", "bpf/recorder.bpf.c", "-o"])
        .arg(&object)
        .output()
        .map_err(|error| Why::Failed(format!("{clang} can't be run: {error}")))?;
    if done.status.success() {
        Ok(object)
    } else {
        Err(Why::Failed(format!(
            "{clang} failed on bpf/recorder.bpf.c: {}",
            String::from_utf8_lossy(&done.stderr)
        )))
    }
}

/// A clang that can compile for BPF.
fn clang() -> Result<String, Why> {
    let named = std::env::var("CLANG").ok();
    named
        .iter()
        .map(String::as_str)
        .chain(NAMES)
        .find(|name| {
            let targets = Command::new(name).arg("--print-targets").output();
            targets.is_ok_and(|out| {
                String::from_utf8_lossy(&out.stdout).lines().any(|l| l.trim().starts_with("bpf "))
            })
        })
        .map(str::to_owned)
        .ok_or_else(|| {
            Why::NoCompiler(
                "no clang with the target bpf was found; on Debian: apt-get install clang-19"
                    .to_owned(),
            )
        })
}
