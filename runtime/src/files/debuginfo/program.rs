//! The separate debug files of programs and libraries.

use super::checksum::crc32;
use super::{build_id_path, roots};
use crate::files::elf::Elf;
use std::path::{Path, PathBuf};

/// A file that may be the one, and what must be right about it.
struct Candidate {
    path: PathBuf,
    found: Found,
}

/// What led to a candidate.
#[derive(Clone, Copy)]
enum Found {
    /// The build ID is a part of its path.
    BuildId,
    /// The program names it, with this checksum.
    Link(u32),
    /// It is called as the program is, in a folder that the user named.
    Name,
}

/// The path of the file that holds the debug information of a program or library: its own, or a separate one.
pub fn of_elf(elf: &Elf) -> Option<PathBuf> {
    search(elf).ok()
}

/// The same; the error says which files are there and were refused, and why.
pub fn search(elf: &Elf) -> Result<PathBuf, Vec<String>> {
    if elf.has_debug_info() {
        return Ok(elf.path().to_path_buf());
    }
    separate(elf)
}

/// The separate debug file of a program or library.
pub fn separate_file(elf: &Elf) -> Option<PathBuf> {
    separate(elf).ok()
}

fn separate(elf: &Elf) -> Result<PathBuf, Vec<String>> {
    let mut refused = vec![];
    for candidate in candidates(elf) {
        let path = &candidate.path;
        if path == elf.path() || !path.exists() {
            continue;
        }
        match check(&candidate, elf) {
            Ok(()) => return Ok(candidate.path),
            Err(why) => refused.push(format!("{}: {why}", path.display())),
        }
    }
    Err(refused)
}

/// Where `gdb` looks, in the folders that the user named first.
fn candidates(elf: &Elf) -> Vec<Candidate> {
    let path = std::path::absolute(elf.path()).unwrap_or_else(|_| elf.path().to_path_buf());
    let folder = path.parent().unwrap_or(Path::new("/")).to_path_buf();
    let below = folder.strip_prefix("/").unwrap_or(&folder);
    let link = elf.debug_link().and_then(|(name, crc)| Some((plain_name(name)?, crc)));
    let mut all = vec![];
    for (root, named) in roots(&path) {
        let mut add = |path: PathBuf, found| all.push(Candidate { path, found });
        if let Some(path) = elf.build_id().and_then(|id| build_id_path(&root, id)) {
            add(path, Found::BuildId);
        }
        if let Some((name, crc)) = link {
            add(root.join(below).join(name), Found::Link(crc));
        }
        if named {
            let own = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let by_link = link.map(|(name, crc)| (root.join(name), Found::Link(crc)));
            by_link.into_iter().for_each(|(path, found)| add(path, found));
            add(root.join(format!("{own}.debug")), Found::Name);
            add(root.join(own), Found::Name);
        }
    }
    if let Some((name, crc)) = link {
        let beside = [folder.join(name), folder.join(".debug").join(name)];
        all.extend(beside.map(|path| Candidate { path, found: Found::Link(crc) }));
    }
    all
}

/// A name, not a way: the program's owner chose it.
fn plain_name(name: &[u8]) -> Option<&str> {
    std::str::from_utf8(name).ok().filter(|n| !n.contains('/') && !matches!(*n, "" | "." | ".."))
}

fn check(candidate: &Candidate, program: &Elf) -> Result<(), String> {
    let file = Elf::open(&candidate.path).map_err(|e| match e {
        crate::files::Error::Io { source, .. } => source.to_string(),
        other => other.to_string(),
    })?;
    if file.architecture() != program.architecture() {
        return Err("it is for another processor".into());
    }
    match (program.build_id(), file.build_id(), candidate.found) {
        (Some(wanted), Some(own), _) if wanted == own => Ok(()),
        (Some(_), Some(_), _) => Err("it is of another build (the build IDs differ)".into()),
        (.., Found::Link(crc)) if crc32(file.bytes()) != crc => {
            Err("it is of another build (its checksum is not the one that the program names)".into())
        }
        _ if !file.has_debug_info() && !file.has_symtab() => Err("it has no debug information".into()),
        _ => Ok(()),
    }
}
