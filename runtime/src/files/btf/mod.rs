//! BTF: the kernel's own description of its types (Documentation/bpf/btf.rst).
//!
//! The blob is mapped and walked in place: opening finds where each type begins, nothing is copied or
//! indexed by name. On a kernel of 126,000 types that is well under a millisecond.
//!
//! **Invariant**: no text or number of a blob is trusted; a broken one gives an error or `None`.

mod blob;
mod convert;
mod dump;
mod first;
mod kernel;
mod kind;
mod tag;
mod takers;

pub use blob::{Btf, BtfError};
pub(crate) use convert::bit_field;
pub use dump::DeclaredProto;
pub use first::first_types;
pub use kernel::{KernelTypes, TypeId};
pub use kind::{BtfType, Composite, EnumValues, Kind, Member, Params};
pub use tag::KindTag;
pub use takers::Found;

#[cfg(test)]
mod tests;
