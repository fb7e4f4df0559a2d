//! What inlining does to probes of kernel functions, as far as it can be known.

use super::LiveSystem;
use crate::files::debuginfo;
use crate::files::dwarf::{DebugInfo, InlinedCopy};
use std::collections::{BTreeMap, BTreeSet};

/// How many callers a message names.
const CALLERS: usize = 3;

/// How many functions of a script are looked up: each costs milliseconds.
const MOST_CHECKED: usize = 8;

impl LiveSystem {
    /// Why there is no symbol of this name: all calls are inlined. `None` where debug information does not say so.
    pub(super) fn inlined_everywhere(&self, func: &str) -> Option<String> {
        let copies = self.kernel_debug_info()?.copies_of(func).ok()?;
        let (callers, instead) = describe(&copies)?;
        Some(format!("{func} has no code of its own: it is inlined into {callers}{instead}"))
    }

    /// Notes that a function has inlined copies beside its own code: their calls do not hit a probe at its entry.
    pub(super) fn note_inlined_copies(&self, func: &str) {
        if self.compile_only
            || self.checked_for_copies.replace(self.checked_for_copies.get() + 1) >= MOST_CHECKED
        {
            return;
        }
        let Some(info) = self.kernel_debug_info() else { return };
        let places = info.elf().symbols_named(func).iter().map(|s| s.address).collect::<Vec<_>>();
        let beside = |address: u64| info.copies_beside(address, func).unwrap_or_default();
        let copies: Vec<InlinedCopy> = places.into_iter().flat_map(beside).collect();
        if let Some((callers, instead)) = describe(&copies) {
            self.note(format!(
                "some calls of {func} are inlined, into {callers}, and do not hit a probe at its entry{instead}"
            ));
        }
    }
}

impl LiveSystem {
    /// Where it is at hand; opened once.
    fn kernel_debug_info(&self) -> Option<&DebugInfo> {
        let open = || debuginfo::kernel_is_at_hand().then(|| debuginfo::running_kernel().ok()).flatten();
        self.kernel_debug_info.get_or_init(|| if self.foreign { None } else { open() }).as_ref()
    }
}

/// The callers, and how to probe the copies.
fn describe(copies: &[InlinedCopy]) -> Option<(String, String)> {
    let callers: BTreeSet<&str> = copies.iter().map(|c| &*c.caller).collect();
    let mut shown = callers.iter().take(CALLERS).copied().collect::<Vec<_>>().join(", ");
    if callers.is_empty() {
        return None;
    }
    if callers.len() > CALLERS {
        shown += &format!(" and {} more", callers.len() - CALLERS);
    }
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    for line in copies.iter().filter_map(|c| c.line.as_deref()) {
        *lines.entry(line).or_default() += 1;
    }
    let most = lines.into_iter().max_by_key(|(_, count)| *count);
    let instead = most.map_or_else(
        || " (what it does there begins with other inlined calls: probe the callers)".to_owned(),
        |(line, _)| format!(" (kprobe@{line} probes the copies)"),
    );
    Some((shown, instead))
}

/// What the compiler may have made of a function: `NAME.isra.0` has other parameters, `NAME.part.0` is what was left when
/// its beginning was inlined.
pub(super) fn is_made_from(symbol: &str, func: &str) -> bool {
    let suffix = symbol.strip_prefix(func).and_then(|rest| rest.strip_prefix('.'));
    suffix.is_some_and(|s| ["isra", "constprop", "part"].iter().any(|kind| s.starts_with(kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_few_callers_and_the_commonest_line() {
        let copy = |caller: &str, line: &str| InlinedCopy { caller: caller.into(), line: Some(line.into()) };
        let copies = [
            copy("a", "x.c:1"),
            copy("b", "x.c:2"),
            copy("c", "x.c:2"),
            copy("d", "x.c:2"),
            copy("a", "x.c:1"),
        ];
        let (callers, instead) = describe(&copies).unwrap();
        assert_eq!(callers, "a, b, c and 1 more");
        assert_eq!(instead, " (kprobe@x.c:2 probes the copies)");
        assert_eq!(describe(&[]), None);
    }

    #[test]
    fn names_that_the_compiler_makes() {
        assert!(is_made_from("tcp_ack.isra.0", "tcp_ack") && is_made_from("f.constprop.0.isra.1", "f"));
        assert!(!is_made_from("tcp_ack.cold", "tcp_ack") && !is_made_from("tcp_ack_x.isra.0", "tcp_ack"));
    }
}
