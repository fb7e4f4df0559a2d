//! The unwind tables of `dw_ustack`: made for the processes that were named, and for those that they start.

use super::{RunError, Session, system_error};
use crate::files::unwind::{Mapped, Tables};
use crate::run::load;
use crate::sys::{map, trace};
use rbtrace_codegen::object::{Control, MapRole, Object, UnwindRow};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long a process's mappings are taken for the same: stacks that cannot be unwound would have them read without end.
const TRUSTED: Duration = Duration::from_millis(100);
/// Generations between a process that was named and one that has a table.
const MOST_GENERATIONS: u32 = 32;

/// The tables of one session.
pub(super) struct Unwinder {
    by_process: Rc<OwnedFd>,
    tables: Tables,
    named: Vec<u32>,
    known: HashMap<u32, Known>,
}

/// What a table was made of.
struct Known {
    mapped: Mapped,
    checked: Instant,
}

impl Unwinder {
    /// `None` where no program unwinds stacks.
    pub(super) fn new(object: &Object, fds: &[Rc<OwnedFd>]) -> Option<Unwinder> {
        let at = object.maps.iter().position(|m| m.role == MapRole::Unwind)?;
        let by_process = fds.get(at)?.clone();
        Some(Unwinder { by_process, tables: Tables::default(), named: Vec::new(), known: HashMap::new() })
    }

    /// A process that was named: its table is made now.
    fn name(&mut self, pid: u32) -> io::Result<()> {
        self.named.push(pid);
        self.renew(pid)
    }

    /// Makes the table of a process that lacks one, or lacks what it has mapped since.
    fn wanted(&mut self, pid: u32) -> io::Result<()> {
        if self.known.get(&pid).is_some_and(|k| k.checked.elapsed() < TRUSTED) || !self.is_followed(pid) {
            return Ok(());
        }
        self.renew(pid)
    }

    /// Was the process named, or one of those that led to it?
    fn is_followed(&self, pid: u32) -> bool {
        let mut next = Some(pid);
        (0..MOST_GENERATIONS).any(|_| match next {
            Some(pid) if self.named.contains(&pid) => true,
            Some(pid) => {
                next = parent(pid);
                false
            }
            None => false,
        })
    }

    fn renew(&mut self, pid: u32) -> io::Result<()> {
        let Some(mapped) = Mapped::of(pid) else { return Ok(()) };
        let changed = self.known.get(&pid).is_none_or(|k| k.mapped != mapped);
        if changed {
            let table = self.tables.table(pid, &mapped);
            self.put(pid, &table)?;
        }
        self.known.insert(pid, Known { mapped, checked: Instant::now() });
        Ok(())
    }

    /// Gives the programs a process's table, in place of the one that it may have.
    fn put(&self, pid: u32, table: &[u8]) -> io::Result<()> {
        let rows = (table.len() / UnwindRow::SIZE as usize) as u32;
        if rows == 0 {
            return map::delete(self.by_process.as_fd(), &pid.to_le_bytes()).map(drop);
        }
        let fd = load::unwind_table(rows)?;
        let keys: Vec<u8> = (0..rows).flat_map(u32::to_le_bytes).collect();
        map::update_all(fd.as_fd(), &keys, table, rows)?;
        map::update(self.by_process.as_fd(), &pid.to_le_bytes(), &fd.as_raw_fd().to_le_bytes())
    }
}

/// Field 4 of `/proc/PID/stat`.
fn parent(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok().filter(|&pid| pid != 0)
}

impl Session<'_> {
    /// Makes the tables of the processes that run already.
    pub(super) fn prepare_unwinding(&mut self, processes: &[i32]) -> Result<(), RunError> {
        let Some(unwinder) = &mut self.unwinder else { return Ok(()) };
        for &pid in processes {
            unwinder.name(pid as u32).map_err(|e| failed(pid, &e))?;
        }
        Ok(())
    }

    /// Lets the child of `-c` run. Where its stacks are shown, what it has mapped is looked at before its program's first
    /// instruction: it may have ended a moment later.
    pub(super) fn start_child(&mut self) -> Result<(), RunError> {
        let Some(child) = &mut self.child else { return Ok(()) };
        if self.watch.is_none() && self.unwinder.is_none() {
            return child.start();
        }
        let pid = child.pid();
        let held = trace::hold(pid).map_err(|e| cannot_hold(pid, &e))?;
        child.start()?;
        held.until_entered().map_err(|e| cannot_hold(pid, &e))?;
        self.printer.env.names.borrow_mut().preload(pid as u32);
        self.prepare_unwinding(&[pid])
    }

    /// Makes the table that a program lacked.
    pub(super) fn serve_unwinding(&mut self) {
        let Some(unwinder) = &mut self.unwinder else { return };
        let pid = self.control.get(Control::UNWIND);
        if pid == 0 {
            return;
        }
        self.control.set(Control::UNWIND, 0);
        self.printer.env.names.borrow_mut().preload(pid as u32);
        // Without its table the process's stacks are cut, which is counted and said.
        let _ = unwinder.wanted(pid as u32);
    }
}

fn cannot_hold(pid: i32, error: &io::Error) -> RunError {
    system_error(&format!("process {pid} cannot be held at its start"), error)
}

fn failed(pid: i32, error: &io::Error) -> RunError {
    system_error(&format!("dw_ustack() cannot prepare process {pid}"), error)
}
