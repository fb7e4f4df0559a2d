//! The command of `-c`.

use super::{RunError, system_error};
use crate::sys::process::{self, Child};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A child: forked before anything is loaded, started when all is attached.
pub(super) struct Running {
    child: Child,
    ended: OwnedFd,
    command: String,
}

impl Running {
    /// Forks it; it waits.
    pub(super) fn fork(command: &str) -> Result<Self, RunError> {
        let args = split(command);
        let Some(name) = args.first() else { return Err(RunError::plain("The command of -c is empty")) };
        let path = find(name).ok_or_else(|| {
            RunError::plain(format!("the command of -c cannot run: '{name}' is not an executable file"))
        })?;
        let path = path.to_string_lossy().into_owned();
        let child =
            Child::fork(&path, &args).map_err(|e| system_error("the command of -c cannot run", &e))?;
        let ended =
            process::watch(child.pid).map_err(|e| system_error("the command of -c cannot be watched", &e))?;
        Ok(Running { child, ended, command: command.to_owned() })
    }

    pub(super) fn pid(&self) -> i32 {
        self.child.pid
    }

    /// Becomes readable when it has ended.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.ended.as_fd()
    }

    pub(super) fn start(&mut self) -> Result<(), RunError> {
        let what = format!("Failed to run '{}'", self.command);
        self.child.start().map_err(|e| system_error(&what, &e))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.child.ended() {
            self.child.terminate();
        }
    }
}

/// The program that a command runs; the command's first word if none is found.
pub fn program_of(command: &str) -> String {
    let name = split(command).into_iter().next().unwrap_or_default();
    find(&name).map_or(name, |path| path.to_string_lossy().into_owned())
}

/// Words at blanks. Quotes stay as they are, as in bpftrace; a backslash keeps the next character, a blank
/// for one.
fn split(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.extend(chars.next()),
            c if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The file that a command's name stands for.
fn find(name: &str) -> Option<PathBuf> {
    let runs = |p: &Path| p.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|p| runs(p));
    }
    std::env::split_paths(&std::env::var_os("PATH")?).map(|d| d.join(name)).find(|p| runs(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_command() {
        assert_eq!(split("a  'b c' d\\ e"), ["a", "'b", "c'", "d e"]);
        assert!(split("  ").is_empty());
    }
}
