//! How types lie one after another (include/uapi/linux/btf.h).

use std::ops::Range;

/// `BTF_KIND_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the kernel's own names")]
pub enum KindTag {
    Int = 1,
    Ptr = 2,
    Array = 3,
    Struct = 4,
    Union = 5,
    Enum = 6,
    Fwd = 7,
    Typedef = 8,
    Volatile = 9,
    Const = 10,
    Restrict = 11,
    Func = 12,
    FuncProto = 13,
    Var = 14,
    DataSec = 15,
    Float = 16,
    DeclTag = 17,
    TypeTag = 18,
    Enum64 = 19,
}

/// In the order of their numbers, from 1.
const TAGS: [KindTag; 19] = [
    KindTag::Int,
    KindTag::Ptr,
    KindTag::Array,
    KindTag::Struct,
    KindTag::Union,
    KindTag::Enum,
    KindTag::Fwd,
    KindTag::Typedef,
    KindTag::Volatile,
    KindTag::Const,
    KindTag::Restrict,
    KindTag::Func,
    KindTag::FuncProto,
    KindTag::Var,
    KindTag::DataSec,
    KindTag::Float,
    KindTag::DeclTag,
    KindTag::TypeTag,
    KindTag::Enum64,
];

/// Bytes of `struct btf_type`.
pub(super) const HEAD: usize = 12;

impl KindTag {
    fn from_info(info: u32) -> Option<KindTag> {
        TAGS.get(((info >> 24) & 0x1f).checked_sub(1)? as usize).copied()
    }

    /// Bytes after `struct btf_type` for `n` members.
    pub(super) fn tail(self, n: usize) -> usize {
        match self {
            KindTag::Int | KindTag::Var | KindTag::DeclTag => 4,
            KindTag::Array => 12,
            KindTag::Struct | KindTag::Union | KindTag::DataSec | KindTag::Enum64 => 12 * n,
            KindTag::Enum | KindTag::FuncProto => 8 * n,
            _ => 0,
        }
    }
}

/// Where each type begins. `None` where one is cut off or of a kind that has no known size.
pub(super) fn type_starts(bytes: &[u8], types: Range<usize>) -> Option<Vec<u32>> {
    // Types are 40 bytes on average in the kernel's own blob.
    let mut starts = Vec::with_capacity(types.len() / 32);
    let mut at = types.start;
    while at < types.end {
        starts.push(at as u32);
        at = type_end(bytes, at)?;
    }
    (at == types.end).then_some(starts)
}

/// Where the type that begins at `start` ends, be it there in full or not.
pub(super) fn type_end(bytes: &[u8], start: usize) -> Option<usize> {
    let info = u32_at(bytes, start + 4)?;
    Some(start + HEAD + KindTag::from_info(info)?.tail((info & 0xffff) as usize))
}

/// Name and kind of the type that begins at `start`.
pub(super) fn head(bytes: &[u8], start: usize) -> Option<(u32, KindTag)> {
    Some((u32_at(bytes, start)?, KindTag::from_info(u32_at(bytes, start + 4)?)?))
}

/// Four bytes, little endian.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}
