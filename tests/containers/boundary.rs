//! Where a container begins, what a filter hides that is there already, and what is not the container's.

use tracer::recording::{Origin, What};

use crate::support::{
    DOCKER, Engine, LEARN, PODMAN_CRUN, Room, alone, among_others, calls, done, facts, ready,
};

fn record(room: &Room, engine: Engine, options: &[&str], image: &str) -> crate::support::Done {
    let file = room.path("r.jsonl");
    let mut words = vec![LEARN, "record", "-o", &file, "--", engine.client(), "run", "--rm"];
    words.extend(options);
    words.push(image);
    done(&mut engine.command(&words))
}

#[test]
#[ignore = "needs root and container engines: run by make test"]
fn what_the_users_own_filter_refuses_is_counted_and_said() {
    ready();
    let _turn = among_others();
    let room = Room::new();
    let own = room.path("own.json");
    // The sample goes on without sysinfo: it has what it prints from nowhere else.
    let profile = serde_json::json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": ["getpgrp"], "action": "SCMP_ACT_ERRNO" }],
    });
    std::fs::write(&own, profile.to_string()).unwrap();
    let option = format!("--security-opt=seccomp={own}");
    record(&room, DOCKER, &[&option], "localhost/learn/static");
    let recording = room.recording("r.jsonl");
    let denied: Vec<_> = facts(&recording)
        .filter_map(|(fact, seen)| match &fact.what {
            What::Denied { name, .. } => Some((
                fact.domain.to_string(),
                name.clone().unwrap(),
                seen.count,
                seen.outcomes.clone(),
            )),
            _ => None,
        })
        .collect();
    let [(domain, name, 1, outcomes)] = &denied[..] else { panic!("{denied:?}") };
    assert_eq!((domain.as_str(), &**name), ("/static", "getpgrp"));
    assert!(outcomes.contains_key("EPERM"), "{outcomes:?}");
    assert!(!calls(&recording, Origin::Entry).contains("getpgrp"));
    let notes: Vec<String> =
        recording.completions.values().flat_map(|end| end.notes.clone()).collect();
    assert!(notes.iter().any(|note| note.contains("refused calls")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains(&own)), "{notes:?}");

    // Without it the call is seen, and nothing is hidden.
    record(&room, DOCKER, &[], "localhost/learn/static").succeeded();
    let recording = room.recording("r.jsonl");
    assert!(calls(&recording, Origin::Entry).contains("getpgrp"));
    assert!(!facts(&recording).any(|(fact, _)| matches!(fact.what, What::Denied { .. })));
}

#[test]
#[ignore = "needs root and container engines: run by make test"]
fn a_program_says_what_it_leaves_in_a_container_too() {
    ready();
    let _turn = among_others();
    for (engine, image, domain) in [
        (DOCKER, "localhost/learn/static", "/static"),
        (PODMAN_CRUN, "localhost/learn/static", "/static"),
        (DOCKER, "localhost/learn/i386", "/i386"),
    ] {
        let room = Room::new();
        let printed = record(&room, engine, &[], image).succeeded().out;
        let recording = room.recording("r.jsonl");
        let mine: Vec<String> = facts(&recording)
            .filter(|(fact, seen)| {
                fact.domain.to_string() == domain && {
                    // An access that failed is no access.
                    !matches!(fact.what, What::File { .. }) || seen.succeeded()
                }
            })
            .filter_map(|(fact, _)| match &fact.what {
                What::Call { abi, name: Some(name), .. } => Some(format!("call {abi} {name}")),
                What::File { path, access, .. } => {
                    let access = serde_json::to_value(access).unwrap();
                    Some(format!("file {} {path}", access.as_str().unwrap()))
                }
                What::Socket { family, kind, protocol } => {
                    Some(format!("socket {family} {kind} {protocol}"))
                }
                _ => None,
            })
            .collect();
        let mut checked = 0;
        for line in printed.lines() {
            let (sign, fact) = line.split_once(' ').unwrap();
            let there = mine.iter().any(|known| known == fact);
            assert_eq!(there, sign == "+", "{image} {line}: {mine:#?}");
            checked += 1;
        }
        assert!(checked > 5, "{printed}");
    }
}

#[test]
#[ignore = "needs root and container engines: run by make test"]
fn a_container_that_never_starts_is_an_incomplete_recording() {
    ready();
    let _turn = among_others();
    let room = Room::new();
    let done = record(&room, DOCKER, &[], "localhost/learn/no-such-image");
    assert_eq!(done.code, Some(120), "{done:?}");
    assert!(done.err.contains("no process was seen"), "{done:?}");
    assert!(!room.recording("r.jsonl").complete());
}

#[test]
#[ignore = "needs root and container engines: run by make test"]
fn a_container_that_lives_for_a_moment_is_recorded_whole() {
    ready();
    let _turn = alone();
    for engine in [DOCKER, PODMAN_CRUN] {
        for _ in 0..5 {
            let room = Room::new();
            record(&room, engine, &[], "localhost/learn/pause").succeeded();
            let recording = room.recording("r.jsonl");
            assert!(recording.complete(), "{:?}", recording.completions);
            let entry: Vec<String> = calls(&recording, Origin::Entry).into_iter().collect();
            assert_eq!(entry, ["exit_group", "nanosleep", "write"]);
        }
    }
}
