//! Hiding from the verifier what it knows of a number.
//!
//! A branch that it can decide costs it much: from then on it tells apart all ways on which the number came about.

use super::frame::Lower;
use crate::ir::{Alu, Ty, Value, Width};
use crate::object::Control;

/// Tests in one function whose outcomes the verifier may combine as it likes.
const FEW_TESTS: u32 = 16;

impl Lower<'_, '_> {
    /// A zero that the verifier does not know to be one.
    ///
    /// Kernels before 6.7 verify a callback as if it ran exactly once with what its record held at the
    /// call, and would drop code that only other rounds reach.
    pub(super) fn opaque_zero(&mut self) -> Value {
        let word = self.control(Control::ZERO);
        self.f.b.load(Width::B8, false, word, 0)
    }

    /// The same number without what the verifier knows of it. (After an `or` it would know which bits are set.)
    pub(super) fn hide(&mut self, value: Value) -> Value {
        if self.f.b.ty(value) != Ty::I64 {
            return value;
        }
        let zero = self.opaque_zero();
        self.f.b.alu(Alu::Xor, value, zero)
    }

    /// A number that is about to be tested, and that nothing is to be learnt of from the test: in the frugal form, and
    /// where many tests came before.
    pub(super) fn tested(&mut self, value: Value) -> Value {
        if self.f.b.known_const(value).is_some() {
            return value;
        }
        self.f.tests += 1;
        if self.is_frugal() || self.f.tests > FEW_TESTS { self.hide(value) } else { value }
    }

    /// A number that a variable is about to hold, or that one of two ways has made.
    pub(super) fn joined(&mut self, value: Value) -> Value {
        if self.is_frugal() { self.hide(value) } else { value }
    }
}
