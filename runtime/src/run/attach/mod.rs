//! Attaching programs: one file for each kind of place.
//!
//! **Invariant**: whatever a function here attaches is gone when its [`Link`] is dropped.

mod fentry;
mod hot;
mod iterator;
mod kprobe;
mod multi;
mod paired;
mod perf_event;
mod raw_tracepoint;
mod refusal;
mod tracepoint;
mod uprobe;
mod watchpoint;

use crate::sys::{self, link, perf};
use rbtrace_codegen::object::{Attachment, Object, Point, Program};
use rbtrace_lang::Diagnostic;
use rbtrace_lang::target::Target;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub use hot::patterns as hot_patterns;
pub use iterator::List;
pub use kprobe::Namesakes;
pub use multi::Multi;
pub use paired::{IS_RETURN, Pair, pairs};

/// An attached program.
#[derive(Debug, Default)]
pub struct Link {
    /// Perf events: can be disabled at once, are slow to close.
    pub events: Vec<OwnedFd>,
    /// BPF links.
    pub links: Vec<OwnedFd>,
    /// How it was attached, for `-v`.
    pub method: &'static str,
    /// What is worth knowing about it.
    pub note: Option<String>,
    /// Number of the program.
    pub program: usize,
    /// Of an iterator: what becomes of its list.
    pub list: Option<List>,
}

/// Why a program could not be attached.
#[derive(Debug)]
pub struct Failure {
    /// What the system said.
    pub error: io::Error,
    /// What to do about it.
    pub hint: Option<String>,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure { error, hint: None }
    }
}

impl Failure {
    fn new(errno: i32, hint: impl Into<String>) -> Self {
        Failure { error: io::Error::from_raw_os_error(errno), hint: Some(hint.into()) }
    }

    /// The message at the attach point.
    pub fn diagnostic(&self, point: &Point) -> Diagnostic {
        let what = format!("Failed to attach {}: {}", point.name, sys::describe(&self.error));
        let error = Diagnostic::error(point.span, what);
        match (&self.hint, self.error.raw_os_error()) {
            (Some(hint), _) => error.hint(hint.clone()),
            (None, Some(libc::EPERM | libc::EACCES)) => error.hint(crate::run::load::permission_hint()),
            (None, _) => sys::limits::hint(&self.error).into_iter().fold(error, Diagnostic::hint),
        }
    }
}

/// Result of attaching.
pub type Attached = Result<Link, Failure>;

/// Attaches a loaded program to one of its targets. `pid`: only this process, where the kind can.
pub fn attach(
    prog: BorrowedFd,
    (object, program): (&Object, &Program),
    to: &Attachment,
    pid: Option<i32>,
    namesakes: &Namesakes,
) -> Attached {
    let cookie = to.points.first().filter(|_| program.wants_cookie).map(|id| u64::from(id.0));
    match &to.target {
        Target::Begin | Target::End | Target::SelfSignal(_) | Target::Block { .. } => Ok(Link::default()),
        Target::Kprobe { func, module, offset, ret } => {
            let spot = kprobe::Spot { module: module.as_deref(), func, offset: *offset, ret: *ret };
            kprobe::attach(prog, &spot, cookie, || namesakes.of(object, module.as_deref(), func))
        }
        Target::KernelFunction { func, .. } => fentry::attach(prog, func),
        Target::Iterator { pin, pid, .. } => iterator::attach(prog, pin.clone(), *pid),
        Target::Tracepoint { id, .. } => tracepoint::attach(prog, *id, cookie),
        Target::RawTracepoint { event, .. } => raw_tracepoint::attach(prog, event, cookie),
        Target::Interval(period) => perf_event::interval(prog, *period, cookie),
        Target::Profile(period) => perf_event::profile(prog, *period, pid, cookie),
        Target::PerfEvent { perf_type, config, period } => {
            let rate = perf::Rate::Period(*period);
            let event = perf::Event::Sampled { perf_type: *perf_type, config: *config, rate };
            perf_event::everywhere(prog, &event, pid, cookie)
        }
        Target::Watchpoint { address, length, access } => {
            let place = watchpoint::Place { address: *address, length: *length, access: *access };
            watchpoint::attach(prog, &place, pid)
        }
        Target::Uprobe { .. } | Target::Usdt { .. } => match to.target.user_code() {
            Some(code) => uprobe::attach(prog, &code, code.pid.or(pid), cookie),
            None => Ok(Link::default()),
        },
    }
}

/// The order in which to attach the programs of an object; `is_multi`: is it a multi link that serves the kprobes of a
/// program?
///
/// Where the kernel runs the programs of one place newest first, they are attached from the last to the first: they run in
/// the order of the script.
pub fn order(object: &Object, is_multi: impl Fn(&Program) -> bool) -> Vec<usize> {
    let on_return =
        |p: &Program| p.attach.iter().any(|a| matches!(a.target, Target::Kprobe { ret: true, .. }));
    let several = object.programs.iter().filter(|p| on_return(p)).count() > 1;
    let reversed = |i: &usize| {
        let program = &object.programs[*i];
        let newest_first = program.attach.iter().any(|a| runs_newest_first(&a.target));
        newest_first || several && on_return(program) && is_multi(program) && multi::returns_newest_first()
    };
    let (reversed, mut order): (Vec<usize>, Vec<usize>) = (0..object.programs.len()).partition(reversed);
    order.extend(reversed.into_iter().rev());
    order
}

/// Does the kernel run the newest program of a place first? It prepends to the lists of its kprobes (`add_new_kprobe`,
/// kernel/kprobes.c), uprobes (`consumer_add`, kernel/events/uprobes.c) and trampolines (`bpf_trampoline_link_prog`).
/// Kretprobes are entered newest first, so they return oldest first.
fn runs_newest_first(target: &Target) -> bool {
    matches!(target, Target::Kprobe { ret: false, .. } | Target::KernelFunction { .. }) || target.is_of_user()
}

/// How programs are attached on kernels before 5.15.
const NO_LINK: &str = "perf event";

/// Attaches a program to an event: by a link, or without one on kernels before 5.15.
fn join(prog: BorrowedFd, event: OwnedFd, cookie: Option<u64>, into: &mut Link) -> Result<(), Failure> {
    match link::perf_event(prog, event.as_fd(), cookie.unwrap_or(0)) {
        Ok(l) => into.links.push(l),
        Err(e) if cookie.is_none() && e.raw_os_error() == Some(libc::EINVAL) => {
            perf::set_bpf(event.as_fd(), prog)?;
            into.method = NO_LINK;
        }
        Err(e) => return Err(e.into()),
    }
    perf::enable(event.as_fd())?;
    into.events.push(event);
    Ok(())
}

impl Link {
    /// Lets nothing fire any more, without waiting.
    pub fn disable(&self) {
        for event in &self.events {
            // It cannot fail on a descriptor that is ours; closing it comes anyway.
            let _ = perf::disable(event.as_fd());
        }
    }
}

/// Threads that take programs off side by side.
const DETACHERS: usize = 64;

/// Takes all programs off. Returns the perf events: they hold no program any more, but closing one waits for
/// a grace period of its own (`tracepoint_synchronize_unregister`, about 75 ms), one after another.
///
/// Closing a link of a perf event waits too (`synchronize_rcu_tasks_trace`, since 6.13), but those waits are
/// shared by all who wait at the same time: so each is closed by a thread of its own.
pub fn detach(links: Vec<Link>) -> Vec<OwnedFd> {
    let mut events = Vec::new();
    let mut slow = Vec::new();
    for link in links {
        link.disable();
        if !link.events.is_empty() {
            slow.extend(link.links);
        }
        events.extend(link.events);
    }
    let share = slow.len().div_ceil(DETACHERS).max(1);
    std::thread::scope(|scope| {
        while slow.len() > share {
            let some = slow.split_off(slow.len() - share);
            // Where no thread can be had, the closure and what it owns is dropped: closed here.
            let _ = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, move || drop(some));
        }
        drop(slow);
    });
    events
}

/// Bytes of stack for a thread that only closes.
const STACK: usize = 64 * 1024;
