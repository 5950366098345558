//! The traced programs live and die as they do without a recorder.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use tracer::abi::Abi;
use tracer::recording::{Access, Seen, What};
use tracer::session::{CommandEnd, RecordError};

use crate::support::{Place, program, record, sh, try_record};

#[test]
fn exit_codes_and_signals_are_the_commands_own() {
    assert_eq!(record(["true"]).end, CommandEnd::Code(0));
    assert_eq!(sh("exit 7").end, CommandEnd::Code(7));
    assert_eq!(sh("kill -TERM $$").end, CommandEnd::Signal(libc::SIGTERM));
    assert_eq!(sh("kill -KILL $$").end, CommandEnd::Signal(libc::SIGKILL));
    assert_eq!(sh("trap 'exit 9' USR1; kill -USR1 $$; exit 1").end, CommandEnd::Code(9));
}

fn refused(command: &std::path::Path) -> io::Error {
    match try_record([command]).map(|r| r.end) {
        Err(RecordError::Command { command: named, source }) => {
            assert_eq!(named, command);
            source
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_command_that_cannot_run_says_why() {
    let place = Place::new();
    let missing = refused(&place.path("missing"));
    assert_eq!(missing.raw_os_error(), Some(libc::ENOENT));
    let plain = place.write("plain", "text");
    assert_eq!(refused(&plain).raw_os_error(), Some(libc::EACCES));
    let named = refused(std::path::Path::new("no-such-command-anywhere"));
    assert_eq!(named.raw_os_error(), Some(libc::ENOENT));
}

#[test]
fn the_parent_of_a_stopped_child_sees_it_stop_and_go_on() {
    let place = Place::new();
    let stops = place.compile(
        "stops",
        r"
        #include <signal.h>
        #include <sys/wait.h>
        #include <unistd.h>
        int main(void) {
            int status, gate[2];
            char byte;
            if (pipe(gate)) return 9;
            pid_t child = fork();
            if (!child) {
                raise(SIGSTOP);
                // A child that has ended is not seen to go on any more.
                _exit(read(gate[0], &byte, 1) == 1 ? 3 : 4);
            }
            if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status)) return 10;
            if (WSTOPSIG(status) != SIGSTOP) return 11;
            // Stopped is stopped: nothing may happen until it is continued.
            if (waitpid(child, &status, WNOHANG) != 0) return 12;
            kill(child, SIGCONT);
            if (waitpid(child, &status, WCONTINUED) != child || !WIFCONTINUED(status)) return 13;
            if (write(gate[1], &status, 1) != 1) return 16;
            if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return 14;
            return WEXITSTATUS(status) == 3 ? 0 : 15;
        }",
        &[],
    );
    assert_eq!(record([stops]).end, CommandEnd::Code(0));
}

#[test]
fn signals_reach_handlers_with_their_sender_and_calls_are_restarted() {
    let place = Place::new();
    let program = place.compile(
        "handles",
        r"
        #define _GNU_SOURCE
        #include <errno.h>
        #include <signal.h>
        #include <sys/wait.h>
        #include <unistd.h>
        static volatile sig_atomic_t sender, count;
        static void handler(int signal, siginfo_t *info, void *context) {
            sender = info->si_pid;
            count++;
        }
        int main(void) {
            struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
            int pipes[2], status;
            char byte;
            sigaction(SIGUSR1, &action, 0);
            sigaction(SIGRTMIN + 3, &action, 0);
            if (pipe(pipes)) return 10;
            pid_t child = fork();
            if (!child) {
                for (int i = 0; i < 20; i++) {
                    kill(getppid(), SIGUSR1);
                    usleep(1000);
                }
                kill(getppid(), SIGRTMIN + 3);
                usleep(1000);
                _exit(write(pipes[1], &byte, 1) == 1 ? 0 : 1);
            }
            // Restarted after each signal, and never interrupted.
            if (read(pipes[0], &byte, 1) != 1) return 11;
            if (waitpid(child, &status, 0) != child || status) return 12;
            if (sender != child || count < 2) return 13;
            return 0;
        }",
        &[],
    );
    let recorded = record([&program]);
    assert_eq!(recorded.end, CommandEnd::Code(0));
    let reads = recorded.call(&program, Abi::X86_64, "read").unwrap();
    assert!(
        reads.outcomes.keys().all(|o| o == Seen::OK),
        "a restart is no outcome: {:?}",
        reads.outcomes
    );
    let usr1 = u32::try_from(libc::SIGUSR1).unwrap();
    assert!(recorded.has(|w| *w == What::Signal { signal: usr1, inside: true }));
}

#[test]
fn children_that_are_killed_at_any_moment_disturb_nothing() {
    let place = Place::new();
    let program = place.compile(
        "killed",
        r#"
        #include <fcntl.h>
        #include <signal.h>
        #include <sys/wait.h>
        #include <unistd.h>
        int main(void) {
            for (int i = 0; i < 60; i++) {
                pid_t child = fork();
                if (!child)
                    for (;;) {
                        if (i % 3 == 0 && !fork()) _exit(0);
                        if (i % 3 == 1) close(open("/etc/passwd", O_RDONLY));
                        if (i % 3 == 2) getppid();
                    }
                usleep(i * 50);
                kill(child, SIGKILL);
                int status;
                if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status)) return 1;
            }
            return 0;
        }"#,
        &[],
    );
    assert_eq!(record([program]).end, CommandEnd::Code(0));
}

#[test]
fn threads_are_followed_and_one_of_them_may_execute() {
    let place = Place::new();
    let source = r#"
        #define _GNU_SOURCE
        #include <pthread.h>
        #include <stdlib.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        static void *idle(void *unused) { for (;;) pause(); return unused; }
        static void *executes(void *path) {
            syscall(SYS_getpgid, 0);
            execl(path, "executed", (char *)0);
            exit(1);
        }
        int main(int argc, char **argv) {
            pthread_t thread;
            for (int i = 0; i < 4; i++) pthread_create(&thread, 0, idle, 0);
            pthread_create(&thread, 0, executes, argv[1]);
            for (;;) pause();
        }"#;
    let threads = place.compile("threads", source, &["-pthread"]);
    let second = place.compile(
        "second",
        "#include <unistd.h>\nint main(void) { return getppid() > 0 ? 6 : 1; }",
        &[],
    );
    for _ in 0..20 {
        let recorded = record([&threads, &second]);
        assert_eq!(recorded.end, CommandEnd::Code(6));
        let exec = recorded.call(&threads, Abi::X86_64, "execve").unwrap();
        assert_eq!(exec.outcomes.get(Seen::OK), Some(&exec.count), "{exec:?}");
        assert!(recorded.call(&threads, Abi::X86_64, "getpgid").is_some());
        assert!(recorded.call(&second, Abi::X86_64, "getppid").is_some());
        assert!(recorded.call(&threads, Abi::X86_64, "getppid").is_none());
        assert!(recorded.granted(&second, Access::Exec));
    }
}

#[test]
fn every_way_to_make_a_process_is_followed() {
    let place = Place::new();
    let program = place.compile(
        "makes",
        r"
        #define _GNU_SOURCE
        #include <linux/sched.h>
        #include <signal.h>
        #include <sys/syscall.h>
        #include <sys/wait.h>
        #include <unistd.h>
        int main(void) {
            struct clone_args args = {.exit_signal = SIGCHLD};
            pid_t child;
            if (!fork()) { syscall(SYS_getsid, 0); _exit(0); }
            wait(0);
            if (!(child = vfork())) { syscall(SYS_getpgid, 0); _exit(0); }
            wait(0);
            if (!syscall(SYS_clone3, &args, sizeof args)) { syscall(SYS_getuid); _exit(0); }
            wait(0);
            if (!syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)) { syscall(SYS_getgid); _exit(0); }
            wait(0);
            return 0;
        }",
        &[],
    );
    let recorded = record([&program]);
    assert_eq!(recorded.end, CommandEnd::Code(0));
    for call in ["getsid", "getpgid", "getuid", "getgid"] {
        let seen = recorded.call(&program, Abi::X86_64, call).unwrap_or_else(|| panic!("{call}"));
        assert_eq!((seen.count, seen.outcomes.get(Seen::OK)), (1, Some(&1)), "{call}");
    }
    assert_eq!(recorded.call(&program, Abi::X86_64, "wait4").unwrap().count, 4);
}

#[test]
fn a_daemon_that_ends_soon_is_recorded_to_its_end() {
    let place = Place::new();
    let proof = place.path("proof");
    let recorded = sh(&format!("(setsid sh -c 'sleep 0.3; : > {}' &)", proof.display()));
    assert_eq!(recorded.end, CommandEnd::Code(0));
    assert!(recorded.granted(&proof, Access::Create));
    assert!(!recorded.calls(&program("sleep")).is_empty());
}

#[test]
fn a_daemon_that_stays_is_left_alone_and_noted() {
    let place = Place::new();
    let pid_file = place.path("pid");
    let script = format!(
        "(sh -c 'while :; do sleep 0.01; done' & echo $! > {}) >/dev/null",
        pid_file.display()
    );
    let began = Instant::now();
    let recorded = sh(&script);
    let pid: i32 = std::fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
    let alive = move || nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_ok();
    let state = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(alive(), "recording ends, the daemon does not");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    assert!(state.contains("TracerPid:\t0\n"), "{state}");
    assert!(began.elapsed() < Duration::from_secs(30));
    let notes = &recorded.completion().notes;
    assert!(notes.iter().any(|note| note.contains("outlived")), "{notes:?}");
}

#[test]
fn a_script_without_a_line_for_its_interpreter_is_no_program() {
    let place = Place::new();
    let script = place.write("script", "exit 0\n");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    // As execvp(3) has it: a shell runs what is no program.
    let end = try_record([&script]).map(|r| r.end);
    assert!(
        matches!(&end, Ok(CommandEnd::Code(0)))
            || matches!(&end, Err(RecordError::Command { source, .. })
                if source.raw_os_error() == Some(libc::ENOEXEC)),
        "{end:?}"
    );
}

#[test]
fn recordings_side_by_side_do_not_mix() {
    std::thread::scope(|scope| {
        let all: Vec<_> =
            (1..5).map(|n| scope.spawn(move || sh(&format!("sleep 0.0{n}; exit {n}")))).collect();
        for (n, recorded) in (1..5).zip(all) {
            assert_eq!(recorded.join().unwrap().end, CommandEnd::Code(n));
        }
    });
}
