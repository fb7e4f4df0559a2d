//! `cargo xtask run`: from a new clone to a running tracer.

use crate::command::{cargo, succeed, target};
use crate::packages;
use anyhow::{Context as _, Result};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Builds rbtrace and becomes it.
pub(crate) fn run(args: &[String]) -> Result<()> {
    packages::ensure(&packages::BUILD)?;
    succeed(cargo().args(["build", "--quiet", "--release", "--package", "rbtrace"]))?;
    let args = args.strip_prefix(&["--".to_owned()]).unwrap_or(args);
    let binary = target().join("release/rbtrace");
    Err(Command::new(&binary).args(args).exec()).with_context(|| format!("cannot run {}", binary.display()))
}
