//! `-p PID`: events of other processes are left out.
//!
//! Probes that the kernel can tie to a process are attached to it (uprobes, timers, perf events);
//! the others (`Context::any_process`) get the question as the first part of their predicate.

use crate::Span;
use crate::ast::BinOp;
use crate::hir::{Builtin, Expr, ExprKind, Probe};
use crate::types::{Type, U32};

/// Adds the question to a probe's predicate.
pub(crate) fn restrict(probe: &mut Probe, pid: i32) {
    let question = is_process(pid, probe.span);
    probe.predicate = Some(match probe.predicate.take() {
        None => question,
        Some(own) => Expr {
            span: own.span,
            ty: Type::Bool,
            kind: ExprKind::Logical { and: true, left: Box::new(question), right: Box::new(own) },
        },
    });
}

fn is_process(pid: i32, span: Span) -> Expr {
    let number = |kind| Box::new(Expr { kind, ty: U32, span });
    let kind = ExprKind::Binary(
        BinOp::Eq,
        number(ExprKind::Builtin(Builtin::Pid)),
        number(ExprKind::Const(u64::from(pid.unsigned_abs()))),
    );
    Expr { kind, ty: Type::Bool, span }
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;
    use crate::{Options, Source, check, parse};

    fn predicates(text: &str) -> Vec<bool> {
        let source = Source::new("t", text);
        let (script, errors) = parse(&source, 0);
        assert_eq!(errors, []);
        let options = Options { pid: Some(7), ..Options::default() };
        let program = check(&script, vec![source], &Fixture::new(), &options).0;
        assert!(program.to_string().contains("(pid == 7:uint32)") || !text.contains("vfs_read"));
        program.probes.iter().map(|p| p.predicate.is_some()).collect()
    }

    #[test]
    fn events_of_any_process_are_filtered() {
        assert_eq!(
            predicates("kprobe:vfs_read { @ = count(); } rawtracepoint:kfree_skb { @ = count(); }"),
            [true, true]
        );
        assert_eq!(predicates("kprobe:vfs_read /arg0 == 1/ { @ = count(); }"), [true]);
    }

    #[test]
    fn what_is_tied_to_the_process_is_not() {
        assert_eq!(predicates("begin { @ = count(); } interval:s:1 { @ = count(); }"), [false, false]);
        assert_eq!(predicates("uprobe:/bin/app:main { @ = count(); }"), [false]);
    }
}
