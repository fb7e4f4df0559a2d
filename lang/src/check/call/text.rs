//! Texts.

use crate::Span;
use crate::ast;
use crate::check::literal::int_literal;
use crate::check::{Checker, Typed};
use crate::hir::{Expr, ExprKind, Function};
use crate::types::{I64, Type, U64};

/// Most bytes of two texts in one.
const MAX_TEXT: u32 = 64 << 10;

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

    /// `strstr(text, part)`
    pub(crate) fn strstr(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let (a, b) = (self.value_arg("strstr", args, 0), self.value_arg("strstr", args, 1));
        Some(Expr { kind: ExprKind::Call(Function::StrStr, vec![a?, b?]), ty: I64, span })
    }

    /// `str_concat(a, b)`
    pub(crate) fn str_concat(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let (a, b) = (self.value_arg("str_concat", args, 0), self.value_arg("str_concat", args, 1));
        let (a, b) = (a?, b?);
        let size = (a.ty.size() + b.ty.size()).saturating_sub(1).max(1);
        if size > MAX_TEXT {
            return self.error(
                span,
                format!("both texts together have room for {size} bytes: at most {MAX_TEXT} work"),
            );
        }
        Some(Expr { kind: ExprKind::Call(Function::StrConcat, vec![a, b]), ty: Type::Str(size), span })
    }

    /// `strcap(x)`: bytes that there is room for; of a pointer the length of the text.
    pub(crate) fn strcap(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let e = self.value(&args[0])?;
        let capacity = match &e.ty {
            Type::Str(n) => *n,
            Type::Array { elem, len } if elem.size() == 1 => *len,
            Type::Ptr { to, .. } if to.size() == 1 => {
                let text = self.str_call(args, span)?;
                return Some(Expr { kind: ExprKind::StrLen(Box::new(text)), ty: U64, span });
            }
            ty => {
                let message =
                    format!("strcap() takes a text, an array of chars or a pointer to chars, not {ty}");
                return self.error(args[0].span, message);
            }
        };
        Some(int_literal(i128::from(capacity), span))
    }

    /// `assert_str(x)`
    pub(crate) fn assert_str(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        self.scopes.dead += 1;
        let typed = self.expr(&args[0]);
        self.scopes.dead -= 1;
        let is_char = |ty: &Type| ty.is_integer() && ty.size() == 1;
        match &typed?.ty {
            Type::Str(_) => Some(super::nothing(span)),
            Type::Array { elem, .. } if is_char(elem) => Some(super::nothing(span)),
            Type::Ptr { to, .. } if is_char(to) => Some(super::nothing(span)),
            ty => self
                .error(args[0].span, format!("'{ty}' is no text, no array of chars and no pointer to chars")),
        }
    }

    /// `path(path, [size])`
    pub(crate) fn path(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let path = self.expr(&args[0])?;
        let ty = match &path.ty {
            Type::Ptr { to, .. } => &**to,
            ty => ty,
        };
        if !matches!(ty, Type::Struct(s) if &*s.name == "path") {
            let message = format!("path() takes a struct path or a pointer to one, not {}", path.ty);
            return self.error(args[0].span, message);
        }
        let size = match args.get(1) {
            Some(size) => match self.const_arg("path", args, 1)? {
                n @ 1..=4096 => n as u32,
                n => return self.error(size.span, format!("path() gives 1 to 4096 bytes, not {n}")),
            },
            None => self.settings.config.max_strlen,
        };
        Some(Expr { kind: ExprKind::Call(Function::Path, vec![path]), ty: Type::Str(size), span })
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
