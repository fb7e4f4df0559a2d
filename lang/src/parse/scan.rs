//! Tokens as far as the layout needs them: strings, comments, preprocessor lines, brackets.

use super::include::Included;
use super::item::{MAX_NESTING, Part};
use super::preprocess::Preprocessor;
use crate::{Diagnostic, Source, Span};

/// A source being looked at, byte by byte.
pub(super) struct Scan<'a> {
    pub(super) src: &'a [u8],
    pub(super) clean: Vec<u8>,
    pub(super) pos: usize,
    pub(super) file: u16,
    /// The source's name, from which headers beside it are found.
    pub(super) name: &'a str,
    pub(super) directives: Preprocessor,
    /// The headers before this place, in items.
    pub(super) parts: Vec<Part>,
    pub(super) headers: Included,
    pub(super) diags: Vec<Diagnostic>,
    /// How many there were before the current item.
    pub(super) item_errors: usize,
}

/// An item's end; `Err` when an error was reported and the item is not worth parsing.
pub(super) type Extent = Result<usize, ()>;

impl<'a> Scan<'a> {
    pub(super) fn new(source: &'a Source, file: u16, headers: Included) -> Self {
        Scan {
            src: source.text.as_bytes(),
            clean: source.text.as_bytes().to_vec(),
            pos: 0,
            file,
            name: &source.name,
            directives: Preprocessor::default(),
            parts: vec![],
            headers,
            diags: vec![],
            item_errors: 0,
        }
    }
}

impl Scan<'_> {
    pub(super) fn next_solid(&self, from: usize) -> Option<u8> {
        self.src[from..].iter().copied().find(|b| !b.is_ascii_whitespace())
    }

    pub(super) fn word_end(&self, from: usize) -> usize {
        from + self.src[from..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count()
    }

    /// Steps over a quoted part; false where it has no end in its line.
    pub(super) fn quoted(&mut self) -> bool {
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

    /// From an opening brace to behind its closing one.
    pub(super) fn balanced(&mut self) -> Extent {
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

    pub(super) fn too_deep(&mut self, at: usize) -> Extent {
        let message = format!("syntax: brackets are nested more than {MAX_NESTING} deep");
        let span = self.span(at, at + 1);
        self.diags.push(
            Diagnostic::error(span, message)
                .hint("close what is open, or give the inner parts to variables of their own"),
        );
        Err(())
    }

    pub(super) fn unclosed(&mut self, open: &[usize]) -> Extent {
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
        // What looks like the next probe is looked at all the same.
        if let Some(next) = self.probe_after(brace) {
            self.pos = next;
        }
        Err(())
    }

    /// The first line after `from` that begins, without indentation, as a probe does.
    pub(super) fn probe_after(&self, from: usize) -> Option<usize> {
        let lines = (from..self.src.len()).filter(|&i| self.src[i] == b'\n').map(|i| i + 1);
        lines.into_iter().find(|&start| {
            let end = self.word_end(start);
            let Ok(word) = std::str::from_utf8(&self.src[start..end]) else { return false };
            let plain = matches!(word, "begin" | "end" | "BEGIN" | "END");
            plain || (self.src.get(end) == Some(&b':') && rbtrace_stdlib::probe_kind(word).is_some())
        })
    }

    /// One token of an item: a comment (blanked), a string, a directive or one byte.
    pub(super) fn step(&mut self) -> Result<(), ()> {
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

    pub(super) fn string(&mut self) {
        let start = self.pos;
        if !self.quoted() {
            self.error(start, self.pos, "syntax: the string that begins here is never closed");
        }
    }

    /// Blanks and comments between items.
    pub(super) fn skip_blanks(&mut self) {
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
    pub(super) fn comment(&mut self) -> Result<bool, ()> {
        let start = self.pos;
        match self.src.get(start + 1) {
            Some(b'/') => {
                self.blank_line();
                Ok(true)
            }
            Some(b'*') => {
                let Some(len) = self.src[start + 2..].windows(2).position(|w| w == b"*/") else {
                    self.error(start, start + 2, "syntax: the comment that begins here is never closed");
                    self.pos = self.src.len();
                    return Err(());
                };
                self.blank(start, start + 2 + len + 2);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    pub(super) fn at_line_start(&self) -> bool {
        let before = self.clean[..self.pos].iter().rev().find(|b| !matches!(b, b' ' | b'\t'));
        before.is_none_or(|b| *b == b'\n')
    }

    /// A preprocessor line, continued after a backslash, with the lines that it switches off.
    pub(super) fn directive(&mut self) {
        loop {
            let start = self.pos;
            let end = self.line_end(true);
            let line = String::from_utf8_lossy(&self.src[start..end]).into_owned();
            self.blank(start, end);
            let wanted = self.directives.line(&line, self.span(start, end), &mut self.diags);
            if let Some(wanted) = wanted {
                self.include(&wanted);
            }
            if self.directives.active() {
                return;
            }
            if !self.blank_to_directive() {
                return;
            }
        }
    }

    /// Blanks lines until one that is a directive; false at the end of the text.
    pub(super) fn blank_to_directive(&mut self) -> bool {
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

    pub(super) fn line_end(&self, continued: bool) -> usize {
        let mut at = self.pos;
        while at < self.src.len() {
            if self.src[at] == b'\n' && !(continued && at > 0 && self.src[at - 1] == b'\\') {
                break;
            }
            at += 1;
        }
        at
    }

    pub(super) fn blank_line(&mut self) {
        let end = self.line_end(false);
        self.blank(self.pos, end);
    }

    pub(super) fn blank(&mut self, start: usize, end: usize) {
        for b in &mut self.clean[start..end] {
            if *b != b'\n' {
                *b = b' ';
            }
        }
        self.pos = end;
    }

    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, ..Span::new(start, end) }
    }

    pub(super) fn error(&mut self, start: usize, end: usize, message: &str) {
        let span = self.span(start, end);
        self.diags.push(Diagnostic::error(span, message));
    }
}
