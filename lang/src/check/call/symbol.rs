//! Symbols, addresses, registers.

use crate::Span;
use crate::ast;
use crate::check::convert::{convert, to_int};
use crate::check::literal::constant;
use crate::check::suggest::did_you_mean;
use crate::check::{Checker, Typed};
use crate::context::{Location, Register};
use crate::hir::{Expr, ExprKind};
use crate::types::{AddrSpace, Type, U64};

impl Checker<'_> {
    /// `ksym(x)`, `usym(x)`
    pub(crate) fn sym(&mut self, name: &str, args: &[ast::Expr], span: Span) -> Typed {
        let address = Box::new(convert(self.value_arg(name, args, 0)?, U64));
        Some(match name {
            "ksym" => Expr { kind: ExprKind::Ksym(address), ty: Type::Ksym, span },
            _ => Expr { kind: ExprKind::Usym(address), ty: Type::Usym, span },
        })
    }

    pub(crate) fn kaddr(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let name = self.name_arg("kaddr", args, 0)?;
        let answer = self.system.kaddr(&name);
        let address = self.ask(span, answer)?;
        Some(constant(address, U64, span))
    }

    /// `uaddr("symbol")` of the binary that the probe is in.
    pub(crate) fn uaddr(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let name = self.name_arg("uaddr", args, 0)?;
        let Some(path) = self.view.context.binary.clone() else {
            return self.error(span, "uaddr() works in uprobes only, which name the program");
        };
        let answer = self.system.uaddr(&path, &name);
        let (address, size) = self.ask(span, answer)?;
        let size = if matches!(size, 1 | 2 | 4 | 8) { size as u8 } else { 8 };
        Some(constant(address, Type::ptr(Type::int(size, false), AddrSpace::User), span))
    }

    pub(crate) fn reg(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let name = self.name_arg("reg", args, 0)?;
        let Some((offset, size)) = self.system.register(&name) else {
            let names = self.system.register_names();
            let hint = did_you_mean(&name, names.iter().copied())
                .unwrap_or_else(|| format!("registers are {}", names.join(", ")));
            let message = format!("this processor has no register '{name}'");
            return self.error_hint(args[0].span, message, Some(hint));
        };
        let value = Expr {
            kind: ExprKind::At(Location::Register(Register::At { offset, size })),
            ty: Type::int(size, false),
            span,
        };
        Some(to_int(value, U64))
    }
}
