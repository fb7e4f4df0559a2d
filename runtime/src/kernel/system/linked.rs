//! The libraries that a program will load when it starts, as the dynamic linker finds them (ld.so(8)).

use super::binaries;
use crate::files::elf::{Elf, Needs};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Libraries that are followed, at most: a program can name any number.
const MOST: usize = 1000;

/// The program and the libraries that it is linked to, and those that they are linked to.
pub(super) fn with_libraries(program: &Path) -> Vec<PathBuf> {
    let search = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let mut found = vec![program.to_owned()];
    let mut next = 0;
    while let Some(file) = found.get(next).cloned() {
        next += 1;
        let needs = Elf::open(&file).map(|elf| elf.needs()).unwrap_or_default();
        for library in needs.libraries.iter().filter_map(|name| find(name, &needs, &file, &search)) {
            if !found.contains(&library) && found.len() < MOST {
                found.push(library);
            }
        }
    }
    found
}

/// The file of a library that another one needs.
fn find(name: &str, needs: &Needs, by: &Path, search: &OsString) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|p| p.is_file());
    }
    let origin = by.canonicalize().ok().and_then(|p| p.parent().map(Path::to_path_buf)).unwrap_or_default();
    let origin = origin.to_string_lossy();
    let own = needs.folders.iter().map(|f| f.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin));
    let folders = own.map(PathBuf::from).chain(std::env::split_paths(search));
    let near = folders.map(|folder| folder.join(name)).find(|p| p.is_file());
    near.or_else(|| binaries::library(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_has_a_c_library() {
        let me = std::env::current_exe().unwrap();
        let found = with_libraries(&me);
        assert_eq!(found[0], me);
        assert!(found.iter().any(|p| p.to_string_lossy().contains("libc.so")), "{found:?}");
        assert_eq!(with_libraries(Path::new("/nonexistent")), [PathBuf::from("/nonexistent")]);
    }

    #[test]
    fn a_file_finds_its_libraries_beside_itself() {
        let me = std::env::current_exe().unwrap();
        let (folder, name) = (me.parent().unwrap(), me.file_name().unwrap().to_string_lossy());
        let needs = Needs { folders: vec!["$ORIGIN".into()], ..Needs::default() };
        assert_eq!(find(&name, &needs, &me, &OsString::new()), Some(folder.join(&*name)));
        assert_eq!(find("libnosuch.so.1", &needs, &me, &OsString::new()), None);
        assert_eq!(find(&name, &Needs::default(), &me, &folder.into()), Some(folder.join(&*name)));
    }
}
