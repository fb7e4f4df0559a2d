//! The kinds of types and how they are laid down (include/uapi/linux/btf.h).

use super::blob::{Btf, u32_at};
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
const HEAD: usize = 12;

impl KindTag {
    fn from_info(info: u32) -> Option<KindTag> {
        TAGS.get(((info >> 24) & 0x1f).checked_sub(1)? as usize).copied()
    }

    /// Bytes after `struct btf_type` for `n` members.
    fn tail(self, n: usize) -> usize {
        match self {
            KindTag::Int | KindTag::Var | KindTag::DeclTag => 4,
            KindTag::Array => 12,
            KindTag::Struct | KindTag::Union | KindTag::DataSec | KindTag::Enum64 => 12 * n,
            KindTag::Enum | KindTag::FuncProto => 8 * n,
            _ => 0,
        }
    }
}

/// A type: its name and what it is.
#[derive(Clone, Copy)]
pub struct BtfType<'a> {
    pub(super) btf: &'a Btf,
    pub(super) name_offset: u32,
    /// What it is.
    pub kind: Kind<'a>,
}

impl<'a> BtfType<'a> {
    /// Its name; empty for an anonymous one.
    pub fn name(&self) -> &'a str {
        self.btf.string(self.name_offset)
    }
}

/// What a type is. Numbers of types mean those of the same blob and its base.
#[derive(Clone, Copy)]
pub enum Kind<'a> {
    /// `void`
    Void,
    /// An integer of `size` bytes. Older blobs describe bit fields by integers of `bits` bits that
    /// begin at bit `shift` of the member.
    Int {
        /// Bytes.
        size: u32,
        /// Signed?
        signed: bool,
        /// `bool`?
        boolean: bool,
        /// Bits.
        bits: u8,
        /// First bit.
        shift: u8,
    },
    /// A pointer.
    Ptr(u32),
    /// An array.
    Array {
        /// Its elements' type.
        elem: u32,
        /// How many.
        len: u32,
    },
    /// A struct.
    Struct(Composite<'a>),
    /// A union.
    Union(Composite<'a>),
    /// An enum of 32 or 64 bits.
    Enum {
        /// Bytes.
        size: u32,
        /// Signed?
        signed: bool,
        /// Its constants.
        values: EnumValues<'a>,
    },
    /// A struct (or union) that is only declared.
    Fwd {
        /// A union?
        union: bool,
    },
    /// Another name.
    Typedef(u32),
    /// `const`, `volatile`, `restrict`: the type without it.
    Qualifier(KindTag, u32),
    /// An attribute such as `user`, `percpu`, `rcu`; the name is the attribute.
    TypeTag(u32),
    /// A function; its `FuncProto`.
    Func(u32),
    /// Parameters and result.
    FuncProto {
        /// Parameters.
        params: Params<'a>,
        /// Result.
        ret: u32,
    },
    /// A floating-point number of this many bytes.
    Float(u32),
    /// Variables, sections, tags of declarations: of no use here.
    Other,
}

/// A struct's or union's size and members.
#[derive(Clone, Copy)]
pub struct Composite<'a> {
    btf: &'a Btf,
    /// Bytes.
    pub size: u32,
    bit_fields: bool,
    members: &'a [u8],
}

/// A member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its name; may be empty.
    pub name: &'a str,
    /// Its type.
    pub ty: u32,
    /// Offset in bits.
    pub bit_offset: u32,
    /// Width of a bit field; 0 for others.
    pub bit_width: u8,
}

impl<'a> Composite<'a> {
    /// The members in order.
    pub fn members(self) -> impl Iterator<Item = Member<'a>> {
        self.members.chunks_exact(12).map(move |m| {
            let (name, ty, offset) = (word(m, 0), word(m, 1), word(m, 2));
            let (bit_offset, bit_width) =
                if self.bit_fields { (offset & 0xff_ffff, (offset >> 24) as u8) } else { (offset, 0) };
            Member { name: self.btf.string(name), ty, bit_offset, bit_width }
        })
    }

    /// How many members there are.
    pub fn len(self) -> usize {
        self.members.len() / 12
    }

    /// No members?
    pub fn is_empty(self) -> bool {
        self.members.is_empty()
    }
}

/// Constants of an enum.
#[derive(Clone, Copy)]
pub struct EnumValues<'a> {
    btf: &'a Btf,
    wide: bool,
    signed: bool,
    values: &'a [u8],
}

impl<'a> EnumValues<'a> {
    /// `(offset of the name, value)` in order.
    pub(super) fn offsets(self) -> impl Iterator<Item = (u32, i64)> {
        self.values.chunks_exact(if self.wide { 12 } else { 8 }).map(move |v| {
            let low = word(v, 1);
            let value = match (self.wide, self.signed) {
                (true, _) => (u64::from(low) | u64::from(word(v, 2)) << 32) as i64,
                (false, true) => i64::from(low as i32),
                (false, false) => i64::from(low),
            };
            (word(v, 0), value)
        })
    }

    /// `(name, value)` in order.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, i64)> {
        self.offsets().map(move |(name, value)| (self.btf.string(name), value))
    }
}

/// Parameters of a function.
#[derive(Clone, Copy)]
pub struct Params<'a> {
    btf: &'a Btf,
    params: &'a [u8],
}

impl<'a> Params<'a> {
    /// `(name, type)` in order. A last one without name and type stands for `...`.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, u32)> {
        self.params.chunks_exact(8).map(move |p| (self.btf.string(word(p, 0)), word(p, 1)))
    }
}

/// The n-th four bytes; 0 past the end.
fn word(bytes: &[u8], n: usize) -> u32 {
    u32_at(bytes, n * 4).unwrap_or(0)
}

/// Where each type begins. `None` where one is cut off or of a kind that has no known size.
pub(super) fn type_starts(bytes: &[u8], types: Range<usize>) -> Option<Vec<u32>> {
    // Types are 40 bytes on average in the kernel's own blob.
    let mut starts = Vec::with_capacity(types.len() / 32);
    let mut at = types.start;
    while at < types.end {
        starts.push(at as u32);
        let info = u32_at(bytes, at + 4)?;
        at += HEAD + KindTag::from_info(info)?.tail((info & 0xffff) as usize);
    }
    (at == types.end).then_some(starts)
}

/// Name and kind of the type that begins at `start`.
pub(super) fn head(bytes: &[u8], start: usize) -> Option<(u32, KindTag)> {
    Some((u32_at(bytes, start)?, KindTag::from_info(u32_at(bytes, start + 4)?)?))
}

/// The type that begins at `start`.
pub(super) fn decode<'a>(btf: &'a Btf, bytes: &'a [u8], start: usize) -> Option<BtfType<'a>> {
    let (name_offset, tag) = head(bytes, start)?;
    let info = u32_at(bytes, start + 4)?;
    let size_or_type = u32_at(bytes, start + 8)?;
    let flag = info >> 31 != 0;
    let tail = bytes.get(start + HEAD..start + HEAD + tag.tail((info & 0xffff) as usize))?;
    let composite = Composite { btf, size: size_or_type, bit_fields: flag, members: tail };
    let enum_of = |wide| Kind::Enum {
        size: size_or_type,
        signed: flag,
        values: EnumValues { btf, wide, signed: flag, values: tail },
    };
    let kind = match tag {
        KindTag::Int => int(size_or_type, word(tail, 0)),
        KindTag::Ptr => Kind::Ptr(size_or_type),
        KindTag::Array => Kind::Array { elem: word(tail, 0), len: word(tail, 2) },
        KindTag::Struct => Kind::Struct(composite),
        KindTag::Union => Kind::Union(composite),
        KindTag::Enum => enum_of(false),
        KindTag::Enum64 => enum_of(true),
        KindTag::Fwd => Kind::Fwd { union: flag },
        KindTag::Typedef => Kind::Typedef(size_or_type),
        KindTag::Volatile | KindTag::Const | KindTag::Restrict => Kind::Qualifier(tag, size_or_type),
        KindTag::TypeTag => Kind::TypeTag(size_or_type),
        KindTag::Func => Kind::Func(size_or_type),
        KindTag::FuncProto => Kind::FuncProto { params: Params { btf, params: tail }, ret: size_or_type },
        KindTag::Float => Kind::Float(size_or_type),
        KindTag::Var | KindTag::DataSec | KindTag::DeclTag => Kind::Other,
    };
    Some(BtfType { btf, name_offset, kind })
}

/// `BTF_INT_ENCODING`, `BTF_INT_OFFSET` and `BTF_INT_BITS` of the word after an integer's head.
fn int<'a>(size: u32, data: u32) -> Kind<'a> {
    let encoding = (data >> 24) & 0xf;
    Kind::Int {
        size,
        signed: encoding & 1 != 0,
        boolean: encoding & 4 != 0,
        bits: data as u8,
        shift: (data >> 16) as u8,
    }
}
