//! Which of a script's maps its programs only add to.

use super::visit::{self, Node};
use rbtrace_lang::hir::{EmitKind, ExprKind, MapDeclKind, MapId, Place, Program, StmtKind};
use rbtrace_lang::types::{Agg, Type};

/// By map: are its values sums that programs add to, and is that all they do with it?
///
/// Such a map is emptied by remembering what was read of it, so that nothing is lost that is counted meanwhile.
pub(super) fn grows(program: &Program) -> Vec<bool> {
    let mut grows: Vec<bool> = program.maps.iter().map(|m| is_sum(&m.value) && !forgets(m.decl)).collect();
    if !grows.contains(&true) {
        return grows;
    }
    for probe in &program.probes {
        visit::walk_probe(probe, &mut |node| {
            if let Some(map) = looked_into(node) {
                grows[map.0 as usize] = false;
            }
        });
    }
    grows
}

fn is_sum(value: &Type) -> bool {
    matches!(value, Type::Agg(agg) if !matches!(agg, Agg::Min { .. } | Agg::Max { .. } | Agg::TSeries { .. }))
}

/// Does the kernel drop entries of such a map to make room?
fn forgets(decl: Option<MapDeclKind>) -> bool {
    matches!(decl, Some(MapDeclKind::LruHash | MapDeclKind::LruPerCpuHash))
}

/// The map of which a program does more than add to it.
fn looked_into(node: Node) -> Option<MapId> {
    match node {
        Node::Stmt(StmtKind::AssignMap { map, .. } | StmtKind::ForMap { map, .. })
        | Node::Place(Place::Map { map, .. }) => Some(*map),
        Node::Stmt(StmtKind::Emit(emit)) => entry_of(&emit.kind),
        Node::Expr(e) => match &e.kind {
            ExprKind::MapGet { map, .. } | ExprKind::HasKey { map, .. } | ExprKind::Delete { map, .. } => {
                Some(*map)
            }
            ExprKind::MapLen(map) => Some(*map),
            ExprKind::Emit(emit) => entry_of(&emit.kind),
            _ => None,
        },
        _ => None,
    }
}

fn entry_of(kind: &EmitKind) -> Option<MapId> {
    if let EmitKind::PrintEntry(map) = kind { Some(*map) } else { None }
}
