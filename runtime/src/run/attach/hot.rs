//! Functions and events that happen so often that a probe there slows the machine down. Whoever names one knows it; whoever
//! writes a pattern may not.

use crate::glob;
use rbtrace_codegen::object::Object;
use rbtrace_lang::Span;
use rbtrace_lang::target::Target;
use std::collections::BTreeMap;

/// Functions that a busy kernel calls hundreds of thousands of times a second and more on each CPU: locks, memory,
/// clocks, copies, the scheduler.
const FUNCTIONS: &[&str] = &[
    "_raw_*lock*",
    "__rcu_read_*lock",
    "rcu_read_*",
    "preempt_count_*",
    "mutex_lock",
    "mutex_unlock",
    "__cond_resched",
    "kmem_cache_alloc*",
    "kmem_cache_free*",
    "__kmalloc*",
    "kfree",
    "__fdget*",
    "fput",
    "ktime_get*",
    "*sched_clock*",
    "read_tsc",
    "update_curr",
    "update_load_avg",
    "__schedule",
    "try_to_wake_up",
    "_copy_*_user",
    "__check_object_size",
    "clear_page_*",
    "__list_*_valid*",
    "memcpy",
    "memset",
];

/// Tracepoints likewise, `CATEGORY:EVENT`.
const EVENTS: &[&str] =
    &["lock:*", "preemptirq:*", "raw_syscalls:*", "kmem:k*", "sched:sched_switch", "msr:*"];

/// How a target is known to the lists above.
fn is_hot(target: &Target) -> Option<String> {
    let (list, name) = match target {
        Target::Kprobe { func, offset: 0, .. } | Target::KernelFunction { func, .. } => {
            (FUNCTIONS, func.to_string())
        }
        Target::Tracepoint { category, event, .. } => (EVENTS, format!("{category}:{event}")),
        _ => return None,
    };
    list.iter().any(|pattern| glob::matches(pattern, &name)).then_some(name)
}

/// An attach point as the script has it.
struct Written {
    span: Span,
    places: usize,
    hot: Vec<String>,
}

/// The patterns of a script that hit such places, and the names of these.
pub fn patterns(object: &Object) -> Vec<(Span, Vec<String>)> {
    // Attach points with one place in the text come from one pattern.
    let mut written: BTreeMap<(u16, u32), Written> = BTreeMap::new();
    for to in object.programs.iter().flat_map(|p| &p.attach) {
        for point in to.points.iter().filter_map(|id| object.points.get(id.0 as usize)) {
            let span = point.span;
            let one = Written { span, places: 0, hot: vec![] };
            let one = written.entry((span.file, span.start)).or_insert(one);
            one.places += 1;
            one.hot.extend(is_hot(&to.target));
        }
    }
    let hot = written.into_values().filter(|one| one.places > 1 && !one.hot.is_empty());
    hot.map(|one| (one.span, one.hot)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(func: &str) -> Target {
        Target::Kprobe { func: func.into(), module: None, offset: 0, ret: false }
    }

    #[test]
    fn what_runs_all_the_time_is_known() {
        for func in ["_raw_spin_lock_irqsave", "kmem_cache_free", "ktime_get", "native_sched_clock"] {
            assert_eq!(is_hot(&function(func)).as_deref(), Some(func));
        }
        for func in ["vfs_read", "tcp_sendmsg", "kmem_cache_create"] {
            assert_eq!(is_hot(&function(func)), None);
        }
        let tracepoint =
            Target::Tracepoint { category: "kmem".into(), event: "kfree".into(), id: 1, syscall: None };
        assert_eq!(is_hot(&tracepoint).as_deref(), Some("kmem:kfree"));
    }
}
