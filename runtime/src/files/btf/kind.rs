//! What a type is, read from its bytes (include/uapi/linux/btf.h).

use super::blob::Btf;
use super::tag::{HEAD, KindTag, head, u32_at};

/// A type: its name and what it is.
#[derive(Clone, Copy)]
pub struct BtfType<'a> {
    btf: &'a Btf,
    name_offset: u32,
    /// What it is.
    pub kind: Kind<'a>,
}

impl<'a> BtfType<'a> {
    /// Its name; empty for an anonymous one.
    pub fn name(&self) -> &'a str {
        self.btf.string(self.name_offset)
    }
}

impl Btf {
    /// The type of this number; 0 is `void`.
    pub fn ty(&self, id: u32) -> Option<BtfType<'_>> {
        if id == 0 {
            return Some(BtfType { btf: self, name_offset: 0, kind: Kind::Void });
        }
        let (blob, bytes, start) = self.place_of(id)?;
        decode(blob, bytes, start)
    }

    /// The enum here that has a constant of this name, and the constant's value.
    pub fn find_enum_constant(&self, name: &str) -> Option<(u32, i64)> {
        let offset = self.string_offset(name)?;
        [KindTag::Enum, KindTag::Enum64].into_iter().flat_map(|k| self.of_kind(k)).find_map(|id| {
            let Kind::Enum { values, .. } = self.ty(id)?.kind else { return None };
            values.offsets().find(|(name, _)| *name == offset).map(|(_, value)| (id, value))
        })
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
    fn offsets(self) -> impl Iterator<Item = (u32, i64)> {
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
    /// The types in order.
    pub fn types(self) -> impl Iterator<Item = u32> {
        self.params.chunks_exact(8).map(|p| word(p, 1))
    }

    /// `(name, type)` in order. A last one without name and type stands for `...`.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, u32)> {
        self.params.chunks_exact(8).map(move |p| (self.btf.string(word(p, 0)), word(p, 1)))
    }
}

/// The n-th four bytes; 0 past the end.
fn word(bytes: &[u8], n: usize) -> u32 {
    u32_at(bytes, n * 4).unwrap_or(0)
}

/// The type that begins at `start`.
fn decode<'a>(btf: &'a Btf, bytes: &'a [u8], start: usize) -> Option<BtfType<'a>> {
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
