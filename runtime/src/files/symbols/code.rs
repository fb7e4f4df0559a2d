//! The instructions of a kernel function: from a kernel image or a module's file, else from the
//! running kernel's memory.

use super::kcore;
use crate::files::Error;
use crate::files::debuginfo;
use crate::files::dwarf::DebugInfo;
use crate::files::elf::Elf;
use crate::files::instructions;
use crate::files::symbols::kallsyms::Kallsyms;
use std::collections::HashMap;

/// No kernel function is longer; a guard against a missing end.
const MAX_FUNCTION: u64 = 1 << 20;

/// A function's instructions.
#[derive(Clone, Debug)]
pub struct FunctionCode {
    /// Name of its symbol.
    pub function: String,
    /// Module; `None` for the kernel itself.
    pub module: Option<String>,
    /// Address of its first byte: in the file that it was read from, or in memory.
    pub address: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Where code and names come from.
pub enum CodeSource {
    /// A file with debug information.
    File(Box<DebugInfo>),
    /// The running kernel. `why` says why there is no file.
    Memory {
        /// The kernel's symbols.
        symbols: Box<Kallsyms>,
        /// What was missing.
        why: Error,
    },
}

impl CodeSource {
    /// The debug information, where there is some.
    pub fn debug_info(&self) -> Option<&DebugInfo> {
        match self {
            CodeSource::File(info) => Some(info),
            CodeSource::Memory { .. } => None,
        }
    }

    /// Names the functions at these addresses: name and offset.
    pub fn names_of(&self, addresses: &[u64]) -> HashMap<u64, (String, u64)> {
        match self {
            CodeSource::File(info) => info.elf().names_of(addresses),
            CodeSource::Memory { symbols, .. } => {
                let name = |&a: &u64| symbols.symbol(a).map(|s| (a, (s.name.to_string(), a - s.addr)));
                addresses.iter().filter_map(name).collect()
            }
        }
    }
}

/// Finds a kernel function: all of this name, with the source of names for their targets.
pub fn find(module: Option<&str>, function: &str) -> Result<(CodeSource, Vec<FunctionCode>), Error> {
    let opened = match module {
        Some(module) => debuginfo::module(module),
        None => debuginfo::kernel(),
    };
    let why = match opened {
        Ok(info) => {
            let found = in_file(info.elf(), module, function);
            if !found.is_empty() {
                return Ok((CodeSource::File(Box::new(info)), found));
            }
            let path = info.elf().path().display();
            Error::missing(format!("{path} has no code of a function {function}"))
        }
        Err(error) => error,
    };
    in_memory(module, function, why)
}

pub(crate) fn in_file(elf: &Elf, module: Option<&str>, function: &str) -> Vec<FunctionCode> {
    let code = |s: &crate::files::elf::Symbol| {
        let bytes = elf.code(s.address, s.size.min(MAX_FUNCTION))?.to_vec();
        let module = module.filter(|m| *m != "vmlinux").map(str::to_string);
        Some(FunctionCode { function: function.into(), module, address: s.address, bytes })
    };
    let mut found: Vec<FunctionCode> =
        elf.symbols_named(function).iter().filter(|s| s.is_code() && s.size > 0).filter_map(code).collect();
    found.sort_by_key(|c| c.address);
    found.dedup_by_key(|c| c.address);
    found
}

fn in_memory(
    module: Option<&str>,
    function: &str,
    why: Error,
) -> Result<(CodeSource, Vec<FunctionCode>), Error> {
    let path = || "/proc/kallsyms".into();
    let symbols = Kallsyms::load().map_err(|source| Error::Io { path: path(), source })?;
    let Some((address, size)) = symbols.find(module, function) else {
        let names: Vec<&str> = symbols.iter().map(|s| s.name).collect();
        let hint = crate::near::hint(function, names);
        return Err(Error::Missing { message: format!("the kernel has no function {function}"), hint });
    };
    let owner = symbols.symbol(address).and_then(|s| s.module).map(str::to_string);
    // A module's function: its own file knows more.
    if let (None, Some(owner)) = (module, &owner)
        && let Ok(info) = debuginfo::module(owner)
    {
        let found = in_file(info.elf(), Some(owner), function);
        if !found.is_empty() {
            return Ok((CodeSource::File(Box::new(info)), found));
        }
    }
    let size = size.unwrap_or(4096).min(MAX_FUNCTION) as usize;
    let mut bytes = kcore::read(address, size).map_err(|e| unreadable(function, &e, &why))?;
    bytes.truncate(without_padding(&bytes, address));
    let code = FunctionCode { function: function.into(), module: owner, address, bytes };
    Ok((CodeSource::Memory { symbols: Box::new(symbols), why }, vec![code]))
}

/// Neither a file nor memory has the function's code.
fn unreadable(function: &str, memory: &Error, file: &Error) -> Error {
    let hint = match file {
        Error::Missing { hint, .. } => hint.clone(),
        _ => None,
    };
    Error::Missing { message: format!("the code of {function} cannot be read: {memory}; {file}"), hint }
}

/// Length of a function without what fills the space to its neighbour: `int3`, `nop` and the like
/// after the last instruction that does not go on to the next.
fn without_padding(bytes: &[u8], address: u64) -> usize {
    let insns = instructions::decode(bytes, address);
    let is_padding = |i: &instructions::Insn| i.is_nop() || i.is_int3();
    let last = insns.iter().rposition(|i| !is_padding(i));
    last.map_or(bytes.len(), |i| (insns[i].end() - address) as usize)
}

/// Checks that `function+offset` begins an instruction.
pub fn check_offset(module: Option<&str>, function: &str, offset: u64) -> Result<(), Error> {
    if offset == 0 {
        return Ok(());
    }
    let (source, found) = find(module, function)?;
    let Some(code) = found.first() else { return Ok(()) };
    if instructions::check_offset(&code.bytes, code.address, offset, &|_| None).is_ok() {
        return Ok(());
    }
    // Only the error shows names.
    let insns = instructions::decode(&code.bytes, code.address);
    let names = source.names_of(&insns.iter().filter_map(instructions::Insn::target).collect::<Vec<_>>());
    let name = |address: u64| local_or_named(code, &names, address);
    instructions::check_offset(&code.bytes, code.address, offset, &name)
        .map_err(|bad| Error::missing_with_hint(bad.message(function, offset), bad.hint(function, offset)))
}

/// `+OFFSET` within the function, else `symbol` or `symbol+offset`.
pub fn local_or_named(
    code: &FunctionCode,
    names: &HashMap<u64, (String, u64)>,
    address: u64,
) -> Option<String> {
    let offset = address.wrapping_sub(code.address);
    if offset < code.bytes.len() as u64 {
        return Some(format!("+{offset}"));
    }
    let (name, offset) = names.get(&address)?;
    Some(if *offset == 0 { name.clone() } else { format!("{name}+{offset}") })
}
