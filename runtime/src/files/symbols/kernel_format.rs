//! Names of kernel addresses, asked of the kernel itself.
//!
//! Reading `/proc/kallsyms` takes tens of milliseconds and megabytes, for the sake of a few hundred
//! addresses. A program of seven instructions that calls `bpf_snprintf("%pS")` (Linux 5.13) is loaded
//! and run by `BPF_PROG_TEST_RUN` instead, at a microsecond or two for each address. Nothing is attached.

use crate::sys::bpf::{self, MapSpec, ProgSpec};
use crate::sys::map;
use crate::sys::mapped::Words;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Longest text: `KSYM_SYMBOL_LEN` (include/linux/kallsyms.h) is less.
const TEXT: u32 = 1024;
/// Where the text begins in the value; the address stands before it.
const TEXT_AT: u32 = 8;
/// `BPF_MAP_TYPE_ARRAY`, `BPF_F_RDONLY_PROG`, `BPF_F_MMAPABLE`, `BPF_PROG_TYPE_RAW_TRACEPOINT`,
/// `BPF_FUNC_snprintf` (include/uapi/linux/bpf.h).
const ARRAY: u32 = 2;
const RDONLY_PROG: u32 = 1 << 7;
const MMAPABLE: u32 = 1 << 10;
const RAW_TRACEPOINT: u32 = 17;
const SNPRINTF: i32 = 165;

/// A kernel address's name, as the kernel tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// Symbol.
    pub(super) name: String,
    /// Offset from it.
    pub(super) offset: u64,
    /// Module; `None` for the kernel itself.
    pub(super) module: Option<String>,
}

/// The loaded program.
#[derive(Debug)]
pub(super) struct KernelFormat {
    program: OwnedFd,
    words: Words,
    // The program keeps them alive; closed with it.
    _maps: [OwnedFd; 2],
}

impl KernelFormat {
    /// Loads the program. Fails without the right to, and on old kernels.
    pub(super) fn load() -> io::Result<KernelFormat> {
        let format = array("fmt", 8, RDONLY_PROG)?;
        map::update(format.as_fd(), &[0; 4], b"%pS\0\0\0\0\0")?;
        map::freeze(format.as_fd())?;
        let size = TEXT_AT + TEXT;
        let value = array("symbol", size, MMAPABLE)?;
        let insns = program(value.as_fd(), format.as_fd());
        let spec = ProgSpec {
            name: "ksym",
            prog_type: RAW_TRACEPOINT,
            attach_type: 0,
            function: None,
            license: "GPL",
            insns: &insns,
            btf: None,
            func_info: &[],
            line_info: &[],
        };
        let program = bpf::prog_load(&spec, None)?;
        let words = Words::new(value.as_fd(), size / 8)?;
        Ok(KernelFormat { program, words, _maps: [format, value] })
    }

    /// Names an address.
    pub(super) fn name(&self, address: u64) -> io::Result<Option<Named>> {
        self.words.set(0, address);
        let length = bpf::test_run(self.program.as_fd())?.min(TEXT);
        let words = (0..length.div_ceil(8)).map(|w| self.words.get(TEXT_AT / 8 + w).to_le_bytes());
        let bytes: Vec<u8> = words.flatten().take_while(|&b| b != 0).collect();
        Ok(std::str::from_utf8(&bytes).ok().and_then(parse))
    }
}

fn array(name: &str, value_size: u32, flags: u32) -> io::Result<OwnedFd> {
    let (map_type, key_size, max_entries) = (ARRAY, 4, 1);
    bpf::map_create(&MapSpec {
        name,
        map_type,
        key_size,
        value_size,
        max_entries,
        flags,
        btf: None,
        inner: None,
    })
}

/// `return bpf_snprintf(text, TEXT, format, &address, 8);`
fn program(value: BorrowedFd, format: BorrowedFd) -> Vec<u64> {
    let insn = |code: u8, registers: u8, imm: i32| {
        u64::from(code) | u64::from(registers) << 8 | u64::from(imm as u32) << 32
    };
    // `BPF_LD | BPF_IMM | BPF_DW` with `BPF_PSEUDO_MAP_VALUE`: descriptor, then offset.
    let place =
        |to: u8, fd: BorrowedFd, at: u32| [insn(0x18, to | 2 << 4, fd.as_raw_fd()), insn(0, 0, at as i32)];
    let number = |to: u8, value: u32| insn(0xb7, to, value as i32);
    let mut insns = Vec::new();
    insns.extend(place(1, value, TEXT_AT));
    insns.push(number(2, TEXT));
    insns.extend(place(3, format, 0));
    insns.extend(place(4, value, 0));
    insns.push(number(5, 8));
    insns.push(insn(0x85, 0, SNPRINTF));
    insns.push(insn(0x95, 0, 0));
    insns
}

/// `symbol+0x18d/0x200 [module]`; a number is an address without a name.
fn parse(text: &str) -> Option<Named> {
    let (symbol, module) = match text.split_once(" [") {
        // A build id may follow the module's name.
        Some((symbol, module)) => (symbol, module.split([' ', ']']).next()),
        None => (text, None),
    };
    let (name, place) = symbol.rsplit_once("+0x")?;
    let offset = u64::from_str_radix(place.split('/').next()?, 16).ok()?;
    Some(Named { name: name.to_string(), offset, module: module.map(str::to_string) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::symbols::kallsyms::Kallsyms;

    #[test]
    fn the_kernels_text_is_taken_apart() {
        let named = parse("ip_rcv+0x1d/0x200").unwrap();
        assert_eq!((named.name.as_str(), named.offset, named.module), ("ip_rcv", 0x1d, None));
        let named = parse("veth_xmit+0x0/0x10 [veth]").unwrap();
        assert_eq!(
            (named.name.as_str(), named.offset, named.module.as_deref()),
            ("veth_xmit", 0, Some("veth"))
        );
        assert_eq!(parse("f+0x1/0x2 [m 1234abcd]").unwrap().module.as_deref(), Some("m"));
        assert_eq!(parse("0xdead"), None);
        assert_eq!(parse("0x0"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn the_kernel_names_what_kallsyms_names() {
        let (format, table) = match (KernelFormat::load(), Kallsyms::load()) {
            (Ok(format), Ok(table)) => (format, table),
            (Err(e), _) | (_, Err(e)) => return eprintln!("skipped: {e}"),
        };
        for name in ["vfs_read", "ip_rcv", "schedule"] {
            let (address, _) = table.find(None, name).expect(name);
            let named = format.name(address + 3).unwrap().expect(name);
            assert_eq!((named.name.as_str(), named.offset), (name, 3));
        }
        assert_eq!(format.name(0).unwrap(), None);
        assert_eq!(format.name(0x1234).unwrap(), None);
    }
}
