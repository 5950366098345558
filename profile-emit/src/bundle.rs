//! The directory that `learn generate` writes: whole or not at all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use learner::Policy;
use learner::policy::PolicyError;

use crate::apparmor::{Child, Mode};
use crate::seccomp::bpf::BpfError;
use crate::{Note, apparmor, capabilities, readme, seccomp};

/// The seccomp profile's file.
pub const SECCOMP: &str = "seccomp.json";
/// The AppArmor profile's file.
pub const APPARMOR: &str = "apparmor.profile";
/// The capabilities' file.
pub const CAPABILITIES: &str = "capabilities.json";
/// The seccomp profile's file as a program of BPF, which is made when it is asked for.
pub const BPF: &str = "seccomp.bpf";
/// The policy's file.
pub const POLICY: &str = "policy.json";
/// The text for a reader.
pub const README: &str = "README.md";

/// All files that `learn generate` may have written.
const ALL: [&str; 6] = [APPARMOR, BPF, CAPABILITIES, POLICY, README, SECCOMP];

/// The files of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// What is written as [`POLICY`]: it may be large, so its text is made when it is written.
    pub policy: Arc<Policy>,
    /// The others by name.
    pub files: BTreeMap<&'static str, Vec<u8>>,
    /// What the profiles cannot express.
    pub notes: Vec<Note>,
}

/// Why a directory could not be written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It holds something else.
    #[error(
        "{0} holds files that learn did not write ({1}); give -o another directory or empty this one"
    )]
    Foreign(PathBuf, String),
    /// The system refused.
    #[error("write {path}: {source}")]
    Io {
        /// What was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Makes the files.
pub fn bundle(policy: impl Into<Arc<Policy>>) -> Bundle {
    let shared = policy.into();
    let policy = &*shared;
    let (profile, mut notes) = seccomp::emit(policy);
    let (text, more) = apparmor::emit(policy, Mode::Enforce);
    notes.extend(more);
    let capabilities = capabilities::emit(policy);
    let readme = readme::text(policy, &capabilities, &notes);
    Bundle {
        files: BTreeMap::from(
            [
                (SECCOMP, profile.to_json()),
                (APPARMOR, text),
                (CAPABILITIES, capabilities.to_json()),
                (README, readme),
            ]
            .map(|(name, text)| (name, text.into_bytes())),
        ),
        notes,
        policy: shared,
    }
}

/// Whether a directory may be written to: it is not there, or holds nothing but what `learn` wrote. For whoever works long before.
///
/// # Errors
/// When it holds something else, or can't be read.
pub fn check(directory: &Path) -> Result<(), BundleError> {
    // One that `learn` wrote holds a policy, and besides only files of the names written here.
    let fail = |source| BundleError::Io { path: directory.to_owned(), source };
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(fail)?,
    };
    let has_policy = holds_policy(&directory.join(POLICY));
    for entry in entries {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name();
        let is_file = entry.file_type().map_err(fail)?.is_file();
        if !has_policy || !is_file || !ALL.iter().any(|known| name == *known) {
            return Err(BundleError::Foreign(
                directory.to_owned(),
                name.to_string_lossy().into_owned(),
            ));
        }
    }
    Ok(())
}

impl Bundle {
    /// Adds the seccomp profile as a program of BPF, for what takes raw filters.
    ///
    /// # Errors
    /// When no program can be made of the policy's profile.
    pub fn add_bpf(&mut self, policy: &Policy) -> Result<(), BpfError> {
        let (profile, _) = seccomp::emit(policy);
        let program = seccomp::bpf::compile(&profile)?;
        let text = readme::bpf(program.0.len());
        self.files.insert(BPF, program.to_bytes());
        self.files.entry(README).or_default().extend(text.into_bytes());
        Ok(())
    }

    /// Puts another AppArmor profile in: of the policy `own`, with child profiles for the programs of others, in this mode.
    pub fn confine(&mut self, own: &Policy, children: &[Child], mode: Mode) {
        let (text, notes) = apparmor::emit_with(own, children, mode);
        self.files.insert(APPARMOR, text.into_bytes());
        self.notes.extend(
            notes.into_iter().filter(|note| !self.notes.contains(note)).collect::<Vec<_>>(),
        );
        let readme = self.files.entry(README).or_default();
        if !children.is_empty() {
            readme.extend(readme::children(children).into_bytes());
        }
        if mode == Mode::Complain {
            readme.extend(readme::COMPLAINS.as_bytes());
        }
    }

    /// Writes the directory: beside its place first, then put there in one step. One that `learn` wrote before is replaced.
    ///
    /// # Errors
    /// When the place can't be written, or holds files that `learn` did not write; nothing has changed then.
    pub fn write(&self, directory: &Path) -> Result<(), BundleError> {
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |source| BundleError::Io { path, source }
        };
        // What a symbolic link leads to is replaced, not the link.
        let resolved = if directory.is_symlink() {
            directory.canonicalize().map_err(fail(directory))?
        } else {
            directory.to_owned()
        };
        let directory = resolved.as_path();
        check(directory)?;
        let parent = match directory.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(parent).map_err(fail(directory))?;
        let staged = tempfile::Builder::new()
            .prefix(".learn-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir_in(parent)
            .map_err(|e| fail(directory)(io::Error::from(e.kind())))?;
        for (name, text) in &self.files {
            let path = staged.path().join(name);
            std::fs::write(&path, text).map_err(fail(&directory.join(name)))?;
        }
        let policy = || {
            let mut file = BufWriter::new(File::create(staged.path().join(POLICY))?);
            self.policy.write_json(&mut file)?;
            file.flush()
        };
        policy().map_err(fail(&directory.join(POLICY)))?;
        if !directory.exists() {
            std::fs::rename(staged.path(), directory).map_err(fail(directory))?;
            // Nothing is left there to remove.
            let _moved = staged.keep();
            return Ok(());
        }
        use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
        renameat2(AT_FDCWD, staged.path(), AT_FDCWD, directory, RenameFlags::RENAME_EXCHANGE)
            .map_err(|e| fail(directory)(e.into()))
        // What was there before is in the staging place now, and goes with it.
    }
}

/// The file is a policy, of whatever version.
fn holds_policy(path: &Path) -> bool {
    let Ok(text) = std::fs::read(path) else { return false };
    match Policy::from_json(&text) {
        Ok(_) | Err(PolicyError::Newer(_)) => true,
        Err(PolicyError::NotAPolicy | PolicyError::Malformed { .. }) => false,
    }
}
