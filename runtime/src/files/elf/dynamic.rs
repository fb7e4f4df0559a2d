//! What a file says to the dynamic linker: the libraries that it needs, and where to look for them.

use super::Elf;
use object::elf::{DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_STRTAB};
use object::{Object as _, ObjectSection as _};

/// The part of `.dynamic` that names libraries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Names of libraries.
    pub libraries: Vec<String>,
    /// Folders to look into, first; `$ORIGIN` stands for the file's own.
    pub folders: Vec<String>,
}

impl Elf {
    /// The libraries that the file is linked to; none where it is static, or its table is broken.
    pub fn needs(&self) -> Needs {
        self.try_needs().unwrap_or_default()
    }

    fn try_needs(&self) -> Option<Needs> {
        let wide = self.file.is_64();
        let table = self.file.section_by_name(".dynamic")?.data().ok()?;
        let word = |bytes: &[u8]| {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(word)
        };
        let size = if wide { 8 } else { 4 };
        let entries: Vec<(i64, u64)> =
            table.chunks_exact(2 * size).map(|e| (word(&e[..size]) as i64, word(&e[size..]))).collect();
        let find = |tag: i64| entries.iter().find(|(t, _)| *t == tag).map(|(_, value)| *value);
        let texts = find(DT_STRTAB.0)?;
        let text = |at: u64| {
            let rest = self.code(texts.checked_add(at)?, MOST)?;
            Some(String::from_utf8_lossy(&rest[..memchr::memchr(0, rest)?]).into_owned())
        };
        let needed = entries.iter().filter(|(tag, _)| *tag == DT_NEEDED.0);
        let folders = find(DT_RUNPATH.0).or_else(|| find(DT_RPATH.0)).and_then(text).unwrap_or_default();
        Some(Needs {
            libraries: needed.filter_map(|(_, at)| text(*at)).collect(),
            folders: folders.split(':').filter(|f| !f.is_empty()).map(str::to_owned).collect(),
        })
    }
}

/// Bytes of a name or a list of folders, at most.
const MOST: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::dwarf::tests::{Scratch, fixture};

    #[test]
    fn a_program_needs_its_c_library() {
        let scratch = Scratch::new();
        let Some(path) = fixture(&scratch, &["-Wl,-rpath,$ORIGIN/lib:/opt/lib"]) else { return };
        let needs = Elf::open(&path).unwrap().needs();
        assert!(needs.libraries.iter().any(|l| l.starts_with("libc.so")), "{needs:?}");
        assert_eq!(needs.folders, ["$ORIGIN/lib", "/opt/lib"]);
    }

    #[test]
    fn a_static_program_needs_none() {
        let scratch = Scratch::new();
        let Some(path) = fixture(&scratch, &["-static"]) else { return };
        assert_eq!(Elf::open(&path).unwrap().needs(), Needs::default());
    }
}
