//! What code generation asks of the kernel that it compiles for.

use crate::ir::Helper;
use crate::object::ProgramType;

/// The kernel that programs are compiled for: asked only for what a program could use, and nothing is assumed of it
/// beyond Linux 5.8.
pub trait Kernel {
    /// May programs of this type call this helper?
    fn can_call(&self, program: ProgramType, helper: Helper) -> bool;

    /// Can it do this?
    fn has(&self, feature: Feature) -> bool;

    /// Possible CPUs, ≥ 1: per-CPU maps have a value for each.
    fn ncpus(&self) -> u32;

    /// The PID namespace whose numbers `pid` and `tid` are; `None`: the first one's.
    fn pid_namespace(&self) -> Option<PidNamespace>;

    /// Where `struct task_struct` has the numbers of a task; `None` where finding that out would take long.
    fn task_ids(&self) -> Option<TaskIds> {
        None
    }

    /// Where a function of the kernel begins; `None` where that is not known.
    fn function(&self, _module: Option<&str>, _name: &str) -> Option<u64> {
        None
    }
}

macro_rules! features {
    ($($(#[$doc:meta])* $feature:ident = $since:expr, $name:literal;)*) => {
        /// What only newer kernels can do, helpers apart.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Feature {
            $($(#[$doc])* $feature,)*
        }

        impl Feature {
            /// All of them.
            pub const ALL: &[Feature] = &[$(Feature::$feature),*];

            /// What it is called.
            pub fn name(self) -> &'static str {
                match self {
                    $(Feature::$feature => $name,)*
                }
            }

            /// The kernel release that has it first.
            pub fn since(self) -> (u8, u8) {
                match self {
                    $(Feature::$feature => $since,)*
                }
            }
        }
    };
}

features! {
    /// Keys of maps that are longer than 512 bytes.
    LongKeys = (5, 11), "keys longer than 512 bytes";
    /// `bpf_trace_printk` takes every format (it came with `bpf_snprintf`).
    Formats = (5, 13), "every format in debugf";
    /// Atomics with fetch, exchange and compare.
    Atomics = (5, 12), "atomic exchange and fetch";
    /// kprobe-multi links (with FPROBE).
    KprobeMulti = (5, 18), "kprobe_multi";
    /// Instruction set v4: signed division and modulo, `movsx`, sign-extending loads, byte swap.
    IsaV4 = (6, 6), "instruction set v4";
    /// uprobe-multi links.
    UprobeMulti = (6, 6), "uprobe_multi";
    /// One link for the entries and the returns of kernel functions.
    KprobeSession = (6, 10), "kprobe_session";
    /// The same for functions of programs and libraries.
    UprobeSession = (6, 13), "uprobe_session";
    /// Stacks of the CPU for tracing programs.
    PrivateStacks = (6, 13), "private stacks";
}

/// A PID namespace as `bpf_get_ns_current_pid_tgid` (5.7) names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PidNamespace {
    /// Device of the namespaces' file system, in the kernel's own form (`MKDEV`, include/linux/kdev_t.h).
    pub dev: u64,
    /// Inode number of the namespace.
    pub ino: u64,
}

/// Offsets in `struct task_struct` (include/linux/sched.h), in bytes, of two members of four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskIds {
    /// `tgid`: the number of the process.
    pub tgid: u32,
    /// `pid`: the number of the thread.
    pub pid: u32,
}

/// A kernel that has all that came with its release and before: for compiling where nothing can be tried.
#[derive(Clone, Copy, Debug)]
pub struct Release {
    /// Major and minor number.
    pub number: (u8, u8),
    /// Possible CPUs.
    pub ncpus: u32,
}

impl Release {
    /// Everything that code generation knows to use.
    pub fn newest(ncpus: u32) -> Self {
        Release { number: (u8::MAX, 0), ncpus }
    }
}

impl Kernel for Release {
    fn can_call(&self, _program: ProgramType, helper: Helper) -> bool {
        helper.info().is_some_and(|info| info.since <= self.number)
    }

    fn has(&self, feature: Feature) -> bool {
        feature.since() <= self.number
    }

    fn ncpus(&self) -> u32 {
        self.ncpus
    }

    fn pid_namespace(&self) -> Option<PidNamespace> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::helpers;

    #[test]
    fn a_release_has_what_came_before_it() {
        let old = Release { number: (5, 10), ncpus: 2 };
        assert!(old.can_call(ProgramType::Kprobe, helpers::KTIME_GET_BOOT_NS));
        assert!(!old.can_call(ProgramType::Kprobe, helpers::LOOP));
        assert!(!old.has(Feature::Atomics) && Release::newest(1).has(Feature::IsaV4));
    }
}
