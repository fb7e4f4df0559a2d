//! What differs between architectures: where registers lie in `struct pt_regs`.
//!
//! One table for each architecture; x86-64 from `arch/x86/include/uapi/asm/ptrace.h` and the calling
//! conventions of the System V ABI and of the system call entry.

/// Offsets of the registers in `pt_regs`, in bytes.
#[derive(Debug)]
pub struct Arch {
    /// Every register by the names that scripts use.
    pub registers: &'static [(&'static str, u32)],
    /// Arguments of a function call in order.
    pub args: &'static [u32],
    /// Arguments of a system call in order.
    pub syscall_args: &'static [u32],
    /// The number of the system call that is being made.
    pub syscall_nr: u32,
    /// Offset in `struct task_struct` of `thread_info.status`, and its bit `TS_COMPAT`: the system call
    /// came from a 32-bit program (`arch/x86/include/asm/thread_info.h`, since Linux 5.11).
    pub compat_status: (u32, i64),
    /// A function's result.
    pub ret: u32,
    /// Instruction pointer.
    pub ip: u32,
    /// Stack pointer.
    pub sp: u32,
}

/// x86-64.
pub const X86_64: Arch = Arch {
    registers: &[
        ("r15", 0),
        ("r14", 8),
        ("r13", 16),
        ("r12", 24),
        ("bp", 32),
        ("bx", 40),
        ("r11", 48),
        ("r10", 56),
        ("r9", 64),
        ("r8", 72),
        ("ax", 80),
        ("cx", 88),
        ("dx", 96),
        ("si", 104),
        ("di", 112),
        ("orig_ax", 120),
        ("orig_rax", 120),
        ("ip", 128),
        ("pc", 128),
        ("cs", 136),
        ("flags", 144),
        ("sp", 152),
        ("ss", 160),
    ],
    args: &[112, 104, 96, 88, 72, 64],
    syscall_args: &[112, 104, 96, 56, 72, 64],
    syscall_nr: 120,
    compat_status: (16, 2),
    ret: 80,
    ip: 128,
    sp: 152,
};

/// The architecture that programs are made for.
pub const CURRENT: &Arch = &X86_64;

/// Offset in `pt_regs` and size in bytes of a register.
pub fn register(name: &str) -> Option<(u32, u8)> {
    CURRENT.registers.iter().find(|(n, _)| *n == name).map(|&(_, offset)| (offset, 8))
}

/// Names of all registers.
pub fn register_names() -> impl Iterator<Item = &'static str> {
    CURRENT.registers.iter().map(|&(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_registers_agree_with_the_conventions() {
        let at = |name| register(name).map(|(offset, _)| offset);
        assert_eq!(at("di"), Some(CURRENT.args[0]));
        assert_eq!(at("r10"), Some(CURRENT.syscall_args[3]));
        assert_eq!((at("ax"), at("ip"), at("sp")), (Some(CURRENT.ret), Some(CURRENT.ip), Some(CURRENT.sp)));
        assert_eq!(at("eax"), None);
    }
}
