//! The processes of `-c` and `-p`: their symbols are remembered while they live.

use super::Session;
use crate::run::events::Printer;
use rbtrace_lang::types::Type;
use std::time::{Duration, Instant};

/// First pause between two looks at a process; each is twice as long as the one before.
const FIRST: Duration = Duration::from_millis(2);
/// Longest pause.
const LONGEST: Duration = Duration::from_secs(2);

/// When to look at the process again.
#[derive(Debug)]
pub(super) struct Watch {
    next: Instant,
    pause: Duration,
}

impl Watch {
    /// `None` where nothing is printed that names user addresses.
    pub(super) fn new(printer: &Printer) -> Option<Watch> {
        let records = printer.object.records.iter().flat_map(|r| &r.fields).map(|f| &f.ty);
        let tables = printer.tables.iter().flatten().flat_map(|t| t.key.iter().chain([&t.value]));
        let needed = records.chain(tables).any(names_user_addresses);
        needed.then(|| Watch { next: Instant::now(), pause: FIRST })
    }

    fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let due = now >= self.next;
        if due {
            self.next = now + self.pause;
            self.pause = (self.pause * 2).min(LONGEST);
        }
        due
    }
}

fn names_user_addresses(ty: &Type) -> bool {
    match ty {
        Type::Usym | Type::UStack(_) => true,
        Type::Tuple(t) => t.fields.iter().any(|(_, t)| names_user_addresses(t)),
        Type::Array { elem, .. } => names_user_addresses(elem),
        _ => false,
    }
}

impl Session<'_> {
    /// Looks at the processes if it is time to.
    pub(super) fn remember_symbols(&mut self) {
        let Some(watch) = &mut self.watch else { return };
        if !watch.is_due() {
            return;
        }
        let child = self.child.as_ref().map(super::child::Running::pid);
        for pid in child.into_iter().chain(self.options.pid) {
            self.printer.env.names.borrow_mut().preload(pid as u32);
        }
    }

    /// Milliseconds to wait at most, as it may be time to look before.
    pub(super) fn patience(&self, millis: i32) -> i32 {
        let Some(watch) = &self.watch else { return millis };
        if self.child.is_none() && self.options.pid.is_none() {
            return millis;
        }
        let until = watch.next.saturating_duration_since(Instant::now()).as_millis();
        millis.min(i32::try_from(until).unwrap_or(millis).max(1))
    }
}
