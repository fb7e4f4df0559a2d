//! What this process may do.

use crate::sys::kernelfs::{self, FileSystem};
use rbtrace_lang::system::{Answer, SystemError};

/// `CAP_*` of include/uapi/linux/capability.h.
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// May this process load tracing programs? The error says what is missing and what to do.
pub fn check() -> Answer<()> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if effective(&status).is_none_or(may_trace) {
        return Ok(());
    }
    Err(SystemError::with_hint(
        "rbtrace needs root: loading BPF programs wants CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN)",
        "run it with sudo",
    ))
}

/// The effective capabilities, as bits.
fn effective(status: &str) -> Option<u64> {
    let hex = status.lines().find_map(|l| l.strip_prefix("CapEff:"))?;
    u64::from_str_radix(hex.trim(), 16).ok()
}

fn may_trace(capabilities: u64) -> bool {
    let has = |cap: u32| capabilities >> cap & 1 != 0;
    has(CAP_SYS_ADMIN) || (has(CAP_BPF) && has(CAP_PERFMON))
}

/// `none`, `integrity` or `confidentiality`; `None` where the kernel has no lockdown or does not tell.
pub fn lockdown() -> Option<String> {
    let text = kernelfs::find(FileSystem::Securityfs).text("lockdown").ok()?;
    let (_, rest) = text.split_once('[')?;
    Some(rest.split_once(']')?.0.to_string())
}

/// What stands behind `EPERM` from the kernel's BPF calls, as a hint.
pub fn why_refused() -> String {
    if let Err(e) = check() {
        return format!("{}: {}", e.message, e.hint.unwrap_or_default());
    }
    match lockdown().as_deref() {
        Some("confidentiality") => {
            "the kernel is locked down to confidentiality, which forbids BPF to read its memory (kernel_lockdown(7))"
                .into()
        }
        _ => "even root is refused here: a container or a security module (seccomp, SELinux, AppArmor) may forbid it"
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_decide() {
        assert_eq!(effective("Name:\tx\nCapEff:\t000001ffffffffff\n"), Some(0x1ff_ffff_ffff));
        assert!(may_trace(1 << CAP_SYS_ADMIN));
        assert!(may_trace(1 << CAP_BPF | 1 << CAP_PERFMON));
        assert!(!may_trace(1 << CAP_BPF));
        assert!(!may_trace(0));
    }
}
