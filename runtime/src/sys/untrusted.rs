//! Files whose names, or whose contents, another user can choose.
//!
//! A name can lead to a FIFO, whose opening waits for a writer; to a device, whose opening alone may do
//! something; through a link to a file of somebody else; to a file without end. So: only regular files are
//! opened, and none is read without a limit. The files of the kernel (/proc, /sys) are opened directly.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Opens a regular file for reading.
pub fn open(path: &Path) -> io::Result<File> {
    open_if(path, 0, |_| Ok(()))
}

/// Opens a regular file that belongs to one of these users; a link as the last part of its name is refused.
pub fn open_of(path: &Path, owners: &[u32]) -> io::Result<File> {
    open_if(path, libc::O_NOFOLLOW, |found| match owners.contains(&found.uid()) {
        true => Ok(()),
        false => Err(refused(&format!("it belongs to user {}", found.uid()))),
    })
}

/// Looks before it opens: the descriptor of the first step (`O_PATH`) can only be looked at, and the second opens
/// the file that it stands for, whatever the name leads to by then.
fn open_if(path: &Path, flags: i32, fits: impl Fn(&Metadata) -> io::Result<()>) -> io::Result<File> {
    let place = OpenOptions::new().read(true).custom_flags(libc::O_PATH | flags).open(path)?;
    let found = place.metadata()?;
    if !found.is_file() {
        return Err(refused("it is not a regular file"));
    }
    fits(&found)?;
    // A lease on the file would make the opening wait, too.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let same = format!("/proc/self/fd/{}", place.as_raw_fd());
    OpenOptions::new().read(true).custom_flags(flags).open(same)
}

/// Reads to the end or up to a limit; true where there is more.
pub fn read(file: impl Read, limit: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    let more = bytes.len() as u64 > limit;
    bytes.truncate(limit as usize);
    Ok((bytes, more))
}

/// Opens a file of our own for reading.
pub fn open_own(path: &Path) -> io::Result<File> {
    open_of(path, &[user()])
}

/// Opens a file of our own for writing, empty; makes it, for us alone, where there is none.
pub fn create_own(path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags)
        .open(path)
        .map_err(
            |e| if e.raw_os_error() == Some(libc::ELOOP) { refused("it is a symbolic link") } else { e },
        )?;
    let found = file.metadata()?;
    // A second name could be anybody's: a hard link to a file that must not be emptied.
    if !found.is_file() || found.uid() != user() || found.nlink() != 1 {
        return Err(refused("it is not a file of ours alone"));
    }
    file.set_len(0)?;
    Ok(file)
}

/// Does a folder or file belong to us?
pub fn is_ours(path: &Path) -> bool {
    path.metadata().is_ok_and(|m| m.uid() == user())
}

/// The user whose rights we have.
fn user() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

fn refused(why: &str) -> io::Error {
    io::Error::other(why.to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::files::dwarf::tests::Scratch;
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};

    pub(crate) fn fifo(path: &Path) {
        let name = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: a NUL-terminated path.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o666) }, 0);
    }

    #[test]
    fn only_regular_files_are_opened() {
        let scratch = Scratch::new();
        let (pipe, text, link) = (scratch.0.join("pipe"), scratch.0.join("text"), scratch.0.join("link"));
        fifo(&pipe);
        std::fs::write(&text, "abc").unwrap();
        symlink(&text, &link).unwrap();
        for path in [pipe.as_path(), Path::new("/dev/zero"), Path::new("/tmp")] {
            assert_eq!(open(path).unwrap_err().to_string(), "it is not a regular file", "{path:?}");
        }
        assert!(open(&link).is_ok() && open_own(&text).is_ok());
        assert!(open_own(&link).is_err(), "a link");
        let error = open_of(&text, &[user() + 1]).unwrap_err().to_string();
        assert_eq!(error, format!("it belongs to user {}", user()));
    }

    #[test]
    fn reading_has_a_limit() {
        let scratch = Scratch::new();
        let text = scratch.0.join("text");
        std::fs::write(&text, "abc").unwrap();
        assert_eq!(read(open(&text).unwrap(), 3).unwrap(), (b"abc".to_vec(), false));
        assert_eq!(read(open(&text).unwrap(), 2).unwrap(), (b"ab".to_vec(), true));
    }

    #[test]
    fn a_file_of_our_own_is_no_link() {
        let scratch = Scratch::new();
        let (own, link, twin) = (scratch.0.join("own"), scratch.0.join("link"), scratch.0.join("twin"));
        create_own(&own).unwrap();
        assert_eq!(own.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        symlink(&own, &link).unwrap();
        assert_eq!(create_own(&link).unwrap_err().to_string(), "it is a symbolic link");
        std::fs::hard_link(&own, &twin).unwrap();
        std::fs::write(&own, "kept").unwrap();
        assert!(create_own(&twin).is_err());
        assert_eq!(std::fs::read(&own).unwrap(), b"kept");
    }
}
