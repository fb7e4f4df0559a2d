//! Types by name.

use super::UserTypes;
use crate::files::dwarf::node::Node;
use crate::files::dwarf::{DebugInfo, Error, Unit};
use gimli::DwTag;
use rbtrace_lang::system::TypeName;
use rbtrace_lang::types::Type;
use std::rc::Rc;

/// What a type may lie in: a name within them is found by its last part.
const OUTER: &[DwTag] = &[
    gimli::DW_TAG_namespace,
    gimli::DW_TAG_module,
    gimli::DW_TAG_structure_type,
    gimli::DW_TAG_class_type,
    gimli::DW_TAG_union_type,
];

impl UserTypes {
    /// The type of this name in a file; those source files first of which something was read already.
    pub(crate) fn find(&self, info: &Rc<DebugInfo>, name: TypeName) -> Result<Option<Type>, Error> {
        let mut missing = None;
        for offset in info.unit_offsets()? {
            let unit = info.unit(offset)?;
            let found = match info.split(&unit) {
                Ok(Some(split)) => {
                    split.split_unit()?.map(|unit| find_in(&split, &unit, name)).transpose()?.flatten()
                }
                Ok(None) => find_in(info, &unit, name)?,
                Err(e) => {
                    missing = Some(e);
                    None
                }
            };
            if let Some(node) = found {
                return self.of(&node).map(Some);
            }
            info.keep_units(MAX_UNITS);
        }
        match (&info.shared, missing) {
            (Some(shared), _) => self.find(shared, name),
            (None, Some(missing)) => Err(missing),
            (None, None) => Ok(None),
        }
    }
}

/// How many units are kept while all are looked through.
const MAX_UNITS: usize = 64;

fn text<'a>(name: TypeName<'a>) -> &'a str {
    match name {
        TypeName::Struct(n) | TypeName::Union(n) | TypeName::Enum(n) | TypeName::Plain(n) => n,
    }
}

fn fits(name: TypeName, tag: DwTag) -> bool {
    let composite = tag == gimli::DW_TAG_structure_type || tag == gimli::DW_TAG_class_type;
    let union = tag == gimli::DW_TAG_union_type;
    let enumeration = tag == gimli::DW_TAG_enumeration_type;
    match name {
        TypeName::Struct(_) => composite,
        TypeName::Union(_) => union,
        TypeName::Enum(_) => enumeration,
        TypeName::Plain(_) => {
            composite
                || union
                || enumeration
                || matches!(tag, gimli::DW_TAG_typedef | gimli::DW_TAG_base_type)
        }
    }
}

/// The definition of a type in a unit. Functions are stepped over: their types are their own.
fn find_in(info: &Rc<DebugInfo>, unit: &Rc<Unit>, name: TypeName) -> Result<Option<Node>, Error> {
    let mut entries = info.read(unit.inner.entries_raw(None))?;
    // Depth of the entry whose children are not looked at.
    let mut hidden: Option<isize> = None;
    while !entries.is_empty() {
        let (at, depth) = (entries.next_offset(), entries.next_depth());
        let Some(abbreviation) = info.read(entries.read_abbreviation())? else { continue };
        info.read(entries.skip_attributes(abbreviation.attributes()))?;
        hidden = hidden.filter(|&h| depth > h);
        if hidden.is_some() {
            continue;
        }
        let tag = abbreviation.tag();
        if fits(name, tag) && abbreviation.attributes().iter().any(|a| a.name() == gimli::DW_AT_name) {
            let node = Node::at(info, unit, at)?;
            if node.name().as_deref() == Some(text(name)) && !node.flag(gimli::DW_AT_declaration) {
                return Ok(Some(node));
            }
        }
        let opens = depth == 0 || OUTER.contains(&tag);
        if !opens && abbreviation.has_children() {
            hidden = Some(depth);
        }
    }
    Ok(None)
}
