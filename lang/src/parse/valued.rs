//! Which blocks and statements have a value.

use super::Rule;
use pest::iterators::Pair;

/// Whether the block's last statement is an expression without semicolon.
fn block_has_value(pair: &Pair<Rule>) -> bool {
    let last =
        pair.clone().into_inner().filter(|p| !matches!(p.as_rule(), Rule::lbrace | Rule::rbrace)).last();
    last.is_some_and(|p| is_value(&p))
}

/// Whether a part of a block could be its value.
pub(super) fn is_value(pair: &Pair<Rule>) -> bool {
    match pair.as_rule() {
        Rule::block => block_has_value(pair),
        Rule::if_expr => if_has_value(pair),
        Rule::simple_stmt => {
            !pair.clone().into_inner().any(|p| matches!(p.as_rule(), Rule::semi | Rule::assign_op))
        }
        _ => false,
    }
}

/// Whether an `if` has an `else`, and all its branches have values.
pub(super) fn if_has_value(pair: &Pair<Rule>) -> bool {
    let blocks = pair.clone().into_inner().filter(|p| p.as_rule() == Rule::block);
    let (mut ifs, mut total) = (0, 0);
    for p in pair.clone().into_inner() {
        ifs += usize::from(p.as_rule() == Rule::kw_if);
        total += usize::from(p.as_rule() == Rule::block);
    }
    total > ifs && blocks.into_iter().all(|b| block_has_value(&b))
}
