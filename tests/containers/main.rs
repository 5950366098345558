//! Containers, with docker and podman as Debian 12 has them, and both of podman's runtimes: what is recorded of them, and that
//! what is learned starts them again. Everything here needs root, and images that `scripts/images` makes.
#![cfg(test)]

mod boundary;
mod follow;
mod images;
mod matrix;
mod support;
mod units;
