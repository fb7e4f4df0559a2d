//! How records and the values of maps are laid out, and the definitions of the program's own maps.

use crate::helpers;
use crate::object::{Control, Header, MapDef, MapForm, MapKind, MapRole, RecordField};
use rbtrace_lang::hir::{self, MapDeclKind, MapId};
use rbtrace_lang::types::{StackMode, StackType, Type};
use std::rc::Rc;

/// Bytes behind a text that `bpf_probe_read_*_str` needs for its NUL when the text is cut.
pub const TEXT_SPARE: u32 = 1;

/// Frames' size in a stack map of addresses.
const FRAME: u32 = 8;
/// `sizeof(struct bpf_stack_build_id)`
const BUILD_ID_FRAME: u32 = 32;
/// Different stacks that a stack map can hold; its buckets are a hash of the frames.
const STACK_MAP_ENTRIES: u32 = 16384;

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

/// Per-CPU memory, one element for each program that needs some.
pub fn scratch_map(bytes: u32, programs: u32) -> MapDef {
    MapDef {
        name: "scratch".into(),
        kind: MapKind::PerCpuArray,
        key_size: 4,
        value_size: bytes.next_multiple_of(8),
        max_entries: programs,
        flags: 0,
        role: MapRole::Scratch,
    }
}

/// A map of stacks.
pub fn stack_map(ty: StackType, user: bool) -> MapDef {
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

/// The kernel object for a script's map.
pub fn script_map(id: MapId, map: &hir::Map) -> MapDef {
    let aggregates = matches!(map.value, Type::Agg(_));
    let size = map.value.size();
    let name = kernel_name(map.name.trim_start_matches('@'));
    let name = if name.is_empty() { "anonymous".to_owned() } else { name };
    match &map.key {
        None => MapDef {
            name,
            kind: if aggregates { MapKind::PerCpuArray } else { MapKind::Array },
            key_size: 4,
            value_size: set_word(&map.value) + 8,
            max_entries: 1,
            flags: 0,
            role: MapRole::Script(id, MapForm::Single),
        },
        Some(key) => MapDef {
            name,
            kind: keyed_kind(map.decl, aggregates),
            key_size: key.size().max(1),
            value_size: if aggregates { size.next_multiple_of(8) } else { size.max(1) },
            max_entries: map.max_entries.max(1),
            flags: 0,
            role: MapRole::Script(id, MapForm::Hash),
        },
    }
}

/// What a declaration asks for, with per-CPU values exactly where values are collected per CPU.
fn keyed_kind(decl: Option<MapDeclKind>, aggregates: bool) -> MapKind {
    let lru = matches!(decl, Some(MapDeclKind::LruHash | MapDeclKind::LruPerCpuHash));
    match (lru, aggregates) {
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
