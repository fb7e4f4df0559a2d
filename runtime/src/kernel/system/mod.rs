//! The live machine's answers to the language's questions.
//!
//! **Invariant**: nothing is opened before it is asked for. A script that names no kernel type opens no
//! BTF, one that names no kernel function reads no symbols, one with begin and end opens nothing.

mod binaries;
mod cgroups;
mod ctype;
pub(crate) mod format;
mod functions;
mod inlining;
mod linked;
mod named;
mod static_probes;
mod syscalls;
mod tracepoints;
mod types;
mod uprobes;
mod user_types;

use crate::files::btf::KernelTypes;
use crate::files::dwarf::{DebugInfo, LineQuery};
use crate::files::elf::Elf;
use crate::files::symbols;
use crate::kernel::tracefs::TraceFs;
use crate::sys::kernelfs;
use crate::sys::mapped::page_size;
use crate::sys::probe::{self, Multi};
use crate::sys::time;
use libbpf_sys as lb;
use rbtrace_lang::System;
use rbtrace_lang::context::Argument;
use rbtrace_lang::system::{
    Answer, ArgumentType, FuncProto, Pattern, SourceLine, StaticProbe, Taker, TracepointFormat, TypeName,
    UserFiles,
};
use rbtrace_lang::target::Target;
use rbtrace_lang::types::{EnumType, Field, StructKind, StructType, Type};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// `(where, name)`: a module and its function, a category and its event.
type Names = Vec<(Rc<str>, Rc<str>)>;

/// The machine that we run on.
#[derive(Default)]
pub struct LiveSystem {
    types: KernelTypes,
    tracefs: OnceCell<Answer<TraceFs>>,
    /// Answers for another kernel: what only the running kernel could answer is not held against a script.
    foreign: bool,
    /// Nothing will be attached: whether this kernel supports it does not matter.
    compile_only: bool,
    /// The list of functions that can be traced, where it is not the kernel's, and whether others may be probed as well.
    traceable: Option<(PathBuf, bool)>,
    notes: RefCell<Vec<String>>,
    kernel_debug_info: OnceCell<Option<DebugInfo>>,
    /// How many functions were looked up for inlined copies.
    checked_for_copies: Cell<usize>,
    /// Formats of tracepoints that were asked for, by `category:event`.
    formats: RefCell<HashMap<String, TracepointFormat>>,
    /// Binaries that were looked into.
    elves: RefCell<HashMap<PathBuf, Rc<Elf>>>,
    /// Their debug information.
    user: user_types::UserInfo,
}

impl LiveSystem {
    /// The running kernel. Opens nothing.
    pub fn new() -> LiveSystem {
        LiveSystem::default()
    }

    /// Types of another kernel, from raw BTF or an ELF file with it (`check --btf FILE`).
    pub fn with_btf(path: &Path) -> LiveSystem {
        LiveSystem { types: KernelTypes::from_file(path), foreign: true, ..LiveSystem::default() }
    }

    /// The running kernel, for compiling without running (`check`): kernel functions are found even where
    /// they cannot be probed.
    pub fn compile_only() -> LiveSystem {
        LiveSystem { compile_only: true, ..LiveSystem::default() }
    }

    /// Only the functions that a file lists are taken for traceable; others only where `others` allows it, with a note.
    pub fn with_traceable(self, list: &Path, others: bool) -> LiveSystem {
        LiveSystem { traceable: Some((list.to_owned(), others)), ..self }
    }

    /// The kernel's types.
    pub fn types(&self) -> &KernelTypes {
        &self.types
    }

    /// tracefs, opened when first asked for.
    pub fn tracefs(&self) -> Answer<&TraceFs> {
        self.tracefs.get_or_init(TraceFs::find).as_ref().map_err(Clone::clone)
    }

    /// What was answered in another way than usual (for instance: a list came from elsewhere), for
    /// warnings. Empties the list.
    pub fn take_notes(&self) -> Vec<String> {
        self.notes.take()
    }

    fn note(&self, text: impl Into<String>) {
        let text = text.into();
        let mut notes = self.notes.borrow_mut();
        if !notes.contains(&text) {
            notes.push(text);
        }
    }
}

/// The type of the programs that serve a kind of probe.
fn program_type(probe: &str) -> u32 {
    match probe {
        "tracepoint" => lb::BPF_PROG_TYPE_TRACEPOINT,
        "interval" | "profile" | "software" | "hardware" | "watchpoint" => lb::BPF_PROG_TYPE_PERF_EVENT,
        "kprobe" | "kretprobe" | "uprobe" | "uretprobe" | "usdt" => lb::BPF_PROG_TYPE_KPROBE,
        _ => lb::BPF_PROG_TYPE_RAW_TRACEPOINT,
    }
}

impl System for LiveSystem {
    fn kernel_functions(&self, module: Option<Pattern>, func: Pattern) -> Answer<Names> {
        self.find_functions(module, func)
    }

    fn kernel_function(&self, module: Option<&str>, func: &str) -> Answer<(u64, Option<u64>)> {
        self.find_function(module, func)
    }

    fn check_kprobe_offset(&self, module: Option<&str>, func: &str, offset: u64) -> Answer<()> {
        self.check_offset(module, func, offset)
    }

    fn source_line(
        &self,
        module: Option<&str>,
        func: Option<&str>,
        file: &str,
        line: u32,
        col: Option<u32>,
    ) -> Answer<Vec<(Rc<str>, u64)>> {
        self.require_kprobes()?;
        let places = symbols::source_line(module, func, LineQuery { file, line, column: col })?;
        Ok(places.into_iter().map(|p| (p.symbol.into(), p.offset)).collect())
    }

    fn tracepoints(&self, category: Pattern, event: Pattern) -> Answer<Names> {
        self.find_tracepoints(category, event)
    }

    fn tracepoint_format(&self, category: &str, event: &str) -> Answer<TracepointFormat> {
        self.read_format(category, event)
    }

    fn raw_tracepoints(&self, module: Option<Pattern>, event: Pattern) -> Answer<Names> {
        self.find_raw_tracepoints(module, event)
    }

    fn raw_tracepoint_proto(&self, module: Option<&str>, event: &str) -> Answer<FuncProto> {
        self.raw_proto(module, event)
    }

    fn kernel_function_proto(&self, module: Option<&str>, func: &str) -> Answer<FuncProto> {
        self.function_proto(module, func)
    }

    fn may_call(&self, probe: &str, func: &str) -> Answer<bool> {
        let number = |name| Some(self.function_proto(Some("vmlinux"), name).ok()?.function?.id);
        let Some(func) = number(func) else { return Ok(false) };
        Ok(match probe {
            // They are bound to a function: any will do.
            "fentry" | "fexit" => number("vfs_read")
                .is_some_and(|bound| probe::kernel_function(lb::BPF_PROG_TYPE_TRACING, Some(bound), func)),
            _ => probe::kernel_function(program_type(probe), None, func),
        })
    }

    fn kernel_functions_taking(
        &self,
        module: Option<Pattern>,
        func: Pattern,
        ty: Option<&ArgumentType>,
    ) -> Answer<Vec<Taker>> {
        self.find_takers(module, func, ty)
    }

    fn attaches_to_many(&self) -> bool {
        probe::multi(Multi::Kprobe)
    }

    fn uprobes(
        &self,
        binary: &str,
        symbol: Pattern,
        offset: u64,
        ret: bool,
        pid: Option<i32>,
    ) -> Answer<Vec<Target>> {
        self.find_uprobes(binary, symbol, offset, ret, pid)
    }

    fn uprobe_address(&self, binary: &str, address: u64, pid: Option<i32>) -> Answer<(Rc<str>, u64)> {
        self.find_uprobe_address(binary, address, pid)
    }

    fn user_source_line(
        &self,
        binary: &str,
        func: Option<&str>,
        line: SourceLine,
        pid: Option<i32>,
    ) -> Answer<Vec<(u64, Target)>> {
        self.find_user_source_line(binary, func, line, pid)
    }

    fn user_arguments(&self, path: &str, offset: u64) -> Answer<Vec<Argument>> {
        self.find_user_arguments(path, offset)
    }

    fn user_type(&self, path: &str, name: TypeName) -> Answer<Type> {
        self.find_user_type(path, name)
    }

    fn static_probes(&self, files: UserFiles, provider: Pattern, name: Pattern) -> Answer<Vec<StaticProbe>> {
        self.find_static_probes(files, provider, name)
    }

    fn static_symbol(&self, path: &str, name: &str) -> Answer<u64> {
        self.find_static_symbol(path, name)
    }

    fn struct_type(&self, kind: StructKind, name: &str) -> Answer<Rc<StructType>> {
        self.find_struct(kind, name)
    }

    fn enum_type(&self, name: &str) -> Answer<Rc<EnumType>> {
        self.find_enum(name)
    }

    fn named_type(&self, name: &str) -> Answer<Type> {
        self.find_named(name)
    }

    fn machine_constant(&self, name: &str) -> Option<i64> {
        match name {
            "PAGE_SIZE" => Some(page_size() as i64),
            "PAGE_SHIFT" => Some(page_size().trailing_zeros().into()),
            "PAGE_MASK" => Some(-(page_size() as i64)),
            // Of another kernel nobody knows.
            "HZ" if !self.foreign => Some(time::ticks_per_second()),
            _ => None,
        }
    }

    fn enum_constant(&self, name: &str) -> Option<(i64, Rc<EnumType>)> {
        self.find_constant(name)
    }

    fn complete(&self, ty: &StructType) -> Answer<Rc<[Field]>> {
        self.fields_of(ty)
    }

    fn resolve(&self, ty: &Type) -> Type {
        self.resolve_type(ty)
    }

    fn kaddr(&self, name: &str) -> Answer<u64> {
        self.symbol_address(name)
    }

    fn uaddr(&self, binary: &str, name: &str) -> Answer<(u64, u64)> {
        self.user_symbol(binary, name)
    }

    fn register(&self, name: &str) -> Option<(u32, u8)> {
        rbtrace_codegen::arch::register(name)
    }

    fn register_names(&self) -> Vec<&'static str> {
        rbtrace_codegen::arch::register_names().collect()
    }

    fn ncpus(&self) -> u32 {
        possible_cpus()
    }

    fn cgroup_id(&self, path: &str) -> Answer<u64> {
        cgroups::id(path)
    }
}

/// Number of CPUs that the kernel has room for; map values of per-CPU maps have one part for each.
///
/// Where sysfs cannot be had, more than that: values that are read into too little room would overwrite memory.
pub fn possible_cpus() -> u32 {
    let text = kernelfs::sysfs().text("devices/system/cpu/possible").unwrap_or_default();
    let known = count_cpus(&text).or_else(|| {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        mask_bits(&status)
    });
    known.unwrap_or(MOST_CPUS)
}

/// `CONFIG_NR_CPUS` at most (arch/x86/Kconfig).
const MOST_CPUS: u32 = 8192;

/// How many bits the mask in `Cpus_allowed:` of proc_pid_status(5) has: as many as there are possible CPUs, or more.
fn mask_bits(status: &str) -> Option<u32> {
    let mask = status.lines().find_map(|l| l.strip_prefix("Cpus_allowed:"))?;
    let digits = mask.chars().filter(char::is_ascii_hexdigit).count() as u32;
    (digits > 0).then_some(4 * digits)
}

/// How many numbers `0-3,8` names; per-CPU memory counts up to the last one.
fn count_cpus(list: &str) -> Option<u32> {
    let last = list.trim().rsplit([',', '-']).next()?;
    Some(last.parse::<u32>().ok()? + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_are_counted_to_the_last_one() {
        assert_eq!(count_cpus("0\n"), Some(1));
        assert_eq!(count_cpus("0-3\n"), Some(4));
        assert_eq!(count_cpus("0-3,8-11"), Some(12));
        assert_eq!(count_cpus(""), None);
    }

    #[test]
    fn without_sysfs_there_is_room_for_more_cpus() {
        assert_eq!(mask_bits("Name:\tx\nCpus_allowed:\tff,ffffffff\nCpus_allowed_list:\t0-39\n"), Some(40));
        assert_eq!(mask_bits("Name:\tx\n"), None);
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        assert!(mask_bits(&status).is_some_and(|n| n >= possible_cpus()));
    }

    #[test]
    fn a_script_without_kernel_names_opens_nothing() {
        let system = LiveSystem::new();
        assert_eq!(system.named_type("uint64_t"), Ok(Type::int(8, false)));
        assert!(system.register("ip").is_some());
        assert!(!system.types.is_open() && system.tracefs.get().is_none());
    }
}
