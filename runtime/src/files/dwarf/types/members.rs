//! The members of structs, classes and unions.

use super::UserTypes;
use crate::files::btf::bit_field;
use crate::files::dwarf::Error;
use crate::files::dwarf::node::Node;
use gimli::{AttributeValue, Operation};
use rbtrace_lang::types::{Field, Type};
use std::rc::Rc;

impl UserTypes {
    /// The members that lie in a value: base classes as members without a name, nothing static.
    pub(super) fn fields(&self, node: &Node) -> Result<Rc<[Field]>, Error> {
        let size = node.number(gimli::DW_AT_byte_size).and_then(|s| u32::try_from(s).ok()).unwrap_or(0);
        let mut fields = vec![];
        let wanted = [gimli::DW_TAG_member, gimli::DW_TAG_inheritance, gimli::DW_TAG_variant_part];
        for member in node.children(&wanted)? {
            match member.tag() {
                gimli::DW_TAG_variant_part => self.variants(&member, size, &mut fields)?,
                _ => fields.extend(self.member(&member, size)?),
            }
        }
        Ok(fields.into())
    }

    /// Of a Rust enum: the number that says which variant it is, and the variants one over the other.
    fn variants(&self, part: &Node, size: u32, fields: &mut Vec<Field>) -> Result<(), Error> {
        for number in part.children(&[gimli::DW_TAG_member])? {
            let named = |f: Field| Field { name: "__discriminant".into(), ..f };
            fields.extend(self.member(&number, size)?.map(named));
        }
        for variant in part.children(&[gimli::DW_TAG_variant])? {
            for member in variant.children(&[gimli::DW_TAG_member])? {
                fields.extend(self.member(&member, size)?);
            }
        }
        Ok(())
    }

    fn member(&self, member: &Node, size: u32) -> Result<Option<Field>, Error> {
        // A static member of DWARF 4, a virtual base class.
        if member.flag(gimli::DW_AT_declaration)
            || member.flag(gimli::DW_AT_external)
            || member.has(gimli::DW_AT_virtuality)
        {
            return Ok(None);
        }
        let Some(ty) = member.ty()? else { return Ok(None) };
        let ty = self.of(&ty)?;
        let inherited = member.tag() == gimli::DW_TAG_inheritance;
        let name = member.name().filter(|_| !inherited).unwrap_or_else(|| "".into());
        let Some(offset) = offset_of(member) else { return Ok(None) };
        let width = member.number(gimli::DW_AT_bit_size).and_then(|w| u8::try_from(w).ok());
        let Some(width @ 1..=64) = width else {
            return Ok(Some(Field { name, ty, offset, bits: None, data_loc: false }));
        };
        let Some(first) = first_bit(member, offset, &ty, width) else { return Ok(None) };
        let (ty, offset, bits) = bit_field(ty, first, width, size);
        Ok(Some(Field { name, ty, offset, bits: Some(bits), data_loc: false }))
    }
}

/// Bytes from the start of the struct; `None` where it has to be calculated.
fn offset_of(member: &Node) -> Option<u32> {
    let offset = match member.value(gimli::DW_AT_data_member_location) {
        None => 0,
        // DWARF 2 adds the offset to the address of the struct.
        Some(AttributeValue::Exprloc(expression)) => {
            let mut operations = expression.operations(member.unit().inner.encoding());
            match (operations.next(), operations.next()) {
                (Ok(Some(Operation::PlusConstant { value })), Ok(None)) => value,
                _ => return None,
            }
        }
        Some(_) => member.number(gimli::DW_AT_data_member_location)?,
    };
    u32::try_from(offset).ok().filter(|o| *o < 1 << 28)
}

/// The first bit of a bit field, from the start of the struct.
fn first_bit(member: &Node, offset: u32, ty: &Type, width: u8) -> Option<u32> {
    if let Some(bit) = member.number(gimli::DW_AT_data_bit_offset) {
        return u32::try_from(bit).ok().filter(|b| *b < 1 << 31);
    }
    // DWARF 3 counts from the highest bit of the unit that holds the field.
    let from_top = member.number(gimli::DW_AT_bit_offset).unwrap_or(0);
    let unit = member.number(gimli::DW_AT_byte_size).unwrap_or(u64::from(ty.size())).min(8) * 8;
    let shift = unit.checked_sub(from_top)?.checked_sub(u64::from(width))?;
    Some(offset * 8 + shift as u32)
}
