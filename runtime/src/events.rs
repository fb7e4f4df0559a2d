//! Records from the ring buffer, and what is done with each.

use crate::async_actions;
use crate::maps::Table;
use crate::print::map::{self, Options};
use crate::print::value::{self, Style};
use crate::print::{Env, Format, Output, json, printf, u32_at};
use crate::sys;
use crate::terminal;
use rbtrace_codegen::object::{Object, Record, RecordField};
use rbtrace_lang::format::Piece;
use rbtrace_lang::hir::{EmitKind, MapId};
use rbtrace_lang::types::Agg;
use rbtrace_lang::{Diagnostic, Severity, Source, Span};
use std::io;

/// Prints records as they come.
#[derive(Debug)]
pub struct Printer<'a> {
    /// The meaning of the records.
    pub object: &'a Object,
    /// The script's texts, for places.
    pub sources: &'a [Source],
    /// Symbols and the like.
    pub env: Env<'a>,
    /// Text or JSON.
    pub format: Format,
    /// Where to.
    pub out: Output,
    /// The script's maps by [`MapId`].
    pub tables: Vec<Option<Table>>,
    /// Most bytes that `cat` prints.
    pub max_cat_bytes: u32,
    /// Warnings are not shown.
    pub quiet_warnings: bool,
    /// `system()` is only counted now.
    skipping: bool,
    /// How often it was not run.
    skipped: u64,
    scratch: Vec<u8>,
}

impl<'a> Printer<'a> {
    /// A printer of this object's records.
    pub fn new(object: &'a Object, sources: &'a [Source], env: Env<'a>, format: Format, out: Output) -> Self {
        Printer {
            object,
            sources,
            env,
            format,
            out,
            tables: Vec::new(),
            max_cat_bytes: 10240,
            quiet_warnings: false,
            skipping: false,
            skipped: 0,
            scratch: Vec::new(),
        }
    }

    /// From now on `system()` is only counted, or with `false` run again.
    pub fn skip_commands(&mut self, skip: bool) {
        self.skipping = skip;
    }

    /// How often `system()` was not run.
    pub fn skipped_commands(&self) -> u64 {
        self.skipped
    }

    /// Prints one record, or does what it asks for. Records of unknown kind are ignored: no program sends
    /// them. True where it ran a command, which may have taken long.
    pub fn record(&mut self, data: &[u8]) -> bool {
        let object = self.object;
        let Some(record) = object.records.get(u32_at(data, 0) as usize) else { return false };
        let from = self.out.buf.len();
        match &record.kind {
            EmitKind::Printf(pieces) => self.printf(pieces, &record.fields, data),
            EmitKind::Errorf(pieces, warning) => self.errorf(pieces, *warning, record, data),
            EmitKind::Print => self.value(record.fields.first(), data),
            EmitKind::PrintEntry(map) => self.entry(*map, record, data),
            EmitKind::PrintMap { map, top, div } => self.map(*map, *top, *div, data, record.span),
            EmitKind::Clear(map) => self.change(*map, record, Table::clear),
            EmitKind::Zero(map) => self.change(*map, record, Table::zero),
            EmitKind::Time(format) => async_actions::time(format, self.format, &mut self.out),
            EmitKind::System(pieces) => self.system(pieces, record, data),
            EmitKind::Cat(pieces) => self.cat(pieces, record, data),
            EmitKind::Join { sep, .. } => {
                async_actions::join(&record.fields, data, sep, self.format, &mut self.out);
            }
        }
        // A format's own text may steer the terminal; what `system` printed is a command's own output.
        if !matches!(record.kind, EmitKind::Printf(_) | EmitKind::System(_)) {
            self.escape(from);
        }
        self.out.event_done();
        matches!(record.kind, EmitKind::System(_)) && !self.skipping
    }

    /// Makes what was printed since `from` safe for a terminal.
    fn escape(&mut self, from: usize) {
        if self.env.terminal {
            terminal::escape_from(&mut self.out.buf, from);
        }
    }

    fn printf(&mut self, pieces: &[Piece], fields: &[RecordField], data: &[u8]) {
        if self.format == Format::Text {
            printf::render(&self.env, pieces, fields, data, self.env.terminal, &mut self.out.buf);
            return;
        }
        self.scratch.clear();
        printf::render(&self.env, pieces, fields, data, false, &mut self.scratch);
        json::text_line("printf", &self.scratch, &mut self.out.buf);
    }

    fn rendered(&self, pieces: &[Piece], record: &Record, data: &[u8], terminal: bool) -> String {
        let mut text = Vec::new();
        printf::render(&self.env, pieces, &record.fields, data, terminal, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    fn errorf(&mut self, pieces: &[Piece], warning: bool, record: &Record, data: &[u8]) {
        if warning && self.quiet_warnings {
            return;
        }
        let escape = self.format == Format::Text && terminal::error_is_terminal();
        let text = self.rendered(pieces, record, data, escape);
        let severity = if warning { Severity::Warning } else { Severity::Error };
        if self.format == Format::Text {
            self.out.flush();
            // Escapes that the script itself writes, colours for instance, are its own affair.
            terminal::message_as_is(format!("{}\n", self.place(severity, &text, record.span)).as_bytes());
            return;
        }
        self.json_message(if warning { "warnf" } else { "errorf" }, &text, "", record.span);
    }

    /// A helper that failed, as the reference's JSON has it.
    pub fn helper_error(&mut self, helper: &str, span: Span) {
        let more = format!(", \"helper\": \"{helper}\", \"retcode\": -{}", libc::EFAULT);
        self.json_message("helper_error", "Bad address", &more, span);
    }

    /// One JSON line: type, message, `more` and the place.
    fn json_message(&mut self, kind: &str, text: &str, more: &str, span: Span) {
        let (name, line, col) = self.line_col(span);
        let out = &mut self.out.buf;
        out.extend_from_slice(format!("{{\"type\": \"{kind}\", \"msg\": ").as_bytes());
        json::string(text.as_bytes(), out);
        out.extend_from_slice(format!("{more}, \"filename\": ").as_bytes());
        json::string(name.as_bytes(), out);
        out.extend_from_slice(format!(", \"line\": {line}, \"col\": {col}}}\n").as_bytes());
    }

    fn line_col(&self, span: Span) -> (&'a str, usize, usize) {
        self.sources.get(usize::from(span.file)).map_or(("", 0, 0), |source| {
            let at = source.line_col(span.start);
            (&source.name, at.line, at.col)
        })
    }

    /// `file:line:col: ERROR: text`, without the source line.
    pub fn place(&self, severity: Severity, text: &str, span: Span) -> String {
        // The text may have lines of its own: only the place is taken from the full message.
        let diagnostic = Diagnostic { severity, ..Diagnostic::error(span, "\u{1}") };
        let full = diagnostic.render(self.sources);
        let head = full.split('\u{1}').next().unwrap_or("");
        format!("{head}{text}")
    }

    fn warn(&mut self, text: &str, span: Span) {
        if !self.quiet_warnings {
            self.out.flush();
            terminal::message(&format!("{}\n", self.place(Severity::Warning, text, span)));
        }
    }

    fn value(&mut self, field: Option<&RecordField>, data: &[u8]) {
        let Some(field) = field else { return };
        let bytes = data.get(field.offset as usize..).unwrap_or(&[]);
        let out = &mut self.out.buf;
        match self.format {
            Format::Text => {
                value::text(&self.env, &field.ty, bytes, Style::Text, out);
                out.push(b'\n');
            }
            Format::Json => {
                json::begin_line("value", out);
                value::json(&self.env, &field.ty, bytes, out);
                json::end_line(out);
            }
        }
    }

    /// The value of one entry. What a program cannot sum up is read from the map.
    fn entry(&mut self, map: MapId, record: &Record, data: &[u8]) {
        let Some(table) = self.tables.get(map.0 as usize).and_then(Option::as_ref) else { return };
        let whole =
            matches!(table.aggregation(), Some(Agg::Stats { .. } | Agg::Hist { .. } | Agg::LHist { .. }));
        if !whole {
            return self.value(record.fields.last(), data);
        }
        let key = record.fields.first().and_then(|f| data.get(f.offset as usize..)).unwrap_or(&[]);
        let entry = match table.entry(key) {
            Ok(entry) => entry.unwrap_or_else(|| table.unset()),
            Err(e) => return self.map_failed(map, record.span, &e),
        };
        let out = &mut self.out.buf;
        match self.format {
            Format::Text => {
                map::text_value(&self.env, &table.value, &entry.value, 1, out);
                out.push(b'\n');
            }
            Format::Json => {
                json::begin_line("value", out);
                map::json_value(&self.env, &table.value, &entry.value, 1, out);
                json::end_line(out);
            }
        }
    }

    fn map(&mut self, map: MapId, top: u32, div: u64, data: &[u8], span: Span) {
        let Some(table) = self.tables.get(map.0 as usize).and_then(Option::as_ref) else { return };
        let kind = u32_at(data, 0);
        let emptied = self.object.records.iter().any(|r| r.after == Some(kind));
        match if emptied { table.entries_for(kind) } else { table.entries() } {
            Ok(mut entries) => {
                if entries.is_empty() && table.key.is_none() {
                    entries.push(table.unset());
                }
                let options = Options { format: self.format, top, div };
                map::print(&self.env, table, entries, options, &mut self.out.buf);
            }
            Err(e) => self.map_failed(map, span, &e),
        }
    }

    /// Prints every map that has entries, by name.
    pub fn all_maps(&mut self) {
        let from = self.out.buf.len();
        let mut order: Vec<usize> = (0..self.tables.len()).collect();
        order.sort_by_key(|&i| self.tables[i].as_ref().map(|t| t.name.clone()));
        for i in order {
            let Some(table) = &self.tables[i] else { continue };
            match table.entries() {
                Ok(entries) if entries.is_empty() => {}
                Ok(entries) => {
                    let options = Options { format: self.format, ..Options::default() };
                    map::print(&self.env, table, entries, options, &mut self.out.buf);
                }
                Err(e) => self.map_failed(MapId(i as u32), Span::default(), &e),
            }
        }
        self.escape(from);
    }

    fn change(&mut self, map: MapId, record: &Record, f: fn(&Table, Option<u32>) -> io::Result<()>) {
        let Some(table) = self.tables.get(map.0 as usize).and_then(Option::as_ref) else { return };
        if let Err(e) = f(table, record.after) {
            self.map_failed(map, record.span, &e);
        }
    }

    fn map_failed(&mut self, map: MapId, span: Span, err: &io::Error) {
        let name = self.tables.get(map.0 as usize).and_then(Option::as_ref).map_or("", |t| &t.name);
        let text = format!("{name} could not be read: {}", sys::describe(err));
        self.warn(&text, span);
    }

    fn system(&mut self, pieces: &[Piece], record: &Record, data: &[u8]) {
        if self.skipping {
            self.skipped += 1;
            return;
        }
        let command = self.rendered(pieces, record, data, false);
        if let Err(e) = async_actions::system(&command, self.format, &mut self.out) {
            self.warn(&format!("system(\"{command}\"): {}", sys::describe(&e)), record.span);
        }
    }

    /// What `cat()` prints: the file, or why it cannot be read.
    fn cat(&mut self, pieces: &[Piece], record: &Record, data: &[u8]) {
        let path = self.rendered(pieces, record, data, false);
        if let Err(e) = async_actions::cat(&path, self.max_cat_bytes, self.format, &mut self.out) {
            let text = e.to_string();
            let text = text.split(" (os error").next().unwrap_or("");
            self.out.flush();
            terminal::message(&format!("ERROR: cat() cannot read '{path}': {text}\n"));
        }
    }
}
