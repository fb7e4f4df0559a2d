//! Names of headers that a script may include without their being read: what they say is in BTF and in the tables.
//!
//! `headers.txt` has one line for each folder, with the names of its files without `.h`. Sources: `include/`,
//! `include/uapi/` and `arch/x86/include/` of Linux 5.10, 6.1, 6.12 and 7.2; glibc; the compiler's own.

const TEXT: &str = include_str!("headers.txt");

/// Folders and the names in them; the folder of the topmost is `.`.
fn folders() -> impl Iterator<Item = (&'static str, &'static str)> {
    TEXT.lines().filter_map(|line| line.split_once(": "))
}

/// Is there a header of this name, as `#include` writes it?
pub fn is_known(path: &str) -> bool {
    let path = path.strip_prefix("uapi/").unwrap_or(path);
    let (folder, file) = path.rsplit_once('/').unwrap_or((".", path));
    let Some(name) = file.strip_suffix(".h") else { return false };
    folders().any(|(f, names)| f == folder && names.split(' ').any(|n| n == name))
}

/// All names, for near matches.
pub fn names() -> impl Iterator<Item = String> {
    folders().flat_map(|(folder, names)| {
        names.split(' ').map(move |name| match folder {
            "." => format!("{name}.h"),
            folder => format!("{folder}/{name}.h"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_known_by_their_whole_path() {
        for path in
            ["linux/sched.h", "uapi/linux/bpf.h", "net/sock.h", "stdio.h", "sys/socket.h", "asm/ptrace.h"]
        {
            assert!(is_known(path), "{path}");
        }
        for path in ["linux/nosuch.h", "sched", "linux/sched", "linux/", "", "my.h", "linux"] {
            assert!(!is_known(path), "{path}");
        }
        assert!(names().all(|name| is_known(&name)));
    }
}
