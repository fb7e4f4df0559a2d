//! What went wrong while the script ran.

use super::{Session, placeless_warning};
use crate::show::sink::Said;
use rbtrace_codegen::object::{Control, Counter, Fault, Object};
use rbtrace_lang::Diagnostic;

impl<'a> Session<'a> {
    pub(super) fn counts(&self) -> Vec<(&'a Counter, u64)> {
        let words = (0u32..).map(|i| self.control.get(Control::COUNTERS + i));
        self.object.counters.iter().zip(words).collect()
    }

    /// How often each counter of a kind has grown since it was last reported.
    fn news(&mut self, wanted: impl Fn(&Fault) -> bool) -> Vec<(&'a Counter, u64)> {
        let counts = self.counts();
        let mut news = Vec::new();
        for ((counter, count), before) in counts.into_iter().zip(&mut self.reported) {
            if wanted(&counter.what) && count > *before {
                news.push((counter, count - *before));
                *before = count;
            }
        }
        news
    }

    /// Reports how many events were lost since the last time.
    pub(super) fn report_lost(&mut self) {
        let new: u64 = self.news(|f| *f == Fault::EventLost).iter().map(|(_, n)| n).sum();
        if new == 0 {
            return;
        }
        self.printer.say(Said::Lost(new));
    }

    /// Reports reads that have failed since the last time (`-k`).
    pub(super) fn report_reads(&mut self) {
        for (counter, _) in self.news(|f| matches!(f, Fault::ReadFailed | Fault::ReadUserFailed)) {
            let kernel = counter.what == Fault::ReadFailed;
            let helper = if kernel { "probe_read_kernel" } else { "probe_read_user" };
            self.printer.say(Said::ReadFailed(helper, counter.span));
        }
    }

    /// Reports what each place of the script could not do, and how often.
    pub(super) fn report_counters(&mut self) {
        for (counter, count) in self.counts().into_iter().filter(|(_, n)| *n > 0) {
            self.printer.say(Said::Warning(&describe(self.object, counter, count)));
        }
    }

    /// Reports commands that were not run because a signal ended the script.
    pub(super) fn report_skipped(&mut self) {
        let skipped = self.printer.skipped_commands();
        if skipped > 0 {
            let text =
                format!("{skipped} calls of system() were not run any more: a signal ended the script");
            self.printer.say(Said::Warning(&placeless_warning(text)));
        }
    }

    /// Reports why names of addresses are missing.
    pub(super) fn report_names(&mut self) {
        let notes = self.printer.env.names.borrow_mut().take_notes();
        for note in notes {
            self.printer.say(Said::Warning(&placeless_warning(note)));
        }
    }
}

fn describe(object: &Object, counter: &Counter, count: u64) -> Diagnostic {
    let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
    let (what, hint) = match &counter.what {
        Fault::EventLost => (
            format!("the ring buffer was full {times}: as many events of this place are lost"),
            Some("set perf_rb_pages to more, or print less (count in a map)".to_owned()),
        ),
        Fault::MapFull(id) => {
            let map = &object.tables[id.0 as usize];
            (
                format!("{} is full with {} keys: a new one was dropped {times}", map.name, map.max_entries),
                Some(format!(
                    "raise max_map_keys, or declare the map larger: let {} = hash({})",
                    map.name,
                    u64::from(map.max_entries) * 2
                )),
            )
        }
        Fault::ReadFailed => (format!("kernel memory could not be read {times}: the value is 0"), None),
        Fault::ReadUserFailed => (format!("user memory could not be read {times}: the value is 0"), None),
        Fault::DivisionByZero => (format!("divided by 0 {times}: the result is 1"), None),
        Fault::OutOfBounds => (format!("the index was outside the array {times}"), None),
        Fault::StackLost => (format!("A stack could not be stored: {times}"), None),
        Fault::NoUnwindTable => (
            format!("dw_ustack() had no unwind table of the process {times}: these stacks are empty"),
            Some("it works in the processes of -p, -c and --dwarf-pid and in those that they start, a moment later".into()),
        ),
        Fault::StackCut => (
            format!("dw_ustack() came to code without unwind rules {times}: these stacks end there"),
            Some("such code has no .eh_frame, or was loaded a moment before".into()),
        ),
        Fault::Crowded => (
            format!(
                "{times}, the memory of this program's CPU for large values was all in use: the rest of \
                 the body was not run"
            ),
            Some(
                "it is used only by values that the 512-byte stack cannot hold: shorter texts need none"
                    .to_owned(),
            ),
        ),
        Fault::LoopLimit => (format!("A loop was cut off at its limit of rounds: {times}"), None),
        Fault::HelperFailed(helper) => (format!("{helper} failed: {times}"), None),
    };
    let warning = Diagnostic::warning(counter.span, what);
    match hint {
        Some(hint) => warning.hint(hint),
        None => warning,
    }
}
