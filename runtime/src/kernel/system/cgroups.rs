//! Control groups of version 2.

use crate::sys::{self, filesystem};
use rbtrace_lang::system::{Answer, SystemError};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The id that `bpf_get_current_cgroup_id` returns for processes of the group at this path: on 64-bit machines
/// the number of the folder's inode (`kernfs_ino`, include/linux/kernfs.h).
pub(super) fn id(path: &str) -> Answer<u64> {
    let failed = |e: std::io::Error| {
        let text = format!("'{path}' has no cgroup id: {}", sys::describe(&e));
        SystemError::new(text)
    };
    if filesystem::magic(Path::new(path)).map_err(failed)? != filesystem::CGROUP2 {
        let hint = "control groups of version 2 are mounted at /sys/fs/cgroup, or at /sys/fs/cgroup/unified";
        let message = format!("'{path}' has no cgroup id: it is not a control group of version 2");
        return Err(SystemError::with_hint(message, hint));
    }
    fs::metadata(path).map(|m| m.ino()).map_err(failed)
}
