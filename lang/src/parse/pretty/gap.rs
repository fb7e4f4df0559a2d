//! What stands between two tokens: comments, preprocessor lines, blank lines.

/// What stands between two tokens.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Gap<'a> {
    pub(super) pieces: Vec<Piece<'a>>,
    /// Line breaks behind the last piece.
    pub(super) breaks: usize,
}

/// A comment or a line that is no part of the script.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// Line breaks before it.
    pub(super) breaks: usize,
    pub(super) text: &'a str,
    pub(super) kind: Kind,
}

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `// …`
    Line,
    /// `/* … */`
    Block,
    /// A preprocessor line, or a line that one switches off: whole, as it is.
    Verbatim,
}

impl<'a> Gap<'a> {
    /// Takes a text between tokens apart.
    pub(super) fn of(text: &'a str) -> Gap<'a> {
        let mut gap = Gap::default();
        let (mut at, mut line) = (0, 0);
        while let Some(c) = text[at..].chars().next() {
            if c == '\n' {
                gap.breaks += 1;
                at += 1;
                line = at;
                continue;
            }
            if c.is_ascii_whitespace() {
                at += 1;
                continue;
            }
            let (start, end, kind) = piece(text, at, line);
            let breaks = std::mem::take(&mut gap.breaks);
            gap.pieces.push(Piece { breaks, text: text[start..end].trim_end(), kind });
            at = end;
        }
        gap
    }
}

fn piece(text: &str, at: usize, line: usize) -> (usize, usize, Kind) {
    let rest = &text[at..];
    if rest.starts_with("//") {
        return (at, at + line_length(rest, false), Kind::Line);
    }
    if let Some(inside) = rest.strip_prefix("/*") {
        let len = inside.find("*/").map_or(rest.len(), |end| end + 4);
        return (at, at + len, Kind::Block);
    }
    (line, at + line_length(rest, rest.starts_with('#')), Kind::Verbatim)
}

/// Up to the end of the line; a preprocessor line goes on behind a backslash.
fn line_length(rest: &str, continued: bool) -> usize {
    let mut from = 0;
    loop {
        let Some(end) = rest[from..].find('\n').map(|n| from + n) else { return rest.len() };
        if !continued || !rest[..end].ends_with('\\') {
            return end;
        }
        from = end + 1;
    }
}
