//! Names of code that a run-time compiler made: `/tmp/perf-PID.map`
//! (tools/perf/Documentation/jit-interface.txt).
//!
//! Anybody can make a file of this name: it counts only where it is the process's user's own, or root's.

use crate::sys::untrusted;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// More of a file is not read.
const MOST: u64 = 64 << 20;

/// A file that keeps changing is not read again until this many times the reading time has passed.
const PAUSE: u32 = 20;

/// What a process has written so far.
#[derive(Debug, Default)]
pub(super) struct PerfMap {
    /// Start, end, and where in `text` the name stands; sorted by start.
    entries: Vec<(u64, u64, u32, u32)>,
    text: Vec<u8>,
    /// Time and length of the file that was read.
    version: Option<(SystemTime, u64)>,
    /// It is not looked at before.
    next: Option<Instant>,
    /// Why its names are not all there.
    note: Option<String>,
}

impl PerfMap {
    /// Names an address: name and offset. Reads the file anew where it has changed.
    pub(super) fn name(&mut self, pid: u32, address: u64) -> Option<(String, u64)> {
        self.find(address).or_else(|| {
            self.refresh(pid);
            self.find(address)
        })
    }

    /// What is worth knowing of the file, once.
    pub(super) fn take_note(&mut self) -> Option<String> {
        self.note.take()
    }

    fn find(&self, address: u64) -> Option<(String, u64)> {
        let after = self.entries.partition_point(|e| e.0 <= address);
        // Code is replaced by newer code: the last entry that fits counts.
        let entry = self.entries[..after].last().filter(|e| address < e.1)?;
        let name = self.text.get(entry.2 as usize..entry.3 as usize)?;
        Some((String::from_utf8_lossy(name).into_owned(), address - entry.0))
    }

    fn refresh(&mut self, pid: u32) {
        let now = Instant::now();
        if self.next.is_some_and(|next| now < next) {
            return;
        }
        let process = Process::of(pid);
        let paths =
            [format!("/proc/{pid}/root/tmp/perf-{}.map", process.inner_pid), format!("/tmp/perf-{pid}.map")];
        // A link is looked at itself: it is refused below.
        let found = paths.iter().map(PathBuf::from).find_map(|p| Some((fs::symlink_metadata(&p).ok()?, p)));
        let Some((metadata, path)) = found else { return };
        let version = metadata.modified().ok().map(|time| (time, metadata.len()));
        if version.is_some() && version == self.version {
            return;
        }
        self.version = version;
        if let Err(error) = self.read(&path, &[process.user, 0]) {
            self.note = Some(format!("{} is not used: {error}", path.display()));
        }
        self.next = Some(now + (now.elapsed() * PAUSE).min(Duration::from_secs(60)));
    }

    fn read(&mut self, path: &Path, owners: &[u32]) -> io::Result<()> {
        let (text, more) = untrusted::read(untrusted::open_of(path, owners)?, MOST)?;
        if more {
            self.note = Some(format!("of {} only the first {} MiB are used", path.display(), MOST >> 20));
        }
        self.entries = parse(&text);
        self.text = text;
        Ok(())
    }
}

/// What /proc/PID/status says of a process.
struct Process {
    /// Its number in its own namespace, by which it names its file.
    inner_pid: u32,
    /// The user whose rights it has.
    user: u32,
}

impl Process {
    fn of(pid: u32) -> Process {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let number = |name: &str, at: fn(&str) -> Option<&str>| {
            status.lines().find_map(|l| at(l.strip_prefix(name)?)?.parse().ok())
        };
        let inner_pid = number("NSpid:", |l| l.split_whitespace().last()).unwrap_or(pid);
        // Real, effective, saved, of the file system (`proc_pid_status(5)`).
        let user = number("Uid:", |l| l.split_whitespace().nth(1)).unwrap_or(0);
        Process { inner_pid, user }
    }
}

/// `START SIZE name with blanks`, numbers in hex.
fn parse(text: &[u8]) -> Vec<(u64, u64, u32, u32)> {
    let mut entries = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive(|&b| b == b'\n') {
        entries.extend(entry(line, at));
        at += line.len();
    }
    entries.sort_by_key(|e: &(u64, u64, u32, u32)| e.0);
    entries
}

/// The entry of a line that begins at this offset.
fn entry(line: &[u8], at: usize) -> Option<(u64, u64, u32, u32)> {
    let mut fields = line.splitn(3, |&b| b == b' ');
    let mut number = || {
        let field = std::str::from_utf8(fields.next()?).ok()?;
        u64::from_str_radix(field.trim_start_matches("0x"), 16).ok()
    };
    let (start, size) = (number()?, number()?);
    let name = fields.next()?;
    let begin = at + line.len() - name.len();
    let end = u32::try_from(begin + name.trim_ascii_end().len()).ok()?;
    Some((start, start.checked_add(size)?, begin as u32, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::dwarf::tests::Scratch;

    fn map(text: &[u8]) -> PerfMap {
        PerfMap { entries: parse(text), text: text.to_vec(), ..PerfMap::default() }
    }

    #[test]
    fn names_with_blanks_and_later_entries() {
        let map =
            map(b"3ef414c0 398 RegExp:[{(] x\n3ef418a0 398 old\n3ef418a0 10 new \r\nno entry\n0x1 1 \xff");
        assert_eq!(map.find(0x3ef414c1), Some(("RegExp:[{(] x".into(), 1)));
        assert_eq!(map.find(0x3ef418a2), Some(("new".into(), 2)));
        assert_eq!(map.find(1), Some(("\u{fffd}".into(), 0)));
        assert_eq!(map.find(0x3ef40000), None);
        assert_eq!(map.find(0x3ef41fff), None);
    }

    #[test]
    fn any_text_is_read() {
        let good = b"3ef414c0 398 RegExp:[{(] x\n3ef418a0 398 old\nffffffffffffffff 1 y\n1 2\n";
        let mut seed = 0x9e37_79b9_u32;
        for _ in 0..20_000 {
            let mut text = good.to_vec();
            for _ in 0..3 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = (seed >> 7) as usize % text.len();
                text[at] = [b' ', b'\n', b'0', 0xff, 0, (seed >> 24) as u8][(seed >> 4) as usize % 6];
            }
            let map = map(&text);
            for entry in &map.entries {
                let _ = map.find(entry.0);
            }
        }
    }

    #[test]
    fn links_pipes_and_files_of_others_are_refused() {
        let scratch = Scratch::new();
        let (link, file) = (scratch.0.join("link"), scratch.0.join("file"));
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        fs::write(&file, "1 2 x\n").unwrap();
        let mut map = PerfMap::default();
        assert!(map.read(&link, &[0]).is_err());
        let own = Process::of(std::process::id()).user;
        assert!(map.read(&file, &[own + 1]).is_err() && map.entries.is_empty());
        map.read(&file, &[own]).unwrap();
        assert_eq!(map.find(2), Some(("x".into(), 1)));
    }
}
