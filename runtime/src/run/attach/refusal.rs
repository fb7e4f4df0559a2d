//! Why the kernel refuses a kprobe.

use super::kprobe::Spot;
use crate::kernel::tracefs::{TraceFs, kprobe_blacklist};

/// What to do where a function itself cannot be probed.
const INSTEAD: &str = "probe what it calls, or what calls it";

/// What is known of a place that the kernel refused with this error number.
pub(super) fn reason(spot: &Spot, errno: Option<i32>) -> Option<String> {
    let Spot { func, offset, .. } = *spot;
    match errno {
        _ if func.is_empty() => Some(format!("the kernel allows no probe at the address {offset:#x}")),
        Some(libc::ENOENT | libc::EADDRNOTAVAIL) => Some(format!("{func} is not a function of this kernel")),
        Some(libc::EILSEQ) => Some(format!("{func}+{offset} is not the start of an instruction")),
        Some(libc::EINVAL) => Some(refused(spot)),
        _ => None,
    }
}

/// The kernel says no more than that it will not (`register_kprobe`, kernel/kprobes.c).
fn refused(spot: &Spot) -> String {
    let Spot { func, offset, module, .. } = *spot;
    if kprobe_blacklist().contains(func) {
        return format!(
            "{func} is on the kernel's own list of functions in which a probe could bring it down \
             (kprobes/blacklist in debugfs): {INSTEAD}"
        );
    }
    match is_traceable(module, func) {
        Some(false) => format!(
            "{func} is marked notrace: the kernel keeps probes out of what tracing itself needs: {INSTEAD}"
        ),
        Some(true) if offset > 0 => format!("{func} has no code at +{offset} that can be probed"),
        _ => format!(
            "{func} is on the kernel's blacklist, is marked notrace or has no code at +{offset}: {INSTEAD}"
        ),
    }
}

/// `None` where the list cannot be read.
fn is_traceable(module: Option<&str>, func: &str) -> Option<bool> {
    let mut found = false;
    let listed = TraceFs::find().ok()?.traceable_functions(&mut |m, f| {
        found = f == func && module.is_none_or(|want| want == m);
        !found
    });
    listed.ok().map(|()| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_own_reason() {
        let spot = |func| Spot { module: None, func, offset: 4, ret: false };
        let said = |func, errno| reason(&spot(func), Some(errno)).unwrap_or_default();
        assert!(said("", libc::ENOENT).contains("0x4"));
        assert!(said("nosuch", libc::ENOENT).contains("not a function"));
        assert!(said("nosuch", libc::EILSEQ).contains("nosuch+4"));
        assert!(said("nosuch", libc::EINVAL).contains("notrace"));
        assert_eq!(said("nosuch", libc::EMFILE), "");
    }
}
