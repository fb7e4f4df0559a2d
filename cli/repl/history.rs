//! The prompt's history: a file of the user's own, in the form that rustyline's own files have.
//!
//! Root's prompt may run with another user's home (`sudo` may keep HOME): nothing is written there, and no
//! link is followed.

use rbtrace_runtime::sys::untrusted;
use rustyline::history::{FileHistory, History};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// The first line of rustyline's files whose entries have `\n` for a line break and `\\` for a backslash.
const HEAD: &str = "#V2";

/// More of a file is not read.
const MOST: u64 = 16 << 20;

/// `$XDG_STATE_HOME/rbtrace/history`, or below `~/.local/state`; `None` without a home of our own.
pub(super) fn path() -> Option<PathBuf> {
    let home = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let (owned, state) = match home("XDG_STATE_HOME") {
        Some(state) => (state.clone(), state),
        None => (home("HOME")?, home("HOME")?.join(".local/state")),
    };
    if owned.exists() && !untrusted::is_ours(&owned) {
        return None;
    }
    let folder = state.join("rbtrace");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).ok()?;
    Some(folder.join("history"))
}

/// Adds the file's entries.
pub(super) fn load(path: &std::path::Path, history: &mut FileHistory) -> io::Result<()> {
    let mut text = String::new();
    untrusted::open_own(path)?.take(MOST).read_to_string(&mut text)?;
    for entry in entries(&text) {
        history.add(&entry).map_err(io::Error::other)?;
    }
    Ok(())
}

/// Writes all entries.
pub(super) fn save(path: &std::path::Path, history: &FileHistory) -> io::Result<()> {
    let mut file = untrusted::create_own(path)?;
    file.write_all(text(history.iter()).as_bytes())
}

fn entries(text: &str) -> impl Iterator<Item = String> {
    let escaped = text.starts_with(HEAD);
    let lines = text.lines().skip(usize::from(escaped)).filter(|l| !l.is_empty());
    lines.map(move |l| if escaped { unescape(l) } else { l.to_owned() })
}

fn text<'a>(entries: impl Iterator<Item = &'a String>) -> String {
    let mut text = format!("{HEAD}\n");
    for entry in entries {
        text.push_str(&entry.replace('\\', "\\\\").replace('\n', "\\n"));
        text.push('\n');
    }
    text
}

fn unescape(line: &str) -> String {
    let mut entry = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, chars.clone().next()) {
            ('\\', Some('n')) => entry.push('\n'),
            ('\\', Some('\\')) => entry.push('\\'),
            (c, _) => {
                entry.push(c);
                continue;
            }
        }
        chars.next();
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back() {
        let before = ["BEGIN {\n printf(\"a\\n\"); }".to_string(), "\\".into(), "x".into()];
        assert_eq!(entries(&text(before.iter())).collect::<Vec<_>>(), before);
    }

    #[test]
    fn files_of_old_have_no_head() {
        assert_eq!(entries("a\\n\nb\n").collect::<Vec<_>>(), ["a\\n", "b"]);
    }
}
