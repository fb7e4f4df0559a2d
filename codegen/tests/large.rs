//! Functions whose jumps would be too long for 16 bits if error paths stood at the end.

mod common;

use rbtrace_codegen::backend;
use rbtrace_codegen::ir::*;
use rbtrace_codegen::object::ObjMapId;
use rbtrace_lang::Span;

/// Counters of each error path.
const COUNTERS: u32 = 10;

/// `n` calls whose failure is counted out of line.
fn calls_with_error_paths(n: u32) -> Module {
    let span = Span::default();
    let mut f = Function::new("main", &[Ty::Ptr(Space::Ctx)], span);
    let mut block = Block(0);
    for i in 0..n {
        let (result, zero, one) = (f.new_value(Ty::I64), f.new_value(Ty::I64), f.new_value(Ty::I64));
        let counters: Vec<Value> = (0..COUNTERS).map(|_| f.new_value(Ty::Ptr(Space::MapValue))).collect();
        let (failed, next) = (f.add_block(), f.add_block());
        let inst = |op, result| Inst { op, result, span };
        let data = f.block_mut(block);
        data.insts.push(inst(Op::Const(0), Some(zero)));
        data.insts.push(inst(Op::Call(Helper(7), [].into()), Some(result)));
        let (then, otherwise) = ((failed, vec![]), (next, vec![]));
        data.term = Term::Branch { cond: Cond::Eq, a: result, b: zero, then, otherwise, unlikely: true };
        let data = f.block_mut(failed);
        data.insts.push(inst(Op::Const(1), Some(one)));
        for (n, ptr) in counters.into_iter().enumerate() {
            let at = (i * COUNTERS + n as u32) * 8;
            data.insts.push(inst(Op::MapValue(ObjMapId(0), at), Some(ptr)));
            let (op, width) = (AtomicOp::Add, Width::B8);
            data.insts.push(inst(Op::Atomic { op, width, ptr, offset: 0, value: one }, None));
        }
        data.term = Term::Jump(next, vec![]);
        block = next;
    }
    let zero = f.new_value(Ty::I64);
    f.block_mut(block).insts.push(Inst { op: Op::Const(0), result: Some(zero), span });
    f.block_mut(block).term = Term::Return(zero);
    Module { funcs: vec![f], scratch: None }
}

#[test]
fn error_paths_move_near_where_jumps_are_too_long() {
    for (calls, far) in [(30, true), (1_200, false)] {
        let mut module = calls_with_error_paths(calls);
        let code = backend::finish(&mut module, &common::kernel_of(false)).unwrap();
        // The second instruction of the program is the first branch; its offset tells where the error path stands.
        let offset = (code.insns[1] >> 16) as u16 as i16;
        assert_eq!(offset > 40, far, "offset {offset} with {calls} calls");
    }
}
