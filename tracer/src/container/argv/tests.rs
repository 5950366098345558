use super::*;

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').filter(|word| !word.is_empty()).map(OsString::from).collect()
}

/// What a row of the table says: the verb, and what follows the options.
fn read(line: &str) -> Option<(Client, Verb, String)> {
    let read = Invocation::read(&words(line))?;
    let operands: Vec<_> = read.operands.iter().map(|word| word.to_string_lossy()).collect();
    Some((read.client, read.verb, operands.join(" ")))
}

#[test]
fn command_lines_are_read_as_the_clients_read_them() {
    use Client::{Docker, Podman};
    use Verb::{Create, Exec, Run, Start};
    for (line, client, verb, operands) in [
        ("docker run image", Docker, Run, "image"),
        ("docker run image -d --rm", Docker, Run, "image -d --rm"),
        ("docker run --rm -it image sh -c x", Docker, Run, "image sh -c x"),
        ("/usr/bin/docker container run -d image", Docker, Run, "image"),
        ("docker -H unix:///x --debug run image", Docker, Run, "image"),
        ("docker -Hunix:///x run image", Docker, Run, "image"),
        ("docker --host=unix:///x -D -l debug run image", Docker, Run, "image"),
        ("docker --context run run run", Docker, Run, "run"),
        ("docker run -p 80:80 -p81:81 -e A=B image", Docker, Run, "image"),
        ("docker run -dp 80:80 image", Docker, Run, "image"),
        ("docker run -itp80:80 image", Docker, Run, "image"),
        ("docker run -h name image", Docker, Run, "image"),
        ("docker run --name -d image", Docker, Run, "image"),
        ("docker run -e -d image", Docker, Run, "image"),
        ("docker run -dt=false -i image", Docker, Run, "image"),
        ("docker run --rm=false --init image", Docker, Run, "image"),
        ("docker run --rm false image", Docker, Run, "false image"),
        ("docker run --name=x -- image --help", Docker, Run, "image --help"),
        ("docker run --name -- image", Docker, Run, "image"),
        ("docker run -- --odd", Docker, Run, "--odd"),
        ("docker run - x", Docker, Run, "- x"),
        ("docker run --unheard-of value image", Docker, Run, "image"),
        ("docker run -l a=b image", Docker, Run, "image"),
        ("docker create --name web image", Docker, Create, "image"),
        ("docker start -ai web", Docker, Start, "web"),
        ("docker start -a web db", Docker, Start, "web db"),
        ("docker exec -it web sh -c ls", Docker, Exec, "web sh -c ls"),
        ("docker exec -u root -w / web id", Docker, Exec, "web id"),
        ("podman run --rm --replace --name x image", Podman, Run, "image"),
        ("podman --runtime crun --cgroup-manager=cgroupfs run image a", Podman, Run, "image a"),
        ("podman -r run image", Podman, Run, "image"),
        ("podman exec -l ls", Podman, Exec, "ls"),
        ("podman run -l ls image", Podman, Run, "image"),
        ("podman start --all", Podman, Start, ""),
        ("podman run --rootfs / true", Podman, Run, "/ true"),
    ] {
        assert_eq!(read(line), Some((client, verb, operands.to_owned())), "{line}");
    }
}

#[test]
fn what_concerns_no_process_is_left_alone() {
    for line in [
        "",
        "docker",
        "docker run",
        "docker ps",
        "docker compose up",
        "docker build .",
        "docker image run x",
        "docker -H",
        "docker container",
        "docker container ls",
        "dockerd run x",
        "docker-compose run x",
        "mydocker run x",
        "sh -c docker",
        "docker/ run x y/..",
        "docker --",
    ] {
        let answer = read(line);
        let nothing = answer.as_ref().is_none_or(|(_, _, operands)| operands.is_empty());
        assert!(nothing || line.starts_with("docker/"), "{line}: {answer:?}");
    }
    assert_eq!(Invocation::read(&words("docker ps")), None);
}

#[test]
fn values_are_found_wherever_they_stand() {
    for (line, name, expected) in [
        ("docker run --security-opt seccomp=x image", "security-opt", vec!["seccomp=x"]),
        ("docker run --security-opt=seccomp=x image", "security-opt", vec!["seccomp=x"]),
        ("docker run --security-opt a --security-opt b image", "security-opt", vec!["a", "b"]),
        ("docker run image --security-opt a", "security-opt", vec![]),
        ("docker run --name --security-opt image", "security-opt", vec![]),
        ("docker run --security-opt", "security-opt", vec![]),
        ("docker run --cidfile= image", "cidfile", vec![""]),
        ("docker run -dv/a:/b image", "v", vec!["/a:/b"]),
        ("docker run -v=/a:/b image", "v", vec!["/a:/b"]),
    ] {
        let read = Invocation::read(&words(line)).unwrap();
        let values: Vec<_> = read.values(name).collect();
        assert_eq!(values, expected, "{line}");
    }
}

#[test]
fn the_last_switch_counts() {
    for (line, on) in [
        ("docker run --rm image", true),
        ("docker run --rm=true image", true),
        ("docker run --rm=1 image", true),
        ("docker run --rm --rm=false image", false),
        ("docker run --rm=false --rm image", true),
        ("docker run image --rm", false),
    ] {
        assert_eq!(Invocation::read(&words(line)).unwrap().is_on("rm"), on, "{line}");
    }
}

#[test]
fn any_bytes_are_read_and_kept() {
    use std::os::unix::ffi::OsStringExt;
    let odd = OsString::from_vec(b"--name=\xff\n\"".to_vec());
    let argv = ["docker", "run"].map(OsString::from).into_iter();
    let argv: Vec<_> = argv.chain([odd, OsString::from_vec(vec![0xfe])]).collect();
    let read = Invocation::read(&argv).unwrap();
    assert_eq!(read.values("name").next().unwrap().as_bytes(), b"\xff\n\"");
    assert_eq!(read.operands, argv[3..]);
}

/// The words of `--help` that name an option without a value.
fn switches_of(help: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in help.lines() {
        let line = line.trim_start();
        let Some(at) = line.find("--") else { continue };
        if at != 0 && at != 4 {
            continue;
        }
        let (name, after) = line[at + 2..].split_once(' ').unwrap_or((&line[at + 2..], ""));
        if after.starts_with(' ') {
            found.push(name.to_owned());
        }
    }
    found
}

#[test]
#[ignore = "needs docker and podman: run by make test"]
fn the_tables_agree_with_the_clients_own_help() {
    for (client, program) in [(Client::Docker, "docker"), (Client::Podman, "podman")] {
        for (verb, table) in [
            ("run", flags::run(client)),
            ("create", flags::run(client)),
            ("exec", flags::existing(client)),
            ("start", flags::existing(client)),
        ] {
            let help = std::process::Command::new(program).args([verb, "--help"]).output().unwrap();
            let help = String::from_utf8(help.stdout).unwrap();
            let switches = switches_of(&help);
            assert!(!switches.is_empty(), "{program} {verb}: {help}");
            for switch in &switches {
                assert!(table.has_long(switch.as_bytes()), "{program} {verb} --{switch}");
            }
            // And none that takes a value is taken for a switch.
            for name in table.long {
                let with_value = help.lines().any(|line| {
                    let line = line.trim_start();
                    line.find(&format!("--{name} ")).is_some_and(|at| {
                        (at == 0 || at == 4)
                            && line[at + name.len() + 3..].starts_with(|c: char| c != ' ')
                    })
                });
                assert!(!with_value, "{program} {verb} --{name} takes a value");
            }
        }
    }
}
