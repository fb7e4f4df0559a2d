//! What the kernel can do, found by trying.
//!
//! Each trial is a program that is loaded and dropped at once. Only what is wanted is tried: a script that
//! asks for no helper of newer kernels costs nothing.

mod needed;

pub use needed::needed;

use crate::btf::{KernelTypes, KindTag};
use crate::sys::probe::{self, EXIT, Multi, call, insn, mov_k};
use crate::system::possible_cpus;
use libbpf_sys as lb;
use rbtrace_codegen::object::{Features, PidNamespace};
use std::fs;
use std::os::unix::fs::MetadataExt;

/// One thing that a kernel may be able to do; the fields of [`Features`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "documented as the fields of Features")]
pub enum Feature {
    ProbeReadKernel,
    Ringbuf,
    AttachCookie,
    ForEachMapElem,
    BpfLoop,
    LookupPercpuElem,
    KtimeBoot,
    KtimeTai,
    CurrentTaskBtf,
    Jiffies64,
    GetFuncIp,
    SendSignal,
    OverrideReturn,
    Strncmp,
    IsaV4,
    TaskStorage,
    TpBtf,
    Atomics,
    KprobeMulti,
    UprobeMulti,
    KprobeSession,
}

use Feature as F;

/// All features, in the order of [`Feature`].
pub const ALL: [Feature; 21] = [
    F::ProbeReadKernel,
    F::Ringbuf,
    F::AttachCookie,
    F::ForEachMapElem,
    F::BpfLoop,
    F::LookupPercpuElem,
    F::KtimeBoot,
    F::KtimeTai,
    F::CurrentTaskBtf,
    F::Jiffies64,
    F::GetFuncIp,
    F::SendSignal,
    F::OverrideReturn,
    F::Strncmp,
    F::IsaV4,
    F::TaskStorage,
    F::TpBtf,
    F::Atomics,
    F::KprobeMulti,
    F::UprobeMulti,
    F::KprobeSession,
];

/// A set of features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeatureSet(u32);

impl FeatureSet {
    /// No feature.
    pub const NONE: FeatureSet = FeatureSet(0);

    /// Every feature.
    pub fn all() -> FeatureSet {
        ALL.into_iter().collect()
    }

    /// With one more.
    pub fn insert(&mut self, feature: Feature) {
        self.0 |= 1 << feature as u8;
    }

    /// Is it in the set?
    pub fn contains(self, feature: Feature) -> bool {
        self.0 & 1 << feature as u8 != 0
    }
}

impl FromIterator<Feature> for FeatureSet {
    fn from_iter<I: IntoIterator<Item = Feature>>(features: I) -> Self {
        let mut set = FeatureSet::NONE;
        features.into_iter().for_each(|f| set.insert(f));
        set
    }
}

/// Tries what is wanted. What is not wanted counts as missing, but for reading kernel memory and the ring
/// buffer: without them nothing works, and their absence shows when they are used.
pub fn detect(want: FeatureSet, types: &KernelTypes) -> Features {
    let has = |f: Feature| match f {
        F::ProbeReadKernel | F::Ringbuf if !want.contains(f) => true,
        f => want.contains(f) && try_out(f, types),
    };
    // Both come with their kernel's instruction set, the atomics with the older one.
    let isa_v4 = has(F::IsaV4);
    Features {
        probe_read_kernel: has(F::ProbeReadKernel),
        ringbuf: has(F::Ringbuf),
        attach_cookie: has(F::AttachCookie),
        for_each_map_elem: has(F::ForEachMapElem),
        bpf_loop: has(F::BpfLoop),
        lookup_percpu_elem: has(F::LookupPercpuElem),
        ktime_boot: has(F::KtimeBoot),
        ktime_tai: has(F::KtimeTai),
        current_task_btf: has(F::CurrentTaskBtf),
        jiffies64: has(F::Jiffies64),
        get_func_ip: has(F::GetFuncIp),
        send_signal: has(F::SendSignal),
        override_return: has(F::OverrideReturn),
        strncmp: has(F::Strncmp),
        isa_v4,
        task_storage: has(F::TaskStorage),
        tp_btf: has(F::TpBtf),
        atomics: (isa_v4 && want.contains(F::Atomics)) || has(F::Atomics),
        kprobe_multi: has(F::KprobeMulti),
        uprobe_multi: has(F::UprobeMulti),
        kprobe_session: has(F::KprobeSession),
        ncpus: possible_cpus(),
        pid_namespace: pid_namespace(),
    }
}

/// Our PID namespace, unless it is the first one, or `/proc` is not there to tell.
fn pid_namespace() -> Option<PidNamespace> {
    // `PROC_PID_INIT_INO`, include/linux/proc_ns.h.
    const FIRST: u64 = 0xefff_fffc;
    let namespace = fs::metadata("/proc/self/ns/pid").ok().filter(|m| m.ino() != FIRST)?;
    // MKDEV of include/linux/kdev_t.h has 20 bits for the minor number.
    let (major, minor) = (libc::major(namespace.dev()), libc::minor(namespace.dev()));
    Some(PidNamespace { dev: u64::from(major) << 20 | u64::from(minor), ino: namespace.ino() })
}

/// Everything that code generation knows to use: for compiling without running, where nothing can be
/// tried or the kernel is another one.
pub fn assumed() -> Features {
    Features {
        probe_read_kernel: true,
        ringbuf: true,
        attach_cookie: true,
        for_each_map_elem: true,
        bpf_loop: true,
        lookup_percpu_elem: true,
        ktime_boot: true,
        ktime_tai: true,
        current_task_btf: true,
        jiffies64: true,
        get_func_ip: true,
        send_signal: true,
        override_return: true,
        strncmp: true,
        isa_v4: true,
        task_storage: true,
        tp_btf: true,
        atomics: true,
        kprobe_multi: true,
        uprobe_multi: true,
        kprobe_session: true,
        ncpus: possible_cpus(),
        pid_namespace: None,
    }
}

/// `r0 = 7; r0 s/= 2` of instruction set v4: offset 1 makes the division signed.
const SIGNED_DIVISION: [u64; 3] = [mov_k(0, 7), insn(0x37, 0, 0, 1, 2), EXIT];

/// `r1 = xchg(stack, r1)`: opcode `BPF_STX | BPF_ATOMIC | BPF_DW`, `BPF_XCHG` in the immediate.
const EXCHANGE: [u64; 5] =
    [mov_k(1, 1), insn(0x7b, 10, 1, -8, 0), insn(0xdb, 10, 1, -8, 0xe1), mov_k(0, 0), EXIT];

fn try_out(feature: Feature, types: &KernelTypes) -> bool {
    match feature {
        F::Ringbuf => probe::map(lb::BPF_MAP_TYPE_RINGBUF, crate::sys::mapped::page_size() as u32),
        F::KtimeBoot => no_arguments(lb::BPF_FUNC_ktime_get_boot_ns),
        F::KtimeTai => no_arguments(lb::BPF_FUNC_ktime_get_tai_ns),
        F::CurrentTaskBtf => no_arguments(lb::BPF_FUNC_get_current_task_btf),
        F::Jiffies64 => no_arguments(lb::BPF_FUNC_jiffies64),
        F::ProbeReadKernel => helper(lb::BPF_FUNC_probe_read_kernel),
        F::AttachCookie => helper(lb::BPF_FUNC_get_attach_cookie),
        F::ForEachMapElem => helper(lb::BPF_FUNC_for_each_map_elem),
        F::BpfLoop => helper(lb::BPF_FUNC_loop),
        F::LookupPercpuElem => helper(lb::BPF_FUNC_map_lookup_percpu_elem),
        F::GetFuncIp => helper(lb::BPF_FUNC_get_func_ip),
        F::SendSignal => helper(lb::BPF_FUNC_send_signal),
        F::OverrideReturn => helper(lb::BPF_FUNC_override_return),
        F::Strncmp => helper(lb::BPF_FUNC_strncmp),
        F::TaskStorage => helper(lb::BPF_FUNC_task_storage_get),
        F::IsaV4 => probe::program(lb::BPF_PROG_TYPE_KPROBE, 0, 0, &SIGNED_DIVISION),
        F::Atomics => probe::program(lb::BPF_PROG_TYPE_KPROBE, 0, 0, &EXCHANGE),
        F::TpBtf => tracing_program(types),
        F::KprobeMulti => probe::multi(Multi::Kprobe),
        F::UprobeMulti => probe::multi(Multi::Uprobe),
        F::KprobeSession => probe::multi(Multi::KprobeSession),
    }
}

/// A helper that needs no arguments: the program that calls it loads.
fn no_arguments(id: lb::bpf_func_id) -> bool {
    probe::program(lb::BPF_PROG_TYPE_KPROBE, 0, 0, &[call(id), mov_k(0, 0), EXIT])
}

fn helper(id: lb::bpf_func_id) -> bool {
    probe::helper(lb::BPF_PROG_TYPE_KPROBE, id).unwrap_or(false)
}

/// A program on `sys_enter` as BTF describes it.
fn tracing_program(types: &KernelTypes) -> bool {
    let id = types.find(None, KindTag::Typedef, "btf_trace_sys_enter");
    id.is_ok_and(|id| {
        id.is_some_and(|id| {
            probe::program(lb::BPF_PROG_TYPE_TRACING, lb::BPF_TRACE_RAW_TP, id.id, &probe::NOTHING)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole_and_in_order() {
        assert!(ALL.iter().enumerate().all(|(i, f)| *f as usize == i));
        assert!(ALL.iter().all(|f| FeatureSet::all().contains(*f) && !FeatureSet::NONE.contains(*f)));
    }

    #[test]
    fn what_is_not_wanted_is_not_tried() {
        let types = KernelTypes::default();
        let features = detect(FeatureSet::NONE, &types);
        assert!(features.ringbuf && !features.ktime_boot && !features.tp_btf && !types.is_open());
    }

    #[test]
    fn the_running_kernel() {
        if crate::privileges::check().is_err() {
            eprintln!("skipped: needs root");
            return;
        }
        let features = detect(FeatureSet::all(), &KernelTypes::default());
        assert!(features.probe_read_kernel && features.ringbuf, "{features:?}");
        // Newer helpers come with the older ones.
        assert!(!features.lookup_percpu_elem || (features.bpf_loop && features.for_each_map_elem));
        assert!(!probe::helper(lb::BPF_PROG_TYPE_KPROBE, 1_000_000).unwrap());
    }
}
