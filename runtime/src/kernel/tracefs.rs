//! tracefs: the kernel's list of events and of traceable functions (Documentation/trace/ftrace.rst).

use crate::kernel::privileges;
use crate::sys::kernelfs::{self, FileSystem, Root};
use rbtrace_lang::system::{Answer, SystemError};
use std::collections::HashSet;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

/// The category of ftrace's own records: they describe its output, and cannot be attached to.
const FTRACE: &str = "ftrace";

/// The file system, wherever it is mounted.
#[derive(Debug)]
pub struct TraceFs {
    root: Root,
}

impl TraceFs {
    /// Finds the mount, or makes one of our own.
    pub fn find() -> Answer<TraceFs> {
        let fs = TraceFs { root: kernelfs::find(FileSystem::Tracefs) };
        match fs.root.look("events") {
            Ok(()) => Ok(fs),
            Err(e) if e.kind() == ErrorKind::PermissionDenied => Err(not_root("tracefs")),
            // Without root nobody may open it, and a mount would not help.
            Err(_) if matches!(fs.root, Root::Missing(..)) && privileges::check().is_err() => {
                Err(not_root("tracefs"))
            }
            Err(e) => Err(SystemError::new(format!("the kernel's events cannot be listed: {e}"))),
        }
    }

    /// Reads from another folder that is laid out like tracefs.
    pub fn at(root: &Path) -> TraceFs {
        TraceFs { root: Root::Mounted(root.to_owned()) }
    }

    /// Categories of events, sorted.
    pub fn categories(&self) -> Answer<Vec<String>> {
        let mut categories = self.folders("events")?;
        categories.retain(|c| c != FTRACE);
        Ok(categories)
    }

    /// Events of a category, sorted; none where the category does not exist.
    pub fn events(&self, category: &str) -> Answer<Vec<String>> {
        if !plain(category) || category == FTRACE {
            return Ok(vec![]);
        }
        self.folders(&format!("events/{category}"))
    }

    /// Is there such an event?
    pub fn has_event(&self, category: &str, event: &str) -> bool {
        plain(category)
            && plain(event)
            && category != FTRACE
            && self.root.exists(&format!("events/{category}/{event}/format"))
    }

    /// Text of an event's format file.
    pub fn format(&self, category: &str, event: &str) -> Answer<String> {
        if !plain(category) || !plain(event) {
            return Err(SystemError::missing(format!("nothing matches tracepoint:{category}:{event}"), None));
        }
        let path = format!("events/{category}/{event}/format");
        self.root.text(&path).map_err(|e| self.cannot_read(&path, &e))
    }

    /// Calls `each` with `(module, function)` of every function that can be traced; `vmlinux` for the
    /// kernel's own. Stops when `each` says `false`.
    pub fn traceable_functions(&self, each: &mut dyn FnMut(&str, &str) -> bool) -> Answer<()> {
        let path = "available_filter_functions";
        let cannot_read = |e: std::io::Error| self.cannot_read(path, &e);
        functions(self.root.open(path).map_err(cannot_read)?, each).map_err(cannot_read)
    }

    /// Can this kernel make kprobes through tracefs?
    pub fn has_kprobes(&self) -> bool {
        self.root.exists("kprobe_events")
    }

    fn folders(&self, below: &str) -> Answer<Vec<String>> {
        let entries = match self.root.names(below) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(vec![]),
            Err(e) => return Err(self.cannot_read(below, &e)),
        };
        // Files (`enable`, `filter`) stand among the folders.
        let mut names: Vec<_> =
            entries.into_iter().filter_map(|(name, folder)| folder.then_some(name)).collect();
        names.sort();
        Ok(names)
    }

    fn cannot_read(&self, below: &str, e: &std::io::Error) -> SystemError {
        cannot_read(Path::new(&self.root.show(below)), e)
    }
}

/// The same of a file in the form of `available_filter_functions`.
pub fn functions_of_file(path: &Path, each: &mut dyn FnMut(&str, &str) -> bool) -> Answer<()> {
    let file = std::fs::File::open(path).map_err(|e| cannot_read(path, &e))?;
    functions(file, each).map_err(|e| cannot_read(path, &e))
}

fn functions(file: impl Read, each: &mut dyn FnMut(&str, &str) -> bool) -> std::io::Result<()> {
    let mut lines = BufReader::with_capacity(1 << 16, file);
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        let (module, func) = split_function(line.trim_end());
        // Functions of freed init sections are listed under made-up names.
        if !func.is_empty() && !func.starts_with("__ftrace_invalid_address") && !each(module, func) {
            break;
        }
        line.clear();
    }
    Ok(())
}

/// `function [module]` of `available_filter_functions` as `(module, function)`.
fn split_function(line: &str) -> (&str, &str) {
    match line.split_once([' ', '\t']) {
        Some((func, module)) => (module.trim().trim_matches(['[', ']']), func),
        None => ("vmlinux", line),
    }
}

/// A name that stays within its folder.
fn plain(name: &str) -> bool {
    !name.is_empty() && !name.contains('/') && name != "." && name != ".."
}

/// Functions that kprobes refuse, from debugfs; none where that cannot be read.
pub fn kprobe_blacklist() -> HashSet<String> {
    let text = kernelfs::find(FileSystem::Debugfs).text("kprobes/blacklist").unwrap_or_default();
    text.lines().filter_map(|l| l.split('\t').nth(1)).map(str::to_owned).collect()
}

/// The error for what only root may read.
pub fn not_root(what: &str) -> SystemError {
    SystemError::with_hint(
        format!("{what} cannot be read: permission denied (EACCES)"),
        "rbtrace needs root: run it with sudo",
    )
}

/// The error for a file that cannot be read, with the cause where it is known.
pub fn cannot_read(path: &Path, e: &std::io::Error) -> SystemError {
    let message = format!("cannot read {}: {e}", path.display());
    match e.raw_os_error() {
        Some(libc::EACCES) => not_root(&path.display().to_string()),
        Some(libc::EPERM) => SystemError::with_hint(
            message,
            "the kernel is locked down (see kernel_lockdown(7)): it refuses this even to root",
        ),
        _ => SystemError::new(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_modules_are_told_apart() {
        assert_eq!(split_function("vfs_read"), ("vmlinux", "vfs_read"));
        assert_eq!(split_function("nf_hook [nf_tables]"), ("nf_tables", "nf_hook"));
        assert_eq!(split_function("veth_xmit\t[veth]"), ("veth", "veth_xmit"));
    }

    #[test]
    fn a_name_does_not_leave_its_folder() {
        let fs = TraceFs::at(Path::new("/"));
        assert_eq!(fs.events("../etc").unwrap(), Vec::<String>::new());
        assert!(fs.format("..", "etc").is_err());
    }

    #[test]
    fn lockdown_and_missing_rights_are_told_apart() {
        let hint = |errno| {
            let e = std::io::Error::from_raw_os_error(errno);
            cannot_read(Path::new("/x"), &e).hint.unwrap_or_default()
        };
        assert!(hint(libc::EPERM).contains("locked down"));
        assert!(hint(libc::EACCES).contains("sudo"));
        assert_eq!(hint(libc::EIO), "");
    }
}
