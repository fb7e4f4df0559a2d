//! Structs, unions, enums and typedefs that a script defines, laid out as C does on x86-64 and arm64
//! (System V ABI: natural alignment, bit fields within units of their type).

use super::Checker;
use super::literal::const_value;
use super::typename::{MAX_BYTES, base_type};
use crate::Span;
use crate::ast::{self, CDefKind, CField, CStruct, TypeExpr, TypeExprKind};
use crate::types::{AddrSpace, Bits, EnumType, Field, StructKind, StructType, Type};
use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Structs nested deeper than this hold themselves.
const MAX_DEPTH: u32 = 32;

/// First key of a script's own structs: the high bits keep them apart from a system's.
const FIRST_KEY: u64 = 0xffff_0000_0000_0000;

/// An enum constant: its value and its enum.
type Constant = (i64, Rc<EnumType>);

/// The script's own types.
pub(crate) struct CTypes<'a> {
    script: &'a ast::Script,
    /// Structs made so far with their definitions; the key counts them.
    made: Vec<(Rc<StructType>, &'a CStruct)>,
    enums: HashMap<Rc<str>, Rc<EnumType>>,
    /// Enum constants, once they were needed.
    constants: Option<HashMap<Rc<str>, Constant>>,
}

impl<'a> CTypes<'a> {
    pub(crate) fn new(script: &'a ast::Script) -> Self {
        CTypes { script, made: vec![], enums: HashMap::new(), constants: None }
    }

    /// Was this struct made here?
    pub(crate) fn owns(&self, s: &StructType) -> bool {
        self.made.iter().any(|(t, _)| t.key == s.key)
    }

    fn struct_def(&self, kind: StructKind, name: &str) -> Option<&'a CStruct> {
        self.script.c_defs.iter().find_map(|d| match &d.kind {
            CDefKind::Struct(s) => find_struct(s, kind, name),
            _ => None,
        })
    }

    /// The type that a `typedef` of the script gives a name.
    pub(crate) fn typedef(&self, name: &str) -> Option<&'a TypeExpr> {
        self.script.c_defs.iter().find_map(|d| match &d.kind {
            CDefKind::Typedef { name: n, ty } if &*n.text == name => Some(ty),
            _ => None,
        })
    }
}

/// A struct by name, those defined inside of others included.
fn find_struct<'a>(s: &'a CStruct, kind: StructKind, name: &str) -> Option<&'a CStruct> {
    let is = if s.is_union { StructKind::Union } else { StructKind::Struct };
    if is == kind && &*s.name == name {
        return Some(s);
    }
    s.fields.iter().filter_map(|f| f.inline.as_deref()).find_map(|s| find_struct(s, kind, name))
}

/// Size and alignment.
#[derive(Clone, Copy)]
struct Extent {
    size: u32,
    align: u32,
}

/// Where the members of a struct go.
struct Layout {
    extent: Extent,
    /// Offset in bytes and place of a bit field, for each member.
    places: Vec<(u32, Option<Bits>)>,
}

/// Lays out members one by one.
struct Builder {
    union: bool,
    packed: bool,
    /// Bits used so far.
    at: u64,
    /// Bits of the largest member, for a union.
    most: u64,
    align: u32,
}

impl Builder {
    fn place(&mut self, extent: Extent, bits: Option<u8>) -> (u32, Option<Bits>) {
        if self.union {
            self.at = 0;
        }
        let align = if self.packed { 1 } else { extent.align };
        let place = match bits {
            Some(0) => {
                self.at = self.at.next_multiple_of(u64::from(extent.size) * 8);
                ((self.at / 8) as u32, None)
            }
            Some(width) => self.bit_field(extent.size, width),
            None => {
                let offset = self.at.div_ceil(8).next_multiple_of(u64::from(align));
                self.at = (offset + u64::from(extent.size)) * 8;
                (offset as u32, None)
            }
        };
        self.align = self.align.max(align);
        self.most = self.most.max(self.at);
        place
    }

    fn bit_field(&mut self, size: u32, width: u8) -> (u32, Option<Bits>) {
        let unit = u64::from(size) * 8;
        if !self.packed && self.at / unit != (self.at + u64::from(width) - 1) / unit {
            self.at = self.at.next_multiple_of(unit);
        }
        // A packed field may cross its unit: it is then counted from its first byte.
        let (offset, shift) = if self.at % unit + u64::from(width) <= unit {
            (self.at / unit * u64::from(size), self.at % unit)
        } else {
            (self.at / 8, self.at % 8)
        };
        self.at += u64::from(width);
        (offset as u32, Some(Bits { shift: shift as u8, width }))
    }

    fn extent(&self) -> Extent {
        let bytes = self.most.div_ceil(8).next_multiple_of(u64::from(self.align));
        Extent { size: u32::try_from(bytes).unwrap_or(u32::MAX), align: self.align }
    }
}

impl<'a> Checker<'a> {
    /// A struct or union that the script defines. Outer `None`: it does not; inner: it is wrong.
    pub(crate) fn user_struct(&mut self, kind: StructKind, name: &str) -> Option<Option<Rc<StructType>>> {
        if let Some((s, _)) = self.c.made.iter().find(|(s, _)| s.kind == kind && &*s.name == name) {
            return Some(Some(Rc::clone(s)));
        }
        let def = self.c.struct_def(kind, name)?;
        Some(self.make_struct(def))
    }

    fn make_struct(&mut self, def: &'a CStruct) -> Option<Rc<StructType>> {
        if let Some((s, _)) = self.c.made.iter().find(|(_, d)| std::ptr::eq(*d, def)) {
            return Some(Rc::clone(s));
        }
        let extent = self.layout(def, 0)?.extent;
        let made = Rc::new(StructType {
            name: Rc::clone(&def.name),
            kind: if def.is_union { StructKind::Union } else { StructKind::Struct },
            size: extent.size,
            align: extent.align,
            key: FIRST_KEY + self.c.made.len() as u64,
            fields: OnceCell::new(),
        });
        self.c.made.push((Rc::clone(&made), def));
        Some(made)
    }

    /// The members of a struct of the script.
    pub(crate) fn user_fields(&mut self, s: &Rc<StructType>, span: Span) -> Option<Rc<[Field]>> {
        let def = self.c.made.iter().find(|(t, _)| t.key == s.key)?.1;
        let places = self.layout(def, 0)?.places;
        let mut fields = vec![];
        for (f, (offset, bits)) in def.fields.iter().zip(places) {
            if f.bits == Some(0) {
                continue;
            }
            let mut ty = self.field_type(f)?;
            if let Some(b) = bits.filter(|b| u32::from(b.shift) + u32::from(b.width) > ty.size() * 8) {
                if u32::from(b.shift) + u32::from(b.width) > 64 {
                    return self.error(span, format!("bit field '{}' spans more than 8 bytes", f.name));
                }
                ty = Type::int(8, ty.is_signed());
            }
            fields.push(Field { name: Rc::clone(&f.name), ty, offset, bits, data_loc: false });
        }
        let fields: Rc<[Field]> = fields.into();
        let _ = s.fields.set(Rc::clone(&fields));
        Some(fields)
    }

    fn field_type(&mut self, f: &'a CField) -> Option<Type> {
        match &f.inline {
            Some(inline) => {
                let inner = Type::Struct(self.make_struct(inline)?);
                self.wrap_inline(&f.ty, inner)
            }
            None => self.resolve_type(&f.ty).map(|t| t.in_space(AddrSpace::Unknown)),
        }
    }

    /// `struct { … } x[4];`: the member's type has the struct at its core.
    fn wrap_inline(&mut self, ty: &TypeExpr, core: Type) -> Option<Type> {
        Some(match &ty.kind {
            TypeExprKind::Array(elem, len) => {
                let len = self.array_len(len.as_deref())?;
                Type::Array { elem: Box::new(self.wrap_inline(elem, core)?), len }
            }
            TypeExprKind::Ptr(to) => Type::ptr(self.wrap_inline(to, core)?, AddrSpace::Unknown),
            _ => core,
        })
    }

    fn layout(&mut self, def: &'a CStruct, depth: u32) -> Option<Layout> {
        if depth > MAX_DEPTH {
            let span = def.fields.first().map(|f| f.span).unwrap_or_default();
            return self.error(span, format!("'{}' contains itself", def.name));
        }
        let mut b = Builder { union: def.is_union, packed: def.packed, at: 0, most: 0, align: 1 };
        let mut places = vec![];
        for f in &def.fields {
            let extent = match &f.inline {
                Some(inline) => {
                    let inner = self.layout(inline, depth + 1)?.extent;
                    self.extent_around(&f.ty, inner)?
                }
                None => self.extent(&f.ty, depth)?,
            };
            places.push(b.place(extent, f.bits));
        }
        let extent = b.extent();
        if u64::from(extent.size) > MAX_BYTES {
            let span = def.fields.first().map(|f| f.span).unwrap_or_default();
            return self.error(span, format!("'{}' is too large", def.name));
        }
        Some(Layout { extent, places })
    }

    /// Size and alignment of a type, without looking behind pointers.
    fn extent(&mut self, ty: &TypeExpr, depth: u32) -> Option<Extent> {
        let kind = match &ty.kind {
            TypeExprKind::Ptr(_) => return Some(Extent { size: 8, align: 8 }),
            TypeExprKind::Array(elem, len) if !is_sized_text(elem) => {
                let one = self.extent(elem, depth)?;
                let len = self.array_len(len.as_deref())?;
                return Some(Extent { size: one.size.saturating_mul(len), ..one });
            }
            TypeExprKind::Named(name) if base_type(name).is_none() => {
                if let Some(target) = self.c.typedef(name) {
                    return self.extent(target, depth + 1);
                }
                None
            }
            TypeExprKind::Struct(name) => Some((StructKind::Struct, name)),
            TypeExprKind::Union(name) => Some((StructKind::Union, name)),
            _ => None,
        };
        if let Some(def) = kind.and_then(|(kind, name)| self.c.struct_def(kind, name)) {
            return Some(self.layout(def, depth + 1)?.extent);
        }
        let ty = self.resolve_type(ty)?;
        Some(Extent { size: ty.size(), align: ty.align() })
    }

    fn extent_around(&mut self, ty: &TypeExpr, core: Extent) -> Option<Extent> {
        Some(match &ty.kind {
            TypeExprKind::Array(elem, len) => {
                let one = self.extent_around(elem, core)?;
                let len = self.array_len(len.as_deref())?;
                Extent { size: one.size.saturating_mul(len), ..one }
            }
            TypeExprKind::Ptr(_) => Extent { size: 8, align: 8 },
            _ => core,
        })
    }

    /// An enum of the script by name.
    pub(crate) fn user_enum(&mut self, name: &str) -> Option<Rc<EnumType>> {
        self.enum_constants();
        self.c.enums.get(name).cloned()
    }

    /// An enum constant of the script.
    pub(crate) fn user_constant(&mut self, name: &str) -> Option<(i64, Rc<EnumType>)> {
        self.enum_constants();
        self.c.constants.as_ref()?.get(name).cloned()
    }

    /// Evaluates all enums of the script, once.
    fn enum_constants(&mut self) {
        if self.c.constants.is_some() {
            return;
        }
        self.c.constants = Some(HashMap::new());
        for def in &self.c.script.c_defs {
            let CDefKind::Enum { name, values } = &def.kind else { continue };
            let mut next = 0i64;
            let mut all = vec![];
            for (constant, value) in values {
                if let Some(e) = value {
                    let typed = self.expr(e);
                    match typed.as_ref().and_then(const_value) {
                        Some(v) => next = v as i64,
                        None => {
                            self.error::<()>(e.span, "the value of an enum constant must be a constant");
                        }
                    }
                }
                all.push((Rc::clone(&constant.text), next));
                self.note_constant(name, &all);
                next = next.wrapping_add(1);
            }
        }
    }

    /// Makes the constants so far known, as later ones may use them.
    fn note_constant(&mut self, name: &Rc<str>, values: &[(Rc<str>, i64)]) {
        let signed = values.iter().any(|(_, v)| *v < 0);
        let wide = values
            .iter()
            .any(|(_, v)| if signed { i32::try_from(*v).is_err() } else { u32::try_from(*v).is_err() });
        let ty = Rc::new(EnumType {
            name: Rc::clone(name),
            size: if wide { 8 } else { 4 },
            signed,
            values: values.to_vec(),
        });
        if let Some(constants) = &mut self.c.constants {
            for (constant, value) in values {
                constants.insert(Rc::clone(constant), (*value, Rc::clone(&ty)));
            }
        }
        self.c.enums.insert(Rc::clone(name), ty);
    }
}

/// `string[16]`, `buffer[16]`: no arrays.
fn is_sized_text(elem: &TypeExpr) -> bool {
    matches!(&elem.kind, TypeExprKind::Named(n) if matches!(&**n, "string" | "buffer" | "inet"))
}
