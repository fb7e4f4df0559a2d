//! When is the input complete? Enter runs a program whose brackets, strings and comments are closed,
//! and begins a new line otherwise.

/// What is still open at the end of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing: it can be compiled (and may still be wrong).
    Complete,
    /// A bracket, string or comment; the word says which.
    Open(&'static str),
}

/// Looks at brackets, string literals and comments only; the parser judges the rest.
pub(crate) fn state(text: &str) -> State {
    let mut depth = 0i32;
    let mut chars = text.chars().peekable();
    let mut body_seen = false;
    while let Some(c) = chars.next() {
        match c {
            // A string that ends is skipped by the guard.
            '"' if !skip_string(&mut chars) => return State::Open("string"),
            '/' if chars.peek() == Some(&'/') => {
                for c in chars.by_ref() {
                    if c == '\n' {
                        break;
                    }
                }
            }
            '/' if chars.peek() == Some(&'*') => {
                chars.next();
                if !skip_comment(&mut chars) {
                    return State::Open("comment");
                }
            }
            '{' | '(' | '[' => {
                depth += 1;
                body_seen |= c == '{';
            }
            '}' | ')' | ']' => depth -= 1,
            _ => {}
        }
    }
    if depth > 0 {
        State::Open("bracket")
    } else if !body_seen && text.trim_end().ends_with([',', '/']) {
        // `kprobe:f,` or a predicate on a line of its own: the body follows.
        State::Open("probe")
    } else {
        State::Complete
    }
}

/// Skips to the closing quote; false where there is none.
fn skip_string(chars: &mut impl Iterator<Item = char>) -> bool {
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '"' => return true,
            _ => {}
        }
    }
    false
}

/// Skips to `*/`; false where there is none.
fn skip_comment(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    while let Some(c) = chars.next() {
        if c == '*' && chars.peek() == Some(&'/') {
            chars.next();
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_block_is_complete() {
        assert_eq!(state("BEGIN { printf(\"}{\\\"\"); }"), State::Complete);
        assert_eq!(state("kprobe:f /pid == 1/ { @ = count(); } // { open"), State::Complete);
    }

    #[test]
    fn open_things_ask_for_more() {
        assert_eq!(state("BEGIN {"), State::Open("bracket"));
        assert_eq!(state("BEGIN { printf(\"a"), State::Open("string"));
        assert_eq!(state("/* why"), State::Open("comment"));
        assert_eq!(state("kprobe:f,"), State::Open("probe"));
        assert_eq!(state("kprobe:f /pid == 1/"), State::Open("probe"));
    }

    #[test]
    fn too_many_closing_brackets_are_left_to_the_parser() {
        assert_eq!(state("BEGIN { } }"), State::Complete);
    }
}
