//! `learn doctor`

use serde::Serialize;
use tracer::host::Check;

use super::json;
use crate::cli::{Doctor, Format};
use crate::exit::{Condition, Exit, Failure};
use crate::ui;
use crate::ui::table::table;

/// The value of `format`.
const FORMAT: &str = "learn-doctor";
/// The version that is written.
const VERSION: u32 = 1;

/// What was found. docs/doctor.md describes the JSON.
#[derive(Serialize)]
struct Findings {
    format: &'static str,
    version: u32,
    tool: &'static str,
    kernel: String,
    machine: String,
    record: Vec<Check>,
    enforce: Vec<Check>,
}

/// Looks, and says what it found.
pub(crate) fn run(args: &Doctor) -> Result<Exit, Failure> {
    let (kernel, machine) = tracer::host::kernel();
    let findings = Findings {
        format: FORMAT,
        version: VERSION,
        tool: concat!("learn ", env!("CARGO_PKG_VERSION")),
        kernel,
        machine,
        record: tracer::host::checks(),
        enforce: verifier::host::checks(),
    };
    ui::product(&match args.format {
        Format::Text => text(&findings).into_bytes(),
        Format::Json => json(&findings)?,
    })?;
    if !findings.record.iter().any(|check| check.ok && matches!(check.name, "ptrace" | "ebpf")) {
        return Err(Failure::because(
            Condition::Unavailable,
            "nothing can be recorded here: neither backend is usable; the report says what to do",
        ));
    }
    Ok(Exit::Success)
}

fn text(findings: &Findings) -> String {
    let mut out = format!("{}, Linux {}, {}\n", findings.tool, findings.kernel, findings.machine);
    for (heading, checks) in [("recording", &findings.record), ("enforcing", &findings.enforce)] {
        let rows = checks.iter().map(|check| {
            vec![
                if check.ok { "yes" } else { "NO" }.to_owned(),
                check.name.to_owned(),
                check.purpose.to_owned(),
                check.found.clone(),
            ]
        });
        out.push_str(&format!("\n{heading}\n{}\n", table(&[], rows)));
    }
    let missing: Vec<Vec<&str>> = findings
        .record
        .iter()
        .chain(&findings.enforce)
        .filter_map(|check| Some(vec![check.name, check.remedy.as_deref()?]))
        .collect();
    if !missing.is_empty() {
        out.push_str(&format!("\nwhat to do\n{}\n", table(&[], missing)));
    }
    out
}
