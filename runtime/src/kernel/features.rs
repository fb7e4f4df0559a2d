//! What the running kernel can do, found by trying and remembered.
//!
//! Each trial is a program that is loaded and dropped at once. Only what is asked is tried: a script that uses no
//! helper of newer kernels costs nothing.

use crate::files::btf::{self, Kind, KindTag};
use crate::files::symbols::kallsyms;
use crate::kernel::system::possible_cpus;
use crate::sys::probe::{self, EXIT, Multi, insn, mov_k};
use libbpf_sys as lb;
use rbtrace_codegen::ir::Helper;
use rbtrace_codegen::kernel::{Feature, Kernel, PidNamespace, TaskIds};
use rbtrace_codegen::object::ProgramType;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// The running kernel.
#[derive(Debug, Default)]
pub struct LiveKernel {
    helpers: RefCell<HashMap<(ProgramType, Helper), bool>>,
    features: RefCell<HashMap<Feature, bool>>,
    ncpus: OnceCell<u32>,
    pid_namespace: OnceCell<Option<PidNamespace>>,
    task_ids: OnceCell<Option<TaskIds>>,
    /// Features that are not to be used, by name.
    without: Vec<String>,
}

impl Kernel for LiveKernel {
    fn can_call(&self, program: ProgramType, helper: Helper) -> bool {
        let known = self.helpers.borrow().get(&(program, helper)).copied();
        known.unwrap_or_else(|| {
            // Programs that are bound to a function cannot be tried without one; what they may call, kprobes may, too.
            let like = if program == ProgramType::Tracing { ProgramType::Kprobe } else { program };
            let able = probe::helper(like.number(), helper.0).unwrap_or(false);
            self.helpers.borrow_mut().insert((program, helper), able);
            able
        })
    }

    fn has(&self, feature: Feature) -> bool {
        let known = self.features.borrow().get(&feature).copied();
        known.unwrap_or_else(|| {
            let wanted = !self.without.iter().any(|name| name == feature.name());
            let able = wanted && self.try_out(feature);
            self.features.borrow_mut().insert(feature, able);
            able
        })
    }

    fn ncpus(&self) -> u32 {
        *self.ncpus.get_or_init(possible_cpus)
    }

    fn pid_namespace(&self) -> Option<PidNamespace> {
        *self.pid_namespace.get_or_init(pid_namespace)
    }

    fn task_ids(&self) -> Option<TaskIds> {
        *self.task_ids.get_or_init(task_ids)
    }

    fn function(&self, module: Option<&str>, name: &str) -> Option<u64> {
        kallsyms::address(module, name).ok()?.filter(|&address| address != 0)
    }
}

impl LiveKernel {
    /// The running kernel without some of its features, by their names.
    pub fn without(features: &[String]) -> LiveKernel {
        LiveKernel { without: features.to_vec(), ..LiveKernel::default() }
    }

    fn try_out(&self, feature: Feature) -> bool {
        match feature {
            Feature::IsaV4 => probe::program(lb::BPF_PROG_TYPE_KPROBE, 0, 0, &SIGNED_DIVISION),
            // They are older than the instruction set that every program asks for.
            Feature::Atomics => {
                self.has(Feature::IsaV4) || probe::program(lb::BPF_PROG_TYPE_KPROBE, 0, 0, &EXCHANGE)
            }
            Feature::Formats => {
                probe::helper(lb::BPF_PROG_TYPE_KPROBE, lb::BPF_FUNC_snprintf).unwrap_or(false)
            }
            Feature::LongKeys => probe::key(513),
            Feature::KprobeMulti => probe::multi(Multi::Kprobe),
            Feature::UprobeMulti => probe::multi(Multi::Uprobe),
            Feature::KprobeSession => probe::multi(Multi::KprobeSession),
            Feature::UprobeSession => probe::multi(Multi::UprobeSession),
            Feature::PrivateStacks => probe::program(lb::BPF_PROG_TYPE_KPROBE, 0, 0, &TWO_FULL_STACKS),
        }
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

/// Where tasks have their numbers, as the first types of the kernel's BTF say: they are among those that the
/// kernel's first file uses.
fn task_ids() -> Option<TaskIds> {
    let types = btf::first_types().ok()?;
    let Kind::Struct(task) = types.ty(types.find(KindTag::Struct, "task_struct")?)?.kind else { return None };
    let offset = |name| {
        let member = task.members().find(|m| m.name == name)?;
        (member.bit_width == 0 && member.bit_offset % 32 == 0).then_some(member.bit_offset / 8)
    };
    Some(TaskIds { tgid: offset("tgid")?, pid: offset("pid")? })
}

/// `r0 = 7; r0 s/= 2` of instruction set v4: offset 1 makes the division signed.
const SIGNED_DIVISION: [u64; 3] = [mov_k(0, 7), insn(0x37, 0, 0, 1, 2), EXIT];

/// `r1 = xchg(stack, r1)`: opcode `BPF_STX | BPF_ATOMIC | BPF_DW`, `BPF_XCHG` in the immediate.
const EXCHANGE: [u64; 5] =
    [mov_k(1, 1), insn(0x7b, 10, 1, -8, 0), insn(0xdb, 10, 1, -8, 0xe1), mov_k(0, 0), EXIT];

/// A function that needs all 512 bytes of stack calls another that does: they fit only stacks of their own.
const TWO_FULL_STACKS: [u64; 7] = [
    insn(0x7a, 10, 0, -512, 0),
    insn(0x85, 0, 1, 0, 2),
    mov_k(0, 0),
    EXIT,
    insn(0x7a, 10, 0, -512, 0),
    mov_k(0, 0),
    EXIT,
];

#[cfg(test)]
mod tests {
    use super::*;
    use rbtrace_codegen::helpers;

    #[test]
    fn the_running_kernel() {
        if crate::kernel::privileges::check().is_err() {
            eprintln!("skipped: needs root");
            return;
        }
        let kernel = LiveKernel::default();
        let can = |helper| kernel.can_call(ProgramType::Kprobe, helper);
        assert!(can(helpers::PROBE_READ_KERNEL));
        // Newer helpers come with the older ones.
        assert!(
            !can(helpers::MAP_LOOKUP_PERCPU_ELEM) || (can(helpers::LOOP) && can(helpers::FOR_EACH_MAP_ELEM))
        );
        assert!(!can(Helper(1_000_000)));
        // What is known once is not tried again.
        assert_eq!(kernel.helpers.borrow().len(), 5);
    }

    #[test]
    fn a_feature_can_be_left_out() {
        let kernel = LiveKernel::without(&["kprobe_multi".to_owned()]);
        assert!(!kernel.has(Feature::KprobeMulti));
    }

    #[test]
    fn a_helper_is_tried_for_the_type_of_the_program() {
        if crate::kernel::privileges::check().is_err() {
            eprintln!("skipped: needs root");
            return;
        }
        let kernel = LiveKernel::default();
        // Only programs of kprobes may change what a function returns.
        assert!(kernel.can_call(ProgramType::Tracepoint, helpers::GET_STACKID));
        assert!(!kernel.can_call(ProgramType::Tracepoint, helpers::OVERRIDE_RETURN));
    }
}
