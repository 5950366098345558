//! The least that a container needs, with each engine and runtime, with and without no-new-privileges, for its entry point and
//! for a session: nothing of the runtime's own set-up is in the profile, the container starts under it, and every call of
//! it is needed.

use std::collections::{BTreeMap, BTreeSet};

use tracer::recording::{Origin, What};

use crate::support::{Beside, LEARN};
use crate::support::{
    DOCKER, Engine, PODMAN, PODMAN_CRUN, Removed, Room, allowed, among_others, calls, facts, name,
    ready, set,
};

const IMAGE: &str = "localhost/learn/pause";

/// What runtimes do before they load the filter, and no program of these needs.
const NEVER: [&str; 16] = [
    "mount",
    "umount2",
    "pivot_root",
    "setns",
    "unshare",
    "keyctl",
    "chroot",
    "sethostname",
    "mknodat",
    "seccomp",
    "ptrace",
    "bpf",
    "clone3",
    "socket",
    "link",
    "symlink",
];

/// Calls that runtimes make under the filter and whose failure they pass over, and why.
const PASSED_OVER: [(&str, &str); 7] = [
    ("close", "crun does not look at its result"),
    ("epoll_ctl", "Go reads a file that can't be polled by blocking"),
    ("fchown", "crun goes on when a session's streams keep their owner"),
    ("fcntl", "Go takes a file whose flags it can't read for one that blocks"),
    ("getpid", "Go asks before it interrupts a thread of its own"),
    ("ioctl", "crun goes on without a controlling terminal"),
    ("umask", "crun does not look at its result"),
];

/// Calls that a runtime in Go makes or not, as time has it: a recording may hold them, and the next start may do without.
const AS_TIME_HAS_IT: [&str; 13] = [
    "clone",
    "epoll_pwait",
    "futex",
    "gettid",
    "madvise",
    "mmap",
    "munmap",
    "nanosleep",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_yield",
    "sigaltstack",
    "tgkill",
];

#[derive(Clone, Copy)]
struct Case {
    engine: Engine,
    no_new_privileges: bool,
}

impl Case {
    fn options(self) -> Vec<&'static str> {
        if self.no_new_privileges { vec!["--security-opt=no-new-privileges"] } else { vec![] }
    }

    /// Records the entry point, which stays, and a session.
    fn record(self, room: &Room) {
        let name = name("matrix");
        let _removed = Removed(self.engine, name.clone());
        let file = room.path("r.jsonl");
        let mut words =
            vec![LEARN, "--quiet", "record", "-o", &file, "--", self.engine.client(), "run"];
        words.extend(["--rm", "--name", &name]);
        words.extend(self.options());
        words.extend([IMAGE, "stay"]);
        let recording = Beside::start(&mut self.engine.command(&words));
        self.engine.wait_running(&name);
        let session = self.engine.client_done(&["exec", &name, "/pause"]).succeeded();
        assert_eq!(session.out, "done\n");
        self.engine.client_done(&["kill", &name]).succeeded();
        let done = recording.done();
        assert_eq!(done.code, Some(137), "the container was killed: {}", done.err);
    }

    /// The entry point, and a session, under a profile.
    fn works(self, profile: &str) -> bool {
        let name = name("matrix");
        let _removed = Removed(self.engine, name.clone());
        let seccomp = format!("--security-opt=seccomp={profile}");
        let mut words = vec!["run", "--detach", "--name", &name, "--cap-drop=ALL", &seccomp];
        words.extend(self.options());
        words.extend([IMAGE, "stay"]);
        if self.engine.client_done(&words).code != Some(0) {
            return false;
        }
        let session = self.engine.client_done(&["exec", &name, "/pause"]);
        session.code == Some(0) && session.out == "done\n"
    }

    fn holds(self) {
        ready();
        let _turn = among_others();
        let room = Room::new();
        self.record(&room);
        let recording = room.recording("r.jsonl");
        assert!(recording.complete(), "{:?}", recording.completions);

        // What the program does is known exactly; the entry point is killed in its sleep.
        assert_eq!(calls(&recording, Origin::Entry), set(&["nanosleep"]));
        assert_eq!(calls(&recording, Origin::Exec), set(&["nanosleep", "write", "exit_group"]));
        let started = calls(&recording, Origin::Runtime);
        assert!(started.contains("execve"), "{started:?}");
        for (fact, seen) in facts(&recording) {
            let needed = matches!(&fact.what, What::Capability { probe: false, .. });
            assert!(!(needed && seen.succeeded()), "{fact:?}");
        }

        room.generate("r.jsonl", "profile");
        let profile = room.json("profile/seccomp.json");
        let names = allowed(&profile);
        assert!(names.is_disjoint(&set(&NEVER)), "{names:?}");
        assert_eq!(room.json("profile/capabilities.json")["add"], serde_json::json!([]));
        assert!(self.works(&room.path("profile/seccomp.json")));

        let survived: BTreeSet<String> = names
            .iter()
            .filter(|call| {
                let less = without(&profile, call);
                std::fs::write(room.path("less.json"), less.to_string()).unwrap();
                self.works(&room.path("less.json"))
            })
            .cloned()
            .collect();
        let mut excused: BTreeMap<String, String> =
            PASSED_OVER.iter().map(|(call, why)| ((*call).to_owned(), (*why).to_owned())).collect();
        // What the learner adds because it happens as time has it, or only when something goes wrong, it says itself.
        for rule in room.json("profile/policy.json")["calls"].as_array().unwrap() {
            if let Some(why) = rule["evidence"]["generalised"].as_str() {
                excused.insert(rule["name"].as_str().unwrap().to_owned(), why.to_owned());
            }
        }
        let scheduled = AS_TIME_HAS_IT.into_iter().filter(|call| started.contains(*call));
        excused.extend(scheduled.map(|call| (call.to_owned(), "Go's scheduler".to_owned())));
        let unexplained: Vec<_> = survived.iter().filter(|c| !excused.contains_key(*c)).collect();
        assert!(unexplained.is_empty(), "not needed: {unexplained:?}");
        // The comparison can fail: most calls are needed.
        assert!(names.len() - survived.len() >= 4, "{survived:?} of {names:?}");
    }
}

/// The profile without one call.
fn without(profile: &serde_json::Value, call: &str) -> serde_json::Value {
    let mut less = profile.clone();
    let entries = less["syscalls"].as_array_mut().unwrap();
    for entry in entries.iter_mut().filter(|entry| entry["action"] == "SCMP_ACT_ALLOW") {
        entry["names"].as_array_mut().unwrap().retain(|name| name != call);
    }
    entries.retain(|entry| !entry["names"].as_array().unwrap().is_empty());
    less
}

macro_rules! matrix {
    ($($test:ident: $engine:expr, $no_new_privileges:expr;)*) => {$(
        #[test]
        #[ignore = "needs root and container engines: run by make test"]
        fn $test() {
            Case { engine: $engine, no_new_privileges: $no_new_privileges }.holds();
        }
    )*};
}

matrix! {
    docker_with_runc: DOCKER, false;
    docker_with_runc_and_no_new_privileges: DOCKER, true;
    podman_with_runc: PODMAN, false;
    podman_with_runc_and_no_new_privileges: PODMAN, true;
    podman_with_crun: PODMAN_CRUN, false;
    podman_with_crun_and_no_new_privileges: PODMAN_CRUN, true;
}
