//! What the probes cost: how often and how long their programs run, as the kernel measures it while it is asked to.

use super::{RunError, Session, placeless_warning, system_error};
use crate::run::attach;
use crate::show::sink::{Cost, Said};
use crate::sys::{self, bpf};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// How often `--max-overhead` is looked at.
const WINDOW: Duration = Duration::from_secs(1);

/// What is said where the kernel will not.
const REFUSED: &str = "The kernel does not measure programs (BPF_ENABLE_STATS)";

/// Hits and nanoseconds of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Runs {
    nanos: u64,
    hits: u64,
}

/// Keeps the kernel measuring.
#[derive(Debug)]
pub(super) struct Meter {
    /// While it is open the kernel measures.
    _measuring: OwnedFd,
    since: Instant,
    /// The most that all programs together may take, in percent of one CPU.
    most: Option<f64>,
    /// What each program had run when the window began.
    before: Vec<Runs>,
    window: Instant,
}

/// The program that takes most of a window, where all of them take too much: its number, its share and that of all.
fn dearest(spent: &[u64], window: Duration, most: f64) -> Option<(usize, f64, f64)> {
    let percent = |nanos: u64| nanos as f64 * 100.0 / window.as_nanos().max(1) as f64;
    let all = percent(spent.iter().sum());
    let (index, nanos) = spent.iter().enumerate().max_by_key(|(_, nanos)| **nanos)?;
    (all > most).then(|| (index, percent(*nanos), all))
}

impl Session<'_> {
    /// Begins to measure.
    pub(super) fn measure_costs(&mut self, most: Option<f64>) -> Result<(), RunError> {
        let measuring = match bpf::measure_runs() {
            Ok(measuring) => measuring,
            Err(e) if most.is_some() => return Err(system_error(REFUSED, &e)),
            Err(e) => {
                let text = format!("{REFUSED}: {}", sys::describe(&e));
                self.printer.say(Said::Warning(&placeless_warning(text)));
                return Ok(());
            }
        };
        let now = Instant::now();
        self.meter = Some(Meter { _measuring: measuring, since: now, most, before: vec![], window: now });
        Ok(())
    }

    fn runs(&self) -> Vec<Runs> {
        let runs = |fd: &OwnedFd| bpf::runs(fd.as_fd()).map(|(nanos, hits)| Runs { nanos, hits });
        self.programs.iter().map(|fd| runs(fd).unwrap_or_default()).collect()
    }

    /// Takes the dearest probe off where all of them together cost too much.
    pub(super) fn limit_overhead(&mut self) {
        let Some(Meter { most: Some(most), window, .. }) = &self.meter else { return };
        let (most, window) = (*most, window.elapsed());
        if window < WINDOW {
            return;
        }
        let now = self.runs();
        let Some(meter) = &mut self.meter else { return };
        meter.window = Instant::now();
        let before = std::mem::replace(&mut meter.before, now.clone());
        let past = |n: usize| before.get(n).copied().unwrap_or_default().nanos;
        let attached = |n: usize| self.links.iter().any(|link| link.program == n);
        let spent = now.iter().enumerate().map(|(n, runs)| match attached(n) {
            true => runs.nanos.saturating_sub(past(n)),
            false => 0,
        });
        if let Some((program, own, all)) = dearest(&spent.collect::<Vec<_>>(), window, most) {
            self.take_off(program);
            let text = format!(
                "the probes took {all:.1} % of a CPU, more than --max-overhead {most}: {} is detached, which took \
                 {own:.1} %",
                self.name_of(program)
            );
            self.printer.say(Said::Warning(&placeless_warning(text)));
            self.over |= self.links.is_empty();
        }
    }

    /// Detaches one program from all its places.
    pub(super) fn take_off(&mut self, program: usize) {
        let (own, others) = std::mem::take(&mut self.links).into_iter().partition(|l| l.program == program);
        self.links = others;
        self.slow_to_close.extend(attach::detach(own));
    }

    /// What a program is called in messages: its attach point, and how many others it serves.
    pub(super) fn name_of(&self, program: usize) -> String {
        let program = &self.object.programs[program];
        let mut names = self.object.points_of(program).map(|point| &*point.name);
        let first = names.next().unwrap_or(&program.name);
        match names.count() {
            0 => first.to_owned(),
            more => format!("{first} and {more} more"),
        }
    }

    /// Says what each probe has cost, dearest first.
    pub(super) fn report_costs(&mut self) {
        let Some(meter) = &self.meter else { return };
        let time = meter.since.elapsed().as_nanos().max(1) as f64;
        let traced = |n: &usize| self.object.programs[*n].attach.iter().any(|a| !a.target.is_ours());
        let runs = self.runs();
        let mut costs: Vec<Cost> = (0..self.object.programs.len().min(runs.len()))
            .filter(traced)
            .map(|n| Cost {
                probe: self.name_of(n),
                hits: runs[n].hits,
                nanos: runs[n].nanos,
                percent: runs[n].nanos as f64 * 100.0 / time,
            })
            .collect();
        costs.sort_by_key(|cost| std::cmp::Reverse(cost.nanos));
        if !costs.is_empty() {
            self.printer.say(Said::Costs(&costs));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dearest_is_named_only_where_all_cost_too_much() {
        let second = Duration::from_secs(1);
        assert_eq!(dearest(&[10_000_000, 30_000_000], second, 5.0), None);
        assert_eq!(dearest(&[10_000_000, 30_000_000], second, 3.0), Some((1, 3.0, 4.0)));
        assert_eq!(dearest(&[], second, 0.0), None);
        assert_eq!(dearest(&[0], Duration::ZERO, 0.0), None);
    }
}
