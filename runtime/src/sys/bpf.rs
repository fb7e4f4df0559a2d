//! Maps, programs and BTF: creating them in the kernel.

use super::{descriptor, status};
use libbpf_sys as lb;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

/// What `bpf_map_create` needs.
#[derive(Clone, Debug)]
pub struct MapSpec<'a> {
    /// At most 15 characters of `[A-Za-z0-9_.]`.
    pub name: &'a str,
    /// `BPF_MAP_TYPE_*`.
    pub map_type: u32,
    /// Bytes.
    pub key_size: u32,
    /// Bytes.
    pub value_size: u32,
    /// Entries, or bytes for a ring buffer.
    pub max_entries: u32,
    /// `BPF_F_*`.
    pub flags: u32,
    /// BTF of key and value, which local storage asks for: descriptor, key type, value type.
    pub btf: Option<(i32, u32, u32)>,
    /// Of a map of maps: one of the kind that it holds.
    pub inner: Option<BorrowedFd<'a>>,
}

/// What `bpf_prog_load` needs.
#[derive(Clone, Debug)]
pub struct ProgSpec<'a> {
    /// At most 15 characters of `[A-Za-z0-9_.]`.
    pub name: &'a str,
    /// `BPF_PROG_TYPE_*`.
    pub prog_type: u32,
    /// `BPF_TRACE_*`, 0 where the type has none.
    pub attach_type: u32,
    /// The kernel's function that a tracing program is bound to: id of its BTF type and, for a module's, the
    /// module's BTF.
    pub function: Option<(u32, Option<BorrowedFd<'a>>)>,
    /// Licence; helpers that read kernel memory want `GPL`.
    pub license: &'a str,
    /// Instructions with their maps filled in.
    pub insns: &'a [u64],
    /// BTF of the function and line infos.
    pub btf: Option<BorrowedFd<'a>>,
    /// `(instruction, type id)`.
    pub func_info: &'a [(u32, u32)],
    /// `(instruction, file name, line text, line << 10 | column)`.
    pub line_info: &'a [[u32; 4]],
}

fn c_string(text: &str) -> io::Result<CString> {
    CString::new(text).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

/// `BPF_MAP_CREATE`.
pub fn map_create(spec: &MapSpec) -> io::Result<OwnedFd> {
    let name = c_string(spec.name)?;
    let mut opts =
        lb::bpf_map_create_opts { sz: size_of::<lb::bpf_map_create_opts>() as _, ..Default::default() };
    opts.map_flags = spec.flags;
    if let Some(inner) = spec.inner {
        opts.inner_map_fd = inner.as_raw_fd() as u32;
    }
    if let Some((fd, key, value)) = spec.btf {
        opts.btf_fd = fd as u32;
        opts.btf_key_type_id = key;
        opts.btf_value_type_id = value;
    }
    // SAFETY: `name` is NUL-terminated and `opts` is a whole structure with its size set; both live on.
    descriptor(unsafe {
        lb::bpf_map_create(
            spec.map_type,
            name.as_ptr(),
            spec.key_size,
            spec.value_size,
            spec.max_entries,
            &raw const opts,
        )
    })
}

/// `BPF_PROG_LOAD`. With `log`, the verifier writes there (log level 1).
pub fn prog_load(spec: &ProgSpec, log: Option<&mut [u8]>) -> io::Result<OwnedFd> {
    let name = c_string(spec.name)?;
    let license = c_string(spec.license)?;
    let mut opts =
        lb::bpf_prog_load_opts { sz: size_of::<lb::bpf_prog_load_opts>() as _, ..Default::default() };
    // One attempt: EAGAIN is only known from old kernels under memory pressure.
    opts.attempts = 1;
    opts.expected_attach_type = spec.attach_type;
    if let Some((id, module)) = spec.function {
        opts.attach_btf_id = id;
        opts.attach_btf_obj_fd = module.map_or(0, |fd| fd.as_raw_fd() as u32);
    }
    if let Some(btf) = spec.btf {
        opts.prog_btf_fd = btf.as_raw_fd() as u32;
        opts.func_info = spec.func_info.as_ptr().cast();
        opts.func_info_cnt = spec.func_info.len() as u32;
        opts.func_info_rec_size = size_of::<(u32, u32)>() as u32;
        opts.line_info = spec.line_info.as_ptr().cast();
        opts.line_info_cnt = spec.line_info.len() as u32;
        opts.line_info_rec_size = size_of::<[u32; 4]>() as u32;
    }
    if let Some(log) = log {
        opts.log_level = 1;
        opts.log_size = log.len() as u32;
        opts.log_buf = log.as_mut_ptr().cast();
    }
    // SAFETY: every pointer in `opts` is to a slice that outlives the call, with its own length;
    // `u64` instructions have the size and layout of `struct bpf_insn`.
    descriptor(unsafe {
        lb::bpf_prog_load(
            spec.prog_type,
            name.as_ptr(),
            license.as_ptr(),
            spec.insns.as_ptr().cast(),
            spec.insns.len() as _,
            &raw mut opts,
        )
    })
}

/// `BPF_BTF_LOAD` without a log.
pub fn btf_load(data: &[u8]) -> io::Result<OwnedFd> {
    // SAFETY: pointer and length are those of one slice; no options are given.
    descriptor(unsafe { lb::bpf_btf_load(data.as_ptr().cast(), data.len() as _, ptr::null_mut()) })
}

/// The BTF of a module, by its name.
pub fn btf_of_module(name: &str) -> io::Result<OwnedFd> {
    let mut id = 0;
    loop {
        // SAFETY: `id` is written only.
        status(unsafe { lb::bpf_btf_get_next_id(id, &raw mut id) })?;
        // SAFETY: takes a number only.
        let Ok(fd) = descriptor(unsafe { lb::bpf_btf_get_fd_by_id(id) }) else { continue };
        if btf_name(fd.as_fd())? == name.as_bytes() {
            return Ok(fd);
        }
    }
}

fn btf_name(btf: BorrowedFd) -> io::Result<Vec<u8>> {
    let mut name = [0u8; 64];
    let mut info = lb::bpf_btf_info {
        name: name.as_mut_ptr() as u64,
        name_len: name.len() as u32,
        ..Default::default()
    };
    let mut len = size_of::<lb::bpf_btf_info>() as u32;
    // SAFETY: `info` is of size `len`; `name` outlives the call, its length is given, and `btf` is 0: nothing else is
    // written.
    status(unsafe { lb::bpf_btf_get_info_by_fd(btf.as_raw_fd(), &raw mut info, &raw mut len) })?;
    let end = name.iter().position(|&b| b == 0).unwrap_or(name.len());
    Ok(name[..end].to_vec())
}

/// Runs a raw tracepoint program once on this CPU (`BPF_PROG_TEST_RUN`, 5.10); its arguments are zero.
/// Returns what the program returns.
pub fn test_run(prog: BorrowedFd) -> io::Result<u32> {
    // MAX_BPF_FUNC_ARGS words (include/linux/bpf.h).
    let context = [0u64; 12];
    let mut opts =
        lb::bpf_test_run_opts { sz: size_of::<lb::bpf_test_run_opts>() as _, ..Default::default() };
    opts.ctx_in = context.as_ptr().cast();
    opts.ctx_size_in = size_of_val(&context) as u32;
    // SAFETY: the context outlives the call, and its size is given.
    status(unsafe { lb::bpf_prog_test_run_opts(prog.as_raw_fd(), &raw mut opts) })?;
    Ok(opts.retval)
}

/// From now on, until the descriptor is closed, the kernel measures how long programs run (`BPF_ENABLE_STATS`, 5.8).
pub fn measure_runs() -> io::Result<OwnedFd> {
    // SAFETY: takes a number only.
    descriptor(unsafe { lb::bpf_enable_stats(lb::BPF_STATS_RUN_TIME) })
}

/// How long a program ran while that was measured, in nanoseconds, and how often.
pub fn runs(prog: BorrowedFd) -> io::Result<(u64, u64)> {
    let mut info = lb::bpf_prog_info::default();
    let mut len = size_of::<lb::bpf_prog_info>() as u32;
    // SAFETY: `info` is zeroed, so no pointer in it asks the kernel to write elsewhere; `len` is its size.
    status(unsafe { lb::bpf_prog_get_info_by_fd(prog.as_raw_fd(), &raw mut info, &raw mut len) })?;
    Ok((info.run_time_ns, info.run_cnt))
}

/// Number of times that the kernel skipped a program because it was running already on that CPU.
pub fn recursion_misses(prog: BorrowedFd) -> io::Result<u64> {
    let mut info = lb::bpf_prog_info::default();
    let mut len = size_of::<lb::bpf_prog_info>() as u32;
    // SAFETY: `info` is zeroed, so no pointer in it asks the kernel to write elsewhere; `len` is its size.
    status(unsafe { lb::bpf_prog_get_info_by_fd(prog.as_raw_fd(), &raw mut info, &raw mut len) })?;
    Ok(info.recursion_misses)
}
