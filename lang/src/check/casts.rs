//! Explicit casts.

use super::convert::{convert, is_char_array, to_int};
use super::literal::{const_value, constant, is_literal};
use super::shape::Shape;
use super::{Checker, Typed};
use crate::Span;
use crate::ast::{self, TypeExpr, TypeExprKind};
use crate::hir::{Expr, ExprKind};
use crate::types::{AddrSpace, I64, Type, U64};

fn reinterpret(e: Expr, ty: Type, span: Span) -> Expr {
    Expr { kind: ExprKind::Reinterpret(Box::new(e)), ty, span }
}

impl Checker<'_> {
    pub(crate) fn cast_expr(&mut self, ty: &TypeExpr, inner: &ast::Expr, span: Span) -> Typed {
        let to = self.resolve_type(ty);
        let inner = self.expr(inner)?;
        let open = matches!(&ty.kind, TypeExprKind::Array(_, None));
        self.cast(inner, to?, open, span)
    }

    /// `(T)x`; `open`: `T` is an array whose length follows from `x`.
    pub(crate) fn cast(&mut self, e: Expr, to: Type, open: bool, span: Span) -> Typed {
        let from = e.ty.clone();
        match (&from, &to) {
            (Type::Void, _) | (_, Type::Void | Type::Agg(_)) => self.bad_cast(&from, &to, span),
            (Type::Array { .. } | Type::Str(_), Type::Array { .. }) => self.cast_bytes(e, &to, open, span),
            // As in C, an array of chars that lies in memory stands for its address.
            (from, Type::Ptr { .. }) if is_chars(from) && address(&e).is_some() => {
                Some(cast_word(address(&e)?, &to, span))
            }
            (_, Type::Array { .. }) if is_word(&from) => self.int_to_array(e, to, open, span),
            (Type::Array { .. }, Type::Str(_)) if is_char_array(&from) => {
                let text = super::convert::as_text(e);
                self.cast(text, to, open, span)
            }
            // A member of type char[4] is four bytes as well as a text.
            (Type::Str(n), to) if is_word(to) && *n == to.size() && !matches!(e.kind, ExprKind::Text(_)) => {
                self.array_to_int(e, *n, to, span)
            }
            (Type::Array { elem, len }, to) if is_word(to) => {
                self.array_to_int(e, elem.size() * len, to, span)
            }
            (Type::Str(_), Type::Bool) => {
                let empty = super::literal::text(b"", span);
                self.compare(ast::BinOp::Ne, e, empty, span)
            }
            (Type::Str(n), Type::Str(m)) if *m == 0 || m >= n => {
                let size = if *m == 0 { *n } else { *m };
                Some(self.coerce(e, &Type::Str(size)))
            }
            (from, Type::Str(n)) if is_word(from) => self.text_at(e, *n, span),
            (Type::Tuple(_), Type::Tuple(_)) => self.cast_tuple(e, &to, span),
            (from, Type::Enum(_)) if is_word(from) => self.cast_enum(e, to, span),
            (from, to) if is_word(from) && is_word(to) => Some(cast_word(e, to, span)),
            (from, to) if from == to => Some(Expr { span, ..e }),
            _ => self.bad_cast(&from, &to, span),
        }
    }

    pub(crate) fn bad_cast(&mut self, from: &Type, to: &Type, span: Span) -> Typed {
        let hint = match (from, to) {
            (from, Type::Struct(s)) if is_word(from) => {
                Some(format!("cast to a pointer and read through it: *(struct {} *)x", s.name))
            }
            (Type::Str(_), _) => Some("a text can only be cast to int8[]".into()),
            _ => None,
        };
        self.error_hint(span, format!("'{from}' cannot be cast to '{to}'"), hint)
    }

    fn cast_enum(&mut self, e: Expr, to: Type, span: Span) -> Typed {
        if let (Type::Enum(en), Some(v)) = (&to, const_value(&e))
            && !en.values.is_empty()
            && !en.values.iter().any(|(_, known)| i128::from(*known) == v)
        {
            let names: Vec<&str> = en.values.iter().take(8).map(|(n, _)| &**n).collect();
            let hint = Some(format!("its constants are {}", names.join(", ")));
            return self.error_hint(span, format!("no constant of enum {} has the value {v}", en.name), hint);
        }
        Some(Expr { span, ..convert(e, to) })
    }

    /// `(int8[8])x`: the integer's bytes.
    fn int_to_array(&mut self, e: Expr, to: Type, open: bool, span: Span) -> Typed {
        let Type::Array { elem, len } = to else { return None };
        let elem_size = elem.size();
        // A literal takes the size that is asked for; without one it is as large as its type.
        let size = if open { e.ty.size() } else { elem_size * len };
        let e = if !open && is_literal(&e) && matches!(size, 1 | 2 | 4 | 8) {
            to_int(e, Type::int(size as u8, true))
        } else {
            e
        };
        if e.ty.size() != size || size % elem_size != 0 || size == 0 {
            return self.error(
                span,
                format!(
                    "'{}' cannot be cast to '{elem}[{len}]': their sizes differ ({} and {size} bytes)",
                    e.ty,
                    e.ty.size()
                ),
            );
        }
        let ty = Type::Array { elem, len: size / elem_size };
        let bits = Type::int(size as u8, false);
        Some(reinterpret(convert(e, bits), ty, span))
    }

    fn array_to_int(&mut self, e: Expr, size: u32, to: &Type, span: Span) -> Typed {
        if size != to.size() {
            let from = e.ty.clone();
            return self.error_hint(
                span,
                format!(
                    "'{from}' cannot be cast to '{to}': their sizes differ ({size} and {} bytes)",
                    to.size()
                ),
                None,
            );
        }
        if let Type::Bool = to {
            return self.bad_cast(&e.ty.clone(), to, span);
        }
        let bits = reinterpret(e, Type::int(size as u8, to.is_signed()), span);
        Some(Expr { span, ..convert(bits, to.clone()) })
    }

    /// Between arrays and texts: the same bytes.
    fn cast_bytes(&mut self, e: Expr, to: &Type, open: bool, span: Span) -> Typed {
        let Type::Array { elem, len } = to else { return None };
        let size = e.ty.size();
        let ty = if open && elem.size() > 0 && size.is_multiple_of(elem.size()) {
            Type::Array { elem: elem.clone(), len: size / elem.size() }
        } else {
            Type::Array { elem: elem.clone(), len: *len }
        };
        let text = matches!(e.ty, Type::Str(_));
        if text && elem.size() == 1 && ty.size() > size {
            let wide = self.coerce(e, &Type::Str(ty.size()));
            return Some(reinterpret(wide, ty, span));
        }
        if ty.size() != size || (text && elem.size() != 1) {
            return self.bad_cast(&e.ty.clone(), &ty, span);
        }
        if e.ty == ty { Some(Expr { span, ..e }) } else { Some(reinterpret(e, ty, span)) }
    }

    /// `(string[64])arg0`: the text at an address.
    fn text_at(&mut self, e: Expr, size: u32, span: Span) -> Typed {
        let size = if size == 0 { self.settings.config.max_strlen } else { size };
        let ptr = self.as_pointer(e, Type::int(1, true));
        Some(Expr { kind: ExprKind::StrFrom { ptr: Box::new(ptr), len: None }, ty: Type::Str(size), span })
    }

    fn cast_tuple(&mut self, e: Expr, to: &Type, span: Span) -> Typed {
        let mut shape = Shape::of_type(to);
        match shape.join(&Shape::of_expr(&e)) {
            Ok(()) if shape.to_type() == *to => Some(self.coerce(e, to)),
            _ => self.bad_cast(&e.ty.clone(), to, span),
        }
    }

    /// An integer as a pointer into this body's address space; pointers as they are.
    pub(crate) fn as_pointer(&mut self, e: Expr, target: Type) -> Expr {
        if let Type::Ptr { .. } = e.ty {
            return e;
        }
        // A constant in the upper half can only be the kernel's: kaddr().
        let kernel = const_value(&e).is_some_and(|v| v as u64 >> 63 == 1 && v > 0);
        let space = if kernel { AddrSpace::Kernel } else { self.space() };
        convert(to_int(e, U64), Type::ptr(target, space))
    }
}

/// Is it an array of chars, as the script or as the kernel's types say it?
fn is_chars(ty: &Type) -> bool {
    is_char_array(ty) || matches!(ty, Type::Str(_))
}

/// Where a value lies in the traced system's memory.
fn address(e: &Expr) -> Option<Expr> {
    let plus = |base: &Expr, index: Expr, scale: u32| {
        let ptr = address(base)?;
        let ty = ptr.ty.clone();
        let kind = ExprKind::PtrAdd { ptr: Box::new(ptr), index: Box::new(index), scale };
        Some(Expr { kind, ty, span: e.span })
    };
    match &e.kind {
        ExprKind::Deref(ptr) => Some((**ptr).clone()),
        ExprKind::Field { base, offset, bits: None } => {
            plus(base, constant((*offset).into(), I64, e.span), 1)
        }
        ExprKind::Index { base, index } => plus(base, (**index).clone(), e.ty.size()),
        _ => None,
    }
}

/// One machine word: casts between these are conversions.
pub(crate) fn is_word(ty: &Type) -> bool {
    ty.is_integer() || matches!(ty, Type::Ptr { .. } | Type::Ksym | Type::Timestamp { .. })
}

/// Pointers keep the address space that they had.
fn cast_word(e: Expr, to: &Type, span: Span) -> Expr {
    let to = match (&e.ty, to) {
        (Type::Ptr { space, .. }, Type::Ptr { to, .. }) => Type::Ptr { to: to.clone(), space: *space },
        (_, Type::Ptr { to, space }) => {
            let kernel = const_value(&e).is_some_and(|v| v > 0 && v as u64 >> 63 == 1);
            let space = match *space {
                _ if kernel => AddrSpace::Kernel,
                // What is computed may be an address of the kernel: container_of, for example.
                AddrSpace::User if matches!(e.kind, ExprKind::Binary(..)) => AddrSpace::Unknown,
                space => space,
            };
            Type::Ptr { to: to.clone(), space }
        }
        _ => to.clone(),
    };
    // Even a cast of a constant to its own type ends its being a literal.
    if e.ty == to && !is_literal(&e) {
        return Expr { span, ..e };
    }
    Expr { kind: ExprKind::Convert(Box::new(e)), ty: to, span }
}
