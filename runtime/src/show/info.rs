//! `--info`: what this machine and this build can do.

use crate::files::btf::{KernelTypes, KindTag};
use crate::files::debuginfo;
use crate::kernel::LiveKernel;
use crate::kernel::privileges;
use crate::kernel::system::LiveSystem;
use crate::sys::kernelfs;
use crate::sys::probe::{self, EXIT, Multi, mov_k};
use libbpf_sys as lb;
use rbtrace_codegen::kernel::{Feature, Kernel};
use std::fmt::Write as _;

/// One line: what, and its value.
type Row = (&'static str, String);

/// The report, for printing. The lines that the reference has too are named as there: scripts look for
/// them (`libdw` stands for DWARF support as such). `version` is this build's.
pub fn report(system: &LiveSystem, version: &str) -> String {
    let kernel = LiveKernel::default();
    let mut out = String::new();
    section(&mut out, "System", &machine());
    section(&mut out, "Build", &[("version", version.to_string()), ("libdw (DWARF support)", "yes".into())]);
    section(&mut out, "Kernel helpers", &helpers());
    section(&mut out, "Kernel features", &features(system, &kernel));
    section(&mut out, "Probe types", &probe_types(system, &kernel));
    section(&mut out, "Limits", &limits());
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn section(out: &mut String, title: &str, rows: &[Row]) {
    let _ = writeln!(out, "{title}");
    for (name, value) in rows {
        let _ = writeln!(out, "  {name}: {value}");
    }
    out.push('\n');
}

fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_string()
}

/// The same for what is found by loading programs, which not everybody may do.
fn tried(is: bool) -> String {
    if privileges::check().is_err() { "not known without root".into() } else { yes(is) }
}

/// A file below /proc/sys/kernel.
fn sysctl(name: &str) -> String {
    std::fs::read_to_string(format!("/proc/sys/kernel/{name}"))
        .map_or("unknown".into(), |t| t.trim().to_string())
}

fn machine() -> Vec<Row> {
    let os = format!("{} {} {}", sysctl("ostype"), sysctl("osrelease"), sysctl("version"));
    vec![
        ("OS", os),
        ("Arch", std::env::consts::ARCH.into()),
        ("CPUs", crate::kernel::system::possible_cpus().to_string()),
        (
            "may load BPF programs",
            match privileges::check() {
                Ok(()) => "yes".into(),
                Err(e) => format!("no: {}", e.message),
            },
        ),
        ("lockdown", privileges::lockdown().unwrap_or_else(|| "none".into())),
    ]
}

/// Helpers by the names under which scripts look for them, and whether programs of kprobes may call them.
const HELPERS: &[(&str, lb::bpf_func_id)] = &[
    ("probe_read_kernel", lb::BPF_FUNC_probe_read_kernel),
    ("get_attach_cookie", lb::BPF_FUNC_get_attach_cookie),
    ("for_each_map_elem", lb::BPF_FUNC_for_each_map_elem),
    ("loop", lb::BPF_FUNC_loop),
    ("lookup_percpu_elem", lb::BPF_FUNC_map_lookup_percpu_elem),
    ("ktime_get_boot_ns", lb::BPF_FUNC_ktime_get_boot_ns),
    ("get_tai_ns", lb::BPF_FUNC_ktime_get_tai_ns),
    ("get_current_task_btf", lb::BPF_FUNC_get_current_task_btf),
    ("jiffies64", lb::BPF_FUNC_jiffies64),
    ("get_func_ip", lb::BPF_FUNC_get_func_ip),
    ("send_signal", lb::BPF_FUNC_send_signal),
    ("override_return", lb::BPF_FUNC_override_return),
    ("strncmp", lb::BPF_FUNC_strncmp),
    ("task_storage_get", lb::BPF_FUNC_task_storage_get),
];

fn helpers() -> Vec<Row> {
    let able = |id| probe::helper(lb::BPF_PROG_TYPE_KPROBE, id).unwrap_or(false);
    HELPERS.iter().map(|&(name, id)| (name, tried(able(id)))).collect()
}

fn features(system: &LiveSystem, kernel: &LiveKernel) -> Vec<Row> {
    vec![
        ("btf", yes(system.types().available())),
        ("module btf", yes(!system.types().module_names().is_empty())),
        ("debug information of the kernel", yes(debuginfo::kernel_is_at_hand())),
        ("Loop support", yes(true)),
        ("ring buffer", tried(ring_buffer())),
        ("atomic exchange and fetch", tried(kernel.has(Feature::Atomics))),
        ("instruction set v4", tried(kernel.has(Feature::IsaV4))),
        ("Instruction limit", instruction_limit()),
    ]
}

fn probe_types(system: &LiveSystem, kernel: &LiveKernel) -> Vec<Row> {
    vec![
        ("kprobe", yes(system.require_kprobes().is_ok())),
        (
            "tracepoint",
            match system.tracefs() {
                Ok(_) => "yes".into(),
                Err(e) => format!("no: {}", e.message),
            },
        ),
        ("rawtracepoint", tried(probe::program(lb::BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0, &probe::NOTHING))),
        ("btf tracepoint", tried(btf_tracepoint(system.types()))),
        ("perf_event", tried(probe::program(lb::BPF_PROG_TYPE_PERF_EVENT, 0, 0, &probe::NOTHING))),
        ("uprobe", yes(kernelfs::sysfs().exists("bus/event_source/devices/uprobe"))),
        ("kprobe_multi", tried(kernel.has(Feature::KprobeMulti))),
        ("kprobe_session", tried(probe::multi(Multi::KprobeSession))),
        ("uprobe_multi", tried(kernel.has(Feature::UprobeMulti))),
    ]
}

/// Does the kernel make a ring buffer?
fn ring_buffer() -> bool {
    probe::map(lb::BPF_MAP_TYPE_RINGBUF, crate::sys::mapped::page_size() as u32)
}

/// Does it take a program on `sys_enter` as BTF describes it?
fn btf_tracepoint(types: &KernelTypes) -> bool {
    let found = types.find(None, KindTag::Typedef, "btf_trace_sys_enter").ok().flatten();
    found.is_some_and(|ty| {
        probe::program(lb::BPF_PROG_TYPE_TRACING, lb::BPF_TRACE_RAW_TP, ty.id, &probe::NOTHING)
    })
}

/// Most instructions that the verifier follows: one million since 5.2 for those who may load all
/// programs, 4096 before. Found by a program of more than 4096.
fn instruction_limit() -> String {
    let mut insns = vec![mov_k(0, 0); 5000];
    insns.push(EXIT);
    let long = probe::program(lb::BPF_PROG_TYPE_KPROBE, 0, 0, &insns);
    if long { "1000000" } else { "4096" }.to_string()
}

fn limits() -> Vec<Row> {
    vec![
        ("frames of a stack (kernel.perf_event_max_stack)", sysctl("perf_event_max_stack")),
        ("samples per second (kernel.perf_event_max_sample_rate)", sysctl("perf_event_max_sample_rate")),
        ("kernel.perf_event_paranoid", sysctl("perf_event_paranoid")),
        ("kernel.kptr_restrict", sysctl("kptr_restrict")),
        ("kernel.unprivileged_bpf_disabled", sysctl("unprivileged_bpf_disabled")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_has_its_sections_and_lines() {
        let report = report(&LiveSystem::new(), "v1.2.3");
        for text in
            ["System\n  OS: Linux ", "\nBuild\n  version: v1.2.3\n", "\nKernel helpers\n", "\n  btf: "]
        {
            assert!(report.contains(text), "{text:?} in\n{report}");
        }
        assert!(!report.contains("unknown"), "{report}");
        assert!(report.ends_with('\n') && !report.ends_with("\n\n"));
    }
}
