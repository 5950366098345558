//! Capabilities.

use std::fs;

use crate::actor::{Trained, assert_report};

fn status(trained: &Trained) -> String {
    let file = trained.path("file");
    assert_report(&trained.run(&["status", &file]), "exit 0", &[]);
    fs::read_to_string(file).unwrap()
}

fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    u64::from_str_radix(line.trim_start_matches(':').trim(), 16).unwrap()
}

#[test]
fn no_set_grows_and_the_profile_bounds_them() {
    let trained = Trained::actor();
    trained.capabilities("\"CHOWN\"");
    let status = status(&trained);
    for set in ["CapPrm", "CapEff", "CapInh", "CapAmb"] {
        assert_eq!(field(&status, set) & !1, 0, "{status}");
    }
    assert_eq!(field(&status, "Seccomp"), 2, "{status}");
}

#[test]
#[ignore = "needs root: run by make test"]
fn root_has_exactly_the_capabilities_of_the_profile() {
    let trained = Trained::actor();
    // capabilities(7): CAP_CHOWN is 0, CAP_KILL is 5.
    for (names, mask) in [("", 0), ("\"CHOWN\", \"KILL\"", 1 | 1 << 5)] {
        trained.capabilities(names);
        let status = status(&trained);
        for set in ["CapPrm", "CapEff", "CapBnd"] {
            assert_eq!(field(&status, set), mask, "{status}");
        }
        assert_eq!((field(&status, "CapAmb"), field(&status, "NoNewPrivs")), (0, 0), "{status}");
    }
}

#[test]
#[ignore = "needs root: run by make test"]
fn what_needs_a_dropped_capability_fails() {
    let trained = Trained::actor();
    let file = trained.path("file");
    trained.capabilities("\"CHOWN\"");
    assert_report(&trained.run(&["give-away", &file]), "exit 0", &[]);
    trained.capabilities("");
    let report = trained.run(&["give-away", &file]);
    assert_eq!(report.end, "exit 9");
    match report.denials.as_slice() {
        // Linux before 6.16 does not show its checks, and the report says so.
        [] => assert!(report.notes.iter().any(|note| note.contains("EPERM")), "{report:#?}"),
        [denial] => {
            assert_eq!(denial.kind, verifier::Kind::Capability);
            assert_eq!(denial.capability.as_deref(), Some("CAP_CHOWN"));
            assert_eq!((&*denial.call, &*denial.allow), ("chown", r#"{"add":["CHOWN"]}"#));
            assert_eq!(denial.program, trained.path("actor").as_str().into());
        }
        _ => panic!("{report:#?}"),
    }
}

#[test]
fn an_unknown_capability_is_an_error_with_its_file() {
    let trained = Trained::actor();
    trained.capabilities("\"FLY\"");
    let error = trained.verify(&["true"]).unwrap_err().to_string();
    assert!(error.contains("CAP_FLY") && error.contains("capabilities.json"), "{error}");
}
