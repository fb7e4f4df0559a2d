//! Positional parameters (`$1`) and named ones (`getopt`).

use super::literal::{boolean, int_literal, text};
use super::{Checker, Typed};
use crate::ast;
use crate::{Diagnostic, Span};

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
        if !self.named.contains(&name) {
            self.named.push(name.clone());
        }
        let given = self.options.named_params.iter().rev().find(|(n, _)| *n == name).map(|(_, v)| v.clone());
        let Some(default) = args.get(1) else { return self.getopt_bool(&name, given, false, span) };
        match &default.kind {
            ast::ExprKind::Bool(b) => self.getopt_bool(&name, given, *b, span),
            ast::ExprKind::Str(s) => match given {
                Some(Some(value)) => Some(text(value.as_bytes(), span)),
                Some(None) => self.error(span, format!("--{name} needs a value: --{name}=TEXT")),
                None => Some(text(s, span)),
            },
            _ => {
                let default = self.const_int(default, "the default of getopt")?;
                match given {
                    Some(value) => self.given_number(&name, value.as_deref(), span),
                    None => Some(int_literal(default, span)),
                }
            }
        }
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
            .filter(|(n, _)| !self.named.contains(n))
            .map(|(n, _)| format!("--{n}"))
            .collect();
        if unknown.is_empty() {
            return None;
        }
        let message = format!("the script does not take {}", unknown.join(", "));
        let d = Diagnostic { span: None, ..Diagnostic::error(Span::default(), message) };
        let known: Vec<String> = self.named.iter().map(|n| format!("--{n}")).collect();
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
