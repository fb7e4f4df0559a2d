//! Makes a failing program smaller while it still fails in the same way.

use super::ast::*;

/// The smallest program found for which `fails` still holds.
pub fn shrink(p: &Program, mut fails: impl FnMut(&Program) -> bool) -> Program {
    let mut best = p.clone();
    loop {
        let before = best.clone();
        statements(&mut best, &mut fails);
        expressions(&mut best, &mut fails);
        if best == before {
            return best;
        }
    }
}

/// Leaves out statements, or puts a block's content in its place.
fn statements(best: &mut Program, fails: &mut impl FnMut(&Program) -> bool) {
    let mut n = 0;
    while let Some(removed) = without(best, n, Cut::Remove) {
        let smaller = [Some(removed), without(best, n, Cut::Hoist)].into_iter().flatten();
        match smaller.into_iter().find(|p| p != best && fails(p)) {
            Some(p) => *best = p,
            None => n += 1,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Remove,
    Hoist,
}

/// The program without its `n`th statement; `None` where it has fewer.
fn without(p: &Program, n: usize, cut: Cut) -> Option<Program> {
    let mut p = p.clone();
    let mut left = n;
    (cut_in(&mut p.body, &mut left, cut) || cut_in(&mut p.setup, &mut left, cut)).then_some(p)
}

fn cut_in(stmts: &mut Vec<Stmt>, left: &mut usize, cut: Cut) -> bool {
    for i in 0..stmts.len() {
        if *left == 0 {
            let old = stmts.remove(i);
            if cut == Cut::Hoist {
                stmts.splice(i..i, blocks(old));
            }
            return true;
        }
        *left -= 1;
        let inner: [Option<&mut Vec<Stmt>>; 2] = match &mut stmts[i] {
            Stmt::If(_, a, b) => [Some(a), Some(b)],
            Stmt::For(_, _, _, a) | Stmt::While(_, _, a) | Stmt::Unroll(_, a) | Stmt::ForMap(_, _, a) => {
                [Some(a), None]
            }
            _ => [None, None],
        };
        if inner.into_iter().flatten().any(|b| cut_in(b, left, cut)) {
            return true;
        }
    }
    false
}

fn blocks(s: Stmt) -> Vec<Stmt> {
    match s {
        Stmt::If(_, a, b) => [a, b].concat(),
        Stmt::For(_, _, _, a) | Stmt::While(_, _, a) | Stmt::Unroll(_, a) | Stmt::ForMap(_, _, a) => a,
        Stmt::Printf(parts) if parts.len() > 1 => parts.into_iter().map(|p| Stmt::Printf(vec![p])).collect(),
        s => vec![s],
    }
}

/// Replaces expressions by one of their parts, or by a literal.
fn expressions(best: &mut Program, fails: &mut impl FnMut(&Program) -> bool) {
    let mut n = 0;
    while let Some(old) = nth(best, n, None) {
        let simpler = candidates(&old).into_iter().filter_map(|e| {
            let mut p = best.clone();
            nth(&mut p, n, Some(e)).map(|_| p)
        });
        let found = simpler.into_iter().find(|p| fails(p));
        match found {
            Some(p) => *best = p,
            None => n += 1,
        }
    }
}

fn candidates(e: &Expr) -> Vec<Expr> {
    let mut of = vec![];
    match e.ty {
        Ty::Int(i) if i.bits == 64 && !matches!(e.kind, Kind::Lit(_)) => {
            of.push(Expr { ty: e.ty.clone(), kind: Kind::Lit(1) });
        }
        Ty::Bool if !matches!(e.kind, Kind::Flag(_)) => {
            of.extend([true, false].map(|b| Expr { ty: Ty::Bool, kind: Kind::Flag(b) }));
        }
        _ => {}
    }
    let mut parts = e.clone();
    children(&mut parts, &mut |c| {
        if c.ty == e.ty {
            of.push(c.clone());
        }
    });
    of
}

/// The `n`th expression, replaced when a new one is given.
fn nth(p: &mut Program, n: usize, mut new: Option<Expr>) -> Option<Expr> {
    let (mut left, mut found) = (n, None);
    let mut visit = |e: &mut Expr| {
        if found.is_none() && left == 0 {
            found = Some(e.clone());
            if let Some(new) = new.take() {
                *e = new;
            }
            left = usize::MAX;
        }
        left = left.wrapping_sub(1);
    };
    in_block(&mut p.body, &mut visit);
    found
}

fn in_block(stmts: &mut [Stmt], visit: &mut dyn FnMut(&mut Expr)) {
    for s in stmts {
        match s {
            Stmt::Let(_, e) | Stmt::Assign(_, _, e) | Stmt::Print(e) => deep(e, visit),
            Stmt::Store(_, k, _, e) => {
                k.iter_mut().for_each(|e| deep(e, visit));
                deep(e, visit);
            }
            Stmt::StepMap(_, k, _) | Stmt::Delete(_, k) => k.iter_mut().for_each(|e| deep(e, visit)),
            Stmt::Gather(_, k, e) => k.iter_mut().chain(e).for_each(|e| deep(e, visit)),
            Stmt::Printf(parts) => parts.iter_mut().for_each(|(_, _, e)| deep(e, visit)),
            Stmt::If(c, a, b) => {
                deep(c, visit);
                in_block(a, visit);
                in_block(b, visit);
            }
            Stmt::For(_, a, b, body) => {
                deep(a, visit);
                deep(b, visit);
                in_block(body, visit);
            }
            Stmt::While(_, e, body) => {
                deep(e, visit);
                in_block(body, visit);
            }
            Stmt::Unroll(_, body) | Stmt::ForMap(_, _, body) => in_block(body, visit),
            Stmt::Step(..) | Stmt::Break | Stmt::Continue | Stmt::Return => {}
        }
    }
}

fn deep(e: &mut Expr, visit: &mut dyn FnMut(&mut Expr)) {
    visit(e);
    children(e, &mut |c| deep(c, visit));
}

fn children(e: &mut Expr, visit: &mut dyn FnMut(&mut Expr)) {
    match &mut e.kind {
        Kind::Lit(_)
        | Kind::Flag(_)
        | Kind::Text(_)
        | Kind::Var(_)
        | Kind::Arg(_)
        | Kind::Comm
        | Kind::Len(_) => {}
        Kind::Neg(a) | Kind::Flip(a) | Kind::Not(a) | Kind::Cast(a) | Kind::Strlen(a) => visit(a),
        Kind::Part(a, _) | Kind::Field(a, ..) | Kind::Pointer(_, a) => visit(a),
        Kind::Bin(_, a, b) | Kind::Cmp(_, a, b) | Kind::All(a, b) | Kind::Any(a, b) => {
            visit(a);
            visit(b);
        }
        Kind::Contains(a, b) | Kind::Prefix(a, b, _) | Kind::Same(a, b, _) => {
            visit(a);
            visit(b);
        }
        Kind::Cond(c, a, b) => {
            visit(c);
            visit(a);
            visit(b);
        }
        Kind::StrAt(_, a, len) => {
            visit(a);
            len.iter_mut().for_each(|e| visit(e));
        }
        Kind::Map(_, of) | Kind::HasKey(_, of) | Kind::Tuple(of) => of.iter_mut().for_each(visit),
    }
}
