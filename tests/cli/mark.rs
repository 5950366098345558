//! `learn mark`

use crate::support::{INPUT, Room, UNAVAILABLE, command, done};

#[test]
fn where_nothing_is_recorded_nothing_is_marked() {
    let mut learn = command(&["mark", "a"]);
    learn.env_remove("LEARN_SOCKET");
    let done = done(learn).succeeded();
    assert!(done.err.contains("LEARN_SOCKET is not set"), "{done:?}");
}

#[test]
fn a_recorder_that_is_not_there_is_told() {
    let room = Room::new();
    let mut learn = command(&["mark", "a"]);
    learn.env("LEARN_SOCKET", room.path("none"));
    done(learn).refused(UNAVAILABLE, &["none: No such file"]);
}

#[test]
fn a_mark_names_something() {
    let room = Room::new();
    let done = room.learn(&["mark"]);
    assert_eq!(done.code, INPUT, "{done:?}");
    room.learn(&["mark", ""]).refused(INPUT, &["value is required"]);
    let done = room.learn(&["mark", "--phase", "begin", "a"]);
    assert!(done.code == INPUT && done.err.contains("startup, serving, shutdown"), "{done:?}");
}

#[test]
fn a_name_that_the_recorder_refuses_is_an_error() {
    let room = Room::new();
    let long = "x".repeat(1025);
    let script = format!("{} mark {long} || exit 7", env!("CARGO_BIN_EXE_learn"));
    let done = room.learn(&["record", "--backend", "ptrace", "-o", "r", "--", "sh", "-c", &script]);
    assert!(done.code == 7 && done.err.contains("longer than 1024"), "{done:?}");
}

#[test]
fn the_socket_is_where_it_is_asked_for_and_gone_in_the_end() {
    let room = Room::new();
    let script = "test -S s && test \"$LEARN_SOCKET\" = \"$PWD/s\"";
    let record =
        ["record", "--backend", "ptrace", "--socket", "s", "-o", "r", "--", "sh", "-c", script];
    room.learn(&record).succeeded();
    assert_eq!(room.names(), ["r"]);
    room.write("s", "");
    let done = room.learn(&record);
    assert!(done.code != 0 && done.err.contains("make the socket s: "), "{done:?}");
    assert_eq!(room.names(), ["r", "s"], "what is there stays");
}
