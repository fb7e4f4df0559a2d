//! The types of programs and libraries, in the language's terms.

mod convert;
mod find;
mod members;
mod spell;
#[cfg(test)]
mod tests;

use super::node::Node;
use super::{DebugInfo, Error};
use rbtrace_lang::system::TypeName;
use rbtrace_lang::types::{EnumType, Field, StructKind, StructType, Type};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

pub(super) use convert::{Base, base_of, size_of, strip};
pub(super) use spell::spelled;

/// Set in [`StructType::key`] of what comes from here.
const MARK: u64 = 3 << 61;
/// Bits of the offset within a file.
const OFFSET_BITS: u32 = 44;

/// Types of any number of files. Types of one file compare as equal where their name, kind, size and line of definition
/// are: each source file of a program describes them anew.
#[derive(Debug, Default)]
pub(crate) struct UserTypes {
    files: RefCell<Vec<Rc<DebugInfo>>>,
    structs: RefCell<HashMap<Identity, Rc<StructType>>>,
    enums: RefCell<HashMap<Identity, Rc<EnumType>>>,
}

/// What makes a type the same type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Identity {
    file: u64,
    /// The entry of a type without a name.
    entry: Option<usize>,
    union: bool,
    name: Rc<str>,
    size: u32,
    line: u64,
}

impl UserTypes {
    /// The type that an entry describes.
    pub(super) fn of(&self, node: &Node) -> Result<Type, Error> {
        self.convert(node, "", 0)
    }

    /// The members of a struct of ours; `None` for those of others.
    pub(crate) fn members(&self, ty: &StructType) -> Option<Result<Rc<[Field]>, Error>> {
        let info = self.file_of(ty)?;
        let offset = (ty.key & ((1 << OFFSET_BITS) - 1)) as usize;
        Some(self.members_at(&info, offset, ty))
    }

    fn members_at(&self, info: &Rc<DebugInfo>, offset: usize, ty: &StructType) -> Result<Rc<[Field]>, Error> {
        let Some(node) = Node::anywhere(info, offset)? else {
            return Err(Error::missing(format!("the members of {} are not known", ty.name)));
        };
        self.fields(&node)
    }

    /// A type that its source file only declares, as another one defines it; other types as they are.
    pub(crate) fn resolve(&self, ty: &StructType) -> Option<Rc<StructType>> {
        let info = self.file_of(ty).filter(|_| ty.size == 0)?;
        let name = match ty.kind {
            StructKind::Struct => TypeName::Struct(&ty.name),
            StructKind::Union => TypeName::Union(&ty.name),
        };
        match self.find(&info, name) {
            Ok(Some(Type::Struct(found))) => Some(found),
            _ => None,
        }
    }

    /// The file that a struct of ours comes from.
    fn file_of(&self, ty: &StructType) -> Option<Rc<DebugInfo>> {
        if ty.key >> 61 != MARK >> 61 {
            return None;
        }
        let number = (ty.key & !MARK) >> OFFSET_BITS;
        self.files.borrow().get(number as usize).cloned()
    }

    /// The number of a file, given when it is first seen.
    fn number(&self, info: &Rc<DebugInfo>) -> u64 {
        let mut files = self.files.borrow_mut();
        let at = files.iter().position(|f| Rc::ptr_eq(f, info));
        at.unwrap_or_else(|| {
            files.push(Rc::clone(info));
            files.len() - 1
        }) as u64
    }
}
