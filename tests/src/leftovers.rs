//! Nothing may stay behind: BPF objects and trace events are compared before and after a case.

use crate::sys::{self, BpfKind};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// What is loaded and attached in the whole system at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    things: BTreeSet<String>,
}

impl Snapshot {
    /// Looks at programs, maps, links, and the lines of kprobe_events and uprobe_events.
    pub fn take() -> Snapshot {
        let mut things = BTreeSet::new();
        for (kind, name) in [(BpfKind::Prog, "prog"), (BpfKind::Map, "map"), (BpfKind::Link, "link")] {
            things.extend(sys::bpf_ids(kind).into_iter().map(|id| format!("{name} {id}")));
        }
        for file in ["kprobe_events", "uprobe_events"] {
            let text = std::fs::read_to_string(sys::tracefs().join(file)).unwrap_or_default();
            things.extend(text.lines().map(|l| format!("{file}: {l}")));
        }
        Snapshot { things }
    }

    /// What is there now and was not then. The kernel frees behind RCU: waits up to `patience`.
    pub fn left_since(&self, patience: Duration) -> Vec<String> {
        let until = Instant::now() + patience;
        loop {
            let now = Snapshot::take();
            let left: Vec<_> = now.things.difference(&self.things).cloned().collect();
            if left.is_empty() || Instant::now() > until {
                return left;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
