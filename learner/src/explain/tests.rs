use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tracer::abi::{Abi, calls};
use tracer::recording::{
    Access, Args, Completion, Fact, Origin, Recording, Run, Seen, What, Witness,
};

use super::*;
use crate::{Options, learn};

fn call(name: &str, args: &[(u8, u64)]) -> What {
    let nr = calls::number(Abi::X86_64, name).unwrap();
    let args = (!args.is_empty()).then(|| Args::Values(Box::new(args.iter().copied().collect())));
    What::Call { abi: Abi::X86_64, nr, name: Some(name.into()), args }
}

fn recording() -> Recording {
    let mut recording = Recording::new();
    let run = Run {
        command: vec!["/bin/x".into()],
        backend: "ptrace".to_owned(),
        kernel: "6.1".to_owned(),
        machine: "x86_64".to_owned(),
        labels: BTreeMap::new(),
        fidelity: BTreeMap::new(),
        hooks: BTreeSet::new(),
        units: Vec::new(),
    };
    recording.runs.insert("r".to_owned(), run);
    recording.completions.insert("r".to_owned(), Completion::complete());
    let facts = [
        call("read", &[]),
        call("socket", &[(0, 1), (1, 1), (2, 0)]),
        call("socket", &[(0, 2), (1, 2), (2, 17)]),
        call("openat", &[(2, 0o1101)]),
        What::File { path: "/etc/x.conf".into(), access: Access::Read, target: None },
        What::Exec { path: "/bin/x".into(), interpreter: None, loader: None },
        What::Capability {
            name: "CAP_KILL".into(),
            initial_namespace: true,
            call: Some("kill".into()),
            probe: false,
        },
    ];
    for (what, ms) in facts.into_iter().zip(1..) {
        let fact = Fact { domain: "/bin/x".into(), origin: Origin::Entry, what };
        let first = Some(Witness { ms, pid: 7 });
        recording.add("r", fact, &Seen { first, ..Seen::ending("ok", 2) });
    }
    recording
}

fn ask(text: &str) -> Explanation {
    let recording = recording();
    let policy = learn(&recording, &Options::default());
    explain(&policy, Some(&recording), &Question::parse(text).unwrap())
}

#[test]
fn what_is_allowed_is_told_with_who_needed_it_first() {
    let read = ask("read");
    assert_eq!((read.answer, read.rules.len()), (Answer::Allowed, 1));
    assert_eq!(read.rules[0].rule, "read (x86_64), any arguments");
    assert_eq!(read.rules[0].evidence.as_ref().unwrap().count, 2);
    assert_eq!((read.rules[0].first[0].ms, read.rules[0].first[0].pid), (1, 7));

    let socket = ask("socket(AF_INET, SOCK_DGRAM, 17)");
    assert_eq!((socket.answer, socket.rules.len()), (Answer::Allowed, 1));
    assert_eq!(socket.rules[0].first[0].ms, 3, "the witness of this combination");
    assert_eq!(ask("socket").answer, Answer::Limited);
    assert_eq!(ask("socket").rules.len(), 2);
    assert_eq!(ask("socket(AF_INET)").rules.len(), 1);
    assert_eq!(ask("socket(_, _, 0)").rules.len(), 1);

    let kill = ask("kill");
    assert_eq!(kill.answer, Answer::Refused, "the call, not the capability");
    let kill = ask("cap_kill");
    assert_eq!((kill.answer, kill.rules[0].rule.as_str()), (Answer::Allowed, "CAP_KILL, for kill"));
    let file = ask("/etc/x.conf");
    assert_eq!(file.rules[0].rule, "/etc/x.conf: read, by the file's owner");
    assert_eq!(ask("/bin/x").rules[0].rule, "/bin/x: may be run");
}

#[test]
fn what_is_refused_is_told_with_the_nearest_rules() {
    let alg = ask("socket(AF_ALG, SOCK_DGRAM, 17)");
    assert_eq!(alg.answer, Answer::Refused);
    assert!(alg.nearest[0].rule.contains("domain = AF_INET"), "{alg:?}");
    assert_eq!(alg.nearest[0].differs, "domain is AF_ALG, and allowed is domain = AF_INET");
    assert!(alg.nearest[1].differs.contains("; "), "{alg:?}");

    let write = ask("openat(O_RDWR)");
    assert!(write.nearest[0].differs.starts_with("flags is O_RDWR"), "{write:?}");
    let open = ask("open");
    assert!(open.nearest[0].rule.starts_with("openat"), "{open:?}");
    assert_eq!(ask("clone3").answer, Answer::Enosys);
    assert_eq!(ask("CAP_SYS_ADMIN").nearest[0].rule, "CAP_KILL, for kill");
    assert_eq!(ask("/etc/y.conf").nearest[0].differs, "another path below /etc/");
    assert!(ask("/srv/x").nearest.is_empty());
}

#[test]
fn a_question_is_read_or_refused() {
    for text in ["", "frobnicate", "socket(", "etc/passwd", "CAP_NOTHING"] {
        assert!(matches!(Question::parse(text), Err(QuestionError::Unknown(_))), "{text}");
    }
    assert!(matches!(Question::parse("socket(AF_X)"), Err(QuestionError::Value { .. })));
    assert!(matches!(Question::parse("read(1)"), Err(QuestionError::TooMany { .. })));
    assert_eq!(
        Question::parse("socket( 0x2 ,_, 010)").unwrap().to_string(),
        "socket(AF_INET, _, 8)"
    );
}

proptest! {
    #[test]
    fn any_text_is_a_question_or_refused(text in ".{0,20}", inside in "[A-Z_|0-9x, ]{0,16}") {
        for text in [text, format!("socket({inside})"), format!("/{inside}")] {
            if let Ok(question) = Question::parse(&text) {
                prop_assert_eq!(Question::parse(&question.to_string()), Ok(question.clone()));
                let _ = explain(&learn(&recording(), &Options::default()), None, &question);
            }
        }
    }
}
