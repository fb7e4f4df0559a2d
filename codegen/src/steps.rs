//! How much compiling has worked, in steps that are the same on every machine: for tests that hold it to be linear.
//!
//! Counted are the operations that passes look at, the words of sets, the registers and edges that allocation goes through.
//! Only builds with debug assertions count.

use std::cell::Cell;

thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// Counts `n` steps.
#[inline(always)]
pub(crate) fn count(n: usize) {
    if cfg!(debug_assertions) {
        STEPS.set(STEPS.get() + n as u64);
    }
}

/// The steps that this thread has counted so far.
pub fn taken() -> u64 {
    STEPS.get()
}
