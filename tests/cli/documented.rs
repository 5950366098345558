//! What the documents say of the command is what it does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::Room;

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The names of fields, without those that are data: identifiers of runs, labels, errors, argument positions.
fn fields(value: &Value, names: &mut BTreeSet<String>) {
    const DATA: [&str; 7] =
        ["runs", "labels", "fidelity", "outcomes", "lost", "values", "programs"];
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                names.insert(name.clone());
                match value {
                    Value::Object(data) if DATA.contains(&name.as_str()) => {
                        data.values().for_each(|value| fields(value, names));
                    }
                    value => fields(value, names),
                }
            }
        }
        Value::Array(array) => array.iter().for_each(|value| fields(value, names)),
        _ => {}
    }
}

#[track_caller]
fn describes(name: &str, value: &Value, at_least: usize) {
    let text = document(name);
    let mut names = BTreeSet::new();
    fields(value, &mut names);
    // How arguments look is described with the recording.
    names.remove("values");
    assert!(names.len() >= at_least, "{names:?}");
    for field in names {
        assert!(text.contains(&format!("`{field}`")), "{name} does not describe {field}");
    }
}

#[test]
fn fields_of_show_are_described() {
    let room = Room::new();
    let json = room.learn(&["show", "--format", "json", room.incomplete()]).succeeded().out;
    describes("docs/show.md", &serde_json::from_str(&json).unwrap(), 30);
}

#[test]
fn fields_and_checks_of_doctor_are_described() {
    let room = Room::new();
    let json = room.learn(&["doctor", "--format", "json"]).succeeded().out;
    let findings: Value = serde_json::from_str(&json).unwrap();
    describes("docs/doctor.md", &findings, 11);
    let text = document("docs/doctor.md");
    for of in ["record", "enforce"] {
        for check in findings[of].as_array().unwrap() {
            let name = check["name"].as_str().unwrap();
            assert!(text.contains(&format!("`{name}`")), "{name}");
        }
    }
}

#[test]
fn fields_of_explanations_are_described() {
    let room = Room::new();
    let greet = room.greet();
    for (what, at_least) in [("socket", 20), ("socket(AF_ALG)", 8)] {
        let json = room.learn(&["explain", "--format", "json", what, greet]).succeeded().out;
        describes("docs/explain.md", &serde_json::from_str(&json).unwrap(), at_least);
    }
}

#[test]
fn fields_of_drift_are_described() {
    let room = Room::new();
    let greet = room.greet();
    let json = room.learn(&["diff", "--format", "json", "docker-default", greet]).out;
    describes("docs/diff.md", &serde_json::from_str(&json).unwrap(), 15);
}

#[test]
fn fields_of_the_report_are_described() {
    let denial = verifier::Denial {
        program: "/bin/greet".into(),
        abi: tracer::abi::Abi::X86_64,
        call: "socket".to_owned(),
        arguments: "AF_ALG".to_owned(),
        errno: "EPERM".to_owned(),
        kind: verifier::Kind::Capability,
        capability: Some("CAP_CHOWN".to_owned()),
        ancestors: vec!["/bin/sh".into()],
        near: Some(verifier::Near {
            file: "seccomp.json".to_owned(),
            line: 7,
            why: "x".to_owned(),
        }),
        allow: "{}".to_owned(),
        count: 1,
    };
    let report = verifier::Report {
        format: verifier::report::FORMAT.to_owned(),
        version: verifier::report::VERSION,
        command: vec!["/bin/greet".into()],
        enforced: BTreeSet::from(["seccomp".to_owned()]),
        end: "exit 0".to_owned(),
        denials: vec![denial],
        apparmor: vec![verifier::Refusal {
            program: "greet".into(),
            operation: "open".to_owned(),
            object: "/etc/shadow".into(),
            requested: "r".to_owned(),
            denied: "r".to_owned(),
            rule: Some("\"/etc/shadow\" r,".to_owned()),
            count: 1,
        }],
        notes: BTreeSet::new(),
    };
    describes("docs/report.md", &serde_json::to_value(report).unwrap(), 18);
}

#[test]
fn the_readme_has_every_verb_and_exit_code() {
    let room = Room::new();
    let readme = document("README.md");
    let help = room.learn(&["--help"]).succeeded().out;
    let codes = help.split("Exit status:").nth(1).unwrap().lines().filter_map(|line| {
        let (code, meaning) = line.trim().split_once("  ")?;
        Some((code.parse::<u8>().ok()?, meaning))
    });
    let codes: Vec<_> = codes.collect();
    assert_eq!(codes.len(), 8);
    for (code, meaning) in codes {
        assert!(readme.contains(&format!("\n| {code} | {meaning}")), "{code} {meaning}");
    }
    let verbs = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let verbs: Vec<_> = verbs.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(verbs.len(), 9);
    for verb in verbs {
        assert!(readme.contains(&format!("| `learn {verb}")), "{verb}");
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["", "docs", "samples"].map(|folder| fs::read_dir(root.join(folder)).unwrap());
    let mut links = 0;
    for path in folders.into_iter().flatten().map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|ending| ending != "md") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap();
            if !file.is_empty() && !file.contains("://") {
                assert!(path.with_file_name(file).exists(), "{}: {link}", path.display());
                links += 1;
            }
        }
    }
    assert!(links > 20, "{links}");
}
