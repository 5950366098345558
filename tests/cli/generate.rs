//! `learn generate`

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{INCOMPLETE, INPUT, OUTPUT, Room, greet};

const FILES: [&str; 5] =
    ["README.md", "apparmor.profile", "capabilities.json", "policy.json", "seccomp.json"];

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn policy(room: &Room, directory: &str) -> Value {
    serde_json::from_slice(&room.read(&format!("{directory}/policy.json"))).unwrap()
}

#[test]
fn writes_the_documented_policy_and_says_what_it_allows() {
    let room = Room::new();
    let done = room.learn(&["generate", room.greet(), "-o", "p"]).succeeded();
    assert_eq!(names(&room.path("p")), FILES);
    let documented = greet().with_file_name("greet.policy.json");
    assert_eq!(room.read("p/policy.json"), fs::read(documented).unwrap());
    let (allowed, written) = done.err.split_once('\n').unwrap();
    assert!(allowed.starts_with("learn: allowed: "), "{allowed}");
    assert!(allowed.ends_with("; 2 file rules; 1 program; no capability"), "{allowed}");
    assert!(written.starts_with("learn: written to p; begin with README.md"), "{written}");
    assert_eq!(done.out, "");
    assert_eq!(room.names(), [room.greet(), "p"]);
}

#[test]
fn twice_gives_the_same_bytes() {
    let room = Room::new();
    let greet = room.greet();
    room.learn(&["record", "--backend", "ptrace", "-o", "other", "--", "ls", "/"]).succeeded();
    for (directory, files) in
        [("a", [greet, "other"]), ("b", [greet, "other"]), ("c", ["other", greet])]
    {
        let arguments = [&["generate", "--name", "n", "-o", directory], &files[..]].concat();
        room.learn(&arguments).succeeded();
        for name in FILES {
            let bytes = room.read(&format!("{directory}/{name}"));
            assert_eq!(bytes, room.read(&format!("a/{name}")), "{directory}/{name}");
        }
    }
    // Joined here or by merge, it is the same.
    room.learn(&["merge", "-o", "merged", greet, "other"]).succeeded();
    room.learn(&["generate", "--name", "n", "-o", "d", "merged"]).succeeded();
    assert_eq!(room.read("d/policy.json"), room.read("a/policy.json"));
}

#[test]
fn an_older_profile_is_replaced_and_anything_else_is_not() {
    let room = Room::new();
    let greet = room.greet();
    room.learn(&["generate", greet, "-o", "p", "--name", "one"]).succeeded();
    room.learn(&["generate", greet, "-o", "p", "--name", "two"]).succeeded();
    assert_eq!(policy(&room, "p")["name"], "two");
    room.write("p/mine", "precious");
    room.learn(&["generate", greet, "-o", "p"])
        .refused(OUTPUT, &["p holds files that learn did not write (mine)", "give -o another"]);
    assert_eq!(policy(&room, "p")["name"], "two");
    assert_eq!(room.read("p/mine"), b"precious");
}

#[test]
fn a_symbolic_link_stays_one() {
    let room = Room::new();
    let greet = room.greet();
    room.learn(&["generate", greet, "-o", "p", "--name", "one"]).succeeded();
    std::os::unix::fs::symlink("p", room.path("link")).unwrap();
    room.learn(&["generate", greet, "-o", "link", "--name", "two"]).succeeded();
    assert!(room.path("link").is_symlink());
    assert_eq!(policy(&room, "p")["name"], "two");
    assert_eq!(room.names(), [greet, "link", "p"]);
}

/// What bwrap reads: whole instructions, which it finds in a file of its own.
#[test]
fn a_filter_for_bwrap_is_made_when_it_is_asked_for() {
    let room = Room::new();
    let greet = room.greet();
    room.learn(&["generate", greet, "-o", "p", "--emit", "bpf"]).succeeded();
    let bytes = room.read("p/seccomp.bpf");
    assert!(!bytes.is_empty() && bytes.len().is_multiple_of(8));
    // It begins with the architecture: BPF_LD|BPF_W|BPF_ABS of struct seccomp_data's second word.
    assert_eq!(bytes[..8], [0x20, 0, 0, 0, 4, 0, 0, 0]);
    let readme = String::from_utf8(room.read("p/README.md")).unwrap();
    assert!(readme.contains(&format!("{} instructions", bytes.len() / 8)), "{readme}");
    // Without, it goes: it would tell of an older policy.
    room.learn(&["generate", greet, "-o", "p"]).succeeded();
    assert_eq!(names(&room.path("p")), FILES);
    room.learn(&["generate", greet, "-o", "p", "--emit", "elf"]).refused(INPUT, &["elf", "bpf"]);
}

#[test]
#[ignore = "needs root: run by make test"]
fn bwrap_takes_the_filter_and_it_is_enforced() {
    let room = Room::new();
    let run = |profile: &str, command: &str| {
        let script = format!("exec bwrap --ro-bind / / --seccomp 9 {command} 9<{profile}");
        let directory = room.path("");
        std::process::Command::new("sh")
            .args(["-c", &script])
            .current_dir(directory)
            .output()
            .unwrap()
    };
    room.learn(&["-q", "record", "-o", "r", "--", "/bin/cat", "/proc/self/status"]).succeeded();
    room.learn(&["generate", "r", "-o", "p", "--emit", "bpf"]).succeeded();
    let done = run("p/seccomp.bpf", "/bin/cat /proc/self/status");
    let status = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && status.contains("Seccomp:\t2"), "{done:?}");
    // It makes a directory, which cat did not.
    let done = run("p/seccomp.bpf", "/bin/mkdir /proc/x");
    assert!(String::from_utf8_lossy(&done.stderr).contains("Operation not permitted"), "{done:?}");
}

#[test]
fn name_tightness_and_origin_are_asked_for() {
    let room = Room::new();
    let greet = room.greet();
    let options =
        ["--name", "web", "--tightness", "strict", "--origin", "entry,exec", "--origin", "runtime"];
    room.learn(&[&["generate", greet, "-o", "p"], &options[..]].concat()).succeeded();
    let made = policy(&room, "p");
    assert_eq!((&made["name"], &made["tightness"]), (&"web".into(), &"strict".into()));
    assert_eq!(made["execs"].as_array().unwrap().len(), 1);

    room.learn(&["generate", greet, "-o", "p", "--origin", "entry"]).succeeded();
    let made = policy(&room, "p");
    assert_eq!((&made["name"], &made["tightness"]), (&"greet".into(), &"balanced".into()));
    // Only the runtime ran the program.
    assert!(made["execs"].as_array().unwrap().is_empty());

    for option in [["--tightness", "loose"], ["--origin", "nobody"], ["--name", ""]] {
        room.learn(&[&["generate", greet, "-o", "q"], &option[..]].concat())
            .refused(INPUT, &[option[0], "see learn generate --help"]);
    }
    assert!(!room.path("q").exists());
}

#[test]
fn an_incomplete_recording_makes_no_profile_unless_that_is_asked_for() {
    let room = Room::new();
    let (greet, incomplete) = (room.greet(), room.incomplete());
    for files in [&[incomplete][..], &[greet, incomplete]] {
        let arguments = [&["-q", "generate", "-o", "p"], files].concat();
        room.learn(&arguments).refused(
            INCOMPLETE,
            &["17 lost: files of a ring", "the disk was full", "--allow-incomplete"],
        );
        assert!(!room.path("p").exists());
    }
    let arguments = ["generate", "-o", "p", "--allow-incomplete", incomplete];
    let done = room.learn(&arguments).succeeded();
    assert!(done.err.contains("rules will be missing"), "{}", done.err);
    assert_eq!(policy(&room, "p")["training"]["complete"], false);
    let profile = String::from_utf8(room.read("p/apparmor.profile")).unwrap();
    assert!(profile.contains("WARNING"), "{profile}");
}

#[test]
fn unusable_files_are_refused_and_nothing_is_written() {
    let room = Room::new();
    let greet = room.greet();
    for (file, words) in room.unusable() {
        for files in [&[file][..], &[greet, file], &[file, greet]] {
            room.learn(&[&["generate", "-o", "p", "--allow-incomplete"], files].concat())
                .refused(INPUT, words);
        }
    }
    assert!(room.names().iter().all(|name| name != "p" && !name.starts_with('.')));
    room.learn(&["generate", "-o", "p"]).refused(INPUT, &["<FILE>"]);
}

#[test]
fn a_directory_that_can_not_be_written_is_refused() {
    let room = Room::new();
    let greet = room.greet();
    let below = format!("{greet}/p");
    for output in [greet, below.as_str(), "/proc/p", "/dev/null"] {
        room.learn(&["generate", greet, "-o", output])
            .refused(OUTPUT, &["write ", output, "; choose another place with -o"]);
    }
    assert_eq!(room.names(), [greet]);
}

/// A recording of five units that each write a file of their own.
fn spool(room: &Room) -> &'static str {
    use tracer::recording::{Access, Fact, Origin, Seen, What};
    room.changed("spool.jsonl", |recording| {
        let (id, run) = recording.runs.iter_mut().next().unwrap();
        let id = id.clone();
        run.units = (0..5).map(|n| format!("test{n}")).collect();
        for unit in 0..5 {
            let path = format!("/srv/spool/job-{}.q", 1000 + unit);
            let what =
                What::File { path: path.as_str().into(), access: Access::Create, target: None };
            let fact = Fact { domain: "/bin/greet".into(), origin: Origin::Entry, what };
            recording.add(
                &id,
                fact,
                &Seen { units: [unit].into_iter().collect(), ..Seen::ending("ok", 1) },
            );
        }
    });
    "spool.jsonl"
}

#[test]
fn a_project_declares_its_places() {
    let room = Room::new();
    let spool = spool(&room);
    let profile = || String::from_utf8(room.read("p/apparmor.profile")).unwrap();
    room.learn(&["generate", spool, "-o", "p"]).succeeded();
    assert!(profile().contains("/srv/spool/job-1003.q"), "{}", profile());
    room.write("learn.toml", "[paths]\nvolatile = ['/srv/spool']\n");
    room.learn(&["generate", spool, "-o", "p"]).succeeded();
    let comment = "# 5 paths in 5 units, as \"/srv/spool/job-1000.q\" \"/srv/spool/job-1001.q\" \"/srv/spool/job-1002.q\"";
    assert!(
        profile().contains(comment) && !profile().contains("  \"/srv/spool/job-1003.q"),
        "{}",
        profile()
    );
    // What explains, compares or looks at the recording reads it too.
    let explained = room.learn(&["explain", "/srv/spool/job-7.q", spool]).succeeded();
    assert!(explained.out.contains("allowed"), "{explained:?}");
    room.learn(&["diff", spool, "p"]).succeeded();
    let sensitive = "[paths]\nvolatile = ['/srv/spool']\nsensitive = ['/srv/spool/']\n";
    room.write("other.toml", sensitive);
    room.learn(&["generate", spool, "--project", "other.toml", "-o", "p"]).succeeded();
    assert!(profile().contains("/srv/spool/job-1003.q"), "{}", profile());
    room.write("learn.toml", "[paths]\nvolatil = []\n");
    room.learn(&["generate", spool, "-o", "q"])
        .refused(INPUT, &["learn.toml: line 2: unknown field `volatil`"]);
    room.learn(&["generate", spool, "--project", "none", "-o", "q"])
        .refused(INPUT, &["none: No such file"]);
    assert!(!room.path("q").exists());
}

#[test]
fn a_profile_that_complains_is_asked_for_and_said() {
    let room = Room::new();
    let greet = room.greet();
    let text =
        |name: &str| String::from_utf8(room.read(&format!("{name}/apparmor.profile"))).unwrap();
    let mild = room.learn(&["generate", greet, "--complain", "-o", "mild"]).succeeded();
    assert!(mild.err.contains("only complains"), "{mild:?}");
    assert!(text("mild").contains("flags=(attach_disconnected,complain,mediate_deleted)"));
    let strict = room.learn(&["generate", greet, "-o", "strict"]).succeeded();
    assert!(!strict.err.contains("complain") && !text("strict").contains("complain"));
    // Nobody takes the one for the other.
    let done = room.learn(&["diff", "strict", "mild"]).succeeded();
    assert!(done.err.contains("mild: apparmor.profile only complains"), "{done:?}");
}

#[test]
fn programs_get_profiles_of_their_own_when_that_is_asked_for() {
    let room = Room::new();
    let text =
        |name: &str| String::from_utf8(room.read(&format!("{name}/apparmor.profile"))).unwrap();
    let script = "read -r line </etc/passwd; /usr/bin/env true; :";
    let words =
        ["-q", "record", "--backend", "ptrace", "-o", "r.jsonl", "--", "/bin/sh", "-c", script];
    room.learn(&words).succeeded();
    room.learn(&["generate", "r.jsonl", "-o", "one"]).succeeded();
    assert!(!text("one").contains("cx"));
    let done =
        room.learn(&["generate", "r.jsonl", "--domains=/usr/bin/env", "-o", "two"]).succeeded();
    assert!(done.err.contains("child profiles for /usr/bin/env"), "{done:?}");
    let (own, child) =
        text("two").split_once("profile env ").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert!(own.contains("\"/usr/bin/env\" cx -> env,") && own.contains("/etc/passwd"), "{own}");
    assert!(!own.contains("/usr/bin/true"), "{own}");
    assert!(child.contains("\"/usr/bin/true\"") && !child.contains("/etc/passwd"), "{child}");
    // Without names it is those that learn show proposes.
    room.learn(&["generate", "r.jsonl", "--domains", "-o", "three"]).succeeded();
    assert!(text("three").contains(" cx -> "), "{}", text("three"));
    let nobody = ["generate", "r.jsonl", "--domains=/usr/bin/absent", "-o", "four"];
    room.learn(&nobody).refused(123, &["/usr/bin/absent", "learn show"]);
}
