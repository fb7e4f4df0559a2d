//! The distribution's packages that building and testing need.

use crate::command::{output, succeed};
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

/// A set of packages, by distribution.
pub(crate) struct Needs {
    /// What for, in a sentence.
    pub(crate) what: &'static str,
    pub(crate) debian: &'static [&'static str],
    pub(crate) fedora: &'static [&'static str],
    pub(crate) arch: &'static [&'static str],
}

/// Building rbtrace: libbpf is C and reads ELF.
pub(crate) const BUILD: Needs = Needs {
    what: "building rbtrace",
    debian: &["libelf-dev", "zlib1g-dev", "pkg-config", "make", "gcc"],
    fedora: &["elfutils-libelf-devel", "zlib-devel", "pkgconf-pkg-config", "make", "gcc"],
    arch: &["libelf", "zlib", "pkgconf", "make", "gcc"],
};

/// Linking the static binary: newer libelf compresses with zstd.
pub(crate) const DIST: Needs = Needs {
    what: "building the static binary",
    debian: &["libelf-dev", "zlib1g-dev", "pkg-config", "make", "gcc", "libc6-dev"],
    fedora: &["elfutils-libelf-devel-static", "zlib-static", "glibc-static", "make", "gcc"],
    arch: &["libelf", "zlib", "pkgconf", "make", "gcc"],
};

/// Running the tests: the virtual machines, and the tools that their guests are given.
pub(crate) const TEST: Needs = Needs {
    what: "running the tests",
    debian: &[
        "qemu-system-x86",
        "debian-archive-keyring",
        "busybox-static",
        "cpio",
        "zstd",
        "xz-utils",
        "e2fsprogs",
        "iproute2",
        "iptables",
        "nftables",
        "iputils-ping",
        "iputils-arping",
        "bpftool",
        "binutils",
        "g++",
        "libc6-dev",
    ],
    fedora: &[
        "qemu-system-x86-core",
        "busybox",
        "cpio",
        "zstd",
        "e2fsprogs",
        "iproute",
        "iptables",
        "bpftool",
        "gcc-c++",
        "libstdc++-static",
    ],
    arch: &["qemu-system-x86", "busybox", "cpio", "zstd", "e2fsprogs", "iproute2", "iptables", "bpf"],
};

/// Makes sure that the packages are there: installs them as root on Debian, names them elsewhere.
pub(crate) fn ensure(needs: &Needs) -> Result<()> {
    if !Path::new("/etc/debian_version").exists() {
        return on_others(needs);
    }
    let missing: Vec<_> = needs.debian.iter().copied().filter(|p| !installed(p)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !is_root() {
        bail!("{}", advice(needs, &missing));
    }
    eprintln!("installing for {}: {}", needs.what, missing.join(" "));
    update()?;
    let options = ["install", "-y", "-qq", "--no-install-recommends"];
    succeed(apt().args(options).args(&missing).stdout(std::process::Stdio::null()))
}

/// Renews the lists of packages.
pub(crate) fn update() -> Result<()> {
    succeed(apt().args(["update", "-qq"]))
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn installed(package: &str) -> bool {
    let query = output(Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status}", package]));
    query.is_ok_and(|s| s.starts_with("installed"))
}

/// Where packages can't be asked for, the headers and programs themselves are looked for.
fn on_others(needs: &Needs) -> Result<()> {
    let found =
        |p: &str| std::env::var("PATH").unwrap_or_default().split(':').any(|d| Path::new(d).join(p).exists());
    let there = |h: &str| Path::new("/usr/include").join(h).exists();
    let build =
        ["gcc", "make", "pkg-config"].iter().all(|p| found(p)) && there("libelf.h") && there("zlib.h");
    let test = ["qemu-system-x86_64", "busybox", "mke2fs", "zstd", "cpio"].iter().all(|p| found(p));
    let fine = if needs.what == TEST.what { build && test } else { build };
    if fine { Ok(()) } else { bail!("{}", advice(needs, needs.debian)) }
}

fn advice(needs: &Needs, missing: &[&str]) -> String {
    format!(
        "{} needs packages that are not here; install them and run this again:\n  \
         Debian, Ubuntu: apt-get install {}\n  Fedora:         dnf install {}\n  Arch:           pacman -S {}",
        needs.what,
        missing.join(" "),
        needs.fedora.join(" "),
        needs.arch.join(" ")
    )
}

pub(crate) fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|o| o.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_names_all_three_distributions() {
        let text = advice(&BUILD, &["libelf-dev"]);
        for part in ["apt-get install libelf-dev", "dnf install elfutils-libelf-devel", "pacman -S libelf"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
