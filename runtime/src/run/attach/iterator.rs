//! iter: the program was bound to its list when it was loaded. Reading the list runs it for each object.

use super::{Attached, Failure, Link};
use crate::sys::link;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

/// Objects that are walked at once.
const AT_ONCE: usize = 32;

/// What becomes of the list of an iterator.
#[derive(Debug)]
pub enum List {
    /// We read this file, to walk it.
    Walked(File),
    /// Others read it, through a file of this name.
    Pinned(OwnedFd, Rc<str>),
}

pub(super) fn attach(prog: BorrowedFd, pin: Option<Rc<str>>, pid: Option<i32>) -> Attached {
    let fd = link::iterator(prog, pid).map_err(|e| explain(e, pid))?;
    let link = Link { method: "iterator link", ..Link::default() };
    Ok(match pin {
        Some(path) => Link { list: Some(List::Pinned(fd, path)), ..link },
        None => {
            let file = link::iterator_file(fd.as_fd())?;
            Link { links: vec![fd], list: Some(List::Walked(file)), ..link }
        }
    })
}

fn explain(error: io::Error, pid: Option<i32>) -> Failure {
    let hint = match (error.raw_os_error(), pid) {
        (Some(libc::E2BIG | libc::EINVAL), Some(_)) => {
            Some("only Linux 6.1 and newer walk the objects of one process: let the predicate ask".to_owned())
        }
        (Some(libc::ESRCH), Some(pid)) => Some(format!("there is no process {pid}")),
        (Some(libc::EINVAL | libc::EBADF), None) => {
            Some("there are several lists of this name, and no way yet to say which one is meant".to_owned())
        }
        _ => None,
    };
    Failure { error, hint }
}

impl List {
    /// Runs the program for some more objects, those that follow; false where there are no more. What it prints comes the
    /// usual way: a program that prints writes a byte for each object, so that we can empty the ring buffer in between.
    pub fn advance(&mut self) -> io::Result<bool> {
        let List::Walked(file) = self else { return Ok(false) };
        match file.read(&mut [0; AT_ONCE]) {
            Ok(count) => Ok(count > 0),
            // After a million objects the kernel pauses (`MAX_ITER_OBJECTS`, kernel/bpf/bpf_iter.c).
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(true),
            Err(e) => Err(e),
        }
    }

    /// Gives the list its name, through which it outlives us.
    pub fn pin(&self) -> Result<(), Failure> {
        let List::Pinned(link, path) = self else { return Ok(()) };
        link::pin(link.as_fd(), path).map_err(|e| explain_pin(e, path))
    }

    /// Takes the name away.
    pub fn unpin(&self) {
        if let List::Pinned(_, path) = self {
            // It is there: we have just given it.
            let _ = std::fs::remove_file(&**path);
        }
    }

    /// The name of one that others read.
    pub fn name(&self) -> Option<&str> {
        if let List::Pinned(_, path) = self { Some(path) } else { None }
    }
}

fn explain_pin(error: io::Error, path: &str) -> Failure {
    let hint = match error.raw_os_error() {
        Some(libc::EEXIST) => Some(format!("rm {path} removes what is pinned there")),
        Some(libc::ENOENT) if !Path::new(path).parent().is_some_and(Path::is_dir) => {
            Some(format!("the folder of {path} does not exist"))
        }
        Some(libc::ENOENT | libc::EPERM) => {
            Some(format!("{path} lies in no BPF file system: mount -t bpf bpf /sys/fs/bpf makes one"))
        }
        _ => None,
    };
    Failure { error, hint }
}
