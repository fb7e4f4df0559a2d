//! `cargo xtask dist`: one fully static binary.

use crate::command::{cargo, output, succeed, target};
use crate::packages;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target triple: with an explicit one, `crt-static` does not reach build scripts and macros.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// How much the compiler works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Release,
    Debug,
}

pub(crate) fn main(args: &[String]) -> Result<()> {
    let profile = match args {
        [] => Profile::Release,
        [a] if a == "--debug" => Profile::Debug,
        _ => bail!("usage: cargo xtask dist [--debug]"),
    };
    let path = rbtrace(profile)?;
    let size = std::fs::metadata(&path)?.len();
    println!("{} ({:.1} MB, static)", path.display(), size as f64 / 1e6);
    Ok(())
}

/// Builds the static rbtrace.
pub(crate) fn rbtrace(profile: Profile) -> Result<PathBuf> {
    packages::ensure(&packages::DIST)?;
    build(&["--package", "rbtrace", "--features", "static"], profile)?;
    let path = folder(profile).join("rbtrace");
    verify_static(&path)?;
    Ok(path)
}

/// Builds the static end-to-end runner and the trigger program; returns their folder.
pub(crate) fn test_tools() -> Result<PathBuf> {
    build(&["--package", "rbtrace-tests", "--bins"], Profile::Debug)?;
    Ok(folder(Profile::Debug))
}

fn folder(profile: Profile) -> PathBuf {
    target().join(TRIPLE).join(if profile == Profile::Release { "release" } else { "debug" })
}

fn build(what: &[&str], profile: Profile) -> Result<()> {
    let mut command = cargo();
    command.args(["build", "--quiet", "--target", TRIPLE]).args(what);
    if profile == Profile::Release {
        command.arg("--release");
    }
    // libbpf-sys, feature `static`, looks there for libelf.a and libz.a.
    command.env("LIBBPF_SYS_LIBRARY_PATH", library_path());
    command.env("RUSTFLAGS", "-C target-feature=+crt-static");
    succeed(&mut command)
}

/// Where the distribution keeps its static libraries: Debian has a folder for each architecture.
fn library_path() -> String {
    let multiarch = output(Command::new("gcc").arg("-print-multiarch")).unwrap_or_default();
    match multiarch.trim() {
        "" => "/usr/lib64".to_owned(),
        arch => format!("/usr/lib/{arch}"),
    }
}

/// A static binary asks for no interpreter and no shared library.
fn verify_static(path: &Path) -> Result<()> {
    let headers = output(Command::new("readelf").args(["-lWd"]).arg(path))?;
    if headers.contains("INTERP") || headers.contains("(NEEDED)") {
        bail!("{} is not static:\n{headers}", path.display());
    }
    Ok(())
}
