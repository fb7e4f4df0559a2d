//! An item's tokens.

use super::roles::Roles;

/// A token of an item: from, to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Operators of more than one character, longer ones first.
const OPERATORS: [&str; 23] = [
    "<<=", ">>=", "->", "..", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "+=", "-=", "*=",
    "/=", "%=", "&=", "|=", "^=", "$#",
];

/// Splits an item's text, in which comments are blanks.
pub(super) fn tokens(text: &str, roles: &Roles) -> Vec<Token> {
    let mut found = vec![];
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(|c: char| c.is_ascii_whitespace()) {
            at += 1;
            continue;
        }
        let len = match roles.attach.get(&at) {
            Some(end) => end - at,
            None => length(rest, at, roles),
        };
        let end = (at + len.max(1)).min(text.len());
        found.push(Token { start: at, end });
        at = end;
    }
    found
}

fn length(rest: &str, at: usize, roles: &Roles) -> usize {
    let first = rest.chars().next().unwrap_or(' ');
    let word = |from: usize| from + rest[from..].bytes().take_while(|b| is_word(*b)).count();
    match first {
        '"' => string(rest),
        '$' | '@' if rest[1..].bytes().next().is_some_and(is_word) => word(1),
        '@' => 1,
        c if c.is_ascii_alphanumeric() || c == '_' => word(0),
        // A slash of the predicate is no part of an operator.
        '/' if roles.predicate.is_some_and(|(open, close)| at == open || at == close) => 1,
        // Neither are two signs before a value one operator, where the grammar says otherwise.
        _ => match OPERATORS.iter().find(|op| rest.starts_with(**op)) {
            Some(op) if !splits(op, at, roles) => op.len(),
            _ => first.len_utf8(),
        },
    }
}

/// `&&$x` is two prefixes.
fn splits(op: &str, at: usize, roles: &Roles) -> bool {
    op.len() == 2 && op != "$#" && roles.prefix.contains(&at) && roles.prefix.contains(&(at + 1))
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}
