//! A process's executable mappings: `/proc/PID/maps` (`proc_pid_maps(5)`).

use crate::files::elf::Elf;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// A vdso is two pages; more is not read.
const MAX_VDSO: u64 = 1 << 16;

/// Device as the kernel prints it, and inode; inode 0: no file.
pub(in crate::files) type FileId = (Box<str>, u64);

/// A mapping of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::files) struct Mapping {
    /// First address.
    pub(in crate::files) start: u64,
    /// One past the last.
    pub(in crate::files) end: u64,
    /// Offset in the file of the first byte.
    pub(in crate::files) offset: u64,
    /// The file.
    pub(in crate::files) file: FileId,
    /// Path, `[vdso]`, or nothing.
    pub(in crate::files) path: Box<str>,
}

impl Mapping {
    /// Is it of a file?
    pub(in crate::files) fn is_file(&self) -> bool {
        self.file.1 != 0
    }

    /// Is it the kernel's own code for processes?
    pub(in crate::files) fn is_vdso(&self) -> bool {
        &*self.path == "[vdso]"
    }

    /// Opens the file that was mapped, and no other one that has taken its path.
    pub(in crate::files) fn open(&self, pid: u32) -> Option<Elf> {
        if self.is_vdso() {
            return self.open_vdso(pid);
        }
        if !self.is_file() {
            return None;
        }
        let same = |path: &Path| fs::metadata(path).is_ok_and(|m| m.ino() == self.file.1);
        self.ways(pid).iter().filter(|p| same(p)).find_map(|p| Elf::open(p).ok())
    }

    /// The vdso is in no file; it is read from the process.
    fn open_vdso(&self, pid: u32) -> Option<Elf> {
        let length = (self.end - self.start).min(MAX_VDSO);
        let mut bytes = vec![0; length as usize];
        File::open(format!("/proc/{pid}/mem")).ok()?.read_exact_at(&mut bytes, self.start).ok()?;
        Elf::of_bytes(bytes, "[vdso]").ok()
    }

    /// The path without the mark of a file that was removed.
    pub(in crate::files) fn plain_path(&self) -> &str {
        self.path.strip_suffix(" (deleted)").unwrap_or(&self.path)
    }

    /// Ways to the mapped file, the surest first. Another process may see other files by the same path.
    fn ways(&self, pid: u32) -> [PathBuf; 3] {
        let path = self.plain_path();
        [
            PathBuf::from(format!("/proc/{pid}/root{path}")),
            PathBuf::from(format!("/proc/{pid}/map_files/{:x}-{:x}", self.start, self.end)),
            PathBuf::from(path),
        ]
    }
}

/// Executable mappings of a process, by address. `None` where the process is gone.
pub(in crate::files) fn read(pid: u32) -> Option<Vec<Mapping>> {
    let text = fs::read(Path::new("/proc").join(pid.to_string()).join("maps")).ok()?;
    let mappings = parse(&String::from_utf8_lossy(&text));
    // A process that has exited and is not yet waited for has an empty file.
    (!mappings.is_empty()).then_some(mappings)
}

fn parse(text: &str) -> Vec<Mapping> {
    text.lines().filter_map(parse_line).collect()
}

/// `55d0c8a00000-55d0c8a25000 r-xp 00002000 08:01 1234    /usr/bin/cat`
fn parse_line(line: &str) -> Option<Mapping> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let rights = fields.next()?;
    if rights.as_bytes().get(2) != Some(&b'x') {
        return None;
    }
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let offset = number(fields.next()?)?;
    let device = fields.next()?;
    let inode = fields.next()?.parse().ok()?;
    let path = fields.next().unwrap_or("").trim_start();
    Some(Mapping {
        start: number(start)?,
        end: number(end)?,
        offset,
        file: (device.into(), inode),
        path: path.into(),
    })
}

/// When a process began, in clock ticks since boot (field 22 of `/proc/PID/stat`): together with its
/// number it names a process for good. `None` where it is gone.
pub(in crate::files) fn start_time(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name, in parentheses, and may hold anything.
    text.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executable_mappings_are_kept() {
        let text = "\
55d0c8a00000-55d0c8a02000 r--p 00000000 08:01 77                         /usr/bin/my cat
55d0c8a02000-55d0c8a25000 r-xp 00002000 08:01 77                         /usr/bin/my cat (deleted)
7ffd3a5f2000-7ffd3a5f4000 r-xp 00000000 00:00 0                          [vdso]
7f0000000000-7f0000001000 rwxp 00000000 00:00 0 
broken line
";
        let maps = parse(text);
        assert_eq!(maps.len(), 3);
        assert_eq!((maps[0].start, maps[0].end, maps[0].offset), (0x55d0c8a02000, 0x55d0c8a25000, 0x2000));
        assert_eq!((maps[0].plain_path(), maps[0].is_file()), ("/usr/bin/my cat", true));
        assert_eq!((&*maps[1].path, maps[1].is_file()), ("[vdso]", false));
        assert_eq!(&*maps[2].path, "");
    }

    #[test]
    fn the_process_itself_has_a_start_and_mappings() {
        let pid = std::process::id();
        assert!(start_time(pid).is_some());
        let here = the_process_itself_has_a_start_and_mappings as *const () as u64;
        let maps = read(pid).unwrap();
        assert!(maps.iter().any(|m| (m.start..m.end).contains(&here) && m.is_file()));
        assert!(read(u32::MAX).is_none() && start_time(u32::MAX).is_none());
    }
}
