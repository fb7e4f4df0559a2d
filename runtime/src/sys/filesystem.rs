//! File systems.

use super::syscall_result;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// `CGROUP2_SUPER_MAGIC` (include/uapi/linux/magic.h).
pub const CGROUP2: u64 = 0x6367_7270;

// include/uapi/linux/mount.h
const FSOPEN_CLOEXEC: u32 = 1;
const FSMOUNT_CLOEXEC: u32 = 1;
const FSCONFIG_CMD_CREATE: u32 = 6;
const MOUNT_ATTR_NOSUID: u32 = 2;
const MOUNT_ATTR_NODEV: u32 = 4;
const MOUNT_ATTR_NOEXEC: u32 = 8;

/// The kind of file system that a path lies on, by its magic number (statfs(2)).
pub fn magic(path: &Path) -> io::Result<u64> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut stat = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: `path` is NUL-terminated, `stat` has the size that the call fills.
    syscall_result(i64::from(unsafe { libc::statfs(path.as_ptr(), stat.as_mut_ptr()) }))?;
    // SAFETY: the call succeeded, so the structure is filled.
    Ok(unsafe { stat.assume_init() }.f_type as u64)
}

/// Mounts a file system of this kind nowhere (5.2): the descriptor of its root. The mount ends with it.
pub fn mount_detached(kind: &str) -> io::Result<OwnedFd> {
    let kind = CString::new(kind)?;
    // SAFETY: `kind` is NUL-terminated and outlives the call.
    let context = new_fd(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) })?;
    let fd = context.as_raw_fd();
    let none = std::ptr::null::<libc::c_char>();
    // SAFETY: this command takes no key, no value and no number.
    let made = unsafe { libc::syscall(libc::SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, none, none, 0) };
    syscall_result(made)?;
    let attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    // SAFETY: plain numbers.
    new_fd(unsafe { libc::syscall(libc::SYS_fsmount, fd, FSMOUNT_CLOEXEC, attributes) })
}

/// Opens a file or folder below a folder for reading.
pub fn open_below(folder: BorrowedFd, below: &str) -> io::Result<File> {
    let below = CString::new(below)?;
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    // SAFETY: `below` is NUL-terminated and outlives the call.
    let fd = unsafe { libc::openat(folder.as_raw_fd(), below.as_ptr(), flags) };
    Ok(new_fd(fd.into())?.into())
}

/// Is there a file or folder of this name below a folder?
pub fn look_below(folder: BorrowedFd, below: &str) -> io::Result<()> {
    let below = CString::new(below)?;
    // SAFETY: `below` is NUL-terminated and outlives the call.
    let there = unsafe { libc::faccessat(folder.as_raw_fd(), below.as_ptr(), libc::F_OK, 0) };
    syscall_result(there.into()).map(drop)
}

/// The names in an open folder, each with whether it is a folder itself.
pub fn names(folder: &File) -> io::Result<Vec<(String, bool)>> {
    let mut found = vec![];
    let mut entries = vec![0u8; 1 << 15];
    loop {
        // SAFETY: the buffer is writable, and its length is given.
        let n = unsafe {
            libc::syscall(libc::SYS_getdents64, folder.as_raw_fd(), entries.as_mut_ptr(), entries.len())
        };
        match syscall_result(n)? as usize {
            0 => return Ok(found),
            n => take_names(&entries[..n], &mut found),
        }
    }
}

/// Reads `struct linux_dirent64` (getdents(2)): 16 bytes, the record's length, its type, its name.
fn take_names(mut entries: &[u8], found: &mut Vec<(String, bool)>) {
    while let [_, .., low, high, kind] = entries.get(..19).unwrap_or_default() {
        let size = usize::from(u16::from_le_bytes([*low, *high]));
        let name = entries.get(19..size).unwrap_or_default().split(|&b| b == 0).next().unwrap_or_default();
        match std::str::from_utf8(name) {
            Ok("" | "." | "..") | Err(_) => {}
            Ok(name) => found.push((name.to_owned(), *kind == libc::DT_DIR)),
        }
        entries = entries.get(size.max(19)..).unwrap_or_default();
    }
}

/// Turns what a system call returned into a descriptor of ours.
fn new_fd(result: i64) -> io::Result<OwnedFd> {
    let fd = syscall_result(result)? as i32;
    // SAFETY: the kernel has just made this descriptor for us; nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_folder() {
        let expected = |path: &str| {
            let entries = std::fs::read_dir(path).unwrap().flatten();
            let mut names: Vec<_> = entries
                .map(|e| (e.file_name().into_string().unwrap(), e.file_type().unwrap().is_dir()))
                .collect();
            names.sort();
            names
        };
        for path in ["/etc", "/usr/bin", "/sys/kernel"] {
            let mut names = names(&File::open(path).unwrap()).unwrap();
            names.sort();
            assert_eq!(names, expected(path));
        }
        assert!(names(&File::open("/etc/passwd").unwrap()).is_err());
    }

    #[test]
    fn a_broken_record_ends_the_list() {
        let mut found = vec![];
        take_names(&[0; 30], &mut found);
        take_names(&[0xff; 30], &mut found);
        assert!(found.is_empty());
    }
}
