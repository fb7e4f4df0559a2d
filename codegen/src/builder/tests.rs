use super::*;
use crate::ir::Term;

fn builder() -> FunctionBuilder {
    FunctionBuilder::new("f", &[Ty::I64], Span::default())
}

/// A diamond that assigns on one side only joins both values in one parameter.
#[test]
fn a_join_takes_a_parameter() {
    let mut b = builder();
    let var = b.declare_var(Ty::I64);
    let arg = b.param(0);
    b.def_var(var, arg);
    let (then, join) = (b.create_block(), b.create_block());
    let zero = b.iconst(0);
    b.branch(Cond::Eq, arg, zero, then, join);
    b.start(then);
    let seven = b.iconst(7);
    b.def_var(var, seven);
    b.jump(join, &[]);
    b.start(join);
    let v = b.use_var(var);
    b.ret(v);
    let f = b.finish();
    let join = f.blocks.iter().find(|b| matches!(b.term, Term::Return(_))).expect("the join");
    assert_eq!(join.params, [v]);
    let mut given: Vec<Value> =
        f.blocks.iter().flat_map(|b| b.term.successors()).flat_map(|(_, args)| args.to_vec()).collect();
    given.sort();
    assert_eq!(given, [arg, seven]);
}

/// A variable that a loop only reads needs no parameter at its head.
#[test]
fn a_loop_keeps_only_what_it_changes() {
    let mut b = builder();
    let (kept, counter) = (b.declare_var(Ty::I64), b.declare_var(Ty::I64));
    let arg = b.param(0);
    b.def_var(kept, arg);
    let zero = b.iconst(0);
    b.def_var(counter, zero);
    let (head, body, end) = (b.create_block(), b.create_block(), b.create_block());
    b.jump(head, &[]);
    b.switch_to(head);
    let (i, limit) = (b.use_var(counter), b.use_var(kept));
    b.branch(Cond::ULt, i, limit, body, end);
    b.start(body);
    let next = b.alu_imm(Alu::Add, i, 1);
    b.def_var(counter, next);
    b.jump(head, &[]);
    b.seal(head);
    b.start(end);
    b.ret(i);
    let f = b.finish();
    assert_eq!(f.blocks.iter().map(|b| b.params.len()).sum::<usize>(), 2, "the argument and the counter");
}

/// What follows a return is dropped.
#[test]
fn code_after_a_return_is_gone() {
    let mut b = builder();
    let arg = b.param(0);
    b.ret(arg);
    assert!(!b.is_reachable());
    b.iconst(1);
    b.ret(arg);
    assert_eq!(b.finish().blocks.len(), 1);
}
