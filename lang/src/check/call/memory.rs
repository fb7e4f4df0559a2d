//! Bytes: `buf`, `bswap`, the address spaces of pointers.

use crate::Span;
use crate::ast;
use crate::check::convert::{convert, to_int};
use crate::check::literal::{const_value, constant, is_literal};
use crate::check::{Checker, Typed};
use crate::hir::{Expr, ExprKind, Function};
use crate::types::{AddrSpace, I32, Type, U64};

/// Most bytes that `write_user` writes at once.
const MAX_WRITE: i128 = 4096;

impl Checker<'_> {
    pub(crate) fn buf(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let data = self.expr(&args[0])?;
        let fixed = match &data.ty {
            Type::Array { .. } if data.ty.size() > 0 => Some(data.ty.size()),
            Type::Str(n) => Some(*n),
            Type::Ptr { .. } | Type::Int { .. } | Type::Array { .. } => None,
            ty => {
                let message = format!("buf() takes a pointer, an integer, an array or a text, not {ty}");
                return self.error(args[0].span, message);
            }
        };
        let (size, len) = match args.get(1) {
            Some(_) => self.length("buf", args)?,
            None => match fixed {
                Some(n) => (n, None),
                None => {
                    let message = format!("buf() needs a length: {} does not have one", data.ty);
                    return self.error(span, message);
                }
            },
        };
        let data = match data.ty {
            Type::Int { .. } => self.as_pointer(data, Type::int(1, false)),
            _ => data,
        };
        // What lies in the program itself cannot be read past its end.
        let size = fixed.map_or(size, |n| n.min(size));
        Some(Expr { kind: ExprKind::BufFrom { ptr: Box::new(data), len }, ty: Type::Buf(size), span })
    }

    /// A length in bytes, the second argument: the most it can be, and the value where that is only known at run time.
    pub(crate) fn length(&mut self, function: &str, args: &[ast::Expr]) -> Option<(u32, Option<Box<Expr>>)> {
        let (e, typed) = (args.get(1)?, self.value_arg(function, args, 1)?);
        let most = self.settings.config.max_strlen;
        let Some(n) = const_value(&typed) else {
            return Some((most, Some(Box::new(to_int(typed, U64)))));
        };
        if n < 0 {
            return self.error(e.span, format!("the length of {function}() is negative: {n}"));
        }
        if n > i128::from(most) {
            self.warn(e.span, format!("{most} bytes are read, not {n}: config max_strlen is the limit"));
        }
        Some(((n.clamp(1, i128::from(most))) as u32, None))
    }

    pub(crate) fn bswap(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let value = self.value_arg("bswap", args, 0)?;
        let size = value.ty.size() as u8;
        let ty = Type::int(size, false);
        if let (true, Some(v)) = (is_literal(&value), const_value(&value)) {
            let swapped = (v as u64).swap_bytes() >> (64 - u32::from(size) * 8);
            return Some(constant(swapped, ty, span));
        }
        let value = to_int(value, ty.clone());
        Some(Expr { kind: ExprKind::Bswap(Box::new(value)), ty, span })
    }

    /// `memcmp(a, b, n)`
    pub(crate) fn memcmp(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let (a, b) = (self.value(&args[0]), self.value(&args[1]));
        let count = self.value_arg("memcmp", args, 2)?;
        let (a, b) = (a?, b?);
        for side in [&a, &b] {
            self.complete_deep(&side.ty, side.span)?;
        }
        if let Some(n) = const_value(&count)
            && n > i128::from(a.ty.size().min(b.ty.size()))
        {
            let message = format!("memcmp() cannot compare {n} bytes of '{}' and '{}'", a.ty, b.ty);
            return self.error(args[2].span, message);
        }
        let values = vec![a, b, to_int(count, U64)];
        Some(Expr { kind: ExprKind::Call(Function::Memcmp, values), ty: I32, span })
    }

    /// `write_user(address, value, n)`
    pub(crate) fn write_user(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let to = self.expr(&args[0])?;
        if !matches!(to.ty, Type::Ptr { .. } | Type::Int { .. }) {
            let message = format!("write_user() takes an address to write to, not {}", to.ty);
            return self.error(args[0].span, message);
        }
        let value = self.value(&args[1])?;
        self.complete_deep(&value.ty, value.span)?;
        let count = self.value_arg("write_user", args, 2)?;
        if let Some(n) = const_value(&count)
            && !(1..=MAX_WRITE).contains(&n)
        {
            return self.error(args[2].span, format!("write_user() writes 1 to {MAX_WRITE} bytes, not {n}"));
        }
        let values = vec![to, value, to_int(count, U64)];
        Some(Expr { kind: ExprKind::Call(Function::WriteUser, values), ty: Type::Bool, span })
    }

    /// `kptr(x)`, `uptr(x)`: the same address in another space.
    pub(crate) fn pointer_space(&mut self, name: &str, args: &[ast::Expr], span: Span) -> Typed {
        let space = if name == "kptr" { AddrSpace::Kernel } else { AddrSpace::User };
        let e = self.value_arg(name, args, 0)?;
        let ty = match &e.ty {
            Type::Ptr { .. } => e.ty.in_space(space),
            _ => Type::ptr(U64, space),
        };
        Some(Expr { span, ..convert(e, ty) })
    }
}
