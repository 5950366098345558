//! The sample images under docker: recorded under their training script, and proved by the same script under what was learned,
//! by `learn verify` and by docker alone; their twins, which do one thing more, are refused that thing.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::support::{DENIED, DOCKER, Done, LEARN, Room, among_others, done, ready, script};

struct Image {
    name: &'static str,
    /// The call that its twin makes, if it has a twin.
    twin: Option<&'static str>,
    /// The capabilities that it needs.
    capabilities: &'static [&'static str],
}

impl Image {
    /// Its script `train` or `more`, with a wrapper before `docker run`, and further options for it.
    fn script(&self, which: &str, wrapper: &[&str], options: &str) -> Done {
        // Servers, clients and their timing: one at a time.
        static TURN: Mutex<()> = Mutex::new(());
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let program = script("samples/images").join(self.name).join(which);
        let words = [program.to_str().unwrap()];
        let mut command: Command = DOCKER.command(words.iter().chain(wrapper));
        done(command.env("DOCKER_OPTIONS", options))
    }

    fn holds(&self) {
        ready();
        let _turn = among_others();
        let room = Room::new();
        let (file, profile, report) =
            (room.path("r.jsonl"), room.path("profile"), room.path("report.json"));
        // What a server's threads and its clients' timing bring differs a little each time.
        let parts = [room.path("1.jsonl"), room.path("2.jsonl")];
        for part in &parts {
            self.script("train", &[LEARN, "--quiet", "record", "-o", part, "--"], "").succeeded();
        }
        let merge = [LEARN, "--quiet", "merge", "-o", &file, &parts[0], &parts[1]];
        done(Command::new(merge[0]).args(&merge[1..])).succeeded();
        assert!(room.recording("r.jsonl").complete());
        room.generate("r.jsonl", "profile");
        let capabilities = room.json("profile/capabilities.json");
        assert_eq!(capabilities["add"], serde_json::json!(self.capabilities));

        let verify = [LEARN, "--quiet", "verify", "--report", &report, &profile, "--"];
        let verified = self.script("train", &verify, "");
        let found = room.json("report.json");
        assert_eq!((denials(&found).len(), verified.code), (0, Some(0)), "{found:#}\n{verified:?}");
        assert_eq!(found["enforced"], serde_json::json!(["capabilities", "seccomp"]));

        // As a user of docker applies them, without learn.
        let mut options = format!("--security-opt seccomp={profile}/seccomp.json --cap-drop ALL");
        for capability in self.capabilities {
            options.push_str(&format!(" --cap-add {capability}"));
        }
        self.script("train", &[], &options).succeeded();

        if let Some(call) = self.twin {
            // It is able to: without a profile nothing refuses it.
            assert_eq!(self.script("more", &[], "").code, Some(0));
            let more = self.script("more", &verify, "");
            let found = room.json("report.json");
            assert_eq!(more.code, Some(9), "{found:#}\n{more:?}");
            let denied = denials(&found);
            assert!(
                !denied.is_empty() && denied.iter().all(|denial| denial["call"] == call),
                "{found:#}"
            );
            assert!(more.err.contains("refused") || !more.err.contains("nothing was refused"));
            assert_eq!(self.script("more", &[], &options).code, Some(9));
        }
    }
}

fn denials(report: &Value) -> &Vec<Value> {
    report["denials"].as_array().unwrap()
}

macro_rules! images {
    ($($test:ident: $name:literal, $twin:expr, $capabilities:expr;)*) => {$(
        #[test]
        #[ignore = "needs root and container engines: run by make test"]
        fn $test() {
            Image { name: $name, twin: $twin, capabilities: &$capabilities }.holds();
        }
    )*};
}

images! {
    nginx: "nginx", Some("socket"), ["CHOWN", "DAC_OVERRIDE", "SETGID", "SETUID"];
    redis: "redis", Some("socket"), [];
    postgresql: "postgresql", Some("socket"), [];
    python: "python", Some("socket"), [];
    static_program: "static", None, [];
    i386: "i386", None, [];
}

#[test]
#[ignore = "needs root and container engines: run by make test"]
fn a_denial_is_the_exit_code_of_verify() {
    ready();
    let _turn = among_others();
    let room = Room::new();
    let (file, profile, report) =
        (room.path("r.jsonl"), room.path("profile"), room.path("report.json"));
    let run = |wrapper: &[&str], image: &str| {
        let words = wrapper.iter().copied().chain(["docker", "run", "--rm", image]);
        done(&mut DOCKER.command(words))
    };
    let record = [LEARN, "--quiet", "record", "-o", &file, "--"];
    run(&record, "localhost/learn/pause").succeeded();
    room.generate("r.jsonl", "profile");
    let verify = [LEARN, "--quiet", "verify", "--report", &report, &profile, "--"];
    let same = run(&verify, "localhost/learn/pause").succeeded();
    assert_eq!(same.out, "done\n");
    // Another program under the profile of the first.
    let other = run(&verify, "localhost/learn/static");
    assert_eq!(other.code, Some(DENIED), "{other:?}");
    let found = room.json("report.json");
    assert!(!denials(&found).is_empty());
    for denial in denials(&found) {
        assert_eq!((&denial["program"], &denial["errno"]), (&"/static".into(), &"EPERM".into()));
    }
}

/// A capability that the container lacks is told with its program, the call, and who started the program; and is none when it is
/// there, nor when the program has no use for it.
#[test]
#[ignore = "needs root and container engines: run by make test"]
fn a_capability_that_is_missed_is_a_denial() {
    const SCRIPT: &str = "
import os, sys
open('/tmp/x', 'w').close()
if len(sys.argv) > 1:
    try:
        os.chown('/tmp/x', 1, 1)
    except PermissionError:
        pass
";
    ready();
    let _turn = among_others();
    let room = Room::new();
    let (file, profile, report) =
        (room.path("r.jsonl"), room.path("profile"), room.path("report.json"));
    let shell = format!("/usr/bin/python3 -I -S -c \"{SCRIPT}\" $1; exit $?");
    let run = |wrapper: &[&str], more: &str| {
        let start = [
            "docker",
            "run",
            "--rm",
            "--user",
            "0",
            "--entrypoint",
            "/bin/sh",
            "localhost/learn/python",
        ];
        let words = wrapper.iter().copied().chain(start).chain(["-c", &shell, "sh", more]);
        done(&mut DOCKER.command(words))
    };
    run(&[LEARN, "--quiet", "record", "-o", &file, "--"], "chown").succeeded();
    room.generate("r.jsonl", "profile");
    let capabilities = PathBuf::from(&profile).join("capabilities.json");
    let learned = std::fs::read_to_string(&capabilities).unwrap();
    assert!(learned.contains("\"CHOWN\""), "{learned}");
    let verify = [LEARN, "--quiet", "verify", "--report", &report, &profile, "--"];
    run(&verify, "chown").succeeded();

    std::fs::write(&capabilities, learned.replace("\"CHOWN\"", "")).unwrap();
    run(&verify, "").succeeded();
    let missed = run(&verify, "chown");
    assert_eq!(missed.code, Some(DENIED), "{missed:?}");
    let found = room.json("report.json");
    let [denial] = denials(&found).as_slice() else { panic!("{found:#}") };
    for (key, value) in [("capability", "CAP_CHOWN"), ("call", "chown"), ("kind", "capability")] {
        assert_eq!(denial[key], value, "{denial:#}");
    }
    assert!(denial["program"].as_str().unwrap().starts_with("/usr/bin/python3"), "{denial:#}");
    assert_eq!(denial["ancestors"][0], "/usr/bin/dash", "{denial:#}");
}

#[test]
fn every_image_is_tested() {
    let tested = include_str!("images.rs");
    for entry in std::fs::read_dir(script("samples/images")).unwrap() {
        let path = entry.unwrap().path();
        if path.join("train").exists() {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(tested.contains(&format!(": \"{name}\", ")), "{name} is in no test");
        }
    }
}
