//! An entry of debug information, and the ways from it to others.

use super::{DebugInfo, Error, Reader, Unit};
use gimli::{AttributeValue, DebuggingInformationEntry, DwAt, DwTag, UnitOffset};
use std::rc::Rc;

/// More children of one entry are not read.
const MAX_CHILDREN: usize = 1 << 16;

/// How far an entry's origin is followed; a damaged file may have a circle.
const MAX_ORIGINS: u32 = 16;

/// An entry, with what it takes to follow its references.
#[derive(Clone)]
pub(crate) struct Node {
    info: Rc<DebugInfo>,
    unit: Rc<Unit>,
    die: DebuggingInformationEntry<Reader>,
}

impl Node {
    /// The entry at this offset of a unit.
    pub(super) fn at(info: &Rc<DebugInfo>, unit: &Rc<Unit>, offset: UnitOffset) -> Result<Node, Error> {
        let die = info.read(unit.inner.entry(offset))?;
        Ok(Node { info: Rc::clone(info), unit: Rc::clone(unit), die })
    }

    /// The file that it stands in.
    pub(super) fn info(&self) -> &Rc<DebugInfo> {
        &self.info
    }

    /// The unit that it stands in.
    pub(super) fn unit(&self) -> &Unit {
        &self.unit
    }

    /// Its offset in `.debug_info`.
    pub(super) fn offset(&self) -> usize {
        let unit = self.unit.inner.header.debug_info_offset().map_or(0, |o| o.0);
        unit.saturating_add(self.die.offset().0)
    }

    pub(super) fn tag(&self) -> DwTag {
        self.die.tag()
    }

    pub(super) fn value(&self, name: DwAt) -> Option<AttributeValue<Reader>> {
        self.die.attr_value(name)
    }

    pub(super) fn has(&self, name: DwAt) -> bool {
        self.die.has_attr(name)
    }

    /// A number that is not negative.
    pub(super) fn number(&self, name: DwAt) -> Option<u64> {
        self.die.attr(name)?.udata_value()
    }

    pub(super) fn signed(&self, name: DwAt) -> Option<i64> {
        self.die.attr(name)?.sdata_value()
    }

    pub(super) fn flag(&self, name: DwAt) -> bool {
        matches!(self.value(name), Some(AttributeValue::Flag(true)))
    }

    /// Its own name.
    pub(super) fn name(&self) -> Option<Rc<str>> {
        let value = self.value(gimli::DW_AT_name)?;
        // A name in a supplementary file that is not at hand is no reason to refuse the rest.
        let name = self.info.dwarf.attr_string(&self.unit.inner, value).ok()?;
        Some(name.to_string_lossy().as_ref().into())
    }

    /// The entry that an attribute refers to.
    pub(super) fn follow(&self, name: DwAt) -> Result<Option<Node>, Error> {
        match self.value(name) {
            Some(AttributeValue::UnitRef(offset)) => Node::at(&self.info, &self.unit, offset).map(Some),
            Some(AttributeValue::DebugInfoRef(offset)) => Node::anywhere(&self.info, offset.0),
            Some(AttributeValue::DebugInfoRefSup(offset)) => match &self.info.shared {
                Some(shared) => Node::anywhere(shared, offset.0),
                None => Err(Error::missing(format!(
                    "{}: what its debug information shares with other files (dwz) is not at hand",
                    self.info.elf().path().display()
                ))),
            },
            Some(AttributeValue::DebugTypesRef(signature)) => match self.info.type_unit(signature)? {
                Some((unit, offset)) => Node::at(&self.info, &unit, offset).map(Some),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// The entry at an offset of a file's `.debug_info`.
    pub(super) fn anywhere(info: &Rc<DebugInfo>, offset: usize) -> Result<Option<Node>, Error> {
        let Some((unit, offset)) = info.entry_at(offset)? else { return Ok(None) };
        Node::at(info, &unit, offset).map(Some)
    }

    /// Itself, then what it was made of (the function of which it is a copy, the declaration that it completes).
    pub(super) fn origins(&self) -> Result<Vec<Node>, Error> {
        let mut all = vec![self.clone()];
        let mut next = self.clone();
        for _ in 0..MAX_ORIGINS {
            let origin = match next.follow(gimli::DW_AT_abstract_origin)? {
                None => next.follow(gimli::DW_AT_specification)?,
                found => found,
            };
            let Some(origin) = origin else { break };
            all.push(origin.clone());
            next = origin;
        }
        Ok(all)
    }

    /// The entry of its type; `None` where it is `void`.
    pub(super) fn ty(&self) -> Result<Option<Node>, Error> {
        let Some(ty) = self.follow(gimli::DW_AT_type)? else { return Ok(None) };
        // A type that is described apart (`-fdebug-types-section`).
        let apart = ty.follow(gimli::DW_AT_signature)?;
        Ok(apart.or(Some(ty)))
    }

    /// The entries directly below it that are of one of these kinds.
    pub(super) fn children(&self, wanted: &[DwTag]) -> Result<Vec<Node>, Error> {
        let mut found = vec![];
        if !self.die.has_children() {
            return Ok(found);
        }
        let mut entries = self.info.read(self.unit.inner.entries_raw(Some(self.die.offset())))?;
        let first = self.info.read(entries.read_abbreviation())?;
        if let Some(abbreviation) = first {
            self.info.read(entries.skip_attributes(abbreviation.attributes()))?;
        }
        let depth = entries.next_depth();
        while !entries.is_empty() && entries.next_depth() >= depth && found.len() < MAX_CHILDREN {
            let (at, here) = (entries.next_offset(), entries.next_depth());
            let Some(abbreviation) = self.info.read(entries.read_abbreviation())? else { continue };
            self.info.read(entries.skip_attributes(abbreviation.attributes()))?;
            if here == depth && wanted.contains(&abbreviation.tag()) {
                found.push(Node::at(&self.info, &self.unit, at)?);
            }
        }
        Ok(found)
    }
}
