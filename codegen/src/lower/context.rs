//! What the program's context holds: arguments, registers, return values.

use super::Lowered;
use super::frame::Lower;
use super::memory::Place;
use crate::arch;
use crate::ir::{Alu, Op, Ty, Value, Width};
use rbtrace_lang::Span;
use rbtrace_lang::hir::{Attach, AttachPoint, Ctx, Expr, ExprKind};
use rbtrace_lang::types::Type;

impl Lower<'_, '_> {
    /// Scalars that the probe gives.
    pub(super) fn scalar_of_probe(&mut self, e: &Expr) -> Lowered<Value> {
        match &e.kind {
            ExprKind::Context => {
                // Who has the address may read them all.
                self.all_registers = true;
                self.ctx(e.span)
            }
            ExprKind::DataLoc(offset) => self.data_loc(*offset, e.span),
            ExprKind::Arg(n) => self.arg(*n, &e.ty, e.span),
            ExprKind::Retval => self.retval(&e.ty, e.span),
            ExprKind::Register { offset, size } => self.register(*offset, *size, &e.ty, e.span),
            ExprKind::Builtin(which) => self.builtin(*which, e.span),
            _ => self.unsupported(e.span, format!("A value of type {} cannot be used as a number", e.ty)),
        }
    }

    /// Eight bytes of the context, cut to the value's type.
    fn ctx_word(&mut self, offset: u32, ty: &Type, span: Span) -> Lowered<Value> {
        let ctx = self.ctx(span)?;
        let word = self.f.b.load(Width::B8, false, ctx, offset as i32);
        Ok(if ty.size() < 8 { self.normalize(word, ty) } else { word })
    }

    fn arg(&mut self, n: u8, ty: &Type, span: Span) -> Lowered<Value> {
        match self.probe.ctx {
            Ctx::RawTracepoint => self.ctx_word(u32::from(n) * 8, ty, span),
            Ctx::PtRegs => match arch::CURRENT.args.get(usize::from(n)) {
                Some(&offset) => self.ctx_word(offset, ty, span),
                None => {
                    let last = arch::CURRENT.args.len() - 1;
                    self.unsupported(span, format!("Only arg0 to arg{last} are passed in registers"))
                }
            },
            _ => self.unsupported(span, "This probe has no numbered arguments"),
        }
    }

    fn retval(&mut self, ty: &Type, span: Span) -> Lowered<Value> {
        match self.probe.ctx {
            Ctx::PtRegs => self.ctx_word(arch::CURRENT.ret, ty, span),
            _ => self.unsupported(span, "This probe has no return value"),
        }
    }

    fn register(&mut self, offset: u32, size: u8, ty: &Type, span: Span) -> Lowered<Value> {
        if !matches!(self.probe.ctx, Ctx::PtRegs | Ctx::PerfEvent) {
            return self.unsupported(span, "This probe gives no registers");
        }
        self.all_registers |= !self.always_has(offset & !7);
        let word = self.ctx_word(offset & !7, &Type::int(8, false), span)?;
        let shift = i64::from(offset % 8) * 8;
        let word = if shift > 0 { self.imm(Alu::LShr, word, shift) } else { word };
        Ok(if size < 8 { self.normalize(word, ty) } else { word })
    }

    /// Does a kprobe-multi link hand on this register as a kprobe does? Since Linux 6.14 it saves what a function's
    /// call or its return needs (`ftrace_regs`, arch/x86/kernel/ftrace_64.S), and its instruction pointer is that of
    /// the hook.
    fn always_has(&self, offset: u32) -> bool {
        let of_return = |a: &&AttachPoint| matches!(a.kind, Attach::Kprobe { ret: true, .. });
        match self.plan.attach.iter().any(of_return) {
            true => offset == arch::CURRENT.ret,
            false => offset == arch::CURRENT.sp || arch::CURRENT.args.contains(&offset),
        }
    }

    pub(super) fn instruction_pointer(&mut self, span: Span) -> Lowered<Value> {
        self.register(arch::CURRENT.ip, 8, &Type::int(8, false), span)
    }

    /// Address of the data that a `__data_loc` member describes: record + low 16 bits.
    fn data_loc(&mut self, offset: u32, span: Span) -> Lowered<Value> {
        let ctx = self.ctx(span)?;
        let place = Place::ptr(ctx).at(offset);
        let word = self.load_scalar(&place, &Type::int(4, false))?;
        let low = self.f.b.ins(Op::Zext(Width::B2, word), Ty::I64);
        Ok(self.f.b.ins(Op::Alu(Alu::Add, ctx, low), Ty::I64))
    }
}
