//! Typed programs made by hand.

use rbtrace_lang::ast::BinOp;
use rbtrace_lang::format::{Conv, ConvKind, Piece};
use rbtrace_lang::hir::*;
use rbtrace_lang::types::{I64, Type, U32, U64};
use rbtrace_lang::{Source, Span};
use std::rc::Rc;

/// An expression without a place.
pub(crate) fn e(kind: ExprKind, ty: Type) -> Expr {
    Expr { kind, ty, span: Span::default() }
}

/// A statement without a place.
pub(crate) fn s(kind: StmtKind) -> Stmt {
    Stmt { kind, span: Span::default() }
}

pub(crate) fn num(n: i64) -> Expr {
    e(ExprKind::Const(n as u64), I64)
}

pub(crate) fn local(n: u32, ty: Type) -> Expr {
    e(ExprKind::Local(LocalId(n)), ty)
}

pub(crate) fn builtin(which: Builtin) -> Expr {
    let ty = match which {
        Builtin::Comm => Type::Str(16),
        Builtin::NsecsBoot | Builtin::Curtask => U64,
        _ => U32,
    };
    e(ExprKind::Builtin(which), ty)
}

pub(crate) fn binary(op: BinOp, a: Expr, b: Expr) -> Expr {
    let ty = if op.is_comparison() { Type::Bool } else { a.ty.clone() };
    e(ExprKind::Binary(op, Box::new(a), Box::new(b)), ty)
}

pub(crate) fn text(text: &str) -> Expr {
    e(ExprKind::Text(Rc::from(text.as_bytes())), Type::Str(text.len() as u32 + 1))
}

/// `printf` with `%d` for each value.
pub(crate) fn printf(args: Vec<Expr>) -> Stmt {
    let conv = Conv {
        left: false,
        zero: false,
        plus: false,
        space: false,
        alt: false,
        width: None,
        precision: None,
        size: 4,
        kind: ConvKind::Signed,
    };
    let pieces: Vec<Piece> = args.iter().map(|_| Piece::Conv(conv.clone())).collect();
    s(StmtKind::Emit(Emit { kind: EmitKind::Printf(pieces.into()), args }))
}

pub(crate) fn map(name: &str, key: Option<Type>, value: Type) -> Map {
    Map { name: name.into(), key, value, decl: None, max_entries: 4096, span: Span::default() }
}

/// A program of one tracepoint probe.
pub(crate) fn tracepoint(
    maps: Vec<Map>,
    locals: Vec<Type>,
    predicate: Option<Expr>,
    body: Vec<Stmt>,
) -> Program {
    let kind =
        Attach::Tracepoint { category: "sched".into(), event: "sched_switch".into(), id: 1, syscall: None };
    let point = AttachPoint {
        id: ProbeId(0),
        name: "tracepoint:sched:sched_switch".into(),
        kind,
        span: Span::default(),
    };
    let locals =
        locals.into_iter().enumerate().map(|(n, ty)| Local { name: format!("$v{n}").into(), ty }).collect();
    Program {
        sources: vec![Source::new("stdin", "")],
        probes: vec![Probe {
            attach: vec![point],
            ctx: Ctx::Tracepoint,
            predicate,
            body,
            locals,
            span: Span::default(),
        }],
        maps,
        config: Config::default(),
        warnings: vec![],
    }
}
