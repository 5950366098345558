//! Any bytes are read or refused, and so are real profiles with bytes changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use profile_emit::apparmor::read::includes::Directory;
use profile_emit::apparmor::read::profiles::profiles;
use profile_emit::apparmor::read::{ReadError, read, side};
use proptest::prelude::*;

/// Everything that can be asked of a text.
fn all(text: &[u8]) -> Result<usize, ReadError> {
    let all = profiles(&read("text", text, &included())?)?;
    for profile in &all {
        side::side(profile)?;
    }
    Ok(all.len())
}

fn included() -> BTreeMap<String, Vec<u8>> {
    let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    [
        file("tunables/global", "@{HOME}=/home/*/ /root/\n@{pid}=[0-9]*\n"),
        file("self", "/a r,\ninclude <self>\n"),
        file("a", "include <b>\n/a r,\n"),
        file("b", "include <a>\n/b r,\n"),
        file("d/one", "/one r,\n"),
        file("d/two", "/two r,\n"),
        file("d/two~", "no rule"),
        file("half", "/half r"),
    ]
    .into()
}

/// A profile with most of what the language has.
const WHOLE: &str = r#"abi <abi/3.0>,
include <tunables/global>
@{X} = a "b c" /d/ # values
@{X} += @{HOME}
${B} = true
alias /old/ -> /new/,
profile whole /usr/bin/{a,b} xattrs=(user.x="y") flags=(complain,audit) {
  include if exists <local/whole>
  #include <d>
  capability chown kill,
  network inet tcp,
  audit deny owner @{HOME}/.ssh/** rw,
  "/a b/\052[^a-c]{,/}" mrwlk,
  rPx /bin/* -> whole//child,
  link subset /x -> /y,
  signal (send, receive) set=(hup rtmin+3) peer=@{profile_name},
  ptrace read peer="a b",
  dbus send bus=system path=/a interface=a.b member={A,B} peer=(name=a.b, label=x),
  unix (connect) type=stream peer=(addr="@x"),
  mount fstype=(a,b) options in (ro, bind) /a -> /b/,
  umount /b/,
  pivot_root oldroot=/a/ /b/ -> x,
  change_profile safe /bin/x -> y,
  set rlimit nofile <= 10,
  if defined @{X} { /c r, } else if not ${B} { /d r, } else { /e r, }
  owner { /f r, audit { /g w, } }
  userns create,
  mqueue (create) type=posix /q,
  io_uring (sqpoll) label=x,
  profile child { all, file, }
  ^hat { /h r, }
}
"#;

#[test]
fn the_whole_is_read() {
    assert_eq!(all(WHOLE.as_bytes()), Ok(3));
}

/// Words and signs of the language, in any order.
fn words() -> BoxedStrategy<Vec<u8>> {
    let word = prop::sample::select(WHOLE.split_inclusive([' ', '\n']).collect::<Vec<_>>());
    let sign = prop::sample::select(
        &[
            "{", "}", ",", "\"", "\\", "(", ")", "->", "=", "@{", "#include", "<", "if ", "\n",
            "\0", "\r",
        ][..],
    );
    let any = prop_oneof![4 => word, 1 => sign];
    prop::collection::vec(any, 0..40).prop_map(|words| words.concat().into_bytes()).boxed()
}

/// A text with some bytes taken away, put in or changed.
fn changed(text: Vec<u8>) -> BoxedStrategy<Vec<u8>> {
    let length = text.len();
    let byte = prop_oneof![any::<u8>(), prop::sample::select(&b"{},\"\\()#<>@$ \n/*[]^-=ax"[..])];
    prop::collection::vec((0..length, 0..3_u8, byte), 1..6)
        .prop_map(move |changes| {
            let mut text = text.clone();
            for (at, what, byte) in changes {
                let at = at.min(text.len().saturating_sub(1));
                match what {
                    0 if !text.is_empty() => drop(text.remove(at)),
                    1 if !text.is_empty() => text[at] = byte,
                    _ => text.insert(at, byte),
                }
            }
            text
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_read_or_refused(text: Vec<u8>) {
        let _ = all(&text);
    }

    #[test]
    fn any_words_are_read_or_refused(text in words()) {
        let _ = all(&text);
    }

    #[test]
    fn any_change_is_read_or_refused(text in changed(WHOLE.into())) {
        if let Err(error) = all(&text) {
            let lines = text.iter().filter(|byte| **byte == b'\n').count();
            prop_assert!(error.place.line <= lines + 1, "{}", error);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    #[ignore = "needs apparmor-profiles: run by make test"]
    fn any_change_of_a_real_profile_is_read_or_refused(
        text in prop::sample::select(&["usr.bin.man", "usr.sbin.smbd", "php-fpm", "usr.bin.totem"][..])
            .prop_flat_map(|name| changed(std::fs::read(Path::new("/etc/apparmor.d").join(name)).unwrap()))
    ) {
        if let Ok(file) = read("text", &text, &Directory::default()) {
            for profile in profiles(&file).unwrap_or_default() {
                let _ = side::side(&profile);
            }
        }
    }
}

/// The names of the profiles that the parser finds, by a text of which no include exists.
fn parsed(text: &[u8]) -> Option<BTreeSet<Vec<u8>>> {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("text");
    std::fs::write(&path, text).unwrap();
    let mut parser = std::process::Command::new("apparmor_parser");
    let output = parser.arg("-N").arg("-b").arg(base.path()).arg(&path).output().unwrap();
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    output.status.success().then(|| lines.map(<[u8]>::to_vec).collect())
}

/// A profile of what the parser's 3.0 knows, without includes that must exist.
fn known() -> Vec<u8> {
    let is_newer = |line: &&str| {
        // The parser's 3.0 says nothing and fails where network rules stand before an `if` that holds and has none.
        let newer = ["userns", "mqueue", "io_uring", "include <", "abi <", "network", "HOME"];
        !newer.iter().any(|word| line.contains(word))
    };
    let lines: Vec<&str> = WHOLE.lines().filter(is_newer).collect();
    lines.join("\n").replace("all, ", "").into_bytes()
}

#[test]
#[ignore = "needs apparmor_parser: run by make test"]
fn the_parser_finds_the_same_profiles() {
    let names = ["whole", "whole//child", "whole//hat"].map(|name| name.as_bytes().to_vec());
    assert_eq!(parsed(&known()), Some(names.into()), "{}", String::from_utf8_lossy(&known()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, max_shrink_iters: 64, ..ProptestConfig::default() })]

    /// What the parser accepts is read, with the same profiles in it.
    #[test]
    #[ignore = "needs apparmor_parser: run by make test"]
    fn what_the_parser_accepts_is_read(text in changed(known())) {
        if let Some(names) = parsed(&text) {
            let file = match read("text", &text, &BTreeMap::new()) {
                Ok(file) => file,
                Err(error) => {
                    let error = error.to_string();
                    let known = STRICTER.iter().any(|stricter| error.contains(stricter));
                    prop_assert!(known, "{}\n{}", error, text.escape_ascii());
                    return Ok(());
                }
            };
            if let Ok(all) = profiles(&file) {
                let own: BTreeSet<Vec<u8>> = all.iter().map(|profile| profile.name.as_bytes().to_vec()).collect();
                prop_assert_eq!(own, names, "{}", text.escape_ascii());
            }
        }
    }
}

/// What the parser accepts, and the reader does not: what nobody means, and what it would not be safe to guess.
const STRICTER: [&str; 7] = [
    // A bare word as a path, which no path is.
    "expected a rule",
    "expected a path",
    // The parser asks for these, but not when it only prints names.
    "are no permissions",
    // A number behind `rtmin+` that is none.
    "is no signal",
    // The parser reads on behind it in another state.
    "NUL byte",
    // Names that are not UTF-8, or not of one word.
    "a name between < and >",
    "name of an extended attribute",
];

/// What is nested without end, or includes itself, takes no stack and no time.
#[test]
fn what_is_nested_too_deep_is_refused() {
    for (begin, end) in [
        ("{", "}"),
        ("owner {", "}"),
        ("profile x {", "}"),
        ("^x {", "}"),
        ("if defined @{X} {", "}"),
        ("if defined @{X} { } else ", ""),
    ] {
        let text = |n: usize| {
            let last = if end.is_empty() { "{ }" } else { "" };
            format!("profile p {{ {}{last}{} }}", begin.repeat(n), end.repeat(n))
        };
        assert!(all(text(20).as_bytes()).is_ok(), "{begin}");
        let error = all(text(100_000).as_bytes()).unwrap_err();
        assert!(error.to_string().contains("within each other"), "{error}");
    }
    let endless = format!("profile p {{ /{} r, }}", "{a,".repeat(100_000));
    assert!(all(endless.as_bytes()).is_err());
    let many: String =
        (1..60).map(|n| format!("@{{A{n}}}=@{{A{0}}}@{{A{0}}} x\n", n - 1)).collect();
    let bomb = format!("@{{A0}}=a b\n{many}profile p {{ /@{{A59}} r, }}");
    assert!(all(bomb.as_bytes()).is_err());
}

/// A file that is included again in the same profile is not read again, in itself neither.
#[test]
fn what_includes_itself_is_read_once() {
    let rules = |text: &str| -> Vec<usize> {
        let file = read("text", text.as_bytes(), &included()).unwrap();
        profiles(&file).unwrap().iter().map(|profile| profile.rules.len()).collect()
    };
    assert_eq!(rules("profile p { include <self> }"), [1]);
    assert_eq!(rules("profile p { include <a> include <b> }"), [2]);
    assert_eq!(rules("profile p { include <d> include <d/one> }"), [2]);
    assert_eq!(rules("profile p { include <d/one> include <d> }"), [2]);
    assert_eq!(
        rules("profile p { include <d> profile c { include <d> } }\nprofile q { include <d> }"),
        [2, 2, 2]
    );
    // Not even where the first place does not count.
    assert_eq!(rules("${B}=false\nprofile p { if ${B} { include <d> } include <d> }"), [0]);
    assert_eq!(rules("profile p { owner { include <d> } include <d> }"), [2]);
}

/// A path or a directory that is no file: a device would never end.
#[test]
fn only_regular_files_are_included() {
    let text = |what: &str| format!("profile p {{ include {what}\n}}");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x");
    std::fs::write(&path, "/x r,").unwrap();
    let base = Directory::new(directory.path());
    let tell = |what: &str| match read("text", text(what).as_bytes(), &base) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    assert_eq!(tell("<x>"), "");
    assert_eq!(tell(&format!("\"{}\"", path.display())), "");
    assert_eq!(tell("if exists <y>"), "");
    assert!(tell("<y>").ends_with("there is no such file"));
    assert!(tell("\"/dev/zero\"").contains("no regular file"));
    assert!(tell("\"x\"").contains("absolute path"));
    std::fs::create_dir(directory.path().join("d")).unwrap();
    std::fs::write(directory.path().join("d/a.dpkg-old"), "no rule").unwrap();
    std::fs::write(directory.path().join("d/.hidden"), "no rule").unwrap();
    std::fs::write(directory.path().join("d/README"), "no rule").unwrap();
    assert_eq!(tell("<d>"), "");
}
