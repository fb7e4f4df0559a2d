//! `#include`: a header of one's own is read where it is included; one of the kernel or libc is only noted, as
//! its types are in BTF and its constants in the library's tables.

use super::item::ItemKind;
use super::preprocess::{Directive, Wanted};
use super::scan::Scan;
use crate::{Diagnostic, Source};
use rbtrace_stdlib::headers;

impl Scan<'_> {
    /// Includes what the command line asks for.
    pub(super) fn command_line(&mut self) {
        for path in self.headers.take_command_line() {
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
        if self.headers.is_done(source) {
            return;
        }
        if !self.headers.takes(source) {
            let message = format!("too many headers, or headers that include each other: '{}'", wanted.path);
            let hint = "put #pragma once at the top of each";
            self.diags.push(Diagnostic::error(wanted.span, message).hint(hint));
            return;
        }
        let file = self.headers.enter(source, wanted.span);
        let mut inner = Scan::new(source, file, std::mem::take(&mut self.headers));
        inner.directives = std::mem::take(&mut self.directives);
        let around = inner.directives.enter();
        let items = inner.items();
        let layout = inner.finish(items);
        self.parts.extend(layout.parts);
        self.diags.extend(layout.diags);
        self.directives = layout.directives;
        self.headers = layout.headers;
        let once = self.directives.leave(around);
        self.headers.leave(source, once);
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
