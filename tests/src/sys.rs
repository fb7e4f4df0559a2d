//! The few system calls of the tests that std does not offer.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Whether this process is root.
pub fn is_root() -> bool {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Sends `signal` to the process group `pgid`.
pub fn kill_group(pgid: u32, signal: i32) {
    let Ok(pgid) = i32::try_from(pgid) else { return };
    // SAFETY: kill(2) takes plain numbers; a group that is gone gives ESRCH, which is fine here.
    unsafe { libc::kill(-pgid, signal) };
}

/// Kinds of BPF objects that the kernel numbers: the commands `BPF_*_GET_NEXT_ID` of `enum bpf_cmd` (include/uapi/linux/bpf.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BpfKind {
    /// Programs.
    Prog = 11,
    /// Maps.
    Map = 12,
    /// Links.
    Link = 31,
}

/// The ids of all live BPF objects of a kind; empty where the system does not tell.
pub fn bpf_ids(kind: BpfKind) -> Vec<u32> {
    let mut ids = vec![];
    // start_id, next_id, open_flags: the layout of union bpf_attr for the GET_NEXT_ID commands.
    let mut attr = [0u32; 4];
    loop {
        // SAFETY: the kernel reads and writes at most the 12 bytes of `attr` that the size names.
        let r = unsafe { libc::syscall(libc::SYS_bpf, kind as i32, attr.as_mut_ptr(), 12) };
        if r != 0 {
            return ids;
        }
        ids.push(attr[1]);
        attr[0] = attr[1];
    }
}

/// Gives up root: user and group 65534, no supplementary groups.
pub fn become_nobody() -> io::Result<()> {
    // SAFETY: plain numbers, and a null list of zero groups.
    let r = unsafe { (libc::setgroups(0, std::ptr::null()), libc::setgid(65534), libc::setuid(65534)) };
    if r == (0, 0, 0) { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A new terminal that changes nothing of what passes: its two ends, ours and that of a program.
pub fn terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let (mut ours, mut theirs) = (-1, -1);
    let none = std::ptr::null_mut();
    // SAFETY: room for two descriptors; no name, settings or size are asked for.
    if unsafe { libc::openpty(&raw mut ours, &raw mut theirs, none, none.cast(), none.cast()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: termios is plain data, for which zeros are valid; both calls are given a whole one and an open terminal.
    unsafe {
        let mut settings: libc::termios = std::mem::zeroed();
        libc::tcgetattr(theirs, &raw mut settings);
        libc::cfmakeraw(&raw mut settings);
        libc::tcsetattr(theirs, libc::TCSANOW, &raw const settings);
    }
    // SAFETY: the kernel has just made both for us.
    Ok(unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) })
}

/// Lets Ctrl-C pass by this process.
pub fn ignore_interrupt() {
    // SAFETY: takes numbers only.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
}

/// Gives up CAP_SYS_ADMIN for what is executed next: root that may trace, but not mount.
pub fn give_up_mounting() -> io::Result<()> {
    const CAP_SYS_ADMIN: libc::c_ulong = 21;
    // SAFETY: prctl(2) takes plain numbers here.
    let r = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0) };
    if r == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The folder of tracefs: where it is mounted by custom, else a mount that only this process sees.
pub fn tracefs() -> &'static Path {
    static FOUND: OnceLock<(PathBuf, Option<OwnedFd>)> = OnceLock::new();
    let (path, _) = FOUND.get_or_init(|| {
        let usual = Path::new("/sys/kernel/tracing");
        match mount_detached(c"tracefs") {
            Ok(root) if !usual.join("events").exists() => {
                (format!("/proc/self/fd/{}", root.as_raw_fd()).into(), Some(root))
            }
            _ => (usual.to_owned(), None),
        }
    });
    path
}

/// fsopen, fsconfig, fsmount: the root of a mount that stands in no mount table.
fn mount_detached(kind: &std::ffi::CStr) -> io::Result<OwnedFd> {
    // FSOPEN_CLOEXEC, FSCONFIG_CMD_CREATE and FSMOUNT_CLOEXEC of include/uapi/linux/mount.h.
    let (cloexec, create, none) = (1, 6, std::ptr::null::<libc::c_char>());
    // SAFETY: the name is NUL-terminated; the other arguments are numbers, and pointers that may be null.
    let calls = unsafe {
        let context = libc::syscall(libc::SYS_fsopen, kind.as_ptr(), cloexec);
        libc::syscall(libc::SYS_fsconfig, context, create, none, none, 0);
        let root = libc::syscall(libc::SYS_fsmount, context, cloexec, 0);
        libc::close(context as i32);
        root
    };
    if calls < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(calls as i32) })
}

/// Waits until there is something to read, or the other end is closed.
pub fn wait_readable(fd: BorrowedFd) -> io::Result<()> {
    let mut wanted = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one structure, and its number.
    let r = unsafe { libc::poll(&raw mut wanted, 1, -1) };
    if r < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Calls getppid(2) itself, past any cache of the C library.
pub fn getppid() -> i64 {
    // SAFETY: getppid takes nothing and cannot fail.
    unsafe { libc::syscall(libc::SYS_getppid) }
}

/// Sends one raw Ethernet frame from the interface `name` (AF_PACKET, SOCK_RAW).
pub fn send_frame(name: &str, frame: &[u8]) -> io::Result<()> {
    let index = std::fs::read_to_string(format!("/sys/class/net/{name}/ifindex"))?;
    let index: i32 = index.trim().parse().map_err(io::Error::other)?;
    // SAFETY: plain numbers.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: sockaddr_ll is plain data, for which zeros are valid.
    let mut to: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    to.sll_family = libc::AF_PACKET as u16;
    to.sll_ifindex = index;
    let len = size_of::<libc::sockaddr_ll>() as u32;
    // SAFETY: the buffer and the address live for the call, and the lengths are theirs.
    let sent =
        unsafe { libc::sendto(fd, frame.as_ptr().cast(), frame.len(), 0, (&raw const to).cast(), len) };
    let result = if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
    // SAFETY: `fd` was opened above and is used by nobody else.
    unsafe { libc::close(fd) };
    result
}

/// Marks a socket IP_TRANSPARENT, so that it takes packets for addresses that are not the machine's (TPROXY).
pub fn set_transparent(fd: i32) -> io::Result<()> {
    let on: i32 = 1;
    // SAFETY: the option's value is one int, whose address and size are given.
    let r = unsafe { libc::setsockopt(fd, libc::SOL_IP, libc::IP_TRANSPARENT, (&raw const on).cast(), 4) };
    if r == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
