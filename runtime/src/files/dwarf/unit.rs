//! One unit (source file) of debug information.

use super::function::{self, FunctionRange};
use super::{DebugInfo, Error, FunctionTree, Lines, Reader};
use crate::files::elf::Kept;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// A unit, with what was read of it so far.
#[derive(Debug)]
pub struct Unit {
    pub(super) inner: gimli::Unit<Reader>,
    ranges: OnceCell<Vec<FunctionRange>>,
    functions: RefCell<HashMap<usize, Rc<FunctionTree>>>,
    lines: OnceCell<Lines>,
    // What the readers above read: dropped last.
    _bytes: Rc<[Kept]>,
}

impl Unit {
    pub(super) fn new(inner: gimli::Unit<Reader>, bytes: Rc<[Kept]>) -> Unit {
        let (ranges, functions, lines) = (OnceCell::new(), RefCell::default(), OnceCell::new());
        Unit { inner, ranges, functions, lines, _bytes: bytes }
    }

    /// The source file's name as the compiler was given it.
    pub fn name(&self) -> Option<&str> {
        self.inner.name.as_ref().and_then(|n| std::str::from_utf8(n.slice()).ok())
    }

    /// The language of its source.
    pub(super) fn language(&self) -> Option<gimli::DwLang> {
        let root = self.inner.entry(self.inner.header.root_offset()).ok()?;
        match root.attr_value(gimli::DW_AT_language)? {
            gimli::AttributeValue::Language(language) => Some(language),
            _ => None,
        }
    }

    /// The directory in which it was compiled.
    pub fn directory(&self) -> Option<&str> {
        self.inner.comp_dir.as_ref().and_then(|n| std::str::from_utf8(n.slice()).ok())
    }

    /// `path` without the part that all files of the source tree share.
    pub fn short_path<'p>(&self, path: &'p str) -> &'p str {
        let Some(directory) = self.directory() else { return path };
        let name = self.name().unwrap_or_default();
        let root = if name.starts_with('/') { common_directory(directory, name) } else { directory };
        let short = path.strip_prefix(root).and_then(|p| p.strip_prefix('/'));
        short.filter(|_| !root.is_empty()).unwrap_or_else(|| below_linux(path))
    }

    /// The unit's line table.
    pub fn lines(&self, info: &DebugInfo) -> Result<&Lines, Error> {
        if let Some(lines) = self.lines.get() {
            return Ok(lines);
        }
        let lines = info.read(Lines::read(&info.dwarf, &self.inner))?;
        Ok(self.lines.get_or_init(|| lines))
    }

    /// The function of this unit whose code an address is: the smallest range that holds it.
    pub(super) fn function_at(
        &self,
        info: &DebugInfo,
        address: u64,
    ) -> Result<Option<Rc<FunctionTree>>, Error> {
        let holds = |r: &&FunctionRange| r.range.contains(address);
        let ranges = self.function_ranges(info)?;
        let best = ranges.iter().filter(holds).min_by_key(|r| r.range.end - r.range.start);
        best.map(|r| self.function(info, r.entry)).transpose()
    }

    /// Address ranges of the unit's functions.
    pub(super) fn function_ranges(&self, info: &DebugInfo) -> Result<&[FunctionRange], Error> {
        if let Some(ranges) = self.ranges.get() {
            return Ok(ranges);
        }
        let ranges = info.read(function::ranges(&info.dwarf, &self.inner))?;
        Ok(self.ranges.get_or_init(|| ranges))
    }

    pub(super) fn function(&self, info: &DebugInfo, entry: usize) -> Result<Rc<FunctionTree>, Error> {
        if let Some(function) = self.functions.borrow().get(&entry) {
            return Ok(function.clone());
        }
        let function = Rc::new(function::read(info, self, entry)?);
        self.functions.borrow_mut().insert(entry, function.clone());
        Ok(function)
    }
}

/// What follows a directory like `linux-6.1.192`: assembler units name their source by its whole path.
fn below_linux(path: &str) -> &str {
    let Some(at) = path.rfind("/linux-") else { return path };
    path[at + 1..].split_once('/').map_or(path, |(_, below)| below)
}

/// The longest run of whole path components with which both paths begin.
fn common_directory<'a>(a: &'a str, b: &str) -> &'a str {
    let ends = a.match_indices('/').map(|(at, _)| at).chain([a.len()]);
    let shared = |&end: &usize| b.get(..end) == a.get(..end) && b[end..].starts_with('/');
    &a[..ends.take_while(shared).last().unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_paths_share() {
        assert_eq!(common_directory("/build/linux/debian/x", "/build/linux/net/arp.c"), "/build/linux");
        assert_eq!(common_directory("/a/b", "/a/bc/d.c"), "/a");
        assert_eq!(common_directory("/a", "/b/c"), "");
    }

    #[test]
    fn the_tree_of_an_assembler_file() {
        let path = "/build/reproducible-path/linux-6.1.192/arch/x86/entry/entry_64.S";
        assert_eq!(below_linux(path), "arch/x86/entry/entry_64.S");
        assert_eq!(below_linux("/usr/include/linux/tcp.h"), "/usr/include/linux/tcp.h");
        assert_eq!(below_linux("/src/linux-file.c"), "/src/linux-file.c");
    }
}
