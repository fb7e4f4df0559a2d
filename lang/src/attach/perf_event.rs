//! `software` and `hardware`: after a number of events that the kernel or the processor counts.

use super::{Place, Provider, Refusal, Request, Sight, has_wildcard};
use crate::Diagnostic;
use crate::context::{Context, Ctx};
use crate::parse::number;
use crate::target::Target;

/// An event: name, short name, `PERF_COUNT_*` of linux/perf_event.h, events between two samples where
/// the script does not say (bpftrace's).
type Event = (&'static str, &'static str, u64, u64);

/// `PERF_TYPE_HARDWARE`
const HARDWARE: u32 = 0;
/// `PERF_TYPE_SOFTWARE`
const SOFTWARE: u32 = 1;

/// `PERF_COUNT_SW_*`
const SOFTWARE_EVENTS: &[Event] = &[
    ("alignment-faults", "", 7, 1),
    ("bpf-output", "", 10, 1),
    ("context-switches", "cs", 3, 1000),
    ("cpu-clock", "cpu", 0, 1_000_000),
    ("cpu-migrations", "", 4, 1),
    ("dummy", "", 9, 1),
    ("emulation-faults", "", 8, 1),
    ("major-faults", "", 6, 1),
    ("minor-faults", "", 5, 100),
    ("page-faults", "faults", 2, 100),
    ("task-clock", "", 1, 1),
];

/// `PERF_COUNT_HW_*`
const HARDWARE_EVENTS: &[Event] = &[
    ("backend-stalls", "", 8, 1_000_000),
    ("branch-instructions", "branches", 4, 100_000),
    ("branch-misses", "", 5, 100_000),
    ("bus-cycles", "", 6, 100_000),
    ("cache-misses", "", 3, 1_000_000),
    ("cache-references", "", 2, 1_000_000),
    ("cpu-cycles", "cycles", 0, 1_000_000),
    ("frontend-stalls", "", 7, 1_000_000),
    ("instructions", "", 1, 1_000_000),
    ("ref-cycles", "", 9, 1_000_000),
];

/// Names of the events of `software` or `hardware`, short ones included, sorted.
pub fn event_names(kind: &str) -> Vec<&'static str> {
    let events = match kind {
        "software" => SOFTWARE_EVENTS,
        "hardware" => HARDWARE_EVENTS,
        _ => &[],
    };
    let mut names: Vec<&str> = events.iter().flat_map(|e| [e.0, e.1]).filter(|n| !n.is_empty()).collect();
    names.sort_unstable();
    names
}

/// `software`, `hardware`.
pub(super) struct PerfEvent;

impl Provider for PerfEvent {
    fn names(&self) -> &'static [&'static str] {
        &["hardware", "software"]
    }

    fn resolve(&self, request: &Request) -> Result<Vec<Place>, Refusal> {
        request.no_source_line()?;
        let kind = request.kind.name;
        let (event, count) = match request.args() {
            [event] => (event, None),
            [event, count] if count == "*" => (event, None),
            [event, count] => (event, Some(count)),
            _ => return Err(request.count_error("1 or 2")),
        };
        let is_software = kind == "software";
        let list = if is_software { SOFTWARE_EVENTS } else { HARDWARE_EVENTS };
        let &(_, _, config, default) = find(request, list, event)?;
        let count = count.map(|c| number(c)).transpose();
        let count = count.map_err(|e| request.error(format!("the count cannot be read: {e}")))?;
        let count = count.filter(|c| *c > 0);
        let perf_type = if is_software { SOFTWARE } else { HARDWARE };
        let target = Target::PerfEvent { perf_type, config, period: count.unwrap_or(default) };
        let suffix = count.map_or(String::new(), |c| format!(":{c}"));
        Ok(vec![Place::new(format!("{kind}:{event}{suffix}"), target)])
    }

    fn context(&self, sight: &Sight) -> Context {
        let ctx = Ctx::Struct("bpf_perf_event_data".into());
        Context { ctx, registers: true, ..Context::bare(sight.kind) }
    }
}

fn find<'e>(request: &Request, list: &'e [Event], event: &str) -> Result<&'e Event, Refusal> {
    let kind = request.kind.name;
    if event.is_empty() {
        return Err(request.error(format!("{kind}: no event is named")));
    }
    if has_wildcard(event) {
        return Err(request.error(format!("{kind} takes no wildcards")));
    }
    let found = list.iter().find(|(name, short, ..)| *name == event || *short == event);
    found.ok_or_else(|| {
        let names: Vec<_> = list.iter().map(|e| e.0).collect();
        let message = format!("no {kind} event is called '{event}'");
        Diagnostic::error(request.span, message).hint(format!("events: {}", names.join(", "))).into()
    })
}
