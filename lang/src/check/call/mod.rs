//! Calls: arity and permissions from the library's table, then one file for each group of functions.

mod aggregation;
mod argument;
mod format;
mod map;
mod memory;
mod meta;
mod network;
mod output;
mod process;
mod stack;
mod symbol;
mod text;
mod time;

pub(crate) use aggregation::{Collected, is_aggregation};
pub(crate) use stack::MAX_DEPTH;

use super::literal::constant;
use super::suggest::did_you_mean;
use super::{Checker, Typed};
use crate::Span;
use crate::ast::{self, Name};
use crate::hir::{Builtin, Emit, EmitKind, Expr, ExprKind, Stmt, StmtKind};
use crate::types::{Type, U32, U64};
use rbtrace_stdlib::{self as stdlib, Function};

/// An expression without a value.
pub(crate) fn nothing(span: Span) -> Expr {
    constant(0, Type::Void, span)
}

/// Something sent to user space.
fn emit(kind: EmitKind, args: Vec<Expr>, span: Span) -> Typed {
    Some(Expr { kind: ExprKind::Emit(Emit { kind, args }), ty: Type::Void, span })
}

/// A statement where an expression stands.
fn statement(kind: StmtKind, span: Span) -> Typed {
    let stmts = vec![Stmt { kind, span }];
    Some(Expr { kind: ExprKind::Block(stmts, Box::new(nothing(span))), ty: Type::Void, span })
}

fn builtin(which: Builtin, span: Span) -> Typed {
    Some(Expr { kind: ExprKind::Builtin(which), ty: U32, span })
}

impl Checker<'_> {
    /// A call by name.
    pub(crate) fn call(&mut self, name: &Name, args: &[ast::Expr], span: Span) -> Typed {
        let Some(function) = stdlib::function(&name.text) else {
            return match (&*name.text, args) {
                // A keyword: a script cannot give this name to anything else.
                ("comptime", [value]) => self.comptime(value, span),
                _ => self.call_of_builtin(name, args, span),
            };
        };
        if !function.supported {
            return self.error(span, format!("function '{}' is not supported yet", name.text));
        }
        self.check_call(function, args, span)?;
        let text = &*name.text;
        match text {
            "printf" | "errorf" | "warnf" | "system" | "cat" => self.formatted(text, args, span),
            "print" => self.print(args, span),
            "time" => self.time(args, span),
            "join" => self.join(args, span),
            "exit" => self.exit(args, span),
            "unwatch" => self.unwatch(args, span),
            "clear" | "zero" => self.whole_map(text, args, span),
            "delete" => self.delete(args, span),
            "has_key" => self.has_key(args, span),
            "find" => self.find(args, span),
            "len" => self.len(args, span),
            "str" => self.str_call(args, span),
            "buf" => self.buf(args, span),
            "strncmp" => self.strncmp(args, span),
            "strcontains" => self.strcontains(args, span),
            "strlen" => self.strlen(args, span),
            "strstr" => self.strstr(args, span),
            "str_concat" => self.str_concat(args, span),
            "strcap" => self.strcap(args, span),
            "assert_str" => self.assert_str(args, span),
            "default_str_length" => Some(constant(u64::from(self.settings.config.max_strlen), U64, span)),
            "path" => self.path(args, span),
            "memcmp" => self.memcmp(args, span),
            "write_user" => self.write_user(args, span),
            "debugf" => self.debugf(args, span),
            "socket_cookie" => self.socket_cookie(args, span),
            "stack_len" => self.stack_len(args, span),
            "kfunc_allowed" => self.kfunc_allowed(args, span),
            "kfunc_exist" => self.kfunc_exist(args, span),
            "bswap" => self.bswap(args, span),
            "nsecs" => self.nsecs(args, span),
            "strftime" => self.strftime(args, span),
            "kstack" | "ustack" | "dw_ustack" => self.stack_call(text, args, span),
            "ksym" | "usym" => self.sym(text, args, span),
            "kaddr" => self.kaddr(args, span),
            "uaddr" => self.uaddr(args, span),
            "reg" => self.reg(args, span),
            "kptr" | "uptr" => self.pointer_space(text, args, span),
            "ntop" => self.ntop(args, span),
            "pton" => self.pton(args, span),
            "macaddr" => self.macaddr(args, span),
            "cgroupid" => self.cgroupid(args, span),
            "cgroup_path" => self.cgroup_path(args, span),
            "strerror" | "signal_name" | "syscall_name" => self.name_of(text, args, span),
            "signal" | "signal_thread" => self.signal(text, args, span),
            "override" => self.override_return(args, span),
            "getopt" => self.getopt(args, span),
            "fail" => self.fail(args, span),
            "static_assert" => self.static_assert(args, span),
            "is_known" => self.is_known(args, span),
            _ if text.starts_with("is_") => self.question(text, args, span),
            _ if self.aggregation(name, args, span).is_some() => {
                self.error(span, format!("{text}() collects in a map: write @x = {text}(…)"))
            }
            _ => self.error(span, format!("function '{text}' is not supported here")),
        }
    }

    /// `pid()` is `pid`.
    fn call_of_builtin(&mut self, name: &Name, args: &[ast::Expr], span: Span) -> Typed {
        if let [ast::Expr { kind: ast::ExprKind::Ident(namespace), .. }] = args {
            match (&*name.text, &**namespace) {
                ("pid" | "tid", "curr_ns") => return self.call_of_builtin(name, &[], span),
                ("pid", "init") => return builtin(Builtin::PidInit, span),
                ("tid", "init") => return builtin(Builtin::TidInit, span),
                _ => {}
            }
        }
        if !args.is_empty() && stdlib::builtin(&name.text).is_some() {
            let message = format!("{}() takes no arguments, not {}", name.text, args.len());
            return self.error(span, message);
        }
        if let Some(typed) = self.builtin(&name.text, span) {
            return typed;
        }
        let known =
            stdlib::supported_functions().map(|f| f.name).chain(stdlib::BUILTINS.iter().map(|b| b.name));
        let hint = did_you_mean(&name.text, known);
        self.error_hint(span, format!("there is no function '{}'", name.text), hint)
    }

    /// What the table says of a function: number of arguments, `--unsafe`, kinds of probes.
    pub(crate) fn check_call(&mut self, f: &Function, args: &[ast::Expr], span: Span) -> Option<()> {
        let given = args.len();
        let least = f.min_args();
        let most = f.max_args();
        let message = match most {
            Some(most) if least == most && given != most => Some(format!("takes {}", arguments(most))),
            _ if given < least => Some(format!("takes at least {}", arguments(least))),
            Some(most) if given > most => Some(format!("takes at most {}", arguments(most))),
            _ => None,
        };
        if let Some(message) = message {
            let hint = Some(f.signature());
            return self.error_hint(span, format!("{}() {message}, not {given}", f.name), hint);
        }
        if f.needs_unsafe && !self.options.allow_unsafe {
            return self.error_hint(
                span,
                format!("{}() acts on the system, which a script may not do unasked", f.name),
                Some("--unsafe allows it".into()),
            );
        }
        let here = self.view.context.kind;
        if !f.probes.is_empty() && !f.probes.contains(&here) {
            let hint = Some(format!("it works in {}", f.probes.join(", ")));
            return self.error_hint(span, format!("{}() does not work in {here} probes", f.name), hint);
        }
        Some(())
    }
}

/// "no arguments", "one argument", "3 arguments".
fn arguments(n: usize) -> String {
    match n {
        0 => "no arguments".into(),
        1 => "one argument".into(),
        n => format!("{n} arguments"),
    }
}
