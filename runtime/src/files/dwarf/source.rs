//! From a source line to the code that it became.

use super::flow::FlowGraph;
use super::{DebugInfo, Error, FunctionTree, LineRow, Lines, Range};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A source line that is looked for.
#[derive(Clone, Copy, Debug)]
pub struct LineQuery<'a> {
    /// The file's path, or whole components of its end.
    pub file: &'a str,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1; `None`: any.
    pub column: Option<u32>,
}

/// A place in code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinePlace {
    /// Symbol that holds it.
    pub symbol: String,
    /// Offset from the symbol's address.
    pub offset: u64,
    /// Address in the file.
    pub address: u64,
}

impl LineQuery<'_> {
    fn matches(&self, row: &LineRow) -> bool {
        row.line == self.line && self.column.is_none_or(|c| c == row.column)
    }

    fn shown(&self) -> String {
        match self.column {
            Some(column) => format!("{}:{}:{column}", self.file, self.line),
            None => format!("{}:{}", self.file, self.line),
        }
    }
}

/// Does `path` end in the path components of `suffix`?
pub(super) fn path_ends_with(path: &str, suffix: &str) -> bool {
    let suffix = suffix.strip_prefix("./").unwrap_or(suffix);
    match path.strip_suffix(suffix) {
        Some(rest) => rest.is_empty() || rest.ends_with('/'),
        None => false,
    }
}

/// How good a place is for a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    /// A statement of the line begins here.
    Statement,
    /// Instructions of the line that the compiler moved elsewhere.
    Moved,
}

/// What a search has found so far.
#[derive(Default)]
pub(super) struct Search {
    /// Places by grade.
    places: BTreeMap<Grade, BTreeSet<u64>>,
    /// Files in which code was found, without `.` and `..`.
    files: BTreeSet<String>,
    /// Does a file of this name exist at all?
    pub(super) file_seen: bool,
    /// Paths of files of the same name in other directories.
    pub(super) others: BTreeSet<String>,
    /// Nearest lines with code.
    before: Option<u32>,
    after: Option<u32>,
}

impl DebugInfo {
    /// Where the code of a source line begins, inlined copies included; within `function` where it is
    /// given. One place for each way by which control comes to the line in each copy.
    pub fn source_line(&self, function: Option<&str>, query: LineQuery) -> Result<Vec<LinePlace>, Error> {
        let mut search = Search::default();
        match function {
            Some(name) => self.search_function(name, query, &mut search)?,
            None => self.search_all(query, &mut search)?,
        }
        self.answer(function, query, &search)
    }

    fn search_function(&self, name: &str, query: LineQuery, search: &mut Search) -> Result<(), Error> {
        let mut found = false;
        for symbol in self.elf().symbols_named(name) {
            let Some(unit) = self.unit_at(symbol.address)? else { continue };
            let Some(function) = self.function_in(&unit, symbol.address)? else { continue };
            found = true;
            self.search_rows(unit.lines(self)?, &[function], query, search);
        }
        if found {
            return Ok(());
        }
        let message =
            format!("there is no function {name} with source lines in {}", self.elf().path().display());
        let near = crate::near::hint(name, self.elf().symbols().filter(|s| s.is_function()).map(|s| s.name));
        let inlined = "one that is only inlined has no symbol: name the line without the function";
        Err(Error::missing_with_hint(message, near.unwrap_or_else(|| inlined.into())))
    }

    /// Adds what one unit's table says about the line within some of its functions.
    pub(super) fn search_rows(
        &self,
        lines: &Lines,
        functions: &[Rc<FunctionTree>],
        query: LineQuery,
        search: &mut Search,
    ) {
        let files: Vec<bool> = lines.files().map(|f| search.note_file(lines, f, query.file)).collect();
        let of_file = |row: &LineRow| files.get(row.file as usize).copied().unwrap_or(false);
        for function in functions {
            let rows: Vec<LineRow> = lines.rows().copied().filter(|r| function.contains(r.address)).collect();
            search.note_rows(rows.iter().filter(|r| of_file(r)), query.line);
            let graded = grade(&rows, function, &|r| of_file(r) && query.matches(r));
            let hit = rows.iter().find(|r| of_file(r) && query.matches(r));
            if let Some(path) = hit.and_then(|r| lines.path(r.file.into())) {
                search.files.insert(normal(&path));
            }
            self.add_places(function, &graded, search);
        }
    }

    /// Of each inlined copy, keeps the places that control comes to first.
    fn add_places(
        &self,
        function: &FunctionTree,
        graded: &[(Grade, Option<usize>, u64)],
        search: &mut Search,
    ) {
        let mut copies: BTreeMap<(Grade, Option<usize>), Vec<u64>> = BTreeMap::new();
        for (grade, copy, address) in graded {
            copies.entry((*grade, *copy)).or_default().push(*address);
        }
        let graph = copies.values().any(|c| c.len() > 1).then(|| self.flow_graph(function));
        for ((grade, _), places) in copies {
            let first = graph.as_ref().map_or_else(|| places.clone(), |g| g.first_places(&places));
            search.places.entry(grade).or_default().extend(first);
        }
    }

    fn flow_graph(&self, function: &FunctionTree) -> FlowGraph {
        let file = self.program();
        let code = |r: &Range| Some((r.start, file.code(r.start, r.end - r.start)?));
        FlowGraph::new(&function.ranges.iter().filter_map(code).collect::<Vec<_>>())
    }

    fn answer(
        &self,
        function: Option<&str>,
        query: LineQuery,
        search: &Search,
    ) -> Result<Vec<LinePlace>, Error> {
        if search.files.len() > 1 {
            let files: Vec<String> = search.files.iter().cloned().collect();
            let message = format!("{} names several source files", query.file);
            let hint = format!("write more of the path of one of {}", files.join(", "));
            return Err(Error::missing_with_hint(message, hint));
        }
        // What was moved away from its line counts only where nothing stayed.
        let best = search.places.values().next();
        let mut addresses: Vec<u64> = best.into_iter().flatten().copied().collect();
        let stays = |a: &u64| self.elf().section_at(*a).is_some_and(|s| !s.discarded);
        if addresses.iter().any(stays) {
            addresses.retain(stays);
        }
        if addresses.is_empty() {
            return Err(self.nothing_found(function, query, search));
        }
        let names = self.elf().names_of(&addresses);
        let place =
            |a: u64| names.get(&a).map(|(s, o)| LinePlace { symbol: s.clone(), offset: *o, address: a });
        Ok(addresses.into_iter().filter_map(place).collect())
    }

    fn nothing_found(&self, function: Option<&str>, query: LineQuery, search: &Search) -> Error {
        let within = function.map_or_else(String::new, |f| format!(" in {f}"));
        if !search.file_seen {
            let message = format!("there is no source file {}{within}", query.file);
            if search.others.is_empty() {
                return Error::NoSourceFile { message, hint: self.near_files(query.file) };
            }
            let others: Vec<&str> = search.others.iter().take(5).map(String::as_str).collect();
            let hint = format!("files of this name: {}", others.join(", "));
            return Error::NoSourceFile { message, hint: Some(hint) };
        }
        let near: Vec<String> = [search.before, search.after]
            .into_iter()
            .flatten()
            .map(|l| format!("{}:{l}", query.file))
            .collect();
        let message = format!("there is no code on {}{within}", query.shown());
        match near.is_empty() {
            true => Error::missing(message),
            false => {
                Error::missing_with_hint(message, format!("the nearest lines with code: {}", near.join(", ")))
            }
        }
    }
}

impl Search {
    /// Is this file of a line table the one that is meant?
    fn note_file(&mut self, lines: &Lines, file: u64, suffix: &str) -> bool {
        let matches = lines.path(file).is_some_and(|p| path_ends_with(&normal(&p), suffix));
        self.file_seen |= matches;
        matches
    }

    /// Remembers the nearest lines that have code.
    pub(super) fn note_rows<'r>(&mut self, rows: impl Iterator<Item = &'r LineRow>, line: u32) {
        for row in rows.filter(|r| r.is_stmt && r.line != 0) {
            if row.line < line {
                self.before = self.before.max(Some(row.line));
            } else if row.line > line {
                self.after = Some(self.after.map_or(row.line, |a| a.min(row.line)));
            }
        }
    }
}

/// Finds where runs of the line's instructions begin: grade, inlined copy, address. `rows` are one
/// function's, in the order of the table.
fn grade(
    rows: &[LineRow],
    function: &FunctionTree,
    matches: &dyn Fn(&LineRow) -> bool,
) -> Vec<(Grade, Option<usize>, u64)> {
    let mut found = Vec::new();
    // Copy of the run that is open, and whether its first statement was seen.
    let mut run: Option<(Option<usize>, bool)> = None;
    for group in rows.chunk_by(|a, b| a.address == b.address) {
        let address = group[0].address;
        let statement = group.iter().any(|r| r.is_stmt && matches(r));
        // The last row of an address is what its instruction belongs to. A statement that has only
        // earlier rows has no instruction of its own here.
        if !group.last().is_some_and(matches) {
            run = None;
            let views = (0..).zip(group).filter(|(_, r)| r.is_stmt && matches(r));
            found.extend(
                views.map(|(v, _)| (Grade::Statement, function.innermost_of_row(address, v), address)),
            );
            continue;
        }
        let copy = function.innermost_at(address);
        let open = run.filter(|r| r.0 == copy);
        if statement && !open.is_some_and(|r| r.1) {
            found.push((Grade::Statement, copy, address));
        } else if open.is_none() {
            found.push((Grade::Moved, copy, address));
        }
        run = Some((copy, statement || open.is_some_and(|r| r.1)));
    }
    found
}

/// A path without `.` and, where a directory goes before it, without `..`.
pub fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if parts.last().is_some_and(|p| !p.is_empty() && *p != "..") => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_whole_components() {
        for suffix in ["arp.c", "ipv4/arp.c", "net/ipv4/arp.c", "./net/ipv4/arp.c"] {
            assert!(path_ends_with("net/ipv4/arp.c", suffix), "{suffix}");
            assert!(path_ends_with("/build/net/ipv4/arp.c", suffix), "{suffix}");
        }
        for suffix in ["rp.c", "v4/arp.c", "/arp.c", "x/net/ipv4/arp.c"] {
            assert!(!path_ends_with("net/ipv4/arp.c", suffix), "{suffix}");
        }
    }

    #[test]
    fn paths_are_made_normal() {
        assert_eq!(normal("./a/./b/../c.h"), "a/c.h");
        assert_eq!(normal("/a/../../b"), "/../b");
        assert_eq!(normal("../x"), "../x");
    }
}
