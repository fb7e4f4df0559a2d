//! fentry and fexit of many functions.
//!
//! A program of fentry is bound to one function when it is loaded. Where a block has many, one program with the registers of
//! the call serves them all, as that of a kprobe does: with the same names and types.

use super::uses::Uses;
use crate::System;
use crate::attach;
use crate::context::Wants;
use crate::hir::AttachPoint;
use crate::target::Target;

/// Up to so many functions each get a program of their own, which costs less at each call.
const FEW: usize = 8;

/// Lets one program serve the functions of a block's fentry, and those of its fexit, where they are many and the block asks
/// for nothing that only a bound program has.
pub(super) fn share(points: &mut [AttachPoint], uses: &Uses, wants: Wants, system: &dyn System) {
    for on_return in [false, true] {
        let many = points.iter().filter(|p| is_bound(&p.target, on_return)).count() > FEW;
        if !many || uses.ctx || uses.limited || on_return && asks_for_arguments(uses) {
            continue;
        }
        if !system.attaches_to_many() {
            return;
        }
        for point in points.iter_mut().filter(|p| is_bound(&p.target, on_return)) {
            let shared = AttachPoint { target: shared(&point.target), ..point.clone() };
            if uses.args.is_empty() && !uses.whole_args || can_read(&shared, uses, wants, system) {
                *point = shared;
            }
        }
    }
}

fn is_bound(target: &Target, on_return: bool) -> bool {
    matches!(target, Target::KernelFunction { ret, .. } if *ret == on_return)
}

/// When a function returns, its registers hold its result and its arguments no more.
fn asks_for_arguments(uses: &Uses) -> bool {
    uses.whole_args || uses.matched || uses.args.iter().any(|name| &**name != "retval")
}

fn shared(target: &Target) -> Target {
    match target {
        Target::KernelFunction { func, module, ret, .. } => {
            let module = Some(module.clone()).filter(|m| &**m != "vmlinux");
            Target::Kprobe { func: func.clone(), module, offset: 0, ret: *ret }
        }
        other => other.clone(),
    }
}

/// Do registers hold all that the block asks for? What lies on the stack, only a bound program reads.
fn can_read(point: &AttachPoint, uses: &Uses, wants: Wants, system: &dyn System) -> bool {
    let context = attach::context(point, wants, system);
    let mut asked = context.args.list().iter().filter(|a| uses.whole_args || uses.args.contains(&a.name));
    asked.all(|argument| argument.at.is_ok())
}
