//! The command line: what each verb writes, says and returns, for good input and for bad.
#![cfg(test)]

mod compare;
mod diff;
mod doctor;
mod documented;
mod explain;
mod generate;
mod help;
mod mark;
mod merge;
mod recipes;
mod record;
mod releases;
mod show;
mod support;
mod verify;
