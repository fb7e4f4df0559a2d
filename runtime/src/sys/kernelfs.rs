//! The kernel's own file systems: sysfs, tracefs, debugfs, securityfs.
//!
//! They are read where they are mounted. Where they are not (a fresh machine has no tracefs, `ip netns exec`
//! mounts a bare sysfs, a container may have neither), they are opened by a mount of our own (fsopen(2),
//! 5.2): it appears in no mount table and is gone with its descriptor.

use crate::sys::filesystem;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// One of these file systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// Devices, modules, the kernel's BTF.
    Sysfs,
    /// Events and the functions that can be traced.
    Tracefs,
    /// What helps to debug the kernel, such as the list of functions that refuse kprobes.
    Debugfs,
    /// Security modules.
    Securityfs,
}

impl FileSystem {
    /// Its name, magic number (include/uapi/linux/magic.h), and where it is mounted by custom.
    fn data(self) -> (&'static str, u64, &'static [&'static str]) {
        match self {
            FileSystem::Sysfs => ("sysfs", 0x6265_6572, &["/sys"]),
            FileSystem::Tracefs => {
                ("tracefs", 0x7472_6163, &["/sys/kernel/tracing", "/sys/kernel/debug/tracing"])
            }
            FileSystem::Debugfs => ("debugfs", 0x6462_6720, &["/sys/kernel/debug"]),
            FileSystem::Securityfs => ("securityfs", 0x7363_6673, &["/sys/kernel/security"]),
        }
    }
}

/// The root of such a file system.
#[derive(Debug)]
pub enum Root {
    /// It is mounted there.
    Mounted(PathBuf),
    /// It is mounted nowhere: a mount of our own.
    Own(&'static str, OwnedFd),
    /// It is mounted nowhere, and the kernel refused us a mount of our own.
    Missing(FileSystem, io::Error),
}

/// sysfs, looked for once.
pub fn sysfs() -> &'static Root {
    static SYSFS: OnceLock<Root> = OnceLock::new();
    SYSFS.get_or_init(|| find(FileSystem::Sysfs))
}

/// Looks for a file system, and mounts it for us alone where it is not mounted.
pub fn find(kind: FileSystem) -> Root {
    let (name, magic, usual) = kind.data();
    let is_it = |at: &Path| filesystem::magic(at).is_ok_and(|m| m == magic);
    let usual = usual.iter().map(PathBuf::from).find(|p| is_it(p));
    match usual.or_else(|| mounted(name).into_iter().find(|p| is_it(p))) {
        Some(at) => Root::Mounted(at),
        None => match filesystem::mount_detached(name) {
            Ok(root) => Root::Own(name, root),
            Err(e) => Root::Missing(kind, e),
        },
    }
}

/// Where file systems of this name are mounted.
fn mounted(name: &str) -> Vec<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let places = mounts.lines().filter_map(|l| {
        let mut words = l.split(' ');
        let (_, at, kind) = (words.next()?, words.next()?, words.next()?);
        (kind == name).then(|| PathBuf::from(at))
    });
    places.collect()
}

/// Bytes that are asked for at once. These files do not say how long they are; most are shorter.
const AT_ONCE: usize = 4096;

impl Root {
    /// Opens a file or folder; `below` is relative.
    pub fn open(&self, below: &str) -> io::Result<File> {
        match self {
            Root::Mounted(at) => File::open(at.join(below)),
            Root::Own(_, root) => filesystem::open_below(root.as_fd(), below),
            Root::Missing(kind, e) => Err(missing(*kind, e)),
        }
    }

    /// The content of a file.
    pub fn read(&self, below: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(AT_ONCE);
        self.open(below)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The content of a text file.
    pub fn text(&self, below: &str) -> io::Result<String> {
        let mut text = String::with_capacity(AT_ONCE);
        self.open(below)?.read_to_string(&mut text)?;
        Ok(text)
    }

    /// Is there such a file or folder?
    pub fn exists(&self, below: &str) -> bool {
        self.look(below).is_ok()
    }

    /// Like [`Root::exists`], with the reason why not.
    pub fn look(&self, below: &str) -> io::Result<()> {
        match self {
            Root::Mounted(at) => std::fs::metadata(at.join(below)).map(drop),
            Root::Own(_, root) => filesystem::look_below(root.as_fd(), below),
            Root::Missing(kind, e) => Err(missing(*kind, e)),
        }
    }

    /// The names in a folder, each with whether it is a folder itself.
    pub fn names(&self, below: &str) -> io::Result<Vec<(String, bool)>> {
        filesystem::names(&self.open(below)?)
    }

    /// How messages name a file.
    pub fn show(&self, below: &str) -> String {
        match self {
            Root::Mounted(at) => at.join(below).display().to_string(),
            Root::Own(name, _) => format!("{name}/{below}"),
            Root::Missing(kind, _) => format!("{}/{below}", kind.data().0),
        }
    }
}

/// The error of every access to what cannot be had. It has no number: what the file itself would say is not known.
fn missing(kind: FileSystem, e: &io::Error) -> io::Error {
    let (name, _, usual) = kind.data();
    io::Error::other(format!(
        "{name} is not mounted, and the kernel does not let rbtrace open it ({}): mount it as root by `mount -t \
         {name} {name} {}`, or let the container have it",
        crate::sys::describe(e),
        usual[0],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_of_our_own_has_what_the_mounted_one_has() {
        let table = || std::fs::read_to_string("/proc/self/mounts").unwrap();
        let before = table();
        let Ok(fd) = filesystem::mount_detached("sysfs") else {
            eprintln!("skipped: sysfs cannot be opened without root");
            return;
        };
        let own = Root::Own("sysfs", fd);
        let text = own.text("devices/system/cpu/possible").unwrap();
        assert_eq!(text, std::fs::read_to_string("/sys/devices/system/cpu/possible").unwrap());
        assert!(own.exists("kernel") && !own.exists("nosuch"));
        assert!(own.names("kernel").unwrap().contains(&("mm".to_owned(), true)));
        assert_eq!(own.open("nosuch").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(own.show("kernel/btf"), "sysfs/kernel/btf");
        assert_eq!(table(), before);
    }

    #[test]
    fn sysfs_is_found_where_it_is_mounted() {
        assert!(matches!(sysfs(), Root::Mounted(at) if at == Path::new("/sys")));
        assert!(sysfs().names("kernel").unwrap().iter().any(|(name, folder)| name == "mm" && *folder));
    }

    #[test]
    fn what_cannot_be_had_says_how_to_get_it() {
        let root = Root::Missing(FileSystem::Tracefs, io::Error::from_raw_os_error(libc::EPERM));
        let e = root.text("events/x/format").unwrap_err().to_string();
        assert!(e.contains("(EPERM)") && e.contains("mount -t tracefs tracefs /sys/kernel/tracing"), "{e}");
        assert!(!root.exists("events"));
    }
}
