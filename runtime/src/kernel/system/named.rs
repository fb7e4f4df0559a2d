//! Types that are known by name only, so that a name in passing does not open the kernel's BTF.
//!
//! They carry a key of their own and are looked up when a script looks into them.

use rbtrace_lang::types::{EnumType, StructKind, StructType, Type};
use std::cell::OnceCell;
use std::rc::Rc;

/// Set in [`StructType::key`] of a type that is known by name.
const NAMED: u64 = 1 << 63;
/// The name is a typedef's.
const TYPEDEF: u64 = 1;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameOf {
    /// `struct NAME`
    Struct,
    /// `union NAME`
    Union,
    /// `NAME`
    Typedef,
}

/// A type by name; `size` is 0 where it is not known.
pub(super) fn named(of: NameOf, name: &str, size: u32) -> Type {
    let kind = if of == NameOf::Union { StructKind::Union } else { StructKind::Struct };
    let key = NAMED | if of == NameOf::Typedef { TYPEDEF } else { 0 };
    Type::Struct(Rc::new(StructType {
        name: name.into(),
        kind,
        size,
        align: 1,
        key,
        fields: OnceCell::new(),
    }))
}

/// An enum by name.
pub(super) fn named_enum(name: &str, size: u8, signed: bool) -> Type {
    Type::Enum(Rc::new(EnumType { name: name.into(), size, signed, values: vec![] }))
}

/// What the name of a type stands for, if it is known by name only.
pub(super) fn name_of(ty: &StructType) -> Option<NameOf> {
    (ty.key & NAMED != 0).then_some(match (ty.key & TYPEDEF != 0, ty.kind) {
        (true, _) => NameOf::Typedef,
        (_, StructKind::Struct) => NameOf::Struct,
        (_, StructKind::Union) => NameOf::Union,
    })
}
