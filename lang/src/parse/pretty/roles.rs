//! What the grammar knows of the tokens of an item, by where they begin.

use crate::parse::Rule;
use pest::iterators::{Pair, Pairs};
use std::collections::{HashMap, HashSet};

/// The tokens whose meaning decides about the blanks around them.
#[derive(Default)]
pub(super) struct Roles {
    /// Whole attach points: from, to.
    pub(super) attach: HashMap<usize, usize>,
    /// Opening braces, with what they open and where it ends.
    pub(super) open: HashMap<usize, Brace>,
    /// Closing braces.
    pub(super) close: HashMap<usize, BraceKind>,
    /// Prefix operators.
    pub(super) prefix: HashSet<usize>,
    /// `++` and `--` behind a place.
    pub(super) postfix: HashSet<usize>,
    /// `*` of types.
    pub(super) star: HashSet<usize>,
    /// Closing parentheses of casts.
    pub(super) cast: HashSet<usize>,
    /// `=` of records, which stands without blanks.
    pub(super) tight: HashSet<usize>,
    /// `:` of declarations, which follows its name directly.
    pub(super) colon: HashSet<usize>,
    /// Slashes of the predicate: the first, the last.
    pub(super) predicate: Option<(usize, usize)>,
}

/// An opening brace.
#[derive(Clone, Copy)]
pub(super) struct Brace {
    pub(super) kind: BraceKind,
    /// Where its closing brace is.
    pub(super) close: usize,
}

/// What braces are around.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum BraceKind {
    /// The body of a probe.
    Item,
    /// The body of a macro.
    Macro,
    /// The config variables.
    Config,
    /// Statements.
    Statement,
    /// Statements with a value, in an expression.
    Value,
}

impl Roles {
    pub(super) fn of(pairs: Pairs<Rule>) -> Roles {
        let mut roles = Roles::default();
        for pair in pairs {
            roles.take(pair, Rule::EOI);
        }
        roles
    }

    fn take(&mut self, pair: Pair<Rule>, parent: Rule) {
        let (start, text) = (pair.as_span().start(), pair.as_str().trim_end());
        let last = (start + text.len()).saturating_sub(1);
        let rule = pair.as_rule();
        match rule {
            Rule::attach => {
                self.attach.insert(start, start + text.len());
                return;
            }
            Rule::block => self.braces(start, last, of_block(parent)),
            Rule::config_item => {
                if let Some(at) = text.find('{') {
                    let end = text.rfind('}').unwrap_or(at);
                    self.braces(start + at, start + end, BraceKind::Config);
                }
            }
            Rule::unary_op => _ = self.prefix.insert(start),
            Rule::inc_dec => _ = self.postfix.insert(start),
            Rule::type_star => _ = self.star.insert(start),
            Rule::cast => _ = self.cast.insert(last),
            Rule::assign if parent == Rule::record_item => _ = self.tight.insert(start),
            Rule::colon if parent == Rule::let_stmt => _ = self.colon.insert(start),
            Rule::predicate => self.predicate = Some((start, last)),
            _ => {}
        }
        for inner in pair.into_inner() {
            self.take(inner, rule);
        }
    }

    fn braces(&mut self, open: usize, close: usize, kind: BraceKind) {
        self.open.insert(open, Brace { kind, close });
        self.close.insert(close, kind);
    }
}

fn of_block(parent: Rule) -> BraceKind {
    match parent {
        Rule::probe_item => BraceKind::Item,
        Rule::macro_item => BraceKind::Macro,
        Rule::primary => BraceKind::Value,
        _ => BraceKind::Statement,
    }
}
