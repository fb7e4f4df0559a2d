//! How large an expression is, so that expansion cannot run away.

use crate::ast::{Block, Expr, ExprKind, Stmt, StmtKind, TypeExpr, TypeExprKind, TypeOrExpr};

/// Size of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Size {
    /// How many nodes.
    pub(super) nodes: usize,
    /// How many levels.
    pub(super) depth: usize,
}

impl Size {
    fn over(parts: impl IntoIterator<Item = Size>) -> Size {
        let mut all = Size { nodes: 1, depth: 1 };
        for part in parts {
            all.nodes += part.nodes;
            all.depth = all.depth.max(part.depth + 1);
        }
        all
    }
}

/// Size of an expression.
pub(super) fn expr(e: &Expr) -> Size {
    match &e.kind {
        ExprKind::Unary(_, a) | ExprKind::TupleIndex(a, _) => Size::over([expr(a)]),
        ExprKind::IncDec { place: a, .. } | ExprKind::MapIndex { key: a, .. } => Size::over([expr(a)]),
        ExprKind::Field { base: a, .. } => Size::over([expr(a)]),
        ExprKind::Cast(ty, a) => Size::over([type_expr(ty), expr(a)]),
        ExprKind::Binary(_, a, b) | ExprKind::Index(a, b) => Size::over([expr(a), expr(b)]),
        ExprKind::Ternary(a, b, c) => Size::over([expr(a), expr(b), expr(c)]),
        ExprKind::Call { args, .. } => Size::over(args.iter().map(expr)),
        ExprKind::Tuple(items) => Size::over(items.iter().map(|(_, e)| expr(e))),
        ExprKind::Sizeof(of) | ExprKind::Typeinfo(of) | ExprKind::Offsetof(of, _) => {
            Size::over([type_or_expr(of)])
        }
        ExprKind::TypeArg(ty) => Size::over([type_expr(ty)]),
        ExprKind::Block(b) => block(b),
        _ => Size::over([]),
    }
}

fn type_expr(ty: &TypeExpr) -> Size {
    match &ty.kind {
        TypeExprKind::Ptr(of) | TypeExprKind::Array(of, _) => Size::over([type_expr(of)]),
        TypeExprKind::Typeof(of) => Size::over([type_or_expr(of)]),
        TypeExprKind::Tuple(parts) => Size::over(parts.iter().map(type_expr)),
        _ => Size::over([]),
    }
}

fn type_or_expr(of: &TypeOrExpr) -> Size {
    match of {
        TypeOrExpr::Type(ty) => type_expr(ty),
        TypeOrExpr::Expr(e) => expr(e),
    }
}

fn block(b: &Block) -> Size {
    Size::over(b.stmts.iter().map(stmt).chain(b.value.iter().map(|e| expr(e))))
}

fn stmt(s: &Stmt) -> Size {
    match &s.kind {
        StmtKind::Expr(e) | StmtKind::Discard(e) => expr(e),
        StmtKind::Let { value, .. } | StmtKind::Return(value) => Size::over(value.iter().map(expr)),
        StmtKind::Assign { target, value, .. } => Size::over([expr(target), expr(value)]),
        StmtKind::If { cond, then, otherwise } => {
            Size::over([expr(cond), block(then)].into_iter().chain(otherwise.iter().map(block)))
        }
        StmtKind::While { cond: e, body } | StmtKind::Unroll { count: e, body } => {
            Size::over([expr(e), block(body)])
        }
        StmtKind::ForRange { start, end, body, .. } => Size::over([expr(start), expr(end), block(body)]),
        StmtKind::ForMap { body, .. } | StmtKind::Block(body) => block(body),
        StmtKind::Break | StmtKind::Continue => Size::over([]),
    }
}
