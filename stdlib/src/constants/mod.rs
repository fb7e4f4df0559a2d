//! Constants that scripts use by name: of the kernel's user-space API, of libc, and of the kernel itself.
//!
//! They make `#include <linux/socket.h>` work on a machine without headers: types come from BTF,
//! macros, which BTF does not hold, from here. All values are those of x86-64.

mod errno;
mod listed;
mod signal;
mod syscall;

pub use listed::{Listed, listed};

/// Numbers that are also looked up the other way round, from value to name.
const GROUPS: [&[(&str, i64)]; 3] = [errno::ERRNO, signal::SIGNAL, syscall::SYSCALL];

/// The value of a constant: `AF_INET`, `O_RDONLY`, `EPERM`.
pub fn constant(name: &str) -> Option<i64> {
    let grouped = GROUPS.iter().find_map(|group| group.iter().find(|(n, _)| *n == name)).map(|(_, v)| *v);
    grouped.or_else(|| listed::find(name).map(|c| c.value))
}

/// The names of all constants, for near matches.
pub fn constant_names() -> impl Iterator<Item = &'static str> {
    GROUPS.into_iter().flatten().map(|(name, _)| *name).chain(listed().map(|c| c.name))
}

/// The name of an error number, of either sign: `-18` and `18` are `EXDEV`.
///
/// Of two names for one number (`EAGAIN`, `EWOULDBLOCK`) the one that errno(3) lists as the error's own.
pub fn errno_name(errno: i32) -> Option<&'static str> {
    const ALIASES: [&str; 3] = ["EWOULDBLOCK", "EDEADLOCK", "ENOTSUP"];
    let errno = i64::from(errno).abs();
    errno::ERRNO.iter().find(|(name, value)| *value == errno && !ALIASES.contains(name)).map(|(n, _)| *n)
}

/// The name of a system call by its number: 257 is `openat` on x86-64.
pub fn syscall_name(number: i64) -> Option<&'static str> {
    let (name, _) = syscall::SYSCALL.iter().find(|(_, n)| *n == number)?;
    name.strip_prefix("__NR_")
}

/// The number of a signal: `SIGTERM`, `TERM`.
pub fn signal_number(name: &str) -> Option<i32> {
    let bare = name.strip_prefix("SIG").unwrap_or(name);
    let found = signal::SIGNAL.iter().find(|(n, _)| n.strip_prefix("SIG") == Some(bare))?;
    i32::try_from(found.1).ok()
}

/// What a signal means, as strsignal(3) says it; none for what is no signal.
pub fn signal_meaning(number: i64) -> Option<String> {
    let texts = usize::try_from(number).ok().and_then(|n| signal::MEANINGS.get(n));
    match number {
        // glibc keeps the first two real-time signals for itself.
        0 | 32 | 33 => Some(format!("Unknown signal {number}")),
        34..=64 => Some(format!("Real-time signal {}", number - 34)),
        _ => texts.map(ToString::to_string),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_found_by_name() {
        assert_eq!(constant("AF_INET6"), Some(10));
        assert_eq!(constant("IPPROTO_TCP"), Some(6));
        assert_eq!(constant("O_CREAT"), Some(0o100));
        assert_eq!(constant("ICMP_ECHO"), Some(8));
        assert_eq!(constant("TASK_INTERRUPTIBLE"), Some(1));
        assert_eq!(constant("NSEC_PER_SEC"), Some(1_000_000_000));
        assert_eq!(constant("NOSUCH"), None);
    }

    #[test]
    fn errors_have_one_name() {
        assert_eq!(errno_name(-18), Some("EXDEV"));
        assert_eq!(errno_name(11), Some("EAGAIN"));
        assert_eq!(errno_name(95), Some("EOPNOTSUPP"));
        assert_eq!(errno_name(4000), None);
        assert_eq!(errno_name(i32::MIN), None);
    }

    #[test]
    fn system_calls_have_names() {
        assert_eq!(syscall_name(257), Some("openat"));
        assert_eq!(syscall_name(-1), None);
    }

    #[test]
    fn signals_go_with_and_without_prefix() {
        assert_eq!(signal_number("SIGUSR1"), Some(10));
        assert_eq!(signal_number("KILL"), Some(9));
        assert_eq!(signal_number("NOSUCH"), None);
    }

    #[test]
    fn each_name_stands_once() {
        let mut names: Vec<_> = constant_names().collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
