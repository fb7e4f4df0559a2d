//! Records from the ring buffer, and what is done with each.

use crate::bytes::{u32_at, u64_at};
use crate::run::actions;
use crate::run::tables::{Entry, Table};
use crate::show::print::{Env, Row, printf, read};
use crate::show::sink::{Formatted, OutputKind, Said, Sink};
use crate::sys;
use rbtrace_codegen::object::{Object, Record};
use rbtrace_lang::format::Piece;
use rbtrace_lang::hir::{EmitKind, MapId};
use rbtrace_lang::{Diagnostic, Severity, Span};
use std::fmt;
use std::io;

/// Does what records ask for as they come.
pub struct Printer<'a> {
    /// The meaning of the records.
    pub object: &'a Object,
    /// Symbols and the like.
    pub env: Env<'a>,
    /// Takes what is said.
    pub sink: Box<dyn Sink + 'a>,
    /// The script's maps by [`MapId`].
    pub tables: Vec<Option<Table>>,
    /// Most bytes that `cat` prints.
    pub max_cat_bytes: u32,
    /// Addresses that `unwatch()` was called with.
    pub unwatched: Vec<u64>,
    /// `system()` is only counted now.
    skipping: bool,
    /// How often it was not run.
    skipped: u64,
}

impl fmt::Debug for Printer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Printer").field("tables", &self.tables).finish_non_exhaustive()
    }
}

impl<'a> Printer<'a> {
    /// For this object's records.
    pub fn new(object: &'a Object, env: Env<'a>, sink: Box<dyn Sink + 'a>) -> Self {
        let (tables, max_cat_bytes) = (Vec::new(), 10240);
        Printer { object, env, sink, tables, max_cat_bytes, unwatched: vec![], skipping: false, skipped: 0 }
    }

    /// Says one thing.
    pub fn say(&mut self, said: Said) {
        self.sink.say(said);
    }

    /// Says what a format makes of a record: of `printf`, or of `errorf` and `warnf` by their severity.
    fn formatted(&mut self, pieces: &[Piece], record: &Record, data: &[u8], complaint: Option<Severity>) {
        let (env, fields) = (&self.env, &record.fields);
        let render =
            |terminal: bool, out: &mut Vec<u8>| printf::render(env, pieces, (fields, data), terminal, out);
        let text = Formatted::new(&render);
        self.sink.say(match complaint {
            None => Said::Printf(text),
            Some(severity) => {
                let calls = if let EmitKind::Errorf(_, _, calls) = &record.kind { &**calls } else { &[] };
                Said::Complaint(severity, text, record.span, calls)
            }
        });
    }

    /// From now on `system()` is only counted, or with `false` run again.
    pub fn skip_commands(&mut self, skip: bool) {
        self.skipping = skip;
    }

    /// How often `system()` was not run.
    pub fn skipped_commands(&self) -> u64 {
        self.skipped
    }

    /// Does what one record asks for. Records of unknown kind are ignored: no program sends them. True where that
    /// may have taken long: it ran a command or walked over a map.
    pub fn record(&mut self, data: &[u8]) -> bool {
        let object = self.object;
        let Some(record) = object.records.get(u32_at(data, 0) as usize) else { return false };
        match &record.kind {
            EmitKind::Printf(pieces) => self.formatted(pieces, record, data, None),
            EmitKind::Errorf(pieces, warning, _) => {
                let severity = if *warning { Severity::Warning } else { Severity::Error };
                self.formatted(pieces, record, data, Some(severity));
            }
            EmitKind::Print => self.value(record, 0, data),
            EmitKind::PrintEntry(map) => self.entry(*map, record, data),
            EmitKind::PrintMap { map, top, div } => self.map(*map, *top, *div, data, record.span),
            EmitKind::Clear(map) => self.change(*map, record, Table::clear),
            EmitKind::Zero(map) => self.change(*map, record, Table::zero),
            EmitKind::Time(format) => {
                self.say(Said::Output(OutputKind::Time, actions::time(format).as_bytes()));
            }
            EmitKind::System(pieces) => self.system(pieces, record, data),
            EmitKind::Cat(pieces) => self.cat(pieces, record, data),
            EmitKind::Unwatch => {
                let address = record.fields.first().and_then(|f| data.get(f.offset as usize..));
                self.unwatched.extend(address.map(|bytes| u64_at(bytes, 0)));
            }
            EmitKind::Join { sep, .. } => {
                let text = actions::join(&record.fields, data, sep);
                self.say(Said::Output(OutputKind::Join, &text));
            }
        }
        self.sink.event_done();
        match record.kind {
            EmitKind::System(_) => !self.skipping,
            EmitKind::PrintMap { .. } | EmitKind::Clear(_) | EmitKind::Zero(_) => true,
            _ => false,
        }
    }

    fn rendered(&self, pieces: &[Piece], record: &Record, data: &[u8]) -> String {
        let mut text = Vec::new();
        printf::render(&self.env, pieces, (&record.fields, data), false, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    fn value(&mut self, record: &Record, field: usize, data: &[u8]) {
        let Some(field) = record.fields.get(field) else { return };
        let value = read::read(&self.env, &field.ty, data.get(field.offset as usize..).unwrap_or(&[]));
        self.say(Said::Value(&value));
    }

    fn table(&self, map: MapId) -> Option<&Table> {
        self.tables.get(map.0 as usize)?.as_ref()
    }

    /// The value of one entry. What a program cannot sum up is read from the map.
    fn entry(&mut self, map: MapId, record: &Record, data: &[u8]) {
        let Some(Some(table)) = self.tables.get(map.0 as usize) else { return };
        let whole = table.aggregation().is_some_and(|agg| agg.scalar().is_none());
        if !whole {
            return self.value(record, record.fields.len().saturating_sub(1), data);
        }
        let key = record.fields.first().and_then(|f| data.get(f.offset as usize..)).unwrap_or(&[]);
        match table.entry(key) {
            Ok(entry) => {
                let entry = entry.unwrap_or_else(|| table.unset());
                self.sink.say(Said::Value(&table.datum(&self.env, &entry.value)));
            }
            Err(e) => self.map_failed(map, record.span, &e),
        }
    }

    fn map(&mut self, map: MapId, top: u32, div: u64, data: &[u8], span: Span) {
        let kind = u32_at(data, 0);
        let emptied = self.object.records.iter().any(|r| r.after == Some(kind));
        let Some(table) = self.table(map) else { return };
        match if emptied { table.entries_for(kind) } else { table.entries() } {
            Ok(mut entries) => {
                if entries.is_empty() && table.key.is_none() {
                    entries.push(table.unset());
                }
                self.whole_map(map, entries, top, div);
            }
            Err(e) => self.map_failed(map, span, &e),
        }
    }

    /// Of a map with keys but without entries nothing is said.
    fn whole_map(&mut self, map: MapId, entries: Vec<Entry>, top: u32, div: u64) {
        let Some(Some(table)) = self.tables.get(map.0 as usize) else { return };
        if entries.is_empty() && table.key.is_some() {
            return;
        }
        let row = |entry: &Entry| {
            let row = table.row(&self.env, entry);
            Row { value: row.value.divided(div), ..row }
        };
        let rows: Vec<Row> = table.top(entries, top).iter().map(row).collect();
        self.sink.say(Said::Map { name: &table.name, ty: &table.value, rows: &rows });
    }

    /// The script's maps that some program uses, by name.
    pub fn tables_by_name(&self) -> Vec<(MapId, &Table)> {
        let numbered = self.tables.iter().zip(0..).filter_map(|(t, n)| Some((MapId(n), t.as_ref()?)));
        let mut tables: Vec<_> = numbered.collect();
        tables.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
        tables
    }

    /// Prints every map that has entries, by name.
    pub fn all_maps(&mut self) {
        let order: Vec<MapId> = self.tables_by_name().into_iter().map(|(id, _)| id).collect();
        for map in order {
            match self.table(map).map(Table::entries) {
                Some(Ok(entries)) if !entries.is_empty() => self.whole_map(map, entries, 0, 0),
                Some(Err(e)) => self.map_failed(map, Span::default(), &e),
                Some(Ok(_)) | None => {}
            }
        }
    }

    fn change(&mut self, map: MapId, record: &Record, f: fn(&Table, Option<u32>) -> io::Result<()>) {
        if let Some(Err(e)) = self.table(map).map(|table| f(table, record.after)) {
            self.map_failed(map, record.span, &e);
        }
    }

    fn map_failed(&mut self, map: MapId, span: Span, err: &io::Error) {
        let name = self.table(map).map_or("", |t| &t.name);
        let text = format!("{name} could not be read: {}", sys::describe(err));
        self.say(Said::Warning(&Diagnostic::warning(span, text)));
    }

    fn system(&mut self, pieces: &[Piece], record: &Record, data: &[u8]) {
        if self.skipping {
            self.skipped += 1;
            return;
        }
        let command = self.rendered(pieces, record, data);
        // What was printed before comes before.
        self.sink.flush();
        match actions::system(&command) {
            Ok(output) => self.say(Said::Output(OutputKind::System, &output)),
            Err(e) => {
                let text = format!("system(\"{command}\"): {}", sys::describe(&e));
                self.say(Said::Warning(&Diagnostic::warning(record.span, text)));
            }
        }
    }

    /// What `cat()` prints: the file, or why it cannot be read.
    fn cat(&mut self, pieces: &[Piece], record: &Record, data: &[u8]) {
        let path = self.rendered(pieces, record, data);
        match actions::cat(&path, self.max_cat_bytes) {
            Ok(text) => self.say(Said::Output(OutputKind::Cat, &text)),
            Err(e) => self.say(Said::Unreadable(&path, &e)),
        }
    }
}
