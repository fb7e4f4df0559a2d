//! `--info`: what the kernel can do.

use rbtrace_runtime::features::{self, FeatureSet};
use rbtrace_runtime::system::LiveSystem;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// The report, in the form that the reference has.
pub(crate) fn text() -> String {
    let system = LiveSystem::new();
    let f = features::detect(FeatureSet::all(), system.types());
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version = fs::read_to_string("/proc/sys/kernel/version").unwrap_or_default();
    let mut out = format!(
        "System\n  OS: Linux {} {}\n  Arch: {}\n\nBuild\n  version: {}\n  libdw (DWARF support): yes\n",
        release.trim(),
        version.trim(),
        std::env::consts::ARCH,
        env!("CARGO_PKG_VERSION")
    );
    let helpers = [
        ("probe_read_kernel", f.probe_read_kernel),
        ("ringbuf", f.ringbuf),
        ("send_signal", f.send_signal),
        ("override_return", f.override_return),
        ("jiffies64", f.jiffies64),
        ("get_boot_ns", f.ktime_boot),
        ("get_tai_ns", f.ktime_tai),
        ("get_current_task_btf", f.current_task_btf),
        ("get_attach_cookie", f.attach_cookie),
        ("get_func_ip", f.get_func_ip),
        ("for_each_map_elem", f.for_each_map_elem),
        ("loop", f.bpf_loop),
        ("lookup_percpu_elem", f.lookup_percpu_elem),
        ("strncmp", f.strncmp),
    ];
    section(&mut out, "Kernel helpers", &helpers);
    let kernel = [
        ("btf", Path::new("/sys/kernel/btf/vmlinux").exists()),
        ("Loop support", true),
        ("task storage", f.task_storage),
        ("atomics with fetch", f.atomics),
        ("signed division (v4)", f.isa_v4),
    ];
    section(&mut out, "Kernel features", &kernel);
    let pmu = |name: &str| Path::new("/sys/bus/event_source/devices").join(name).exists();
    let probes = [
        ("kprobe", pmu("kprobe")),
        ("uprobe", pmu("uprobe")),
        ("kprobe_multi", f.kprobe_multi),
        ("uprobe_multi", f.uprobe_multi),
        ("kprobe_session", f.kprobe_session),
        ("BTF raw tracepoints", f.tp_btf),
    ];
    section(&mut out, "Probe types", &probes);
    out
}

fn section(out: &mut String, title: &str, rows: &[(&str, bool)]) {
    let _ = writeln!(out, "\n{title}");
    for (name, yes) in rows {
        let _ = writeln!(out, "  {name}: {}", if *yes { "yes" } else { "no" });
    }
}
