//! The few calls of bpf(2) that measuring needs: run-time statistics of the programs that a process
//! holds, and an empty program to subtract.

use anyhow::{Context, Result};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

// Commands of bpf(2), include/uapi/linux/bpf.h `enum bpf_cmd`.
const PROG_LOAD: i64 = 5;
const PROG_GET_FD_BY_ID: i64 = 13;
const OBJ_GET_INFO_BY_FD: i64 = 15;
const ENABLE_STATS: i64 = 32;
/// `BPF_PROG_TYPE_TRACEPOINT`
const TRACEPOINT: u32 = 5;
/// `_IOW('$', 8, __u32)`: include/uapi/linux/perf_event.h
const IOC_SET_BPF: u64 = 0x4004_2408;
/// `_IO('$', 0)`
const IOC_ENABLE: u64 = 0x2400;

/// Figures of one program (`struct bpf_prog_info`).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stats {
    /// Instructions after the verifier.
    pub insns: u32,
    /// Time spent in it so far.
    pub run_time_ns: u64,
    /// Runs so far.
    pub run_cnt: u64,
}

fn bpf(cmd: i64, attr: &mut [u8; 152]) -> io::Result<RawFd> {
    // SAFETY: the attribute is large enough for every command used here and outlives the call.
    let r = unsafe { libc::syscall(libc::SYS_bpf, cmd, attr.as_mut_ptr(), attr.len()) };
    if r < 0 { Err(io::Error::last_os_error()) } else { Ok(r as RawFd) }
}

fn put<const N: usize>(attr: &mut [u8; 152], at: usize, bytes: [u8; N]) {
    attr[at..at + N].copy_from_slice(&bytes);
}

fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: the kernel has just given us this descriptor.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Turns the statistics on for as long as the descriptor lives.
pub(super) fn enable_stats() -> Result<OwnedFd> {
    bpf(ENABLE_STATS, &mut [0; 152]).map(own).context("BPF_ENABLE_STATS (needs root and Linux 5.8)")
}

/// Statistics of the programs that process `pid` holds, by program id.
pub(super) fn of_process(pid: u32) -> Result<Vec<(u32, Stats)>> {
    let mut ids = vec![];
    for entry in fs::read_dir(format!("/proc/{pid}/fdinfo"))? {
        // A descriptor may be gone by the time it is read.
        let Ok(text) = fs::read_to_string(entry?.path()) else { continue };
        let id = text.lines().find_map(|l| l.strip_prefix("prog_id:")?.trim().parse::<u32>().ok());
        ids.extend(id);
    }
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(|id| Ok((id, of_program(id)?))).collect()
}

fn of_program(id: u32) -> Result<Stats> {
    let mut attr = [0; 152];
    put(&mut attr, 0, id.to_ne_bytes());
    let fd = own(bpf(PROG_GET_FD_BY_ID, &mut attr).context("BPF_PROG_GET_FD_BY_ID")?);
    stats(&fd)
}

fn stats(fd: &OwnedFd) -> Result<Stats> {
    // struct bpf_prog_info: xlated_prog_len at 20, run_time_ns at 192, run_cnt at 200.
    let mut info = [0u8; 232];
    let mut attr = [0; 152];
    put(&mut attr, 0, fd.as_raw_fd().to_ne_bytes());
    put(&mut attr, 4, (info.len() as u32).to_ne_bytes());
    put(&mut attr, 8, (info.as_mut_ptr() as u64).to_ne_bytes());
    bpf(OBJ_GET_INFO_BY_FD, &mut attr).context("BPF_OBJ_GET_INFO_BY_FD")?;
    let word = |at: usize| u64::from_ne_bytes(info[at..at + 8].try_into().expect("eight bytes"));
    let half = |at: usize| u32::from_ne_bytes(info[at..at + 4].try_into().expect("four bytes"));
    Ok(Stats { insns: half(20) / 8, run_time_ns: word(192), run_cnt: word(200) })
}

/// An empty program on a tracepoint, whose own time is what statistics cost.
pub(super) struct Empty {
    program: OwnedFd,
    _event: OwnedFd,
}

impl Empty {
    /// Loads it and attaches it to `category/event`.
    pub(super) fn attach(event: &str) -> Result<Empty> {
        // mov r0, 0; exit
        let insns: [u64; 2] = [0xb7, 0x95];
        let license = c"GPL";
        let mut attr = [0; 152];
        put(&mut attr, 0, TRACEPOINT.to_ne_bytes());
        put(&mut attr, 4, (insns.len() as u32).to_ne_bytes());
        put(&mut attr, 8, (insns.as_ptr() as u64).to_ne_bytes());
        put(&mut attr, 16, (license.as_ptr() as u64).to_ne_bytes());
        let program = own(bpf(PROG_LOAD, &mut attr).context("loading an empty program")?);
        let id: u64 = fs::read_to_string(format!("/sys/kernel/tracing/events/{event}/id"))
            .context("tracefs is not mounted")?
            .trim()
            .parse()?;
        let fd = open_tracepoint(id)?;
        // SAFETY: both descriptors are live; the requests take an integer.
        let set = unsafe { libc::ioctl(fd.as_raw_fd(), IOC_SET_BPF, program.as_raw_fd()) };
        // SAFETY: as above.
        let on = unsafe { libc::ioctl(fd.as_raw_fd(), IOC_ENABLE, 0) };
        if set < 0 || on < 0 {
            return Err(io::Error::last_os_error()).context("attaching an empty program");
        }
        Ok(Empty { program, _event: fd })
    }

    /// Its figures so far.
    pub(super) fn stats(&self) -> Result<Stats> {
        stats(&self.program)
    }
}

fn open_tracepoint(id: u64) -> Result<OwnedFd> {
    // struct perf_event_attr: type 2 = PERF_TYPE_TRACEPOINT, size, config, sample_period 1.
    let mut attr = [0u8; 128];
    attr[0..4].copy_from_slice(&2u32.to_ne_bytes());
    attr[4..8].copy_from_slice(&128u32.to_ne_bytes());
    attr[8..16].copy_from_slice(&id.to_ne_bytes());
    attr[16..24].copy_from_slice(&1u64.to_ne_bytes());
    // SAFETY: the attribute has the size that it states; -1, 0, -1, 8: any process, CPU 0, no group, CLOEXEC.
    let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, attr.as_ptr(), -1, 0, -1, 8) };
    if fd < 0 {
        return Err(io::Error::last_os_error()).context("perf_event_open");
    }
    Ok(own(fd as RawFd))
}
