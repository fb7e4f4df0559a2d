//! Texts.

use crate::Span;
use crate::ast;
use crate::check::literal::int_literal;
use crate::check::{Checker, Typed};
use crate::hir::{Expr, ExprKind};
use crate::types::{Type, U64};

const CHAR: Type = Type::Int { size: 1, signed: true };

fn length_counting_nul(n: u32, span: Span) -> Box<Expr> {
    Box::new(Expr { kind: ExprKind::Const(u64::from(n)), ty: U64, span })
}

impl Checker<'_> {
    /// `str(pointer, [size])`
    pub(crate) fn str_call(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let length = match args.get(1) {
            Some(_) => Some(self.length("str", args)?),
            None => None,
        };
        if let Some(text) = self.param_as_text(&args[0]) {
            return self.cut(text?, length, span);
        }
        let e = self.expr(&args[0])?;
        let ptr = match &e.ty {
            Type::Ptr { .. } => e,
            Type::Int { .. } => self.as_pointer(e, CHAR),
            Type::Str(_) => return self.cut(e, length, span),
            Type::ProbeName => return self.probe_as_text_here(),
            Type::Array { elem, len } if elem.size() == 1 && *len > 0 => {
                return self.array_text(e, length, span);
            }
            Type::Array { elem, .. } if elem.size() == 1 => e,
            ty => {
                let message = format!("str() takes a pointer, an integer or a text, not {ty}");
                return self.error(args[0].span, message);
            }
        };
        let most = self.settings.config.max_strlen;
        let (size, len) = match length {
            None => (most, None),
            // What a length leaves out is not wanted, so the text is not marked as cut.
            Some((n, None)) if n < most => (n, Some(length_counting_nul(n, span))),
            Some(given) => given,
        };
        Some(Expr { kind: ExprKind::StrFrom { ptr: Box::new(ptr), len }, ty: Type::Str(size), span })
    }

    /// A text that is one already. Of a literal the length counts the bytes without a NUL, as in bpftrace.
    fn cut(&mut self, e: Expr, length: Option<(u32, Option<Box<Expr>>)>, span: Span) -> Typed {
        let (Type::Str(n), Some((size, at_run_time))) = (&e.ty, length) else {
            return Some(Expr { span, ..e });
        };
        if at_run_time.is_none() && size >= *n {
            return Some(Expr { span, ..e });
        }
        match e.kind {
            ExprKind::Text(t) if at_run_time.is_none() => {
                let keep = t.len().min(size as usize);
                Some(crate::check::literal::text(&t[..keep], span))
            }
            _ => {
                let len = at_run_time.unwrap_or_else(|| length_counting_nul(size, span));
                let ty = Type::Str(size.min(*n));
                Some(Expr { kind: ExprKind::StrFrom { ptr: Box::new(e), len: Some(len) }, ty, span })
            }
        }
    }

    fn array_text(&mut self, e: Expr, length: Option<(u32, Option<Box<Expr>>)>, span: Span) -> Typed {
        let size = e.ty.size();
        match length {
            Some((n, len)) if n < size || len.is_some() => {
                let ty = Type::Str(n.min(size));
                Some(Expr { kind: ExprKind::StrFrom { ptr: Box::new(e), len }, ty, span })
            }
            _ => Some(Expr { kind: ExprKind::Reinterpret(Box::new(e)), ty: Type::Str(size), span }),
        }
    }

    /// `strncmp(a, b, n)`
    pub(crate) fn strncmp(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let (a, b) = (self.value_arg("strncmp", args, 0), self.value_arg("strncmp", args, 1));
        let n = self.const_arg("strncmp", args, 2)?;
        let (a, b) = (a?, b?);
        match u32::try_from(n) {
            Ok(n) => Some(Expr { kind: ExprKind::Strncmp(Box::new(a), Box::new(b), n), ty: U64, span }),
            Err(_) => self.error(args[2].span, "the length of strncmp() is negative or too large"),
        }
    }

    pub(crate) fn strcontains(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let (a, b) = (self.value_arg("strcontains", args, 0), self.value_arg("strcontains", args, 1));
        let kind = ExprKind::StrContains(Box::new(a?), Box::new(b?));
        Some(Expr { kind, ty: Type::Bool, span })
    }

    pub(crate) fn strlen(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let text = self.value_arg("strlen", args, 0)?;
        if let ExprKind::Text(t) = &text.kind {
            let len = t.iter().position(|&b| b == 0).unwrap_or(t.len());
            return Some(int_literal(len as i128, span));
        }
        Some(Expr { kind: ExprKind::StrLen(Box::new(text)), ty: U64, span })
    }
}
