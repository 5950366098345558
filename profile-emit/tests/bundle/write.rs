//! Whole or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use learner::Policy;
use learner::policy::Pattern;
use profile_emit::apparmor::Mode;
use profile_emit::bundle::{APPARMOR, Bundle, BundleError, README, bundle};
use proptest::prelude::*;
use tracer::recording::Access;

use crate::support::{HOSTILE, capability, file, nothing, of_text};

fn of(name: &str) -> Bundle {
    let mut policy = nothing(name);
    policy.files.push(file(Pattern::literal(b"/etc/x"), &[Access::Read], false));
    bundle(policy)
}

/// What is below a directory: names and contents.
fn tree(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            all.insert(format!("{name}/"), Vec::new());
            all.extend(tree(&entry.path()).into_iter().map(|(n, b)| (format!("{name}/{n}"), b)));
        } else {
            all.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    all
}

fn written(bundle: &Bundle) -> BTreeMap<String, Vec<u8>> {
    let of = |(name, text): (&&str, &Vec<u8>)| ((*name).to_owned(), text.clone());
    let policy = ("policy.json".to_owned(), bundle.policy.to_json().into_bytes());
    bundle.files.iter().map(of).chain([policy]).collect()
}

#[test]
fn a_new_directory_holds_the_files_and_nothing_is_left_beside_it() {
    let place = tempfile::tempdir().unwrap();
    let one = of("one");
    one.write(&place.path().join("a/b/p")).unwrap();
    assert_eq!(tree(&place.path().join("a/b/p")), written(&one));
    assert_eq!(fs::read_dir(place.path().join("a/b")).unwrap().count(), 1);
    let mode = fs::metadata(place.path().join("a/b/p")).unwrap().permissions().mode();
    assert_eq!(mode & 0o755, 0o755, "others may read it: {mode:o}");
}

#[test]
fn an_empty_directory_is_filled_and_an_own_one_is_replaced() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("p");
    fs::create_dir(&directory).unwrap();
    for name in ["one", "two", "two"] {
        of(name).write(&directory).unwrap();
        assert_eq!(tree(&directory), written(&of(name)));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
    fs::remove_file(directory.join(README)).unwrap();
    of("three").write(&directory).unwrap();
    assert_eq!(tree(&directory), written(&of("three")));
}

/// Makes something at a path.
type Maker = fn(&Path);

#[test]
fn what_learn_did_not_write_stays_as_it_is() {
    let own: Maker = |p| of("own").write(p).unwrap();
    let cases: [(&str, Maker); 8] = [
        ("mine", |p| fs::write(p.join("mine"), "x").unwrap()),
        (".hidden", |p| fs::write(p.join(".hidden"), "x").unwrap()),
        // The name is as common as can be.
        ("README.md", |p| fs::write(p.join("README.md"), "# My project").unwrap()),
        ("policy.json", |p| fs::write(p.join("policy.json"), "{\"format\":\"mine\"}").unwrap()),
        ("seccomp.json", |p| fs::write(p.join("seccomp.json"), "{}").unwrap()),
        ("README.md", |p| {
            fs::create_dir(p.join("README.md")).unwrap();
            fs::write(p.join("README.md/mine"), "x").unwrap();
        }),
        ("README.md", |p| symlink("/etc/passwd", p.join("README.md")).unwrap()),
        ("policy.json", |p| fs::create_dir(p.join("policy.json")).unwrap()),
    ];
    for (n, (name, make)) in cases.into_iter().enumerate() {
        for is_own in [false, true] {
            let place = tempfile::tempdir().unwrap();
            let directory = place.path().join("p");
            fs::create_dir(&directory).unwrap();
            if is_own {
                own(&directory);
                let _absent = fs::remove_file(directory.join(name));
            }
            // A file of an own directory may have been changed: the policy says whose it is.
            if is_own && (n == 2 || n == 4) {
                continue;
            }
            make(&directory);
            let before = tree(place.path());
            match of("new").write(&directory).unwrap_err() {
                BundleError::Foreign(at, _) => assert_eq!(at, directory, "case {n}"),
                other => panic!("case {n}: {other}"),
            }
            assert_eq!(tree(place.path()), before, "case {n}");
        }
    }
}

#[test]
fn a_place_that_can_t_be_written_is_an_error_that_names_it() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "x").unwrap();
    symlink("nowhere", place.path().join("dangling")).unwrap();
    symlink("loop", place.path().join("loop")).unwrap();
    let long = place.path().join("n".repeat(300));
    let before = tree_of_names(place.path());
    for target in [
        file.clone(),
        file.join("p"),
        place.path().join("dangling"),
        place.path().join("loop"),
        long,
        Path::new("/proc/self/p").to_owned(),
        Path::new("/").to_owned(),
    ] {
        let error = of("p").write(&target).unwrap_err().to_string();
        assert!(error.contains(&*target.to_string_lossy()), "{error}");
        assert_eq!(tree_of_names(place.path()), before, "{}", target.display());
    }
    assert_eq!(fs::read(file).unwrap(), b"x");
}

fn tree_of_names(directory: &Path) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn what_a_symbolic_link_leads_to_is_replaced_and_the_link_stays() {
    let place = tempfile::tempdir().unwrap();
    let (real, link) = (place.path().join("real"), place.path().join("link"));
    of("one").write(&real).unwrap();
    symlink("real", &link).unwrap();
    of("two").write(&link).unwrap();
    assert!(link.is_symlink());
    assert_eq!(tree(&real), written(&of("two")));
    assert_eq!(tree_of_names(place.path()), ["link", "real"]);
}

/// Each file that is read is the old one or the new one, whole.
#[test]
fn readers_see_the_old_or_the_new() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("p");
    let [one, two] = ["one", "two"].map(of);
    one.write(&directory).unwrap();
    let texts = [&one, &two].map(written);
    let done = AtomicBool::new(false);
    let reads = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut reads, mut gone) = (0_u32, 0_u32);
            while !done.load(Ordering::Relaxed) {
                for name in texts[0].keys() {
                    let text = match fs::read_to_string(directory.join(name)) {
                        Ok(text) => text,
                        // The old directory went away between the two steps of the path.
                        Err(error) if error.kind() == ErrorKind::NotFound => {
                            gone += 1;
                            continue;
                        }
                        Err(error) => panic!("{name}: {error}"),
                    };
                    assert!(texts.iter().any(|of| of[name] == text.as_bytes()), "{name}: {text}");
                    reads += 1;
                }
            }
            assert!(gone <= reads / 20, "{gone} of {reads}");
            reads
        });
        for n in 0..200 {
            [&one, &two][n % 2].write(&directory).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(reads > 100, "{reads}");
}

/// Of writers at the same time one is the last, and none leaves anything else.
#[test]
fn writers_do_not_mix() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("p");
    let bundles = [0, 1, 2, 3].map(|n| of(&format!("w{n}")));
    for _ in 0..25 {
        // Each round begins with no directory.
        let start = Barrier::new(bundles.len());
        std::thread::scope(|scope| {
            for bundle in &bundles {
                let (directory, start) = (&directory, &start);
                scope.spawn(move || {
                    start.wait();
                    for _ in 0..3 {
                        // Another's exchange may take away what is looked at here; then nothing is written.
                        let _may_fail = bundle.write(directory);
                    }
                });
            }
        });
        let left = tree(&directory);
        assert!(bundles.iter().any(|bundle| left == written(bundle)));
        assert_eq!(tree_of_names(place.path()), ["p"]);
        fs::remove_dir_all(&directory).unwrap();
    }
}

fn check_stable(policy: &Policy) -> Result<(), TestCaseError> {
    let one = bundle(policy.clone());
    prop_assert_eq!(&one, &bundle(policy.clone()));
    let read = Policy::from_json(one.policy.to_json().as_bytes()).unwrap();
    prop_assert_eq!(&read, policy);
    prop_assert_eq!(bundle(read), one.clone());
    // One that complains differs in the profile's flags, and says so.
    let mut complaining = one.clone();
    complaining.confine(policy, &[], Mode::Complain);
    let text = |of: &Bundle, name| String::from_utf8(of.files[name].clone()).unwrap();
    let [strict, mild] = [&one, &complaining].map(|of| text(of, APPARMOR));
    prop_assert_eq!(strict.replacen("disconnected,", "disconnected,complain,", 1), mild);
    let [strict, mild] = [&one, &complaining].map(|of| text(of, README));
    prop_assert!(mild.starts_with(&strict) && mild.contains("in complain mode"));
    Ok(())
}

proptest! {
    #[test]
    fn equal_policies_give_equal_bytes(text in "[^\0/]{1,20}", capabilities: Vec<u8>) {
        let mut policy = of_text(&text);
        policy.capabilities.extend(capabilities.iter().map(|n| capability(&format!("CAP_{n}"))));
        check_stable(&policy)?;
    }
}

#[test]
fn hostile_policies_give_equal_bytes_too() {
    for text in HOSTILE {
        check_stable(&of_text(text)).unwrap();
    }
}
