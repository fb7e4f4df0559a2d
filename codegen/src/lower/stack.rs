//! Kernel and user stacks: ids in stack maps.

use super::Lowered;
use super::frame::Lower;
use super::memory::Place;
use super::visit;
use crate::helpers;
use crate::ir::{Alu, Cond, Value};
use crate::object::Fault;
use rbtrace_lang::hir::{Expr, ExprKind};
use rbtrace_lang::types::{StackMode, StackType, Type};

/// `EEXIST` of `include/uapi/asm-generic/errno-base.h`: the bucket holds another stack.
const EEXIST: i64 = 17;

impl Lower<'_, '_> {
    /// The id of the current stack, or a negative errno.
    pub(super) fn stack_id(&mut self, ty: StackType, user: bool) -> Lowered<Value> {
        let ctx = self.ctx(self.f.b.span())?;
        let map = self.shared.stacks(ty, user);
        let map = self.map_ref(map);
        let flags = self.f.b.iconst(if user { helpers::F_USER_STACK } else { 0 });
        let id = self.call(helpers::GET_STACKID, &[ctx, map, flags]);
        self.fault_if(Cond::Eq, id, -EEXIST, Fault::StackLost);
        Ok(id)
    }

    /// A user stack: its id and the process whose symbols it needs.
    pub(super) fn store_ustack(&mut self, ty: StackType, dst: &Place) -> Lowered<()> {
        let id = if ty.cfi { self.unwound_stack_id(ty)? } else { self.stack_id(ty, true)? };
        let pid = self.store_address(id, dst);
        if matches!(ty.mode, StackMode::Bpftrace | StackMode::Perf) {
            self.announce(pid);
        }
        Ok(())
    }

    /// `len(kstack)`, `len(ustack)`: frames. A variable that only ever holds the current stack stands for it: it is
    /// the same all through a program.
    pub(super) fn stack_len(&mut self, stack: &Expr) -> Lowered<Value> {
        let current = match stack.kind {
            ExprKind::Local(local) => visit::always_current_stack(self.probe, local),
            _ => visit::is_current_stack(stack),
        };
        let (ty, flags) = match stack.ty {
            Type::UStack(ty) if ty.cfi => {
                return self.unsupported(stack.span, "The length of a stack of dw_ustack() cannot be taken");
            }
            Type::KStack(ty) if current => (ty, 0),
            Type::UStack(ty) if current => (ty, helpers::F_USER_STACK),
            _ => {
                let message = "Only the length of the current stack can be taken: len(kstack), len(ustack)";
                return self.unsupported(stack.span, message);
            }
        };
        let ctx = self.ctx(stack.span)?;
        let bytes = u32::from(ty.depth) * 8;
        let buffer = self.slot(bytes);
        let buffer = self.slot_addr(buffer);
        let size = self.f.b.iconst(i64::from(bytes));
        let flags = self.f.b.iconst(flags);
        let got = self.call(helpers::GET_STACK, &[ctx, buffer, size, flags]);
        let zero = self.f.b.iconst(0);
        let got = self.select(Cond::SGe, got, zero, got, zero);
        Ok(self.imm(Alu::LShr, got, 3))
    }
}
