//! Errors and warnings with their place.

use crate::excerpt::excerpt;
use crate::{Source, Span};
use std::fmt::Write as _;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The script does not run.
    Error,
    /// The script runs; this is worth knowing.
    Warning,
}

/// One message to the author of a script.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// One sentence in the user's terms, without a full stop.
    pub message: String,
    /// The place; `None` where the command line, not the text, is at fault.
    pub span: Option<Span>,
    /// What to do, or what was expected: printed after `HINT: `.
    pub hints: Vec<String>,
    /// Other places that matter (`first used as int64 here`).
    pub related: Vec<(Span, String)>,
}

/// Is one of them an error?
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|d| d.severity == Severity::Error)
}

impl Diagnostic {
    /// An error at `span`.
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Diagnostic {
            severity: Severity::Error,
            message: message.into(),
            span: Some(span),
            hints: vec![],
            related: vec![],
        }
    }

    /// A warning at `span`.
    pub fn warning(span: Span, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(span, message) }
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds another place.
    pub fn related(mut self, span: Span, note: impl Into<String>) -> Self {
        self.related.push((span, note.into()));
        self
    }

    /// The message with its source line and a marker below it:
    ///
    /// ```text
    /// stdin:1:9-15: ERROR: there is no function 'nosuch'
    /// BEGIN { nosuch() }
    ///         ~~~~~~
    /// HINT: …
    /// ```
    ///
    /// `sources[span.file]` is the text that a span points into.
    pub fn render(&self, sources: &[Source]) -> String {
        let what = match self.severity {
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
        };
        let mut out = String::new();
        self.render_place(&mut out, sources, self.span, &format!("{what}: {}", self.message));
        for (span, note) in &self.related {
            self.render_place(&mut out, sources, Some(*span), &format!("NOTE: {note}"));
        }
        for hint in &self.hints {
            let _ = writeln!(out, "HINT: {hint}");
        }
        out
    }

    fn render_place(&self, out: &mut String, sources: &[Source], span: Option<Span>, text: &str) {
        let Some((span, src)) = span.and_then(|s| Some((s, sources.get(s.file as usize)?))) else {
            let _ = writeln!(out, "{text}");
            return;
        };
        let from = src.line_col(span.start);
        let to = src.line_col(span.end.max(span.start));
        if from.line == to.line {
            let _ = writeln!(out, "{}:{}:{}-{}: {text}", src.name, from.line, from.col, to.col);
        } else {
            let _ = writeln!(out, "{}:{}-{}: {text}", src.name, from.line, to.line);
        }
        let line = src.line(from.line);
        let last = if from.line == to.line { to.col.max(from.col + 1) } else { usize::MAX };
        out.push_str(&excerpt(line, from.col - 1, last - 1));
    }
}
