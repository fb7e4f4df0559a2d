//! Control groups, errors, signals.

use crate::Span;
use crate::ast;
use crate::check::convert::to_int;
use crate::check::literal::constant;
use crate::check::{Checker, Typed};
use crate::hir::{Expr, ExprKind};
use crate::types::{I32, I64, Type, U32, U64};
use rbtrace_stdlib::constants::signal_number;

impl Checker<'_> {
    pub(crate) fn cgroupid(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let path = self.name_arg("cgroupid", args, 0)?;
        let answer = self.system.cgroup_id(&path);
        let id = self.ask(span, answer)?;
        Some(constant(id, U64, span))
    }

    pub(crate) fn cgroup_path(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let id = self.value_arg("cgroup_path", args, 0)?;
        let pattern = match args.get(1) {
            Some(_) => self.name_arg("cgroup_path", args, 1)?,
            None => "*".into(),
        };
        let ty = Type::CgroupPath(pattern.into());
        Some(Expr { kind: ExprKind::CgroupPath(Box::new(to_int(id, U64))), ty, span })
    }

    pub(crate) fn strerror(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let errno = self.value_arg("strerror", args, 0)?;
        Some(Expr { kind: ExprKind::Strerror(Box::new(to_int(errno, I32))), ty: Type::Strerror, span })
    }

    /// `signal(9)`, `signal("KILL")`
    pub(crate) fn signal(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let typed = self.value(&args[0])?;
        let number = match (&typed.kind, &typed.ty) {
            (ExprKind::Text(name), _) => {
                let name = String::from_utf8_lossy(name).into_owned();
                match signal_number(&name) {
                    Some(n) => constant(n as u64, U32, typed.span),
                    None => return self.error(args[0].span, format!("there is no signal '{name}'")),
                }
            }
            (_, Type::Int { .. }) => to_int(typed, U32),
            (_, ty) => {
                let message = format!("signal() takes a signal's number or name, not {ty}");
                return self.error(args[0].span, message);
            }
        };
        Some(Expr { kind: ExprKind::Signal(Box::new(number)), ty: Type::Void, span })
    }

    pub(crate) fn override_return(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let value = self.value_arg("override", args, 0)?;
        let value = to_int(value, I64);
        Some(Expr { kind: ExprKind::Override(Box::new(value)), ty: Type::Void, span })
    }
}
