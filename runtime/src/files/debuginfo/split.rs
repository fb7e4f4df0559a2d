//! Files that belong to a file of debug information: what a compiler split off, what `dwz` put together.

use super::{build_id_path, folders_for, roots};
use std::path::{Path, PathBuf};

/// Where a source file's debug information may lie that was split off (`-gsplit-dwarf`): as the compiler named it, and
/// beside the program, where it was copied with it.
pub fn split_off(program: &Path, compiled_in: Option<&str>, name: &str) -> Vec<PathBuf> {
    let mut all = vec![];
    let base = Path::new(name).file_name().map(PathBuf::from);
    for folder in folders_for(program) {
        all.push(folder.join(name.trim_start_matches('/')));
        all.extend(base.iter().map(|base| folder.join(base)));
    }
    all.push(Path::new(compiled_in.unwrap_or("/")).join(name));
    let beside = program.parent().unwrap_or(Path::new("/"));
    all.extend(base.iter().map(|base| beside.join(base)));
    all
}

/// Where all that was split off a program may lie together.
pub fn package(program: &Path) -> Vec<PathBuf> {
    let with = |path: &Path| PathBuf::from(format!("{}.dwp", path.display()));
    let named = program.file_name().map(PathBuf::from);
    let folders = folders_for(program);
    let in_folders = folders.iter().flat_map(|f| named.iter().map(|name| with(&f.join(name))));
    // A separate debug file is called `PROGRAM.debug`.
    let stem = program.extension().filter(|e| *e == "debug").map(|_| with(&program.with_extension("")));
    in_folders.chain([with(program)]).chain(stem).collect()
}

/// Where the file may lie whose name and build ID stand in `.gnu_debugaltlink` of another.
pub fn shared(by: &Path, name: &str, build_id: &[u8]) -> Vec<PathBuf> {
    let by_id = roots(by).into_iter().filter_map(|(root, _)| build_id_path(&root, build_id));
    let beside = by.parent().unwrap_or(Path::new("/")).join(name);
    by_id.chain([beside]).collect()
}
