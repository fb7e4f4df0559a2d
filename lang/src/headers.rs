//! Files of one's own that a script includes or imports: the language asks for them, whoever compiles reads them.

use crate::Source;
use crate::system::{Answer, SystemError};
use std::fmt::Debug;
use std::rc::Rc;

/// What a script includes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Include<'a> {
    /// The name of the source that includes it.
    pub from: &'a str,
    /// The path as written.
    pub path: &'a str,
    /// `"FILE"` rather than `<FILE>`: it is also looked for beside the source.
    pub quoted: bool,
}

/// A file that a script imports.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Its text, by the name that messages show.
    pub source: Source,
    /// What it is, by the ending of its name.
    pub kind: ImportKind,
}

/// Kinds of files that can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportKind {
    /// `.bt`: probes, macros and maps.
    Script,
    /// `.h`: types and constants.
    Header,
}

/// Where headers and imported files come from.
pub trait Headers: Debug {
    /// A header's text, by the name that messages show; `None` where there is no such file.
    fn read(&self, include: Include) -> Answer<Option<Source>>;

    /// The file of this path, or those in the folder of this path, seen from the source called `from`; `None` where
    /// there is neither.
    fn import(&self, _from: &str, path: &str) -> Answer<Option<Vec<Imported>>> {
        Err(SystemError::new(format!("cannot import \"{path}\": nothing reads files here")))
    }

    /// A name that a source has however the path to it is written.
    fn identity(&self, name: &str) -> Rc<str> {
        name.into()
    }
}
