//! The first look at a script: where its items begin and end.
//!
//! Comments and inactive preprocessor branches become blanks of the same length, so offsets stay
//! true. An item is what stands between two others at the top: a probe with its block, a macro, a C
//! declaration. The grammar then sees one item at a time, and an error in one hides no other.

use super::include::Included;
use super::item::{Item, ItemKind, MAX_NESTING, Part};
use super::preprocess::Preprocessor;
use super::scan::{Extent, Scan};
use crate::{Diagnostic, Source};

/// The text in items.
pub(super) struct Layout {
    /// The source, behind the headers that it includes.
    pub(super) parts: Vec<Part>,
    /// `#define` and `#include` lines.
    pub(super) directives: Preprocessor,
    /// The headers that were read.
    pub(super) headers: Included,
    /// Errors.
    pub(super) diags: Vec<Diagnostic>,
}

/// Splits a source and the headers that it includes.
pub(super) fn split(source: &Source, file: u16, headers: Included) -> Layout {
    let mut scan = Scan::new(source, file, headers);
    scan.command_line();
    let items = scan.items();
    scan.finish(items)
}

/// Whether a text outside of any item nests no deeper than what is parsed.
pub(super) fn is_shallow(text: &str) -> bool {
    let mut depth = 0usize;
    for b in text.bytes() {
        match b {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            return false;
        }
    }
    true
}

impl Scan<'_> {
    /// Hands out what was found.
    pub(super) fn finish(mut self, items: Vec<Item>) -> Layout {
        // Only whole characters are blanked, so the copy stays UTF-8.
        let text =
            String::from_utf8(self.clean).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into());
        self.parts.push(Part { file: self.file, text, items });
        Layout { parts: self.parts, directives: self.directives, headers: self.headers, diags: self.diags }
    }

    pub(super) fn items(&mut self) -> Vec<Item> {
        if self.src.starts_with(b"#!") {
            self.blank_line();
        }
        let mut items = vec![];
        let mut main_part = false;
        loop {
            self.skip_blanks();
            if self.pos >= self.src.len() {
                break;
            }
            let start = self.pos;
            if self.src[start] == b'}' {
                self.error(start, start + 1, "syntax: unexpected '}': no block is open here");
                self.pos += 1;
                continue;
            }
            let kind = self.kind();
            self.check_order(kind, &mut main_part);
            let errors = self.diags.len();
            self.item_errors = errors;
            // What failed here has its error already: the grammar would only add another.
            let extent = self.extent(kind);
            let end = self.pos.max(start + 1).min(self.src.len());
            self.pos = end;
            if extent.is_ok() && self.diags.len() == errors {
                items.push(Item { kind, start, end });
            }
        }
        self.directives.finish(self.file, &mut self.diags);
        items
    }

    /// C declarations stand before all else, settings and imports before probes.
    fn check_order(&mut self, kind: ItemKind, main_part: &mut bool) {
        let word_end = self.word_end(self.pos);
        let what = match kind {
            ItemKind::C => "C declarations stand",
            ItemKind::Config => "the config block stands",
            ItemKind::Import => "imports stand",
            ItemKind::Other => return,
            _ => {
                *main_part = true;
                return;
            }
        };
        if *main_part {
            self.error(self.pos, word_end, &format!("syntax: {what} above all probes, macros and maps"));
        }
    }

    fn kind(&self) -> ItemKind {
        let kind = self.kind_by_word();
        if self.headers.is_header() { self.kind_in_header(kind) } else { kind }
    }

    fn kind_by_word(&self) -> ItemKind {
        let end = self.word_end(self.pos);
        match &self.src[self.pos..end] {
            b"struct" | b"union" | b"enum" | b"typedef" if self.looks_like_c(end) => ItemKind::C,
            b"config" if self.next_solid(end) == Some(b'=') => ItemKind::Config,
            b"import" => ItemKind::Import,
            b"let" => ItemKind::Map,
            b"macro" => ItemKind::Macro,
            b"fn" => ItemKind::Function,
            _ => ItemKind::Probe,
        }
    }

    /// `struct:x` is a probe, `struct x`, `struct {` and `struct /* … */ x` are declarations.
    fn looks_like_c(&self, end: usize) -> bool {
        self.next_solid(end).is_some_and(|b| b.is_ascii_alphabetic() || b == b'_' || b == b'{' || b == b'/')
    }

    /// Moves past the item that begins here.
    fn extent(&mut self, kind: ItemKind) -> Extent {
        match kind {
            ItemKind::Probe => self.probe(),
            ItemKind::Import | ItemKind::Map => self.line_item(),
            ItemKind::C | ItemKind::Other => self.c_item(),
            ItemKind::Config | ItemKind::Macro | ItemKind::Function => {
                self.up_to_block()?;
                if self.src.get(self.pos) == Some(&b'{') {
                    self.balanced()?;
                }
                if kind == ItemKind::Config {
                    self.optional_semicolon();
                }
                Ok(self.pos)
            }
        }
    }

    /// Up to the opening brace of the item's block; ends at the end of the text without one.
    fn up_to_block(&mut self) -> Extent {
        while self.pos < self.src.len() {
            match self.src[self.pos] {
                b'{' => break,
                b'}' => {
                    self.pos += 1;
                    return Ok(self.pos);
                }
                _ => self.step()?,
            }
        }
        Ok(self.pos)
    }

    /// `import "…";`, `let @a = hash(1);`: up to the semicolon, or the end of the line without one.
    fn line_item(&mut self) -> Extent {
        while self.pos < self.src.len() {
            match self.src[self.pos] {
                b';' => {
                    self.pos += 1;
                    break;
                }
                b'{' | b'}' | b'\n' => break,
                _ => self.step()?,
            }
        }
        Ok(self.pos)
    }

    /// `struct x { … } __attribute__((…)) name;`
    fn c_item(&mut self) -> Extent {
        while self.pos < self.src.len() {
            match self.src[self.pos] {
                b'{' => {
                    self.balanced()?;
                    return self.c_tail();
                }
                b';' => {
                    self.pos += 1;
                    break;
                }
                _ => self.step()?,
            }
        }
        Ok(self.pos)
    }

    /// After the closing brace: attributes, a name that a semicolon follows (`typedef struct { … }
    /// name;`), an optional semicolon. Anything else begins the next item.
    fn c_tail(&mut self) -> Extent {
        let mut end = self.pos;
        self.skip_blanks();
        while self.src[self.pos..].starts_with(b"__attribute__") {
            self.pos += b"__attribute__".len();
            self.skip_blanks();
            if self.src.get(self.pos) == Some(&b'(') {
                self.balanced()?;
            }
            end = self.pos;
            self.skip_blanks();
        }
        let stars = self.src[self.pos..].iter().take_while(|b| **b == b'*').count();
        let name_end = self.word_end(self.pos + stars);
        if self.next_solid(name_end) == Some(b';') {
            self.pos = name_end;
            self.skip_blanks();
            self.pos += 1;
        } else {
            self.pos = end;
        }
        Ok(self.pos)
    }

    fn optional_semicolon(&mut self) {
        let end = self.pos;
        self.skip_blanks();
        if self.src.get(self.pos) == Some(&b';') {
            self.pos += 1;
        } else {
            self.pos = end;
        }
    }

    /// Attach points, predicate, block.
    fn probe(&mut self) -> Extent {
        loop {
            self.attach_point();
            self.skip_blanks();
            if self.src.get(self.pos) != Some(&b',') {
                break;
            }
            self.pos += 1;
            self.skip_blanks();
        }
        if self.src.get(self.pos) == Some(&b'/') {
            self.predicate()?;
        }
        self.up_to_block()?;
        if self.src.get(self.pos) == Some(&b'{') { self.balanced() } else { Ok(self.pos) }
    }

    /// The text of one attach point. Until the first `:` or `@` a slash ends it; later slashes and
    /// even `/*` belong to paths.
    fn attach_point(&mut self) {
        let mut in_path = false;
        while let Some(&b) = self.src.get(self.pos) {
            match b {
                b'{' | b'}' | b',' => break,
                b'/' if !in_path => break,
                b'"' => {
                    self.quoted();
                    continue;
                }
                b':' | b'@' => in_path = true,
                b if b.is_ascii_whitespace() => break,
                _ => {}
            }
            self.pos += 1;
        }
    }

    /// `/ … /` up to the block: the slash that a brace follows ends it.
    fn predicate(&mut self) -> Extent {
        let mut depth = 0usize;
        let mut last = b' ';
        self.pos += 1;
        while let Some(&b) = self.src.get(self.pos) {
            match b {
                b'{' if depth == 0 && last == b'/' => break,
                b'{' | b'(' | b'[' => depth += 1,
                b'}' if depth == 0 => break,
                b'}' | b')' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > MAX_NESTING {
                return self.too_deep(self.pos);
            }
            if !b.is_ascii_whitespace() {
                last = b;
            }
            self.step()?;
        }
        Ok(self.pos)
    }
}
