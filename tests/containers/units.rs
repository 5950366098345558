//! Marks from inside of a container, through a bind mount.

use std::collections::BTreeSet;

use tracer::recording::What;

use crate::support::{DOCKER, LEARN, PODMAN, Room, among_others, done, name, ready};

/// Speaks to the socket without any program that the image would need.
const MARK: &str = r#"
import json, os, socket
def mark(unit):
    with socket.socket(socket.AF_UNIX) as recorder:
        recorder.connect(os.environ["LEARN_SOCKET"])
        recorder.sendall(json.dumps({"unit": unit}).encode() + b"\n")
        assert recorder.recv(99) == b"ok\n"
open("/etc/debian_version").close()
mark("first")
open("/etc/passwd").close()
mark("second")
open("/etc/group").close()
"#;

#[test]
#[ignore = "needs root and container engines: run by make test"]
fn a_harness_inside_marks_through_a_bind_mount() {
    ready();
    let _turn = among_others();
    for engine in [DOCKER, PODMAN] {
        let room = Room::new();
        let (file, socket) = (room.path("r.jsonl"), room.path("socket"));
        let directory = room.path("");
        let directory = directory.trim_end_matches('/');
        let mount = format!("{directory}:{directory}");
        let name = name("marks");
        let run = [
            LEARN,
            "record",
            "-o",
            &file,
            "--socket",
            &socket,
            "--",
            engine.client(),
            "run",
            "--rm",
            "--name",
            &name,
            "--user",
            "0",
            "-v",
            &mount,
            "-e",
            "LEARN_SOCKET",
            "--entrypoint",
            "python3",
            "localhost/learn/python",
            "-c",
            MARK,
        ];
        done(&mut engine.command(run)).succeeded();
        let recording = room.recording("r.jsonl");
        assert!(recording.complete(), "{:?}", recording.completions);
        assert_eq!(recording.runs.values().next().unwrap().units, ["first", "second"]);
        let units = |wanted: &str| -> BTreeSet<String> {
            let facts = recording.sorted();
            let of = facts.iter().filter(
                |(fact, _)| matches!(&fact.what, What::File { path, .. } if path.as_bytes() == wanted.as_bytes()),
            );
            of.flat_map(|(_, runs)| runs.values().map(|seen| seen.units.to_string())).collect()
        };
        assert_eq!(units("/etc/debian_version"), [String::new()].into());
        assert_eq!(units("/etc/passwd"), ["0".to_owned()].into());
        assert_eq!(units("/etc/group"), ["1".to_owned()].into());
    }
}
