//! Functions and symbols of user-level binaries.

use super::{LiveSystem, binaries};
use crate::files::elf::{Elf, Symbol};
use crate::files::{debuginfo, instructions};
use crate::sys::untrusted;
use crate::{glob, near};
use rbtrace_lang::system::{Answer, SystemError};
use rbtrace_lang::target::Target;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::rc::Rc;

/// Before a symbol: its name is the demangled one.
const CPP: &str = "cpp:";

/// A function of a binary.
struct Function {
    name: Rc<str>,
    address: u64,
    size: u64,
}

impl LiveSystem {
    pub(super) fn find_uprobes(
        &self,
        binary: &str,
        symbol: &str,
        offset: u64,
        ret: bool,
        pid: Option<i32>,
    ) -> Answer<Vec<Target>> {
        let files = binaries::resolve(binary, pid)?;
        let many = files.len() > 1 || glob::is_pattern(symbol);
        let mut found = vec![];
        let mut names: Vec<String> = vec![];
        for path in &files {
            // Among several files, those that are no ELF (scripts, data) have no functions.
            let elf = match self.elf(path) {
                Ok(elf) => elf,
                Err(_) if many => continue,
                Err(e) => return Err(e),
            };
            let functions = functions(&elf, symbol);
            if functions.is_empty() && !many {
                names.extend(elf.symbols().filter(|s| s.is_function()).map(|s| s.name.to_string()));
            }
            for f in functions {
                check_place(&elf, &f, offset)?;
                found.extend(attach(path, &elf, &f, offset, ret, pid));
            }
        }
        if found.is_empty() && !glob::is_pattern(symbol) {
            let hint = near::hint(symbol, names.iter().map(String::as_str));
            return Err(SystemError::missing(format!("nothing matches uprobe:{binary}:{symbol}"), hint));
        }
        Ok(found)
    }

    pub(super) fn find_uprobe_address(
        &self,
        binary: &str,
        address: u64,
        pid: Option<i32>,
    ) -> Answer<(Rc<str>, u64)> {
        let files = binaries::resolve(binary, pid)?;
        let [path] = files.as_slice() else {
            return Err(SystemError::new(format!(
                "{binary} names {} files: an address needs one",
                files.len()
            )));
        };
        let shown: Rc<str> = path.to_string_lossy().into();
        let unknown = || SystemError::new(format!("there is no code at {address:#x} of {shown}"));
        if !is_elf(path) {
            // A file of bare code has no addresses: the number is an offset.
            let size = std::fs::metadata(path).map_or(0, |m| m.len());
            return if address < size { Ok((shown, address)) } else { Err(unknown()) };
        }
        let elf = self.elf(path)?;
        let code = elf.section_at(address).is_some_and(|s| s.executable);
        let offset = elf.offset_of_address(address).filter(|_| code).ok_or_else(unknown)?;
        Ok((shown, offset))
    }

    pub(super) fn user_symbol(&self, binary: &str, name: &str) -> Answer<(u64, u64)> {
        let unknown = || SystemError::new(format!("{binary} has no symbol '{name}'"));
        let files = binaries::resolve(binary, None)?;
        let elf = self.elf(files.first().ok_or_else(unknown)?)?;
        let named = |elf: &Elf| elf.symbols_named(name).first().map(|s| (s.address, s.size));
        if let Some(found) = named(&elf).or_else(|| named(&*separate(&elf)?)) {
            return Ok(found);
        }
        let hint = near::hint(name, elf.symbols().map(|s| s.name));
        Err(SystemError { hint, ..unknown() })
    }

    /// The file, opened once.
    pub(super) fn elf(&self, path: &Path) -> Answer<Rc<Elf>> {
        if let Some(elf) = self.elves.borrow().get(path) {
            return Ok(elf.clone());
        }
        let elf = Elf::open(path).map(Rc::new)?;
        self.elves.borrow_mut().insert(path.to_owned(), elf.clone());
        Ok(elf)
    }
}

fn is_elf(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = untrusted::open(path).and_then(|mut f| f.read_exact(&mut magic));
    read.is_ok() && magic == *b"\x7fELF"
}

/// The separate file with the symbols of a stripped binary.
fn separate(elf: &Elf) -> Option<Box<Elf>> {
    if elf.has_symtab() {
        return None;
    }
    let path = debuginfo::of_elf(elf).filter(|p| p != elf.path())?;
    Elf::open(&path).ok().map(Box::new)
}

/// Functions that `symbol` names, by name; the file's own and those of its separate symbols.
fn functions(elf: &Elf, symbol: &str) -> Vec<Function> {
    let found = functions_in(elf, symbol);
    match separate(elf) {
        Some(full) if found.is_empty() || glob::is_pattern(symbol) => functions_in(&full, symbol),
        _ => found,
    }
}

fn functions_in(elf: &Elf, symbol: &str) -> Vec<Function> {
    let demangled = symbol.strip_prefix(CPP);
    if demangled.is_none() && !glob::is_pattern(symbol) {
        return exact(elf, symbol).into_iter().collect();
    }
    // Names of one address stay apart: each is a probe of its own name.
    let mut found: BTreeMap<Rc<str>, Function> = BTreeMap::new();
    for s in elf.symbols().filter(|s| s.is_function() && s.size > 0) {
        let fits = match demangled {
            Some(pattern) => cpp_fits(pattern, s.name),
            None => glob::matches(symbol, s.name),
        };
        if fits {
            found.entry(s.name.into()).or_insert_with(|| function(&s));
        }
    }
    found.into_values().collect()
}

fn function(s: &Symbol) -> Function {
    Function { name: s.name.into(), address: s.address, size: s.size }
}

/// The function of this name; a label of assembler where there is none.
fn exact(elf: &Elf, name: &str) -> Option<Function> {
    let mut named = elf.symbols_named(name);
    named.sort_by_key(|s| (!s.is_function(), s.local, s.address));
    named.first().filter(|s| s.is_code()).map(function)
}

/// Does the demangled name fit, with or without its parameters?
fn cpp_fits(pattern: &str, mangled: &str) -> bool {
    let Some(full) = demangle(mangled) else { return false };
    glob::matches(pattern, &full) || full.split('(').next().is_some_and(|name| glob::matches(pattern, name))
}

/// A C++ or Rust name as its source has it; `None` for names that are not mangled.
fn demangle(name: &str) -> Option<Cow<'_, str>> {
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        return Some(format!("{rust:#}").into());
    }
    if !name.starts_with("_Z") {
        return None;
    }
    let symbol = cpp_demangle::Symbol::new(name).ok()?;
    symbol.demangle().ok().map(Cow::from)
}

/// Checks that an instruction of the function begins at `offset`.
fn check_place(elf: &Elf, f: &Function, offset: u64) -> Answer<()> {
    if offset == 0 || f.size == 0 {
        return Ok(());
    }
    if offset >= f.size {
        return Err(SystemError::new(format!(
            "the offset lies outside of '{}', which has {} bytes",
            f.name, f.size
        )));
    }
    let Some(code) = elf.code(f.address, f.size) else { return Ok(()) };
    let no_names = |_: u64| None;
    instructions::check_offset(code, f.address, offset, &no_names).map_err(|bad| {
        let place = format!("{}:{}+{offset}", elf.path().display(), f.name);
        SystemError::with_hint(
            format!("{place} is in the middle of an instruction"),
            bad.hint(&f.name, offset),
        )
    })
}

fn attach(path: &Path, elf: &Elf, f: &Function, offset: u64, ret: bool, pid: Option<i32>) -> Option<Target> {
    let start = elf.offset_of_address(f.address)?;
    Some(Target::Uprobe {
        path: path.to_string_lossy().into(),
        symbol: f.name.clone(),
        offset: start.checked_add(offset)?,
        ret,
        pid,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbtrace_lang::System;

    /// A function with a name of its own in this very binary.
    #[unsafe(no_mangle)]
    #[inline(never)]
    extern "C" fn rbtrace_uprobe_target(x: u64) -> u64 {
        std::hint::black_box(x).wrapping_mul(3)
    }

    fn me() -> String {
        assert_eq!(rbtrace_uprobe_target(2), 6);
        std::env::current_exe().unwrap().to_string_lossy().into_owned()
    }

    fn offset_of(found: &[Target]) -> u64 {
        match found {
            [Target::Uprobe { offset, .. }] => *offset,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_function_by_name_address_and_pattern() {
        let (system, me) = (LiveSystem::new(), me());
        let found = system.uprobes(&me, "rbtrace_uprobe_target", 0, false, None).unwrap();
        let offset = offset_of(&found);
        let (address, size) = system.uaddr(&me, "rbtrace_uprobe_target").unwrap();
        assert!(size > 0);
        assert_eq!(system.uprobe_address(&me, address, None), Ok((me.as_str().into(), offset)));
        let same = system.uprobes(&me, "rbtrace_upr?be_targ*", 0, false, None).unwrap();
        assert_eq!(same, found);
        // The code at that offset of the file is the code in memory.
        let file = std::fs::read(&me).unwrap();
        // SAFETY: the function is at least this long, and code can be read.
        let code = unsafe { std::slice::from_raw_parts(rbtrace_uprobe_target as *const u8, 4) };
        assert_eq!(&file[offset as usize..offset as usize + 4], code);
    }

    #[test]
    fn offsets_are_checked() {
        let (system, me) = (LiveSystem::new(), me());
        let at = |offset| system.uprobes(&me, "rbtrace_uprobe_target", offset, false, None);
        assert!(at(100_000).unwrap_err().message.starts_with("the offset lies outside"));
        let middles =
            (1..16).filter(|&o| at(o).is_err_and(|e| e.message.contains("middle of an instruction")));
        assert!(middles.count() > 0);
        assert!((1..16).any(|o| at(o).is_ok()));
    }

    #[test]
    fn unknown_names_have_neighbours() {
        let (system, me) = (LiveSystem::new(), me());
        let e = system.uprobes(&me, "rbtrace_uprobe_targte", 0, false, None).unwrap_err();
        assert_eq!(e.message, format!("nothing matches uprobe:{me}:rbtrace_uprobe_targte"));
        assert!(e.hint.is_some_and(|h| h.contains("rbtrace_uprobe_target")));
        assert_eq!(system.uprobes(&me, "rbtrace_nosuch*", 0, false, None), Ok(vec![]));
        let e = system.uaddr(&me, "rbtrace_nosuch").unwrap_err();
        assert_eq!(e.message, format!("{me} has no symbol 'rbtrace_nosuch'"));
    }

    #[test]
    fn addresses_outside_of_code() {
        let (system, me) = (LiveSystem::new(), me());
        let e = system.uprobe_address(&me, 10, None).unwrap_err();
        assert_eq!(e.message, format!("there is no code at 0xa of {me}"));
        let flat = std::env::temp_dir().join(format!("rbtrace-flat-{}", std::process::id()));
        std::fs::write(&flat, [0xc3; 16]).unwrap();
        let name = flat.to_string_lossy();
        assert_eq!(system.uprobe_address(&name, 3, None), Ok((name.as_ref().into(), 3)));
        assert!(system.uprobe_address(&name, 16, None).is_err());
        std::fs::remove_file(&flat).unwrap();
    }

    #[test]
    fn a_file_that_is_no_program() {
        let e = LiveSystem::new().uprobes("/proc/self/status", "x", 0, false, None);
        assert!(e.is_err());
    }

    #[test]
    fn mangled_names_fit_their_source_names() {
        let name = "_ZN5MyApp6Server14handle_requestEi";
        assert!(cpp_fits("MyApp::Server::handle_request", name));
        assert!(cpp_fits("MyApp::Server::handle_request(int)", name));
        assert!(cpp_fits("MyApp::*", name));
        assert!(!cpp_fits("MyApp::Server", name));
        assert!(!cpp_fits("*", "malloc"));
    }
}
