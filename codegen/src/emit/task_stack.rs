//! Keeps a program on the stack of the task that it runs in.
//!
//! From 6.13 on the kernel gives a tracing program that needs 64 bytes or more a stack of the CPU
//! (`bpf_enable_priv_stack` in kernel/bpf/verifier.c), because it lets no second run begin on that CPU before the
//! first has ended. Programs of uprobes are the exception: one can be preempted, and the next task then runs it again.
//!
//! A program with a tail call in its text has no such stack, whether the call is ever reached or not
//! (`check_max_stack_depth`, same file). This one never is; the verifier sees that, and drops it from what runs.

use super::code::Code;
use super::encode::{self, Insn};
use super::mach::{MOp, Reg, Src};
use crate::helpers::TAIL_CALL;
use crate::ir::Cond;

/// Begins the program with a tail call that is jumped over.
pub fn keep(code: &mut Code) {
    let Some(&span) = code.spans.first() else { return };
    let insns = unreached_tail_call();
    let added = insns.len();
    code.spans.splice(0..0, std::iter::repeat_n(span, added));
    code.insns.splice(0..0, insns.into_iter().map(Insn::word));
    code.relocs.iter_mut().for_each(|r| r.insn += added as u32);
    // The first function still begins at 0; calls count from where they stand.
    code.funcs.iter_mut().skip(1).for_each(|f| f.0 += added as u32);
}

/// `r0 = 0; if r0 == 0 goto +1; call bpf_tail_call`: the program's arguments are left as they are.
fn unreached_tail_call() -> Vec<Insn> {
    let mut insns = vec![];
    encode::encode(&MOp::Mov { dst: Reg::R0, src: Src::Imm(0), wide: true }, 0, &mut insns);
    insns.push(encode::branch(Cond::Eq, true, Reg::R0, Src::Imm(0), 1));
    encode::encode(&MOp::Call { helper: TAIL_CALL.0, args: 3 }, 0, &mut insns);
    insns
}
