//! From an object to maps and programs in the kernel.

#[cfg(test)]
mod tests;

use crate::sys::{self, bpf, limits, map, mapped};
use rbtrace_codegen::helpers;
use rbtrace_codegen::object::{
    Form, MapDef, MapKind, MapRole, Object, Program, Reloc, RelocTarget, UnwindRow,
};
use rbtrace_lang::{Diagnostic, Span};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;

/// Bytes of the ring buffer where events come from probes, where only begin, end and timers do, without loops, and where
/// no events come but the announcements of processes.
///
/// The kernel allocates every page when the map is made (0.7 ms for each MiB), so a large one costs all
/// scripts start-up time. 4 MiB hold 200 ms of the fastest stream of short records that a CPU can print.
const RING_BYTES: (u32, u32, u32) = (4 * 1024 * 1024, 512 * 1024, 32 * 1024);

/// Bytes for the verifier's log, at first and at most (what kernels before 5.2 take).
const MIN_LOG: usize = 64 * 1024;
const MAX_LOG: usize = (16 << 20) - 1;

/// Lines of the verifier's log that are shown.
const LOG_LINES: usize = 12;

/// Maps in the kernel, in the object's order.
#[derive(Debug)]
pub struct KernelMaps {
    /// Descriptors.
    pub fds: Vec<Rc<OwnedFd>>,
    /// Bytes of the ring buffer.
    pub ring_bytes: u32,
}

/// What loading needs besides the object.
#[derive(Debug)]
pub struct Loader<'a> {
    object: &'a Object,
    maps: &'a KernelMaps,
    /// The script's BTF in the kernel, or why it was refused; `None` where the object has none.
    btf: Option<io::Result<OwnedFd>>,
}

/// A program in the kernel.
#[derive(Debug)]
pub struct Loaded {
    /// Its descriptor.
    pub fd: OwnedFd,
    /// Why it runs without its BTF: no refusal and no profile names the script's lines.
    pub without_btf: Option<io::Error>,
}

/// Why a program was not loaded.
#[derive(Debug)]
pub struct NotLoaded {
    /// What to tell.
    pub why: Diagnostic,
    /// It takes too long to verify.
    pub too_complex: bool,
}

impl NotLoaded {
    fn other(why: Diagnostic) -> Self {
        NotLoaded { why, too_complex: false }
    }
}

/// Creates all maps.
pub fn create_maps(object: &Object) -> Result<KernelMaps, Diagnostic> {
    let ring_bytes = ring_size(object);
    let mut fds = Vec::new();
    for def in &object.maps {
        let fd = create(def, ring_bytes).map_err(|e| map_error(def, &e))?;
        fds.push(Rc::new(fd));
    }
    Ok(KernelMaps { fds, ring_bytes })
}

fn create(def: &MapDef, ring_bytes: u32) -> io::Result<OwnedFd> {
    let storage_btf = match def.kind {
        MapKind::TaskStorage => Some(bpf::btf_load(&storage_btf(def.value_size))?),
        _ => None,
    };
    // The kernel checks programs against a map of the kind that will stand in this one.
    let model = (def.role == MapRole::Unwind).then(|| unwind_table(1)).transpose()?;
    let spec = bpf::MapSpec {
        name: &def.name,
        map_type: map_type(def.kind),
        key_size: def.key_size,
        value_size: def.value_size,
        max_entries: if def.kind == MapKind::RingBuf { ring_bytes } else { def.max_entries },
        flags: def.flags,
        btf: storage_btf.as_ref().map(|fd| (fd.as_raw_fd(), 1, 3)),
        inner: model.as_ref().map(AsFd::as_fd),
    };
    let fd = bpf::map_create(&spec)?;
    if let MapRole::Data(bytes) = &def.role {
        map::update(fd.as_fd(), &0u32.to_le_bytes(), bytes)?;
        map::freeze(fd.as_fd())?;
    }
    Ok(fd)
}

/// An empty unwind table with room for this many rows.
pub fn unwind_table(rows: u32) -> io::Result<OwnedFd> {
    bpf::map_create(&bpf::MapSpec {
        name: "unwind_table",
        map_type: map_type(MapKind::Array),
        key_size: 4,
        value_size: UnwindRow::SIZE,
        max_entries: rows,
        flags: helpers::F_INNER_MAP,
        btf: None,
        inner: None,
    })
}

fn map_type(kind: MapKind) -> u32 {
    match kind {
        MapKind::Hash => 1,
        MapKind::Array => 2,
        MapKind::PerCpuHash => 5,
        MapKind::PerCpuArray => 6,
        MapKind::StackTrace => 7,
        MapKind::LruHash => 9,
        MapKind::LruPerCpuHash => 10,
        MapKind::HashOfMaps => 13,
        MapKind::RingBuf => 27,
        MapKind::TaskStorage => 29,
    }
}

/// BTF that local storage asks for: an `int` (1), a byte (2) and an array of `size` bytes (3).
/// Layout: include/uapi/linux/btf.h.
fn storage_btf(size: u32) -> Vec<u8> {
    const INT: u32 = 1 << 24;
    const ARRAY: u32 = 3 << 24;
    let types: [u32; 14] = [1, INT, 4, 32, 5, INT, 1, 8, 0, ARRAY, 0, 2, 1, size];
    let strings = b"\0int\0char\0";
    let header: [u32; 6] = [0x0001_eb9f, 24, 0, 56, 56, strings.len() as u32];
    let mut out: Vec<u8> = header.iter().chain(&types).flat_map(|w| w.to_le_bytes()).collect();
    out.extend_from_slice(strings);
    out
}

/// A power of two, as the kernel wants it.
fn ring_size(object: &Object) -> u32 {
    let page = mapped::page_size() as u64;
    let wanted = match object.config.perf_rb_pages {
        Some(pages) => u64::from(pages) * page,
        None if object.records.is_empty() => u64::from(RING_BYTES.2),
        None if object.programs.iter().any(is_frequent) => u64::from(RING_BYTES.0),
        None => u64::from(RING_BYTES.1),
    };
    wanted.max(page).next_power_of_two().min(1 << 30) as u32
}

/// May it send more records than we decide?
fn is_frequent(program: &Program) -> bool {
    program.loops || program.attach.iter().any(|a| a.target.is_frequent())
}

fn map_error(def: &MapDef, err: &io::Error) -> Diagnostic {
    let what = format!("Failed to create map '{}': {}", def.name, sys::describe(err));
    let error = Diagnostic { span: None, ..Diagnostic::error(Span::default(), what) };
    if let Some(hint) = limits::hint(err) {
        return error.hint(hint);
    }
    match err.raw_os_error() {
        Some(libc::EPERM) => error.hint(permission_hint()).hint(MEMLOCK),
        Some(libc::EINVAL) if def.kind == MapKind::RingBuf => {
            error.hint("only kernels from 5.8 on have the ring buffer through which everything is printed")
        }
        Some(libc::ENOMEM | libc::E2BIG) => error.hint(format!(
            "the map has {} entries of {} bytes; declare it smaller or set max_map_keys",
            def.max_entries,
            def.key_size + def.value_size
        )),
        _ => error,
    }
}

/// Before 5.11 maps count as locked memory (libbpf raises the limit where it may).
const MEMLOCK: &str = "before Linux 5.11 maps count as locked memory: raise `ulimit -l`";

/// Who may load programs.
pub fn permission_hint() -> &'static str {
    "run as root (CAP_BPF and CAP_PERFMON); in a container or on a locked-down kernel BPF may be refused to all"
}

impl<'a> Loader<'a> {
    /// Loads the BTF, if the kernel takes it.
    pub fn new(object: &'a Object, maps: &'a KernelMaps) -> Self {
        let btf = (!object.btf.is_empty()).then(|| bpf::btf_load(&object.btf));
        Loader { object, maps, btf }
    }

    /// Loads one program. `attach_type` is that of a multi link, or 0.
    pub fn load(&self, program: &Program, attach_type: u32) -> Result<Loaded, NotLoaded> {
        let insns = self.patch(program);
        let function = self.function(program).map_err(NotLoaded::other)?;
        let wanted = self.btf.as_ref().filter(|_| !program.func_info.is_empty());
        let refused = wanted.and_then(|btf| btf.as_ref().err()).map(copied);
        let spec = bpf::ProgSpec {
            name: &program.name,
            prog_type: program.load.ty.number(),
            attach_type: if attach_type == 0 { program.load.attach_type } else { attach_type },
            function: function.as_ref().map(|(id, owner)| (*id, owner.as_ref().map(AsFd::as_fd))),
            license: &self.object.config.license,
            insns: &insns,
            btf: wanted.and_then(|btf| btf.as_ref().ok()).map(AsFd::as_fd),
            func_info: &program.func_info,
            line_info: &program.line_info,
        };
        let first = match bpf::prog_load(&spec, None) {
            Ok(fd) => return Ok(Loaded { fd, without_btf: refused }),
            Err(e) => e,
        };
        // Asking for the reasons would take as long again, and the other form may need none.
        // EFAULT is how many kernels say that too many branches were put aside.
        let gave_up = matches!(first.raw_os_error(), Some(libc::E2BIG | libc::EFAULT));
        if gave_up && self.object.form == Form::Fast {
            return Err(NotLoaded { why: self.refused(program, &first), too_complex: true });
        }
        // Where only the debug information is at fault, the program runs without. Callbacks cannot.
        let plain = bpf::ProgSpec { btf: None, ..spec.clone() };
        if spec.btf.is_some()
            && first.raw_os_error() == Some(libc::EINVAL)
            && program.func_info.len() == 1
            && let Ok(fd) = bpf::prog_load(&plain, None)
        {
            return Ok(Loaded { fd, without_btf: Some(first) });
        }
        if let Some(hint) = limits::hint(&first) {
            return Err(NotLoaded::other(self.refused(program, &first).hint(hint)));
        }
        if first.raw_os_error() == Some(libc::EPERM) {
            return Err(NotLoaded::other(self.refused(program, &first).hint(permission_hint())));
        }
        let log = match self.log_of(&spec) {
            Ok(fd) => return Ok(Loaded { fd, without_btf: refused }),
            Err(log) => log,
        };
        let error = explain_log(self.refused(program, &first), program, &log);
        let why = match refused {
            Some(e) => error.hint(format!("the kernel refused the script's BTF: {}", sys::describe(&e))),
            None => error,
        };
        Err(NotLoaded { why, too_complex: gave_up || says_too_complex(&log) })
    }

    /// Loads again, exactly so, and returns what the verifier says.
    fn log_of(&self, spec: &bpf::ProgSpec) -> Result<OwnedFd, String> {
        let mut size = (self.object.config.log_size as usize).clamp(MIN_LOG, MAX_LOG);
        loop {
            let mut log = vec![0u8; size];
            let full = match bpf::prog_load(spec, Some(&mut log)) {
                Ok(fd) => return Ok(fd),
                Err(e) => e.raw_os_error() == Some(libc::ENOSPC),
            };
            // Before 6.4 the kernel keeps the log's beginning, and its end tells why.
            if full && size < MAX_LOG {
                size = (size * 8).min(MAX_LOG);
                continue;
            }
            let end = log.iter().position(|&b| b == 0).unwrap_or(log.len());
            let log = String::from_utf8_lossy(&log[..end]).into_owned();
            return Err(if full { String::new() } else { log });
        }
    }

    fn refused(&self, program: &Program, err: &io::Error) -> Diagnostic {
        let point = self.object.points_of(program).next();
        let name = point.map_or(program.name.as_str(), |p| &p.name);
        let span = program.spans.first().copied().unwrap_or_default();
        Diagnostic::error(span, format!("The kernel refused the program of {name}: {}", sys::describe(err)))
    }

    /// The type that the program is bound to, and the BTF of its module.
    fn function(&self, program: &Program) -> Result<Option<(u32, Option<OwnedFd>)>, Diagnostic> {
        let Some(function) = &program.load.function else { return Ok(None) };
        if &*function.module == "vmlinux" {
            return Ok(Some((function.id, None)));
        }
        match bpf::btf_of_module(&function.module) {
            Ok(fd) => Ok(Some((function.id, Some(fd)))),
            Err(e) => Err(self.refused(program, &e).hint(format!(
                "the kernel's BTF of module {} is not to be had: was it unloaded?",
                function.module
            ))),
        }
    }

    fn patch(&self, program: &Program) -> Vec<u64> {
        let mut insns = program.insns.clone();
        for Reloc { insn, target } in &program.relocs {
            let (RelocTarget::Map(id) | RelocTarget::MapValue(id)) = target;
            let fd = self.maps.fds.get(id.0 as usize).map_or(-1, |fd| fd.as_raw_fd());
            if let Some(word) = insns.get_mut(*insn as usize) {
                *word = *word & 0xffff_ffff | u64::from(fd as u32) << 32;
            }
        }
        insns
    }
}

/// The same error once more.
fn copied(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::other(error.to_string()), io::Error::from_raw_os_error)
}

/// Puts the message at the refused instruction's place, with the log's last lines.
fn explain_log(mut error: Diagnostic, program: &Program, log: &str) -> Diagnostic {
    let lines: Vec<&str> = log.lines().filter(|l| !is_noise(l)).collect();
    if let Some(insn) = lines.iter().rev().find_map(|l| instruction(l))
        && let Some(span) = program.spans.get(insn)
    {
        error.span = Some(*span);
    }
    let shown = &lines[lines.len().saturating_sub(LOG_LINES)..];
    if shown.is_empty() {
        return error;
    }
    error.hint(format!("the verifier's last words:\n  {}", shown.join("\n  ")))
}

/// Did the verifier give up? (`BPF_COMPLEXITY_LIMIT_*` of kernel/bpf/verifier.c)
fn says_too_complex(log: &str) -> bool {
    log.lines().rev().take(LOG_LINES).any(|l| l.contains("is too complex") || l.contains("is too large."))
}

/// Statistics that end each log.
fn is_noise(line: &str) -> bool {
    line.trim().is_empty()
        || line.starts_with("processed ")
        || line.starts_with("verification time")
        || line.starts_with("stack depth")
}

/// The number before `: (opcode)`.
fn instruction(line: &str) -> Option<usize> {
    let (number, rest) = line.split_once(": (")?;
    rest.as_bytes().first()?.is_ascii_hexdigit().then(|| number.trim().parse().ok())?
}
