//! What the callbacks of nested loops share: one record on the stack of the function around the outermost loop.
//!
//! | offset | what |
//! |---|---|
//! | 0 | status: 1 when a body left the program, where it may |
//! | 8 | the program's result then |
//! | 16 | the program's context |
//! | 24 | the address of the area, where many locals are shared |
//! | 32 … | 8 bytes each: where ranges start, scalars by value, other locals by address |
//!
//! Every callback is handed the same record, so a deep nest needs no more of the 512 bytes of stack than a shallow
//! one. Locals that are known by their address lie in the outermost function too: the verifier does not let a
//! callback leave a pointer to its own stack in the stack of another.

use super::area::Area;
use super::visit::{self, Captures, Node};
use crate::ir::Value;
use rbtrace_lang::hir::{Expr, ExprKind, LocalId, Stmt, StmtKind};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Offset of the status word.
pub(super) const STATUS: u32 = 0;
/// Offset of the result that goes with it.
pub(super) const RESULT: u32 = 8;
/// Offset of the program's context.
pub(super) const CONTEXT: u32 = 16;
/// Offset of the area's address.
pub(super) const AREA: u32 = 24;
/// Offset of what follows.
const REST: u32 = 32;

/// Functions that may be active at once (`MAX_CALL_FRAMES` of include/linux/bpf_verifier.h).
pub(super) const MAX_FRAMES: u32 = 8;

/// The parts of a loop that run in its callback.
#[derive(Clone, Copy)]
pub(super) struct Round<'a> {
    pub(super) cond: Option<&'a Expr>,
    pub(super) body: &'a [Stmt],
    /// The loop's own variable.
    pub(super) var: Option<LocalId>,
    /// It counts from a number that is known at run time only.
    pub(super) starts: bool,
}

/// The record's layout.
#[derive(Debug, Default)]
pub(super) struct Nest {
    /// Locals that some callback has from the functions around it.
    pub(super) locals: BTreeMap<LocalId, u32>,
    /// Those of them that some callback assigns.
    pub(super) assigned: BTreeSet<LocalId>,
    /// By the variable of a range: where its start lies.
    pub(super) starts: BTreeMap<LocalId, u32>,
    /// Some locals lie in the area.
    pub(super) area: bool,
    /// Bytes.
    pub(super) size: u32,
}

/// A function that runs within a nest of loops.
pub(super) struct Within {
    pub(super) nest: Rc<Nest>,
    pub(super) record: Value,
    /// Locals that it, or a loop within, assigns.
    pub(super) assigned: BTreeSet<LocalId>,
}

impl Nest {
    /// Lays out the record of a loop and all loops within.
    pub(super) fn new(outermost: Round, area: &Area) -> Nest {
        let mut nest = Nest { size: REST, ..Nest::default() };
        let mut rounds = vec![outermost];
        outermost.cond.into_iter().for_each(|e| visit::walk(e, &mut |node| rounds.extend(round(node))));
        visit::walk_stmts(outermost.body, &mut |node| rounds.extend(round(node)));
        rounds.into_iter().for_each(|round| nest.add(round, area));
        nest
    }

    fn add(&mut self, round: Round, area: &Area) {
        let size = &mut self.size;
        let mut take = || std::mem::replace(size, *size + 8);
        if let Some(var) = round.var.filter(|_| round.starts) {
            self.starts.entry(var).or_insert_with(&mut take);
        }
        let captures = round.captures();
        self.assigned.extend(captures.assigned);
        for local in captures.locals {
            if area.offset(local).is_some() {
                self.area = true;
                continue;
            }
            self.locals.entry(local).or_insert_with(&mut take);
        }
    }
}

impl<'a> Round<'a> {
    /// A round of `for ($var : start..)`.
    pub(super) fn range(var: LocalId, start: &Expr, body: &'a [Stmt]) -> Self {
        let starts = !matches!(start.kind, ExprKind::Const(_));
        Round { cond: None, body, var: Some(var), starts }
    }

    /// What it needs of the function around it.
    pub(super) fn captures(&self) -> Captures {
        visit::captures(self.cond, self.body, self.var)
    }
}

/// The loop that a node is.
fn round(node: Node) -> Option<Round> {
    let Node::Stmt(stmt) = node else { return None };
    match stmt {
        StmtKind::While { cond, body } => Some(Round { cond: Some(cond), body, var: None, starts: false }),
        StmtKind::ForRange { var, start, body, .. } => Some(Round::range(*var, start, body)),
        StmtKind::ForMap { var, body, .. } => {
            Some(Round { cond: None, body, var: Some(*var), starts: false })
        }
        _ => None,
    }
}
