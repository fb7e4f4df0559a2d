//! Which tokens a blank stands between.

use super::printer::Item;

/// Words behind which a parenthesis stands apart.
const APART: [&str; 8] = ["if", "else", "for", "while", "unroll", "return", "comptime", "macro"];

/// Does a blank stand between a token and the one before it?
pub(super) fn spaced(item: &Item, source: &str, n: usize) -> bool {
    let Some(before) = n.checked_sub(1) else { return false };
    let (last, text) = (item.text(source, before), item.text(source, n));
    let (from, to) = (item.start(before), item.start(n));
    let roles = item.roles;
    // Attach points may begin or end with any character.
    if roles.attach.contains_key(&from) {
        return text != ",";
    }
    if let Some((open, close)) = roles.predicate
        && (from == open || to == close)
    {
        return false;
    }
    if roles.attach.contains_key(&to) || from == close_of(item) || roles.open.contains_key(&to) {
        return true;
    }
    if roles.prefix.contains(&from) {
        // Two signs would read as one operator.
        return roles.prefix.contains(&to) && last.chars().last() == text.chars().next();
    }
    let sticks = matches!(text, ";" | "," | ")" | "]" | "[" | "." | "->" | "..")
        || matches!(last, "(" | "[" | "." | "->" | "..")
        || roles.postfix.contains(&to)
        || roles.colon.contains(&to)
        || roles.cast.contains(&from)
        || roles.tight.contains(&from)
        || roles.tight.contains(&to)
        || roles.star.contains(&to);
    let called = text == "(" && is_name(last) && !APART.contains(&last);
    !sticks && !called
}

/// Where the last slash of the predicate is.
fn close_of(item: &Item) -> usize {
    item.roles.predicate.map_or(usize::MAX, |(_, close)| close)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}
