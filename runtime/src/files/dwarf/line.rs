//! The line table of one unit.

use super::Reader;
use gimli::{AttributeValue, ColumnType, LineProgramHeader};
use std::cell::OnceCell;
use std::rc::Rc;

/// More rows of one unit are not read: a byte of the file can make one.
const MAX_ROWS: usize = 1 << 22;

/// A row: from this address to the next row's, code is of this line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// First address.
    pub address: u64,
    /// The file, as the table numbers it.
    pub file: u32,
    /// The line, from 1; 0: of no line.
    pub line: u32,
    /// The column, from 1; 0: not known.
    pub column: u32,
    /// Is it a recommended place for a breakpoint?
    pub is_stmt: bool,
    /// Does the sequence end here? Then the row says nothing else.
    pub end: bool,
}

/// A line table.
#[derive(Debug, Default)]
pub struct Lines {
    /// Rows sequence after sequence; within one, in ascending order of addresses.
    rows: Vec<LineRow>,
    /// Start address, end address, first row and the row after the last; sorted by address.
    sequences: Vec<(u64, u64, usize, usize)>,
    header: Option<LineProgramHeader<Reader>>,
    directory: Option<Reader>,
    strings: Strings,
    paths: Vec<OnceCell<Option<Rc<str>>>>,
}

/// String sections that paths refer to.
#[derive(Debug, Default, Clone, Copy)]
struct Strings {
    line: gimli::DebugLineStr<Reader>,
    info: gimli::DebugStr<Reader>,
}

impl Lines {
    /// Runs the unit's line program.
    pub(super) fn read(dwarf: &gimli::Dwarf<Reader>, unit: &gimli::Unit<Reader>) -> gimli::Result<Lines> {
        match unit.line_program.clone() {
            Some(program) => Lines::run(dwarf, program, unit.comp_dir),
            None => Ok(Lines::default()),
        }
    }

    /// Runs a line program.
    pub(super) fn run(
        dwarf: &gimli::Dwarf<Reader>,
        program: gimli::IncompleteLineProgram<Reader>,
        directory: Option<Reader>,
    ) -> gimli::Result<Lines> {
        let strings = Strings { line: dwarf.debug_line_str, info: dwarf.debug_str };
        let mut lines = Lines { directory, strings, ..Lines::default() };
        let mut rows = program.rows();
        let mut first = 0;
        while let Some((_, row)) = rows.next_row()? {
            if lines.rows.len() >= MAX_ROWS {
                break;
            }
            lines.rows.push(convert(row));
            if row.end_sequence() {
                lines.close(first);
                first = lines.rows.len();
            }
        }
        // A sequence that is not ended says nothing about where its last row ends.
        lines.rows.truncate(first);
        lines.sequences.sort_unstable();
        let header = rows.header().clone();
        lines.paths = vec![OnceCell::new(); header.file_names().len() + 1];
        lines.header = Some(header);
        Ok(lines)
    }

    /// Ends the sequence that began with row `first`.
    fn close(&mut self, first: usize) {
        let rows = &mut self.rows[first..];
        if !rows.is_sorted_by_key(|r| r.address) {
            rows.sort_by_key(|r| r.address);
        }
        let (start, end) = (rows[0].address, rows[rows.len() - 1].address);
        // Code that the linker dropped is left at address 0 or at the highest.
        if start == 0 || start >= end {
            self.rows.truncate(first);
            return;
        }
        self.sequences.push((start, end, first, self.rows.len()));
    }

    /// The row of an address: the last one that does not begin after it.
    pub fn row_at(&self, address: u64) -> Option<LineRow> {
        let rows = self.sequence_at(address)?;
        let after = rows.partition_point(|r| r.address <= address);
        rows[..after].last().copied().filter(|r| !r.end)
    }

    fn sequence_at(&self, address: u64) -> Option<&[LineRow]> {
        let after = self.sequences.partition_point(|s| s.0 <= address);
        let sequence = self.sequences[..after].iter().rev().find(|s| address < s.1)?;
        Some(&self.rows[sequence.2..sequence.3])
    }

    /// All rows that begin code, sequences in ascending order.
    pub fn rows(&self) -> impl Iterator<Item = &LineRow> {
        self.sequences.iter().flat_map(|s| &self.rows[s.2..s.3]).filter(|r| !r.end)
    }

    /// Whole path of a file that the table or a call site names by number.
    pub fn path(&self, file: u64) -> Option<Rc<str>> {
        let cell = self.paths.get(usize::try_from(file).ok()?)?;
        cell.get_or_init(|| self.make_path(file)).clone()
    }

    /// Numbers of all files of the table.
    pub fn files(&self) -> std::ops::Range<u64> {
        0..self.paths.len() as u64
    }

    fn make_path(&self, file: u64) -> Option<Rc<str>> {
        let header = self.header.as_ref()?;
        let path = file_path(header, file, self.directory.as_ref(), |v| self.strings.get(v))?;
        Some(path.into())
    }
}

impl Strings {
    fn get(&self, value: AttributeValue<Reader>) -> Option<Reader> {
        match value {
            AttributeValue::String(text) => Some(text),
            AttributeValue::DebugLineStrRef(offset) => self.line.get_str(offset).ok(),
            AttributeValue::DebugStrRef(offset) => self.info.get_str(offset).ok(),
            _ => None,
        }
    }
}

fn convert(row: &gimli::LineRow) -> LineRow {
    LineRow {
        address: row.address(),
        file: row.file_index() as u32,
        line: row.line().map_or(0, |l| l.get() as u32),
        column: match row.column() {
            ColumnType::Column(c) => c.get() as u32,
            ColumnType::LeftEdge => 0,
        },
        is_stmt: row.is_stmt(),
        end: row.end_sequence(),
    }
}

/// `compilation directory/directory/name`, from the right until a part is absolute.
pub(super) fn file_path(
    header: &LineProgramHeader<Reader>,
    file: u64,
    compiled_in: Option<&Reader>,
    get: impl Fn(AttributeValue<Reader>) -> Option<Reader>,
) -> Option<String> {
    let entry = header.file(file)?;
    let mut path = get(entry.path_name())?.to_string_lossy().into_owned();
    let index = entry.directory_index();
    // Directory 0 is the compilation directory itself.
    if !path.starts_with('/')
        && index != 0
        && let Some(directory) = header.directory(index).and_then(&get)
    {
        path = format!("{}/{path}", directory.to_string_lossy());
    }
    let base = match compiled_in {
        Some(directory) => Some(*directory),
        None => header.directory(0).and_then(&get),
    };
    if !path.starts_with('/')
        && let Some(directory) = base
    {
        path = format!("{}/{path}", directory.to_string_lossy());
    }
    Some(path)
}
