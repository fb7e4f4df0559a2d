//! From entries to types.

use super::{Identity, MARK, OFFSET_BITS, UserTypes};
use crate::files::dwarf::Error;
use crate::files::dwarf::node::Node;
use gimli::{AttributeValue, DwAte};
use rbtrace_lang::types::{AddrSpace, EnumType, StructKind, StructType, Type, U64};
use std::cell::OnceCell;
use std::rc::Rc;

/// Types nest a few levels by value; the limit stops a file that nests a type in itself.
pub(super) const MAX_DEPTH: u32 = 48;

/// At most this many entries are read to find one alignment.
const MAX_STEPS: u32 = 1 << 9;

/// What a base type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::files::dwarf) enum Base {
    Signed,
    Unsigned,
    Bool,
    Float,
}

impl UserTypes {
    /// `alias` is the typedef through which the type was reached: an anonymous struct takes its name.
    pub(super) fn convert(&self, node: &Node, alias: &str, depth: u32) -> Result<Type, Error> {
        if depth >= MAX_DEPTH {
            return Ok(Type::Void);
        }
        let inner = |alias: &str| match node.ty()? {
            Some(to) => self.convert(&to, alias, depth + 1),
            None => Ok(Type::Void),
        };
        match node.tag() {
            gimli::DW_TAG_base_type => Ok(base(node)),
            gimli::DW_TAG_pointer_type
            | gimli::DW_TAG_reference_type
            | gimli::DW_TAG_rvalue_reference_type => Ok(Type::ptr(inner("")?, AddrSpace::User)),
            gimli::DW_TAG_array_type => self.array(node, inner("")?),
            gimli::DW_TAG_typedef => inner(node.name().as_deref().unwrap_or(alias)),
            gimli::DW_TAG_structure_type | gimli::DW_TAG_class_type | gimli::DW_TAG_union_type => {
                self.composite(node, alias).map(Type::Struct)
            }
            gimli::DW_TAG_enumeration_type => self.enumeration(node, alias).map(Type::Enum),
            gimli::DW_TAG_ptr_to_member_type => Ok(Type::int(8, true)),
            _ if is_qualifier(node) => inner(alias),
            _ => Ok(Type::Void),
        }
    }

    fn array(&self, node: &Node, elem: Type) -> Result<Type, Error> {
        let is_char = is_char(node)?;
        let mut ty = elem;
        // The last one counts what lies side by side.
        for (level, len) in lengths(node)?.into_iter().rev().enumerate() {
            let len = u32::try_from(len).unwrap_or(0);
            // More than all memory: the file is damaged.
            let len = if ty.size().checked_mul(len).is_some() { len } else { 0 };
            ty = match is_char && level == 0 && len > 0 {
                true => Type::Str(len),
                false => Type::Array { elem: Box::new(ty), len },
            };
        }
        Ok(ty)
    }

    pub(super) fn composite(&self, node: &Node, alias: &str) -> Result<Rc<StructType>, Error> {
        let union = node.tag() == gimli::DW_TAG_union_type;
        let identity = self.identity(node, alias, union);
        if let Some(done) = self.structs.borrow().get(&identity) {
            return Ok(Rc::clone(done));
        }
        let made = Rc::new(StructType {
            name: Rc::clone(&identity.name),
            kind: if union { StructKind::Union } else { StructKind::Struct },
            size: identity.size,
            align: align_of(node, 0, &mut { MAX_STEPS })?,
            key: MARK | identity.file << OFFSET_BITS | node.offset() as u64,
            fields: OnceCell::new(),
        });
        self.structs.borrow_mut().insert(identity, Rc::clone(&made));
        Ok(made)
    }

    fn enumeration(&self, node: &Node, alias: &str) -> Result<Rc<EnumType>, Error> {
        let identity = self.identity(node, alias, false);
        if let Some(done) = self.enums.borrow().get(&identity) {
            return Ok(Rc::clone(done));
        }
        let size = u8::try_from(identity.size).ok().filter(|s| s.is_power_of_two() && *s <= 8).unwrap_or(4);
        let mut values = vec![];
        for entry in node.children(&[gimli::DW_TAG_enumerator])? {
            let value = entry.signed(gimli::DW_AT_const_value);
            let value = value.or_else(|| entry.number(gimli::DW_AT_const_value).map(|v| v as i64));
            values.extend(entry.name().zip(value));
        }
        let signed = match node.ty()? {
            Some(ty) => base_of(&strip(ty)?) == Some(Base::Signed),
            None => values.iter().any(|(_, v)| *v < 0),
        };
        let made = Rc::new(EnumType { name: Rc::clone(&identity.name), size, signed, values });
        self.enums.borrow_mut().insert(identity, Rc::clone(&made));
        Ok(made)
    }

    fn identity(&self, node: &Node, alias: &str, union: bool) -> Identity {
        let name = node.name().unwrap_or_else(|| alias.into());
        let declared = node.flag(gimli::DW_AT_declaration);
        let size = if declared { 0 } else { node.number(gimli::DW_AT_byte_size).unwrap_or(0) };
        Identity {
            file: self.number(node.info()),
            entry: name.is_empty().then(|| node.offset()),
            union,
            name,
            size: u32::try_from(size).unwrap_or(0),
            line: node.number(gimli::DW_AT_decl_line).unwrap_or(0),
        }
    }
}

fn base(node: &Node) -> Type {
    let size = node.number(gimli::DW_AT_byte_size).unwrap_or(0);
    match (base_of(node), size) {
        (Some(Base::Bool), 1) => Type::Bool,
        (Some(Base::Float), 4 | 8) => Type::Float(size as u8),
        (Some(Base::Signed), 1 | 2 | 4 | 8) => Type::int(size as u8, true),
        (Some(Base::Unsigned | Base::Bool), 1 | 2 | 4 | 8) => Type::int(size as u8, false),
        (Some(Base::Signed | Base::Unsigned), 16) => Type::Array { elem: Box::new(U64), len: 2 },
        (_, 0) => Type::Void,
        (_, size) => {
            let len = u32::try_from(size).unwrap_or(0);
            Type::Array { elem: Box::new(Type::int(1, false)), len }
        }
    }
}

/// What kind of number a base type is.
pub(in crate::files::dwarf) fn base_of(node: &Node) -> Option<Base> {
    if node.tag() != gimli::DW_TAG_base_type {
        return None;
    }
    let encoding = match node.value(gimli::DW_AT_encoding)? {
        AttributeValue::Encoding(encoding) => encoding,
        _ => DwAte(node.number(gimli::DW_AT_encoding)? as u8),
    };
    Some(match encoding {
        gimli::DW_ATE_boolean => Base::Bool,
        gimli::DW_ATE_signed | gimli::DW_ATE_signed_char => Base::Signed,
        // Scripts have one `char`.
        gimli::DW_ATE_unsigned_char if node.name().as_deref() == Some("char") && size(node) == 1 => {
            Base::Signed
        }
        gimli::DW_ATE_unsigned
        | gimli::DW_ATE_unsigned_char
        | gimli::DW_ATE_UTF
        | gimli::DW_ATE_ASCII
        | gimli::DW_ATE_address => Base::Unsigned,
        gimli::DW_ATE_float
        | gimli::DW_ATE_complex_float
        | gimli::DW_ATE_imaginary_float
        | gimli::DW_ATE_decimal_float => Base::Float,
        _ => return None,
    })
}

fn size(node: &Node) -> u64 {
    node.number(gimli::DW_AT_byte_size).unwrap_or(0)
}

fn is_qualifier(node: &Node) -> bool {
    matches!(
        node.tag(),
        gimli::DW_TAG_const_type
            | gimli::DW_TAG_volatile_type
            | gimli::DW_TAG_restrict_type
            | gimli::DW_TAG_atomic_type
            | gimli::DW_TAG_packed_type
            | gimli::DW_TAG_immutable_type
    )
}

/// The type itself behind typedefs and qualifiers.
pub(in crate::files::dwarf) fn strip(node: Node) -> Result<Node, Error> {
    let mut node = node;
    for _ in 0..MAX_DEPTH {
        if node.tag() != gimli::DW_TAG_typedef && !is_qualifier(&node) {
            break;
        }
        let Some(inner) = node.ty()? else { break };
        node = inner;
    }
    Ok(node)
}

/// Is an array one of plain `char`, so that it is a text?
fn is_char(array: &Node) -> Result<bool, Error> {
    let Some(elem) = array.ty()? else { return Ok(false) };
    let elem = strip(elem)?;
    Ok(elem.tag() == gimli::DW_TAG_base_type && size(&elem) == 1 && elem.name().as_deref() == Some("char"))
}

/// How many elements an array has in each dimension; 0 where that is not known or not constant.
pub(super) fn lengths(array: &Node) -> Result<Vec<u64>, Error> {
    let ranges = array.children(&[gimli::DW_TAG_subrange_type])?;
    let length = |range: &Node| {
        let low = range.number(gimli::DW_AT_lower_bound).unwrap_or(0);
        let upper = range.number(gimli::DW_AT_upper_bound).and_then(|u| u.checked_add(1)?.checked_sub(low));
        range.number(gimli::DW_AT_count).or(upper).unwrap_or(0)
    };
    Ok(ranges.iter().map(length).collect())
}

/// The bytes of a type; `None` where it says nothing.
pub(in crate::files::dwarf) fn size_of(node: &Node) -> Result<Option<u64>, Error> {
    let node = strip(node.clone())?;
    if let Some(size) = node.number(gimli::DW_AT_byte_size) {
        return Ok(Some(size));
    }
    match node.tag() {
        gimli::DW_TAG_pointer_type | gimli::DW_TAG_reference_type | gimli::DW_TAG_rvalue_reference_type => {
            Ok(Some(8))
        }
        gimli::DW_TAG_array_type => {
            let Some(elem) = node.ty()?.map(strip).transpose()? else { return Ok(None) };
            let elem = elem.number(gimli::DW_AT_byte_size);
            let count = lengths(&node)?.into_iter().try_fold(1u64, u64::checked_mul);
            Ok(elem.zip(count).and_then(|(elem, count)| elem.checked_mul(count)))
        }
        _ => Ok(None),
    }
}

/// Alignment in bytes as the compiler chose it: 1 for a packed struct.
fn align_of(node: &Node, depth: u32, left: &mut u32) -> Result<u32, Error> {
    *left = left.saturating_sub(1);
    if depth >= MAX_DEPTH || *left == 0 {
        return Ok(1);
    }
    let node = strip(node.clone())?;
    match node.tag() {
        gimli::DW_TAG_base_type | gimli::DW_TAG_enumeration_type => {
            let size = size(&node).clamp(1, 16) as u32;
            Ok(if size.is_power_of_two() { size } else { 1 })
        }
        gimli::DW_TAG_pointer_type
        | gimli::DW_TAG_reference_type
        | gimli::DW_TAG_rvalue_reference_type
        | gimli::DW_TAG_ptr_to_member_type => Ok(8),
        gimli::DW_TAG_array_type => match node.ty()? {
            Some(elem) => align_of(&elem, depth + 1, left),
            None => Ok(1),
        },
        _ => composite_align(&node, depth, left),
    }
}

fn composite_align(node: &Node, depth: u32, left: &mut u32) -> Result<u32, Error> {
    let mut align = 1;
    for member in node.children(&[gimli::DW_TAG_member, gimli::DW_TAG_inheritance])? {
        let Some(ty) = member.ty()? else { continue };
        let own = align_of(&ty, depth + 1, left)?;
        let at = member.number(gimli::DW_AT_data_member_location).unwrap_or(0);
        // A member off its alignment shows that the struct is packed.
        if !at.is_multiple_of(u64::from(own)) {
            return Ok(1);
        }
        align = align.max(own);
    }
    Ok(if size(node).is_multiple_of(u64::from(align)) { align } else { 1 })
}
