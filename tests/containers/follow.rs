//! Containers that are told by their names: started by the command, running already, several at once, started again, entered
//! by sessions and health checks.

use std::collections::BTreeSet;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tracer::recording::{Origin, Recording};

use crate::support::{
    Beside, DOCKER, Engine, LEARN, PODMAN, Removed, Room, alone, calls, done, name, ready, set,
    wait_for,
};

const PAUSE: &str = "localhost/learn/pause";

/// The values of a label over the runs.
fn labels(recording: &Recording, key: &str) -> BTreeSet<String> {
    recording.labels(key)
}

/// What one container of several did.
fn of(recording: &Recording, container: &str) -> Recording {
    let mut one = recording.clone();
    one.keep_labelled(&[("container", container)]);
    one
}

#[test]
#[ignore = "needs root and container engines: run by make test"]
fn containers_that_the_command_starts_are_runs_of_their_own() {
    ready();
    let _turn = alone();
    for engine in [DOCKER, PODMAN] {
        let room = Room::new();
        let (web, db, other) = (name("web"), name("db"), name("other"));
        let file = room.path("r.jsonl");
        let client = engine.client();
        // The third is none of those that are asked for.
        let script = format!(
            "{client} run --rm --name {web} {PAUSE}
             {client} run --rm --name {db} localhost/learn/static
             {client} run --rm --name {other} {PAUSE}"
        );
        let names = format!("{web},{db}");
        let words =
            [LEARN, "record", "-o", &file, "--container", &names, "--", "sh", "-ec", &script];
        done(&mut engine.command(words)).succeeded();
        let recording = room.recording("r.jsonl");
        assert!(recording.complete(), "{:?}", recording.completions);
        assert_eq!(labels(&recording, "container"), [web.clone(), db.clone()].into());
        assert_eq!(labels(&recording, "engine"), set(&[client]));
        assert_eq!(
            calls(&of(&recording, &web), Origin::Entry),
            set(&["nanosleep", "write", "exit_group"])
        );
        let more = calls(&of(&recording, &db), Origin::Entry);
        assert!(more.contains("sysinfo") && !more.contains("nanosleep"), "{more:?}");

        // A profile for one of them.
        let profile = room.path("profile");
        let generate = ["generate", "-o", &profile, "--container", &web, &file];
        done(std::process::Command::new(LEARN).args(generate)).succeeded();
        let allowed = crate::support::allowed(&room.json("profile/seccomp.json"));
        assert!(allowed.contains("nanosleep") && !allowed.contains("sysinfo"), "{allowed:?}");
        let absent = ["generate", "-o", &profile, "--container", "absent", &file];
        let refused = done(std::process::Command::new(LEARN).args(absent));
        assert_eq!(refused.code, Some(123), "{refused:?}");
    }
}

#[test]
#[ignore = "needs root and container engines: run by make test"]
fn containers_that_compose_starts_are_recorded() {
    ready();
    let _turn = alone();
    let room = Room::new();
    let (web, db, file) = (name("web"), name("db"), room.path("r.jsonl"));
    let _removed = [Removed(DOCKER, web.clone()), Removed(DOCKER, db.clone())];
    let services = format!(
        "version: '3'\nservices:\n  web:\n    image: {PAUSE}\n    container_name: {web}\n    network_mode: none\n  db:\n    image: \
         localhost/learn/static\n    container_name: {db}\n    network_mode: none\n"
    );
    let compose = room.path("docker-compose.yml");
    std::fs::write(&compose, services).unwrap();
    let names = format!("{web},{db}");
    let words = [
        LEARN,
        "record",
        "-o",
        &file,
        "--container",
        &names,
        "--",
        "docker-compose",
        "-f",
        &compose,
        "up",
    ];
    done(&mut DOCKER.command(words)).succeeded();
    let recording = room.recording("r.jsonl");
    assert_eq!(labels(&recording, "container"), [web.clone(), db.clone()].into());
    assert_eq!(
        calls(&of(&recording, &web), Origin::Entry),
        set(&["nanosleep", "write", "exit_group"])
    );
    assert!(calls(&of(&recording, &db), Origin::Entry).contains("sysinfo"));
}

#[test]
#[ignore = "needs root and container engines: run by make test"]
fn a_container_that_is_not_there_is_told() {
    ready();
    let _turn = alone();
    let room = Room::new();
    let file = room.path("r.jsonl");
    let absent = name("absent");
    let words = [LEARN, "record", "-o", &file, "--container", &absent, "--", "true"];
    let done = done(&mut DOCKER.command(words));
    assert_eq!(done.code, Some(120), "{done:?}");
    assert!(done.err.contains(&absent), "{done:?}");
}

/// A container that sleeps, recorded by its name from then on; what happens meanwhile; and the recording.
fn recorded(engine: Engine, room: &Room, meanwhile: impl FnOnce(&str)) -> Recording {
    let name = name("running");
    let _removed = Removed(engine, name.clone());
    engine.client_done(&["run", "--detach", "--name", &name, PAUSE, "stay"]).succeeded();
    engine.wait_running(&name);
    let file = room.path("r.jsonl");
    let learn = ["-v", "record", "-o", &file, "--container", &name];
    let mut command = std::process::Command::new(LEARN);
    let recording = Beside::start(command.args(learn));
    // Without a command it goes on until an interrupt; it has begun when it has seen a session.
    let part = format!("{file}.part");
    wait_for("the recorder", || {
        engine.client_done(&["exec", &name, "/pause"]).succeeded();
        std::path::Path::new(&part).exists()
    });
    meanwhile(&name);
    kill(Pid::from_raw(recording.pid()), Signal::SIGINT).unwrap();
    let done = recording.done();
    assert_eq!(done.code, Some(0), "{done:?}");
    room.recording("r.jsonl")
}

#[test]
#[ignore = "needs root and container engines: run by make test"]
fn a_container_that_runs_already_is_followed_until_an_interrupt() {
    ready();
    let _turn = alone();
    let room = Room::new();
    let recording = recorded(DOCKER, &room, |_name| {});
    let notes: Vec<String> =
        recording.completions.values().flat_map(|end| end.notes.clone()).collect();
    assert!(notes.iter().any(|note| note.contains("ran already")), "{notes:?}");
    assert_eq!(calls(&recording, Origin::Exec), set(&["nanosleep", "write", "exit_group"]));
}

#[test]
#[ignore = "needs root and container engines: run by make test"]
fn a_container_that_is_started_again_is_one_run_and_its_entry_point_an_entry_point() {
    ready();
    let _turn = alone();
    let room = Room::new();
    let recording = recorded(DOCKER, &room, |name| {
        DOCKER.client_done(&["restart", "--time", "0", name]).succeeded();
    });
    assert_eq!(recording.runs.len(), 1, "{:?}", recording.runs);
    assert_eq!(calls(&recording, Origin::Entry), set(&["nanosleep"]));
    assert!(calls(&recording, Origin::Runtime).contains("execve"));
    assert_eq!(calls(&recording, Origin::Exec), set(&["nanosleep", "write", "exit_group"]));
}

#[test]
#[ignore = "needs root and container engines: run by make test"]
fn a_session_that_runs_already_is_kept_apart_from_the_entry_point() {
    ready();
    let _turn = alone();
    // The image is one of docker's.
    let engine = DOCKER;
    let room = Room::new();
    let (name, file) = (name("entered"), room.path("r.jsonl"));
    let _removed = Removed(engine, name.clone());
    let waits = |go: &str, then: &str| {
        format!("touch /tmp/{go}.waits; until [ -e /tmp/{go} ]; do sleep 0.1; done; {then}")
    };
    let entry = waits("entry", "chmod 700 /tmp/entry; sleep 3600");
    let run = ["run", "--detach", "--name", &name, "localhost/learn/nginx", "sh", "-c", &entry];
    engine.client_done(&run).succeeded();
    let session = waits("session", "mkdir /tmp/made");
    engine.client_done(&["exec", "--detach", &name, "sh", "-c", &session]).succeeded();
    let inside = |words: &[&str]| engine.client_done(&[&["exec", &name], words].concat());
    wait_for("the session", || inside(&["test", "-e", "/tmp/session.waits"]).code == Some(0));

    let learn = ["record", "-o", &file, "--container", &name];
    let recording = Beside::start(std::process::Command::new(LEARN).args(learn));
    let part = format!("{file}.part");
    wait_for("the recorder", || {
        inside(&["true"]).succeeded();
        std::path::Path::new(&part).exists()
    });
    inside(&["touch", "/tmp/entry", "/tmp/session"]).succeeded();
    wait_for("the session's end", || inside(&["test", "-d", "/tmp/made"]).code == Some(0));
    wait_for("the entry point", || {
        inside(&["sh", "-c", "[ $(stat -c %a /tmp/entry) = 700 ]"]).code == Some(0)
    });
    kill(Pid::from_raw(recording.pid()), Signal::SIGINT).unwrap();
    let done = recording.done();
    assert_eq!(done.code, Some(0), "{done:?}");
    let recording = room.recording("r.jsonl");
    let (entry, session) = (calls(&recording, Origin::Entry), calls(&recording, Origin::Exec));
    assert!(entry.contains("fchmodat") && !entry.contains("mkdir"), "{entry:?}");
    assert!(session.contains("mkdir") && !session.contains("fchmodat"), "{session:?}");
}

#[test]
#[ignore = "needs root and container engines: run by make test"]
fn clients_that_start_or_enter_a_container_are_recognised() {
    ready();
    let _turn = alone();
    for engine in [DOCKER, PODMAN] {
        let room = Room::new();
        let file = room.path("r.jsonl");
        let name = name("created");
        let _removed = Removed(engine, name.clone());
        let client = engine.client();
        engine.client_done(&["create", "--name", &name, PAUSE, "stay"]).succeeded();
        let start = [LEARN, "record", "-o", &file, "--", client, "start", &name];
        done(&mut engine.command(start)).succeeded();
        let recording = room.recording("r.jsonl");
        assert!(calls(&recording, Origin::Runtime).contains("execve"), "{client}");
        assert_eq!(labels(&recording, "container"), [name.clone()].into());

        let exec = [LEARN, "record", "-o", &file, "--", client, "exec", &name, "/pause"];
        let session = done(&mut engine.command(exec)).succeeded();
        assert_eq!(session.out, "done\n");
        let recording = room.recording("r.jsonl");
        assert_eq!(
            calls(&recording, Origin::Exec),
            set(&["nanosleep", "write", "exit_group"]),
            "{client}"
        );
    }
}

#[test]
#[ignore = "needs root and container engines: run by make test"]
fn health_checks_are_kept_apart() {
    ready();
    let _turn = alone();
    let room = Room::new();
    let file = room.path("r.jsonl");
    let name = name("health");
    let _removed = Removed(DOCKER, name.clone());
    let words = [
        LEARN,
        "--quiet",
        "record",
        "-o",
        &file,
        "--",
        "docker",
        "run",
        "--rm",
        "--name",
        &name,
        "localhost/learn/redis",
    ];
    let recording = Beside::start(&mut DOCKER.command(words));
    DOCKER.wait_running(&name);
    wait_for("a health check", || {
        let asked = DOCKER.client_done(&["inspect", "--format", "{{.State.Health.Status}}", &name]);
        asked.out.trim() == "healthy"
    });
    DOCKER.client_done(&["exec", &name, "redis-cli", "info"]).succeeded();
    DOCKER.client_done(&["kill", "--signal", "TERM", &name]).succeeded();
    assert_eq!(recording.done().code, Some(0));
    let recording = room.recording("r.jsonl");
    for origin in [Origin::Healthcheck, Origin::Exec] {
        let made = calls(&recording, origin);
        assert!(made.contains("connect") && !made.contains("epoll_wait"), "{origin:?} {made:?}");
    }
    assert!(calls(&recording, Origin::Entry).contains("epoll_wait"));

    // A profile without them: neither may connect.
    let profile = room.path("profile");
    let generate = ["generate", "-o", &profile, "--origin", "entry,runtime", &file];
    done(std::process::Command::new(LEARN).args(generate)).succeeded();
    let allowed = crate::support::allowed(&room.json("profile/seccomp.json"));
    assert!(!allowed.contains("connect") && allowed.contains("accept4"), "{allowed:?}");
}
