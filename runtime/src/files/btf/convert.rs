//! From BTF to the language's types.

use super::blob::Btf;
use super::kernel::{KernelTypes, TypeId};
use super::kind::{Composite, Kind, Member};
use rbtrace_lang::system::{BtfFunction, FuncProto};
use rbtrace_lang::types::{AddrSpace, Bits, EnumType, Field, StructKind, StructType, Type, U64};
use std::cell::OnceCell;
use std::rc::Rc;

/// Types nest a few levels by value; the limit stops a blob that nests a struct in itself.
const MAX_DEPTH: u32 = 48;

/// At most this many types are read to find one alignment: each level of such a blob may hold several ways on.
const MAX_STEPS: u32 = 1 << 16;

impl TypeId {
    /// As [`StructType::key`]; never 0.
    pub fn key(self) -> u64 {
        u64::from(self.blob + 1) << 32 | u64::from(self.id)
    }

    /// From [`StructType::key`]; `None` for keys of other makers.
    pub fn from_key(key: u64) -> Option<TypeId> {
        let blob = u32::try_from(key >> 32).ok()?.checked_sub(1)?;
        (blob < 1 << 30).then_some(TypeId { blob, id: key as u32 })
    }
}

impl KernelTypes {
    /// A type of an open blob in the language's terms.
    pub fn convert(&self, id: TypeId) -> Option<Type> {
        self.with(id, |btf, _| Some(self.type_of(btf, id.blob, id.id, "", 0)))
    }

    /// A struct or union; a forward declaration gives one of size 0.
    pub fn struct_type(&self, id: TypeId) -> Option<Rc<StructType>> {
        self.with(id, |btf, _| self.composite(btf, id, ""))
    }

    /// An enum.
    pub fn enum_type(&self, id: TypeId) -> Option<Rc<EnumType>> {
        self.with(id, |btf, _| self.enum_of(btf, id))
    }

    /// The members of a struct or union.
    pub fn members(&self, id: TypeId) -> Option<Rc<[Field]>> {
        self.with(id, |btf, ty| match ty.kind {
            Kind::Struct(c) | Kind::Union(c) => {
                Some(c.members().map(|m| self.member(btf, id.blob, c, m)).collect())
            }
            _ => None,
        })
    }

    /// Parameters and result of a `Func`, a `FuncProto`, or a typedef of a pointer to one, without the
    /// first `skip` parameters.
    pub fn proto(&self, id: TypeId, skip: usize) -> Option<FuncProto> {
        self.with(id, |btf, _| {
            let (params, ret) = find_proto(btf, id.id)?;
            let of = |ty| self.type_of(btf, id.blob, ty, "", 0);
            // A last parameter of type void is `...`.
            let named = params.iter().skip(skip).filter(|(_, ty)| *ty != 0);
            let params = named.map(|(n, ty)| (n.into(), of(ty))).collect();
            let is_function = matches!(btf.ty(id.id)?.kind, Kind::Func(_));
            let function = is_function.then(|| BtfFunction { module: self.blob_name(id.blob), id: id.id });
            Some(FuncProto { params, ret: of(ret), function })
        })
    }

    /// `alias` is the typedef through which the type was reached: an anonymous struct takes its name.
    fn type_of(&self, btf: &Btf, blob: u32, id: u32, alias: &str, depth: u32) -> Type {
        let Some(ty) = btf.ty(id).filter(|_| depth < MAX_DEPTH) else { return Type::Void };
        let next = |id, alias: &str| self.type_of(btf, blob, id, alias, depth + 1);
        match ty.kind {
            Kind::Void | Kind::Func(_) | Kind::FuncProto { .. } | Kind::Other => Type::Void,
            Kind::Int { boolean: true, size: 1, .. } => Type::Bool,
            // Kernels since 6.2 are compiled with unsigned plain chars; scripts have one `char`.
            Kind::Int { size: 1, .. } if ty.name() == "char" => Type::int(1, true),
            Kind::Int { size, signed, .. } => integer(size, signed),
            Kind::Float(size) => bytes(size),
            Kind::Ptr(to) => self.pointer(btf, blob, to, depth),
            Kind::Array { elem, len } if is_char(btf, elem) && len > 0 => Type::Str(len),
            Kind::Array { elem, len } => Type::Array { elem: Box::new(next(elem, "")), len },
            Kind::Struct(_) | Kind::Union(_) | Kind::Fwd { .. } => {
                self.composite(btf, TypeId { blob, id }, alias).map_or(Type::Void, Type::Struct)
            }
            Kind::Enum { .. } => self.enum_of(btf, TypeId { blob, id }).map_or(Type::Void, Type::Enum),
            Kind::Typedef(to) => next(to, ty.name()),
            Kind::Qualifier(_, to) | Kind::TypeTag(to) => next(to, alias),
        }
    }

    fn pointer(&self, btf: &Btf, blob: u32, to: u32, depth: u32) -> Type {
        let mut space = AddrSpace::Kernel;
        let mut inner = to;
        // Tags stand directly below the pointer; compilers that know them mark `__user` so.
        for _ in 0..MAX_DEPTH {
            let Some(ty) = btf.ty(inner) else { break };
            let (Kind::TypeTag(next) | Kind::Qualifier(_, next)) = ty.kind else { break };
            if matches!(ty.kind, Kind::TypeTag(_)) && ty.name() == "user" {
                space = AddrSpace::User;
            }
            inner = next;
        }
        Type::ptr(self.type_of(btf, blob, inner, "", depth + 1), space)
    }

    fn composite(&self, btf: &Btf, mut id: TypeId, alias: &str) -> Option<Rc<StructType>> {
        if id.id < btf.first_id() {
            // A type that a module took over from the kernel is the kernel's type.
            id.blob = 0;
        }
        if let Some(done) = self.structs.borrow().get(&id) {
            return Some(done.clone());
        }
        let ty = btf.ty(id.id)?;
        let (kind, size, align) = match ty.kind {
            Kind::Struct(c) => (StructKind::Struct, c.size, align_of(btf, id.id, 0, &mut { MAX_STEPS })),
            Kind::Union(c) => (StructKind::Union, c.size, align_of(btf, id.id, 0, &mut { MAX_STEPS })),
            Kind::Fwd { union: false } => (StructKind::Struct, 0, 1),
            Kind::Fwd { union: true } => (StructKind::Union, 0, 1),
            _ => return None,
        };
        let name = if ty.name().is_empty() { alias } else { ty.name() };
        let made =
            StructType { name: name.into(), kind, size, align, key: id.key(), fields: OnceCell::new() };
        let made = Rc::new(made);
        self.structs.borrow_mut().insert(id, made.clone());
        Some(made)
    }

    fn enum_of(&self, btf: &Btf, mut id: TypeId) -> Option<Rc<EnumType>> {
        if id.id < btf.first_id() {
            id.blob = 0;
        }
        if let Some(done) = self.enums.borrow().get(&id) {
            return Some(done.clone());
        }
        let ty = btf.ty(id.id)?;
        let Kind::Enum { size, signed, values } = ty.kind else { return None };
        let values = values.iter().map(|(n, v)| (n.into(), v)).collect();
        let size = u8::try_from(size).ok().filter(|s| s.is_power_of_two() && *s <= 8).unwrap_or(4);
        let made = Rc::new(EnumType { name: ty.name().into(), size, signed, values });
        self.enums.borrow_mut().insert(id, made.clone());
        Some(made)
    }

    fn member(&self, btf: &Btf, blob: u32, of: Composite, m: Member) -> Field {
        let ty = self.type_of(btf, blob, m.ty, "", 0);
        let (mut bit_offset, mut width) = (m.bit_offset, m.bit_width);
        // Blobs without bit-field sizes put them into the integer's own description.
        if let Some(Kind::Int { size, bits, shift, .. }) =
            btf.ty(KernelTypes::strip(btf, m.ty)).map(|t| t.kind)
            && width == 0
            && u32::from(bits) != size * 8
        {
            bit_offset += u32::from(shift);
            width = bits;
        }
        let name = m.name.into();
        if width == 0 {
            return Field { name, ty, offset: bit_offset / 8, bits: None, data_loc: false };
        }
        let (ty, offset, bits) = bit_field(ty, bit_offset, width, of.size);
        Field { name, ty, offset, bits: Some(bits), data_loc: false }
    }
}

/// Places a bit field in a load of its type's size; of a wider one where it would not be covered.
pub(crate) fn bit_field(ty: Type, bit_offset: u32, width: u8, struct_size: u32) -> (Type, u32, Bits) {
    let unit = ty.size().clamp(1, 8) * 8;
    let start = bit_offset / unit * unit;
    let shift = bit_offset - start;
    let fits = shift + u32::from(width) <= unit && (start + unit) / 8 <= struct_size.max(1);
    if fits {
        return (ty, start / 8, Bits { shift: shift as u8, width });
    }
    // Packed structs only: begin at the byte that holds the first bit.
    let (offset, shift) = (bit_offset / 8, bit_offset % 8);
    let need = (shift + u32::from(width)).div_ceil(8).next_power_of_two().min(8);
    (Type::int(need as u8, ty.is_signed()), offset, Bits { shift: shift as u8, width })
}

/// An integer of `size` bytes; sizes that the language has no integer for become bytes.
fn integer(size: u32, signed: bool) -> Type {
    match size {
        1 | 2 | 4 | 8 => Type::int(size as u8, signed),
        16 => Type::Array { elem: Box::new(U64), len: 2 },
        _ => bytes(size),
    }
}

fn bytes(len: u32) -> Type {
    Type::Array { elem: Box::new(Type::int(1, false)), len }
}

/// Is this plain `char`, so that an array of it is a text?
fn is_char(btf: &Btf, id: u32) -> bool {
    let mut id = id;
    for _ in 0..MAX_DEPTH {
        let Some(Kind::Qualifier(_, next)) = btf.ty(id).map(|t| t.kind) else { break };
        id = next;
    }
    btf.ty(id).is_some_and(|t| matches!(t.kind, Kind::Int { size: 1, .. }) && t.name() == "char")
}

/// Alignment in bytes as the compiler chose it: 1 for a packed struct.
fn align_of(btf: &Btf, id: u32, depth: u32, left: &mut u32) -> u32 {
    let id = KernelTypes::strip(btf, id);
    *left = left.saturating_sub(1);
    let Some(ty) = btf.ty(id).filter(|_| depth < MAX_DEPTH && *left > 0) else { return 1 };
    match ty.kind {
        Kind::Int { size, .. } | Kind::Enum { size, .. } | Kind::Float(size) => size.clamp(1, 16),
        Kind::Ptr(_) => 8,
        Kind::Array { elem, .. } => align_of(btf, elem, depth + 1, left),
        Kind::Struct(c) | Kind::Union(c) => composite_align(btf, c, depth, left),
        _ => 1,
    }
}

fn composite_align(btf: &Btf, c: Composite, depth: u32, left: &mut u32) -> u32 {
    let mut align = 1;
    for m in c.members() {
        let member = align_of(btf, m.ty, depth + 1, left);
        // A member off its alignment shows that the struct is packed.
        if m.bit_width == 0 && m.bit_offset % (member * 8) != 0 {
            return 1;
        }
        align = align.max(member);
    }
    if c.size.is_multiple_of(align) { align } else { 1 }
}

/// Parameters and result behind a function, a prototype, a typedef or a pointer to one.
pub(super) fn find_proto(btf: &Btf, id: u32) -> Option<(super::kind::Params<'_>, u32)> {
    let mut id = KernelTypes::strip(btf, id);
    for _ in 0..4 {
        match btf.ty(id)?.kind {
            Kind::FuncProto { params, ret } => return Some((params, ret)),
            Kind::Func(next) | Kind::Ptr(next) => id = KernelTypes::strip(btf, next),
            _ => return None,
        }
    }
    None
}
