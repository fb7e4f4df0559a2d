//! Headers of one's own: beside the source that includes them, and in the folders of `-I`.

use rbtrace_lang::Source;
use rbtrace_lang::headers::{Headers, Include};
use rbtrace_lang::system::{Answer, SystemError};
use rbtrace_runtime::sys::untrusted;
use std::io;
use std::path::{Path, PathBuf};

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
