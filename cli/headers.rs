//! Files of one's own. Headers lie beside the source that includes them and in the folders of `-I`, scripts beside
//! the source that imports them.

use rbtrace_lang::Source;
use rbtrace_lang::headers::{Headers, ImportKind, Imported, Include};
use rbtrace_lang::system::{Answer, SystemError};
use rbtrace_runtime::sys::untrusted;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::{fs, io};

/// A longer text is no header.
const MOST: u64 = 16 << 20;

/// Looks for headers in folders, as C compilers do.
#[derive(Debug)]
pub(crate) struct Folders {
    /// Those of `-I`, in order.
    pub(crate) named: Vec<PathBuf>,
}

impl Headers for Folders {
    fn read(&self, include: Include) -> Answer<Option<Source>> {
        // A program that is no file lies, so to speak, in the folder that we are started in.
        let beside = Path::new(include.from).parent().filter(|_| include.quoted);
        for folder in beside.into_iter().chain(self.named.iter().map(PathBuf::as_path)) {
            let path = folder.join(include.path);
            match open(&path) {
                Ok(text) => return Ok(Some(Source::new(&path.to_string_lossy(), &text))),
                Err(e) if is_absent(&e) => {}
                Err(e) => {
                    return Err(SystemError::new(format!(
                        "cannot read the header '{}': {e}",
                        path.display()
                    )));
                }
            }
        }
        Ok(None)
    }

    fn import(&self, from: &str, path: &str) -> Answer<Option<Vec<Imported>>> {
        let path = Path::new(from).parent().unwrap_or(Path::new("")).join(path);
        let failed = |e: io::Error| SystemError::new(format!("cannot import '{}': {e}", path.display()));
        let about = match fs::metadata(&path) {
            Err(e) if is_absent(&e) => return Ok(None),
            about => about.map_err(failed)?,
        };
        if others_may_write(&path).map_err(failed)? {
            let message = format!("'{}' is not imported: everybody may write there", path.display());
            return Err(SystemError::with_hint(message, "take that right away: chmod o-w"));
        }
        let files = if about.is_dir() { files_in(&path).map_err(failed)? } else { vec![path] };
        files.iter().map(|file| imported(file)).collect::<Answer<Vec<_>>>().map(Some)
    }

    fn identity(&self, name: &str) -> Rc<str> {
        fs::canonicalize(name).map_or(name.into(), |path| path.to_string_lossy().into())
    }
}

/// Can any user change this file or the contents of its folder?
fn others_may_write(path: &Path) -> io::Result<bool> {
    const OTHERS: u32 = 0o002;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let writable = |path: &Path| io::Result::Ok(fs::metadata(path)?.permissions().mode() & OTHERS != 0);
    Ok(writable(path)? || writable(folder)?)
}

/// What can be imported of a folder, by name: scripts, headers and, for the error that they are, C programs.
fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = vec![];
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && (kind_of(&path).is_some() || is_bpf_program(&path)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn kind_of(path: &Path) -> Option<ImportKind> {
    match path.extension()?.to_str()? {
        "bt" => Some(ImportKind::Script),
        "h" => Some(ImportKind::Header),
        _ => None,
    }
}

fn is_bpf_program(path: &Path) -> bool {
    let name = path.to_string_lossy();
    [".bpf.c", ".bpf.o"].iter().any(|ending| name.ends_with(ending))
}

fn imported(path: &Path) -> Answer<Imported> {
    let shown = path.display();
    let Some(kind) = kind_of(path) else {
        let hint = "scripts (.bt) and headers (.h) can be imported";
        let message = if is_bpf_program(path) {
            format!("'{shown}' is a BPF program in C, and rbtrace has no C compiler")
        } else {
            format!("'{shown}' is neither a script nor a header")
        };
        return Err(SystemError::with_hint(message, hint));
    };
    match open(path) {
        Ok(text) => Ok(Imported { source: Source::new(&path.to_string_lossy(), &text), kind }),
        Err(e) => Err(SystemError::new(format!("cannot import '{shown}': {e}"))),
    }
}

fn open(path: &Path) -> io::Result<String> {
    match untrusted::read(untrusted::open(path)?, MOST)? {
        (_, true) => Err(io::Error::other("it is longer than 16 MiB")),
        (bytes, false) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
