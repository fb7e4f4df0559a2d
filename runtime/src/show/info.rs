//! `--info`: what this machine and this build can do.

use crate::files::debuginfo;
use crate::kernel::{LiveKernel, LiveSystem, privileges};
use crate::show::list::providers::{PROVIDERS, Provider};
use crate::sys::kernelfs;
use crate::sys::probe::{self, EXIT, mov_k};
use libbpf_sys as lb;
use rbtrace_codegen::helpers::{self, Info};
use rbtrace_codegen::kernel::{Feature, Kernel};
use rbtrace_codegen::object::ProgramType;
use std::fmt::{Display, Write as _};

/// One line: what, and its value.
type Row<N = &'static str> = (N, String);

/// The report, for printing. Lines that bpftrace has, too, are named as there: scripts look for them (`libdw` stands
/// for DWARF support as such). `version` is this build's.
pub fn report(system: &LiveSystem, kernel: &LiveKernel, version: &str) -> String {
    let mut out = String::new();
    section(&mut out, "System", &machine());
    section(&mut out, "Build", &[("version", version.to_string()), ("libdw (DWARF support)", "yes".into())]);
    section(&mut out, "Kernel helpers", &callable(kernel));
    section(&mut out, "Kernel features", &features(system, kernel));
    section(&mut out, "Probe types", &probe_types(system));
    section(&mut out, "Limits", &limits());
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn section<N: Display>(out: &mut String, title: &str, rows: &[Row<N>]) {
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

/// Helpers that bpftrace calls by other names than the kernel.
const OTHERWISE: [(&str, &str); 2] =
    [("map_lookup_percpu_elem", "lookup_percpu_elem"), ("ktime_get_tai_ns", "get_tai_ns")];

/// Helpers that generated code calls, and whether programs of kprobes may. Those for files are for iterators.
fn callable(kernel: &LiveKernel) -> Vec<Row<String>> {
    let name = |name: &str| {
        let name = name.to_ascii_lowercase();
        let other = OTHERWISE.iter().find(|(ours, _)| *ours == name);
        other.map_or(name, |(_, other)| other.to_string())
    };
    let row = |info: &Info| (name(info.name), tried(kernel.can_call(ProgramType::Kprobe, info.helper)));
    let of_iterators = |info: &&Info| matches!(info.helper, helpers::SEQ_PRINTF | helpers::SEQ_WRITE);
    helpers::TABLE.iter().filter(|info| !of_iterators(info)).map(row).collect()
}

fn features(system: &LiveSystem, kernel: &LiveKernel) -> Vec<Row> {
    let own = [
        ("btf", yes(system.types().available())),
        ("module btf", yes(!system.types().module_names().is_empty())),
        ("debug information of the kernel", yes(debuginfo::kernel_is_at_hand())),
        ("Loop support", yes(true)),
        // Semaphores of static probes.
        (
            "uprobe refcount",
            yes(kernelfs::sysfs().exists("bus/event_source/devices/uprobe/format/ref_ctr_offset")),
        ),
        ("Instruction limit", instruction_limit()),
    ];
    let asked = Feature::ALL.iter().map(|&feature| (feature.name(), tried(kernel.has(feature))));
    own.into_iter().chain(asked).collect()
}

/// Every kind of probe, and why this kernel has it not.
fn probe_types(system: &LiveSystem) -> Vec<Row> {
    let row = |provider: &Provider| {
        let works = match (provider.works)(system) {
            Ok(()) => "yes".to_owned(),
            Err(_) if privileges::check().is_err() => tried(false),
            Err(why) => format!("no: {}", why.message),
        };
        provider.names.iter().map(move |name| (*name, works.clone()))
    };
    PROVIDERS.iter().flat_map(row).collect()
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
        let report = report(&LiveSystem::new(), &LiveKernel::default(), "v1.2.3");
        for text in
            ["System\n  OS: Linux ", "\nBuild\n  version: v1.2.3\n", "\nKernel helpers\n", "\n  btf: "]
        {
            assert!(report.contains(text), "{text:?} in\n{report}");
        }
        assert!(!report.contains("unknown"), "{report}");
        for probe in rbtrace_stdlib::PROBES {
            assert!(report.contains(&format!("\n  {}: ", probe.name)), "{} in\n{report}", probe.name);
        }
        assert!(report.ends_with('\n') && !report.ends_with("\n\n"));
    }
}
