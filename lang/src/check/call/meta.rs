//! What is answered when the script is compiled.

use crate::ast;
use crate::check::literal::{boolean, const_value, is_literal};
use crate::check::{Checker, Typed};
use crate::format::Piece;
use crate::hir::{Expr, ExprKind};
use crate::types::Type;
use crate::{Severity, Span};

impl Checker<'_> {
    /// `is_str(x)` and its kin: the argument is not evaluated.
    pub(crate) fn question(&mut self, name: &str, args: &[ast::Expr], span: Span) -> Typed {
        if let ast::ExprKind::TypeArg(ty) = &args[0].kind {
            let ty = self.resolve_type(ty)?;
            return Some(boolean(is(name, &ty), span));
        }
        self.scopes.dead += 1;
        let typed = self.expr(&args[0]);
        self.scopes.dead -= 1;
        let e = typed?;
        if name == "is_literal" {
            let literal = is_literal(&e) || matches!(e.kind, ExprKind::Text(_) | ExprKind::Const(_));
            return Some(boolean(literal, span));
        }
        let ty = crate::check::convert::decay(e).ty;
        Some(boolean(is(name, &ty), span))
    }

    /// `is_known(x)`: could `x` be compiled for this kernel? What is wrong with it is not reported.
    pub(crate) fn is_known(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let before = self.diags.len();
        self.scopes.dead += 1;
        let typed = self.expr(&args[0]);
        self.scopes.dead -= 1;
        let wrong = self.diags.split_off(before).iter().any(|d| d.severity == Severity::Error);
        // Without an error its type is only not known yet.
        if typed.is_none() && !wrong {
            return None;
        }
        Some(boolean(!wrong, span))
    }

    /// `fail(format, …)`: an error where it can be reached.
    pub(crate) fn fail(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let (pieces, values) = self.format_args("fail", args, span)?;
        if self.scopes.dead > 0 {
            return Some(super::nothing(span));
        }
        let mut values = values.iter();
        let mut message = String::new();
        for piece in &*pieces {
            match piece {
                Piece::Text(t) => message.push_str(t),
                Piece::Conv(_) => match values.next().and_then(shown) {
                    Some(value) => message.push_str(&value),
                    None => {
                        return self
                            .error(span, "fail() can only show what is known when the script is compiled");
                    }
                },
            }
        }
        self.error(span, message)
    }

    pub(crate) fn static_assert(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let holds = self.value_arg("static_assert", args, 0)?;
        let message = self.name_arg("static_assert", args, 1)?;
        match const_value(&holds) {
            Some(0) => self.error(span, message),
            Some(_) => Some(super::nothing(span)),
            None => {
                self.error(args[0].span, "static_assert() needs a condition that is known when compiling")
            }
        }
    }
}

/// A constant as text.
fn shown(e: &Expr) -> Option<String> {
    match &e.kind {
        ExprKind::Text(t) => Some(String::from_utf8_lossy(t).into_owned()),
        _ => const_value(e).map(|v| v.to_string()),
    }
}

fn is(name: &str, ty: &Type) -> bool {
    match name {
        "is_str" => matches!(ty, Type::Str(_)),
        "is_ptr" => matches!(ty, Type::Ptr { .. }),
        "is_array" => matches!(ty, Type::Array { .. }),
        "is_integer" => matches!(ty, Type::Int { .. }),
        "is_unsigned_integer" => matches!(ty, Type::Int { signed: false, .. }),
        _ => false,
    }
}
