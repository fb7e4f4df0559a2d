//! Tables by which programs unwind the stacks of a process ([`UnwindRow`] says how they lie).

mod rules;

use super::symbols::mappings::{self, FileId, Mapping};
use rbtrace_codegen::object::{UnwindRow, UnwindRule};
use rules::Row;
use std::collections::HashMap;
use std::rc::Rc;

/// Makes tables. Files that processes share are read once.
#[derive(Debug, Default)]
pub struct Tables {
    files: HashMap<FileId, Rc<FileRules>>,
}

/// The rules of one file, by its own addresses.
#[derive(Debug, Default)]
struct FileRules {
    rows: Vec<Row>,
    /// Offsets in the file, and the addresses that are loaded from there, of its loaded parts.
    parts: Vec<(u64, u64, u64)>,
}

/// What a process had mapped when its table was made.
#[derive(Debug, PartialEq, Eq)]
pub struct Mapped(Vec<Mapping>);

impl Mapped {
    /// What the process has mapped now; `None` where it is gone.
    pub fn of(pid: u32) -> Option<Mapped> {
        mappings::read(pid).map(Mapped)
    }
}

impl Tables {
    /// The table of a process with these mappings, row by row. Empty where none of its files says how to unwind it.
    pub fn table(&mut self, pid: u32, mapped: &Mapped) -> Vec<u8> {
        let mut rows = vec![Row::unknown(0)];
        for mapping in &mapped.0 {
            let file = self.files.entry(mapping.file.clone()).or_insert_with(|| Rc::new(read(pid, mapping)));
            place(file, mapping, &mut rows);
        }
        if rows.iter().all(|row| row.rule == UnwindRule::Unknown) {
            return Vec::new();
        }
        rows.truncate((1 << UnwindRow::BITS) - 1);
        rows.iter().flat_map(Row::bytes).collect()
    }
}

/// Reads the file of a mapping; no rules where it has none.
fn read(pid: u32, mapping: &Mapping) -> FileRules {
    let Some(elf) = mapping.open(pid) else { return FileRules::default() };
    let parts = if mapping.is_file() { elf.parts() } else { vec![(0, 0, mapping.end - mapping.start)] };
    FileRules { rows: rules::of(&elf), parts }
}

/// Adds the rules of what is mapped, by the addresses of the process.
fn place(file: &FileRules, mapping: &Mapping, rows: &mut Vec<Row>) {
    let length = mapping.end - mapping.start;
    for &(offset, address, size) in &file.parts {
        // What the mapping and this part of the file have in common, as offsets in the file.
        let first = offset.max(mapping.offset);
        let end = offset.saturating_add(size).min(mapping.offset.saturating_add(length));
        if first >= end {
            continue;
        }
        let (own, own_end) = (address.saturating_add(first - offset), address.saturating_add(end - offset));
        let moved = |a: u64| (a - own).saturating_add(mapping.start).saturating_add(first - mapping.offset);
        let after = file.rows.partition_point(|row| row.address <= own);
        let before = file.rows[..after].last().map(|row| Row { address: own, ..*row });
        let inside = file.rows[after..].iter().take_while(|row| row.address < own_end).copied();
        rows.extend(before.into_iter().chain(inside).map(|row| Row { address: moved(row.address), ..row }));
        rows.push(Row::unknown(moved(own_end)));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bytes::u64_at;
    use crate::files::elf::Elf;

    /// Reads the rules of a file, whatever it holds, and lays them out for a process that has mapped all of it.
    pub(crate) fn read_all(elf: &Elf) {
        let file = FileRules { rows: rules::of(elf), parts: elf.parts() };
        let most = elf.size() / 2 + 2;
        assert!(file.rows.len() as u64 <= most && file.rows.is_sorted_by_key(|row| row.address));
        let (start, end) = (0x7000_0000_0000, 0x7000_0000_0000 + elf.size());
        let mapping = Mapping { start, end, offset: 0, file: ("08:01".into(), 7), path: "/lib/x".into() };
        let mut rows = vec![];
        place(&file, &mapping, &mut rows);
    }

    /// The row for an address: its start and its rule.
    fn row_at(table: &[u8], address: u64) -> (u64, u16) {
        let rows = table.chunks_exact(UnwindRow::SIZE as usize);
        let row = rows.take_while(|row| u64_at(row, 0) <= address).last().unwrap();
        (u64_at(row, 0), u16::from_le_bytes([row[14], row[15]]))
    }

    #[test]
    fn the_table_of_this_process_knows_its_code() {
        let mut tables = Tables::default();
        let mapped = Mapped::of(std::process::id()).unwrap();
        let table = tables.table(std::process::id(), &mapped);
        let addresses: Vec<u64> = table.chunks_exact(16).map(|row| u64_at(row, 0)).collect();
        assert!(addresses.is_sorted() && addresses[0] == 0 && addresses.len() > 1000);
        let here = the_table_of_this_process_knows_its_code as *const () as u64;
        let (start, rule) = row_at(&table, here);
        assert_eq!((start, rule), (here, UnwindRule::Sp as u16));
        assert_eq!(row_at(&table, 1).1, UnwindRule::Unknown as u16);
    }

    #[test]
    fn rules_move_with_what_is_mapped() {
        let row = |address| Row { address, cfa: 8, fp: 0, rule: UnwindRule::Sp };
        // The file's bytes from 0x1000 on are loaded to 0x3000.
        let file = FileRules {
            rows: vec![row(0x3000), row(0x3100), row(0x4800)],
            parts: vec![(0x1000, 0x3000, 0x2000)],
        };
        let mapping = Mapping {
            start: 0x7000_0000,
            end: 0x7000_1000,
            offset: 0x1000,
            file: ("08:01".into(), 7),
            path: "/lib/x".into(),
        };
        let mut rows = vec![];
        place(&file, &mapping, &mut rows);
        let found: Vec<_> = rows.iter().map(|r| (r.address, r.rule)).collect();
        let expected = [
            (0x7000_0000, UnwindRule::Sp),
            (0x7000_0100, UnwindRule::Sp),
            (0x7000_1000, UnwindRule::Unknown),
        ];
        assert_eq!(found, expected);
    }
}
