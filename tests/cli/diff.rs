//! `learn diff`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;
use tracer::abi::Abi;
use tracer::recording::{Access, Args, Fact, Origin, Recording, Seen, What};

use crate::support::{Done, Room};

/// As diff(1).
const DIFFERENT: i32 = 1;
const TROUBLE: i32 = 2;

/// A name that would end a cell, a line and an attribute, and begin markup.
const HOSTILE: &str = "/srv/a|b\n<script>\"'&`*\u{202e}]](x";

fn add(recording: &mut Recording, what: What) {
    let (run, described) = recording.runs.iter_mut().next().unwrap();
    if !described.units.iter().any(|unit| unit == "upload") {
        described.units.push("upload".to_owned());
    }
    let unit = u32::try_from(described.units.len() - 1).unwrap();
    let run = run.clone();
    let fact = Fact { domain: "/bin/more".into(), origin: Origin::Entry, what };
    let seen = Seen { units: [unit].into_iter().collect(), ..Seen::ending("ok", 1) };
    recording.add(&run, fact, &seen);
}

fn call(nr: u32, name: &str, args: &[(u8, u64)]) -> What {
    let values: BTreeMap<u8, u64> = args.iter().copied().collect();
    let args = (!values.is_empty()).then_some(Args::Values(Box::new(values)));
    What::Call { abi: Abi::X86_64, nr, name: Some(name.into()), args }
}

/// The documented recording, and one of a version that does more.
fn versions(room: &Room) -> [&'static str; 2] {
    room.changed("new.jsonl", |recording| {
        add(recording, call(41, "socket", &[(0, 38), (1, 5), (2, 0)]));
        add(recording, call(321, "bpf", &[(0, 5)]));
        add(recording, call(110, "getppid", &[]));
        let name = "CAP_SYS_ADMIN".into();
        let capability =
            What::Capability { name, initial_namespace: true, call: None, probe: false };
        add(recording, capability);
        let file = |path: &str, access| What::File { path: path.into(), access, target: None };
        add(recording, file("/etc/shadow", Access::Read));
        add(recording, file(HOSTILE, Access::Write));
        add(recording, What::Exec { path: "/bin/more".into(), interpreter: None, loader: None });
    });
    [room.greet(), "new.jsonl"]
}

fn differences(done: &Done) -> Vec<Value> {
    let all: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!((&all["format"], &all["version"]), (&"learn-drift".into(), &1.into()));
    all["differences"].as_array().unwrap().clone()
}

#[test]
fn a_recording_its_policy_and_its_profiles_allow_the_same() {
    let room = Room::new();
    let greet = room.greet();
    room.learn(&["generate", greet, "-o", "p"]).succeeded();
    for other in ["p", "p/policy.json", greet] {
        let done = room.learn(&["diff", greet, other]).succeeded();
        assert_eq!(done.out, format!("{greet} and {other} allow the same\n"));
    }
    // What a profile does not tell of is not compared, and that is said.
    for (profile, not) in
        [("p/seccomp.json", "capability, program"), ("p/capabilities.json", "call")]
    {
        let done = room.learn(&["diff", greet, profile]).succeeded();
        assert!(done.out.contains("not compared") && done.out.contains(not), "{}", done.out);
    }
    room.learn(&["diff", "p/seccomp.json", "p/policy.json"]).succeeded();
}

#[test]
fn what_matters_most_is_told_first_with_who_brought_it() {
    let room = Room::new();
    let [old, new] = versions(&room);
    let done = room.learn(&["diff", "--format", "json", old, new]);
    assert_eq!(done.code, DIFFERENT, "{done:?}");
    let all = differences(&done);
    let of = |what: &str| {
        all.iter().find(|d| d["what"] == what).unwrap_or_else(|| panic!("{what}: {all:#?}"))
    };
    for (what, kind, risk) in [
        ("x86_64 bpf", "call", "high"),
        ("x86_64 socket", "call", "high"),
        ("CAP_SYS_ADMIN", "capability", "high"),
        ("/etc/shadow", "file", "high"),
        ("/bin/more", "program", "medium"),
        ("x86_64 getppid", "call", "low"),
    ] {
        let difference = of(what);
        assert_eq!(
            (&difference["kind"], &difference["risk"]),
            (&kind.into(), &risk.into()),
            "{difference:#}"
        );
        assert_eq!(difference["direction"], "widened");
        let units = difference["why"]["units"].as_array().unwrap();
        assert!(units.contains(&"upload".into()), "{difference:#}");
        // Another program made sockets before.
        if what != "x86_64 socket" {
            assert_eq!(difference["cause"], "new program: /bin/more");
        }
    }
    assert!(
        of("x86_64 socket")["example"]
            .as_str()
            .unwrap()
            .starts_with("socket(AF_ALG, SOCK_SEQPACKET")
    );
    assert!(of("x86_64 bpf")["because"].as_str().unwrap().contains("CVE-"));
    let order: Vec<&str> = all.iter().map(|d| d["risk"].as_str().unwrap()).collect();
    let place = |risk| ["high", "medium", "low"].iter().position(|known| *known == risk);
    assert!(order.is_sorted_by_key(|risk| place(*risk)), "{order:?}");

    // The other way round the same is narrowed.
    let back = differences(&room.learn(&["diff", "--format", "json", new, old]));
    let names = |all: &[Value], direction: &str| -> Vec<String> {
        let mut names: Vec<String> = all
            .iter()
            .filter(|d| d["direction"] == direction)
            .map(|d| format!("{} {}", d["kind"], d["what"]))
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&all, "widened"), names(&back, "narrowed"));
    assert!(names(&back, "widened").is_empty());
}

#[test]
fn the_exit_code_is_that_of_what_was_asked_for() {
    let room = Room::new();
    let [old, new] = versions(&room);
    for (which, there, back) in [
        ("any", DIFFERENT, DIFFERENT),
        ("widened", DIFFERENT, 0),
        ("risk:high", DIFFERENT, 0),
        ("risk:medium", DIFFERENT, 0),
        ("never", 0, 0),
    ] {
        let code = |old, new| room.learn(&["diff", "--fail-on", which, old, new]).code;
        assert_eq!((code(old, new), code(new, old)), (there, back), "{which}");
    }
    room.changed("little.jsonl", |recording| add(recording, call(110, "getppid", &[])));
    let code = |which| room.learn(&["diff", "--fail-on", which, old, "little.jsonl"]).code;
    assert_eq!((code("widened"), code("risk:high")), (DIFFERENT, 0));
    // Trouble is no difference.
    room.write("text", "nothing of ours");
    room.write("other.json", "{}");
    room.write("bad.json", r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":9,"value":0,"op":"SCMP_CMP_EQ"}]}]}"#);
    for (side, words) in [
        ("nowhere", &["nowhere", "docker-default"][..]),
        ("text", &["text"]),
        ("other.json", &["other.json", "expected"]),
        ("bad.json", &["bad.json", "argument 9"]),
        (".", &["policy.json"]),
    ] {
        room.learn(&["diff", old, side]).refused(TROUBLE, words);
    }
    room.learn(&["diff", old]).refused(TROUBLE, &["OLD and NEW"]);
    room.learn(&["diff", "--fail-on", "sometimes", old, new]).refused(TROUBLE, &["sometimes"]);
}

#[test]
fn a_learned_profile_lies_within_an_engines_default_or_says_what_exceeds_it() {
    let room = Room::new();
    let [old, new] = versions(&room);
    let within = room.learn(&["diff", "--subset-of", "runtime-default", old]).succeeded();
    assert!(
        within.out.starts_with(&format!("{old} lies within runtime-default\n")),
        "{}",
        within.out
    );
    let beyond = room.learn(&["diff", "--format", "json", "--subset-of", "runtime-default", new]);
    assert_eq!(beyond.code, DIFFERENT);
    let names: Vec<Value> = differences(&beyond).iter().map(|d| d["what"].clone()).collect();
    // Version 20.10 of Docker lets AF_ALG through: that is no excess.
    assert_eq!(names, ["x86_64 bpf", "CAP_SYS_ADMIN"]);
    // Neither lies within the other.
    for (one, other) in [("docker-default", "podman-default"), ("podman-default", "docker-default")]
    {
        assert_eq!(room.learn(&["diff", "--subset-of", one, other]).code, DIFFERENT);
    }
}

#[test]
fn the_defaults_of_engines_are_compared_at_once() {
    let room = Room::new();
    let began = Instant::now();
    let done = room.learn(&["diff", "--format", "json", "docker-default", "podman-default"]);
    // It takes a twentieth of that.
    assert!(began.elapsed().as_secs() < 5);
    let all = differences(&done);
    let has = |what: &str, direction: &str| {
        assert!(all.iter().any(|d| d["what"] == what && d["direction"] == direction), "{what}");
    };
    has("CAP_NET_RAW", "narrowed");
    has("x86_64 unshare", "widened");
    has("x86_64 clone", "widened");
    let again = room.learn(&["diff", "--format", "json", "docker-default", "podman-default"]);
    assert_eq!(done.out, again.out);
}

fn seccomp(default: &str, architectures: &str, calls: &str) -> String {
    format!(
        r#"{{"defaultAction":"{default}","architectures":[{architectures}],"syscalls":[{calls}]}}"#
    )
}

const NATIVE: &str = r#""SCMP_ARCH_X86_64""#;
const BOTH: &str = r#""SCMP_ARCH_X86_64","SCMP_ARCH_X86""#;

#[test]
fn a_call_that_is_only_logged_is_made() {
    let room = Room::new();
    let read = |action: &str| format!(r#"{{"names":["bpf"],"action":"{action}"}}"#);
    for (name, default, calls) in [
        ("none", "SCMP_ACT_ERRNO", String::new()),
        ("allow", "SCMP_ACT_ERRNO", read("SCMP_ACT_ALLOW")),
        ("log", "SCMP_ACT_ERRNO", read("SCMP_ACT_LOG")),
        ("trace", "SCMP_ACT_ERRNO", read("SCMP_ACT_TRACE")),
        ("kill", "SCMP_ACT_ERRNO", read("SCMP_ACT_KILL_PROCESS")),
        ("log-all", "SCMP_ACT_LOG", String::new()),
    ] {
        room.write(name, seccomp(default, NATIVE, &calls));
    }
    let within = |new: &str, old: &str| room.learn(&["diff", "--subset-of", old, new]).code;
    for (new, old, is) in [
        ("log", "allow", true),
        ("allow", "log", true),
        ("log", "none", false),
        ("log", "trace", false),
        ("trace", "log", true),
        ("trace", "none", false),
        ("kill", "none", true),
        ("log-all", "none", false),
        ("allow", "log-all", true),
    ] {
        assert_eq!(within(new, old), if is { 0 } else { DIFFERENT }, "{new} in {old}");
    }
}

#[test]
fn an_architecture_that_is_open_is_told() {
    let room = Room::new();
    room.write("native", seccomp("SCMP_ACT_ALLOW", NATIVE, ""));
    room.write("both", seccomp("SCMP_ACT_ALLOW", BOTH, ""));
    room.write("closed", seccomp("SCMP_ACT_ERRNO", BOTH, ""));
    let done = room.learn(&["diff", "--format", "json", "--subset-of", "native", "both"]);
    let all = differences(&done);
    assert_eq!((done.code, &all[0]["what"]), (DIFFERENT, &"i386".into()), "{all:#?}");
    // Whose calls are all refused is none.
    room.learn(&["diff", "--subset-of", "native", "closed"]).succeeded();
}

#[test]
fn sides_with_nothing_in_common_are_trouble_and_no_proof() {
    let room = Room::new();
    room.write("calls.json", seccomp("SCMP_ACT_ALLOW", NATIVE, ""));
    room.write("capabilities.json", r#"{"drop":["ALL"],"add":[]}"#);
    for options in [&[][..], &["--subset-of"]] {
        let words = [&["diff"], options, &["capabilities.json", "calls.json"]].concat();
        room.learn(&words).refused(TROUBLE, &["nothing to compare", "capability", "call"]);
    }
    room.learn(&["diff", "--subset-of", "runtime-default", "capabilities.json"]).succeeded();
}

#[test]
fn profiles_that_were_edited_count_and_that_is_said() {
    let room = Room::new();
    let greet = room.greet();
    for name in ["old", "new"] {
        room.learn(&["generate", greet, "-o", name]).succeeded();
    }
    let done = room.learn(&["diff", "old", "new"]).succeeded();
    assert_eq!((done.out.as_str(), done.err.as_str()), ("old and new allow the same\n", ""));
    let text = String::from_utf8(room.read("new/seccomp.json")).unwrap();
    room.write("new/seccomp.json", text.replacen("\"names\": [", "\"names\": [\"bpf\",", 1));
    room.write("new/capabilities.json", r#"{"drop":["ALL"],"add":["SYS_ADMIN"]}"#);
    let done = room.learn(&["diff", "--format", "json", "old", "new"]);
    let all = differences(&done);
    let names: Vec<&str> = all.iter().map(|d| d["what"].as_str().unwrap()).collect();
    assert!(names.contains(&"x86_64 bpf") && names.contains(&"CAP_SYS_ADMIN"), "{names:?}");
    assert!(done.err.contains("seccomp.json is not what policy.json says"), "{}", done.err);
    assert!(done.err.contains("capabilities.json is not what policy.json says"), "{}", done.err);
    let notes = serde_json::from_str::<Value>(&done.out).unwrap()["notes"].clone();
    assert_eq!(notes.as_array().unwrap().len(), 2, "{notes:#}");
    room.write("new/apparmor.profile", "profile x { file, }\n");
    let done = room.learn(&["diff", "old", "new"]);
    assert!(done.err.contains("not compared: apparmor.profile"), "{}", done.err);
}

#[test]
fn no_filter_at_all_is_told_wherever_it_is_written() {
    let room = Room::new();
    let greet = room.greet();
    room.learn(&["generate", greet, "-o", "profile"]).succeeded();
    room.write("closed.json", seccomp("SCMP_ACT_ERRNO", NATIVE, ""));
    let app =
        |rest: &str| format!("services:\n  app: {{cap_drop: [ALL], security_opt: ['{rest}']}}\n");
    room.write("open.yml", app("seccomp:unconfined"));
    room.write("own.yml", app("seccomp=closed.json"));
    room.write("pod.yaml", "kind: Pod\nspec: {containers: [{name: a, securityContext: {capabilities: {drop: [ALL]}}}]}\n");
    room.write("open.service", "[Service]\nCapabilityBoundingSet=\n");
    room.write(
        "filtered.service",
        "[Service]\nCapabilityBoundingSet=\nSystemCallFilter=@system-service\n",
    );
    room.write(
        "config.json",
        r#"{"ociVersion":"1.0.2","process":{"capabilities":{"bounding":[]}},"linux":{}}"#,
    );
    let within = |new: &str| room.learn(&["diff", "--subset-of", "runtime-default", new]);
    for open in [
        "docker run --cap-drop ALL --security-opt seccomp=unconfined app",
        "docker run --privileged app",
        "open.yml",
        "pod.yaml",
        "open.service",
        "config.json",
    ] {
        let done = within(open);
        assert_eq!(done.code, DIFFERENT, "{open}: {done:?}");
        assert!(done.out.contains("default x86_64"), "{open}: {}", done.out);
    }
    for closed in ["docker run --security-opt seccomp=closed.json app", "docker run app", "own.yml"]
    {
        within(closed).succeeded();
    }
    // What is not read is said.
    let done = within("filtered.service").succeeded();
    assert!(done.err.contains("SystemCallFilter="), "{done:?}");
    within("docker run --security-opt seccomp=nowhere.json app")
        .refused(TROUBLE, &["nowhere.json"]);
}

#[test]
fn apparmor_profiles_are_compared_by_what_they_allow() {
    let room = Room::new();
    room.write("old", "profile app {\n  capability chown,\n  /etc/app/*.conf r,\n  /var/log/app w,\n  network inet stream,\n}\n");
    // The same in other words.
    room.write("same", "profile app {\n  network inet stream,\n  /etc/app/{,?,??*}.conf r,\n  capability chown,\n  /var/log/app w,\n  deny /etc/app/ r,\n}\n");
    room.write("more", "profile app {\n  capability { chown sys_admin },\n}\n");
    room.write("wider", "profile app {\n  capability chown,\n  /etc/** r,\n  /var/log/app w,\n  network inet stream,\n  profile child {\n    /x r,\n  }\n}\nprofile other {\n}\n");
    let done = room.learn(&["diff", "old", "same"]).succeeded();
    assert!(done.out.contains("allow the same"), "{done:?}");
    room.learn(&["diff", "old", "wider"])
        .refused(TROUBLE, &["which profile", "app, app//child, other"]);
    let done = room.learn(&["diff", "--format", "json", "old", "wider#app"]);
    let all = differences(&done);
    let names: Vec<&str> = all.iter().map(|d| d["what"].as_str().unwrap()).collect();
    assert_eq!((done.code, names), (DIFFERENT, vec!["/etc/**"]), "{all:#?}");
    // Among all that is below /etc are password hashes.
    assert_eq!((&all[0]["direction"], &all[0]["risk"]), (&"widened".into(), &"high".into()));
    assert!(done.err.contains("app//child"), "{done:?}");
    room.learn(&["diff", "--subset-of", "wider#app", "old"]).succeeded();
    assert_eq!(room.learn(&["diff", "--subset-of", "old", "wider#app"]).code, DIFFERENT);
    room.learn(&["diff", "old", "more"]).refused(TROUBLE, &["more:2"]);
}

/// Under which profile a program is run is compared; who inherits its own needs no word for it.
#[test]
fn transitions_to_other_profiles_are_compared() {
    let room = Room::new();
    room.write("inherits", "profile app {\n  /bin/a rix,\n  /bin/b rix,\n}\n");
    room.write("leaves", "profile app {\n  /bin/a rux,\n  /bin/b rcx -> small,\n}\n");
    let drift = |old: &str, new: &str| {
        let all = differences(&room.learn(&["diff", "--format", "json", old, new]));
        all.into_iter().filter(|d| d["kind"] == "transition").collect::<Vec<_>>()
    };
    let all = drift("inherits", "leaves");
    let names: Vec<&str> = all.iter().map(|d| d["what"].as_str().unwrap()).collect();
    assert_eq!(names, ["/bin/a without a profile", "/bin/b under small"]);
    assert!(all.iter().all(|d| d["direction"] == "widened" && d["risk"] == "high"), "{all:#?}");
    assert!(drift("leaves", "inherits").iter().all(|d| d["direction"] == "narrowed"));
    assert_eq!(drift("leaves", "leaves"), Vec::<Value>::new());
    // In a policy whatever is run stays under it.
    let greet = room.greet();
    assert_eq!(drift(greet, "leaves").len(), 2);
}

/// The profile that Docker loads (profiles/apparmor/template.go of moby 20.10.24), its rules in words of our own: includes, variables
/// and classes are read, and what can't be told is named by its line.
#[test]
#[ignore = "needs AppArmor's own includes: run by make test"]
fn dockers_profile_is_read() {
    let room = Room::new();
    let text = "include <tunables/global>\n\nprofile docker-default flags=(attach_disconnected,mediate_deleted) {\n\
                include <abstractions/base>\n  capability,\n  file,\n  network,\n  umount,\n\
                signal (receive) peer=unconfined,\n  signal (receive, send) peer=docker-default,\n\
                deny @{PROC}/* w,\n  deny @{PROC}/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9]*}/** w,\n\
                deny @{PROC}/sys/[^k]** w,\n  deny @{PROC}/sysrq-trigger rwklx,\n  deny @{PROC}/kcore rwklx,\n  deny mount,\n\
                deny /sys/[^f]*/** wklx,\n  deny /sys/firmware/** rwklx,\n\
                ptrace (read, readby, trace, tracedby) peer=docker-default,\n}\n";
    room.write("theirs", text);
    room.write(
        "mine",
        "profile mine {\n  capability chown,\n  network inet stream,\n  /etc/app.conf r,\n}\n",
    );
    let done = room.learn(&["diff", "--format", "json", "mine", "theirs"]);
    assert_eq!(done.code, DIFFERENT, "{done:?}");
    let all = differences(&done);
    let widened = |kind: &str, what: &str| {
        all.iter().any(|d| d["kind"] == kind && d["what"] == what && d["direction"] == "widened")
    };
    assert!(widened("capability", "CAP_SYS_ADMIN") && widened("file", "/{**,}"), "{all:#?}");
    assert!(widened("socket", "AF_PACKET SOCK_RAW 0"), "{all:#?}");
    assert!(!widened("capability", "CAP_CHOWN"), "{all:#?}");
    for note in ["theirs:15: /proc//kcore denies", "a rule for mounts is not told"] {
        assert!(done.err.contains(note), "{note}: {}", done.err);
    }
    // And the other way round nothing but less.
    let less = differences(&room.learn(&["diff", "--format", "json", "theirs", "mine"]));
    assert!(less.iter().all(|difference| difference["direction"] == "narrowed"), "{less:#?}");
}

/// Of a rule a part of which is denied all is told as allowed: that shows differences, and proves nothing.
#[test]
fn nothing_is_proved_to_lie_within_what_denies_a_part() {
    let room = Room::new();
    room.write("broad", "profile broad {\n  file,\n  deny /proc/* w,\n}\n");
    room.write(
        "exact",
        "profile exact {\n  file,\n  deny /proc/kcore rwlkmx,\n  deny /proc/kcore/ rwlkmx,\n}\n",
    );
    room.write("within", "profile within {\n  /proc/sysrq-trigger w,\n}\n");
    let done = room.learn(&["diff", "--subset-of", "broad", "within"]);
    assert_eq!((done.code, done.out.as_str()), (TROUBLE, ""), "{done:?}");
    assert!(done.err.contains("not proved") && done.err.contains("broad:3"), "{done:?}");
    // The other way round there is a witness, whatever is denied.
    assert_eq!(room.learn(&["diff", "--subset-of", "within", "broad"]).code, DIFFERENT);
    assert_eq!(room.learn(&["diff", "--subset-of", "exact", "within"]).code, TROUBLE);
    room.write("plain", "profile plain {\n  file,\n}\n");
    room.learn(&["diff", "--subset-of", "plain", "within"]).succeeded();
}

#[test]
#[ignore = "needs AppArmor's own includes: run by make test"]
fn an_emitted_profile_is_compared_as_one() {
    let room = Room::new();
    let greet = room.greet();
    room.learn(&["generate", greet, "-o", "old"]).succeeded();
    let text = String::from_utf8(room.read("old/apparmor.profile")).unwrap();
    let last = text.rfind('}').unwrap();
    room.write("edited", format!("{}  /etc/shadow r,\n}}\n", &text[..last]));
    room.learn(&["diff", "old/apparmor.profile", "old/apparmor.profile"]).succeeded();
    let done = room.learn(&["diff", "--format", "json", "old/apparmor.profile", "edited"]);
    let all = differences(&done);
    assert_eq!(
        (all.len(), &all[0]["what"], &all[0]["risk"]),
        (1, &"/etc/shadow".into(), &"high".into()),
        "{all:#?}"
    );
}

#[test]
fn an_oci_configuration_is_read() {
    let room = Room::new();
    let config = |capability: &str| {
        format!(
            r#"{{"ociVersion":"1.0.2","process":{{"capabilities":{{"bounding":["{capability}"]}}}},
                "linux":{{"seccomp":{{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64"],
                "syscalls":[{{"names":["read"],"action":"SCMP_ACT_ALLOW"}}]}}}}}}"#
        )
    };
    room.write("a.json", config("CAP_KILL"));
    room.write("b.json", config("CAP_CHOWN"));
    room.learn(&["diff", "a.json", "a.json"]).succeeded();
    let done = room.learn(&["diff", "--format", "json", "a.json", "b.json"]);
    let names: Vec<Value> = differences(&done).iter().map(|d| d["what"].clone()).collect();
    assert_eq!(names, ["CAP_CHOWN", "CAP_KILL"]);
}

#[test]
fn capabilities_are_read_wherever_they_are_written() {
    let room = Room::new();
    room.write("capabilities.json", r#"{"drop":["ALL"],"add":["CHOWN"]}"#);
    room.write(
        "compose.yml",
        "services:\n  app: {cap_drop: [ALL], cap_add: [CHOWN]}\n  db: {image: x}\n",
    );
    room.write(
        "pod.yaml",
        "kind: Pod\nspec: {containers: [{name: a, securityContext: {capabilities: {drop: [ALL], add: [CHOWN]}}}]}\n",
    );
    room.write("app.service", "[Service]\nCapabilityBoundingSet=CAP_CHOWN\n");
    for same in [
        "compose.yml#app",
        "pod.yaml",
        "app.service",
        "docker run --rm --cap-drop ALL --cap-add chown app --cap-add KILL",
        "podman run --cap-drop=all --cap-add=CAP_CHOWN app",
    ] {
        let done = room.learn(&["diff", "capabilities.json", same]);
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{done:?}");
    }
    for (more, wider) in
        [("compose.yml#db", "CAP_MKNOD"), ("docker run --privileged app", "CAP_SYS_ADMIN")]
    {
        let done = room.learn(&["diff", "--format", "json", "capabilities.json", more]);
        assert_eq!(done.code, DIFFERENT);
        let all = differences(&done);
        assert!(all.iter().any(|d| d["what"] == wider && d["widens"] == true), "{all:#?}");
    }
    room.learn(&["diff", "capabilities.json", "compose.yml"]).refused(TROUBLE, &["app, db"]);
    room.learn(&["diff", "capabilities.json", "nothing.yml"]).refused(TROUBLE, &["nothing.yml"]);
    let unknown = room.learn(&["diff", "capabilities.json", "docker run --cap-add FLY app"]);
    unknown.refused(TROUBLE, &["FLY"]);
}

#[test]
fn hostile_names_end_no_cell_line_or_attribute() {
    let room = Room::new();
    let [old, new] = versions(&room);
    let form = |format: &str| room.learn(&["diff", "--format", format, old, new]).out;
    let rows = differences(&room.learn(&["diff", "--format", "json", old, new])).len();

    let markdown = form("markdown");
    let table: Vec<&str> = markdown.lines().filter(|line| line.starts_with("| ")).collect();
    assert_eq!(table.len(), rows + 1, "{markdown}");
    let bars = |line: &str| line.replace(r"\|", "").matches('|').count();
    assert!(table.iter().all(|line| bars(line) == 8), "{markdown}");
    assert!(!markdown.replace(r"\<", "").contains('<') && !markdown.contains('\u{202e}'));

    let junit = form("junit");
    assert_eq!(junit.matches("<testcase ").count(), rows);
    assert!(
        junit.contains(&format!("failures=\"{rows}\"")) && !junit.contains("<script"),
        "{junit}"
    );
    for line in junit.lines() {
        assert_eq!(line.matches('"').count() % 2, 0, "{line}");
    }

    let sarif: Value = serde_json::from_str(&form("sarif")).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len(), rows);
    let rules: Vec<&Value> =
        run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|r| &r["id"]).collect();
    for result in run["results"].as_array().unwrap() {
        assert!(rules.contains(&&result["ruleId"]), "{result:#}");
        assert!(["error", "warning"].contains(&result["level"].as_str().unwrap()), "{result:#}");
        let place = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
        assert_eq!(place, new);
    }
    assert!(!form("text").contains('\u{202e}'));
}

fn schema(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas").join(name)
}

/// With differences that fail, that do not, and none at all.
const SCHEMA_CASES: [(&str, &str); 3] =
    [("any", "new.jsonl"), ("never", "new.jsonl"), ("any", "greet.jsonl")];

#[test]
fn sarif_is_what_its_schema_says() {
    let room = Room::new();
    let [old, _] = versions(&room);
    let schema = std::fs::read(schema("sarif-2.1.0.json")).unwrap();
    let schema = serde_json::from_slice(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (which, new) in SCHEMA_CASES {
        let told = room.learn(&["diff", "--format", "sarif", "--fail-on", which, old, new]).out;
        let mut told: Value = serde_json::from_str(&told).unwrap();
        let errors: Vec<String> = validator.iter_errors(&told).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        // The schema is one that refuses.
        told["runs"][0]["tool"]["driver"].as_object_mut().unwrap().remove("name");
        assert!(!validator.is_valid(&told));
    }
}

#[test]
#[ignore = "needs xmllint: run by make test"]
fn junit_is_what_its_schema_says() {
    let room = Room::new();
    let [old, _] = versions(&room);
    let valid = |text: &str| {
        room.write("drift.xml", text);
        let mut xmllint = std::process::Command::new("xmllint");
        xmllint.args(["--noout", "--nonet", "--schema"]).arg(schema("junit-10.xsd"));
        let done = xmllint.arg(room.path("drift.xml")).output().unwrap();
        (done.status.success(), String::from_utf8(done.stderr).unwrap())
    };
    for (which, new) in SCHEMA_CASES {
        let told = room.learn(&["diff", "--format", "junit", "--fail-on", which, old, new]).out;
        let (is, why) = valid(&told);
        assert!(is, "{why}");
        assert!(!valid(&told.replace("<testcase ", "<case ")).0);
    }
}

/// What differs from run to run makes no drift: process numbers, made-up names, order.
#[test]
fn what_only_varies_is_no_drift() {
    let room = Room::new();
    let run = |name: &str, made: &str, pid: u32| {
        room.changed(name, |recording| {
            let file = |path: String, access| What::File {
                path: path.as_str().into(),
                access,
                target: None,
            };
            for access in [Access::Create, Access::Write, Access::Delete] {
                add(recording, file(format!("/tmp/made.{made}"), access));
            }
            add(recording, file(format!("/proc/{pid}/stat"), Access::Read));
        });
    };
    run("one.jsonl", "x7Kq2ZpA3b", 4711);
    run("two.jsonl", "P0vTz8Lm1Q", 812);
    let done = room.learn(&["diff", "one.jsonl", "two.jsonl"]);
    assert_eq!((done.code, done.out.as_str()), (0, "one.jsonl and two.jsonl allow the same\n"));
    // A name that is no made-up one is drift.
    run("other.jsonl", "settings", 1);
    assert_eq!(room.learn(&["diff", "one.jsonl", "other.jsonl"]).code, DIFFERENT);
}

/// A program before and after it learned to run another.
#[test]
fn a_program_that_runs_another_is_told() {
    let room = Room::new();
    for (name, script) in [("old.jsonl", ":"), ("new.jsonl", "/bin/uname >/dev/null; :")] {
        let words =
            ["-q", "record", "--backend", "ptrace", "-o", name, "--", "/bin/sh", "-c", script];
        room.learn(&words).succeeded();
    }
    let done =
        room.learn(&["diff", "--format", "json", "--fail-on", "widened", "old.jsonl", "new.jsonl"]);
    assert_eq!(done.code, DIFFERENT);
    let all = differences(&done);
    let of = |kind: &str, ends: &str| {
        let is = |d: &&Value| d["kind"] == kind && d["what"].as_str().unwrap().ends_with(ends);
        all.iter().find(is).unwrap_or_else(|| panic!("{kind} {ends}: {all:#?}"))
    };
    assert_eq!(of("program", "/uname")["risk"], "medium");
    assert!(of("call", " uname")["cause"].as_str().unwrap().starts_with("new program: "));
    assert_eq!(room.learn(&["diff", "--fail-on", "widened", "new.jsonl", "old.jsonl"]).code, 0);
}
