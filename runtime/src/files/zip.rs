//! Files inside ZIP archives: `ARCHIVE!/ENTRY`, as Android's run-time linker names libraries that it maps right out of
//! packages (APPNOTE.TXT of PKWARE).
//!
//! Only what stands in the archive as it is can be mapped, and so be probed: neither packed nor encrypted.

use std::ops::Range;
use std::path::{Path, PathBuf};

const END: u32 = 0x0605_4b50;
const END_SIZE: usize = 22;
/// The comment behind the end has at most this many bytes.
const MAX_COMMENT: usize = 0xffff;
const ENTRY: u32 = 0x0201_4b50;
const ENTRY_SIZE: usize = 46;
const LOCAL: u32 = 0x0403_4b50;
const LOCAL_SIZE: usize = 30;

/// The archive and the entry that a path names; `None` where it names a file of its own.
pub fn split(path: &str) -> Option<(&str, &str)> {
    let (archive, entry) = path.split_once("!/")?;
    (!Path::new(path).exists()).then_some((archive, entry))
}

/// The file that the kernel knows by a path: the archive where it names an entry.
pub fn file_of(path: &str) -> &str {
    split(path).map_or(path, |(archive, _)| archive)
}

/// The same of a path.
pub(super) fn split_path(path: &Path) -> Option<(PathBuf, &str)> {
    split(path.to_str()?).map(|(archive, entry)| (PathBuf::from(archive), entry))
}

/// Where the bytes of an entry lie in the archive, or why they cannot be used.
pub(super) fn entry(archive: &[u8], name: &str) -> Result<Range<usize>, String> {
    let end = end(archive).ok_or("it is not a ZIP archive")?;
    let (count, mut at) =
        (half(archive, end + 10).unwrap_or(0), word(archive, end + 16).unwrap_or(0) as usize);
    for _ in 0..count {
        let damaged = || "its list of entries is damaged".to_owned();
        let head = at.checked_add(ENTRY_SIZE).and_then(|e| archive.get(at..e)).ok_or_else(damaged)?;
        if word(head, 0) != Some(ENTRY) {
            return Err(damaged());
        }
        let length = |at| usize::from(half(head, at).unwrap_or(0));
        let own =
            archive.get(at + ENTRY_SIZE..).and_then(|rest| rest.get(..length(28))).ok_or_else(damaged)?;
        if own == name.as_bytes() {
            return stored(archive, head).map_err(|why| format!("'{name}' in it {why}"));
        }
        at += ENTRY_SIZE + length(28) + length(30) + length(32);
    }
    Err(format!("it has no '{name}'"))
}

/// The record at the archive's end.
fn end(archive: &[u8]) -> Option<usize> {
    let last = archive.len().checked_sub(END_SIZE)?;
    (last.saturating_sub(MAX_COMMENT)..=last).rev().find(|&at| word(archive, at) == Some(END))
}

fn stored(archive: &[u8], head: &[u8]) -> Result<Range<usize>, &'static str> {
    if half(head, 10) != Some(0) {
        return Err("is packed: only what is stored as it is can be mapped");
    }
    if half(head, 8).is_none_or(|flags| flags & 1 != 0) {
        return Err("is encrypted");
    }
    let (size, at) = (word(head, 20).unwrap_or(0) as usize, word(head, 42).unwrap_or(0) as usize);
    let local = at.checked_add(LOCAL_SIZE).and_then(|end| archive.get(at..end)).ok_or("is not there")?;
    if word(local, 0) != Some(LOCAL) {
        return Err("is not there");
    }
    let length = |at| usize::from(half(local, at).unwrap_or(0));
    let start = at + LOCAL_SIZE + length(26) + length(28);
    let range = start..start.saturating_add(size);
    if archive.get(range.clone()).is_none() { Err("is cut off") } else { Ok(range) }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive with these entries: name, way of packing, bytes.
    fn archive(entries: &[(&str, u16, &[u8])]) -> Vec<u8> {
        let (mut out, mut list) = (b"before".to_vec(), vec![]);
        for (name, packed, data) in entries {
            let (at, size) = (out.len() as u32, data.len() as u32);
            let mut head = [0; LOCAL_SIZE];
            head[..4].copy_from_slice(&LOCAL.to_le_bytes());
            head[26..28].copy_from_slice(&(name.len() as u16).to_le_bytes());
            head[28..30].copy_from_slice(&3u16.to_le_bytes());
            out.extend([&head[..], name.as_bytes(), b"pad", data].concat());
            let mut head = [0; ENTRY_SIZE];
            head[..4].copy_from_slice(&ENTRY.to_le_bytes());
            head[10..12].copy_from_slice(&packed.to_le_bytes());
            head[20..24].copy_from_slice(&size.to_le_bytes());
            head[28..30].copy_from_slice(&(name.len() as u16).to_le_bytes());
            head[42..46].copy_from_slice(&at.to_le_bytes());
            list.extend([&head[..], name.as_bytes()].concat());
        }
        let mut end = [0; END_SIZE];
        end[..4].copy_from_slice(&END.to_le_bytes());
        end[10..12].copy_from_slice(&(entries.len() as u16).to_le_bytes());
        end[16..20].copy_from_slice(&(out.len() as u32).to_le_bytes());
        out.extend([&list[..], &end, b"a comment"].concat());
        out
    }

    #[test]
    fn entries_are_found_where_they_are_stored() {
        let zip = archive(&[("a", 0, b"first"), ("lib/b.so", 0, b"second"), ("c", 8, b"third")]);
        assert_eq!(&zip[entry(&zip, "lib/b.so").unwrap()], b"second");
        assert_eq!(entry(&zip, "d").unwrap_err(), "it has no 'd'");
        assert!(entry(&zip, "c").unwrap_err().starts_with("'c' in it is packed"));
        assert_eq!(entry(b"no archive at all, but long enough", "a").unwrap_err(), "it is not a ZIP archive");
    }

    #[test]
    fn damage_gives_an_error_or_an_entry() {
        let good = archive(&[("a", 0, b"first"), ("b", 0, b"second")]);
        for at in 0..good.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                let _ = (entry(&bad, "a").map(|r| bad[r].len()), entry(&bad[..at], "b"));
            }
        }
    }

    #[test]
    fn a_path_names_an_entry_or_a_file() {
        assert_eq!(split("/x/app.apk!/lib/x.so"), Some(("/x/app.apk", "lib/x.so")));
        assert_eq!((split("/x/app.apk"), file_of("/x/a.apk!/b")), (None, "/x/a.apk"));
    }
}
