//! C's base types and the kernel's usual names for them, without BTF.

use rbtrace_lang::types::Type;

/// A base type or a typedef of one on x86-64 (LP64), whatever the order of its words.
pub(super) fn base_type(name: &str) -> Option<Type> {
    let name = name.trim();
    if let Some(found) = TYPEDEFS.iter().find(|(n, ..)| *n == name) {
        return Some(Type::int(found.1, found.2));
    }
    match name {
        "void" => Some(Type::Void),
        "bool" | "_Bool" => Some(Type::Bool),
        _ => spelled_out(name),
    }
}

/// `unsigned long`, `long unsigned int`, `char`, ….
fn spelled_out(name: &str) -> Option<Type> {
    let (mut long, mut short, mut unsigned, mut signed, mut char) = (0, false, false, false, false);
    for word in name.split_whitespace() {
        match word {
            "long" => long += 1,
            "short" => short = true,
            "unsigned" => unsigned = true,
            "signed" => signed = true,
            "char" => char = true,
            "int" => {}
            "const" | "volatile" => {}
            _ => return None,
        }
    }
    if name.is_empty() || (unsigned && signed) || (short && long > 0) || (char && (short || long > 0)) {
        return None;
    }
    let size = match (char, short, long) {
        (true, ..) => 1,
        (_, true, _) => 2,
        (.., 0) => 4,
        (.., 1 | 2) => 8,
        _ => return None,
    };
    Some(Type::int(size, !unsigned))
}

/// `(name, bytes, signed)`. Source: include/linux/types.h, include/uapi/linux/types.h,
/// include/uapi/asm-generic/{int-ll64,posix_types}.h, arch/x86/include/uapi/asm/posix_types_64.h.
#[rustfmt::skip]
const TYPEDEFS: &[(&str, u8, bool)] = &[
    ("u8", 1, false), ("u16", 2, false), ("u32", 4, false), ("u64", 8, false),
    ("s8", 1, true), ("s16", 2, true), ("s32", 4, true), ("s64", 8, true),
    ("__u8", 1, false), ("__u16", 2, false), ("__u32", 4, false), ("__u64", 8, false),
    ("__s8", 1, true), ("__s16", 2, true), ("__s32", 4, true), ("__s64", 8, true),
    ("uint8_t", 1, false), ("uint16_t", 2, false), ("uint32_t", 4, false), ("uint64_t", 8, false),
    ("int8_t", 1, true), ("int16_t", 2, true), ("int32_t", 4, true), ("int64_t", 8, true),
    ("__le16", 2, false), ("__le32", 4, false), ("__le64", 8, false),
    ("__be16", 2, false), ("__be32", 4, false), ("__be64", 8, false),
    ("uint", 4, false), ("ulong", 8, false), ("ushort", 2, false),
    ("u_char", 1, false), ("u_short", 2, false), ("u_int", 4, false), ("u_long", 8, false),
    ("size_t", 8, false), ("ssize_t", 8, true), ("ptrdiff_t", 8, true),
    ("uintptr_t", 8, false), ("intptr_t", 8, true),
    ("pid_t", 4, true), ("uid_t", 4, false), ("gid_t", 4, false), ("qid_t", 4, false),
    ("mode_t", 4, false), ("umode_t", 2, false), ("nlink_t", 4, false),
    ("off_t", 8, true), ("loff_t", 8, true), ("ino_t", 8, false), ("dev_t", 4, false),
    ("sector_t", 8, false), ("blkcnt_t", 8, false), ("gfp_t", 4, false), ("fmode_t", 4, false),
    ("time64_t", 8, true), ("ktime_t", 8, true), ("clockid_t", 4, true), ("clock_t", 8, true),
    ("timer_t", 4, true), ("key_t", 4, true), ("mqd_t", 4, true), ("aio_context_t", 8, false),
    ("dma_addr_t", 8, false), ("phys_addr_t", 8, false), ("pgoff_t", 8, false),
    ("key_serial_t", 4, true), ("rwf_t", 4, true), ("old_uid_t", 2, false),
    ("old_gid_t", 2, false), ("errseq_t", 4, false),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_types_by_any_spelling() {
        for (name, size, signed) in [
            ("int", 4, true),
            ("unsigned", 4, false),
            ("unsigned int", 4, false),
            ("long unsigned int", 8, false),
            ("unsigned long long", 8, false),
            ("short", 2, true),
            ("char", 1, true),
            ("unsigned char", 1, false),
            ("u32", 4, false),
            ("umode_t", 2, false),
        ] {
            assert_eq!(base_type(name), Some(Type::int(size, signed)), "{name}");
        }
        for name in ["", "sigset_t", "short long", "unsigned signed", "struct x"] {
            assert_eq!(base_type(name), None, "{name}");
        }
    }
}
