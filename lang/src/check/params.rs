//! Positional parameters (`$1`) and named ones (`getopt`).

use super::literal::{boolean, int_literal, text};
use super::{Checker, Typed};
use crate::ast;
use crate::{Diagnostic, Span};
use std::rc::Rc;

/// A named parameter that the script asks for.
#[derive(Clone)]
pub(crate) struct NamedParam {
    name: String,
    default: Option<Default>,
    description: Option<ast::ExprKind>,
    span: Span,
}

/// What a named parameter is where it is not given.
#[derive(Clone, PartialEq)]
enum Default {
    Bool(bool),
    Number(i128),
    Text(Rc<[u8]>),
}

/// A number as the command line writes it: decimal, `0x…`, `0…` octal, with a sign.
pub(crate) fn parse_number(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None if digits.len() > 1 && digits.starts_with('0') => u64::from_str_radix(digits, 8).ok()?,
        None => digits.parse().ok()?,
    };
    let value = i128::from(value);
    Some(if negative { -value } else { value })
}

impl Checker<'_> {
    /// `$n`: a number where it is one, else a text; 0 where it was not given.
    pub(crate) fn positional(&mut self, n: u32, span: Span) -> Typed {
        let Some(value) = self.param_text(n) else {
            self.warn(span, format!("parameter ${n} was not given: it counts as 0"));
            return Some(int_literal(0, span));
        };
        match parse_number(&value) {
            Some(number) => Some(int_literal(number, span)),
            None => Some(text(value.as_bytes(), span)),
        }
    }

    /// The text of a positional parameter.
    pub(crate) fn param_text(&self, n: u32) -> Option<String> {
        self.options.params.get((n as usize).checked_sub(1)?).cloned()
    }

    /// `str($1)`, `str($1 + 2)`: the parameter's text from there on. Outer `None`: the expression has neither form.
    pub(crate) fn param_as_text(&mut self, e: &ast::Expr) -> Option<Typed> {
        let (n, skip) = match &e.kind {
            ast::ExprKind::Positional(n) => (*n, None),
            ast::ExprKind::Binary(ast::BinOp::Add, l, r) => match &l.kind {
                ast::ExprKind::Positional(n) => (*n, Some(&**r)),
                _ => return None,
            },
            _ => return None,
        };
        let value = self.param_text(n).unwrap_or_default();
        let skip = match skip {
            Some(e) => match self.const_int(e, "what is added to a parameter's text") {
                Some(v) => v,
                None => return Some(None),
            },
            None => 0,
        };
        match usize::try_from(skip).ok().filter(|&s| s <= value.len()) {
            Some(skip) => Some(Some(text(&value.as_bytes()[skip..], e.span))),
            None => Some(self.error(
                e.span,
                format!("cannot skip {skip} bytes of parameter ${n}: it has {}", value.len()),
            )),
        }
    }

    /// `getopt(name, default)`
    pub(crate) fn getopt(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let name = self.name_arg("getopt", args, 0)?;
        if args.len() > 2 {
            self.literal_arg("getopt", args, 2)?;
        }
        let param = NamedParam {
            name: name.clone(),
            default: match args.get(1) {
                Some(default) => Some(self.default_of(default)?),
                None => None,
            },
            description: args.get(2).map(|text| text.kind.clone()),
            span,
        };
        self.same_everywhere(&param)?;
        let given = self.options.named_params.iter().rev().find(|(n, _)| *n == name).map(|(_, v)| v.clone());
        match (param.default, given) {
            (None, given) => self.getopt_bool(&name, given, false, span),
            (Some(Default::Bool(b)), given) => self.getopt_bool(&name, given, b, span),
            (Some(Default::Text(_)), Some(Some(value))) => Some(text(value.as_bytes(), span)),
            (Some(Default::Text(_)), Some(None)) => {
                self.error(span, format!("--{name} needs a value: --{name}=TEXT"))
            }
            (Some(Default::Text(s)), None) => Some(text(&s, span)),
            (Some(Default::Number(_)), Some(value)) => self.given_number(&name, value.as_deref(), span),
            (Some(Default::Number(n)), None) => Some(int_literal(n, span)),
        }
    }

    fn default_of(&mut self, e: &ast::Expr) -> Option<Default> {
        Some(match &e.kind {
            ast::ExprKind::Bool(b) => Default::Bool(*b),
            ast::ExprKind::Str(s) => Default::Text(Rc::clone(s)),
            _ => Default::Number(self.const_int(e, "the default of getopt")?),
        })
    }

    /// A named parameter is one for the whole script: one default, one description.
    fn same_everywhere(&mut self, param: &NamedParam) -> Option<()> {
        let NamedParam { name, default, description, span } = param;
        let Some(first) = self.named.iter().find(|known| known.name == *name) else {
            self.named.push(param.clone());
            return Some(());
        };
        let what = match (&first.description, description) {
            _ if first.default != *default => "default",
            (Some(first), Some(here)) if first != here => "description",
            _ => return Some(()),
        };
        let message = format!("--{name} has another {what} elsewhere in the script");
        let hint = format!("a macro keeps it in one place: macro NAME() {{ getopt(\"{name}\", …) }}");
        let error = Diagnostic::error(*span, message).related(first.span, "the first one").hint(hint);
        self.diags.push(error);
        None
    }

    fn given_number(&mut self, name: &str, value: Option<&str>, span: Span) -> Typed {
        match value.and_then(parse_number) {
            Some(v) => Some(int_literal(v, span)),
            None => self.error_hint(
                span,
                format!("--{name} takes a number, not '{}'", value.unwrap_or_default()),
                Some(format!("--{name}=N")),
            ),
        }
    }

    /// Named parameters that were given and that the script never asks for.
    pub(crate) fn unexpected_params(&self) -> Option<Diagnostic> {
        let unknown: Vec<String> = self
            .options
            .named_params
            .iter()
            .filter(|(n, _)| !self.named.iter().any(|known| known.name == *n))
            .map(|(n, _)| format!("--{n}"))
            .collect();
        if unknown.is_empty() {
            return None;
        }
        let message = format!("the script does not take {}", unknown.join(", "));
        let d = Diagnostic { span: None, ..Diagnostic::error(Span::default(), message) };
        let known: Vec<String> = self.named.iter().map(|n| format!("--{}", n.name)).collect();
        Some(match known.is_empty() {
            true => d,
            false => d.hint(format!("its options are {}", known.join(", "))),
        })
    }

    fn getopt_bool(&mut self, name: &str, given: Option<Option<String>>, default: bool, span: Span) -> Typed {
        match given {
            None => Some(boolean(default, span)),
            Some(None) => Some(boolean(true, span)),
            Some(Some(v)) => match rbtrace_stdlib::config::as_bool(&v) {
                Some(b) => Some(boolean(b, span)),
                None => self.error(span, format!("--{name} takes true or false, not '{v}'")),
            },
        }
    }
}
