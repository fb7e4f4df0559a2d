//! Puts an item's tokens and the comments between them into lines.

use super::gap::{Gap, Kind, Piece};
use super::roles::{BraceKind, Roles};
use super::spacing::spaced;
use super::token::Token;

/// Columns that a block on one line may take.
const WIDTH: usize = 100;
/// Blanks of one level.
const STEP: usize = 2;
/// Blanks by which the rest of a statement stands further right.
const HANGING: usize = 4;
/// Most empty lines in a row.
const MOST_EMPTY: usize = 1;

/// How a token is set off from the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    None,
    Blank,
    /// A line of its own.
    Line,
    /// The statement goes on in the next line.
    Hang,
}

/// The text so far.
pub(super) struct Printer<'a> {
    source: &'a str,
    out: String,
    /// Where in the source we are.
    pos: usize,
    /// Blocks around this place.
    depth: usize,
    /// Columns at which the lines of the open parentheses begin, within the innermost block.
    parens: Vec<usize>,
    /// Those of the blocks around it.
    outer: Vec<Vec<usize>>,
    /// Ends of the blocks that stay on one line.
    inline: Option<usize>,
    /// A comment has ended the line.
    line_ended: bool,
}

/// One item: its place, its tokens and what is known of them.
pub(super) struct Item<'a> {
    base: usize,
    tokens: &'a [Token],
    pub(super) roles: &'a Roles,
}

impl Item<'_> {
    pub(super) fn text<'s>(&self, source: &'s str, n: usize) -> &'s str {
        self.tokens.get(n).map_or("", |t| &source[self.base + t.start..self.base + t.end])
    }

    pub(super) fn start(&self, n: usize) -> usize {
        self.tokens.get(n).map_or(usize::MAX, |t| t.start)
    }
}

impl<'a> Printer<'a> {
    pub(super) fn new(source: &'a str) -> Printer<'a> {
        Printer {
            source,
            out: String::with_capacity(source.len()),
            pos: 0,
            depth: 0,
            parens: vec![],
            outer: vec![],
            inline: None,
            line_ended: false,
        }
    }

    /// The whole text, with one line break at its end.
    pub(super) fn finish(mut self) -> String {
        let gap = Gap::of(&self.source[self.pos..]);
        self.pieces(&gap.pieces, false);
        let mut text = self.out.trim_end().to_owned();
        text.push('\n');
        text
    }

    /// An item that stays as it is.
    pub(super) fn verbatim(&mut self, start: usize, end: usize) {
        self.before_item(start);
        let lines = self.source[start..end].lines().map(str::trim_end);
        self.out += &lines.collect::<Vec<_>>().join("\n");
        self.pos = end;
    }

    /// An item of the language.
    pub(super) fn item(&mut self, base: usize, tokens: &[Token], roles: &Roles) {
        self.before_item(base);
        self.pos = base;
        let item = Item { base, tokens, roles };
        for n in 0..tokens.len() {
            self.token(&item, n);
        }
        self.inline = None;
    }

    /// Comments before an item; the item begins a line.
    fn before_item(&mut self, start: usize) {
        let gap = Gap::of(&self.source[self.pos..start]);
        self.pieces(&gap.pieces, false);
        self.end_line(gap.breaks);
    }

    fn token(&mut self, item: &Item, n: usize) {
        let start = item.base + item.start(n);
        let gap = Gap::of(&self.source[self.pos..start]);
        let mut wanted = if n == 0 { Break::None } else { self.before(item, n, &gap) };
        let closes = self.inline.is_none() && item.roles.close.contains_key(&item.start(n));
        let opened = n > 0 && item.roles.open.contains_key(&item.start(n - 1));
        if !gap.pieces.is_empty() {
            self.pieces(&gap.pieces, wanted != Break::Line);
            let ended = self.line_ended || gap.breaks > 0;
            wanted = match wanted {
                Break::None | Break::Blank if ended => Break::Hang,
                Break::None => Break::Blank,
                other => other,
            };
        }
        if closes {
            self.depth = self.depth.saturating_sub(1);
            self.parens = self.outer.pop().unwrap_or_default();
        }
        match wanted {
            Break::None => {}
            Break::Blank => self.out.push(' '),
            Break::Hang => {
                self.end_line(1);
                self.hang(n > 0 && matches!(item.text(self.source, n - 1), "(" | "["));
                self.indent(true);
            }
            Break::Line => {
                let first = opened && gap.pieces.is_empty();
                self.end_line(if closes || first { 1 } else { gap.breaks });
                self.indent(false);
            }
        }
        self.write(item, n);
    }

    fn write(&mut self, item: &Item, n: usize) {
        let text = item.text(self.source, n);
        let at = item.start(n);
        self.out += text;
        self.pos = item.base + at + text.len();
        if let Some(brace) = item.roles.open.get(&at) {
            if self.inline.is_none() && self.fits(item, n, brace.close, self.column()) {
                self.inline = Some(brace.close);
            }
            if self.inline.is_none() {
                self.depth += 1;
                self.outer.push(std::mem::take(&mut self.parens));
            }
        } else if self.inline == Some(at) {
            self.inline = None;
        } else if matches!(text, "(" | "[") {
            let column = self.column();
            self.parens.push(column);
        } else if matches!(text, ")" | "]") {
            self.parens.pop();
        }
    }

    /// Does a block that stands on one line fit there, where `column` columns are taken by it and what is before?
    fn fits(&self, item: &Item, open: usize, close: usize, column: usize) -> bool {
        let (from, to) = (item.base + item.start(open), item.base + close);
        if self.source[from..to].contains('\n') {
            return false;
        }
        let inside = |n: &usize| item.start(*n) <= close;
        let width: usize = (open + 1..item.tokens.len())
            .take_while(inside)
            .map(|n| item.text(self.source, n).len() + usize::from(spaced(item, self.source, n)))
            .sum();
        column + width <= WIDTH
    }

    /// What stands between a token and the one before it.
    fn before(&self, item: &Item, n: usize, gap: &Gap) -> Break {
        let (last, text) = (item.text(self.source, n - 1), item.text(self.source, n));
        let (before, at) = (item.start(n - 1), item.start(n));
        let roles = item.roles;
        let blank = if spaced(item, self.source, n) { Break::Blank } else { Break::None };
        if self.inline.is_some() {
            return blank;
        }
        if let Some(brace) = roles.open.get(&at) {
            // Both are usual for macros.
            let own_line =
                brace.kind == BraceKind::Item || (brace.kind == BraceKind::Macro && gap.breaks > 0);
            let fits = || self.fits(item, n, brace.close, self.column() + " {".len());
            return if own_line && !fits() { Break::Line } else { blank };
        }
        let ends = last == ";" && self.parens.is_empty();
        if roles.open.contains_key(&before) || roles.close.contains_key(&at) || ends {
            return Break::Line;
        }
        if roles.close.contains_key(&before) {
            return self.behind_block(item, n, gap, blank);
        }
        let broken = gap.breaks > 0 || gap.pieces.iter().any(|p| p.breaks > 0);
        let may_break = blank != Break::None || (matches!(last, "(" | "[") && !matches!(text, ")" | "]"));
        if broken && may_break { Break::Hang } else { blank }
    }

    fn behind_block(&self, item: &Item, n: usize, gap: &Gap, blank: Break) -> Break {
        let text = item.text(self.source, n);
        let kind = item.roles.close.get(&item.start(n - 1));
        let goes_on = kind == Some(&BraceKind::Value) || matches!(text, ";" | "," | ")" | "]");
        let otherwise = text == "else" && gap.pieces.is_empty();
        if goes_on || otherwise { blank } else { Break::Line }
    }

    /// Comments and preprocessor lines; `continued`: in the middle of a statement.
    fn pieces(&mut self, pieces: &[Piece], continued: bool) {
        for piece in pieces {
            let at_start = self.out.is_empty() || self.out.ends_with('\n');
            let own_line = piece.breaks > 0 || piece.kind == Kind::Verbatim || at_start;
            if own_line {
                let opened = self.out.ends_with('{');
                self.end_line(if opened { 1 } else { piece.breaks.max(1) });
                if piece.kind != Kind::Verbatim {
                    self.indent(continued);
                }
            } else if !self.out.ends_with(['(', '[']) {
                self.out.push(' ');
            }
            self.out += piece.text;
            self.line_ended = piece.kind != Kind::Block;
        }
    }

    /// Ends the line, if one is begun, with as many empty lines as the source has, within limits.
    fn end_line(&mut self, breaks: usize) {
        self.line_ended = false;
        if self.out.is_empty() {
            return;
        }
        let kept = self.out.trim_end_matches([' ', '\n']).len();
        self.out.truncate(kept);
        let most = 1 + MOST_EMPTY;
        self.out += &"\n".repeat(breaks.clamp(1, most));
    }

    /// Where a line ends with an opening parenthesis, what it holds stands a level further right.
    fn hang(&mut self, behind_paren: bool) {
        let around = self.parens.len().checked_sub(2).and_then(|n| self.parens.get(n));
        let column = around.copied().unwrap_or(self.depth * STEP) + HANGING;
        if let Some(innermost) = self.parens.last_mut().filter(|_| behind_paren) {
            *innermost = column;
        }
    }

    fn indent(&mut self, continued: bool) {
        let plain = self.depth * STEP;
        let columns = match (continued, self.parens.last()) {
            (true, Some(column)) => *column,
            (true, None) if self.depth > 0 => plain + HANGING,
            _ => plain,
        };
        self.out.extend(std::iter::repeat_n(' ', columns));
    }

    fn column(&self) -> usize {
        self.out.len() - self.out.rfind('\n').map_or(0, |n| n + 1)
    }
}
