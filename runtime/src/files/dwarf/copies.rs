//! Where a function is inlined: calls that no probe at its entry sees.

use super::{DebugInfo, Error, FunctionTree, Unit};
use gimli::Section as _;
use std::collections::BTreeSet;
use std::rc::Rc;

/// One inlined copy of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlinedCopy {
    /// The function in whose code it lies.
    pub caller: Rc<str>,
    /// `FILE:LINE` of its first instruction, as source-line probes name it.
    pub line: Option<String>,
}

/// Names that end alike share their end in `.debug_str`: more places than this are not looked at.
const MAX_NAMES: usize = 4;
/// Units with a copy beyond this many are not looked at: functions of headers may be inlined everywhere.
const MAX_UNITS: usize = 8;

impl DebugInfo {
    /// The inlined copies of a function that the unit of this address has.
    pub fn copies_beside(&self, address: u64, function: &str) -> Result<Vec<InlinedCopy>, Error> {
        match self.unit_at(address)? {
            Some(unit) => self.copies_in(&unit, function),
            None => Ok(vec![]),
        }
    }

    /// The inlined copies of a function, as far as a few units have them. There is no index of names: all units are looked
    /// through for who mentions it.
    pub fn copies_of(&self, function: &str) -> Result<Vec<InlinedCopy>, Error> {
        let mut copies = vec![];
        for offset in self.units_that_mention(function)? {
            copies.extend(self.copies_in(&*self.unit(offset)?, function)?);
        }
        self.elf.release(".debug_info", 0..usize::MAX);
        Ok(copies)
    }

    fn copies_in(&self, unit: &Unit, function: &str) -> Result<Vec<InlinedCopy>, Error> {
        let entries: BTreeSet<usize> = unit.function_ranges(self)?.iter().map(|r| r.entry).collect();
        let mut copies = vec![];
        for entry in entries {
            let tree = unit.function(self, entry)?;
            // What the compiler splits off a function has a copy of it, too, but no calls of others.
            let Some(caller) = tree.name.as_ref().filter(|name| &***name != function) else { continue };
            for (index, _) in
                tree.inlined.iter().enumerate().filter(|(_, i)| i.name.as_deref() == Some(function))
            {
                copies.push(InlinedCopy { caller: caller.clone(), line: self.line_of(unit, &tree, index)? });
            }
        }
        Ok(copies)
    }

    /// The first line of a copy that is its own, not one of what is inlined into it.
    fn line_of(&self, unit: &Unit, tree: &FunctionTree, index: usize) -> Result<Option<String>, Error> {
        let lines = unit.lines(self)?;
        let ranges = &tree.inlined[index].ranges;
        let within = |address| ranges.iter().any(|r| r.contains(address));
        let mut own = lines.rows().filter(|row| row.line > 0 && within(row.address));
        let Some(row) = own.find(|row| tree.innermost_at(row.address) == Some(index)) else {
            return Ok(None);
        };
        let path = lines.path(row.file.into());
        Ok(path.map(|path| format!("{}:{}", unit.short_path(&path), row.line)))
    }

    /// Offsets of the units in which the place of the name in `.debug_str` stands.
    fn units_that_mention(&self, name: &str) -> Result<BTreeSet<usize>, Error> {
        let strings = self.dwarf.debug_str.reader().slice();
        let wanted = [name.as_bytes(), b"\0"].concat();
        let places = memchr::memmem::find_iter(strings, &wanted).take(MAX_NAMES);
        let entries = self.dwarf.debug_info.reader().slice();
        let mut units = BTreeSet::new();
        for place in places.filter_map(|at| u32::try_from(at).ok()) {
            for at in memchr::memmem::find_iter(entries, &place.to_le_bytes()) {
                units.insert(self.index()?.unit_before(at));
                if units.len() >= MAX_UNITS {
                    return Ok(units);
                }
            }
        }
        Ok(units)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Scratch, fixture};
    use super::*;

    #[test]
    fn copies_are_found_by_name_and_beside_the_function() {
        let scratch = Scratch::new();
        let Some(path) = fixture(&scratch, &[]) else { return };
        let info = DebugInfo::open(&path).unwrap();
        let copies = info.copies_of("checksum").unwrap();
        assert!(!copies.is_empty());
        assert!(
            copies.iter().all(|c| c.line.as_ref().is_some_and(|l| l.contains("fixture.c:"))),
            "{copies:?}"
        );
        assert_eq!(info.copies_of("nosuchfunction").unwrap(), []);
        assert!(copies.iter().all(|c| &*c.caller == "process"), "{copies:?}");
        let main = info.elf().symbols_named("main")[0].address;
        assert_eq!(info.copies_beside(main, "checksum").unwrap(), copies);
        assert_eq!(info.copies_beside(1, "checksum").unwrap(), []);
    }
}
