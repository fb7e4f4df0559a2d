//! Trying what the kernel can do, without leaving anything behind.

use super::bpf::{self, MapSpec, ProgSpec};
use libbpf_sys as lb;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// The verifier's refusal fits here; a longer one only loses its beginning.
const LOG: usize = 4096;

/// Loads a program that does nothing but call a helper. Its arguments are wrong: the verifier says so
/// where it knows the helper, and that it does not know it otherwise. `EPERM` is an error.
pub fn helper(prog_type: u32, helper: u32) -> io::Result<bool> {
    let insns = [call(helper), mov_k(0, 0), EXIT];
    let mut log = vec![0u8; LOG];
    match load(prog_type, 0, 0, &insns, Some(&mut log)) {
        Ok(()) => Ok(true),
        Err(e) if e.raw_os_error() == Some(libc::EPERM) => Err(e),
        Err(_) => {
            let log = String::from_utf8_lossy(&log);
            // 5.x: "unknown func", 6.12: "… cannot use helper"
            Ok(!["invalid func", "unknown func", "cannot use helper"].iter().any(|t| log.contains(t)))
        }
    }
}

/// Does the kernel let programs of this type, bound to the function `bound` where they are bound to one, call the
/// function of this number in its BTF? The call lacks its arguments, so a refusal must name another reason.
pub fn kernel_function(prog_type: u32, bound: Option<u32>, func: u32) -> bool {
    const OF_THE_KERNEL: u8 = 2; // BPF_PSEUDO_KFUNC_CALL, include/uapi/linux/bpf.h
    let insns = [insn(0x85, 0, OF_THE_KERNEL, 0, func as i32), mov_k(0, 0), EXIT];
    let attach = if bound.is_some() { lb::BPF_TRACE_FENTRY } else { 0 };
    let mut log = vec![0u8; LOG];
    if load(prog_type, attach, bound.unwrap_or(0), &insns, Some(&mut log)).is_ok() {
        return true;
    }
    let log = String::from_utf8_lossy(&log);
    let log = log.trim_matches('\0').trim();
    // Kernels before 5.13 know no such calls.
    !log.is_empty() && !["is not allowed", "reserved fields", "not supported"].iter().any(|t| log.contains(t))
}

/// Does the kernel take this program?
pub fn program(prog_type: u32, attach_type: u32, btf_id: u32, insns: &[u64]) -> bool {
    load(prog_type, attach_type, btf_id, insns, None).is_ok()
}

/// Does the kernel make a hash map with keys of this size?
pub fn key(key_size: u32) -> bool {
    let spec = MapSpec {
        name: "probe",
        map_type: lb::BPF_MAP_TYPE_HASH,
        key_size,
        value_size: 1,
        max_entries: 1,
        flags: lb::BPF_F_NO_PREALLOC,
        btf: None,
        inner: None,
    };
    bpf::map_create(&spec).is_ok()
}

/// A link to many places at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multi {
    /// Kernel functions.
    Kprobe,
    /// Places of one or more files.
    Uprobe,
    /// Entries and returns of kernel functions.
    KprobeSession,
    /// Entries and returns of functions of one or more files.
    UprobeSession,
}

impl Multi {
    /// The attach type that its programs are loaded with.
    pub fn attach_type(self) -> u32 {
        match self {
            Multi::Kprobe => lb::BPF_TRACE_KPROBE_MULTI,
            Multi::Uprobe => lb::BPF_TRACE_UPROBE_MULTI,
            Multi::KprobeSession => lb::BPF_TRACE_KPROBE_SESSION,
            Multi::UprobeSession => lb::BPF_TRACE_UPROBE_SESSION,
        }
    }
}

/// Can programs be linked to many functions at once? Asks for a function (a file) that cannot be.
pub fn multi(kind: Multi) -> bool {
    let attach = kind.attach_type();
    let spec = spec(lb::BPF_PROG_TYPE_KPROBE, attach, 0, &NOTHING);
    let Ok(prog) = bpf::prog_load(&spec, None) else { return false };
    let errno = match kind {
        Multi::Uprobe | Multi::UprobeSession => link_to_root(std::os::fd::AsFd::as_fd(&prog), attach),
        Multi::Kprobe | Multi::KprobeSession => link_to_nothing(std::os::fd::AsFd::as_fd(&prog), attach),
    };
    match kind {
        // The root folder is no file that could be probed.
        Multi::Uprobe | Multi::UprobeSession => errno == libc::EBADF,
        // No such function; a kernel without fprobe says EOPNOTSUPP.
        Multi::Kprobe | Multi::KprobeSession => errno == libc::ESRCH || errno == libc::ENOENT,
    }
}

/// The errno of linking to a function that does not exist.
fn link_to_nothing(prog: BorrowedFd, attach: lb::bpf_attach_type) -> i32 {
    let mut names = [c"!".as_ptr()];
    let mut opts = options();
    opts.__bindgen_anon_1.kprobe_multi = lb::bpf_link_create_opts__bindgen_ty_1__bindgen_ty_2 {
        cnt: 1,
        syms: names.as_mut_ptr(),
        ..Default::default()
    };
    // SAFETY: `names` is an array of `cnt` texts that outlives the call.
    -unsafe { lb::bpf_link_create(prog.as_raw_fd(), 0, attach, &raw const opts) }
}

/// The errno of linking to offset 0 of `/`.
fn link_to_root(prog: BorrowedFd, attach: lb::bpf_attach_type) -> i32 {
    let offset: std::ffi::c_ulong = 0;
    let mut opts = options();
    opts.__bindgen_anon_1.uprobe_multi = lb::bpf_link_create_opts__bindgen_ty_1__bindgen_ty_3 {
        cnt: 1,
        path: c"/".as_ptr(),
        offsets: ptr::from_ref(&offset),
        ..Default::default()
    };
    // SAFETY: the path is NUL-terminated; `offsets` is an array of `cnt` numbers; both outlive the call.
    -unsafe { lb::bpf_link_create(prog.as_raw_fd(), -1, attach, &raw const opts) }
}

fn options() -> lb::bpf_link_create_opts {
    lb::bpf_link_create_opts { sz: size_of::<lb::bpf_link_create_opts>() as _, ..Default::default() }
}

fn spec(prog_type: u32, attach_type: u32, attach_btf_id: u32, insns: &[u64]) -> ProgSpec<'_> {
    ProgSpec {
        name: "probe",
        prog_type,
        attach_type,
        function: (attach_btf_id != 0).then_some((attach_btf_id, None)),
        license: "GPL",
        insns,
        btf: None,
        func_info: &[],
        line_info: &[],
    }
}

fn load(prog_type: u32, attach: u32, btf_id: u32, insns: &[u64], log: Option<&mut [u8]>) -> io::Result<()> {
    bpf::prog_load(&spec(prog_type, attach, btf_id, insns), log).map(drop)
}

/// `struct bpf_insn` as one word.
pub const fn insn(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> u64 {
    code as u64
        | (dst as u64) << 8
        | (src as u64) << 12
        | (off as u16 as u64) << 16
        | (imm as u32 as u64) << 32
}

/// `exit`
pub const EXIT: u64 = insn(0x95, 0, 0, 0, 0);

/// `r0 = 0; exit`
pub const NOTHING: [u64; 2] = [mov_k(0, 0), EXIT];

/// `dst = imm`
pub const fn mov_k(dst: u8, imm: i32) -> u64 {
    insn(0xb7, dst, 0, 0, imm)
}

/// A call of a function of the kernel itself, by its number in the kernel's types (`BPF_PSEUDO_KFUNC_CALL`).
pub const fn kernel_call(function: u32) -> u64 {
    insn(0x85, 0, 2, 0, function as i32)
}

/// A call of a helper.
pub const fn call(helper: u32) -> u64 {
    insn(0x85, 0, 0, 0, helper as i32)
}
