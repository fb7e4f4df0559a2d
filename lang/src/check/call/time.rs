//! Clocks.

use super::emit;
use crate::Span;
use crate::ast::{self, ExprKind as Ast};
use crate::check::convert::to_int;
use crate::check::literal::const_value;
use crate::check::{Checker, Typed};
use crate::hir::{Builtin, EmitKind, Expr, ExprKind};
use crate::types::{TimeBase, Type, U64};

impl Checker<'_> {
    /// `time([format])`
    pub(crate) fn time(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let format = match args.first() {
            Some(_) => self.name_arg("time", args, 0)?,
            None => "%H:%M:%S\n".into(),
        };
        emit(EmitKind::Time(format.into()), vec![], span)
    }

    /// `nsecs([clock])`
    pub(crate) fn nsecs(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let clock = match args.first() {
            None => "boot",
            Some(ast::Expr { kind: Ast::Ident(word), .. }) => word,
            Some(e) => {
                return self.error(e.span, "nsecs() takes the name of a clock: boot, monotonic, tai, sw_tai");
            }
        };
        let builtin = match clock {
            "boot" => Builtin::NsecsBoot,
            "monotonic" => Builtin::NsecsMonotonic,
            "tai" => Builtin::NsecsTai,
            "sw_tai" => Builtin::NsecsSwTai,
            other => {
                let message = format!("there is no clock '{other}'");
                return self.error_hint(
                    span,
                    message,
                    Some("clocks are boot, monotonic, tai, sw_tai".into()),
                );
            }
        };
        Some(Expr { kind: ExprKind::Builtin(builtin), ty: U64, span })
    }

    /// `strftime(format, nanoseconds)`
    pub(crate) fn strftime(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let format = self.name_arg("strftime", args, 0);
        let time = self.value_arg("strftime", args, 1)?;
        if const_value(&time).is_some_and(|v| v < 0) {
            return self.error(args[1].span, "strftime() takes a time after 0, not a negative one");
        }
        let base = match &time.kind {
            ExprKind::Builtin(Builtin::NsecsMonotonic) => {
                return self.error(
                    args[1].span,
                    "strftime() cannot date nsecs(monotonic): that clock stops while the machine sleeps",
                );
            }
            ExprKind::Builtin(Builtin::NsecsTai | Builtin::NsecsSwTai) => TimeBase::Tai,
            _ => TimeBase::Boot,
        };
        let ty = Type::Timestamp { format: format?.into(), base };
        Some(Expr { kind: ExprKind::Strftime(Box::new(to_int(time, U64))), ty, span })
    }
}
