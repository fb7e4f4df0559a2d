//! One link for many functions: kprobe-multi (5.18, with FPROBE) and uprobe-multi (6.6).

use super::{Attached, Failure, Link};
use crate::load::{TRACE_KPROBE_MULTI, TRACE_UPROBE_MULTI};
use crate::sys::link;
use rbtrace_codegen::object::{Program, ProgramType};
use rbtrace_lang::hir::{Attach, AttachPoint};
use std::os::fd::BorrowedFd;

/// What kind of link can serve all places of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multi {
    /// Kernel functions.
    Kprobe,
    /// Places of one or more files.
    Uprobe,
}

impl Multi {
    /// The link that could serve this program; `None` where it has one place only, or places that such a
    /// link does not take.
    pub fn of(program: &Program, points: &[&AttachPoint]) -> Option<Multi> {
        if program.ty != ProgramType::Kprobe || points.len() < 2 {
            return None;
        }
        let whole =
            |p: &&AttachPoint| matches!(&p.kind, Attach::Kprobe { func, offset: 0, .. } if !func.is_empty());
        // Such a link hands programs no more than the registers of a call.
        if !program.all_registers && points.iter().all(whole) {
            return Some(Multi::Kprobe);
        }
        points.iter().all(|p| matches!(p.kind, Attach::Uprobe { .. })).then_some(Multi::Uprobe)
    }

    /// The attach type that its programs are loaded with.
    pub fn attach_type(self) -> u32 {
        match self {
            Multi::Kprobe => TRACE_KPROBE_MULTI,
            Multi::Uprobe => TRACE_UPROBE_MULTI,
        }
    }

    /// For messages.
    pub fn name(self) -> &'static str {
        match self {
            Multi::Kprobe => "kprobe-multi",
            Multi::Uprobe => "uprobe-multi",
        }
    }

    /// Attaches to all places: one link for each file, entries and returns apart.
    pub fn attach(self, prog: BorrowedFd, points: &[&AttachPoint], pid: Option<i32>) -> Attached {
        let mut all = Link { method: self.name(), ..Link::default() };
        let mut rest = points.to_vec();
        while let Some(first) = rest.first().copied() {
            let (same, other) = rest.into_iter().partition(|p| together(&first.kind, &p.kind));
            rest = other;
            let fd = match self {
                Multi::Kprobe => kernel(prog, &same),
                Multi::Uprobe => user(prog, &same, pid),
            };
            all.links.push(fd?);
        }
        Ok(all)
    }
}

/// Can one link serve both?
fn together(a: &Attach, b: &Attach) -> bool {
    match (a, b) {
        (Attach::Kprobe { ret: a, .. }, Attach::Kprobe { ret: b, .. }) => a == b,
        (
            Attach::Uprobe { path: a, ret: a_ret, pid: a_pid, .. },
            Attach::Uprobe { path: b, ret: b_ret, pid: b_pid, .. },
        ) => (a, a_ret, a_pid) == (b, b_ret, b_pid),
        _ => false,
    }
}

type Made = Result<std::os::fd::OwnedFd, Failure>;

fn kernel(prog: BorrowedFd, points: &[&AttachPoint]) -> Made {
    let mut on_return = false;
    let mut functions = Vec::with_capacity(points.len());
    for point in points {
        if let Attach::Kprobe { func, ret, .. } = &point.kind {
            on_return = *ret;
            functions.push((&**func, u64::from(point.id.0)));
        }
    }
    Ok(link::kprobe_multi(prog, &functions, on_return)?)
}

fn user(prog: BorrowedFd, points: &[&AttachPoint], pid: Option<i32>) -> Made {
    let mut file = ("", false, None);
    let mut places = Vec::with_capacity(points.len());
    for point in points {
        if let Attach::Uprobe { path, offset, ret, pid, .. } = &point.kind {
            file = (&**path, *ret, *pid);
            places.push((*offset, u64::from(point.id.0)));
        }
    }
    let (path, on_return, own) = file;
    Ok(link::uprobe_multi(prog, path, &places, on_return, own.or(pid))?)
}
