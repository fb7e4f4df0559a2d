//! Debian's kernels: found by their series, downloaded, unpacked into the cache.

use super::cache;
use crate::command::shell;
use crate::packages;
use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;

/// One unpacked kernel.
pub(crate) struct Kernel {
    /// `6.1.0-56-cloud-amd64`
    pub(crate) release: String,
    /// Folder with `boot/` and `lib/modules/`.
    pub(crate) dir: PathBuf,
}

impl Kernel {
    /// The kernel of a series such as `6.1`: the one in the cache, else the newest that Debian has.
    pub(crate) fn find(series: &str) -> Result<Kernel> {
        let dir = cache().join("kernels").join(series);
        let name = dir.join("release");
        if let Ok(release) = std::fs::read_to_string(&name) {
            return Ok(Kernel { release, dir });
        }
        let release = newest(series)?;
        let deb = download(&format!("linux-image-{release}"))?;
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir)?;
        shell(&format!("dpkg-deb -x '{}' '{}'", deb.display(), dir.display()))?;
        std::fs::write(&name, &release)?;
        Ok(Kernel { release, dir })
    }

    /// The compressed kernel.
    pub(crate) fn vmlinuz(&self) -> PathBuf {
        self.dir.join("boot").join(format!("vmlinuz-{}", self.release))
    }

    /// The folder of its modules.
    pub(crate) fn modules(&self) -> PathBuf {
        self.dir.join("lib/modules").join(&self.release)
    }

    /// Its package with the DWARF vmlinux; `None` where Debian no longer has it.
    pub(crate) fn debug_package(&self) -> Result<Option<PathBuf>> {
        let package = format!("linux-image-{}-dbg", self.release);
        if in_cache(&package).is_none() && shell(&format!("apt-cache show {package}")).is_err() {
            eprintln!("{package} is not to be had: cases that need DWARF will be skipped");
            return Ok(None);
        }
        download(&package).map(Some)
    }
}

/// The newest release of a series.
fn newest(series: &str) -> Result<String> {
    let find = || available(series).into_iter().max();
    if find().is_none() {
        packages::update()?;
    }
    let (_, release) =
        find().with_context(|| format!("Debian's package lists have no {series} cloud kernel"))?;
    Ok(release)
}

/// All releases of a series, each after its version for sorting.
fn available(series: &str) -> Vec<(Vec<u64>, String)> {
    let names = shell("apt-cache search -n '^linux-image-6.*-cloud-amd64$'").unwrap_or_default();
    let releases = names.lines().filter_map(|l| l.split(' ').next()?.strip_prefix("linux-image-"));
    let ours = releases.filter(|r| r.strip_prefix(series).is_some_and(|rest| rest.starts_with('.')));
    ours.map(|r| (numbers(r), r.to_owned())).collect()
}

fn numbers(release: &str) -> Vec<u64> {
    release.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect()
}

fn packages_dir() -> PathBuf {
    cache().join("packages")
}

fn in_cache(package: &str) -> Option<PathBuf> {
    let prefix = format!("{package}_");
    let mut entries = std::fs::read_dir(packages_dir()).ok()?.filter_map(|e| Some(e.ok()?.path()));
    entries.find(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&prefix)))
}

/// Downloads a package into the cache unless it is there.
fn download(package: &str) -> Result<PathBuf> {
    if let Some(path) = in_cache(package) {
        return Ok(path);
    }
    eprintln!("downloading {package}");
    let dir = packages_dir();
    std::fs::create_dir_all(&dir)?;
    let fetch = format!("cd '{}'; apt-get download -qq -o APT::Sandbox::User=root {package}", dir.display());
    if shell(&fetch).is_err() {
        // Lists of yesterday name versions that are gone today.
        packages::update()?;
        shell(&fetch)?;
    }
    match in_cache(package) {
        Some(path) => Ok(path),
        None => bail!("apt-get downloaded {package}, but it is not in {}", dir.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_sort_by_number() {
        assert!(numbers("6.1.0-100-cloud-amd64") > numbers("6.1.0-56-cloud-amd64"));
        assert!(numbers("6.12.111+deb12-cloud-amd64") > numbers("6.12.9+deb12-cloud-amd64"));
    }
}
