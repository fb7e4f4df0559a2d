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

    /// Where a function of the kernel begins; `None` where that is not known.
    fn function(&self, _module: Option<&str>, _name: &str) -> Option<u64> {
        None
    }
}

/// What only newer kernels can do, helpers apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Feature {
    /// Instruction set v4 (6.6): signed division and modulo, `movsx`, sign-extending loads, byte swap.
    IsaV4,
    /// Atomics with fetch, exchange and compare (5.12).
    Atomics,
    /// Keys of maps that are longer than 512 bytes (5.11).
    LongKeys,
    /// kprobe-multi links (5.18, with FPROBE).
    KprobeMulti,
    /// uprobe-multi links (6.6).
    UprobeMulti,
    /// Stacks of the CPU for tracing programs (6.13).
    PrivateStacks,
}

impl Feature {
    /// All of them.
    pub const ALL: [Feature; 5] =
        [Feature::LongKeys, Feature::Atomics, Feature::KprobeMulti, Feature::IsaV4, Feature::UprobeMulti];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Feature::IsaV4 => "instruction set v4",
            Feature::Atomics => "atomic exchange and fetch",
            Feature::LongKeys => "keys longer than 512 bytes",
            Feature::KprobeMulti => "kprobe_multi",
            Feature::UprobeMulti => "uprobe_multi",
        }
    }

    /// The kernel release that has it first.
    pub fn since(self) -> (u8, u8) {
        match self {
            Feature::IsaV4 | Feature::UprobeMulti => (6, 6),
            Feature::Atomics => (5, 12),
            Feature::LongKeys => (5, 11),
            Feature::KprobeMulti => (5, 18),
            Feature::PrivateStacks => (6, 13),
        }
    }
}

/// A PID namespace as `bpf_get_ns_current_pid_tgid` (5.7) names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PidNamespace {
    /// Device of the namespaces' file system, in the kernel's own form (`MKDEV`, include/linux/kdev_t.h).
    pub dev: u64,
    /// Inode number of the namespace.
    pub ino: u64,
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
