//! Preprocessor lines: conditions are decided here, `#define` and `#include` become declarations.

use super::constant;
use crate::ast::Name;
use crate::{Diagnostic, Span};

/// What a `#define` line says.
pub(super) struct Define {
    /// The macro's name.
    pub(super) name: String,
    /// Place of the name.
    pub(super) name_span: Span,
    /// What stands in parentheses directly behind the name.
    pub(super) params: Option<Vec<Name>>,
    /// The text after that.
    pub(super) body: String,
    /// Place of that text.
    pub(super) body_span: Span,
}

/// A line that declares something.
pub(super) enum Directive {
    /// `#define`
    Define(Define, Span),
    /// `#include`
    Include(String, Span),
}

/// One `#if` … `#endif`.
pub(super) struct Condition {
    /// The branch that we are in is used.
    on: bool,
    /// A branch was used already.
    taken: bool,
    /// `#else` was seen.
    in_else: bool,
    /// The `#if` line.
    span: Span,
}

/// The state of the preprocessor after some lines.
#[derive(Default)]
pub(super) struct Preprocessor {
    conditions: Vec<Condition>,
    /// `#pragma once` was seen in this source.
    once: bool,
    /// Declarations in order.
    pub(super) found: Vec<Directive>,
}

/// One line, in parts.
struct Line<'a> {
    /// After the directive's name.
    rest: &'a str,
    /// Offset of `rest` in the line.
    offset: usize,
    span: Span,
}

impl Line<'_> {
    /// The name that the line begins with; what follows it is passed over, as C compilers do.
    fn word(&self) -> &str {
        &self.rest[..word_len(self.rest)]
    }

    /// The names between two offsets, separated by commas.
    fn names(&self, from: usize, to: usize) -> Vec<Name> {
        let mut at = from;
        let mut names = vec![];
        for part in self.rest[from..to].split(',') {
            let start = at + part.len() - part.trim_start().len();
            let text = part.trim();
            if !text.is_empty() {
                names.push(Name { text: text.into(), span: self.part(start, start + text.len()) });
            }
            at += part.len() + 1;
        }
        names
    }

    fn part(&self, from: usize, to: usize) -> Span {
        let base = self.span.start as usize + self.offset;
        Span { file: self.span.file, ..Span::new(base + from, base + to) }
    }
}

/// What an `#include` line names.
pub(super) struct Wanted {
    pub(super) path: String,
    /// Between quotes.
    pub(super) quoted: bool,
    pub(super) span: Span,
}

impl Preprocessor {
    /// Whether the lines that follow are part of the script.
    pub(super) fn active(&self) -> bool {
        self.conditions.iter().all(|c| c.on)
    }

    /// Takes one line, from its `#` on; gives the header that it includes.
    pub(super) fn line(&mut self, text: &str, span: Span, diags: &mut Vec<Diagnostic>) -> Option<Wanted> {
        let text = without_comments(text);
        let name_start = 1 + text[1..].len() - text[1..].trim_start().len();
        let name_len = word_len(&text[name_start..]);
        let offset = name_start + name_len;
        let offset = offset + text[offset..].len() - text[offset..].trim_start().len();
        let line = Line { rest: text[offset..].trim_end(), offset, span };
        let active = self.active();
        match &text[name_start..name_start + name_len] {
            "if" => {
                let on = active && self.evaluate(&line, diags);
                self.open(on, active, span);
            }
            "ifdef" => self.open(active && self.is_defined(line.word()), active, span),
            "ifndef" => self.open(active && !self.is_defined(line.word()), active, span),
            "elif" => self.elif(&line, diags),
            "else" => self.otherwise(span, diags),
            "endif" => {
                if self.conditions.pop().is_none() {
                    diags.push(Diagnostic::error(span, "syntax: #endif without #if"));
                }
            }
            _ if !active => {}
            "define" => self.define(&line, diags),
            "undef" => self.found.retain(|d| !matches!(d, Directive::Define(d, _) if d.name == line.word())),
            "include" => return include(&line, diags),
            "error" => diags.push(Diagnostic::error(span, format!("#error {}", line.rest))),
            "warning" => diags.push(Diagnostic::warning(span, format!("#warning {}", line.rest))),
            // Advice to a C compiler has no meaning here.
            "pragma" if line.rest == "once" => self.once = true,
            "pragma" => {}
            // A script that was put below a licence still names its interpreter.
            "" if line.rest.starts_with('!') => {}
            other => diags.push(Diagnostic::error(span, format!("syntax: unknown directive '#{other}'"))),
        }
        None
    }

    /// Begins a header: it closes what it opens itself. Gives what the source around it has open.
    pub(super) fn enter(&mut self) -> Vec<Condition> {
        self.once = false;
        std::mem::take(&mut self.conditions)
    }

    /// Goes on with the source around a header; true if the header is to be read once only.
    pub(super) fn leave(&mut self, conditions: Vec<Condition>) -> bool {
        self.conditions = conditions;
        std::mem::take(&mut self.once)
    }

    /// Reports what was never closed.
    pub(super) fn finish(&mut self, _file: u16, diags: &mut Vec<Diagnostic>) {
        for c in self.conditions.drain(..) {
            diags.push(Diagnostic::error(c.span, "syntax: #if without #endif"));
        }
    }

    fn open(&mut self, on: bool, active: bool, span: Span) {
        // Inside what is switched off no branch may switch on.
        self.conditions.push(Condition { on, taken: on || !active, in_else: false, span });
    }

    fn elif(&mut self, line: &Line, diags: &mut Vec<Diagnostic>) {
        let Some(mut c) = self.conditions.pop() else {
            diags.push(Diagnostic::error(line.span, "syntax: #elif without #if"));
            return;
        };
        c.on = !c.taken && self.evaluate(line, diags);
        c.taken |= c.on;
        self.conditions.push(c);
    }

    fn otherwise(&mut self, span: Span, diags: &mut Vec<Diagnostic>) {
        match self.conditions.last_mut() {
            Some(c) if !c.in_else => {
                c.on = !c.taken;
                c.taken = true;
                c.in_else = true;
            }
            Some(_) => diags.push(Diagnostic::error(span, "syntax: #else after #else")),
            None => diags.push(Diagnostic::error(span, "syntax: #else without #if")),
        }
    }

    /// Kernel types come from BTF, which scripts ask for by this name.
    fn is_defined(&self, name: &str) -> bool {
        name == "BPFTRACE_HAVE_BTF" || self.value(name).is_some()
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.found.iter().rev().find_map(|d| match d {
            Directive::Define(d, _) if d.name == name => Some(d.body.as_str()),
            _ => None,
        })
    }

    fn define(&mut self, line: &Line, diags: &mut Vec<Diagnostic>) {
        let len = word_len(line.rest);
        if len == 0 || line.rest.as_bytes()[0].is_ascii_digit() {
            diags.push(Diagnostic::error(line.span, "syntax: expected a name after #define"));
            return;
        }
        let mut from = len;
        let mut params = None;
        if line.rest[len..].starts_with('(') {
            let Some(close) = line.rest.find(')') else {
                diags.push(Diagnostic::error(
                    line.span,
                    "syntax: expected ')' after the parameters of #define",
                ));
                return;
            };
            params = Some(line.names(len + 1, close));
            from = close + 1;
        }
        from += line.rest[from..].len() - line.rest[from..].trim_start().len();
        let define = Define {
            name: line.rest[..len].into(),
            name_span: line.part(0, len),
            params,
            body: line.rest[from..].into(),
            body_span: line.part(from, line.rest.len()),
        };
        self.found.push(Directive::Define(define, line.span));
    }

    fn evaluate(&self, line: &Line, diags: &mut Vec<Diagnostic>) -> bool {
        let text = self.without_defined(line.rest);
        match constant::evaluate(&text, &|name| self.lookup(name, 0)) {
            Some(v) => v != 0,
            None => {
                let message = format!("cannot decide '#if {}'", line.rest);
                let hint = "only numbers, #define names, defined(NAME) and operators can be tested";
                diags.push(Diagnostic::error(line.span, message).hint(hint));
                false
            }
        }
    }

    fn lookup(&self, name: &str, depth: usize) -> Option<i64> {
        match (self.value(name), depth) {
            (_, 16..) => None,
            (Some(text), _) => constant::evaluate(text, &|n| self.lookup(n, depth + 1)),
            // As in C, what is not defined is zero.
            (None, _) => Some(i64::from(name == "BPFTRACE_HAVE_BTF")),
        }
    }

    /// Puts 1 or 0 for each `defined(NAME)` and `defined NAME`.
    fn without_defined(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("defined") {
            out.push_str(&rest[..at]);
            let after = rest[at + "defined".len()..].trim_start();
            let inner = after.strip_prefix('(').map_or(after, str::trim_start);
            let len = word_len(inner);
            out.push_str(if self.is_defined(&inner[..len]) { "1" } else { "0" });
            let behind = &inner[len..];
            rest = if after.starts_with('(') {
                behind.trim_start().strip_prefix(')').unwrap_or(behind)
            } else {
                behind
            };
        }
        out.push_str(rest);
        out
    }
}

/// `<FILE>` or `"FILE"`.
fn include(line: &Line, diags: &mut Vec<Diagnostic>) -> Option<Wanted> {
    let between = |open, close| line.rest.strip_prefix(open)?.strip_suffix(close);
    let (path, quoted) = match (between('<', '>'), between('"', '"')) {
        (Some(path), _) => (path, false),
        (None, Some(path)) => (path, true),
        (None, None) => {
            diags.push(Diagnostic::error(line.span, "syntax: expected <FILE> or \"FILE\" after #include"));
            return None;
        }
    };
    Some(Wanted { path: path.to_owned(), quoted, span: line.span })
}

fn word_len(text: &str) -> usize {
    text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count()
}

/// Comments and continuations as blanks, so that offsets stay.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_string = false;
    while let Some(c) = rest.chars().next() {
        let mut len = c.len_utf8();
        if c == '"' {
            in_string = !in_string;
        }
        if in_string && c == '\\' && rest.len() > 1 {
            let escaped = rest[1..].chars().next().map_or(0, char::len_utf8);
            out.push_str(&rest[..1 + escaped]);
            rest = &rest[1 + escaped..];
            continue;
        }
        if !in_string && rest.starts_with("//") {
            break;
        }
        let blank = if !in_string && rest.starts_with("/*") {
            len = rest.find("*/").map_or(rest.len(), |e| e + 2);
            true
        } else {
            c == '\n' || (c == '\\' && rest[1..].trim_start_matches(' ').starts_with('\n'))
        };
        if blank {
            out.extend(std::iter::repeat_n(' ', len));
        } else {
            out.push_str(&rest[..len]);
        }
        rest = &rest[len..];
    }
    out
}
