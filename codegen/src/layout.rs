//! How records and the values of maps are laid out, and the definitions of the program's own maps.

use crate::helpers;
use crate::object::{Control, Header, MapDef, MapForm, MapKind, MapRole, ObjMapId, RecordField, ScriptMap};
use rbtrace_lang::hir::{self, MapDeclKind, MapId};
use rbtrace_lang::types::{Agg, StackMode, StackType, Type};
use std::rc::Rc;

/// Bytes behind a text that `bpf_probe_read_*_str` needs for its NUL when the text is cut.
pub const TEXT_SPARE: u32 = 1;

/// Places of scratch memory on each CPU. Programs in interrupts take one each until they end; in preemptible ones, a few
/// tasks may have been put aside.
pub const SCRATCH_PLACES: u32 = 8;

/// Frames' size in a stack map of addresses.
const FRAME: u32 = 8;
/// `sizeof(struct bpf_stack_build_id)`
const BUILD_ID_FRAME: u32 = 32;
/// Different stacks that a stack map can hold; its buckets are a hash of the frames.
const STACK_MAP_ENTRIES: u32 = 16384;

/// Processes that can have an unwind table at a time.
const UNWOUND_PROCESSES: u32 = 1024;

/// Places for processes that were announced, a power of two. Those that share a place are announced again.
pub const ANNOUNCED: u32 = 1024;

/// Offset of the "set" word that follows the value of a map without keys.
pub fn set_word(value: &Type) -> u32 {
    value.size().next_multiple_of(8)
}

/// Does a value contain text, whose bytes after the NUL may be anything?
pub fn has_text(ty: &Type) -> bool {
    match ty {
        Type::Str(_) | Type::Buf(_) => true,
        Type::Tuple(t) => t.fields.iter().any(|(_, t)| has_text(t)),
        Type::Array { elem, .. } => has_text(elem),
        _ => false,
    }
}

/// Lays fields out one after the other behind the header: the fields and the record's size.
pub fn record<'t>(types: impl IntoIterator<Item = &'t Type>) -> (Vec<RecordField>, u32) {
    let mut at = Header::SIZE;
    let mut fields = vec![];
    for ty in types {
        let offset = at.next_multiple_of(ty.align());
        fields.push(RecordField { offset, ty: ty.clone() });
        at = offset + ty.size() + if has_text(ty) { TEXT_SPARE } else { 0 };
    }
    (fields, at.next_multiple_of(8))
}

/// A name as `bpf_map_create` and `bpf_prog_load` take it: at most 15 characters of `[A-Za-z0-9_.]`.
pub fn kernel_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' }).take(15).collect()
}

/// The control map; its size follows from the number of counters.
pub fn control_map(counters: usize) -> MapDef {
    MapDef {
        name: "control".into(),
        kind: MapKind::Array,
        key_size: 4,
        value_size: Control::offset(Control::COUNTERS + counters as u32),
        max_entries: 1,
        flags: helpers::F_MMAPABLE,
        role: MapRole::Control,
    }
}

/// The ring buffer.
pub fn events_map() -> MapDef {
    MapDef {
        name: "events".into(),
        kind: MapKind::RingBuf,
        key_size: 0,
        value_size: 0,
        max_entries: 0,
        flags: 0,
        role: MapRole::Events,
    }
}

/// Constant bytes that programs read.
pub fn data_map(bytes: Rc<[u8]>) -> MapDef {
    MapDef {
        name: "data".into(),
        kind: MapKind::Array,
        key_size: 4,
        value_size: bytes.len() as u32,
        max_entries: 1,
        flags: helpers::F_RDONLY_PROG,
        role: MapRole::Data(bytes),
    }
}

/// Memory for what the stack cannot hold: each element is a place that a program claims.
pub fn scratch_map(bytes: u32) -> MapDef {
    MapDef {
        name: "scratch".into(),
        kind: MapKind::PerCpuArray,
        key_size: 4,
        value_size: bytes.next_multiple_of(8),
        max_entries: SCRATCH_PLACES,
        flags: 0,
        role: MapRole::Scratch,
    }
}

/// A map of stacks.
pub fn stack_map(ty: StackType, user: bool) -> MapDef {
    if ty.cfi {
        return unwound_stack_map(ty);
    }
    let build_id = user && ty.mode == StackMode::BuildId;
    let frame = if build_id { BUILD_ID_FRAME } else { FRAME };
    MapDef {
        name: format!("{}stacks{}", if user { "u" } else { "k" }, ty.depth),
        kind: MapKind::StackTrace,
        key_size: 4,
        value_size: frame * u32::from(ty.depth),
        max_entries: STACK_MAP_ENTRIES,
        flags: if build_id { helpers::F_STACK_BUILD_ID } else { 0 },
        role: MapRole::Stacks { ty, user },
    }
}

/// A map of stacks that programs unwind: frames by their hash, which is the stack's id.
fn unwound_stack_map(ty: StackType) -> MapDef {
    MapDef {
        name: format!("dwstacks{}", ty.depth),
        kind: MapKind::Hash,
        key_size: 8,
        value_size: FRAME * u32::from(ty.depth),
        max_entries: STACK_MAP_ENTRIES,
        flags: 0,
        role: MapRole::Stacks { ty, user: true },
    }
}

/// The unwind tables by process.
pub fn unwind_map() -> MapDef {
    MapDef {
        name: "unwind".into(),
        kind: MapKind::HashOfMaps,
        key_size: 4,
        value_size: 4,
        max_entries: UNWOUND_PROCESSES,
        flags: 0,
        role: MapRole::Unwind,
    }
}

/// The processes that were announced.
pub fn announced_map() -> MapDef {
    MapDef {
        name: "announced".into(),
        kind: MapKind::Array,
        key_size: 4,
        value_size: ANNOUNCED * 8,
        max_entries: 1,
        flags: 0,
        role: MapRole::Announced,
    }
}

/// Where a script's map lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapHome {
    /// The kernel object.
    pub object: ObjMapId,
    /// How it lies there.
    pub form: MapForm,
}

/// What a script's programs do with a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapUse {
    /// See [`ScriptMap::grows`].
    pub grows: bool,
    /// They read what they collect, and the kernel lets them read their own CPU's value only: one value for all CPUs.
    pub shared: bool,
}

/// The kernel objects for the script's maps, numbered from `first` on, and where each map lies.
///
/// A program may use 64 maps (`MAX_USED_MAPS`, include/linux/bpf_verifier.h), so those without keys share: numbers and texts
/// one array, aggregations of about the same size a per-CPU array with an element for each.
pub fn script_maps(maps: &[hir::Map], uses: &[MapUse], first: ObjMapId) -> (Vec<MapDef>, Vec<MapHome>) {
    let (mut defs, mut homes): (Vec<MapDef>, Vec<MapHome>) = (vec![], vec![]);
    for (n, map) in maps.iter().enumerate() {
        let wanted = script_map(map, uses[n].shared);
        let fits = |d: &MapDef| map.key.is_none() && d.key_size == 4 && shares(d, &wanted);
        let at = defs.iter().position(|d| is_array(d) && fits(d)).unwrap_or_else(|| {
            defs.push(MapDef { name: map_name(map), max_entries: 0, ..wanted.clone() });
            defs.len() - 1
        });
        let form = add_to(&mut defs[at], &wanted);
        if let MapRole::Script(members) = &mut defs[at].role {
            members.push(ScriptMap { id: MapId(n as u32), form, grows: uses[n].grows });
            if members.len() > 1 {
                defs[at].name = "nokeys".into();
            }
        }
        homes.push(MapHome { object: ObjMapId(first.0 + at as u32), form });
    }
    (defs, homes)
}

fn is_array(def: &MapDef) -> bool {
    matches!(def.kind, MapKind::Array | MapKind::PerCpuArray)
}

/// May a map without keys join those of `def`?
fn shares(def: &MapDef, wanted: &MapDef) -> bool {
    def.kind == wanted.kind && (def.kind == MapKind::Array || def.value_size == wanted.value_size)
}

/// Makes room for one more map.
fn add_to(def: &mut MapDef, wanted: &MapDef) -> MapForm {
    match def.kind {
        MapKind::Array => {
            let at = if def.max_entries == 0 { 0 } else { def.value_size };
            (def.max_entries, def.value_size) = (1, at + wanted.value_size);
            MapForm::Bytes(at)
        }
        MapKind::PerCpuArray => {
            def.max_entries += 1;
            MapForm::Element(def.max_entries - 1)
        }
        _ => {
            def.max_entries = wanted.max_entries;
            MapForm::Hash
        }
    }
}

fn map_name(map: &hir::Map) -> String {
    let name = kernel_name(map.name.trim_start_matches('@'));
    if name.is_empty() { "anonymous".to_owned() } else { name }
}

/// What a script's map needs if it has a kernel object for itself.
fn script_map(map: &hir::Map, shared: bool) -> MapDef {
    let aggregates = matches!(map.value, Type::Agg(_));
    let per_cpu = aggregates && !shared;
    let size = map.value.size();
    let (name, role) = (String::new(), MapRole::Script(vec![]));
    match &map.key {
        None => {
            let size = set_word(&map.value) + 8;
            let (kind, value_size, flags) = match per_cpu {
                true => (MapKind::PerCpuArray, element_size(size), 0),
                false => (MapKind::Array, size, helpers::F_MMAPABLE),
            };
            MapDef { name, kind, key_size: 4, value_size, max_entries: 1, flags, role }
        }
        Some(key) => MapDef {
            name,
            kind: keyed_kind(map.decl, per_cpu),
            key_size: key.size().max(1),
            value_size: if aggregates { size.next_multiple_of(8) } else { size.max(1) },
            max_entries: entries(map),
            flags: 0,
            role,
        },
    }
}

/// Entries of a map with keys. Large values that each CPU has its own of are kept to what was asked for in a declaration,
/// or else to this many bytes on each CPU: the kernel takes the memory for all of them at once.
fn entries(map: &hir::Map) -> u32 {
    const BYTES: u32 = 4 << 20;
    match map.value {
        Type::Agg(agg @ Agg::TSeries { .. }) if map.decl.is_none() => {
            map.max_entries.min(BYTES / agg.size().max(1)).max(1)
        }
        _ => map.max_entries.max(1),
    }
}

/// The size of elements that hold values of this many bytes: few sizes, so that few arrays are needed.
fn element_size(bytes: u32) -> u32 {
    let step = (bytes.next_power_of_two() / 4).max(8);
    bytes.next_multiple_of(step)
}

/// What a declaration asks for, with per-CPU values exactly where values are collected per CPU.
fn keyed_kind(decl: Option<MapDeclKind>, per_cpu: bool) -> MapKind {
    let lru = matches!(decl, Some(MapDeclKind::LruHash | MapDeclKind::LruPerCpuHash));
    match (lru, per_cpu) {
        (false, false) => MapKind::Hash,
        (false, true) => MapKind::PerCpuHash,
        (true, false) => MapKind::LruHash,
        (true, true) => MapKind::LruPerCpuHash,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbtrace_lang::types::{I32, U64};

    #[test]
    fn a_text_keeps_a_spare_byte_behind_it() {
        let (fields, size) = record(&[I32, Type::Str(8), U64]);
        let offsets: Vec<u32> = fields.iter().map(|f| f.offset).collect();
        assert_eq!((offsets, size), (vec![8, 12, 24], 32));
    }

    #[test]
    fn kernel_names_are_short_and_plain() {
        assert_eq!(kernel_name("tracepoint:sched:x"), "tracepoint_sche");
    }
}
