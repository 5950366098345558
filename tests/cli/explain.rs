//! `learn explain`

use serde_json::Value;

use crate::support::{INPUT, Room};

#[test]
fn a_recording_a_policy_and_a_directory_explain_the_same() {
    let room = Room::new();
    let greet = room.greet();
    room.learn(&["generate", greet, "-o", "p"]).succeeded();
    let json = |file: &str| -> Value {
        let arguments = ["explain", "--format", "json", "socket(AF_UNIX, SOCK_STREAM, 0)", file];
        serde_json::from_str(&room.learn(&arguments).succeeded().out).unwrap()
    };
    let (mut recording, policy) = (json(greet), json("p/policy.json"));
    assert_eq!(policy["answer"], "allowed");
    assert_eq!((&policy["format"], &policy["version"]), (&"learn-explanation".into(), &1.into()));
    assert_eq!(policy["rules"][0]["evidence"]["programs"][0], "/bin/greet");
    assert_eq!(json("p"), policy);
    // Only a recording knows who was first.
    let first = recording["rules"][0].as_object_mut().unwrap().remove("first").unwrap();
    assert_eq!((&first[0]["pid"], &first[0]["ms"]), (&4711.into(), &3.into()));
    assert_eq!(recording, policy);
    // It is told by what it is, not by its name.
    room.write("r.json", room.read(greet));
    assert!(json("r.json")["rules"][0]["first"].is_array());
}

#[test]
fn text_tells_why_or_what_is_nearest() {
    let room = Room::new();
    let greet = room.greet();
    let told = |what: &str| room.learn(&["explain", what, greet]).succeeded().out;
    let socket = told("socket");
    assert!(socket.starts_with("socket: allowed within these limits\n"), "{socket}");
    for word in ["domain = AF_UNIX", "/bin/greet", "1 time in 1 run: ok 1", "smoke", "process 4711"]
    {
        assert!(socket.contains(word), "{word}: {socket}");
    }
    let alg = told("socket(AF_ALG, SOCK_SEQPACKET)");
    assert!(
        alg.contains("refused: no rule allows it") && alg.contains("domain is AF_ALG"),
        "{alg}"
    );
    assert!(told("clone3").contains("answered ENOSYS"));
    assert!(told("CAP_SYS_ADMIN").contains("refused"));
    assert!(told("/etc/greet.conf").contains("read, by the file's owner"));
    assert!(told("/etc/shadow").contains("another path below /etc/"));
    let strict = room.learn(&["explain", "--tightness", "strict", "rt_sigreturn", greet]);
    assert!(strict.succeeded().out.contains("refused"));
}

#[test]
fn what_can_not_be_asked_or_read_is_refused() {
    let room = Room::new();
    let greet = room.greet();
    room.learn(&["explain", "frobnicate", greet]).refused(INPUT, &["frobnicate", "CAP_KILL"]);
    room.learn(&["explain", "socket(AF_NOTHING)", greet]).refused(INPUT, &["AF_NOTHING", "domain"]);
    room.learn(&["explain", "read(1)", greet]).refused(INPUT, &["read has 0 arguments"]);
    room.learn(&["explain", "read", "."]).refused(INPUT, &["policy.json", "learn generate"]);
    room.write("p.json", "{\"format\":\"learn-policy\",\"version\":9}");
    room.learn(&["explain", "read", "p.json"]).refused(INPUT, &["p.json", "policy format 9"]);
    room.write("q.json", "{");
    room.learn(&["explain", "read", "q.json"]).refused(INPUT, &["q.json", "line 1"]);
    for (file, words) in room.unusable() {
        if file != "other" {
            room.learn(&["explain", "read", file]).refused(INPUT, words);
        }
    }
}
