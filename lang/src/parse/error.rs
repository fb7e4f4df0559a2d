//! What the grammar could not read, in the user's words.

use super::item::{Item, ItemKind};
use super::{Builder, Rule};
use crate::Diagnostic;
use pest::error::{Error, ErrorVariant, InputLocation};

/// The diagnostic for an item that does not parse.
pub(super) fn describe(error: &Error<Rule>, text: &str, item: Item, builder: &Builder) -> Diagnostic {
    let at = match error.location {
        InputLocation::Pos(p) => p,
        InputLocation::Span((p, _)) => p,
    };
    let start = at + text[at..].len() - text[at..].trim_start().len();
    let span = builder.place(start, start + token_len(&text[start..]));
    let ErrorVariant::ParsingError { positives, .. } = &error.variant else {
        return Diagnostic::error(span, "syntax: too complicated to parse")
            .hint("split it: give parts of it variables of their own");
    };
    let expected = expected(positives, &text[start..], item.kind);
    let mut diagnostic = Diagnostic::error(span, format!("syntax: {expected}"));
    diagnostic.hints.extend(hint(positives, &text[start..]));
    diagnostic
}

/// What is written otherwise in other languages.
fn hint(rules: &[Rule], found: &str) -> Option<String> {
    let compares = [Rule::slash, Rule::rparen].iter().any(|rule| rules.contains(rule));
    if compares && found.starts_with('=') {
        return Some("to compare, write ==".into());
    }
    let after = found.strip_prefix('\'')?;
    let quoted = after.split_once('\'').map(|(quoted, _)| quoted).filter(|q| !q.contains(['"', '\n']));
    let quoted = quoted.unwrap_or("TEXT");
    Some(format!("a text stands between double quotes: \"{quoted}\""))
}

/// Length of the token that was found.
fn token_len(text: &str) -> usize {
    let Some(first) = text.chars().next() else { return 0 };
    let sigil = usize::from(matches!(first, '$' | '@'));
    let word = text[sigil..].bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    (sigil + word).max(first.len_utf8())
}

/// What may stand in the place, most telling first.
fn expected(rules: &[Rule], found: &str, kind: ItemKind) -> String {
    let has = |rule: Rule| rules.contains(&rule);
    if has(Rule::attach) || has(Rule::attach_text) {
        return "expected a probe, such as kprobe:NAME".into();
    }
    // A rule that failed at its first token stands for all that it could begin with.
    if STARTERS.iter().any(|rule| has(*rule)) {
        return "expected an expression".into();
    }
    if let Some(text) = CLOSERS.iter().find(|(rule, _)| has(*rule)).map(|(_, text)| *text) {
        if text == "expected ';'" && found.starts_with('=') {
            return "only a variable ($x) or a map (@x) can be assigned to".into();
        }
        return text.into();
    }
    if has(Rule::EOI) {
        return match kind {
            ItemKind::Probe => "unexpected text after the block".into(),
            _ => "unexpected text".into(),
        };
    }
    "unexpected input".into()
}

const STARTERS: &[Rule] =
    &[Rule::unary_op, Rule::paren, Rule::cast, Rule::expr, Rule::simple_stmt, Rule::type_or_expr];

const CLOSERS: &[(Rule, &str)] = &[
    (Rule::rparen, "expected ')'"),
    (Rule::rbracket, "expected ']'"),
    (Rule::slash, "expected '/' after the predicate"),
    (Rule::semi, "expected ';'"),
    (Rule::lbrace, "expected '{'"),
    (Rule::block, "expected '{'"),
    (Rule::lparen, "expected '('"),
    (Rule::assign, "expected '='"),
    (Rule::type_ref, "expected a type"),
    (Rule::let_type, "expected a type"),
    (Rule::c_type, "expected a type"),
    (Rule::var, "expected a variable ($name)"),
    (Rule::map_name, "expected a map (@name)"),
    (Rule::config_value, "expected a value: a string, a number, true, false or a word"),
    (Rule::string, "expected a string"),
    (Rule::int, "expected a number"),
    (Rule::ident, "expected a name"),
    (Rule::config_entry, "expected the name of a config variable"),
    (Rule::c_declarator, "expected a name"),
    (Rule::c_declarators, "expected a name"),
    (Rule::macro_param, "expected a parameter: $name, @name or name"),
    (Rule::colon, "expected ':'"),
    (Rule::comma, "expected ','"),
    (Rule::rbrace, "expected '}'"),
];
