//! Links: what holds a program at its place. Closing one takes the program off.

use super::{descriptor, status};
use libbpf_sys as lb;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

fn options() -> lb::bpf_link_create_opts {
    lb::bpf_link_create_opts { sz: size_of::<lb::bpf_link_create_opts>() as _, ..Default::default() }
}

/// Links a program to a perf event (5.15); `cookie` is what `bpf_get_attach_cookie` gives.
pub fn perf_event(prog: BorrowedFd, event: BorrowedFd, cookie: u64) -> io::Result<OwnedFd> {
    let mut opts = options();
    opts.__bindgen_anon_1.perf_event.bpf_cookie = cookie;
    // SAFETY: `opts` is a whole structure with its size set and holds no pointer.
    descriptor(unsafe {
        lb::bpf_link_create(prog.as_raw_fd(), event.as_raw_fd(), lb::BPF_PERF_EVENT, &raw const opts)
    })
}

/// Links a program to many kernel functions at once (5.18 with FPROBE), each with its cookie: to their entries, their
/// returns (`ret`), or with the attach type of a session to both.
pub fn kprobe_multi(
    prog: BorrowedFd,
    functions: &[(&str, u64)],
    ret: bool,
    attach: lb::bpf_attach_type,
) -> io::Result<OwnedFd> {
    let names: Vec<CString> = functions
        .iter()
        .map(|(f, _)| CString::new(*f))
        .collect::<Result<_, _>>()
        .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let mut symbols: Vec<_> = names.iter().map(|n| n.as_ptr()).collect();
    let cookies: Vec<u64> = functions.iter().map(|(_, c)| *c).collect();
    let mut opts = options();
    opts.__bindgen_anon_1.kprobe_multi = lb::bpf_link_create_opts__bindgen_ty_1__bindgen_ty_2 {
        flags: if ret { lb::BPF_F_KPROBE_MULTI_RETURN } else { 0 },
        cnt: symbols.len() as u32,
        syms: symbols.as_mut_ptr(),
        cookies: cookies.as_ptr(),
        ..Default::default()
    };
    // SAFETY: names and cookies are arrays of `cnt` elements that outlive the call.
    descriptor(unsafe { lb::bpf_link_create(prog.as_raw_fd(), 0, attach, &raw const opts) })
}

/// A place of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserPlace {
    /// Offset.
    pub offset: u64,
    /// What `bpf_get_attach_cookie` gives.
    pub cookie: u64,
    /// Offset of a counter that is raised while the link is open; 0 for none.
    pub counter: u64,
}

/// Links a program to many places of one file (6.6).
pub fn uprobe_multi(
    prog: BorrowedFd,
    path: &str,
    places: &[UserPlace],
    ret: bool,
    pid: Option<i32>,
    attach: lb::bpf_attach_type,
) -> io::Result<OwnedFd> {
    let path = CString::new(path).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let offsets: Vec<u64> = places.iter().map(|p| p.offset).collect();
    let cookies: Vec<u64> = places.iter().map(|p| p.cookie).collect();
    let counters: Vec<u64> = places.iter().map(|p| p.counter).collect();
    let counted = counters.iter().any(|&c| c != 0);
    let mut opts = options();
    opts.__bindgen_anon_1.uprobe_multi = lb::bpf_link_create_opts__bindgen_ty_1__bindgen_ty_3 {
        path: path.as_ptr(),
        offsets: offsets.as_ptr(),
        cookies: cookies.as_ptr(),
        ref_ctr_offsets: if counted { counters.as_ptr() } else { std::ptr::null() },
        cnt: places.len() as u32,
        flags: if ret { lb::BPF_F_UPROBE_MULTI_RETURN } else { 0 },
        pid: pid.unwrap_or(0) as u32,
        ..Default::default()
    };
    // SAFETY: path, offsets, cookies and counters outlive the call; the arrays have `cnt` elements.
    descriptor(unsafe { lb::bpf_link_create(prog.as_raw_fd(), 0, attach, &raw const opts) })
}

/// Attaches to a raw tracepoint by name, or without one to what the program was bound to when it was loaded. A cookie
/// other than 0 needs 6.10.
pub fn raw_tracepoint(prog: BorrowedFd, event: Option<&str>, cookie: u64) -> io::Result<OwnedFd> {
    let name = event.map(CString::new).transpose();
    let name = name.map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let mut opts = lb::bpf_raw_tp_opts { sz: size_of::<lb::bpf_raw_tp_opts>() as _, ..Default::default() };
    opts.tp_name = name.as_ref().map_or(std::ptr::null(), |n| n.as_ptr());
    opts.cookie = cookie;
    // SAFETY: `name` outlives the call; `opts` is a whole structure with its size set.
    descriptor(unsafe { lb::bpf_raw_tracepoint_open_opts(prog.as_raw_fd(), &raw mut opts) })
}

/// How many hits the kernel did not hand to the program of a link of kprobes, since one was being handled already (6.7).
pub fn missed(link: BorrowedFd) -> io::Result<u64> {
    let mut info = lb::bpf_link_info::default();
    let mut len = size_of::<lb::bpf_link_info>() as u32;
    // SAFETY: `info` is zeroed, so no pointer in it asks the kernel to write elsewhere; `len` is its size.
    status(unsafe { lb::bpf_link_get_info_by_fd(link.as_raw_fd(), &raw mut info, &raw mut len) })?;
    // SAFETY: every bit pattern is a value of these structures of numbers; the kernel has filled in the one of the link's
    // type, and what it does not know of it is 0.
    Ok(unsafe {
        match info.type_ {
            lb::BPF_LINK_TYPE_KPROBE_MULTI => info.__bindgen_anon_1.kprobe_multi.missed,
            lb::BPF_LINK_TYPE_PERF_EVENT => match info.__bindgen_anon_1.perf_event.type_ {
                lb::BPF_PERF_EVENT_KPROBE | lb::BPF_PERF_EVENT_KRETPROBE => {
                    info.__bindgen_anon_1.perf_event.__bindgen_anon_1.kprobe.missed
                }
                _ => 0,
            },
            _ => 0,
        }
    })
}

/// Links a program to the list of objects that it was bound to when it was loaded (5.8); with a process to its objects
/// alone (6.1).
pub fn iterator(prog: BorrowedFd, pid: Option<i32>) -> io::Result<OwnedFd> {
    let mut info = lb::bpf_iter_link_info::default();
    info.task.pid = pid.unwrap_or(0) as u32;
    let mut opts = options();
    if pid.is_some() {
        opts.iter_info = &raw mut info;
        opts.iter_info_len = size_of::<lb::bpf_iter_link_info>() as u32;
    }
    // SAFETY: `info` outlives the call, and its size is given.
    descriptor(unsafe { lb::bpf_link_create(prog.as_raw_fd(), 0, lb::BPF_TRACE_ITER, &raw const opts) })
}

/// A file whose reading walks the list of an iterator's link.
pub fn iterator_file(link: BorrowedFd) -> io::Result<File> {
    // SAFETY: takes a descriptor only.
    descriptor(unsafe { lb::bpf_iter_create(link.as_raw_fd()) }).map(File::from)
}

/// Gives a link a name in the BPF file system, through which it outlives us.
pub fn pin(link: BorrowedFd, path: &str) -> io::Result<()> {
    let path = CString::new(path).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // SAFETY: `path` is NUL-terminated and outlives the call.
    status(unsafe { lb::bpf_obj_pin(link.as_raw_fd(), path.as_ptr()) })
}

/// Takes a program off at once where the link's kind can.
pub fn detach(link: BorrowedFd) -> io::Result<()> {
    // SAFETY: takes a descriptor only.
    status(unsafe { lb::bpf_link_detach(link.as_raw_fd()) })
}
