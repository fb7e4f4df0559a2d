//! `%gr`: the flags of page allocations (`gfp_t`) by name.

use rbtrace_lang::System;

/// Flags by bit (include/linux/gfp_types.h). They have kept their places since 5.10; bit 9 is unused since 6.3.
const BITS: [&str; 24] = [
    "__GFP_DMA",
    "__GFP_HIGHMEM",
    "__GFP_DMA32",
    "__GFP_MOVABLE",
    "__GFP_RECLAIMABLE",
    "__GFP_HIGH",
    "__GFP_IO",
    "__GFP_FS",
    "__GFP_ZERO",
    "__GFP_ATOMIC",
    "__GFP_DIRECT_RECLAIM",
    "__GFP_KSWAPD_RECLAIM",
    "__GFP_WRITE",
    "__GFP_NOWARN",
    "__GFP_RETRY_MAYFAIL",
    "__GFP_NOFAIL",
    "__GFP_NORETRY",
    "__GFP_MEMALLOC",
    "__GFP_COMP",
    "__GFP_NOMEMALLOC",
    "__GFP_HARDWALL",
    "__GFP_THISNODE",
    "__GFP_ACCOUNT",
    "__GFP_ZEROTAGS",
];

/// Flags whose bits depend on the kernel's configuration: since 6.10 they are in its enum `___GFP_…_BIT`.
const CONFIGURED: [&str; 4] = ["__GFP_SKIP_ZERO", "__GFP_SKIP_KASAN", "__GFP_NOLOCKDEP", "__GFP_NO_OBJ_EXT"];

const HIGH: u64 = 1 << 5;
const IO: u64 = 1 << 6;
const FS: u64 = 1 << 7;
const ATOMIC: u64 = 1 << 9;
const DIRECT: u64 = 1 << 10;
const KSWAPD: u64 = 1 << 11;
const NOWARN: u64 = 1 << 13;
const KERNEL: u64 = DIRECT | KSWAPD | IO | FS;
const USER: u64 = KERNEL | 1 << 20;
const HIGHUSER: u64 = USER | 1 << 1;
const MOVABLE: u64 = HIGHUSER | 1 << 3;
const TRANSHUGE: u64 = (MOVABLE | 1 << 18 | 1 << 19 | NOWARN) & !KSWAPD;

/// Combinations, the larger ones first (`__def_gfpflag_names`, include/trace/events/mmflags.h). The first
/// GFP_ATOMIC is that of kernels before 6.3.
const COMBINATIONS: [(&str, u64); 15] = [
    ("GFP_TRANSHUGE", TRANSHUGE),
    ("GFP_TRANSHUGE_LIGHT", TRANSHUGE & !DIRECT),
    ("GFP_HIGHUSER_MOVABLE", MOVABLE),
    ("GFP_HIGHUSER", HIGHUSER),
    ("GFP_USER", USER),
    ("GFP_KERNEL_ACCOUNT", KERNEL | 1 << 22),
    ("GFP_KERNEL", KERNEL),
    ("GFP_NOFS", DIRECT | KSWAPD | IO),
    ("GFP_ATOMIC", HIGH | ATOMIC | KSWAPD),
    ("GFP_ATOMIC", HIGH | KSWAPD),
    ("GFP_NOIO", DIRECT | KSWAPD),
    ("GFP_NOWAIT", KSWAPD | NOWARN),
    ("GFP_DMA", 1 << 0),
    ("GFP_DMA32", 1 << 2),
    ("__GFP_RECLAIM", DIRECT | KSWAPD),
];

/// The names of this kernel.
#[derive(Debug)]
pub struct GfpNames(Vec<(&'static str, u64)>);

impl GfpNames {
    /// Asks the kernel's types for the bits that are not the same everywhere.
    pub fn of(system: Option<&dyn System>) -> Self {
        let bit = |name: &str| system?.enum_constant(&format!("_{name}_BIT")).map(|(n, _)| n);
        let configured =
            CONFIGURED.into_iter().filter_map(|name| Some((name, 1u64.checked_shl(bit(name)? as u32)?)));
        let fixed = BITS.into_iter().enumerate().map(|(n, name)| (name, 1 << n));
        GfpNames(COMBINATIONS.into_iter().chain(fixed).chain(configured).collect())
    }

    /// Flags by name; bits without one as a number.
    pub fn show(&self, flags: u64) -> String {
        let mut rest = flags;
        let mut words = vec![];
        for (name, bits) in &self.0 {
            if rest & bits == *bits {
                words.push((*name).to_owned());
                rest &= !bits;
            }
        }
        if rest != 0 || words.is_empty() {
            words.push(if rest == 0 { "0".to_owned() } else { format!("{rest:#x}") });
        }
        words.join("|")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_flags() {
        let names = GfpNames::of(None);
        assert_eq!(names.show(0), "0");
        assert_eq!(names.show(0xcc0), "GFP_KERNEL");
        assert_eq!(names.show(0xcc0 | 1 << 8), "GFP_KERNEL|__GFP_ZERO");
        assert_eq!(names.show(0x820), "GFP_ATOMIC");
        assert_eq!(names.show(0xa20), "GFP_ATOMIC");
        assert_eq!(names.show(0x2800), "GFP_NOWAIT");
        assert_eq!(names.show(0x800), "__GFP_KSWAPD_RECLAIM");
        assert_eq!(names.show(1 << 31 | 1), "GFP_DMA|0x80000000");
        assert_eq!(names.show(0x1c_24ca), "GFP_TRANSHUGE");
        assert_eq!(names.show(0x1c_20ca), "GFP_TRANSHUGE_LIGHT");
    }
}
