//! Names of code that a run-time compiler made: `/tmp/perf-PID.map`
//! (tools/perf/Documentation/jit-interface.txt).

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

/// What a process has written so far.
#[derive(Debug, Default)]
pub(super) struct PerfMap {
    /// Start, end and name; sorted by start.
    entries: Vec<(u64, u64, Box<str>)>,
    /// Time and length of the file that was read.
    version: Option<(SystemTime, u64)>,
}

impl PerfMap {
    /// Names an address: name and offset. Reads the file anew where it has changed.
    pub(super) fn name(&mut self, pid: u32, address: u64) -> Option<(Box<str>, u64)> {
        self.find(address).or_else(|| {
            self.refresh(pid);
            self.find(address)
        })
    }

    fn find(&self, address: u64) -> Option<(Box<str>, u64)> {
        let after = self.entries.partition_point(|e| e.0 <= address);
        // Code is replaced by newer code: the last entry that fits counts.
        let entry = self.entries[..after].last().filter(|e| address < e.1)?;
        Some((entry.2.clone(), address - entry.0))
    }

    fn refresh(&mut self, pid: u32) {
        let paths =
            [format!("/proc/{pid}/root/tmp/perf-{}.map", inner_pid(pid)), format!("/tmp/perf-{pid}.map")];
        let found = paths.iter().map(PathBuf::from).find_map(|p| Some((fs::metadata(&p).ok()?, p)));
        let Some((metadata, path)) = found else { return };
        let version = metadata.modified().ok().map(|time| (time, metadata.len()));
        if version.is_some() && version == self.version {
            return;
        }
        if let Ok(text) = fs::read(path) {
            self.entries = parse(&String::from_utf8_lossy(&text));
            self.version = version;
        }
    }
}

/// The process's number in its own namespace, by which it names its file.
fn inner_pid(pid: u32) -> u32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("NSpid:"));
    line.and_then(|l| l.split_whitespace().last()?.parse().ok()).unwrap_or(pid)
}

/// `START SIZE name with blanks`, numbers in hex.
fn parse(text: &str) -> Vec<(u64, u64, Box<str>)> {
    let entry = |line: &str| {
        let mut fields = line.splitn(3, ' ');
        let number = |text: Option<&str>| u64::from_str_radix(text?.trim_start_matches("0x"), 16).ok();
        let (start, size) = (number(fields.next())?, number(fields.next())?);
        Some((start, start.checked_add(size)?, fields.next()?.trim_end().into()))
    };
    let mut entries: Vec<_> = text.lines().filter_map(entry).collect();
    entries.sort_by_key(|e: &(u64, u64, Box<str>)| e.0);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_blanks_and_later_entries() {
        let text = "3ef414c0 398 RegExp:[{(] x\n3ef418a0 398 old\n3ef418a0 10 new\nno entry\n";
        let map = PerfMap { entries: parse(text), version: None };
        assert_eq!(map.find(0x3ef414c1), Some(("RegExp:[{(] x".into(), 1)));
        assert_eq!(map.find(0x3ef418a2), Some(("new".into(), 2)));
        assert_eq!(map.find(0x3ef40000), None);
        assert_eq!(map.find(0x3ef41fff), None);
    }
}
