//! What a case needs of the machine, and the reason where it is not there.

use crate::sys;
use std::path::Path;

/// What the command line says about the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine {
    /// A throw-away virtual machine: a case may change its network and settings.
    pub vm: bool,
}

/// The reason why `requires` is not satisfied; `None` where it is.
///
/// - `root`, `vm`, `btf`, `kprobe`, `dwarf` (the kernel's vmlinux with DWARF at its usual place);
/// - `kernel>=6.6`, `kernel<6.6`;
/// - `function:NAME` (in kallsyms), `tracepoint:CATEGORY:NAME`, `tool:NAME` (on the PATH), `file:PATH`;
/// - `no-WORD`: the opposite of WORD;
/// - `anyone`: not even root, which every other case needs.
pub fn unsatisfied(requires: &[String], machine: Machine) -> Option<String> {
    let anyone = requires.iter().any(|r| r == "anyone");
    let needs_root = if anyone { None } else { reason("root", machine) };
    needs_root.or_else(|| requires.iter().find_map(|r| reason(r, machine)))
}

fn reason(word: &str, machine: Machine) -> Option<String> {
    if let Some(rest) = word.strip_prefix("no-") {
        return if reason(rest, machine).is_some() { None } else { Some(format!("this machine has {rest}")) };
    }
    if let Some(v) = word.strip_prefix("kernel>=") {
        return (kernel() < version(v)).then(|| format!("needs kernel {v} or newer"));
    }
    if let Some(v) = word.strip_prefix("kernel<") {
        return (kernel() >= version(v)).then(|| format!("needs a kernel older than {v}"));
    }
    match word.split_once(':') {
        Some((kind, name)) => named(kind, name),
        None => plain(word, machine),
    }
}

fn plain(word: &str, machine: Machine) -> Option<String> {
    let (there, why) = match word {
        "anyone" => (true, ""),
        "root" => (sys::is_root(), "needs root"),
        "vm" => (machine.vm, "changes the system: runs in the virtual machines only"),
        "btf" => (Path::new("/sys/kernel/btf/vmlinux").exists(), "the kernel has no BTF"),
        "kprobe" => (tracefs("kprobe_events"), "the kernel has no kprobes"),
        "dwarf" => (dwarf(), "no vmlinux with DWARF is at hand"),
        _ => return Some(format!("unknown requirement `{word}`")),
    };
    (!there).then(|| why.to_owned())
}

fn named(kind: &str, name: &str) -> Option<String> {
    let (there, what) = match kind {
        "function" => (has_function(name), "function"),
        "tracepoint" => (tracefs(&format!("events/{}", name.replace(':', "/"))), "tracepoint"),
        "tool" => (on_path(name), "tool"),
        "file" => (Path::new(name).exists(), "file"),
        _ => return Some(format!("unknown requirement `{kind}:{name}`")),
    };
    (!there).then(|| format!("no {what} {name} here"))
}

fn tracefs(path: &str) -> bool {
    sys::tracefs().join(path).exists()
}

fn dwarf() -> bool {
    Path::new(&format!("/usr/lib/debug/boot/vmlinux-{}", release())).exists()
}

fn has_function(name: &str) -> bool {
    let text = std::fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    text.lines().any(|l| l.split(' ').nth(2) == Some(name))
}

fn on_path(tool: &str) -> bool {
    std::env::var("PATH").unwrap_or_default().split(':').any(|d| Path::new(d).join(tool).exists())
}

fn release() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

/// The running kernel's version.
pub fn kernel() -> (u32, u32) {
    version(&release())
}

/// The first two numbers of a version text.
fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(version("6.12.111+deb12-cloud-amd64"), (6, 12));
        assert!(version("6.1") < version("6.12"));
    }

    #[test]
    fn reasons() {
        let m = Machine { vm: false };
        assert!(reason("vm", m).unwrap().contains("virtual machines"));
        assert!(reason("no-vm", m).is_none());
        assert!(reason("kernel>=2.6", m).is_none());
        assert!(reason("kernel>=999.0", m).is_some());
        assert!(reason("file:/nonexistent", m).is_some());
        assert!(reason("tool:sh", m).is_none());
        assert!(reason("nonsense", m).unwrap().contains("unknown"));
    }
}
