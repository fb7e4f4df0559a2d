//! What printing must know besides a value's bytes.

use super::gfp::GfpNames;
use super::lookup::{Cgroups, Users};
use crate::sys::time;
use rbtrace_lang::System;
use rbtrace_lang::hir::Config;
use rbtrace_lang::types::{Field, StackMode, StructType, TimeBase};
use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::rc::Rc;

/// Names of addresses.
pub trait Names {
    /// A kernel address as `symbol`, with `offset` as `symbol+offset`.
    fn kernel(&mut self, address: u64, offset: bool) -> String;
    /// An address of a process.
    fn user(&mut self, pid: u32, address: u64, offset: bool) -> String;
    /// Remembers a process's symbols now, for when it will be gone.
    fn preload(&mut self, _pid: u32) {}
    /// The lines of one kernel frame, innermost inlined function first, without indentation.
    fn kernel_frame(&mut self, address: u64, mode: StackMode) -> Vec<String> {
        vec![frame(address, mode, &self.kernel(address, true))]
    }
    /// The lines of one user frame.
    fn user_frame(&mut self, pid: u32, address: u64, mode: StackMode) -> Vec<String> {
        vec![frame(address, mode, &self.user(pid, address, true))]
    }
}

fn frame(address: u64, mode: StackMode, name: &str) -> String {
    match mode {
        StackMode::Bpftrace => name.to_owned(),
        StackMode::Perf => format!("{address:x} {name}"),
        StackMode::Raw | StackMode::BuildId => format!("{address:x}"),
    }
}

/// Addresses in hex: for when there are no symbols.
#[derive(Debug, Default)]
pub struct HexNames;

impl Names for HexNames {
    fn kernel(&mut self, address: u64, _: bool) -> String {
        format!("0x{address:x}")
    }
    fn user(&mut self, _: u32, address: u64, _: bool) -> String {
        format!("0x{address:x}")
    }
}

/// Reads the frames of a stack: from its id and whether it is a user stack.
pub trait Stacks {
    /// The raw entry of the stack map that holds this type of stack; empty where it is gone.
    fn frames(&self, ty: rbtrace_lang::types::StackType, user: bool, id: u32) -> Vec<u8>;
}

/// No stacks.
impl Stacks for () {
    fn frames(&self, _: rbtrace_lang::types::StackType, _: bool, _: u32) -> Vec<u8> {
        Vec::new()
    }
}

/// All that printing looks up. Each part is opened on first use.
pub struct Env<'a> {
    /// Symbols.
    pub names: RefCell<Box<dyn Names + 'a>>,
    /// Stack maps.
    pub stacks: Box<dyn Stacks + 'a>,
    /// Names of the attach points.
    pub probes: Vec<Rc<str>>,
    /// Bytes of the longest text that a script reads.
    pub max_strlen: usize,
    /// What follows a text that was cut.
    pub trailer: Rc<str>,
    /// Output goes to a terminal: what could steer it is shown escaped.
    pub terminal: bool,
    /// For members of structs that have not been asked for yet.
    pub system: Option<&'a dyn System>,
    /// `/etc/passwd`.
    pub users: OnceCell<Users>,
    /// cgroup hierarchies.
    pub cgroups: OnceCell<Cgroups>,
    /// Names of allocation flags.
    pub gfp: OnceCell<GfpNames>,
}

impl fmt::Debug for Env<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").field("probes", &self.probes.len()).finish_non_exhaustive()
    }
}

impl<'a> Env<'a> {
    /// An environment with these names and stacks.
    pub fn new(names: Box<dyn Names + 'a>, stacks: Box<dyn Stacks + 'a>) -> Self {
        Env {
            names: RefCell::new(names),
            stacks,
            probes: Vec::new(),
            max_strlen: Config::default().max_strlen as usize,
            trailer: "..".into(),
            terminal: false,
            system: None,
            users: OnceCell::new(),
            cgroups: OnceCell::new(),
            gfp: OnceCell::new(),
        }
    }

    /// Members of a struct; none where nobody knows them.
    pub fn fields(&self, ty: &StructType) -> Rc<[Field]> {
        if let Some(fields) = ty.fields.get() {
            return fields.clone();
        }
        self.system.and_then(|s| s.complete(ty).ok()).unwrap_or_else(|| Rc::from([]))
    }

    /// Nanoseconds since 1970 of a clock's time.
    pub fn wall_time(&self, nanos: u64, base: TimeBase) -> u64 {
        let clock = match base {
            TimeBase::Boot => libc::CLOCK_BOOTTIME,
            TimeBase::Monotonic => libc::CLOCK_MONOTONIC,
            TimeBase::Tai => libc::CLOCK_TAI,
        };
        let offset = time::clock(libc::CLOCK_REALTIME).wrapping_sub(time::clock(clock));
        nanos.wrapping_add(offset)
    }
}
