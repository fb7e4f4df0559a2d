//! Looking through the line tables of all units.

use super::line::file_path;
use super::source::{LineQuery, Search, normal, path_ends_with};
use super::{DebugInfo, Error, Lines, Reader};
use gimli::{AttributeValue, DebugLineOffset, IncompleteLineProgram, LineProgramHeader, Section};
use std::collections::HashMap;
use std::rc::Rc;

/// Pages of `.debug_line` are given back after this many bytes.
const RELEASE_STEP: usize = 1 << 20;

/// How many units are kept; a header file's line may be in hundreds.
const MAX_UNITS: usize = 16;

impl DebugInfo {
    /// Searches every line table whose files include the one that is meant.
    pub(super) fn search_all(&self, query: LineQuery, search: &mut Search) -> Result<(), Error> {
        let mut names = FileNames { info: self, wanted: base_name(query.file), known: HashMap::new() };
        let (mut offset, mut released) = (0, 0);
        while let Some(program) = self.read(self.line_program(offset))? {
            let header = program.header();
            let (at, next) = (offset, end_of(header));
            if names.has(header) {
                let (meant, others) = self.paths_named(header, query.file);
                search.others.extend(others);
                if meant {
                    self.search_program(program, query, search)?;
                }
            }
            if next <= at {
                break;
            }
            offset = next;
            if offset - released > RELEASE_STEP {
                self.elf().release(".debug_line", released..offset);
                released = offset;
            }
        }
        Ok(())
    }

    fn line_program(&self, offset: usize) -> gimli::Result<Option<IncompleteLineProgram<Reader>>> {
        let section = &self.dwarf.debug_line;
        if offset >= section.reader().len() {
            return Ok(None);
        }
        section.program(DebugLineOffset(offset), 8, None, None).map(Some)
    }

    /// Has the header the file that is meant? And the paths of other files of the same name.
    fn paths_named(&self, header: &LineProgramHeader<Reader>, suffix: &str) -> (bool, Vec<String>) {
        let files = 0..=header.file_names().len() as u64;
        let path = |f| file_path(header, f, None, |v| self.line_string(v));
        let of_name = |p: &String| base_name(p) == base_name(suffix);
        let paths = files.filter_map(path).map(|p| normal(&p)).filter(of_name);
        let (meant, others): (Vec<_>, Vec<_>) = paths.partition(|p| path_ends_with(p, suffix));
        (!meant.is_empty(), others)
    }

    fn line_string(&self, value: AttributeValue<Reader>) -> Option<Reader> {
        self.dwarf.attr_line_string(value).ok()
    }

    fn search_program(
        &self,
        program: IncompleteLineProgram<Reader>,
        query: LineQuery,
        search: &mut Search,
    ) -> Result<(), Error> {
        let lines = self.read(Lines::run(&self.dwarf, program, None))?;
        let matching: Vec<u64> = lines
            .files()
            .filter(|&f| lines.path(f).is_some_and(|p| path_ends_with(&normal(&p), query.file)))
            .collect();
        search.note_rows(lines.rows().filter(|r| matching.contains(&r.file.into())), query.line);
        let hits = lines.rows().filter(|r| r.line == query.line && matching.contains(&r.file.into()));
        let mut functions: Vec<Rc<super::FunctionTree>> = Vec::new();
        for row in hits {
            if functions.iter().any(|f| f.contains(row.address)) {
                continue;
            }
            functions.extend(self.function_at(row.address)?);
        }
        self.search_rows(&lines, &functions, query, search);
        self.keep_units(MAX_UNITS);
        Ok(())
    }

    /// Files whose names resemble the one that was not found.
    pub(super) fn near_files(&self, file: &str) -> Option<String> {
        let strings = String::from_utf8_lossy(self.dwarf.debug_line_str.reader().slice()).into_owned();
        let mut names: Vec<&str> = strings.split('\0').map(base_name).filter(|n| n.contains('.')).collect();
        names.sort_unstable();
        names.dedup();
        crate::near::hint(base_name(file), names)
    }
}

/// The last component of a path.
fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Offset of the table after this one.
fn end_of(header: &LineProgramHeader<Reader>) -> usize {
    let length_field = match header.format() {
        gimli::Format::Dwarf32 => 4,
        gimli::Format::Dwarf64 => 12,
    };
    header.offset().0.saturating_add(header.unit_length()).saturating_add(length_field)
}

/// Remembers which strings end in the wanted file name: headers share them.
struct FileNames<'a> {
    info: &'a DebugInfo,
    wanted: &'a str,
    known: HashMap<usize, bool>,
}

impl FileNames<'_> {
    /// Has the header a file of the wanted name, in whatever directory?
    fn has(&mut self, header: &LineProgramHeader<Reader>) -> bool {
        header.file_names().iter().any(|f| self.is_wanted(f.path_name()))
    }

    fn is_wanted(&mut self, name: AttributeValue<Reader>) -> bool {
        let check = |name| {
            let text = self.info.line_string(name);
            text.is_some_and(|t| base_name(&t.to_string_lossy()) == self.wanted)
        };
        match name {
            AttributeValue::DebugLineStrRef(offset) => match self.known.get(&offset.0) {
                Some(known) => *known,
                None => {
                    let wanted = check(name);
                    self.known.insert(offset.0, wanted);
                    wanted
                }
            },
            _ => check(name),
        }
    }
}
