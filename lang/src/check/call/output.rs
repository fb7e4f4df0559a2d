//! `print`, `join`, `exit`.

use super::{emit, statement};
use crate::Span;
use crate::ast::{self, ExprKind as Ast};
use crate::check::{Checker, Typed};
use crate::hir::{EmitKind, Expr, ExprKind, StmtKind};
use crate::types::{I64, Type, U64};

/// Most texts that `join` prints.
const MAX_JOIN_ARGS: u32 = 16;

impl Checker<'_> {
    pub(crate) fn print(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let value = &args[0];
        if let Ast::Map(_) = &value.kind {
            return self.print_map(args, span);
        }
        if args.len() > 1 {
            let message = "print() takes top and div for a whole map only: print(@x, top, div)";
            return self.error(span, message);
        }
        if let Ast::MapIndex { map, key } = &value.kind {
            return self.print_entry(map, key, value, span);
        }
        let typed = self.printable(value, "print()")?;
        emit(EmitKind::Print, vec![typed], span)
    }

    fn print_map(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let map = self.named_map(&args[0])?;
        let ty = self.value_type(map, args[0].span);
        let mut limits = [0u64; 2];
        for ((n, what), limit) in [(1, "top"), (2, "div")].into_iter().zip(&mut limits) {
            let Some(e) = args.get(n) else { break };
            match u64::try_from(self.const_arg("print", args, n)?) {
                Ok(v) => *limit = v,
                Err(_) => return self.error(e.span, format!("print()'s {what} cannot be negative")),
            }
        }
        self.complete_deep(&ty?, span)?;
        if self.scopes.loops > 0 {
            self.warn(
                span,
                "the map is printed some time later: it may have changed until then, above all in a loop",
            );
        }
        let [top, div] = limits;
        let top = u32::try_from(top).unwrap_or(u32::MAX);
        emit(EmitKind::PrintMap { map, top, div }, vec![], span)
    }

    /// An entry of a map. What has no scalar (stats, histograms) is read by user space: its key alone goes.
    fn print_entry(&mut self, map: &str, key: &ast::Expr, whole: &ast::Expr, span: Span) -> Typed {
        let id = self.map_id(map, whole.span);
        let key_value = self.map_key(id, key, whole.span);
        let ty = self.value_type(id, whole.span)?;
        let key_value = key_value?;
        if matches!(&ty, Type::Agg(agg) if agg.scalar().is_none()) {
            return emit(EmitKind::PrintEntry(id), vec![key_value], span);
        }
        let ty = match ty {
            Type::Agg(agg) => agg.scalar()?,
            ty => ty,
        };
        self.complete_deep(&ty, span)?;
        let get = ExprKind::MapGet { map: id, key: Some(Box::new(key_value.clone())) };
        let value = Expr { kind: get, ty, span: whole.span };
        emit(EmitKind::PrintEntry(id), vec![key_value, value], span)
    }

    pub(crate) fn join(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let sep = match args.get(1) {
            Some(_) => self.name_arg("join", args, 1)?,
            None => " ".into(),
        };
        let array = self.expr(&args[0])?;
        let chars = Type::ptr(Type::int(1, true), self.space());
        let array = match &array.ty {
            Type::Ptr { .. } => array,
            Type::Int { .. } => self.as_pointer(array, chars),
            ty => {
                let message = format!("join() takes an integer or a pointer, not {ty}");
                return self.error(args[0].span, message);
            }
        };
        emit(EmitKind::Join { sep: sep.into(), max_args: MAX_JOIN_ARGS }, vec![array], span)
    }

    /// `unwatch(address)`
    pub(crate) fn unwatch(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let address = self.expr(&args[0])?;
        if !address.ty.is_integer() && !matches!(address.ty, Type::Ptr { .. }) {
            let message = format!("unwatch() takes the address of a watchpoint, not {}", address.ty);
            return self.error(args[0].span, message);
        }
        emit(EmitKind::Unwatch, vec![crate::check::convert::convert(address, U64)], span)
    }

    pub(crate) fn exit(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let code = match args.first() {
            Some(_) => {
                let code = self.value_arg("exit", args, 0)?;
                Some(crate::check::convert::to_int(code, I64))
            }
            None => None,
        };
        statement(StmtKind::Exit(code), span)
    }
}
