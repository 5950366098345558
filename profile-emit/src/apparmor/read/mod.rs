//! A reader for AppArmor profiles: the text of apparmor.d(5), as a tree, and what it allows.
//!
//! - [`ast`]: the tree
//! - [`includes`]: where included files are looked up
//! - [`variables`]: `@{X}` in words
//! - [`glob`]: patterns, as regular expressions
//! - [`permissions`]: letters as `rwmPx`
//! - [`profiles`]: the profiles of a text, conditions and blocks resolved
//! - [`side`]: what a profile allows, for comparing it
//! - `lexer`, `escape`: words; `parser`, `body`, `rules`, `messages`: what is made of them
//! - `set`, `overlap`: bytes of a pattern, and paths that two share; `files`: what is left of rules for files
//!
//! Sources: apparmor.d(5), and what `apparmor_parser` 3.0 shows of itself (`-d`, `-D rule-exprs`, `-N`, and the automata that it makes).
//!
//! Guarantees: any bytes are a tree or an error with its file and line, never a panic; what is nested, included or replaced is bounded.
//! Texts that `apparmor_parser` accepts are accepted, but for included files that hold no whole rules, rules that begin with a bare word as a path
//! (which no path is), relative includes, NUL bytes, and names of files to include and of attributes that are not UTF-8. What it refuses for more than
//! its syntax is accepted where it has a meaning: two profiles of one name, two ways to run one program, options of mounts that there are not.

pub mod ast;
mod body;
mod error;
mod escape;
mod files;
pub mod glob;
pub mod includes;
mod lexer;
mod messages;
mod overlap;
mod parser;
pub mod permissions;
pub mod profiles;
mod rules;
mod set;
pub mod side;
pub mod variables;

use std::sync::Arc;

pub use error::{Place, Problem, ReadError};
use includes::Includes;

/// Reads a text; `name` is what errors call it.
///
/// # Errors
/// With the file and line, when it is no profile, when an include has nothing to read, or when it is larger or nested deeper than anybody
/// writes.
pub fn read(name: &str, text: &[u8], includes: &dyn Includes) -> Result<ast::File, ReadError> {
    let file: Arc<str> = name.into();
    let mut parser = parser::Parser::new(includes);
    let mut lexer = lexer::Lexer::new(text, file);
    parser.count(text.len()).map_err(|problem| lexer.error(problem))?;
    let items = parser.items(&mut lexer, &mut parser::Seen::new())?;
    Ok(ast::File { items })
}
