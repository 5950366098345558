//! What must be in a recording, and what must not.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use tracer::abi::Abi;
use tracer::recording::{Access, ByteString, Origin, Seen, SocketAction, What};
use tracer::session::CommandEnd;

use crate::support::{Place, program, record, sh};

#[test]
fn true_is_true() {
    let recorded = record(["true"]);
    let domain = program("true");
    let exec = recorded
        .facts()
        .find(|(f, _)| matches!(&f.what, What::Call { name: Some(n), .. } if &**n == "execve"))
        .unwrap();
    assert_eq!(exec.0.origin, Origin::Runtime, "the command itself executes nothing");
    assert_eq!(exec.1.count, 1);
    let names: Vec<_> = recorded.calls(&domain).into_iter().map(|(_, n)| n).collect();
    assert!(names.contains(&"exit_group".to_owned()), "{names:?}");
    assert!(!names.iter().any(|n| n == "clone" || n == "socket" || n == "fork"), "{names:?}");
    assert_eq!(recorded.call(&domain, Abi::X86_64, "exit_group").unwrap().count, 1);
    assert!(!recorded.has(|w| matches!(w, What::Capability { .. })), "true needs nothing");
    assert!(!recorded.has(|w| matches!(w, What::Socket { .. } | What::Signal { .. })));
    assert!(recorded.granted(&domain, Access::MmapExec) && recorded.granted(&domain, Access::Read));
}

#[test]
fn files_are_named_as_the_kernel_names_them() {
    let place = Place::new();
    std::fs::create_dir(place.path("real")).unwrap();
    let input = place.write("real/input", "text");
    symlink("real", place.path("link")).unwrap();
    symlink("../real/input", place.path("real/other")).unwrap();
    let recorded = sh(&format!("cd {}/link && cat ../link/./other >new", place.root().display()));
    let new = place.path("real/new");
    assert_eq!(recorded.accesses(&input), [Access::Read]);
    let made = recorded.accesses(&new);
    assert!(made.contains(&Access::Write) && made.contains(&Access::Create), "{made:?}");
    assert!(!made.contains(&Access::Read) && !made.contains(&Access::Append));
    assert!(recorded.accesses(&place.path("link/other")).is_empty());
    assert!(recorded.accesses(&place.path("real/other")).is_empty());
}

#[test]
fn what_was_there_is_not_made_and_what_is_missing_is_not_granted() {
    let place = Place::new();
    let old = place.write("old", "text");
    let missing = place.path("missing");
    let recorded = sh(&format!("echo x >>{}; cat {} || :", old.display(), missing.display()));
    assert_eq!(recorded.accesses(&old), [Access::Append]);
    assert!(recorded.accesses(&missing).is_empty());
    let probe = recorded.file(&missing, Access::Read).unwrap();
    assert!(probe.outcomes.contains_key("ENOENT"), "{probe:?}");
}

#[test]
fn names_may_hold_any_byte() {
    let place = Place::new();
    let name = place.root().join(OsStr::from_bytes(b"a \"*[\xff\n\\ (deleted)"));
    std::fs::write(&name, "").unwrap();
    let recorded = record([OsStr::new("cat"), name.as_os_str()]);
    assert_eq!(recorded.end, CommandEnd::Code(0));
    assert_eq!(recorded.accesses(&name), [Access::Read]);
}

#[test]
fn two_names_are_kept_together() {
    let place = Place::new();
    let old = place.write("old", "");
    let dir = place.root().display();
    let recorded = sh(&format!(
        "cd {dir}; ln old hard; ln -s old soft; mv old new; chmod 600 new; rm hard soft; mkdir d; rmdir d"
    ));
    let target = |access, path: &Path, target: &Path| {
        recorded.has(|w| {
            matches!(w, What::File { path: p, access: a, target: Some(t) }
                if *a == access && <_ as AsRef<Path>>::as_ref(p) == path && <_ as AsRef<Path>>::as_ref(t) == target)
        })
    };
    assert!(target(Access::Link, &place.path("hard"), &old));
    assert!(target(Access::Rename, &old, &place.path("new")));
    for (name, access) in [
        ("soft", Access::Symlink),
        ("new", Access::Chmod),
        ("hard", Access::Delete),
        ("soft", Access::Delete),
        ("d", Access::Mkdir),
        ("d", Access::Rmdir),
    ] {
        assert!(recorded.granted(&place.path(name), access), "{name} {access:?}");
    }
    assert!(!recorded.granted(&place.path("d"), Access::Delete));
    assert!(!recorded.granted(&old, Access::Delete));
}

#[test]
fn a_private_mapping_is_no_write_and_code_is_mapped() {
    let place = Place::new();
    let data = place.write("data", [0; 4096]);
    let program = place.compile(
        "maps",
        r"
        #include <fcntl.h>
        #include <sys/mman.h>
        int main(int argc, char **argv) {
            int fd = open(argv[1], O_RDONLY);
            char *map = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
            map[0] = 1;
            struct flock lock = {.l_type = F_RDLCK};
            return fcntl(fd, F_GETLK, &lock) || fcntl(fd, F_SETLK, &lock);
        }",
        &[],
    );
    let recorded = record([&program, &data]);
    assert_eq!(recorded.end, CommandEnd::Code(0));
    assert_eq!(recorded.accesses(&data), [Access::Read, Access::Lock]);
    let libc = recorded.facts().any(|(f, _)| {
        matches!(&f.what, What::File { path, access: Access::MmapExec, .. }
            if path.to_string().contains("/libc"))
    });
    assert!(libc);
}

#[test]
fn scripts_run_their_interpreter_and_that_its_loader() {
    let place = Place::new();
    let script = place.write("script", "#!/bin/sh\nexit 4\n");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let shell = Path::new("/bin/sh").canonicalize().unwrap();
    let recorded = sh(&format!("{}; exit $?", script.display()));
    assert_eq!(recorded.end, CommandEnd::Code(4));
    let edge = recorded.facts().find_map(|(fact, _)| match &fact.what {
        What::Exec { path, interpreter, loader } if <_ as AsRef<Path>>::as_ref(path) == script => {
            Some((fact.clone(), interpreter.clone().unwrap(), loader.clone().unwrap()))
        }
        _ => None,
    });
    let (fact, interpreter, loader) = edge.unwrap();
    assert_eq!(<_ as AsRef<Path>>::as_ref(&fact.domain), shell);
    assert_eq!(<_ as AsRef<Path>>::as_ref(&interpreter), shell);
    let loader: &Path = loader.as_ref();
    assert_eq!(loader, loader.canonicalize().unwrap());
    assert!(recorded.granted(loader, Access::MmapExec));
    assert!(recorded.granted(&script, Access::Exec));
}

#[test]
fn each_abi_is_on_its_own_plane() {
    let place = Place::new();
    let narrow = place.compile(
        "narrow",
        r#"
        void _start(void) {
            int result;
            __asm__ volatile("int $0x80" : "=a"(result) : "a"(20));
            __asm__ volatile("int $0x80" : "=a"(result) : "a"(4000));
            __asm__ volatile("int $0x80" : "=a"(result) : "a"(1), "b"(5));
            for (;;) ;
        }"#,
        &[
            "-m32",
            "-nostdlib",
            "-static",
            "-ffreestanding",
            "-fno-pie",
            "-no-pie",
            "-fno-stack-protector",
        ],
    );
    let recorded = record([&narrow]);
    assert_eq!(recorded.end, CommandEnd::Code(5));
    let expected = [(Abi::I386, "4000"), (Abi::I386, "exit"), (Abi::I386, "getpid")];
    assert_eq!(recorded.calls(&narrow), expected.map(|(a, n)| (a, n.to_owned())));

    let mixed = place.compile(
        "mixed",
        r#"
        #define _GNU_SOURCE
        #include <sys/syscall.h>
        #include <unistd.h>
        int main(void) {
            syscall(0x40000000 | SYS_getpgid, 0);
            __asm__ volatile("int $0x80" : : "a"(64) : "memory");
            return 0;
        }"#,
        &[],
    );
    let recorded = record([&mixed]);
    assert_eq!(recorded.end, CommandEnd::Code(0));
    assert!(recorded.call(&mixed, Abi::X32, "getpgid").is_some());
    assert!(recorded.call(&mixed, Abi::I386, "getppid").is_some());
    assert!(recorded.call(&mixed, Abi::X86_64, "getpgid").is_none());
    assert!(recorded.call(&mixed, Abi::X86_64, "getppid").is_none());
}

#[test]
fn sockets_keep_family_type_and_port() {
    let place = Place::new();
    let program = place.compile(
        "sockets",
        r#"
        #include <arpa/inet.h>
        #include <string.h>
        #include <sys/socket.h>
        #include <sys/un.h>
        #include <unistd.h>
        int main(int argc, char **argv) {
            struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
            struct sockaddr_un un = {.sun_family = AF_UNIX};
            int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
            if (bind(fd, (struct sockaddr *)&in, sizeof in) || listen(fd, 1)) return 1;
            fd = socket(AF_UNIX, SOCK_STREAM, 0);
            chdir(argv[1]);
            strcpy(un.sun_path, "./socket");
            if (bind(fd, (struct sockaddr *)&un, sizeof un) || listen(fd, 1)) return 2;
            fd = socket(AF_UNIX, SOCK_STREAM, 0);
            if (connect(fd, (struct sockaddr *)&un, sizeof un)) return 3;
            in.sin_port = htons(9);
            fd = socket(AF_INET, SOCK_DGRAM, 0);
            sendto(fd, "", 1, 0, (struct sockaddr *)&in, sizeof in);
            return 0;
        }"#,
        &["-Wno-unused-result"],
    );
    let recorded = record([program.as_os_str(), place.root().as_os_str()]);
    assert_eq!(recorded.end, CommandEnd::Code(0));
    assert!(recorded.has(|w| *w == What::Socket { family: 2, kind: 1, protocol: 0 }));
    assert!(recorded.has(|w| *w == What::Socket { family: 2, kind: 2, protocol: 0 }));
    assert!(!recorded.has(|w| matches!(w, What::Socket { family: 10, .. })));
    let socket = ByteString::new(place.path("socket").as_os_str().as_bytes());
    let unix = |action| What::Address {
        action,
        family: 1,
        port: None,
        class: None,
        path: Some(socket.clone()),
    };
    assert!(recorded.has(|w| *w == unix(SocketAction::Bind)));
    assert!(recorded.has(|w| *w == unix(SocketAction::Connect)));
    let loopback = |wanted, expected| {
        recorded.has(|w| {
            matches!(w, What::Address { action, family: 2, port, class: Some(c), .. }
                if *action == wanted && *port == expected && &**c == "loopback")
        })
    };
    assert!(loopback(SocketAction::Bind, Some(0)));
    assert!(!loopback(SocketAction::Connect, Some(0)));
}

#[test]
fn failed_calls_are_kept_with_their_error_and_make_no_file() {
    let place = Place::new();
    let program = place.compile(
        "fails",
        r#"
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <sys/stat.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        int main(int argc, char **argv) {
            mkdir(argv[1], 0700);
            open((char *)1, O_RDONLY);
            syscall(9999);
            return rmdir(argv[1]) == -1 ? 1 : 0;
        }"#,
        &[],
    );
    let recorded = record([program.as_os_str(), place.root().as_os_str()]);
    let mkdir = recorded.call(&program, Abi::X86_64, "mkdir").unwrap();
    assert_eq!(mkdir.outcomes.get("EEXIST"), Some(&1), "{mkdir:?}");
    assert!(!recorded.granted(place.root(), Access::Mkdir));
    assert!(!recorded.granted(place.root(), Access::Rmdir));
    let open = recorded.call(&program, Abi::X86_64, "openat").unwrap();
    assert_eq!(open.outcomes.get("EFAULT"), Some(&1), "{open:?}");
    let unknown = recorded.facts().find(|(f, _)| matches!(f.what, What::Call { nr: 9999, .. }));
    assert_eq!(unknown.unwrap().1.outcomes.keys().collect::<Vec<_>>(), ["ENOSYS"]);
}

#[test]
fn more_arguments_than_are_kept_become_many() {
    let place = Place::new();
    let program = place.compile(
        "many",
        r"
        #include <sys/ioctl.h>
        int main(void) {
            for (unsigned long i = 0; i < 200; i++) ioctl(-1, 0xffffffff00000000 | i, 0);
            return 0;
        }",
        &[],
    );
    let recorded = record([&program]);
    let ioctl = recorded.call(&program, Abi::X86_64, "ioctl").unwrap();
    assert_eq!(ioctl.count, 200, "every call is counted");
    let kinds = recorded
        .facts()
        .filter(|(f, _)| matches!(&f.what, What::Call { name: Some(n), .. } if &**n == "ioctl"))
        .count();
    assert_eq!(kinds, tracer::abi::arguments::BOUND + 1);
    assert!(ioctl.outcomes.contains_key("EBADF") && !ioctl.outcomes.contains_key(Seen::OK));
}

#[test]
#[ignore = "needs root: run by make test"]
fn a_chroot_keeps_the_names_that_apparmor_mediates() {
    let place = Place::new();
    let inside = place.write("inside", "");
    let program = place.compile(
        "chroots",
        r#"
        #include <fcntl.h>
        #include <sys/stat.h>
        #include <unistd.h>
        int main(int argc, char **argv) {
            struct stat file;
            if (chroot(argv[1]) || chdir("/")) return 1;
            return open("/inside", O_RDONLY) < 0 || stat("../inside", &file);
        }"#,
        &[],
    );
    let recorded = record([program.as_os_str(), place.root().as_os_str()]);
    assert_eq!(recorded.end, CommandEnd::Code(0));
    assert_eq!(recorded.accesses(&inside), [Access::Read, Access::Getattr]);
    let needed: Vec<_> = recorded
        .facts()
        .filter_map(|(f, _)| match &f.what {
            What::Capability { name, .. } => Some(name.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(needed, ["CAP_SYS_CHROOT"]);
}
