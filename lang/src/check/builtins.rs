//! Builtins: words that are values.

use super::convert::convert;
use super::literal::{boolean, constant, int_literal, text};
use super::{Checker, Typed};
use crate::Span;
use crate::ast::BinOp;
use crate::context::{Args, Ctx, Location, Register};
use crate::hir::{Builtin, Expr, ExprKind};
use crate::types::{AddrSpace, StackType, StructKind, TupleType, Type, U32, U64};
use rbtrace_stdlib as stdlib;

/// Size of a thread's name: `TASK_COMM_LEN`, include/linux/sched.h.
const COMM_LEN: u32 = 16;

impl Checker<'_> {
    /// A builtin by name. Outer `None`: there is no such builtin.
    pub(crate) fn builtin(&mut self, name: &str, span: Span) -> Option<Typed> {
        if let Some(n) = arg_number(name) {
            return Some(self.arg(n, name, span));
        }
        let entry = stdlib::builtin(name)?;
        if !entry.probes.is_empty() && !entry.probes.contains(&self.view.context.kind) && name != "args" {
            return Some(self.not_here(name, entry.probes, span));
        }
        let of = |builtin, ty| Some(Expr { kind: ExprKind::Builtin(builtin), ty, span });
        Some(match name {
            "pid" => of(Builtin::Pid, U32),
            "tid" => of(Builtin::Tid, U32),
            "uid" => of(Builtin::Uid, U32),
            "gid" => of(Builtin::Gid, U32),
            "username" => of(Builtin::Uid, Type::Username),
            "comm" => of(Builtin::Comm, Type::Str(COMM_LEN)),
            "cpu" => of(Builtin::Cpu, U32),
            "nsecs" => of(Builtin::NsecsBoot, U64),
            "elapsed" => of(Builtin::Elapsed, U64),
            "cgroup" => of(Builtin::Cgroup, U64),
            "rand" => of(Builtin::Rand, U32),
            "ncpus" => Some(constant(u64::from(self.system.ncpus()), U64, span)),
            "jiffies" => of(Builtin::Jiffies, U64),
            "numaid" => of(Builtin::Numaid, U32),
            "curtask" => self.curtask(span),
            "func" => of(Builtin::Func, self.view.context.func.clone().unwrap_or(Type::Ksym)),
            "probe" => Some(match self.view.text.clone() {
                Some(name) => text(name.as_bytes(), span),
                None => Expr { kind: ExprKind::Builtin(Builtin::Probe), ty: Type::ProbeName, span },
            }),
            "probetype" => Some(text(self.probe_type().as_bytes(), span)),
            "retval" => self.retval(entry.probes, span),
            "args" => self.args_whole(span),
            "arg_match" => self.matched(span),
            "ctx" => self.context(span),
            "cpid" => self.cpid(span),
            "has_cpid" => Some(boolean(self.options.command.is_some(), span)),
            "usermode" => self.usermode(span),
            "config" => Some(self.config_record(span)),
            "kstack" | "ustack" => Some(self.stack(name, self.default_stack(), span)),
            _ => self.error(span, format!("builtin '{name}' is not supported yet")),
        })
    }

    pub(crate) fn not_here(&mut self, name: &str, probes: &[&str], span: Span) -> Typed {
        let list = match probes.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => probes.concat(),
        };
        let key = if arg_number(name).is_some() { "argN" } else { name };
        let advice = self.view.context.advice.iter().find(|(of, _)| *of == key);
        let hint = advice.map(|(_, hint)| (*hint).to_string());
        self.error_hint(span, format!("{name} exists only in {list} probes"), hint)
    }

    fn arg(&mut self, n: usize, name: &str, span: Span) -> Typed {
        let probes = stdlib::builtin("argN").map_or(&[][..], |b| b.probes);
        if !probes.contains(&self.view.context.kind) {
            return self.not_here(name, probes, span);
        }
        let context = &self.view.context;
        let Some(argument) = context.numbered.get(n).cloned() else {
            if let Some(all) = &context.all_numbered {
                let message = format!("{name} does not exist: {all}");
                return self.error(span, message);
            }
            let last = context.numbered.len().saturating_sub(1);
            return self.error_hint(
                span,
                format!("{name} is not passed in a register"),
                Some(format!(
                    "arg0 to arg{last} can be read; further arguments lie on the stack: reg(\"sp\")"
                )),
            );
        };
        let value = match &argument.at {
            Ok(location) => self.at(*location, &argument.ty, span)?,
            Err(why) => return self.error(span, format!("{name} cannot be read: {why}")),
        };
        // Of a probe with several places, an argument may have another size at each.
        Some(convert(value, self.view.context.numbered_as.clone()))
    }

    fn retval(&mut self, probes: &[&str], span: Span) -> Typed {
        match self.view.context.retval.clone() {
            Some((ty, location)) => self.at(location, &ty, span),
            None => self.not_here("retval", probes, span),
        }
    }

    /// The argument by whose type the function was found.
    fn matched(&mut self, span: Span) -> Typed {
        match self.view.context.matched.clone() {
            Some((ty, location)) => self.at(location, &ty, span),
            None => self.error_hint(
                span,
                "arg_match needs an attach point that names the type of an argument",
                Some("for example kprobe:*(struct sk_buff *)".to_string()),
            ),
        }
    }

    /// The settings in force, as a record.
    fn config_record(&mut self, span: Span) -> Expr {
        let c = &self.settings.config;
        let number = |n: u32| constant(u64::from(n), U64, span);
        let fields: Vec<(&str, Expr)> = vec![
            ("cpp_demangle", boolean(c.cpp_demangle, span)),
            ("lazy_symbolication", boolean(c.lazy_symbolication, span)),
            ("license", text(c.license.as_bytes(), span)),
            ("log_size", number(c.log_size)),
            ("max_bpf_progs", number(c.max_bpf_progs)),
            ("max_cat_bytes", number(c.max_cat_bytes)),
            ("max_map_keys", number(c.max_map_keys)),
            ("max_probes", number(c.max_probes)),
            ("max_strlen", number(c.max_strlen)),
            ("on_stack_limit", number(c.on_stack_limit)),
            ("print_maps_on_exit", boolean(c.print_maps_on_exit, span)),
            ("show_debug_info", boolean(c.show_debug_info, span)),
            ("stack_mode", text(super::config::stack_mode_name(self.settings.stack_mode).as_bytes(), span)),
            ("str_trunc_trailer", text(c.str_trunc_trailer.as_bytes(), span)),
        ];
        let types = fields.iter().map(|(name, e)| (Some((*name).into()), e.ty.clone())).collect();
        let ty = Type::Tuple(TupleType { fields: types }.into());
        Expr { kind: ExprKind::Tuple(fields.into_iter().map(|(_, e)| e).collect()), ty, span }
    }

    /// Was the CPU in user mode? On x86-64 the low two bits of `cs` are the privilege level, 3 in user mode.
    fn usermode(&mut self, span: Span) -> Typed {
        if !self.view.context.registers {
            // What rbtrace runs itself belongs to a process; all other events without registers are the kernel's.
            let ours = matches!(self.view.context.kind, "begin" | "end" | "self" | "test" | "bench");
            return Some(constant(u64::from(ours), Type::int(1, false), span));
        }
        let Some((offset, size)) = self.system.register("cs") else {
            return self.error(span, "usermode is only known on x86-64");
        };
        let cs = Expr {
            kind: ExprKind::At(Location::Register(Register::At { offset, size })),
            ty: Type::int(size, false),
            span,
        };
        let masked = self.binary(BinOp::And, cs, int_literal(3, span), span)?;
        let user = self.binary(BinOp::Eq, masked, int_literal(3, span), span)?;
        Some(convert(user, Type::int(1, false)))
    }

    fn curtask(&mut self, span: Span) -> Typed {
        let task = match self.user_struct(StructKind::Struct, "task_struct") {
            Some(own) => Type::Struct(own?),
            // Without types the address is still of use.
            None => {
                self.system.struct_type(StructKind::Struct, "task_struct").map_or(Type::Void, Type::Struct)
            }
        };
        let ty = Type::ptr(task, AddrSpace::Kernel);
        Some(Expr { kind: ExprKind::Builtin(Builtin::Curtask), ty, span })
    }

    fn probe_type(&self) -> &'static str {
        match self.view.context.kind {
            "begin" | "end" => "special",
            kind => kind,
        }
    }

    /// `ctx`: a pointer to the program's context.
    fn context(&mut self, span: Span) -> Typed {
        let to = match (&self.view.context.ctx, &self.view.context.args) {
            (Ctx::None, _) => return self.error(span, "there is no context in this kind of probe"),
            (Ctx::Struct(name), _) => {
                self.system.struct_type(StructKind::Struct, name).map_or(Type::Void, Type::Struct)
            }
            (Ctx::Record, Args::Record(s, _)) => Type::Struct(s.clone()),
            (Ctx::Record, _) => Type::Void,
        };
        self.at(Location::Context, &Type::ptr(to, AddrSpace::Ctx), span)
    }

    fn cpid(&mut self, span: Span) -> Typed {
        if self.options.command.is_some() {
            return Some(Expr { kind: ExprKind::Builtin(Builtin::Cpid), ty: U32, span });
        }
        self.warn(span, "cpid is 0: no command was given with -c");
        Some(int_literal(0, span))
    }

    /// What `kstack` and `ustack` are that say nothing else.
    pub(crate) fn default_stack(&self) -> StackType {
        StackType { mode: self.settings.stack_mode, depth: super::call::MAX_DEPTH, cfi: false }
    }
}

/// `arg3` → 3.
pub(super) fn arg_number(name: &str) -> Option<usize> {
    let digits = name.strip_prefix("arg")?;
    let plain = !digits.is_empty() && digits.len() < 4 && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok())?
}
