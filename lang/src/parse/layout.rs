//! The first look at a script: where its items begin and end.
//!
//! Comments and inactive preprocessor branches become blanks of the same length, so offsets stay
//! true. An item is what stands between two others at the top: a probe with its block, a macro, a C
//! declaration. The grammar then sees one item at a time, and an error in one hides no other.

use super::preprocess::Preprocessor;
use crate::{Diagnostic, Span};

/// Deepest nest of brackets that is parsed. Deeper ones would exhaust a thread's stack.
pub(super) const MAX_NESTING: usize = 128;

/// What an item is, by its first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemKind {
    /// `struct`, `union`, `enum`, `typedef`
    C,
    /// `config = { … }`
    Config,
    /// `import "…";`
    Import,
    /// `let @a = …;`
    Map,
    /// `macro name(…) { … }`
    Macro,
    /// `fn name(…) { … }`
    Function,
    /// Attach points and a block.
    Probe,
}

/// One item's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// Which rule it follows.
    pub(super) kind: ItemKind,
    /// First byte.
    pub(super) start: usize,
    /// One past the last byte.
    pub(super) end: usize,
}

/// The text in items.
pub(super) struct Layout {
    /// The source without comments.
    pub(super) text: String,
    /// Its items in order.
    pub(super) items: Vec<Item>,
    /// `#define` and `#include` lines.
    pub(super) directives: Preprocessor,
    /// Errors.
    pub(super) diags: Vec<Diagnostic>,
}

/// Splits a source.
pub(super) fn split(source: &str, file: u16) -> Layout {
    let mut scan = Scan {
        src: source.as_bytes(),
        clean: source.as_bytes().to_vec(),
        pos: 0,
        file,
        directives: Preprocessor::default(),
        diags: vec![],
        item_errors: 0,
    };
    let items = scan.items();
    // Only whole characters are blanked, so the copy stays UTF-8.
    let text = String::from_utf8(scan.clean).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into());
    Layout { text, items, directives: scan.directives, diags: scan.diags }
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

struct Scan<'a> {
    src: &'a [u8],
    clean: Vec<u8>,
    pos: usize,
    file: u16,
    directives: Preprocessor,
    diags: Vec<Diagnostic>,
    /// How many there were before the current item.
    item_errors: usize,
}

/// An item's end, and whether it is worth parsing.
type Extent = Result<usize, ()>;

impl Scan<'_> {
    fn items(&mut self) -> Vec<Item> {
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
            ItemKind::C => "C definitions",
            ItemKind::Config => "config",
            ItemKind::Import => "root imports",
            _ => {
                *main_part = true;
                return;
            }
        };
        if *main_part {
            self.error(
                self.pos,
                word_end,
                &format!("syntax: {what} must appear before probes and functions"),
            );
        }
    }

    fn kind(&self) -> ItemKind {
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

    fn next_solid(&self, from: usize) -> Option<u8> {
        self.src[from..].iter().copied().find(|b| !b.is_ascii_whitespace())
    }

    fn word_end(&self, from: usize) -> usize {
        from + self.src[from..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count()
    }

    /// Moves past the item that begins here.
    fn extent(&mut self, kind: ItemKind) -> Extent {
        match kind {
            ItemKind::Probe => self.probe(),
            ItemKind::Import | ItemKind::Map => self.line_item(),
            ItemKind::C => self.c_item(),
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

    /// `struct x { … } name;`
    fn c_item(&mut self) -> Extent {
        while self.pos < self.src.len() {
            match self.src[self.pos] {
                b'{' => {
                    self.balanced()?;
                    let typedef_or_attribute = self.c_tail();
                    if !typedef_or_attribute {
                        return Ok(self.pos);
                    }
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

    /// After the closing brace: an optional semicolon ends the item, and so does what is no part of it.
    fn c_tail(&mut self) -> bool {
        let end = self.pos;
        self.skip_blanks();
        let rest = &self.src[self.pos..];
        if rest.first() == Some(&b';') {
            self.pos += 1;
            return false;
        }
        // `typedef struct { … } name;`: a word and then a semicolon.
        let name_end = self.word_end(self.pos + rest.iter().take_while(|b| **b == b'*').count());
        if rest.starts_with(b"__attribute__") || self.next_solid(name_end) == Some(b';') {
            return true;
        }
        self.pos = end;
        false
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

    /// Steps over a quoted part; false where it has no end in its line.
    fn quoted(&mut self) -> bool {
        self.pos += 1;
        while let Some(&b) = self.src.get(self.pos) {
            match b {
                b'\n' => return false,
                b'\\' => self.pos += 2,
                b'"' => {
                    self.pos += 1;
                    return true;
                }
                _ => self.pos += 1,
            }
        }
        self.pos = self.src.len();
        false
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

    /// From an opening brace to behind its closing one.
    fn balanced(&mut self) -> Extent {
        let mut open: Vec<usize> = vec![];
        let mut deepest = None;
        while let Some(&b) = self.src.get(self.pos) {
            match b {
                b'{' | b'(' | b'[' => open.push(self.pos),
                b')' | b']'
                    // A closer without its opener is left to the grammar, which knows what it expected.
                    if open.last().is_some_and(|&o| self.src[o] != b'{') => {
                        open.pop();
                    }
                b'}' => while open.pop().is_some_and(|o| self.src[o] != b'{') {},
                _ => {}
            }
            if open.len() > MAX_NESTING && deepest.is_none() {
                deepest = Some(self.pos);
            }
            if open.is_empty() {
                self.pos += 1;
                return match deepest {
                    Some(at) => self.too_deep(at),
                    None => Ok(self.pos),
                };
            }
            self.step()?;
        }
        self.unclosed(&open)
    }

    fn too_deep(&mut self, at: usize) -> Extent {
        let message = format!("syntax: brackets are nested more than {MAX_NESTING} deep");
        let span = self.span(at, at + 1);
        self.diags.push(
            Diagnostic::error(span, message)
                .hint("close what is open, or give the inner parts to variables of their own"),
        );
        Err(())
    }

    fn unclosed(&mut self, open: &[usize]) -> Extent {
        // A string without an end has swallowed the brace.
        if self.diags.len() > self.item_errors {
            return Err(());
        }
        let brace = open.iter().rev().find(|&&o| self.src[o] == b'{').copied().unwrap_or(0);
        let line = self.src[..brace].iter().filter(|b| **b == b'\n').count() + 1;
        let end = self.src.len();
        let at = self.span(end, end);
        let from = self.span(brace, brace + 1);
        let message = format!("syntax: expected '}}': the block opened at line {line} is never closed");
        self.diags.push(Diagnostic::error(at, message).related(from, "the block begins here"));
        Err(())
    }

    /// One token of an item: a comment (blanked), a string, a directive or one byte.
    fn step(&mut self) -> Result<(), ()> {
        match self.src[self.pos] {
            b'/' => {
                if !self.comment()? {
                    self.pos += 1;
                }
            }
            b'"' => self.string(),
            b'#' if self.at_line_start() => self.directive(),
            _ => self.pos += 1,
        }
        Ok(())
    }

    fn string(&mut self) {
        let start = self.pos;
        if !self.quoted() {
            self.error(start, self.pos, "syntax: unterminated string");
        }
    }

    /// Blanks and comments between items.
    fn skip_blanks(&mut self) {
        while let Some(&b) = self.src.get(self.pos) {
            match b {
                b if b.is_ascii_whitespace() => self.pos += 1,
                b'/' => match self.comment() {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(()) => self.pos = self.src.len(),
                },
                b'#' if self.at_line_start() => self.directive(),
                _ => return,
            }
        }
    }

    /// Blanks a comment, if one begins here.
    fn comment(&mut self) -> Result<bool, ()> {
        let start = self.pos;
        match self.src.get(start + 1) {
            Some(b'/') => {
                self.blank_line();
                Ok(true)
            }
            Some(b'*') => {
                let Some(len) = self.src[start + 2..].windows(2).position(|w| w == b"*/") else {
                    self.error(start, start + 2, "syntax: unterminated comment");
                    self.pos = self.src.len();
                    return Err(());
                };
                self.blank(start, start + 2 + len + 2);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn at_line_start(&self) -> bool {
        let before = self.clean[..self.pos].iter().rev().find(|b| !matches!(b, b' ' | b'\t'));
        before.is_none_or(|b| *b == b'\n')
    }

    /// A preprocessor line, continued after a backslash, with the lines that it switches off.
    fn directive(&mut self) {
        loop {
            let start = self.pos;
            let end = self.line_end(true);
            let line = String::from_utf8_lossy(&self.src[start..end]).into_owned();
            self.blank(start, end);
            self.directives.line(&line, self.span(start, end), &mut self.diags);
            if self.directives.active() {
                return;
            }
            if !self.blank_to_directive() {
                return;
            }
        }
    }

    /// Blanks lines until one that is a directive; false at the end of the text.
    fn blank_to_directive(&mut self) -> bool {
        while self.pos < self.src.len() {
            if self.src[self.pos] == b'\n' {
                self.pos += 1;
            }
            let indent = self.src[self.pos..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            if self.src.get(self.pos + indent) == Some(&b'#') {
                self.pos += indent;
                return true;
            }
            self.blank_line();
        }
        false
    }

    fn line_end(&self, continued: bool) -> usize {
        let mut at = self.pos;
        while at < self.src.len() {
            if self.src[at] == b'\n' && !(continued && at > 0 && self.src[at - 1] == b'\\') {
                break;
            }
            at += 1;
        }
        at
    }

    fn blank_line(&mut self) {
        let end = self.line_end(false);
        self.blank(self.pos, end);
    }

    fn blank(&mut self, start: usize, end: usize) {
        for b in &mut self.clean[start..end] {
            if *b != b'\n' {
                *b = b' ';
            }
        }
        self.pos = end;
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, ..Span::new(start, end) }
    }

    fn error(&mut self, start: usize, end: usize, message: &str) {
        let span = self.span(start, end);
        self.diags.push(Diagnostic::error(span, message));
    }
}
