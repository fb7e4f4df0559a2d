//! `perf_event_open` (man 2 perf_event_open).

use super::syscall_result;
use libbpf_sys as lb;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Which event.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A tracepoint by its number.
    Tracepoint(u64),
    /// A PMU (`kprobe`, `uprobe`) that takes a name and a number.
    Probe {
        /// `/sys/bus/event_source/devices/NAME/type`
        pmu: u32,
        /// Function or path; `None` for a kernel address.
        name: Option<&'a str>,
        /// Offset or address.
        offset: u64,
        /// On return: the bit of `format/retprobe`.
        ret: Option<u8>,
        /// A counter in the file that is raised while the event is open: the first bit of `format/ref_ctr_offset`, and
        /// its offset.
        counter: Option<(u8, u64)>,
    },
    /// A place in memory; threads and processes that are made by the watched ones are watched, too.
    Watched {
        /// Where.
        address: u64,
        /// [`READ`], [`WRITE`], [`EXECUTE`].
        access: u32,
        /// Bytes.
        length: u64,
    },
    /// A counter that fires at regular intervals.
    Sampled {
        /// `PERF_TYPE_*`
        perf_type: u32,
        /// `PERF_COUNT_*`
        config: u64,
        /// How often.
        rate: Rate,
    },
}

/// `HW_BREAKPOINT_R` (include/uapi/linux/hw_breakpoint.h)
pub const READ: u32 = 1;
/// `HW_BREAKPOINT_W`
pub const WRITE: u32 = 2;
/// `HW_BREAKPOINT_X`
pub const EXECUTE: u32 = 4;

/// How often a sampled event fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// After this many events (for clocks: nanoseconds).
    Period(u64),
    /// This many times a second.
    Frequency(u64),
}

/// Whom it watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerfScope {
    /// A process, or -1 for all.
    pub pid: i32,
    /// A CPU, or -1 for any (only with a process).
    pub cpu: i32,
}

/// Opens the event, enabled only by [`enable`].
pub fn open(event: &Event, target: PerfScope) -> io::Result<OwnedFd> {
    let mut attr =
        lb::perf_event_attr { size: size_of::<lb::perf_event_attr>() as u32, ..Default::default() };
    let mut name = None;
    match event {
        Event::Tracepoint(id) => {
            attr.type_ = lb::PERF_TYPE_TRACEPOINT;
            attr.config = *id;
            attr.__bindgen_anon_1.sample_period = 1;
        }
        Event::Probe { pmu, name: text, offset, ret, counter } => {
            attr.type_ = *pmu;
            attr.config = ret.map_or(0, |bit| 1 << bit) | counter.map_or(Ok(0), config_part)?;
            name =
                text.map(CString::new).transpose().map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
            attr.__bindgen_anon_3.config1 = name.as_ref().map_or(0, |n| n.as_ptr() as u64);
            attr.__bindgen_anon_4.config2 = *offset;
        }
        Event::Watched { address, access, length } => {
            attr.type_ = lb::PERF_TYPE_BREAKPOINT;
            attr.bp_type = *access;
            attr.__bindgen_anon_3.bp_addr = *address;
            attr.__bindgen_anon_4.bp_len = *length;
            attr.__bindgen_anon_1.sample_period = 1;
            attr.set_disabled(1);
            attr.set_inherit(1);
        }
        Event::Sampled { perf_type, config, rate } => {
            attr.type_ = *perf_type;
            attr.config = *config;
            attr.set_disabled(1);
            match rate {
                Rate::Period(n) => attr.__bindgen_anon_1.sample_period = *n,
                Rate::Frequency(n) => {
                    attr.set_freq(1);
                    attr.__bindgen_anon_1.sample_freq = *n;
                }
            }
        }
    }
    // SAFETY: `attr` is a whole structure with its size set; the name it may point to lives until after
    // the call, and the kernel copies it.
    let fd = syscall_result(unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attr,
            target.pid,
            target.cpu,
            -1,
            u64::from(lb::PERF_FLAG_FD_CLOEXEC),
        )
    })?;
    drop(name);
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// A number that begins at this bit of the config word.
fn config_part((bit, number): (u8, u64)) -> io::Result<u64> {
    let shifted = number.checked_shl(bit.into()).filter(|shifted| shifted >> bit == number);
    shifted.ok_or_else(|| io::Error::from_raw_os_error(libc::EFBIG))
}

fn ioctl(event: BorrowedFd, request: u64, arg: libc::c_ulong) -> io::Result<()> {
    // SAFETY: these requests take a number, no pointer.
    syscall_result(i64::from(unsafe { libc::ioctl(event.as_raw_fd(), request as libc::Ioctl, arg) }))
        .map(|_| ())
}

/// `PERF_EVENT_IOC_ENABLE`
pub fn enable(event: BorrowedFd) -> io::Result<()> {
    ioctl(event, 0x2400, 0)
}

/// `PERF_EVENT_IOC_DISABLE`: nothing fires any more, without waiting for anyone.
pub fn disable(event: BorrowedFd) -> io::Result<()> {
    ioctl(event, 0x2401, 0)
}

/// `PERF_EVENT_IOC_SET_BPF`: attaches a program where the kernel has no perf links (before 5.15).
pub fn set_bpf(event: BorrowedFd, prog: BorrowedFd) -> io::Result<()> {
    ioctl(event, 0x4004_2408, prog.as_raw_fd() as libc::c_ulong)
}
