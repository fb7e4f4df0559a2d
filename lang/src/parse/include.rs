//! `#include`: a header of one's own is read where it is included; one of the kernel or libc is only noted, as
//! its types are in BTF and its constants in the library's tables.

use super::layout::ItemKind;
use super::preprocess::{Directive, Wanted};
use super::scan::Scan;
use crate::headers::{Headers, Include};
use crate::system::Answer;
use crate::{Diagnostic, Options, Source, Span};
use rbtrace_stdlib::headers;
use std::collections::HashSet;
use std::rc::Rc;

/// Deepest nest of headers, as in GCC; deeper ones include each other.
const MAX_DEPTH: usize = 200;

/// Most headers in all, so that a few that include each other twice come to an end.
const MAX_HEADERS: usize = 2000;

/// Most bytes of all headers.
const MAX_BYTES: usize = 64 << 20;

/// bpftool makes it from BTF, where we look ourselves.
const BTF_AS_HEADER: &str = "vmlinux.h";

/// The headers of a compilation.
#[derive(Default)]
pub(super) struct Included {
    from: Option<Rc<dyn Headers>>,
    /// Included before all else.
    command_line: Vec<String>,
    /// Those that were read, each time that they were.
    pub(super) sources: Vec<Source>,
    /// The `#include` of each.
    places: Vec<Span>,
    /// The number of the first.
    first: u16,
    /// Those with `#pragma once`.
    once: HashSet<Rc<str>>,
    depth: usize,
}

impl Included {
    /// None yet; they get numbers from `first` on.
    pub(super) fn new(options: &Options, first: usize) -> Included {
        let from = options.headers.clone();
        Included { from, command_line: options.includes.clone(), first: first as u16, ..Included::default() }
    }

    /// Is there room for one more?
    fn takes(&self, header: &Source) -> bool {
        let bytes: usize = self.sources.iter().map(|s| s.text.len()).sum();
        self.depth < MAX_DEPTH && self.sources.len() < MAX_HEADERS && bytes + header.text.len() <= MAX_BYTES
    }

    /// Are we in a header?
    pub(super) fn is_header(&self) -> bool {
        self.depth > 0
    }

    fn read(&self, from: &str, wanted: &Wanted) -> Answer<Option<Source>> {
        let include = Include { from, path: &wanted.path, quoted: wanted.quoted };
        match &self.from {
            Some(headers) if wanted.path != BTF_AS_HEADER => headers.read(include),
            _ => Ok(None),
        }
    }

    /// Where a place stands in the text that including makes: the offsets of the `#include` lines that lead to it,
    /// from the script on, then its own.
    pub(super) fn order(&self, place: Span) -> Vec<u32> {
        let mut offsets = vec![place.start];
        let mut file = place.file;
        while let Some(around) = file.checked_sub(self.first).and_then(|n| self.places.get(usize::from(n))) {
            offsets.push(around.start);
            file = around.file;
        }
        offsets.reverse();
        offsets
    }
}

impl Scan<'_> {
    /// Includes what the command line asks for.
    pub(super) fn command_line(&mut self) {
        for path in std::mem::take(&mut self.headers.command_line) {
            self.include(&Wanted { path, quoted: true, span: self.span(0, 0) });
        }
    }

    /// Reads a header, or notes that it is a known one.
    pub(super) fn include(&mut self, wanted: &Wanted) {
        match self.headers.read(self.name, wanted) {
            Ok(Some(source)) => self.header(&source, wanted),
            Ok(None) if headers::is_known(&wanted.path) => {
                self.directives.found.push(Directive::Include(wanted.path.clone(), wanted.span));
            }
            Ok(None) => self.diags.push(missing(wanted)),
            Err(e) => {
                let mut diagnostic = Diagnostic::error(wanted.span, e.message);
                diagnostic.hints.extend(e.hint);
                self.diags.push(diagnostic);
            }
        }
    }

    /// Takes a header apart in place of the line that includes it.
    fn header(&mut self, source: &Source, wanted: &Wanted) {
        if self.headers.once.contains(&source.name) {
            return;
        }
        if !self.headers.takes(source) {
            let message = format!("too many headers, or headers that include each other: '{}'", wanted.path);
            let hint = "put #pragma once at the top of each";
            self.diags.push(Diagnostic::error(wanted.span, message).hint(hint));
            return;
        }
        let file = self.headers.first + self.headers.sources.len() as u16;
        self.headers.sources.push(source.clone());
        self.headers.places.push(wanted.span);
        self.headers.depth += 1;
        let mut inner = Scan::new(source, file, std::mem::take(&mut self.headers));
        inner.directives = std::mem::take(&mut self.directives);
        let around = inner.directives.enter();
        let items = inner.items();
        let layout = inner.finish(items);
        self.parts.extend(layout.parts);
        self.diags.extend(layout.diags);
        self.directives = layout.directives;
        self.headers = layout.headers;
        self.headers.depth -= 1;
        if self.directives.leave(around) {
            self.headers.once.insert(Rc::clone(&source.name));
        }
    }

    /// In a header all that is no type is nothing that a script could use: functions and variables of a program.
    pub(super) fn kind_in_header(&self, kind: ItemKind) -> ItemKind {
        match kind {
            ItemKind::C => ItemKind::C,
            _ => ItemKind::Other,
        }
    }
}

fn missing(wanted: &Wanted) -> Diagnostic {
    let path = &wanted.path;
    let message = format!("there is no header '{path}'");
    let near = crate::check::suggest::did_you_mean(path, headers::names());
    let hint = near
        .unwrap_or_else(|| "headers of your own are found beside the script and in the folders of -I".into());
    Diagnostic::error(wanted.span, message).hint(hint)
}
