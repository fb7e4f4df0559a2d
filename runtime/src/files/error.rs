//! What can go wrong between an address and a source line.

use rbtrace_lang::system::SystemError;
use std::path::PathBuf;

/// An error of reading ELF files and debug information.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be opened or mapped.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not ELF or is damaged.
    #[error("{}: not a usable ELF file: {what}", path.display())]
    Elf {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Debug information is damaged, or of a kind that is not understood.
    #[error("{}: broken debug information: {source}", path.display())]
    Dwarf {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: gimli::Error,
    },
    /// What was asked for is not there.
    #[error("{message}")]
    Missing {
        /// One sentence that names what is missing.
        message: String,
        /// What to do about it, or near matches.
        hint: Option<String>,
    },
    /// No unit was compiled from such a file.
    #[error("{message}")]
    NoSourceFile {
        /// One sentence that names the file.
        message: String,
        /// Near matches.
        hint: Option<String>,
    },
}

impl Error {
    /// Something is missing.
    pub fn missing(message: impl Into<String>) -> Error {
        Error::Missing { message: message.into(), hint: None }
    }

    /// Something is missing, and this can be done about it.
    pub fn missing_with_hint(message: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::Missing { message: message.into(), hint: Some(hint.into()) }
    }
}

impl From<Error> for SystemError {
    fn from(error: Error) -> SystemError {
        let message = error.to_string();
        let hint = match error {
            Error::Missing { hint, .. } | Error::NoSourceFile { hint, .. } => hint,
            Error::Io { .. } | Error::Elf { .. } | Error::Dwarf { .. } => None,
        };
        SystemError { hint, ..SystemError::new(message) }
    }
}
