//! File systems.

use super::syscall_result;
use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// `CGROUP2_SUPER_MAGIC` (include/uapi/linux/magic.h).
pub const CGROUP2: u64 = 0x6367_7270;

/// The kind of file system that a path lies on, by its magic number (statfs(2)).
pub fn magic(path: &Path) -> io::Result<u64> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut stat = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: `path` is NUL-terminated, `stat` has the size that the call fills.
    syscall_result(i64::from(unsafe { libc::statfs(path.as_ptr(), stat.as_mut_ptr()) }))?;
    // SAFETY: the call succeeded, so the structure is filled.
    Ok(unsafe { stat.assume_init() }.f_type as u64)
}
