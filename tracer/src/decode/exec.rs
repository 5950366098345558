//! What the kernel runs when a file is executed: interpreters and ELF loaders.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::resolve::View;
use crate::recording::{Access, ByteString, What};

/// The kernel reads so much of a file to find out what it is (`BINPRM_BUF_SIZE`, linux/binfmts.h).
const HEAD: usize = 256;
/// The longest loader path that is believed (`PATH_MAX`).
const LONGEST: u64 = 4096;
/// So many program headers are looked at; real programs have about a dozen.
const MOST_HEADERS: usize = 128;
const PT_INTERP: u32 = 3;

/// What a file asks to be run by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needs {
    /// A script: this interpreter.
    Interpreter(Vec<u8>),
    /// An ELF program: this loader.
    Loader(Vec<u8>),
    /// Nothing: a static program, or a format that is not known here.
    Nothing,
}

/// Reads what a file needs. It is the traced program's file: nothing in it is trusted.
///
/// # Errors
/// When it can't be read.
pub fn needs(path: &Path) -> io::Result<Needs> {
    let mut file = open(path)?;
    let mut head = Vec::with_capacity(HEAD);
    (&mut file).take(HEAD as u64).read_to_end(&mut head)?;
    if let Some(line) = head.strip_prefix(b"#!") {
        return Ok(interpreter(line).map_or(Needs::Nothing, Needs::Interpreter));
    }
    if head.starts_with(b"\x7fELF") {
        return Ok(loader(&mut file, &head)?.map_or(Needs::Nothing, Needs::Loader));
    }
    Ok(Needs::Nothing)
}

/// Opens a file without waiting for anything: it may have become a pipe, or a device.
fn open(path: &Path) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// The first word after `#!` (fs/binfmt_script.c).
fn interpreter(line: &[u8]) -> Option<Vec<u8>> {
    let line = line.split(|b| *b == b'\n' || *b == 0).next()?;
    let start = line.iter().position(|b| !matches!(b, b' ' | b'\t'))?;
    let word = line[start..].split(|b| matches!(b, b' ' | b'\t')).next()?;
    (!word.is_empty()).then(|| word.to_vec())
}

/// The `PT_INTERP` of an ELF file, 32 or 64 bits, little-endian (elf(5)).
fn loader(file: &mut File, head: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let wide = head.get(4) == Some(&2);
    let number = |bytes: &[u8], at: usize, size: usize| -> Option<u64> {
        let field = bytes.get(at..at + size)?;
        Some(field.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
    };
    let (table, entry, count) = if wide {
        (number(head, 32, 8), number(head, 54, 2), number(head, 56, 2))
    } else {
        (number(head, 28, 4), number(head, 42, 2), number(head, 44, 2))
    };
    let (Some(table), Some(entry), Some(count)) = (table, entry, count) else { return Ok(None) };
    let least = if wide { 56 } else { 32 };
    if entry < least {
        return Ok(None);
    }
    for i in 0..count.min(MOST_HEADERS as u64) {
        let Some(at) = table.checked_add(i * entry) else { return Ok(None) };
        let header = read_at(file, at, least)?;
        if number(&header, 0, 4) != Some(u64::from(PT_INTERP)) {
            continue;
        }
        let (offset, size) = if wide {
            (number(&header, 8, 8), number(&header, 32, 8))
        } else {
            (number(&header, 4, 4), number(&header, 16, 4))
        };
        let (Some(offset), Some(size)) = (offset, size) else { return Ok(None) };
        let name = read_at(file, offset, size.min(LONGEST))?;
        let name = name.split(|b| *b == 0).next().unwrap_or_default();
        return Ok((!name.is_empty()).then(|| name.to_vec()));
    }
    Ok(None)
}

/// Fewer bytes at the end of the file, none beyond it.
fn read_at(file: &mut File, at: u64, size: u64) -> io::Result<Vec<u8>> {
    if at >= file.metadata()?.len() {
        return Ok(Vec::new());
    }
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A program that was started: what was asked for, and what the kernel ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// The file that was executed, which may be a script.
    pub path: ByteString,
    /// The interpreter that runs a script.
    pub interpreter: Option<ByteString>,
    /// The ELF loader of what runs.
    pub loader: Option<ByteString>,
}

/// Finds out what was started, from the path that was executed (where known) and the executable that runs now.
pub fn program(view: &View, named: Option<&ByteString>, executable: &ByteString) -> Program {
    let of = |path: &ByteString| needs(&view.outside(path.as_bytes()));
    let script =
        named.filter(|path| *path != executable && matches!(of(path), Ok(Needs::Interpreter(_))));
    let loader = match of(executable) {
        Ok(Needs::Loader(loader)) => view.resolve(b"/", &loader, true).ok(),
        _ => None,
    };
    Program {
        path: script.unwrap_or(executable).clone(),
        interpreter: script.map(|_| executable.clone()),
        loader,
    }
}

impl Program {
    /// The facts: true for those of the program that executed, false for those of the program that runs now. The kernel
    /// opens and maps the executable and its loader in the name of the new program.
    pub fn facts(&self) -> Vec<(bool, What)> {
        let file =
            |path: &ByteString, access| What::File { path: path.clone(), access, target: None };
        let executable = self.interpreter.as_ref().unwrap_or(&self.path);
        let mut facts = vec![
            (
                true,
                What::Exec {
                    path: self.path.clone(),
                    interpreter: self.interpreter.clone(),
                    loader: self.loader.clone(),
                },
            ),
            (true, file(&self.path, Access::Exec)),
        ];
        if self.interpreter.is_some() {
            facts.push((true, file(&self.path, Access::Read)));
            facts.push((true, file(executable, Access::Exec)));
        }
        for mapped in [Some(executable), self.loader.as_ref()].into_iter().flatten() {
            facts.push((false, file(mapped, Access::Read)));
            facts.push((false, file(mapped, Access::MmapExec)));
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(bytes: &[u8]) -> Needs {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        needs(file.path()).unwrap()
    }

    #[test]
    fn scripts_name_their_interpreter() {
        let script = |path: &str| Needs::Interpreter(path.as_bytes().to_vec());
        assert_eq!(of(b"#!/bin/sh\necho"), script("/bin/sh"));
        assert_eq!(of(b"#! \t/usr/bin/env  python3\n"), script("/usr/bin/env"));
        assert_eq!(of(b"#!\n"), Needs::Nothing);
        assert_eq!(of(b"# !/bin/sh"), Needs::Nothing);
    }

    #[test]
    fn programs_name_their_loader() {
        // The test's own executable is dynamically linked.
        let Needs::Loader(loader) = needs(Path::new("/proc/self/exe")).unwrap() else {
            panic!("the test program has no loader");
        };
        assert!(loader.starts_with(b"/") && loader.windows(3).any(|w| w == b"ld-"));
    }

    #[test]
    fn a_pipe_in_a_programs_place_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert_eq!(needs(&pipe).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    proptest! {
        #[test]
        fn damaged_headers_are_survived(at in 0_usize..1024, with: u8) {
            let mut bytes = std::fs::read("/proc/self/exe").unwrap();
            bytes.truncate(4096);
            bytes[at] = with;
            let _kept = of(&bytes);
        }

        #[test]
        fn hostile_files_are_survived(wide: bool, rest: Vec<u8>) {
            let mut bytes = b"\x7fELF".to_vec();
            bytes.push(if wide { 2 } else { 1 });
            bytes.extend(rest);
            let _kept = of(&bytes);
        }
    }
}
