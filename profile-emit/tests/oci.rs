//! The JSON of seccomp profiles: what others write is read, and what is written is read back.

use profile_emit::seccomp::Profile;
use profile_emit::seccomp::oci::{ALLOW, ArchMap, Arg, ERRNO, Entry, Filter};
use proptest::prelude::*;
use tracer::abi::Abi;

/// The forms that Docker's default profile has (moby/profiles, seccomp/default.json), one entry each.
const DOCKER: &str = r#"{
  "defaultAction": "SCMP_ACT_ERRNO",
  "defaultErrnoRet": 1,
  "archMap": [
    {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
    {"architecture": "SCMP_ARCH_RISCV64", "subArchitectures": null}
  ],
  "syscalls": [
    {"names": ["accept", "read"], "action": "SCMP_ACT_ALLOW", "args": null, "comment": "", "includes": {}, "excludes": {}},
    {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "args": [], "includes": {"minKernel": "4.8"}},
    {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_NE"}]},
    {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
     "args": [{"index": 1, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
     "comment": "s390 parameter ordering for clone is different",
     "includes": {"arches": ["s390", "s390x"]}, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
    {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
    {"name": "personality", "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 18446744073709551615, "op": "SCMP_CMP_EQ"}]}
  ]
}"#;

#[test]
fn docker_s_forms_are_read() {
    let profile = Profile::from_json(DOCKER.as_bytes()).unwrap();
    assert_eq!((profile.default_action.as_str(), profile.default_errno_ret), (ERRNO, Some(1)));
    assert_eq!(profile.abis(), [Abi::X86_64, Abi::I386, Abi::X32]);
    let [read, ptrace, socket, clone, clone3, personality] = profile.syscalls.as_slice() else {
        panic!("{:?}", profile.syscalls);
    };
    assert!(read.calls().eq(["accept", "read"]) && read.args.is_empty());
    assert_eq!((&read.includes, &read.excludes), (&Filter::default(), &Filter::default()));
    assert_eq!(ptrace.includes.min_kernel.as_deref(), Some("4.8"));
    let [not_vsock] = socket.args.as_slice() else { panic!("{:?}", socket.args) };
    assert_eq!([39, 40, 41].map(|n| not_vsock.holds(n)), [Some(true), Some(false), Some(true)]);
    // CLONE_NEWUSER and a plain fork.
    assert_eq!([0x1000_0000, 17].map(|n| clone.args[0].holds(n)), [Some(false), Some(true)]);
    assert!(clone.includes.arches.iter().eq(["s390", "s390x"]));
    assert!(clone.excludes.caps.iter().eq(["CAP_SYS_ADMIN"]));
    assert_eq!(clone3.errno_ret, Some(38));
    assert!(personality.calls().eq(["personality"]));
    assert_eq!(personality.args[0].value, u64::MAX);
}

#[test]
fn what_is_read_is_kept() {
    let profile = Profile::from_json(DOCKER.as_bytes()).unwrap();
    assert_eq!(Profile::from_json(profile.to_json().as_bytes()).unwrap(), profile);
    // Nothing but empty things and the field's order is lost.
    let values = |text: &str| -> serde_json::Value { serde_json::from_str(text).unwrap() };
    let (before, after) = (values(DOCKER), values(&profile.to_json()));
    for (path, present) in [
        ("/syscalls/3/includes/arches/1", true),
        ("/syscalls/3/comment", true),
        ("/syscalls/1/includes/minKernel", true),
        ("/syscalls/5/args/0/value", true),
        ("/syscalls/0/excludes", false),
        ("/syscalls/0/args", false),
    ] {
        assert!(before.pointer(path).is_some(), "{path}");
        let kept = present.then(|| before.pointer(path).unwrap());
        assert_eq!(after.pointer(path), kept, "{path}");
    }
}

fn arg() -> BoxedStrategy<Arg> {
    (any::<u32>(), any::<u64>(), any::<u64>(), any::<String>())
        .prop_map(|(index, value, value_two, op)| Arg { index, value, value_two, op })
        .boxed()
}

fn filter() -> BoxedStrategy<Filter> {
    let some = || prop::collection::btree_set(any::<String>(), 0..3);
    (some(), some(), any::<Option<String>>())
        .prop_map(|(caps, arches, min_kernel)| Filter { caps, arches, min_kernel })
        .boxed()
}

fn entry() -> BoxedStrategy<Entry> {
    let names = prop::collection::vec(any::<String>(), 0..3);
    let args = prop::collection::vec(arg(), 0..3);
    let rest = (any::<Option<String>>(), any::<Option<u32>>(), any::<String>(), any::<String>());
    (names, args, filter(), filter(), rest)
        .prop_map(|(names, args, includes, excludes, (name, errno_ret, action, comment))| {
            let entry = Entry { names, name, action, errno_ret, args, ..Entry::default() };
            Entry { comment, includes, excludes, ..entry }
        })
        .boxed()
}

fn profile() -> BoxedStrategy<Profile> {
    let words = || prop::collection::vec(any::<String>(), 0..3);
    let maps = prop::collection::vec((any::<String>(), words()), 0..3);
    let entries = prop::collection::vec(entry(), 0..4);
    (any::<String>(), any::<Option<u32>>(), words(), words(), maps, entries)
        .prop_map(|(default_action, default_errno_ret, architectures, flags, maps, syscalls)| {
            let map =
                |(architecture, sub_architectures)| ArchMap { architecture, sub_architectures };
            let profile = Profile {
                default_action,
                default_errno_ret,
                architectures,
                arch_map: maps.into_iter().map(map).collect(),
                syscalls,
                ..Profile::default()
            };
            Profile { flags, ..profile }
        })
        .boxed()
}

proptest! {
    #[test]
    fn any_profile_comes_back(profile in profile()) {
        let text = profile.to_json();
        prop_assert_eq!(Profile::from_json(text.as_bytes()).unwrap(), profile);
    }

    #[test]
    fn any_bytes_are_no_panic(bytes: Vec<u8>, at: prop::sample::Index, byte: u8) {
        let _refused = Profile::from_json(&bytes);
        // One byte of a good one changed.
        let mut text = DOCKER.as_bytes().to_vec();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(read) = Profile::from_json(&text) {
            prop_assert_eq!(Profile::from_json(read.to_json().as_bytes()).unwrap(), read);
        }
    }

    #[test]
    fn half_a_profile_is_refused(cut: prop::sample::Index) {
        prop_assert!(Profile::from_json(&DOCKER.as_bytes()[..cut.index(DOCKER.len())]).is_err());
    }
}

#[test]
fn what_is_no_profile_is_refused_with_its_place() {
    for (text, words) in [
        ("{}", "missing field `defaultAction`"),
        ("{\"defaultAction\":7}", "column 18"),
        ("{\"defaultAction\":\"a\",\n\"syscalls\":[{\"names\":[]}]}", "missing field `action`"),
        (
            "{\"defaultAction\":\"a\",\n\"syscalls\":[{\"action\":\"a\",\"args\":[{\"index\":0,\"op\":\"\"}]}]}",
            "missing field `value`",
        ),
        (
            "{\"defaultAction\":\"a\",\n\"syscalls\":[{\"action\":\"a\",\"args\":[{\"index\":0,\"value\":-1,\"op\":\"\"}]}]}",
            "line 2",
        ),
        ("{\"defaultAction\":\"a\",\"defaultErrnoRet\":4294967296}", "4294967296"),
    ] {
        let error = Profile::from_json(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn a_minimal_profile_is_read() {
    let text = format!("{{\"defaultAction\":\"{ALLOW}\"}}");
    let profile = Profile::from_json(text.as_bytes()).unwrap();
    assert_eq!(profile, Profile { default_action: ALLOW.to_owned(), ..Profile::default() });
    assert!(profile.abis().is_empty());
}
