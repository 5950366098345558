//! Names of errors.

/// The name of an error number as in errno(3), or `E<number>` for one without.
pub fn name(errno: i32) -> String {
    match nix::errno::Errno::from_raw(errno) {
        nix::errno::Errno::UnknownErrno => {
            kernel_only(errno).map_or_else(|| format!("E{errno}"), str::to_owned)
        }
        known => format!("{known:?}"),
    }
}

/// Errors that the kernel uses inside and a tracer can see (include/linux/errno.h).
fn kernel_only(errno: i32) -> Option<&'static str> {
    Some(match errno {
        512 => "ERESTARTSYS",
        513 => "ERESTARTNOINTR",
        514 => "ERESTARTNOHAND",
        515 => "ENOIOCTLCMD",
        516 => "ERESTART_RESTARTBLOCK",
        _ => return None,
    })
}
