//! Registers in `struct pt_regs` (arch/x86/include/uapi/asm/ptrace.h).

/// Names in the order in which they lie there, 8 bytes each.
const X86_64: [&str; 21] = [
    "r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di",
    "orig_ax", "ip", "cs", "flags", "sp", "ss",
];

/// Offset and size in bytes.
pub(super) fn register(name: &str) -> Option<(u32, u8)> {
    X86_64.iter().position(|n| *n == name).map(|i| (i as u32 * 8, 8))
}

/// All names.
pub(super) fn names() -> Vec<&'static str> {
    X86_64.to_vec()
}
