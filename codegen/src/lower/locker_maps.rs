//! Which of the script's maps have lockers in front of their hash, decided here alone.

use super::tallied_maps::{DEFAULT_ENTRIES, chosen};
use super::visit::Node;
use crate::helpers;
use crate::kernel::{Feature, Kernel};
use crate::object::{Lockers, MapDef, MapKind, MapRole};
use rbtrace_lang::hir::{Builtin, Emit, EmitKind, Expr, ExprKind, Lvalue, Map, MapId, Program, StmtKind};

/// The script's maps that have lockers, as far as the kernel is able (`Feature::Atomics`): `tid` is their key wherever they are
/// used, and frequent programs assign, read and delete single entries, nothing else.
pub(super) fn maps(program: &Program) -> Vec<MapId> {
    chosen(program, program.maps.iter().map(has_form).collect(), used)
}

/// Numbers and pointers, with a number of four bytes as the key.
fn has_form(map: &Map) -> bool {
    let key = map.key.as_ref().is_some_and(|key| key.is_scalar() && key.size() == 4);
    key && map.value.is_scalar() && map.decl.is_none() && map.max_entries >= DEFAULT_ENTRIES
}

/// The map that a node uses, and whether it is for the entry of the running thread.
fn used(node: Node) -> Option<(MapId, bool)> {
    match node {
        Node::Stmt(StmtKind::AssignMap { map, key, .. }) => Some((*map, key.as_ref().is_some_and(is_tid))),
        Node::Stmt(StmtKind::Aggregate { map, .. } | StmtKind::ForMap { map, .. })
        | Node::Lvalue(Lvalue::Map { map, .. }) => Some((*map, false)),
        Node::Stmt(StmtKind::Emit(emit)) => emitted(emit),
        Node::Expr(e) => match &e.kind {
            ExprKind::MapGet { map, key } | ExprKind::Delete { map, key } => {
                Some((*map, key.as_deref().is_some_and(is_tid)))
            }
            ExprKind::HasKey { map, key } => Some((*map, is_tid(key))),
            ExprKind::MapLen(map) => Some((*map, false)),
            ExprKind::Emit(emit) => emitted(emit),
            _ => None,
        },
        _ => None,
    }
}

/// Printing reads the lockers; what empties a map knows the hash alone.
fn emitted(emit: &Emit) -> Option<(MapId, bool)> {
    match emit.kind {
        EmitKind::Clear(map) | EmitKind::Zero(map) | EmitKind::PrintEntry(map) => Some((map, false)),
        _ => None,
    }
}

fn is_tid(key: &Expr) -> bool {
    match &key.kind {
        ExprKind::Builtin(Builtin::Tid) => true,
        ExprKind::Convert(from) | ExprKind::Reinterpret(from) | ExprKind::Widen(from) => is_tid(from),
        _ => false,
    }
}

/// The map of the lockers, where this kernel can have them: element 0 holds those of all maps.
pub(super) fn definition(maps: Vec<MapId>, kernel: &dyn Kernel) -> Option<MapDef> {
    (!maps.is_empty() && kernel.has(Feature::Atomics)).then(|| MapDef {
        name: "lockers".into(),
        kind: MapKind::Array,
        key_size: 4,
        value_size: maps.len() as u32 * Lockers::MAP_SIZE,
        max_entries: 1,
        flags: helpers::F_MMAPABLE,
        role: MapRole::Lockers(maps),
    })
}
