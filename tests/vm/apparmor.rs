//! Services in containers of runc, under the profiles that were learned from them: the training passes with nothing refused,
//! and AppArmor refuses what it did not do.

use std::collections::BTreeMap;

use super::machine::{self, Done};

const KERNEL: &str = "6.1";
/// What a service does more than in its training (tests/vm/guest/service), and what AppArmor says of it: the operation, and a
/// word of the record.
const TWINS: [(&str, &str, &str); 5] = [
    ("read", "open", "name=\"/etc/service/other\""),
    ("write", "open", "name=\"/etc/service/one\""),
    ("execute", "exec", "name=\"/usr/bin/uname\""),
    ("capability", "capable", "capname=\"dac_override\""),
    ("socket", "create", "family=\"inet\""),
];

fn confined(sample: &str) -> Done {
    let done = machine::ran(KERNEL, super::tests_of(KERNEL)).test(&format!("confine {sample}"));
    done.passed();
    done
}

/// A run's own account.
fn told(done: &Done, run: &str) -> String {
    ["status", "out", "err", "audit"]
        .map(|part| format!("{run}.{part}: {}", done.text(&format!("{run}.{part}"))))
        .concat()
}

/// The records of a run that say that something was refused.
fn denied(done: &Done, run: &str) -> Vec<String> {
    let audit = done.text(&format!("{run}.audit"));
    audit.lines().filter(|l| l.contains("apparmor=\"DENIED\"")).map(str::to_owned).collect()
}

/// What became of the twins.
fn twins(done: &Done, run: &str) -> BTreeMap<String, String> {
    let out = done.text(&format!("{run}.out"));
    let twins: BTreeMap<_, _> = out
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(name, _)| TWINS.iter().any(|(twin, ..)| twin == name))
        .map(|(name, what)| (name.to_owned(), what.to_owned()))
        .collect();
    assert_eq!(twins.len(), TWINS.len(), "{}", told(done, run));
    twins
}

fn training_passes(sample: &str) {
    let done = confined(sample);
    for round in ["record-1", "record-2"] {
        assert_eq!(done.text(&format!("{round}.status")), "0\n", "{}", self::told(&done, round));
    }
    let told = told(&done, "training");
    assert_eq!(denied(&done, "training"), [""; 0], "{told}");
    assert_eq!(done.text("training.status"), "0\n", "{told}");
}

fn twins_are_refused(sample: &str) {
    let done = confined(sample);
    assert!(twins(&done, "free").values().all(|what| what == "done"), "{}", told(&done, "free"));
    for run in ["apparmor", "together"] {
        let what = twins(&done, run);
        assert!(what.values().all(|what| what == "refused"), "{}", told(&done, run));
    }
    // AppArmor alone refuses each of them and nothing else, and says what.
    let denied = denied(&done, "apparmor");
    for (twin, operation, word) in TWINS {
        let says = |line: &&String| {
            line.contains(&format!("operation=\"{operation}\""))
                && line.contains(word)
                && line.contains(&format!("profile=\"learned-{sample}\""))
        };
        assert!(denied.iter().any(|line| says(&line)), "{twin}: {denied:#?}");
    }
    let more: Vec<_> = denied
        .iter()
        .filter(|line| !TWINS.iter().any(|(_, _, word)| line.contains(word)))
        .collect();
    assert!(more.is_empty(), "{more:#?}");
}

macro_rules! services {
    ($($name:ident $sample:literal),*) => {$(
        mod $name {
            #[test]
            #[ignore = "needs a virtual machine: run by make test"]
            fn the_training_passes() {
                super::training_passes($sample);
            }

            #[test]
            #[ignore = "needs a virtual machine: run by make test"]
            fn twins_are_refused() {
                super::twins_are_refused($sample);
            }
        }
    )*};
}

services!(static_program "static", threads "threads", shell_script "tar", python "python-subprocess", nginx "nginx", redis "redis");

/// `learn verify` itself: the training passes with AppArmor enforced too; of the twins, what nothing else refuses before is told
/// with the rule that would allow it; and the profile is gone afterwards.
#[test]
#[ignore = "needs a virtual machine: run by make test"]
fn verify_enforces_attributes_and_cleans_up() {
    let done = machine::ran(KERNEL, super::tests_of(KERNEL)).test("verify static");
    done.passed();
    let report = |name: &str| -> serde_json::Value {
        serde_json::from_str(&done.text(&format!("{name}.json"))).unwrap()
    };
    let training = report("training");
    assert_eq!(
        training["enforced"],
        serde_json::json!(["apparmor", "capabilities", "programs", "seccomp"]),
        "{training:#}"
    );
    assert!(training.get("apparmor").is_none() && training["denials"] == serde_json::json!([]));
    assert_eq!(done.text("training.status"), "0\n", "{training:#}");

    let twins = report("twins");
    assert_eq!(done.text("twins.status"), "121\n", "{twins:#}");
    for (object, rule) in [
        ("/etc/service/other", "\"/etc/service/other\" r,"),
        ("/usr/bin/uname", "\"/usr/bin/uname\" r,"),
    ] {
        let told = twins["apparmor"].as_array().unwrap().iter().any(|refusal| {
            refusal["object"] == object && refusal["rule"] == rule && refusal["operation"] == "open"
        });
        assert!(told, "{object}: {twins:#}");
    }
    assert!(done.text("twins.out").contains("read refused"));

    // A profile that complains lists the same, and does not pass for a defence.
    let complaining = report("complaining");
    assert_eq!(complaining["enforced"], serde_json::json!(["capabilities", "programs", "seccomp"]));
    let lists = |refusal: &serde_json::Value| refusal["object"] == "/etc/service/other";
    assert!(complaining["apparmor"].as_array().unwrap().iter().any(lists), "{complaining:#}");
    let notes = complaining["notes"].to_string();
    assert!(notes.contains("only complains"), "{notes}");
    assert!(done.text("complaining.out").contains("read done"));
    assert_eq!(done.text("complaining.status"), "121\n", "{complaining:#}");
    assert_eq!(done.text("left"), "", "profiles that are still loaded");
}

/// Looking into another process and mounting are mediated apart from files, among the profile's own processes too: who did it in
/// training may, and who did not may not.
#[test]
#[ignore = "needs a virtual machine: run by make test"]
fn looking_into_processes_and_mounting_are_allowed_where_they_were_learned() {
    let done = machine::ran(KERNEL, super::tests_of(KERNEL)).test("processes");
    done.passed();
    for run in ["plain", "look", "mount"] {
        let audit = done.text(&format!("{run}.audit"));
        assert_eq!(
            (done.text(&format!("{run}.status")), audit.as_str()),
            ("0\n".into(), ""),
            "{run}"
        );
    }
    for (run, operation) in [("blind-look", "ptrace"), ("plain-mount", "mount")] {
        let audit = done.text(&format!("{run}.audit"));
        assert_eq!(done.text(&format!("{run}.status")), "3\n", "{run}: {audit}");
        assert!(audit.contains(&format!("operation=\"{operation}\"")), "{run}: {audit}");
    }
}

/// The same in a container: the engine enforces all three, and what AppArmor refuses is told with the rule that would allow it.
#[test]
#[ignore = "needs a virtual machine: run by make test"]
fn verify_has_the_engine_enforce_apparmor_too() {
    let done = confined("static");
    let report = |run: &str| -> serde_json::Value {
        serde_json::from_str(&done.text(&format!("{run}.json"))).unwrap()
    };
    let training = report("verify-training");
    let told = told(&done, "verify-training");
    assert_eq!(
        training["enforced"],
        serde_json::json!(["apparmor", "capabilities", "programs", "seccomp"]),
        "{told}"
    );
    assert!(training.get("apparmor").is_none(), "{training:#}");
    assert_eq!(done.text("verify-training.status"), "0\n", "{told}");

    let twins = report("verify-twins");
    assert_eq!(done.text("verify-twins.status"), "121\n", "{twins:#}");
    let refused = |object: &str, rule: &str| {
        twins["apparmor"]
            .as_array()
            .unwrap()
            .iter()
            .any(|r| r["object"] == object && r["rule"] == rule)
    };
    assert!(refused("/etc/service/other", "\"/etc/service/other\" r,"), "{twins:#}");
    assert!(refused("/usr/bin/uname", "\"/usr/bin/uname\" ix,"), "{twins:#}");
}

/// Under a child profile a program may do what it did in training, and not what only the others did; nor the others what only it did.
/// One profile for all of them lets both through.
#[test]
#[ignore = "needs a virtual machine: run by make test"]
fn a_child_profile_is_for_its_program_alone() {
    let done = machine::ran(KERNEL, super::tests_of(KERNEL)).test("domains");
    done.passed();
    let ended = |run: &str, status: &str| {
        let audit = done.text(&format!("{run}.audit"));
        let output = done.text(&format!("{run}.output"));
        assert_eq!(done.text(&format!("{run}.status")), status, "{run}: {output} {audit}");
        audit
    };
    for run in [
        "training",
        "training-one",
        "script-reads-two-one",
        "program-reads-one-one",
        "program-given-four-one",
    ] {
        assert_eq!(ended(run, "0\n"), "", "{run}");
    }
    let said = |run: &str| done.text(&format!("{run}.said"));
    assert_eq!(
        (said("training"), said("program-given-four-one")),
        ("three\n".into(), "four\n".into())
    );
    // What it must not have is taken from it: something that can not be read stands in its place.
    let audit = ended("program-given-four", "1\n");
    assert_eq!(said("program-given-four"), "");
    let words = ["operation=\"file_inherit\"", "name=\"/etc/service/four\""];
    assert!(words.iter().all(|word| audit.contains(word)), "{audit}");
    for (run, profile, file) in [
        ("script-reads-two", "domains", "/etc/service/two"),
        ("program-reads-one", "domains//python3.11", "/etc/service/one"),
    ] {
        let audit = ended(run, "3\n");
        let says = |line: &str| {
            line.contains(&format!("profile=\"{profile}\""))
                && line.contains(&format!("name=\"{file}\""))
        };
        assert!(audit.lines().count() == 1 && audit.lines().all(says), "{run}: {audit}");
    }
    let verified = done.text("verified.json");
    assert_eq!(done.text("verified.status"), "0\n", "{verified}");
    assert!(verified.contains("\"apparmor\""), "{verified}");
}

/// A program may use a terminal that there was none of in training: whoever opened it is under no profile, and what he hands on is not
/// asked for (aa_file_perm, security/apparmor/file.c). What a program under a profile hands on is, as the test before shows.
#[test]
#[ignore = "needs a virtual machine: run by make test"]
fn a_terminal_needs_no_rule() {
    let done = confined("static");
    let what = twins(&done, "terminal");
    assert!(what.values().all(|what| what == "refused"), "{}", told(&done, "terminal"));
    let of_terminal: Vec<_> =
        denied(&done, "terminal").into_iter().filter(|line| line.contains("/dev/")).collect();
    assert_eq!(of_terminal, [""; 0], "{}", told(&done, "terminal"));
}
