//! /proc/kallsyms: the kernel's symbols.
//!
//! A single name is looked up by reading the file up to its line. For names of addresses the text
//! symbols are kept: two numbers for each, and one run of bytes for all names.

use std::fs::File;
use std::io::{self, BufRead, BufReader};

/// One line of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Address; 0 where the system hides it.
    pub addr: u64,
    /// Type as nm(1) has it: `T`, `t` for code.
    pub kind: u8,
    /// Name.
    pub name: &'a str,
    /// Module; `None` for the kernel itself.
    pub module: Option<&'a str>,
}

impl<'a> Line<'a> {
    /// `ffffffff81000000 T name` and then perhaps a tab and `[module]`.
    fn parse(line: &'a str) -> Option<Line<'a>> {
        let (addr, rest) = line.split_once(' ')?;
        let (kind, rest) = rest.split_once(' ')?;
        let (name, module) = match rest.split_once('\t') {
            Some((name, module)) => (name, Some(module.trim_matches(['[', ']']))),
            None => (rest, None),
        };
        Some(Line {
            addr: u64::from_str_radix(addr, 16).ok()?,
            kind: *kind.as_bytes().first()?,
            name,
            module,
        })
    }

    /// Code rather than data?
    pub fn is_text(&self) -> bool {
        matches!(self.kind, b't' | b'T' | b'w' | b'W')
    }

    /// Padding in front of a function, which the compiler gives a symbol of its own.
    fn is_padding(&self) -> bool {
        self.name.starts_with("__pfx_")
    }
}

/// Calls `each` for every line until it says `false`.
pub fn read(mut each: impl FnMut(Line) -> bool) -> io::Result<()> {
    let mut file = BufReader::with_capacity(1 << 16, File::open("/proc/kallsyms")?);
    let mut line = Vec::with_capacity(256);
    while file.read_until(b'\n', &mut line)? > 0 {
        let text = std::str::from_utf8(&line).unwrap_or("").trim_end();
        if Line::parse(text).is_some_and(|l| !each(l)) {
            break;
        }
        line.clear();
    }
    Ok(())
}

/// Address of a symbol by name, of any type; 0 where addresses are hidden. `None`: there is none.
pub fn address(module: Option<&str>, name: &str) -> io::Result<Option<u64>> {
    let mut found = None;
    read(|line| {
        if line.name == name && in_module(&line, module) {
            found = Some(line.addr);
        }
        found.is_none()
    })?;
    Ok(found)
}

/// Does the line belong to `module` (`vmlinux` for the kernel itself, `None`: any)?
pub fn in_module(line: &Line, module: Option<&str>) -> bool {
    module.is_none_or(|m| line.module.unwrap_or("vmlinux") == m)
}

/// A symbol that covers an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelSymbol<'a> {
    /// Name.
    pub name: &'a str,
    /// Module; `None` for the kernel itself.
    pub module: Option<&'a str>,
    /// Where it begins.
    pub addr: u64,
}

/// The kernel's code by address.
#[derive(Default)]
pub struct Kallsyms {
    /// Sorted by address. An address is 32 bits from [`Kallsyms::base`].
    entries: Vec<Entry>,
    /// `name` or `name\tmodule`, each ended by a NUL.
    names: Vec<u8>,
    /// Lowest address.
    base: u64,
}

/// One symbol.
#[derive(Clone, Copy)]
struct Entry {
    addr: u32,
    name: u32,
}

impl Kallsyms {
    /// Reads the code symbols of the running kernel. `PermissionDenied` where addresses are hidden.
    pub fn load() -> io::Result<Kallsyms> {
        let mut builder = Builder::default();
        read(|line| {
            builder.add(line);
            true
        })?;
        let table = builder.finish();
        if table.entries.is_empty() {
            return Err(hidden());
        }
        Ok(table)
    }

    /// The symbol that covers an address. `None` below the first one.
    pub fn symbol(&self, addr: u64) -> Option<KernelSymbol<'_>> {
        let wanted = u32::try_from(addr.checked_sub(self.base)?).ok()?;
        let after = self.entries.partition_point(|e| e.addr <= wanted);
        let mut at = after.checked_sub(1)?;
        // Aliases share an address: the first one is as good as any, and always the same.
        while at > 0 && self.entries[at - 1].addr == self.entries[at].addr {
            at -= 1;
        }
        Some(self.decode(self.entries[at]))
    }

    /// Address of a function, and its size as far as the next symbol tells it.
    pub fn find(&self, module: Option<&str>, name: &str) -> Option<(u64, Option<u64>)> {
        let at = self.entries.iter().position(|e| {
            let symbol = self.decode(*e);
            symbol.name == name && module.is_none_or(|m| symbol.module.unwrap_or("vmlinux") == m)
        })?;
        let here = self.entries[at];
        let next = self.entries[at..].iter().find(|e| e.addr > here.addr);
        Some((self.base + u64::from(here.addr), next.map(|e| u64::from(e.addr - here.addr))))
    }

    /// All symbols in the order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = KernelSymbol<'_>> {
        self.entries.iter().map(|e| self.decode(*e))
    }

    /// How many symbols there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// None at all?
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn decode(&self, entry: Entry) -> KernelSymbol<'_> {
        let rest = &self.names[entry.name as usize..];
        let text = &rest[..memchr::memchr(0, rest).unwrap_or(rest.len())];
        let text = std::str::from_utf8(text).unwrap_or("");
        let (name, module) = text.split_once('\t').map_or((text, None), |(n, m)| (n, Some(m)));
        KernelSymbol { name, module, addr: self.base + u64::from(entry.addr) }
    }
}

/// Collects symbols in any order.
#[derive(Default)]
struct Builder {
    symbols: Vec<(u64, u32)>,
    names: Vec<u8>,
}

impl Builder {
    fn add(&mut self, line: Line) {
        // Symbols of per-CPU data have small numbers for addresses; hidden ones have 0.
        if !line.is_text() || line.is_padding() || line.addr >> 63 == 0 {
            return;
        }
        self.symbols.push((line.addr, self.names.len() as u32));
        self.names.extend_from_slice(line.name.as_bytes());
        if let Some(module) = line.module {
            self.names.push(b'\t');
            self.names.extend_from_slice(module.as_bytes());
        }
        self.names.push(0);
    }

    fn finish(mut self) -> Kallsyms {
        self.symbols.sort_unstable();
        let base = self.symbols.first().map_or(0, |s| s.0);
        let entry = |&(addr, name): &(u64, u32)| Some(Entry { addr: u32::try_from(addr - base).ok()?, name });
        let mut entries = Vec::with_capacity(self.symbols.len());
        entries.extend(self.symbols.iter().filter_map(entry));
        self.names.shrink_to_fit();
        Kallsyms { entries, names: self.names, base }
    }
}

/// The error where the kernel shows zeros for addresses.
pub fn hidden() -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        "/proc/kallsyms shows no addresses: run as root, and see the sysctl kernel.kptr_restrict",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Kallsyms {
        let mut builder = Builder::default();
        text.lines().filter_map(Line::parse).for_each(|l| builder.add(l));
        builder.finish()
    }

    const TEXT: &str = "\
ffffffff81000000 T _text
ffffffff81000100 t inner
ffffffff81000100 T alias
ffffffff81000040 t early
ffffffff810000f0 t __pfx_inner
ffffffff82000000 D data
0000000000001000 A percpu
ffffffffc0200000 t veth_xmit\t[veth]
";

    #[test]
    fn addresses_have_names() {
        let table = table(TEXT);
        let name = |addr| table.symbol(addr).map(|s| (s.name, s.module, addr - s.addr));
        assert_eq!(name(0xffffffff81000041), Some(("early", None, 1)));
        assert_eq!(name(0xffffffff810000f4), Some(("early", None, 0xb4)));
        assert_eq!(name(0xffffffff81000100), Some(("inner", None, 0)));
        assert_eq!(name(0xffffffffc0200010), Some(("veth_xmit", Some("veth"), 16)));
        assert_eq!(name(0xffffffff80000000), None);
        assert_eq!(name(7), None);
    }

    #[test]
    fn names_have_addresses_and_sizes() {
        let table = table(TEXT);
        assert_eq!(table.find(None, "early"), Some((0xffffffff81000040, Some(0xc0))));
        assert_eq!(table.find(Some("vmlinux"), "veth_xmit"), None);
        assert_eq!(table.find(Some("veth"), "veth_xmit"), Some((0xffffffffc0200000, None)));
    }

    #[test]
    fn hidden_addresses_leave_nothing() {
        assert!(table("0000000000000000 T _text\n").is_empty());
    }

    #[test]
    fn broken_lines_are_passed_over() {
        for line in ["", "x", "1", "1 ", "1 t", "zz t name", " t name"] {
            assert_eq!(Line::parse(line), None, "{line:?}");
        }
    }

    #[test]
    fn the_running_kernel() {
        match Kallsyms::load() {
            Err(e) => eprintln!("skipped: {e}"),
            Ok(table) => {
                let (addr, size) = table.find(None, "vfs_read").expect("vfs_read");
                assert_eq!(table.symbol(addr + 1).map(|s| s.name), Some("vfs_read"));
                assert!(size.is_some_and(|s| s > 16));
            }
        }
    }
}
