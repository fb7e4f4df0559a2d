//! Watchpoints: the processor's debug registers, through perf events.

use super::{Attached, Failure, Link, join, perf_event};
use crate::sys::perf::{self, Event, PerfScope};
use rbtrace_lang::target::Access;
use std::os::fd::BorrowedFd;
use std::{fs, io};

/// What is watched.
pub(super) struct Place {
    pub address: u64,
    pub length: u8,
    pub access: Access,
}

impl Place {
    fn event(&self) -> Event<'static> {
        let (access, length) = match self.access {
            Access::Write => (perf::WRITE, self.length.into()),
            Access::ReadWrite => (perf::READ | perf::WRITE, self.length.into()),
            // The kernel wants the size of a long then; the processor compares the address alone.
            Access::Execute => (perf::EXECUTE, 8),
        };
        Event::Watched { address: self.address, access, length }
    }
}

/// In the threads of a process, or on every CPU.
pub(super) fn attach(prog: BorrowedFd, place: &Place, pid: Option<i32>) -> Attached {
    let (scopes, method) = match pid {
        Some(pid) => (threads(pid)?, "debug registers of every thread"),
        None => {
            let everywhere = |cpu| PerfScope { pid: -1, cpu };
            (perf_event::online_cpus()?.into_iter().map(everywhere).collect(), "debug registers of every CPU")
        }
    };
    let mut link = Link { method, ..Link::default() };
    for scope in &scopes {
        match perf::open(&place.event(), *scope) {
            Ok(event) => join(prog, event, None, &mut link)?,
            // The thread has ended meanwhile.
            Err(e) if pid.is_some() && scopes.len() > 1 && e.raw_os_error() == Some(libc::ESRCH) => {}
            Err(e) => return Err(explain(e, place)),
        }
    }
    match link.events.is_empty() {
        true => Err(Failure::new(libc::ESRCH, "the process has ended")),
        false => Ok(link),
    }
}

fn threads(pid: i32) -> Result<Vec<PerfScope>, Failure> {
    let unreadable =
        |error: io::Error| Failure { hint: Some(format!("the threads of {pid} are not known")), error };
    let folder = fs::read_dir(format!("/proc/{pid}/task")).map_err(unreadable)?;
    let thread = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    Ok(folder.filter_map(thread).map(|pid| PerfScope { pid, cpu: -1 }).collect())
}

fn explain(error: io::Error, place: &Place) -> Failure {
    let hint = match error.raw_os_error() {
        Some(libc::ENOSPC) => {
            "the processor's debug registers (x86-64 has four) are all in use, by other watchpoints or by a debugger".to_owned()
        }
        Some(libc::EINVAL) if !place.address.is_multiple_of(place.length.into()) => format!(
            "{0} bytes can be watched only at a multiple of {0}: a shorter length, or two watchpoints, cover the place",
            place.length
        ),
        Some(libc::EINVAL) => format!("{:#x} is no address that the processor can watch", place.address),
        Some(libc::ENOENT | libc::ENODEV | libc::EOPNOTSUPP) => "this machine has no debug registers".to_owned(),
        _ => return error.into(),
    };
    Failure { error, hint: Some(hint) }
}
