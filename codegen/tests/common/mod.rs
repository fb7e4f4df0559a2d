//! What the tests of the back end share.

#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod kernel;
pub(crate) mod random;
pub(crate) mod run_bpf;
pub(crate) mod run_ir;
pub(crate) mod script;

use rbtrace_codegen::kernel::Release;

/// The newest kernel, or 5.10.
pub(crate) fn kernel_of(newest: bool) -> Release {
    if newest { Release::newest(2) } else { Release { number: (5, 10), ncpus: 2 } }
}
