//! Static probes (USDT): the notes that `sys/sdt.h` and its like leave in a file.
//!
//! A note has three addresses (of the probe, of `.stapsdt.base` when the file was linked, of the semaphore), then
//! three texts that end with a NUL: provider, name, arguments.

use super::Elf;
use crate::files::Error;
use object::elf::{FileHeader64, NoteType};
use object::read::elf::NoteIterator;
use object::{LittleEndian, Object as _, ObjectSection as _};
use std::borrow::Cow;

/// Where the notes are.
const SECTION: &str = ".note.stapsdt";
/// What owns them.
const OWNER: &[u8] = b"stapsdt";
/// Their type.
const KIND: NoteType = NoteType(3);
/// A section whose address the notes remember: where it lies elsewhere, something (prelink) has moved all that the
/// notes speak of.
const BASE: &str = ".stapsdt.base";

/// One place of a static probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticProbe<'a> {
    /// Who provides it.
    pub provider: Cow<'a, str>,
    /// Its name.
    pub name: Cow<'a, str>,
    /// Where its arguments lie, as the assembler wrote it.
    pub arguments: Cow<'a, str>,
    /// Address of the instruction.
    pub address: u64,
    /// Address of the counter that says whether somebody traces it.
    pub semaphore: Option<u64>,
}

impl Elf {
    /// The places of all static probes, as the file has them.
    pub fn static_probes(&self) -> Result<Vec<StaticProbe<'_>>, Error> {
        let base = self.file.section_by_name(BASE).map_or(0, |s| s.address());
        let mut found = vec![];
        for section in self.file.sections().filter(|s| s.name() == Ok(SECTION)) {
            let data = section.data().map_err(|e| self.broken_note(&e.to_string()))?;
            // Both classes have the same header, of 32-bit words.
            let notes = NoteIterator::<FileHeader64<LittleEndian>>::new(LittleEndian, section.align(), data);
            let mut notes = notes.map_err(|e| self.broken_note(&e.to_string()))?;
            while let Some(note) = notes.next().map_err(|e| self.broken_note(&e.to_string()))? {
                if note.name() != OWNER || note.n_type(LittleEndian) != KIND {
                    continue;
                }
                let probe = read(note.desc(), self.file.is_64(), base);
                found.push(probe.ok_or_else(|| self.broken_note("it ends too early"))?);
            }
        }
        Ok(found)
    }

    fn broken_note(&self, why: &str) -> Error {
        Error::Elf { path: self.path().to_path_buf(), what: format!("a note of {SECTION}: {why}") }
    }
}

/// Takes a note apart; `None` where it is too short.
fn read(note: &[u8], wide: bool, base: u64) -> Option<StaticProbe<'_>> {
    let mut rest = note;
    let mut address = || {
        let (word, tail) = rest.split_at_checked(if wide { 8 } else { 4 })?;
        rest = tail;
        let mut bytes = [0; 8];
        bytes[..word.len()].copy_from_slice(word);
        Some(u64::from_le_bytes(bytes))
    };
    let (place, linked, semaphore) = (address()?, address()?, address()?);
    let moved = if base == 0 || linked == 0 { 0 } else { base.wrapping_sub(linked) };
    let mut text = || {
        let end = memchr::memchr(0, rest)?;
        let text = String::from_utf8_lossy(&rest[..end]);
        rest = &rest[end + 1..];
        Some(text)
    };
    Some(StaticProbe {
        provider: text()?,
        name: text()?,
        arguments: text()?,
        address: place.wrapping_add(moved),
        semaphore: (semaphore != 0).then(|| semaphore.wrapping_add(moved)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::dwarf::tests::Scratch;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    /// A note of 64-bit addresses.
    fn note(addresses: [u64; 3], texts: &str) -> Vec<u8> {
        let mut bytes: Vec<u8> = addresses.iter().flat_map(|a| a.to_le_bytes()).collect();
        bytes.extend(texts.as_bytes());
        bytes
    }

    #[test]
    fn a_note_in_its_parts() {
        let bytes = note([0x1000, 0x500, 0x2000], "app\0start\0-4@%edi 8@$5\0");
        let probe = read(&bytes, true, 0).unwrap();
        assert_eq!((&*probe.provider, &*probe.name, &*probe.arguments), ("app", "start", "-4@%edi 8@$5"));
        assert_eq!((probe.address, probe.semaphore), (0x1000, Some(0x2000)));
        let narrow = [&[1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0], &b"a\0b\0\0"[..]].concat();
        let probe = read(&narrow, false, 0).unwrap();
        assert_eq!((probe.address, probe.semaphore, &*probe.arguments), (1, None, ""));
    }

    #[test]
    fn what_was_moved_after_linking_is_found_where_it_is() {
        let bytes = note([0x1000, 0x500, 0x2000], "a\0b\0\0");
        let at = |base| read(&bytes, true, base).map(|p| (p.address, p.semaphore));
        assert_eq!(at(0x500), Some((0x1000, Some(0x2000))));
        assert_eq!(at(0x10500), Some((0x11000, Some(0x12000))));
        assert_eq!(at(0x400), Some((0xf00, Some(0x1f00))));
    }

    #[test]
    fn a_note_that_ends_too_early_is_none() {
        let bytes = note([1, 2, 3], "a\0b\0c\0");
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end], true, 0), None, "{end}");
        }
        assert!(read(&bytes, true, 0).is_some());
    }

    /// A program with static probes; `None` (and a note) where there is no C compiler.
    fn program(scratch: &Scratch) -> Option<PathBuf> {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/programs/static_probes.c");
        let out = scratch.0.join("program");
        let status = Command::new("gcc").args(["-O1", "-w", source, "-o"]).arg(&out).status();
        match status {
            Ok(status) => assert!(status.success(), "gcc failed"),
            Err(e) => {
                eprintln!("skipped: gcc: {e}");
                return None;
            }
        }
        Some(out)
    }

    fn probes(path: &Path) -> Result<Vec<String>, Error> {
        let elf = Elf::open(path)?;
        let all = elf.static_probes()?;
        for probe in &all {
            // What follows must not mind a broken address either.
            let _ = (elf.offset_of_address(probe.address), probe.semaphore.map(|s| elf.offset_of_address(s)));
        }
        let _ = elf.needs();
        Ok(all.iter().map(|p| format!("{}:{} {}", p.provider, p.name, p.arguments)).collect())
    }

    #[test]
    fn a_program_with_probes() {
        let scratch = Scratch::new();
        let Some(path) = program(&scratch) else { return };
        let found = probes(&path).unwrap();
        assert!(found.iter().any(|p| p.starts_with("shop:open -4@")), "{found:?}");
        let elf = Elf::open(&path).unwrap();
        for probe in elf.static_probes().unwrap() {
            let code = elf.code(probe.address, 1);
            assert_eq!(code, Some(&[0x90][..]), "{probe:?} is at a nop");
        }
    }

    /// 500 files with some bytes changed: an answer or an error, in no time.
    #[test]
    fn broken_files_are_refused_or_read() {
        let scratch = Scratch::new();
        let Some(path) = program(&scratch) else { return };
        let whole = std::fs::read(&path).unwrap();
        let notes = memchr::memmem::find(&whole, b"stapsdt\0").unwrap();
        let broken = scratch.0.join("broken");
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % below.max(1) as u64) as usize
        };
        for round in 0..500 {
            let mut bytes = whole.clone();
            // By turns: the header, the table of sections at the end, the notes, anywhere; or the end is lost.
            let (from, size) = match round % 5 {
                0 => (0, 64),
                1 => (whole.len().saturating_sub(4096), 4096),
                2 => (notes.saturating_sub(16), 2048),
                _ => (0, whole.len()),
            };
            for _ in 0..1 + next(8) {
                let at = (from + next(size)).min(bytes.len() - 1);
                bytes[at] = next(256) as u8;
            }
            if round % 5 == 4 {
                bytes.truncate(next(whole.len()));
            }
            std::fs::write(&broken, &bytes).unwrap();
            let _ = probes(&broken);
        }
    }
}
