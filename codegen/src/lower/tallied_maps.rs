//! Which of the script's maps have tallies in front of their hash, decided here alone.

use super::visit::{self, Node};
use crate::helpers;
use crate::ir::Width;
use crate::kernel::{Feature, Kernel};
use crate::layout::MapUse;
use crate::object::{MapDef, MapKind, MapRole, Tallies};
use rbtrace_lang::hir::{Expr, ExprKind, Map, MapId, Program, StmtKind};
use rbtrace_lang::types::{AddrSpace, Agg, Type};

/// A map that was made smaller than the default holds exactly as many keys as it says.
pub(super) const DEFAULT_ENTRIES: u32 = 4096;
/// CPUs up to which the tallies fit well into one map value.
const MOST_CPUS: u32 = 1024;

/// The script's maps that have tallies, as far as the kernel is able (`Feature::Atomics`).
pub(super) fn maps(program: &Program, uses: &[MapUse]) -> Vec<MapId> {
    let fits = program.maps.iter().zip(uses).map(|(m, of)| of.grows && has_form(m));
    chosen(program, fits.collect(), |node| {
        let Node::Stmt(StmtKind::Aggregate { map, key, .. }) = node else { return None };
        Some((*map, !key.as_ref().is_some_and(has_address)))
    })
}

/// The maps that fit, that frequent programs use, and that are used in allowed ways only. `used` names the map that a node uses
/// and whether that use is allowed.
pub(super) fn chosen(
    program: &Program,
    mut fits: Vec<bool>,
    used: impl Fn(Node<'_>) -> Option<(MapId, bool)>,
) -> Vec<MapId> {
    if !fits.contains(&true) {
        return vec![];
    }
    let mut frequent = vec![false; fits.len()];
    for probe in &program.probes {
        let often = probe.attach.iter().any(|a| a.target.is_frequent());
        visit::walk_probe(probe, &mut |node| {
            if let Some((map, allowed)) = used(node) {
                fits[map.0 as usize] &= allowed;
                frequent[map.0 as usize] |= often;
            }
        });
    }
    (0..fits.len()).filter(|&n| fits[n] && frequent[n]).map(|n| MapId(n as u32)).collect()
}

/// Counts by keys of one word, or by texts of two.
fn has_form(map: &Map) -> bool {
    let key = map.key.as_ref().is_some_and(|key| match key {
        Type::Str(16) => true,
        Type::Tuple(t) => {
            let sum: u32 = t.fields.iter().map(|(_, ty)| ty.size()).sum();
            t.fields.iter().all(|(_, ty)| is_number(ty)) && sum == key.size() && Width::of(sum).is_some()
        }
        key => is_number(key) && Width::of(key.size()).is_some(),
    });
    let count = map.value == Type::Agg(Agg::Count);
    key && count && map.decl.is_none() && map.max_entries >= DEFAULT_ENTRIES
}

/// Numbers that may be calculated with: not pointers, since the verifier knows them.
fn is_number(ty: &Type) -> bool {
    ty.is_scalar() && !matches!(ty, Type::Ptr { .. })
}

/// Does the verifier know a part of a key as a pointer, whatever its type? It refuses to multiply one.
fn has_address(key: &Expr) -> bool {
    let mut found = false;
    visit::walk(key, &mut |node| {
        let Node::Expr(e) = node else { return };
        let (ExprKind::Convert(from) | ExprKind::Reinterpret(from) | ExprKind::Widen(from)) = &e.kind else {
            return;
        };
        found |= matches!(from.ty, Type::Ptr { space: AddrSpace::Ctx | AddrSpace::Bpf, .. });
    });
    found
}

/// The map of the tallies, where this kernel can have them: element 0 holds those of all maps and CPUs.
pub(super) fn definition(maps: Vec<MapId>, kernel: &dyn Kernel) -> Option<MapDef> {
    let cpus = kernel.ncpus().next_power_of_two();
    (!maps.is_empty() && cpus <= MOST_CPUS && kernel.has(Feature::Atomics)).then(|| MapDef {
        name: "tallies".into(),
        kind: MapKind::Array,
        key_size: 4,
        value_size: maps.len() as u32 * cpus * Tallies::CPU_SIZE,
        max_entries: 1,
        flags: helpers::F_MMAPABLE,
        role: MapRole::Tallies(maps),
    })
}
