//! Headers of one's own: the language asks for them, whoever compiles reads them.

use crate::Source;
use crate::system::Answer;
use std::fmt::Debug;

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

/// Where headers come from.
pub trait Headers: Debug {
    /// A header's text, by the name that messages show; `None` where there is no such file.
    fn read(&self, include: Include) -> Answer<Option<Source>>;
}
