//! `printf` and what else takes a format.

use crate::Span;
use crate::ast;
use crate::check::{Checker, Typed};
use crate::format::{Conv, ConvKind, Piece, parse_format};
use crate::hir::{EmitKind, Expr, ExprKind, Function};
use crate::types::Type;
use std::rc::Rc;

impl Checker<'_> {
    pub(crate) fn formatted(&mut self, name: &str, args: &[ast::Expr], span: Span) -> Typed {
        let (pieces, values) = self.format_args(name, args, span)?;
        let kind = match name {
            "printf" => EmitKind::Printf(pieces),
            "errorf" | "warnf" => {
                EmitKind::Errorf(pieces, name == "warnf", self.expanded.iter().rev().copied().collect())
            }
            "system" => EmitKind::System(pieces),
            _ => EmitKind::Cat(pieces),
        };
        super::emit(kind, values, span)
    }

    /// `debugf(format, …)`: the kernel prints numbers and texts only.
    pub(crate) fn debugf(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let (pieces, values) = self.format_args("debugf", args, span)?;
        let mut values_left = values.into_iter();
        let (mut pieces, mut values) = (pieces.to_vec(), vec![]);
        for piece in &mut pieces {
            let Piece::Conv(conv) = piece else { continue };
            let value = values_left.next()?;
            match (conv.kind, &value.ty) {
                (ConvKind::Str, Type::Str(_)) => {}
                // A number by itself is printed as one.
                (ConvKind::Str, ty) if ty.is_integer() => {
                    conv.kind = if ty.is_signed() { ConvKind::Signed } else { ConvKind::Unsigned };
                }
                (ConvKind::Str, Type::Ptr { .. }) => conv.kind = ConvKind::Pointer,
                (ConvKind::Str | ConvKind::Raw | ConvKind::RawHex | ConvKind::RawHexSpaced, ty) => {
                    let message =
                        format!("debugf() prints numbers and texts, not {ty}: the kernel itself prints them");
                    return self.error_hint(value.span, message, Some("printf() prints it".into()));
                }
                (ConvKind::Octal | ConvKind::Gfp, _) => {
                    let message = format!("the kernel has no %{} for debugf()", letter(conv.kind));
                    return self.error_hint(
                        args[0].span,
                        message,
                        Some("%d, %u, %x, %c, %p and %s work".into()),
                    );
                }
                _ => {}
            }
            values.push(value);
        }
        let kind = ExprKind::Call(Function::Debug(pieces.into()), values);
        Some(Expr { kind, ty: Type::Void, span })
    }

    /// The format's pieces and the values that go with its conversions.
    pub(crate) fn format_args(
        &mut self,
        name: &str,
        args: &[ast::Expr],
        span: Span,
    ) -> Option<(Rc<[Piece]>, Vec<Expr>)> {
        let (format, rest) = args.split_first()?;
        let text = self.literal_arg(name, args, 0);
        // Errors of all arguments are shown, whatever is wrong with the format.
        let values: Vec<Typed> = rest.iter().map(|e| self.printable(e, &format!("{name}()"))).collect();
        let pieces = match parse_format(&text?) {
            Ok(pieces) => pieces,
            Err(e) => return self.error(format.span, e.message),
        };
        let convs: Vec<&Conv> = pieces
            .iter()
            .filter_map(|p| match p {
                Piece::Conv(c) => Some(c),
                Piece::Text(_) => None,
            })
            .collect();
        if convs.len() != rest.len() {
            let wanted = super::arguments(convs.len());
            return self.error(span, format!("the format takes {wanted}, not {}", rest.len()));
        }
        let values = values.into_iter().collect::<Option<Vec<_>>>()?;
        let mut ok = true;
        for (conv, value) in convs.iter().zip(&values) {
            ok &= self.check_conversion(conv, value).is_some();
        }
        ok.then_some((pieces.into(), values))
    }

    fn check_conversion(&mut self, conv: &Conv, value: &Expr) -> Option<()> {
        if takes(conv.kind, &value.ty) {
            return Some(());
        }
        let hint = match (conv.kind, &value.ty) {
            (ConvKind::Raw | ConvKind::RawHex | ConvKind::RawHexSpaced, _) => "buf(x, n) makes bytes of it",
            _ => "%s prints it",
        };
        self.error_hint(
            value.span,
            format!("%{} cannot print {}", letter(conv.kind), value.ty),
            Some(hint.into()),
        )
    }

    /// A value that user space can print.
    pub(crate) fn printable(&mut self, e: &ast::Expr, function: &str) -> Typed {
        let typed = self.value(e)?;
        if matches!(&typed.ty, Type::Agg(agg) if agg.is_table()) {
            return self.error(
                e.span,
                format!("{function} cannot print {}: print the map itself (print(@x))", typed.ty),
            );
        }
        self.complete_deep(&typed.ty, e.span)?;
        Some(typed)
    }
}

/// Which values a conversion prints.
fn takes(kind: ConvKind, ty: &Type) -> bool {
    match kind {
        ConvKind::Str => true,
        ConvKind::Raw | ConvKind::RawHex | ConvKind::RawHexSpaced => {
            matches!(ty, Type::Buf(_) | Type::Str(_) | Type::Array { .. } | Type::Mac)
        }
        ConvKind::Char | ConvKind::Gfp => ty.is_integer(),
        _ => {
            ty.is_integer()
                || matches!(
                    ty,
                    Type::Ptr { .. }
                        | Type::Ksym
                        | Type::Usym
                        | Type::Strerror
                        | Type::SignalName
                        | Type::SyscallName
                )
        }
    }
}

fn letter(kind: ConvKind) -> &'static str {
    match kind {
        ConvKind::Signed => "d",
        ConvKind::Unsigned => "u",
        ConvKind::Hex => "x",
        ConvKind::HexUpper => "X",
        ConvKind::Octal => "o",
        ConvKind::Pointer => "p",
        ConvKind::Char => "c",
        ConvKind::Str => "s",
        ConvKind::Raw => "r",
        ConvKind::RawHex => "rx",
        ConvKind::RawHexSpaced => "rh",
        ConvKind::Gfp => "gr",
    }
}
