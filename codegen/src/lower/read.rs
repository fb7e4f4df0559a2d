//! Reads of kernel and user memory through helpers.

use super::frame::Lower;
use super::memory::{Base, Place, Remote};
use crate::helpers;
use crate::ir::{Cond, Helper, Value};
use crate::object::Fault;

/// Which pair of helpers reads a place, and what its failure is called.
fn reader(base: &Base) -> (Helper, Helper, Fault) {
    match base {
        Base::Remote(_, Remote::User) => {
            (helpers::PROBE_READ_USER, helpers::PROBE_READ_USER_STR, Fault::ReadUserFailed)
        }
        Base::Remote(_, Remote::Either) => {
            (helpers::PROBE_READ, helpers::PROBE_READ_STR, Fault::ReadUserFailed)
        }
        _ => (helpers::PROBE_READ_KERNEL, helpers::PROBE_READ_KERNEL_STR, Fault::ReadFailed),
    }
}

impl Lower<'_, '_> {
    /// Reads `size` bytes from anywhere into a slot, record or map value. A failure leaves zeros and is
    /// counted.
    pub(super) fn probe_read(&mut self, dst: &Place, size: u32, src: &Place) {
        let size = self.f.b.iconst(i64::from(size));
        self.probe_read_sized(dst, size, src);
    }

    /// The same with a size that is known at run time only; it must be bounded.
    pub(super) fn probe_read_sized(&mut self, dst: &Place, size: Value, src: &Place) {
        let (helper, _, fault) = reader(&src.base);
        let from = self.address(src);
        let to = self.address(dst);
        let result = self.call(helper, &[to, size, from]);
        self.fault_if(Cond::Ne, result, 0, fault);
    }

    /// Reads kernel memory that is certainly there.
    pub(super) fn read_certain(&mut self, dst: &Place, size: u32, src: &Place) {
        let size = self.f.b.iconst(i64::from(size));
        let from = self.address(src);
        let to = self.address(dst);
        self.call(helpers::PROBE_READ_KERNEL, &[to, size, from]);
    }

    /// Reads a text of at most `size` bytes, its NUL included. The result is the number of bytes with the
    /// NUL, or an errno, which is counted; the text is then empty.
    pub(super) fn probe_read_str(&mut self, dst: &Place, size: Value, src: &Place) -> Value {
        let (_, helper, fault) = reader(&src.base);
        let from = self.address(src);
        let to = self.address(dst);
        let result = self.call(helper, &[to, size, from]);
        self.fault_if(Cond::SLt, result, 0, fault);
        result
    }

    /// Reads a text that lies in the program's own memory, where nothing can fail.
    pub(super) fn copy_str(&mut self, dst: &Place, size: u32, src: &Place) -> Value {
        let size = self.f.b.iconst(i64::from(size));
        let from = self.address(src);
        let to = self.address(dst);
        self.call(helpers::PROBE_READ_KERNEL_STR, &[to, size, from])
    }
}

/// Bytes of a constant as a little-endian number; those after its end are zero.
pub(super) fn constant(bytes: &[u8], at: usize, size: u32) -> u64 {
    let mut word = [0; 8];
    for (n, byte) in word.iter_mut().take(size as usize).enumerate() {
        *byte = bytes.get(at + n).copied().unwrap_or(0);
    }
    u64::from_le_bytes(word)
}

/// A constant of `size` bytes, extended to 64 bits.
pub(super) fn extend_const(value: u64, size: u32, signed: bool) -> i64 {
    let unused = 64 - 8 * size.min(8);
    if unused == 64 {
        return 0;
    }
    let high = value << unused;
    if signed { (high as i64) >> unused } else { (high >> unused) as i64 }
}
