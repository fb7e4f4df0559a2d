//! Programs and libraries that are traced: a probe stays with the file that was there when it was attached.

use super::Session;
use crate::show::sink::Said;
use rbtrace_lang::{Diagnostic, Span};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::rc::Rc;

/// Device and inode.
type Identity = (u64, u64);

/// The files by path, each with the attach point that named it first.
#[derive(Debug, Default)]
pub(super) struct TracedFiles(BTreeMap<Rc<str>, (Option<Identity>, Span)>);

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Same,
    Replaced,
    Deleted,
}

fn identity(path: &str) -> Option<Identity> {
    fs::metadata(path).ok().map(|m| (m.dev(), m.ino()))
}

fn fate(before: Option<Identity>, now: Option<Identity>) -> Fate {
    match (before, now) {
        (Some(before), Some(now)) if before != now => Fate::Replaced,
        (Some(_), None) => Fate::Deleted,
        _ => Fate::Same,
    }
}

impl TracedFiles {
    /// The files of all targets as they are now. Those that are seen through a process vanish with it.
    pub(super) fn of(session: &Session) -> TracedFiles {
        let mut files = BTreeMap::new();
        for to in session.object.programs.iter().flat_map(|p| &p.attach) {
            let Some(code) = to.target.user_code().filter(|code| !Path::new(code.path).starts_with("/proc"))
            else {
                continue;
            };
            if !files.contains_key(code.path) {
                let span = session.point(to).map_or_else(Span::default, |point| point.span);
                files.insert(Rc::from(code.path), (identity(code.path), span));
            }
        }
        TracedFiles(files)
    }
}

impl Session<'_> {
    /// Says which files are others now: processes that were started since are not traced.
    pub(super) fn report_traced_files(&mut self) {
        for (path, (before, span)) in std::mem::take(&mut self.traced_files.0) {
            let what = match fate(before, identity(&path)) {
                Fate::Same => continue,
                Fate::Replaced => "replaced",
                Fate::Deleted => "deleted",
            };
            let text = format!("{path} was {what} while it was traced: the probes stayed with the old file");
            self.printer.say(Said::Warning(&Diagnostic::warning(span, text)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates() {
        assert_eq!(fate(Some((1, 2)), Some((1, 2))), Fate::Same);
        assert_eq!(fate(Some((1, 2)), Some((1, 3))), Fate::Replaced);
        assert_eq!(fate(Some((1, 2)), None), Fate::Deleted);
        assert_eq!(fate(None, None), Fate::Same);
    }
}
