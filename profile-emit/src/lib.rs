//! Policies to profiles in the languages that kernels and engines enforce, and back.
//!
//! - [`seccomp`]: the OCI's and Docker's JSON, its meaning, and its filter
//! - [`apparmor`]: the text that `apparmor_parser` reads
//! - [`capabilities`]: what is added to no capability at all
//! - `advice`: how a capability can be done without
//! - [`defaults`]: what engines give a container that asks for nothing else
//! - [`foreign`]: what compose files, manifests, units and command lines say of capabilities and seccomp
//! - [`bundle`]: the directory that `learn generate` writes
//!
//! What a language cannot express is never dropped silently: each emitter returns notes, and the bundle shows them.

mod advice;
pub mod apparmor;
pub mod bundle;
pub mod capabilities;
pub mod defaults;
pub mod foreign;
mod readme;
pub mod seccomp;

/// Something that a profile's reader should know: a sentence.
pub type Note = String;
