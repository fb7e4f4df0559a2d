//! Naming addresses, whoever does it.

use super::{SourceFrame, Sym};
use std::rc::Rc;

/// What names addresses.
pub trait Names {
    /// The symbol of a kernel address.
    fn kernel(&mut self, address: u64) -> Option<Sym>;
    /// The symbol of an address of a process (its thread group's number).
    fn user(&mut self, pid: u32, address: u64) -> Option<Sym>;
    /// Source lines of a kernel address, innermost inlined call first. Empty without debug information.
    fn kernel_source(&mut self, address: u64) -> Rc<[SourceFrame]>;
    /// Source lines of an address of a process.
    fn user_source(&mut self, pid: u32, address: u64) -> Rc<[SourceFrame]>;
    /// Remembers a process's mappings and their files now, for when it will be gone.
    fn preload(&mut self, pid: u32);
    /// Reasons for missing names that the user should know; each is reported once.
    fn take_notes(&mut self) -> Vec<String> {
        vec![]
    }
}

/// No names: addresses are shown in hex.
#[derive(Debug, Default)]
pub struct HexNames;

impl Names for HexNames {
    fn kernel(&mut self, _: u64) -> Option<Sym> {
        None
    }
    fn user(&mut self, _: u32, _: u64) -> Option<Sym> {
        None
    }
    fn kernel_source(&mut self, _: u64) -> Rc<[SourceFrame]> {
        Rc::default()
    }
    fn user_source(&mut self, _: u32, _: u64) -> Rc<[SourceFrame]> {
        Rc::default()
    }
    fn preload(&mut self, _: u32) {}
}
