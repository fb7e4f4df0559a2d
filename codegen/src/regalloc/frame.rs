//! Where slots lie: on the stack by liveness, or in per-CPU scratch memory what does not fit.
//!
//! The verifier allows 512 bytes for a chain of calls, callbacks included, each frame rounded up to 32
//! (`check_max_stack_depth` in `kernel/bpf/verifier.c`).

use super::slot_liveness::SlotConflicts;
use crate::emit::mach::MFunc;
use crate::error::BackendError;
use crate::ir::*;
use crate::passes::expand_memory::slot_align;
use crate::passes::scratch;
use std::collections::HashMap;

/// `MAX_BPF_STACK`
const MAX_STACK: u32 = 512;
/// Stack that is kept free for spilled registers in the first attempt.
pub const SPILL_RESERVE: u32 = 32;

/// The slots of one function.
#[derive(Debug, Default)]
pub struct SlotLayout {
    /// By slot: offset from r10; `None` for those in scratch memory.
    offsets: Vec<Option<i32>>,
    /// Bytes that slots take, a multiple of 8.
    pub stack_bytes: u32,
}

impl SlotLayout {
    /// Offsets from r10 by slot, of all whose address the function takes; each has a place on the stack.
    pub fn offsets(&self, f: &Function) -> Result<HashMap<Slot, i32>, BackendError> {
        let mut offsets = HashMap::new();
        for inst in f.blocks.iter().flat_map(|b| &b.insts) {
            let Op::SlotAddr(slot) = inst.op else { continue };
            let Some(offset) = self.offsets.get(slot.0 as usize).copied().flatten() else {
                let message = format!("internal: slot {} has no place on the stack", slot.0);
                return Err(BackendError::new(inst.span, message));
            };
            offsets.insert(slot, offset);
        }
        Ok(offsets)
    }
}

/// The slots of a module.
#[derive(Debug)]
pub struct Frames {
    /// By function.
    pub funcs: Vec<SlotLayout>,
    /// Bytes of scratch memory in use.
    pub scratch_bytes: u32,
}

impl Frames {
    /// Keeps the frames of these functions, which are in ascending order.
    pub fn keep(&mut self, funcs: &[usize]) {
        let mut i = 0;
        self.funcs.retain(|_| {
            i += 1;
            funcs.contains(&(i - 1))
        });
    }
}

/// What a frame takes of the 512 bytes.
fn rounded(bytes: u32) -> u32 {
    bytes.max(1).next_multiple_of(32)
}

/// Places the slots of all functions; those in scratch memory become offsets from its address.
/// `reserve`: bytes of each function's frame that spilled registers take.
pub fn place(module: &mut Module, reserve: &[u32]) -> Result<Frames, BackendError> {
    let calls = CallGraph::new(module);
    let needs: Vec<u32> = module.funcs.iter().zip(reserve).map(|(f, r)| rounded(fixed(f) + r)).collect();
    let mut frames = Frames { funcs: vec![], scratch_bytes: 0 };
    frames.funcs.resize_with(module.funcs.len(), SlotLayout::default);
    for &i in &calls.callees_first {
        let budget = calls.budget(i, &frames, &needs, reserve);
        let function = &module.funcs[i];
        let (frame, moved) = place_function(function, budget.saturating_sub(reserve[i]));
        frames.funcs[i] = frame;
        if !moved.is_empty() {
            let at = frames.scratch_bytes;
            frames.scratch_bytes = scratch::use_for(module, i, &moved, at)?;
            frames.funcs[i].offsets.resize(module.funcs[i].slots.len(), None);
            place_new(&module.funcs[i], &mut frames.funcs[i]);
        }
    }
    Ok(frames)
}

/// Bytes of slots that must lie on the stack.
fn fixed(f: &Function) -> u32 {
    f.slots.iter().filter(|s| s.memory == Memory::Stack).map(|s| s.size.next_multiple_of(8)).sum()
}

/// Slots that moving others to scratch memory has added go below the rest.
fn place_new(f: &Function, frame: &mut SlotLayout) {
    for (s, data) in f.slots.iter().enumerate() {
        if data.memory == Memory::Stack && frame.offsets[s].is_none() {
            frame.stack_bytes = (frame.stack_bytes + data.size).next_multiple_of(8);
            frame.offsets[s] = Some(-(frame.stack_bytes as i32));
        }
    }
}

/// The bytes by which the deepest chain of frames exceeds the stack; 0 where it fits.
pub fn overflow(module: &Module, funcs: &[MFunc]) -> u32 {
    let used: Vec<u32> = funcs.iter().map(|f| rounded(f.slot_bytes + 8 * f.spills)).collect();
    CallGraph::new(module).depth(0, &used).saturating_sub(MAX_STACK)
}

/// Raises the reserves of functions that spilled more.
pub fn raise<'a>(reserve: &mut [u32], funcs: impl Iterator<Item = (usize, &'a MFunc)>) {
    for (i, f) in funcs {
        reserve[i] = reserve[i].max(8 * f.spills) + 32;
    }
}

/// Packs slots by liveness. Those that do not fit in `budget` bytes are packed likewise into scratch memory, and
/// returned with their offsets there.
fn place_function(f: &Function, budget: u32) -> (SlotLayout, Vec<(Slot, u32)>) {
    let conflicts = SlotConflicts::new(f);
    let used = |s: &usize| conflicts.used(*s);
    let (starts, mut order): (Vec<usize>, Vec<usize>) =
        (0..f.slots.len()).filter(used).partition(|&s| f.slots[s].memory == Memory::ScratchStart);
    order.sort_by_key(|&s| (!conflicts.on_stack(f, s), f.slots[s].size, s));
    let mut frame = SlotLayout { offsets: vec![None; f.slots.len()], stack_bytes: 0 };
    let mut moved = vec![];
    for s in order {
        let end = lowest_place(f, &frame.offsets, &conflicts, s);
        if conflicts.on_stack(f, s) || end <= budget && f.slots[s].memory == Memory::Any {
            frame.offsets[s] = Some(-(end as i32));
            frame.stack_bytes = frame.stack_bytes.max(end.next_multiple_of(8));
        } else {
            moved.push(s);
        }
    }
    let mut below = vec![None; f.slots.len()];
    for &s in &moved {
        below[s] = Some(-(lowest_place(f, &below, &conflicts, s) as i32));
    }
    let total = below.iter().flatten().map(|o| o.unsigned_abs()).max().unwrap_or(0).next_multiple_of(8);
    let start = |s: usize| below[s].map(|o| (Slot(s as u32), total - o.unsigned_abs()));
    let starts = starts.iter().map(|&s| (Slot(s as u32), 0));
    (frame, moved.iter().copied().filter_map(start).chain(starts).collect())
}

/// Distance from the end of the memory to the start of slot `s`, the smallest at which it meets no conflicting slot.
fn lowest_place(f: &Function, placed: &[Option<i32>], conflicts: &SlotConflicts, s: usize) -> u32 {
    let (size, align) = (f.slots[s].size.max(1), slot_align(&f.slots[s]));
    let mut end = size.next_multiple_of(align);
    let mut taken: Vec<(u32, u32)> = conflicts
        .of(s)
        .filter_map(|t| Some((t, placed[t]?.unsigned_abs())))
        .map(|(t, end)| (end - f.slots[t].size.max(1), end))
        .collect();
    taken.sort_unstable();
    for (from, to) in taken {
        if from < end && end - size < to {
            end = (to + size).next_multiple_of(align);
        }
    }
    end
}

/// Which functions a function calls or hands out as callbacks.
struct CallGraph {
    callees: Vec<Vec<usize>>,
    callees_first: Vec<usize>,
}

impl CallGraph {
    fn new(module: &Module) -> Self {
        let callees: Vec<Vec<usize>> = module.funcs.iter().map(callees).collect();
        let mut g = CallGraph { callees, callees_first: vec![] };
        let mut seen = vec![false; module.funcs.len()];
        (0..module.funcs.len()).for_each(|f| g.visit(f, &mut seen));
        g
    }

    fn visit(&mut self, f: usize, seen: &mut [bool]) {
        if !std::mem::replace(&mut seen[f], true) {
            for g in self.callees[f].clone() {
                self.visit(g, seen);
            }
            self.callees_first.push(f);
        }
    }

    /// Bytes of the deepest chain of frames that begins at `f`.
    fn depth(&self, f: usize, frames: &[u32]) -> u32 {
        frames[f] + self.callees[f].iter().map(|&g| self.depth(g, frames)).max().unwrap_or(0)
    }

    /// Number of frames of the longest chain that begins at `f`.
    fn levels(&self, f: usize) -> u32 {
        1 + self.callees[f].iter().map(|&g| self.levels(g)).max().unwrap_or(0)
    }

    /// Stack for `f`, given the frames of its callees: the rest for the entry, an equal part for others. What its
    /// callers cannot do without is left to them.
    fn budget(&self, f: usize, frames: &Frames, needs: &[u32], reserve: &[u32]) -> u32 {
        let used: Vec<u32> =
            frames.funcs.iter().zip(reserve).map(|(f, r)| rounded(f.stack_bytes + r)).collect();
        let below = self.callees[f].iter().map(|&g| self.depth(g, &used)).max().unwrap_or(0);
        let rest = MAX_STACK.saturating_sub(below + self.above(f, needs));
        let share = MAX_STACK / self.levels(0) / 32 * 32;
        if f == 0 { rest } else { rest.min(share) }
    }

    /// Bytes that the callers of `f` need at least.
    fn above(&self, f: usize, needs: &[u32]) -> u32 {
        let callers = (0..self.callees.len()).filter(|&g| self.callees[g].contains(&f));
        callers.map(|g| needs[g] + self.above(g, needs)).max().unwrap_or(0)
    }
}

fn callees(f: &Function) -> Vec<usize> {
    let mut out = vec![];
    for i in f.blocks.iter().flat_map(|b| &b.insts) {
        if let Op::FuncAddr(g) | Op::CallLocal(g, _) = &i.op {
            out.push(g.0 as usize);
        }
    }
    out.sort_unstable();
    out.dedup();
    out
}
