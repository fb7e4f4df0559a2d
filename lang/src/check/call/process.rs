//! Control groups, errors, signals.

use crate::Span;
use crate::ast;
use crate::check::convert::to_int;
use crate::check::literal::constant;
use crate::check::{Checker, Typed};
use crate::hir::{Expr, ExprKind, Function};
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

    /// `strerror(n)` and its kin: a number that prints as a name.
    pub(crate) fn name_of(&mut self, name: &str, args: &[ast::Expr], span: Span) -> Typed {
        let number = self.value_arg(name, args, 0)?;
        let ty = match name {
            "signal_name" => Type::SignalName,
            "syscall_name" => Type::SyscallName,
            _ => Type::Strerror,
        };
        Some(Expr { kind: ExprKind::Strerror(Box::new(to_int(number, I32))), ty, span })
    }

    /// `signal(9)`, `signal("KILL")`, and for the thread alone `signal_thread(9)`
    pub(crate) fn signal(&mut self, name: &str, args: &[ast::Expr], span: Span) -> Typed {
        let typed = self.value(&args[0])?;
        let number = match (&typed.kind, &typed.ty) {
            (ExprKind::Text(signal), _) => {
                let signal = String::from_utf8_lossy(signal).into_owned();
                match signal_number(&signal) {
                    Some(n) => constant(n as u64, U32, typed.span),
                    None => return self.error(args[0].span, format!("there is no signal '{signal}'")),
                }
            }
            (_, Type::Int { .. }) => to_int(typed, U32),
            (_, ty) => {
                let message = format!("{name}() takes a signal's number or name, not {ty}");
                return self.error(args[0].span, message);
            }
        };
        let kind = match name {
            "signal_thread" => ExprKind::Call(Function::SignalThread, vec![number]),
            _ => ExprKind::Signal(Box::new(number)),
        };
        Some(Expr { kind, ty: Type::Void, span })
    }

    pub(crate) fn override_return(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let value = self.value_arg("override", args, 0)?;
        let value = to_int(value, I64);
        Some(Expr { kind: ExprKind::Override(Box::new(value)), ty: Type::Void, span })
    }
}
