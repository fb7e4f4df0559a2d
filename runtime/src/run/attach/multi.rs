//! One link for many functions: kprobe-multi (5.18, with FPROBE) and uprobe-multi (6.6), and sessions (`paired.rs`).

use super::{Attached, Failure, Link};
use crate::files::btf::{KernelTypes, KindTag};
use crate::files::zip;
use crate::sys::link;
pub use crate::sys::probe::Multi;
use rbtrace_codegen::kernel::Feature;
use rbtrace_codegen::object::{Attachment, Program, ProgramType};
use rbtrace_lang::target::{Target, UserCode};
use std::os::fd::BorrowedFd;

impl Multi {
    /// What the kernel must be able to do.
    pub fn feature(self) -> Feature {
        match self {
            Multi::Kprobe => Feature::KprobeMulti,
            Multi::Uprobe => Feature::UprobeMulti,
            Multi::KprobeSession => Feature::KprobeSession,
            Multi::UprobeSession => Feature::UprobeSession,
        }
    }

    /// The link that could serve this program; `None` where it has one place only, or places that such a
    /// link does not take.
    pub fn of(program: &Program) -> Option<Multi> {
        if program.load.ty != ProgramType::Kprobe || program.attach.len() < 2 {
            return None;
        }
        let whole =
            |a: &Attachment| matches!(&a.target, Target::Kprobe { func, offset: 0, .. } if !func.is_empty());
        // Such a link hands programs no more than the registers of a call.
        if !program.all_registers && program.attach.iter().all(whole) {
            return Some(Multi::Kprobe);
        }
        program.attach.iter().all(|a| a.target.is_of_user()).then_some(Multi::Uprobe)
    }

    /// For messages.
    pub fn name(self) -> &'static str {
        match self {
            Multi::Kprobe => "kprobe-multi",
            Multi::Uprobe => "uprobe-multi",
            Multi::KprobeSession => "kprobe-session",
            Multi::UprobeSession => "uprobe-session",
        }
    }

    /// Attaches to all places: one link for each file, entries and returns apart.
    pub fn attach(self, prog: BorrowedFd, program: &Program, pid: Option<i32>) -> Attached {
        let mut all = Link { method: self.name(), ..Link::default() };
        let mut rest: Vec<&Attachment> = program.attach.iter().collect();
        while let Some(first) = rest.first().copied() {
            let (same, other) = rest.into_iter().partition(|a| together(&first.target, &a.target));
            rest = other;
            let fd = match self {
                Multi::Kprobe | Multi::KprobeSession => kernel(prog, &same, self.attach_type()),
                Multi::Uprobe | Multi::UprobeSession => user(prog, &same, pid, self.attach_type()),
            };
            all.links.push(fd?);
        }
        Ok(all)
    }
}

/// Do the programs of multi links at one function's return run newest first? Since fprobes are part of the function graph
/// tracer (6.14), which keeps `struct fprobe_hlist`; before, returns undid the order of the entries.
pub(super) fn returns_newest_first() -> bool {
    let found = KernelTypes::default().find(Some("vmlinux"), KindTag::Struct, "fprobe_hlist");
    matches!(found, Ok(Some(_)))
}

/// Can one link serve both?
fn together(a: &Target, b: &Target) -> bool {
    match (a, b) {
        (Target::Kprobe { ret: a, .. }, Target::Kprobe { ret: b, .. }) => a == b,
        _ => match (a.user_code(), b.user_code()) {
            (Some(a), Some(b)) => (a.path, a.ret, a.pid) == (b.path, b.ret, b.pid),
            _ => false,
        },
    }
}

type Made = Result<std::os::fd::OwnedFd, Failure>;

fn cookie(place: &Attachment) -> u64 {
    place.points.first().map_or(0, |id| u64::from(id.0))
}

fn kernel(prog: BorrowedFd, places: &[&Attachment], attach: u32) -> Made {
    let mut on_return = false;
    let mut functions = Vec::with_capacity(places.len());
    for place in places {
        if let Target::Kprobe { func, ret, .. } = &place.target {
            on_return = *ret;
            functions.push((&**func, cookie(place)));
        }
    }
    Ok(link::kprobe_multi(prog, &functions, on_return, attach)?)
}

fn user(prog: BorrowedFd, places: &[&Attachment], pid: Option<i32>, attach: u32) -> Made {
    let mut file = ("", false, None);
    let mut all = Vec::with_capacity(places.len());
    for place in places {
        if let Some(UserCode { path, offset, ret, semaphore, pid }) = place.target.user_code() {
            file = (path, ret, pid);
            all.push(link::UserPlace { offset, cookie: cookie(place), counter: semaphore.unwrap_or(0) });
        }
    }
    let (path, on_return, own) = file;
    Ok(link::uprobe_multi(prog, zip::file_of(path), &all, on_return, own.or(pid), attach)?)
}
