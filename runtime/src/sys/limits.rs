//! Limits of this process (setrlimit(2)), and what to say where one is too low.

use super::syscall_result;
use std::io;

/// Makes room for this many open files where fewer are allowed: up to the hard limit, and beyond it where we may.
pub fn allow_open_files(needed: u64) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one structure.
    syscall_result(i64::from(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }))?;
    if limit.rlim_cur >= needed {
        return Ok(());
    }
    let raised = libc::rlimit { rlim_cur: needed, rlim_max: limit.rlim_max.max(needed) };
    set_open_files(raised).or_else(|_| set_open_files(libc::rlimit { rlim_cur: limit.rlim_max, ..limit }))
}

fn set_open_files(limit: libc::rlimit) -> io::Result<()> {
    // SAFETY: the kernel reads one structure.
    syscall_result(i64::from(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })).map(drop)
}

/// What to do where a limit is the cause of an error.
pub fn hint(error: &io::Error) -> Option<&'static str> {
    match error.raw_os_error()? {
        libc::EMFILE => Some("too many open files: raise `ulimit -n`, or attach to fewer places"),
        libc::ENFILE => Some("the whole system has too many open files: raise fs.file-max (sysctl)"),
        libc::ENOMEM => {
            Some("memory for it is not to be had: use fewer or smaller maps (max_map_keys, perf_rb_pages)")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_left_alone() {
        allow_open_files(8).unwrap();
        assert!(hint(&io::Error::from_raw_os_error(libc::EMFILE)).is_some_and(|h| h.contains("ulimit -n")));
        assert_eq!(hint(&io::Error::from_raw_os_error(libc::EIO)), None);
    }
}
