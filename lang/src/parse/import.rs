//! `import "FILE"`: what other scripts and headers declare becomes part of the script.

use super::include::Included;
use super::parse_parts;
use crate::ast::Script;
use crate::headers::{ImportKind, Imported};
use crate::{Diagnostic, Source, Span};
use std::collections::HashSet;
use std::rc::Rc;

/// The library is there without being imported.
const LIBRARY: &str = "stdlib";

/// Deepest chain of scripts that import one another.
const MAX_DEPTH: usize = 100;

/// What a script imports, and what that imports.
pub(super) struct Imports {
    /// Files that are part of the script already, by their identities.
    seen: HashSet<Rc<str>>,
    /// Scripts around the one in hand.
    depth: usize,
    pub(super) headers: Included,
    pub(super) diags: Vec<Diagnostic>,
}

impl Imports {
    /// Of a script of this name.
    pub(super) fn new(name: &str, headers: Included) -> Imports {
        let seen = headers.from.iter().map(|from| from.identity(name)).collect();
        Imports { seen, depth: 0, headers, diags: vec![] }
    }

    /// Puts what a script imports before what it says itself, as its probes may need what imported ones prepare.
    pub(super) fn resolve(&mut self, script: &mut Script, name: &str) {
        let mut all = Script::default();
        for (path, span) in &script.imports {
            for imported in self.find(name, path, *span) {
                self.take(&imported, *span, &mut all);
            }
        }
        append(&mut all, std::mem::take(script));
        *script = all;
    }

    fn find(&mut self, from: &str, path: &str, span: Span) -> Vec<Imported> {
        let Some(files) = self.headers.from.clone() else {
            return self.missing(path, span);
        };
        match files.import(from, path) {
            Ok(Some(found)) => found,
            Ok(None) => self.missing(path, span),
            Err(e) => {
                let mut error = Diagnostic::error(span, e.message);
                error.hints.extend(e.hint);
                self.diags.push(error);
                vec![]
            }
        }
    }

    fn missing(&mut self, path: &str, span: Span) -> Vec<Imported> {
        let of_the_library = path.strip_prefix(LIBRARY).is_some_and(|p| p.is_empty() || p.starts_with('/'));
        if !of_the_library {
            let error = Diagnostic::error(span, format!("there is no file or folder '{path}' to import"));
            self.diags.push(error.hint("it is looked for beside the script that imports it"));
        }
        vec![]
    }

    /// Reads one file, once.
    fn take(&mut self, imported: &Imported, place: Span, all: &mut Script) {
        let Imported { source, kind } = imported;
        let identity = self.headers.from.as_ref().map(|from| from.identity(&source.name));
        if !self.seen.insert(identity.unwrap_or_else(|| Rc::clone(&source.name))) {
            return;
        }
        if !self.headers.takes(source) || self.depth >= MAX_DEPTH {
            let message = format!("too much is imported: '{}' is left out", source.name);
            self.diags.push(Diagnostic::error(place, message));
            return;
        }
        let mut script = match kind {
            ImportKind::Script => {
                let file = self.headers.enter_script(source, place);
                self.parse(source, file)
            }
            ImportKind::Header => {
                let file = self.headers.enter(source, place);
                let script = self.parse(source, file);
                self.headers.leave(source, false);
                script
            }
        };
        if let Some(entry) = script.config.first() {
            let message = "an imported script cannot set config variables";
            let hint = "set them in the script that is run";
            self.diags.push(Diagnostic::error(entry.name.span, message).hint(hint));
        }
        self.depth += 1;
        self.resolve(&mut script, &source.name);
        self.depth -= 1;
        append(all, script);
    }

    fn parse(&mut self, source: &Source, file: u16) -> Script {
        let (script, diags, headers) = parse_parts(source, file, std::mem::take(&mut self.headers));
        self.headers = headers;
        self.diags.extend(diags);
        script
    }
}

fn append(all: &mut Script, script: Script) {
    let Script { c_defs, config, imports, map_decls, macros, probes } = script;
    all.c_defs.extend(c_defs);
    all.config.extend(config);
    all.imports.extend(imports);
    all.map_decls.extend(map_decls);
    all.macros.extend(macros);
    all.probes.extend(probes);
}
