//! What the cases call: the trigger program and the small programs that uprobe cases trace.

use crate::command::{root, succeed, target};
use crate::dist;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Puts everything in one folder, which comes first on the cases' PATH; returns it.
pub(crate) fn build() -> Result<PathBuf> {
    let to = target().join("e2e-tools");
    std::fs::create_dir_all(&to)?;
    let from = dist::test_tools()?;
    for name in ["rbtrace-e2e", "rbtrace-programs", "trigger"] {
        copy(&from.join(name), &to.join(name))?;
    }
    for entry in std::fs::read_dir(root().join("tests/programs"))? {
        compile(&entry?.path(), &to)?;
    }
    Ok(to)
}

/// Copies by way of a new file: the old one may be running.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    let _ = std::fs::remove_file(to);
    std::fs::copy(from, to)
        .map_err(|e| anyhow::anyhow!("cannot copy {} to {}: {e}", from.display(), to.display()))?;
    Ok(())
}

/// Static, so that the guests need no libraries, and with symbols and debug information.
fn compile(source: &Path, to: &Path) -> Result<()> {
    const C: &[&str] =
        &["-O1", "-g", "-fno-inline", "-fno-omit-frame-pointer", "-static", "-Wall", "-Werror"];
    const RUST: &[&str] =
        &["-g", "--edition=2024", "-Ctarget-feature=+crt-static", "-Crelocation-model=static"];
    let (compiler, flags) = match source.extension().and_then(|e| e.to_str()) {
        Some("c") => ("gcc", C),
        Some("cpp") => ("g++", C),
        Some("rs") => ("rustc", RUST),
        _ => return Ok(()),
    };
    let name = to.join(source.file_stem().unwrap_or_default());
    succeed(Command::new(compiler).args(flags).arg("-o").arg(name).arg(source))
}
