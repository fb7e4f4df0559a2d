//! What a script's programs do with the maps that they collect in.

use super::visit::{self, Node};
use crate::helpers;
use crate::kernel::Kernel;
use crate::layout::MapUse;
use crate::object::ProgramType;
use rbtrace_lang::hir::{EmitKind, ExprKind, Lvalue, Map, MapDeclKind, MapId, Program, StmtKind};
use rbtrace_lang::types::{Agg, Type};

/// By map: do programs add to its values and do nothing else with it, and must the CPUs share a value?
///
/// A map that only grows is emptied by remembering what was read of it, so that nothing is lost that is counted meanwhile.
pub(super) fn uses(program: &Program, kernel: &dyn Kernel) -> Vec<MapUse> {
    let looked_into = looked_into(program);
    let of = |(map, looked_into): (&Map, bool)| MapUse {
        grows: is_sum(&map.value) && !forgets(map.decl) && !looked_into,
        shared: looked_into && is_sum(&map.value) && !reads_all_cpus(kernel),
    };
    program.maps.iter().zip(looked_into).map(of).collect()
}

/// Can programs read what other CPUs have collected? Those of any kind can, or none.
pub(super) fn reads_all_cpus(kernel: &dyn Kernel) -> bool {
    kernel.can_call(ProgramType::TestRun, helpers::MAP_LOOKUP_PERCPU_ELEM)
}

/// By map: do programs more than add to it?
fn looked_into(program: &Program) -> Vec<bool> {
    let mut looked_into = vec![false; program.maps.len()];
    if !program.maps.iter().any(|m| is_sum(&m.value)) {
        return looked_into;
    }
    for probe in &program.probes {
        visit::walk_probe(probe, &mut |node| {
            if let Some(map) = map_looked_into(node) {
                looked_into[map.0 as usize] = true;
            }
        });
    }
    looked_into
}

/// Does collecting only add to words? Older kernels have no other atomic operation.
fn is_sum(value: &Type) -> bool {
    matches!(value, Type::Agg(agg) if !matches!(agg, Agg::Min { .. } | Agg::Max { .. } | Agg::TSeries { .. }))
}

/// Does the kernel drop entries of such a map to make room?
fn forgets(decl: Option<MapDeclKind>) -> bool {
    matches!(decl, Some(MapDeclKind::LruHash | MapDeclKind::LruPerCpuHash))
}

/// The map of which a program does more than add to it.
fn map_looked_into(node: Node) -> Option<MapId> {
    match node {
        Node::Stmt(StmtKind::AssignMap { map, .. } | StmtKind::ForMap { map, .. })
        | Node::Lvalue(Lvalue::Map { map, .. }) => Some(*map),
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
