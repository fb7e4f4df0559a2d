//! The values that a call is given.

use crate::ir::Value;
use std::ops::{Deref, DerefMut};

/// What a call is given: at most five values, one for each of the registers r1 to r5. It lies in the operation itself,
/// so that operations can be copied without asking for memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Args {
    values: [Value; Args::MOST],
    len: u8,
}

impl Args {
    /// The most that a call takes.
    pub const MOST: usize = 5;

    /// These values; `None` where they are too many.
    pub fn new(values: &[Value]) -> Option<Args> {
        let mut args = Args { values: [Value(0); Args::MOST], len: values.len() as u8 };
        args.values.get_mut(..values.len())?.copy_from_slice(values);
        Some(args)
    }
}

impl<const N: usize> From<[Value; N]> for Args {
    fn from(values: [Value; N]) -> Args {
        const { assert!(N <= Args::MOST) }
        let mut args = Args { values: [Value(0); Args::MOST], len: N as u8 };
        args.values[..N].copy_from_slice(&values);
        args
    }
}

impl Deref for Args {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.values[..self.len as usize]
    }
}

impl DerefMut for Args {
    fn deref_mut(&mut self) -> &mut [Value] {
        &mut self.values[..self.len as usize]
    }
}

impl std::fmt::Debug for Args {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self[..].fmt(f)
    }
}
