//! Drift between versions of real programs: what came is told with who needs it, and nothing of what only varies matters.
//!
//! tests/golden/releases has recordings of them, and what a reviewer reads of each in every form. `LEARN_BLESS=1` records anew.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tracer::recording::{Fact, Recording, write_file};

use crate::support::{Room, blesses, golden, is_golden};

/// A port that nobody has now.
fn port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

/// Records a script of the shell, with the room's path in `$ROOM`.
fn record(room: &Room, name: &str, script: &str) {
    fs::write(room.path("script"), script).unwrap();
    // A daemon that never ends would keep the recorder forever.
    let mut learn = Command::new("timeout");
    learn.args([
        "--signal=KILL",
        "180",
        env!("CARGO_BIN_EXE_learn"),
        "-q",
        "record",
        "--backend",
        "ptrace",
        "-o",
        name,
        "--",
        "/bin/sh",
        "-e",
        "script",
    ]);
    learn.current_dir(room.path("")).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let done = learn.env("ROOM", room.path("")).output().unwrap();
    assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A directory that says nothing of where a recording was made.
const PLACE: &str = "/srv/app";

/// Keeps a release's recordings, as if they had been made in [`PLACE`].
fn keep(room: &Room, release: &str) {
    let directory = golden().join("releases").join(release);
    fs::create_dir_all(&directory).unwrap();
    let here = room.path("");
    let here = here.to_str().unwrap().trim_end_matches('/');
    for name in ["old.jsonl", "new.jsonl"] {
        let made = Recording::read(&room.path(name)).unwrap();
        let mut kept = Recording::new();
        kept.completions = made.completions.clone();
        kept.runs = made.runs.clone();
        kept.runs.values_mut().for_each(|run| run.kernel = "6.1".to_owned());
        for (fact, runs) in made.sorted() {
            let moved = serde_json::to_string(fact).unwrap().replace(here, PLACE);
            let moved: Fact = serde_json::from_str(&moved).unwrap();
            runs.iter().for_each(|(run, seen)| kept.add(run, moved.clone(), seen));
        }
        write_file(&directory.join(name), &kept).unwrap();
    }
}

/// What a reviewer reads.
#[test]
fn each_is_told_word_for_word() {
    for release in ["nginx-module", "python-subprocess", "redis-tls"] {
        let room = Room::new();
        for name in ["old.jsonl", "new.jsonl"] {
            room.write(name, fs::read(golden().join("releases").join(release).join(name)).unwrap());
        }
        for (format, file) in [
            ("text", "drift.txt"),
            ("json", "drift.json"),
            ("markdown", "drift.md"),
            ("sarif", "drift.sarif"),
            ("junit", "drift.xml"),
        ] {
            let done = room.learn(&["diff", "--format", format, "old.jsonl", "new.jsonl"]);
            assert_eq!(done.code, 1, "{done:?}");
            is_golden(&format!("releases/{release}/{file}"), &done.out);
        }
    }
}

/// What the new version of a release is allowed more.
fn widened(room: &Room, release: &str) -> Vec<Value> {
    if blesses() {
        keep(room, release);
    }
    let words = ["diff", "--format", "json", "--fail-on", "widened", "old.jsonl", "new.jsonl"];
    let done = room.learn(&words);
    assert_eq!(done.code, 1, "{done:?}");
    let all: Value = serde_json::from_str(&done.out).unwrap();
    // A reviewer gets the same in every form.
    for format in ["text", "markdown", "sarif", "junit"] {
        let words = ["diff", "--format", format, "old.jsonl", "new.jsonl"];
        assert_eq!(room.learn(&words).code, 1, "{format}");
    }
    let differences = all["differences"].as_array().unwrap();
    differences.iter().filter(|difference| difference["widens"] == true).cloned().collect()
}

#[track_caller]
fn of<'a>(all: &'a [Value], kind: &str, ends: &str) -> &'a Value {
    let is = |d: &&Value| d["kind"] == kind && d["what"].as_str().unwrap().ends_with(ends);
    all.iter().find(is).unwrap_or_else(|| panic!("{kind} {ends}: {all:#?}"))
}

fn nginx(room: &Room, name: &str, port: u16, more: &str) {
    // Each finds what the other found.
    if room.path("error.log").exists() {
        fs::remove_file(room.path("error.log")).unwrap();
    }
    let configuration = format!(
        "{more}\nuser root;\npid nginx.pid;\nerror_log error.log notice;\nevents {{}}\n\
         http {{ access_log off; server {{ listen 127.0.0.1:{port}; return 200 ok; }} }}\n"
    );
    fs::write(room.path("nginx.conf"), configuration).unwrap();
    // It goes into the background before it is ready: a signal that comes before its workers is lost. In the end it takes its process
    // number's file away. Each is waited for in any case: whether sleep is run is not to be a matter of timing.
    let script = "
nginx -p $ROOM -c nginx.conf
until sleep 0.1; grep -q 'start worker process ' error.log; do :; done
nginx -p $ROOM -c nginx.conf -s quit
while sleep 0.1; [ -e nginx.pid ]; do :; done
";
    record(room, name, script);
}

/// nginx as Debian ships it, and with another of its modules.
#[test]
#[ignore = "needs Debian's servers: run by make test"]
fn a_module_of_nginx_is_told() {
    let room = Room::new();
    let first = port();
    nginx(&room, "old.jsonl", first, "");
    let stream = format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\nstream {{ server {{ listen 127.0.0.1:{}; return ok; }} }}",
        port()
    );
    nginx(&room, "new.jsonl", first, &stream);
    let all = widened(&room, "nginx-module");
    let module = of(&all, "file", "/ngx_stream_module.so");
    assert!(module["new"].as_str().unwrap().contains("mmap-exec"), "{module:#}");
    assert_eq!(module["why"]["programs"], serde_json::json!(["/usr/sbin/nginx"]));
    // No other program came with it.
    assert!(all.iter().all(|difference| difference["kind"] != "program"), "{all:#?}");
}

fn redis(room: &Room, name: &str, tls: &str) {
    let script = format!(
        "redis-server --port 0 --save '' --unixsocket $ROOM/redis.sock --daemonize yes --pidfile $ROOM/redis.pid --dir $ROOM {tls}
until sleep 0.1; redis-cli -s $ROOM/redis.sock ping >/dev/null 2>&1; do :; done
redis-cli -s $ROOM/redis.sock set key value >/dev/null
redis-cli -s $ROOM/redis.sock shutdown nosave
while sleep 0.1; [ -e redis.pid ]; do :; done
"
    );
    record(room, name, &script);
}

/// redis without TLS, and with it: its key is read.
#[test]
#[ignore = "needs Debian's servers: run by make test"]
fn tls_of_redis_is_told() {
    let room = Room::new();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=localhost",
            "-days",
            "2",
        ])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(room.path(""))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    redis(&room, "old.jsonl", "");
    let tls = format!(
        "--tls-port {} --bind 127.0.0.1 --tls-cert-file $ROOM/cert.pem --tls-key-file $ROOM/key.pem --tls-ca-cert-file $ROOM/cert.pem",
        port()
    );
    redis(&room, "new.jsonl", &tls);
    let all = widened(&room, "redis-tls");
    for name in ["/key.pem", "/cert.pem"] {
        let file = of(&all, "file", name);
        assert!(file["new"].as_str().unwrap().starts_with("read"), "{file:#}");
        let programs = file["why"]["programs"].to_string();
        assert!(programs.contains("redis"), "{file:#}");
    }
    let listens =
        |d: &Value| d["kind"] == "address" && d["what"].as_str().unwrap().contains("AF_INET");
    assert!(all.iter().any(listens), "{all:#?}");
}

/// A Python program, and one with a dependency that runs another program.
#[test]
#[ignore = "needs Debian's servers: run by make test"]
fn a_dependency_that_runs_a_program_is_told() {
    let room = Room::new();
    room.write("app.py", "import dependency\ndependency.work()\n");
    let run = "/usr/bin/python3 -B app.py\n";
    room.write("dependency.py", "def work():\n    return 'done'\n");
    record(&room, "old.jsonl", run);
    room.write(
        "dependency.py",
        "import subprocess\ndef work():\n    subprocess.run(['/usr/bin/uname'], stdout=subprocess.DEVNULL, check=True)\n",
    );
    record(&room, "new.jsonl", run);
    let all = widened(&room, "python-subprocess");
    let program = of(&all, "program", "/usr/bin/uname");
    assert_eq!((&program["risk"], &program["direction"]), (&"medium".into(), &"widened".into()));
    let call = of(&all, "call", " uname");
    assert_eq!(call["cause"], "new program: /usr/bin/uname");
    assert!(all.iter().any(|d| d["kind"] == "file"
        && d["what"].as_str().unwrap().ends_with("subprocess.cpython-311.pyc")));
}
