//! Names of what the textual IR lists by name.

use crate::ir::*;

/// Comparisons.
pub(crate) const CONDS: &[(&str, Cond)] = &[
    ("eq", Cond::Eq),
    ("ne", Cond::Ne),
    ("ult", Cond::ULt),
    ("ule", Cond::ULe),
    ("ugt", Cond::UGt),
    ("uge", Cond::UGe),
    ("slt", Cond::SLt),
    ("sle", Cond::SLe),
    ("sgt", Cond::SGt),
    ("sge", Cond::SGe),
    ("set", Cond::Set),
];

/// Arithmetic.
pub(crate) const ALUS: &[(&str, Alu)] = &[
    ("add", Alu::Add),
    ("sub", Alu::Sub),
    ("mul", Alu::Mul),
    ("udiv", Alu::UDiv),
    ("sdiv", Alu::SDiv),
    ("urem", Alu::URem),
    ("srem", Alu::SRem),
    ("and", Alu::And),
    ("or", Alu::Or),
    ("xor", Alu::Xor),
    ("shl", Alu::Shl),
    ("lshr", Alu::LShr),
    ("ashr", Alu::AShr),
    ("umin", Alu::UMin),
];

/// Atomic operations.
pub(crate) const ATOMICS: &[(&str, AtomicOp)] = &[
    ("add", AtomicOp::Add),
    ("or", AtomicOp::Or),
    ("and", AtomicOp::And),
    ("xor", AtomicOp::Xor),
    ("fetchadd", AtomicOp::FetchAdd),
    ("xchg", AtomicOp::Xchg),
];

/// Widths.
pub(crate) const WIDTHS: &[(&str, Width)] =
    &[("b1", Width::B1), ("b2", Width::B2), ("b4", Width::B4), ("b8", Width::B8)];

/// Address spaces.
pub(crate) const SPACES: &[(&str, Space)] = &[
    ("stack", Space::Stack),
    ("value", Space::MapValue),
    ("map", Space::Map),
    ("ctx", Space::Ctx),
    ("record", Space::Record),
    ("btf", Space::Btf),
    ("callback", Space::Callback),
    ("func", Space::Func),
];

/// The name of an entry.
pub(crate) fn name_of<T: PartialEq>(table: &[(&'static str, T)], x: &T) -> &'static str {
    table.iter().find(|e| e.1 == *x).map_or("?", |e| e.0)
}

/// The entry of a name.
pub(crate) fn by_name<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|e| e.0 == name).map(|e| e.1)
}
