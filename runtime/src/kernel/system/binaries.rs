//! Which files an attach point's target names: a path, a pattern of paths, a program on `PATH`, a
//! library by its name, or what a process has mapped.

use crate::files::zip;
use crate::glob;
use rbtrace_lang::system::{Answer, SystemError};
use std::collections::{BTreeSet, HashSet};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// glibc's list of libraries (`ldconfig(8)`).
const LD_CACHE: &str = "/etc/ld.so.cache";
/// Where libraries lie when there is no such list.
const LIBRARY_DIRS: [&str; 6] =
    ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"];

/// The files that `target` names; at least one. With `pid`, seen from that process.
pub(super) fn resolve(target: &str, pid: Option<i32>) -> Answer<Vec<PathBuf>> {
    if let Some(pid) = pid
        && target == "*"
    {
        return mapped_files(pid);
    }
    let found = if target.contains('/') { by_path(target, pid) } else { by_name(target, pid) };
    if found.is_empty() {
        return Err(missing(target));
    }
    Ok(found)
}

fn missing(target: &str) -> SystemError {
    let message = format!("no program or library is found at '{target}'");
    if target.contains('/') {
        return SystemError::new(message);
    }
    SystemError::with_hint(
        message,
        "a name without / is looked for on PATH and among the libraries of ldconfig -p",
    )
}

fn by_path(target: &str, pid: Option<i32>) -> Vec<PathBuf> {
    let root = pid.and_then(foreign_root).filter(|_| target.starts_with('/'));
    let target = match &root {
        Some(root) => format!("{}{target}", root.display()),
        None => target.to_string(),
    };
    if glob::is_pattern(&target) {
        return expand(&target);
    }
    let path = PathBuf::from(target);
    if is_file(&path) || is_entry(&path) { vec![path] } else { vec![] }
}

fn by_name(name: &str, pid: Option<i32>) -> Vec<PathBuf> {
    if let Some(mapped) = pid.and_then(|pid| mapped_files(pid).ok()) {
        let fits = |p: &PathBuf| {
            p.file_name().and_then(|f| f.to_str()).is_some_and(|f| names_library(name, f) || f == name)
        };
        let mapped: Vec<PathBuf> = mapped.into_iter().filter(fits).collect();
        if !mapped.is_empty() {
            return mapped;
        }
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|p| is_executable(p));
    program.or_else(|| library(name)).into_iter().collect()
}

/// Does `libc`, `c` or `libc.so.6` name the file `libc.so.6`?
fn names_library(name: &str, file: &str) -> bool {
    let stem = file.find(".so").map(|at| &file[..at]);
    file == name || stem == Some(name) || stem.and_then(|s| s.strip_prefix("lib")) == Some(name)
}

/// A library by its name.
pub(super) fn library(name: &str) -> Option<PathBuf> {
    let cache = std::fs::read(LD_CACHE).unwrap_or_default();
    let listed = cache_entries(&cache).find(|(file, _)| names_library(name, file));
    if let Some(path) = listed.map(|(_, path)| PathBuf::from(path)).filter(|p| is_file(p)) {
        return Some(path);
    }
    LIBRARY_DIRS.iter().find_map(|dir| {
        let files = std::fs::read_dir(dir).ok()?.flatten().filter_map(|e| e.file_name().into_string().ok());
        let best = files.filter(|f| names_library(name, f)).min()?;
        Some(Path::new(dir).join(best)).filter(|p| is_file(p))
    })
}

/// `(file name, path)` of the x86-64 libraries in ld.so.cache (glibc's sysdeps/generic/dl-cache.h:
/// `struct cache_file_new`).
fn cache_entries(cache: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
    const HEAD: usize = 48;
    const ENTRY: usize = 24;
    /// `FLAG_X8664_LIB64 | FLAG_ELF_LIBC6`
    const X86_64: u32 = 0x303;
    // An older format may stand before it; offsets count from the new one's start.
    let start = memchr::memmem::find(cache, MAGIC).unwrap_or(cache.len());
    let cache = &cache[start..];
    let word = |at: usize| Some(u32::from_le_bytes(cache.get(at..at + 4)?.try_into().ok()?));
    let text = move |at: u32| {
        let rest = cache.get(at as usize..)?;
        std::str::from_utf8(&rest[..memchr::memchr(0, rest)?]).ok()
    };
    let count = word(MAGIC.len()).unwrap_or(0) as usize;
    (0..count.min(cache.len() / ENTRY)).filter_map(move |i| {
        let at = HEAD + i * ENTRY;
        (word(at)? == X86_64).then_some(())?;
        Some((text(word(at + 4)?)?, text(word(at + 8)?)?))
    })
}

/// The files that a process has mapped as code.
fn mapped_files(pid: i32) -> Answer<Vec<PathBuf>> {
    let path = format!("/proc/{pid}/maps");
    let maps = std::fs::read_to_string(&path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => SystemError::new(format!("there is no process {pid}")),
        _ => crate::kernel::tracefs::cannot_read(Path::new(&path), &e),
    })?;
    let root = foreign_root(pid);
    let files: BTreeSet<PathBuf> = maps.lines().filter_map(|l| mapped_code(l, root.as_deref())).collect();
    Ok(files.into_iter().collect())
}

/// The files that any process has mapped as code, each once.
pub(super) fn mapped_by_all() -> Vec<PathBuf> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|e| e.file_name().to_str()?.parse().ok());
    // A process may end meanwhile, and kernel threads have no files.
    let all: BTreeSet<PathBuf> = pids.filter_map(|pid| mapped_files(pid).ok()).flatten().collect();
    // A file that we see by its own name is not looked for in the root of a process.
    let (foreign, own): (Vec<_>, Vec<_>) = all.into_iter().partition(|p| p.starts_with("/proc"));
    let mut seen = HashSet::new();
    let is_new = |p: &PathBuf| p.metadata().is_ok_and(|m| seen.insert((m.dev(), m.ino())));
    own.into_iter().chain(foreign).filter(is_new).collect()
}

/// The file of a line of /proc/PID/maps, if it is mapped as code and still there.
fn mapped_code(line: &str, root: Option<&Path>) -> Option<PathBuf> {
    let perms = line.split_whitespace().nth(1)?;
    let file = &line[line.find('/')?..];
    if perms.as_bytes().get(2) != Some(&b'x') || file.ends_with(" (deleted)") {
        return None;
    }
    Some(match root {
        Some(root) => root.join(file.trim_start_matches('/')),
        None => PathBuf::from(file),
    })
}

/// `/proc/PID/root` of a process that sees another file system than we do.
fn foreign_root(pid: i32) -> Option<PathBuf> {
    let mounts = |who: &str| std::fs::read_link(format!("/proc/{who}/ns/mnt")).ok();
    let theirs = mounts(&pid.to_string())?;
    let root = std::fs::read_link(format!("/proc/{pid}/root")).ok();
    let same = mounts("self") == Some(theirs) && root.is_none_or(|r| r == Path::new("/"));
    (!same).then(|| PathBuf::from(format!("/proc/{pid}/root")))
}

/// Files whose paths match, sorted.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let start = if pattern.starts_with('/') { PathBuf::from("/") } else { PathBuf::new() };
    let mut found = vec![start];
    for part in pattern.split('/').filter(|p| !p.is_empty()) {
        found = found.iter().flat_map(|dir| below(dir, part)).collect();
    }
    found.retain(|p| is_file(p));
    found.sort();
    found
}

/// Entries of a folder that match one part of a path.
fn below(dir: &Path, part: &str) -> Vec<PathBuf> {
    if !glob::is_pattern(part) {
        let path = dir.join(part);
        return if path.exists() { vec![path] } else { vec![] };
    }
    let listed = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let Ok(entries) = std::fs::read_dir(listed) else { return vec![] };
    let names = entries.flatten().filter_map(|e| e.file_name().into_string().ok());
    // A leading dot must be named, as in the shell.
    names
        .filter(|n| glob::matches(part, n) && (!n.starts_with('.') || part.starts_with('.')))
        .map(|n| dir.join(n))
        .collect()
}

/// Does the path name an entry of an archive that is there? Whether the entry is, opening it says.
fn is_entry(path: &Path) -> bool {
    path.to_str().and_then(zip::split).is_some_and(|(archive, _)| is_file(Path::new(archive)))
}

fn is_file(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.is_file())
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_by_every_name() {
        for name in ["libc", "c", "libc.so.6"] {
            assert!(names_library(name, "libc.so.6"), "{name}");
        }
        for file in ["libcrypt.so.1", "libc_malloc_debug.so", "libc"] {
            assert!(!names_library("c", file), "{file}");
        }
    }

    #[test]
    fn the_cache_is_read_and_a_broken_one_is_empty() {
        let mut cache = b"glibc-ld.so.cache1.1".to_vec();
        cache.extend(2u32.to_le_bytes());
        cache.resize(48, 0);
        for (flags, key, value) in [(0x303u32, 96u32, 102u32), (0x3, 96, 102)] {
            for word in [flags, key, value, 0, 0, 0] {
                cache.extend(word.to_le_bytes());
            }
        }
        cache.extend(b"x.so\0\0/x.so\0");
        assert_eq!(cache_entries(&cache).collect::<Vec<_>>(), [("x.so", "/x.so")]);
        for cut in 0..cache.len() {
            let _ = cache_entries(&cache[..cut]).count();
        }
    }

    #[test]
    fn a_library_of_this_machine() {
        let found = resolve("libc", None).expect("libc");
        assert!(found[0].to_string_lossy().contains("libc.so"), "{found:?}");
    }

    #[test]
    fn patterns_of_paths() {
        let found = resolve("/proc/self/st[a]t*s", None).unwrap();
        assert_eq!(found, [PathBuf::from("/proc/self/status")]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let e = resolve("/bin/nosuchfile", None).unwrap_err();
        assert_eq!(e.message, "no program or library is found at '/bin/nosuchfile'");
        assert!(resolve("nosuchprogram", None).is_err());
        assert!(resolve("*", Some(-1)).is_err());
    }

    #[test]
    fn mapped_code_of_ourselves() {
        let found = resolve("*", Some(std::process::id() as i32)).unwrap();
        let me = std::env::current_exe().unwrap();
        assert!(found.contains(&me), "{found:?}");
        assert_eq!(mapped_code("7f0-7f1 r-xp 0 08:01 1 /lib/a (deleted)", None), None);
        assert_eq!(mapped_code("7f0-7f1 r--p 0 08:01 1 /lib/a", None), None);
    }
}
