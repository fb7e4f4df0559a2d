//! Hits that no program saw.

use super::Session;
use crate::show::sink::Said;
use crate::sys::{bpf, link};
use rbtrace_lang::Diagnostic;
use std::os::fd::AsFd;

/// Hits of one program that were missed, and how.
pub(super) struct Missed {
    program: usize,
    hits: u64,
    why: &'static str,
}

/// The kernel runs no program within a program (`bpf_prog_active`, kernel/trace/bpf_trace.c).
const WITHIN: &str = "they came while a program ran on the same CPU";
/// `nmissed` (kernel/kprobes.c).
const NESTED: &str = "they came while another kprobe was handled on the same CPU, or more calls were under way at once \
                      than the kernel keeps return addresses for";

impl Session<'_> {
    /// What the kernel has counted; links forget it when they are closed.
    pub(super) fn misses(&self) -> Vec<Missed> {
        let mut all: Vec<Missed> = vec![];
        for (program, fd) in self.programs.iter().enumerate() {
            if let Ok(hits @ 1..) = bpf::recursion_misses(fd.as_fd()) {
                all.push(Missed { program, hits, why: WITHIN });
            }
            let own = self.links.iter().filter(|l| l.program == program).flat_map(|l| &l.links);
            let hits: u64 = own.filter_map(|l| link::missed(l.as_fd()).ok()).sum();
            if hits > 0 {
                all.push(Missed { program, hits, why: NESTED });
            }
        }
        all
    }

    /// Reports them.
    pub(super) fn report_misses(&mut self, misses: &[Missed]) {
        for Missed { program, hits, why } in misses {
            let Some(first) = self.object.points_of(&self.object.programs[*program]).next() else { continue };
            let noun = if *hits == 1 { "hit" } else { "hits" };
            let text = format!("{hits} {noun} of {} were not seen: {why}", self.name_of(*program));
            self.printer.say(Said::Warning(&Diagnostic::warning(first.span, text)));
        }
    }
}
