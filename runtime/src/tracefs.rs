//! tracefs: the kernel's list of events and of traceable functions (Documentation/trace/ftrace.rst).

use rbtrace_lang::system::{Answer, SystemError};
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

/// Where it is mounted by custom; elsewhere /proc/mounts tells.
const USUAL: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// The category of ftrace's own records: they describe its output, and cannot be attached to.
const FTRACE: &str = "ftrace";

/// The mounted file system.
#[derive(Clone, Debug)]
pub struct TraceFs {
    root: PathBuf,
}

impl TraceFs {
    /// Finds the mount.
    pub fn find() -> Answer<TraceFs> {
        let mut denied = false;
        let mut is_it = |root: &PathBuf| {
            // The mount point exists as an empty folder where nothing is mounted.
            let events = std::fs::metadata(root.join("events"));
            denied |= events.as_ref().is_err_and(|e| e.kind() == ErrorKind::PermissionDenied);
            events.is_ok()
        };
        let usual = USUAL.iter().map(PathBuf::from).find(&mut is_it);
        match usual.or_else(|| mounted().into_iter().find(&mut is_it)) {
            Some(root) => Ok(TraceFs { root }),
            None if denied => Err(not_root("tracefs")),
            None => Err(not_mounted()),
        }
    }

    /// Reads from another folder that is laid out like tracefs.
    pub fn at(root: &Path) -> TraceFs {
        TraceFs { root: root.to_owned() }
    }

    /// A file or folder of it.
    pub fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
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
            && self.path(&format!("events/{category}/{event}/format")).exists()
    }

    /// Text of an event's format file.
    pub fn format(&self, category: &str, event: &str) -> Answer<String> {
        if !plain(category) || !plain(event) {
            return Err(SystemError::new(format!("nothing matches tracepoint:{category}:{event}")));
        }
        let path = self.path(&format!("events/{category}/{event}/format"));
        std::fs::read_to_string(&path).map_err(|e| cannot_read(&path, &e))
    }

    /// Calls `each` with `(module, function)` of every function that can be traced; `vmlinux` for the
    /// kernel's own. Stops when `each` says `false`.
    pub fn traceable_functions(&self, mut each: impl FnMut(&str, &str) -> bool) -> Answer<()> {
        let path = self.path("available_filter_functions");
        let file = File::open(&path).map_err(|e| cannot_read(&path, &e))?;
        let mut lines = BufReader::with_capacity(1 << 16, file);
        let mut line = String::new();
        while lines.read_line(&mut line).map_err(|e| cannot_read(&path, &e))? > 0 {
            let (module, func) = split_function(line.trim_end());
            // Functions of freed init sections are listed under made-up names.
            if !func.starts_with("__ftrace_invalid_address") && !each(module, func) {
                break;
            }
            line.clear();
        }
        Ok(())
    }

    /// Can this kernel make kprobes through tracefs?
    pub fn has_kprobes(&self) -> bool {
        self.path("kprobe_events").exists()
    }

    fn folders(&self, below: &str) -> Answer<Vec<String>> {
        let path = self.path(below);
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(vec![]),
            Err(e) => return Err(cannot_read(&path, &e)),
        };
        // Files (`enable`, `filter`) stand among the folders; the type comes with the entry.
        let mut names: Vec<String> = entries
            .flatten()
            .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()))
            .filter_map(|e| e.file_name().into_string().ok())
            .collect();
        names.sort();
        Ok(names)
    }
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

/// Mount points of tracefs by /proc/mounts.
fn mounted() -> Vec<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|l| {
            let mut words = l.split(' ');
            let (_, at, kind) = (words.next()?, words.next()?, words.next()?);
            (kind == "tracefs").then(|| PathBuf::from(at))
        })
        .collect()
}

/// Functions that kprobes refuse, from debugfs; none where that is not mounted.
pub fn kprobe_blacklist() -> HashSet<String> {
    let text = std::fs::read_to_string("/sys/kernel/debug/kprobes/blacklist").unwrap_or_default();
    text.lines().filter_map(|l| l.split('\t').nth(1)).map(str::to_owned).collect()
}

fn not_mounted() -> SystemError {
    SystemError::with_hint(
        "tracefs is not mounted, so the kernel's events cannot be listed",
        "mount it: mount -t tracefs tracefs /sys/kernel/tracing",
    )
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
