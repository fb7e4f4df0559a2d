//! The real judge: loads programs as raw tracepoints into this machine's kernel and runs them once.

use rbtrace_codegen::backend::Code;
use rbtrace_codegen::object::RelocTarget;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const MAP_CREATE: i64 = 0;
const MAP_LOOKUP_ELEM: i64 = 1;
const PROG_LOAD: i64 = 5;
const PROG_TEST_RUN: i64 = 10;
const BTF_LOAD: i64 = 18;
const RAW_TRACEPOINT: u32 = 17;

/// `BPF_MAP_TYPE_*` that tests use.
pub(crate) const ARRAY: u32 = 2;
pub(crate) const PERCPU_ARRAY: u32 = 6;

fn bpf(command: i64, attr: &mut [u64]) -> Result<i32, std::io::Error> {
    // SAFETY: `attr` is a whole `union bpf_attr` prefix, and all it points to outlives the call.
    let r = unsafe { libc::syscall(libc::SYS_bpf, command, attr.as_mut_ptr(), std::mem::size_of_val(attr)) };
    if r < 0 { Err(std::io::Error::last_os_error()) } else { Ok(r as i32) }
}

fn fd(raw: i32) -> OwnedFd {
    // SAFETY: the kernel has just given this descriptor to us alone.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// A map of `entries` values; `None`, with a printed reason, where BPF is not permitted.
pub(crate) fn map(kind: u32, value_size: u32, entries: u32) -> Option<OwnedFd> {
    match bpf(MAP_CREATE, &mut [pair(kind, 4), pair(value_size, entries), 0, 0, 0, 0, 0, 0, 0]) {
        Ok(raw) => Some(fd(raw)),
        Err(e) => {
            println!("skipped: no BPF here ({e})");
            None
        }
    }
}

/// The first `len` bytes of element 0 on all CPUs.
pub(crate) fn element(map: &OwnedFd, len: usize) -> Vec<u8> {
    let key = 0u32;
    let mut value = vec![0u8; len];
    let mut attr = [map.as_raw_fd() as u64, &raw const key as u64, value.as_mut_ptr() as u64, 0];
    bpf(MAP_LOOKUP_ELEM, &mut attr).expect("lookup of element 0");
    value
}

/// BTF and its infos, as `btf::build` makes them.
pub(crate) struct Info<'a> {
    pub(crate) btf: &'a [u8],
    pub(crate) funcs: &'a [(u32, u32)],
    pub(crate) lines: &'a [[u32; 4]],
}

/// Loads a program; the error has the verifier's log.
pub(crate) fn load(code: &Code, maps: &[OwnedFd], info: Option<&Info<'_>>) -> Result<OwnedFd, String> {
    let mut insns = code.insns.clone();
    for r in &code.relocs {
        let (RelocTarget::Map(map) | RelocTarget::MapValue(map)) = r.target;
        insns[r.insn as usize] |= (maps[map.0 as usize].as_raw_fd() as u64) << 32;
    }
    let mut log = vec![0u8; 1 << 20];
    let license = c"GPL";
    let mut attr = [0u64; 18];
    attr[0] = pair(RAW_TRACEPOINT, insns.len() as u32);
    attr[1] = insns.as_ptr() as u64;
    attr[2] = license.as_ptr() as u64;
    attr[3] = pair(1, log.len() as u32);
    attr[4] = log.as_mut_ptr() as u64;
    let btf = info.map(|i| load_btf(i.btf)).transpose()?;
    if let (Some(info), Some(btf)) = (info, &btf) {
        attr[9] = pair(btf.as_raw_fd() as u32, 8);
        attr[10] = info.funcs.as_ptr() as u64;
        attr[11] = pair(info.funcs.len() as u32, 16);
        attr[12] = info.lines.as_ptr() as u64;
        attr[13] = info.lines.len() as u64;
    }
    bpf(PROG_LOAD, &mut attr).map(fd).map_err(|e| {
        let end = log.iter().position(|b| *b == 0).unwrap_or(log.len());
        let text = String::from_utf8_lossy(&log[..end]).into_owned();
        format!("{e}\n{}", &text[text.len().saturating_sub(3000)..])
    })
}

fn load_btf(btf: &[u8]) -> Result<OwnedFd, String> {
    let mut log = vec![0u8; 1 << 16];
    let mut attr =
        [btf.as_ptr() as u64, log.as_mut_ptr() as u64, pair(btf.len() as u32, log.len() as u32), 1];
    bpf(BTF_LOAD, &mut attr).map(fd).map_err(|e| format!("BTF: {e}\n{}", String::from_utf8_lossy(&log)))
}

/// Runs a program with a context of words; its result.
pub(crate) fn run(prog: &OwnedFd, ctx: &[u64]) -> Result<u32, String> {
    let mut attr = [0u64; 10];
    attr[0] = prog.as_raw_fd() as u64;
    attr[5] = pair(std::mem::size_of_val(ctx) as u32, 0);
    attr[6] = ctx.as_ptr() as u64;
    bpf(PROG_TEST_RUN, &mut attr).map_err(|e| format!("test run: {e}"))?;
    Ok((attr[0] >> 32) as u32)
}
