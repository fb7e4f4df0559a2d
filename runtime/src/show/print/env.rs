//! What printing must know besides a value's bytes.

use super::gfp::GfpNames;
use super::lookup::{Cgroups, Users};
use crate::files::symbols::Names;
use crate::sys::time;
use rbtrace_lang::System;
use rbtrace_lang::hir::Config;
use rbtrace_lang::types::{Field, StructType, TimeBase};
use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::rc::Rc;

/// Reads the frames of a stack: from its id and whether it is a user stack.
pub trait Stacks {
    /// The raw entry of the stack map that holds this type of stack; empty where it is gone.
    fn frames(&self, ty: rbtrace_lang::types::StackType, user: bool, id: u64) -> Vec<u8>;
}

/// No stacks.
impl Stacks for () {
    fn frames(&self, _: rbtrace_lang::types::StackType, _: bool, _: u64) -> Vec<u8> {
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
        let ahead = |clock| time::clock(libc::CLOCK_REALTIME).wrapping_sub(time::clock(clock));
        let offset = match base {
            TimeBase::Boot => ahead(libc::CLOCK_BOOTTIME),
            TimeBase::Monotonic => ahead(libc::CLOCK_MONOTONIC),
            TimeBase::Tai => whole_seconds(ahead(libc::CLOCK_TAI)),
        };
        nanos.wrapping_add(offset)
    }
}

/// TAI and UTC differ by whole seconds; what else two readings differ by passed between them.
fn whole_seconds(nanos: u64) -> u64 {
    const SECOND: i64 = 1_000_000_000;
    let seconds = (nanos as i64).wrapping_add(SECOND / 2).div_euclid(SECOND);
    seconds.wrapping_mul(SECOND) as u64
}
