//! Questions about the typed program that need a walk over it.

use rbtrace_lang::context::Location;
use rbtrace_lang::hir::{
    Builtin, Emit, Expr, ExprKind, Function, LocalId, Lvalue, MapId, Probe, Program, Stmt, StmtKind,
};
use rbtrace_lang::types::Type;
use std::collections::BTreeSet;

/// One node of the tree.
#[derive(Clone, Copy)]
pub enum Node<'a> {
    /// A statement.
    Stmt(&'a StmtKind),
    /// An expression.
    Expr(&'a Expr),
    /// A place that is changed or pointed to.
    Lvalue(&'a Lvalue),
}

/// Visits predicate and body of every probe, each node before its parts.
pub fn walk_program<'a>(program: &'a Program, visit: &mut dyn FnMut(Node<'a>)) {
    program.probes.iter().for_each(|probe| walk_probe(probe, visit));
}

/// Visits statements and all below them, each node before its parts.
pub(super) fn walk_stmts<'a>(stmts: &'a [Stmt], visit: &mut dyn FnMut(Node<'a>)) {
    for stmt in stmts {
        walk_stmt(&stmt.kind, visit);
    }
}

fn walk_stmt<'a>(stmt: &'a StmtKind, visit: &mut dyn FnMut(Node<'a>)) {
    visit(Node::Stmt(stmt));
    match stmt {
        StmtKind::Expr(e) | StmtKind::AssignLocal(_, e) => walk(e, visit),
        StmtKind::AssignMap { key, value, .. } => {
            key.iter().chain([value]).for_each(|e| walk(e, visit));
        }
        StmtKind::Aggregate { key, value, time, .. } => {
            key.iter().chain(value).chain(time).for_each(|e| walk(e, visit));
        }
        StmtKind::If { cond, then, otherwise } => {
            walk(cond, visit);
            walk_stmts(then, visit);
            walk_stmts(otherwise, visit);
        }
        StmtKind::While { cond, body } => {
            walk(cond, visit);
            walk_stmts(body, visit);
        }
        StmtKind::ForRange { start, end, body, .. } => {
            walk(start, visit);
            walk(end, visit);
            walk_stmts(body, visit);
        }
        StmtKind::ForMap { body, .. } | StmtKind::Unroll { body, .. } | StmtKind::Block(body) => {
            walk_stmts(body, visit);
        }
        StmtKind::Return(e) | StmtKind::Exit(e) => e.iter().for_each(|e| walk(e, visit)),
        StmtKind::Emit(Emit { args, .. }) => args.iter().for_each(|e| walk(e, visit)),
        StmtKind::Declare(_) | StmtKind::Break | StmtKind::Continue => {}
    }
}

/// Visits an expression and all below it.
pub(super) fn walk<'a>(e: &'a Expr, visit: &mut dyn FnMut(Node<'a>)) {
    visit(Node::Expr(e));
    match &e.kind {
        ExprKind::IncDec { place, .. } | ExprKind::AddrOf(place) => {
            visit(Node::Lvalue(place));
            if let Lvalue::Map { key: Some(key), .. } = place {
                walk(key, visit);
            }
        }
        ExprKind::Block(stmts, value) => {
            walk_stmts(stmts, visit);
            walk(value, visit);
        }
        ExprKind::Tuple(items) | ExprKind::Call(_, items) | ExprKind::Emit(Emit { args: items, .. }) => {
            items.iter().for_each(|e| walk(e, visit));
        }
        kind => parts(kind).into_iter().flatten().for_each(|e| walk(e, visit)),
    }
}

/// The direct parts of an expression that has up to three.
fn parts(kind: &ExprKind) -> [Option<&Expr>; 3] {
    match kind {
        ExprKind::MapGet { key, .. } | ExprKind::Delete { key, .. } => [key.as_deref(), None, None],
        ExprKind::HasKey { key, .. } => [Some(key), None, None],
        ExprKind::Unary(_, a)
        | ExprKind::Convert(a)
        | ExprKind::Reinterpret(a)
        | ExprKind::Widen(a)
        | ExprKind::TupleField(a, _)
        | ExprKind::Deref(a)
        | ExprKind::Field { base: a, .. }
        | ExprKind::StackLen(a)
        | ExprKind::MacAddr(a)
        | ExprKind::Ksym(a)
        | ExprKind::Usym(a)
        | ExprKind::Strftime(a)
        | ExprKind::CgroupPath(a)
        | ExprKind::Strerror(a)
        | ExprKind::StrLen(a)
        | ExprKind::Bswap(a)
        | ExprKind::Signal(a)
        | ExprKind::Override(a) => [Some(a), None, None],
        ExprKind::Binary(_, a, b)
        | ExprKind::CompareMemory { left: a, right: b, .. }
        | ExprKind::Strncmp(a, b, _)
        | ExprKind::Logical { left: a, right: b, .. }
        | ExprKind::Index { base: a, index: b }
        | ExprKind::PtrAdd { ptr: a, index: b, .. }
        | ExprKind::PtrDiff { left: a, right: b, .. }
        | ExprKind::StrContains(a, b) => [Some(a), Some(b), None],
        ExprKind::Ternary(a, b, c) => [Some(a), Some(b), Some(c)],
        ExprKind::StrFrom { ptr, len } | ExprKind::BufFrom { ptr, len } => [Some(ptr), len.as_deref(), None],
        ExprKind::Ntop { family, addr } => [family.as_deref(), Some(addr), None],
        ExprKind::Const(_)
        | ExprKind::Text(_)
        | ExprKind::Local(_)
        | ExprKind::MapLen(_)
        | ExprKind::At(_)
        | ExprKind::Builtin(_)
        | ExprKind::KStack(_)
        | ExprKind::UStack(_) => [None, None, None],
        // Those that are not expressions alone: `walk` sees to them.
        ExprKind::IncDec { .. }
        | ExprKind::AddrOf(_)
        | ExprKind::Block(..)
        | ExprKind::Tuple(_)
        | ExprKind::Call(..)
        | ExprKind::Emit(_) => [None, None, None],
    }
}

/// Is this builtin used anywhere in a body?
pub(super) fn uses_builtin(probe: &Probe, which: Builtin) -> bool {
    let mut found = false;
    walk_probe(probe, &mut |node| {
        found |= matches!(node, Node::Expr(Expr { kind: ExprKind::Builtin(b), .. }) if *b == which);
    });
    found
}

/// Does a body ask for the end?
pub(super) fn exits(probe: &Probe) -> bool {
    let mut found = false;
    walk_probe(probe, &mut |node| found |= matches!(node, Node::Stmt(StmtKind::Exit(_))));
    found
}

/// Does a body send anything to user space?
pub(super) fn sends(probe: &Probe) -> bool {
    let mut found = false;
    walk_probe(probe, &mut |node| {
        found |= match node {
            Node::Stmt(stmt) => matches!(stmt, StmtKind::Emit(_)),
            Node::Expr(e) => matches!(e.kind, ExprKind::Emit(_)),
            Node::Lvalue(_) => false,
        };
    });
    found
}

/// Is there a loop in a body, other than an unrolled one?
pub(super) fn has_loop(probe: &Probe) -> bool {
    let mut found = false;
    walk_probe(probe, &mut |node| {
        found |= matches!(
            node,
            Node::Stmt(StmtKind::While { .. } | StmtKind::ForRange { .. } | StmtKind::ForMap { .. })
        );
    });
    found
}

/// Is there a loop that becomes a callback only where the kernel has `bpf_loop`?
pub(super) fn has_rounds(probe: &Probe) -> bool {
    let mut found = false;
    walk_probe(probe, &mut |node| {
        found |= matches!(node, Node::Stmt(StmtKind::While { .. } | StmtKind::ForRange { .. }));
    });
    found
}

/// How much code one round of a loop runs, roughly; `None` where it branches or loops.
pub(super) fn steps(body: &[Stmt]) -> Option<u64> {
    let mut steps = Some(1);
    walk_stmts(body, &mut |node| steps = steps.zip(node_steps(node)).map(|(all, own)| all + own));
    steps
}

fn node_steps(node: Node) -> Option<u64> {
    /// About as much as a lookup or a helper takes.
    const CALL: u64 = 8;
    match node {
        Node::Lvalue(_) => Some(0),
        Node::Stmt(stmt) => match stmt {
            StmtKind::Declare(_) | StmtKind::AssignLocal(..) | StmtKind::Expr(_) | StmtKind::Block(_) => {
                Some(1)
            }
            StmtKind::AssignMap { .. } | StmtKind::Aggregate { .. } | StmtKind::Emit(_) => Some(CALL),
            StmtKind::If { .. }
            | StmtKind::While { .. }
            | StmtKind::ForRange { .. }
            | StmtKind::ForMap { .. }
            | StmtKind::Unroll { .. }
            | StmtKind::Break
            | StmtKind::Continue
            | StmtKind::Return(_)
            | StmtKind::Exit(_) => None,
        },
        Node::Expr(e) => match &e.kind {
            ExprKind::CompareMemory { .. }
            | ExprKind::Strncmp(..)
            | ExprKind::Logical { .. }
            | ExprKind::Ternary(..)
            | ExprKind::StrContains(..)
            | ExprKind::MapLen(_) => None,
            ExprKind::Const(_) | ExprKind::Local(_) | ExprKind::Text(_) => Some(0),
            ExprKind::Unary(..) | ExprKind::Binary(..) | ExprKind::Convert(_) | ExprKind::Widen(_) => Some(1),
            _ => Some(CALL),
        },
    }
}

/// Visits predicate and body of a probe, each node before its parts.
pub(super) fn walk_probe<'a>(probe: &'a Probe, visit: &mut dyn FnMut(Node<'a>)) {
    probe.predicate.iter().for_each(|e| walk(e, visit));
    walk_stmts(&probe.body, visit);
}

/// What is done with the locals of a body.
#[derive(Debug, Default)]
pub(super) struct LocalUses {
    address_taken: BTreeSet<LocalId>,
    declared: BTreeSet<LocalId>,
    not_padded: BTreeSet<LocalId>,
}

impl LocalUses {
    /// Does a pointer to it exist?
    pub(super) fn address_taken(&self, local: LocalId) -> bool {
        self.address_taken.contains(&local)
    }

    /// Does a statement begin its scope?
    pub(super) fn is_declared(&self, local: LocalId) -> bool {
        self.declared.contains(&local)
    }

    /// Is it only ever assigned texts with zeros behind them?
    pub(super) fn always_padded(&self, local: LocalId) -> bool {
        !self.not_padded.contains(&local)
    }
}

/// Looks at all locals of a body.
pub(super) fn local_uses(probe: &Probe) -> LocalUses {
    let mut uses = LocalUses::default();
    for (n, local) in probe.locals.iter().enumerate() {
        if !matches!(local.ty, Type::Str(_)) {
            uses.not_padded.insert(LocalId(n as u32));
        }
    }
    walk_probe(probe, &mut |node| match node {
        Node::Stmt(StmtKind::Declare(local)) => {
            uses.declared.insert(*local);
        }
        Node::Stmt(StmtKind::AssignLocal(local, value)) if !pads(value) => {
            uses.not_padded.insert(*local);
        }
        Node::Stmt(StmtKind::ForRange { var, .. } | StmtKind::ForMap { var, .. }) => {
            uses.declared.insert(*var);
            uses.not_padded.insert(*var);
        }
        Node::Expr(Expr { kind: ExprKind::AddrOf(Lvalue::Local(local)), .. }) => {
            uses.address_taken.insert(*local);
            uses.not_padded.insert(*local);
        }
        _ => {}
    });
    uses
}

/// Is a text written with zeros behind it wherever it goes?
fn pads(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Text(_) | ExprKind::Builtin(Builtin::Comm) => true,
        ExprKind::Widen(inner) => pads(inner),
        ExprKind::Ternary(_, a, b) => pads(a) && pads(b),
        _ => false,
    }
}

pub(super) fn is_current_stack(e: &Expr) -> bool {
    matches!(e.kind, ExprKind::KStack(_) | ExprKind::UStack(_))
}

/// Is a local only ever assigned the current stack?
pub(super) fn always_current_stack(probe: &Probe, local: LocalId) -> bool {
    let mut current = true;
    walk_probe(probe, &mut |node| {
        if let Node::Stmt(StmtKind::AssignLocal(l, value)) = node {
            current &= *l != local || is_current_stack(value);
        }
    });
    current
}

/// Does an expression read this map?
pub(super) fn reads_map(e: &Expr, map: MapId) -> bool {
    let mut found = false;
    walk(e, &mut |node| {
        found |= matches!(node, Node::Expr(Expr { kind: ExprKind::MapGet { map: m, .. }, .. }) if *m == map);
    });
    found
}

/// Does an expression name this local?
pub(super) fn mentions(e: &Expr, local: LocalId) -> bool {
    let mut found = false;
    walk(e, &mut |node| found |= local_of(node) == Some(local));
    found
}

/// Does a statement name this local, its own declaration apart?
pub(super) fn stmt_mentions(stmt: &Stmt, local: LocalId) -> bool {
    let mut found = false;
    walk_stmt(&stmt.kind, &mut |node| found |= local_of(node) == Some(local));
    found
}

fn local_of(node: Node) -> Option<LocalId> {
    match node {
        Node::Stmt(StmtKind::AssignLocal(local, _)) => Some(*local),
        Node::Expr(Expr { kind: ExprKind::Local(local), .. }) | Node::Lvalue(Lvalue::Local(local)) => {
            Some(*local)
        }
        _ => None,
    }
}

/// Does evaluating this change anything, or run code that may?
pub(super) fn has_effects(e: &Expr) -> bool {
    let mut found = false;
    walk(e, &mut |node| {
        found |= match node {
            Node::Stmt(_) => true,
            Node::Expr(e) => nature(&e.kind).effects,
            Node::Lvalue(_) => false,
        }
    });
    found
}

/// What a loop's body needs of the function around it.
#[derive(Debug, Default)]
pub(super) struct Captures {
    /// Locals of the surrounding scopes that it names.
    pub(super) locals: BTreeSet<LocalId>,
    /// Those of them that it assigns.
    pub(super) assigned: BTreeSet<LocalId>,
    /// It reads the program's context.
    pub(super) context: bool,
    /// It leaves the program.
    pub(super) leaves: bool,
    /// There are loops within.
    pub(super) loops: bool,
}

/// Looks at the parts of a loop that run in its callback. `inner`: the loop's own variable.
pub(super) fn captures(cond: Option<&Expr>, body: &[Stmt], inner: Option<LocalId>) -> Captures {
    let mut found = Captures::default();
    let mut own: BTreeSet<LocalId> = inner.into_iter().collect();
    let mut visit = |node: Node| {
        found.locals.extend(local_of(node));
        match node {
            Node::Stmt(StmtKind::AssignLocal(local, _)) | Node::Lvalue(Lvalue::Local(local)) => {
                found.assigned.insert(*local);
            }
            Node::Stmt(StmtKind::Declare(local)) => {
                own.insert(*local);
            }
            Node::Stmt(StmtKind::ForRange { var, .. } | StmtKind::ForMap { var, .. }) => {
                own.insert(*var);
                found.loops = true;
            }
            Node::Stmt(StmtKind::While { .. }) => found.loops = true,
            Node::Stmt(StmtKind::Return(_) | StmtKind::Exit(_)) => found.leaves = true,
            Node::Expr(e) => found.context |= nature(&e.kind).context,
            Node::Lvalue(Lvalue::Map { .. })
            | Node::Stmt(
                StmtKind::Expr(_)
                | StmtKind::AssignMap { .. }
                | StmtKind::Aggregate { .. }
                | StmtKind::If { .. }
                | StmtKind::Unroll { .. }
                | StmtKind::Break
                | StmtKind::Continue
                | StmtKind::Block(_)
                | StmtKind::Emit(_),
            ) => {}
        }
    };
    cond.into_iter().for_each(|e| walk(e, &mut visit));
    walk_stmts(body, &mut visit);
    found.locals.retain(|local| !own.contains(local));
    found.assigned.retain(|local| !own.contains(local));
    found
}

/// All locals that a loop of the probe takes from the scopes around it.
pub(super) fn captured_locals(probe: &Probe) -> BTreeSet<LocalId> {
    let mut found = BTreeSet::new();
    walk_probe(probe, &mut |node| {
        let captures = match node {
            Node::Stmt(StmtKind::While { cond, body }) => captures(Some(cond), body, None),
            Node::Stmt(StmtKind::ForRange { var, body, .. } | StmtKind::ForMap { var, body, .. }) => {
                captures(None, body, Some(*var))
            }
            _ => return,
        };
        found.extend(captures.locals);
    });
    found
}

/// What evaluating an expression takes and does, its parts apart.
struct Nature {
    /// It changes something, or runs code that may.
    effects: bool,
    /// It reads the program's context, or hands it to a helper.
    context: bool,
}

fn nature(kind: &ExprKind) -> Nature {
    let (effects, context) = match kind {
        ExprKind::IncDec { .. }
        | ExprKind::Delete { .. }
        | ExprKind::Block(..)
        | ExprKind::Emit(_)
        | ExprKind::Signal(_) => (true, false),
        ExprKind::Override(_) => (true, true),
        ExprKind::Call(Function::StrStr | Function::StrConcat | Function::Memcmp, _) => (false, false),
        ExprKind::Call(Function::SocketCookie | Function::Path, _) => (false, true),
        ExprKind::Call(Function::SignalThread | Function::WriteUser | Function::Debug(_), _) => (true, false),
        ExprKind::At(_) | ExprKind::KStack(_) | ExprKind::UStack(_) | ExprKind::StackLen(_) => (false, true),
        ExprKind::Builtin(which) => (false, matches!(which, Builtin::Probe | Builtin::Func | Builtin::Ip)),
        ExprKind::Const(_)
        | ExprKind::Text(_)
        | ExprKind::Local(_)
        | ExprKind::MapGet { .. }
        | ExprKind::HasKey { .. }
        | ExprKind::MapLen(_)
        | ExprKind::Unary(..)
        | ExprKind::Binary(..)
        | ExprKind::CompareMemory { .. }
        | ExprKind::Strncmp(..)
        | ExprKind::Logical { .. }
        | ExprKind::Ternary(..)
        | ExprKind::Convert(_)
        | ExprKind::Reinterpret(_)
        | ExprKind::Widen(_)
        | ExprKind::Tuple(_)
        | ExprKind::TupleField(..)
        | ExprKind::Deref(_)
        | ExprKind::Field { .. }
        | ExprKind::Index { .. }
        | ExprKind::PtrAdd { .. }
        | ExprKind::PtrDiff { .. }
        | ExprKind::AddrOf(_)
        | ExprKind::StrFrom { .. }
        | ExprKind::BufFrom { .. }
        | ExprKind::Ntop { .. }
        | ExprKind::MacAddr(_)
        | ExprKind::Ksym(_)
        | ExprKind::Usym(_)
        | ExprKind::Strftime(_)
        | ExprKind::CgroupPath(_)
        | ExprKind::Strerror(_)
        | ExprKind::StrContains(..)
        | ExprKind::StrLen(_)
        | ExprKind::Bswap(_) => (false, false),
    };
    Nature { effects, context }
}

/// The places of the probe's values that a body reads, if it needs its context for nothing else, each is a number and
/// none is read in a loop.
pub(super) fn locations(probe: &Probe) -> Option<BTreeSet<Location>> {
    let mut found = BTreeSet::new();
    let mut fits = true;
    walk_probe(probe, &mut |node| match node {
        Node::Expr(Expr { kind: ExprKind::At(location), ty, .. }) => {
            found.insert(*location);
            fits &= ty.is_scalar() && ty.size() <= 8;
        }
        // A stack taken in another program would show other frames.
        Node::Expr(Expr { kind: ExprKind::KStack(_) | ExprKind::StackLen(_), .. }) => fits = false,
        Node::Stmt(StmtKind::While { cond, body }) => fits &= !captures(Some(cond), body, None).context,
        Node::Stmt(StmtKind::ForRange { body, .. } | StmtKind::ForMap { body, .. }) => {
            fits &= !captures(None, body, None).context;
        }
        Node::Expr(_) | Node::Stmt(_) | Node::Lvalue(_) => {}
    });
    fits.then_some(found)
}

/// Does an expression read what the probe gives?
pub(super) fn reads_probe(e: &Expr) -> bool {
    let mut found = false;
    walk(e, &mut |node| found |= matches!(node, Node::Expr(Expr { kind: ExprKind::At(_), .. })));
    found
}

/// May a loop's variable stay the entry's own key and value? Not where it is changed, pointed to, or needed in
/// a callback of its own.
pub(super) fn stays_pair(body: &[Stmt], var: LocalId) -> bool {
    let mut stays = !captures(None, body, None).loops;
    walk_stmts(body, &mut |node| match node {
        Node::Stmt(StmtKind::AssignLocal(local, _)) | Node::Lvalue(Lvalue::Local(local)) => {
            stays &= *local != var;
        }
        _ => {}
    });
    stays
}
