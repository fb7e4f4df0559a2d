//! Places: addresses of values that are not read before their bytes are needed.

use crate::ir::{Slot, Value};
use std::rc::Rc;

/// What an offset counts from.
#[derive(Clone, Debug)]
pub(super) enum Base {
    /// A slot of this function.
    Slot(Slot),
    /// A pointer that the program may follow.
    Ptr(Value),
    /// An address that a helper must read.
    Remote(Value, Remote),
    /// Constant bytes; those after the end are zero.
    Bytes(Rc<[u8]>),
}

/// Which helper reads an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remote {
    Kernel,
    User,
    /// Either, by the address.
    Either,
}

/// A place in memory.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) base: Base,
    /// Bytes.
    pub(super) offset: i64,
    /// What `base` is known to be aligned to.
    pub(super) align: u32,
    /// Texts at this place are followed by zeros up to their full size.
    pub(super) padded: bool,
}

impl Place {
    /// The start of a slot.
    pub(super) fn slot(slot: Slot) -> Place {
        Place { base: Base::Slot(slot), offset: 0, align: 8, padded: false }
    }

    /// The target of a pointer aligned to 8.
    pub(super) fn ptr(ptr: Value) -> Place {
        Place { base: Base::Ptr(ptr), offset: 0, align: 8, padded: false }
    }

    /// An address that a helper must read.
    pub(super) fn remote(addr: Value, space: Remote) -> Place {
        Place { base: Base::Remote(addr, space), offset: 0, align: 1, padded: false }
    }

    /// The same place some bytes on.
    pub(super) fn at(&self, offset: u32) -> Place {
        Place { offset: self.offset + i64::from(offset), ..self.clone() }
    }

    /// The same place with its texts known to be padded.
    pub(super) fn padded(self) -> Place {
        Place { padded: true, ..self }
    }

    /// The alignment of the place itself.
    pub(super) fn alignment(&self) -> u32 {
        match self.offset {
            0 => self.align,
            n => self.align.min(1 << n.trailing_zeros().min(3)),
        }
    }
}

/// What follows a text up to its full size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// Anything: it will be read as a text only.
    Loose,
    /// Zeros: it will be compared byte by byte.
    Padded,
}
