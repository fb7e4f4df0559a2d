//! Debian's kernels: found by their series, downloaded, unpacked into the cache.

use super::debian::{Lists, in_cache};
use super::{cache, private};
use crate::command::shell;
use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;

/// A series of kernels, and the suites of Debian that have it.
pub(crate) struct Series {
    /// What `--where` and `-k` call it.
    pub(crate) name: &'static str,
    /// How its releases begin; empty: any, the newest counts.
    begins: &'static str,
    suites: &'static [&'static str],
    /// Whether its vmlinux with DWARF is fetched (283 MB).
    pub(crate) dwarf: bool,
}

/// The kernels that every test run boots.
pub(crate) const SERIES: [Series; 4] = [
    Series { name: "5.10", begins: "5.10.", suites: &["bullseye"], dwarf: false },
    Series { name: "6.1", begins: "6.1.", suites: &["bookworm", "bookworm-security"], dwarf: true },
    Series { name: "6.12", begins: "6.12.", suites: &["trixie", "trixie-security"], dwarf: false },
    Series { name: "newest", begins: "", suites: &["sid"], dwarf: false },
];

/// Their names in a row.
pub(crate) fn names(between: &str) -> String {
    SERIES.map(|s| s.name).join(between)
}

/// The series of this name.
pub(crate) fn series(name: &str) -> Result<&'static Series> {
    let found = SERIES.iter().find(|s| s.name == name);
    found.with_context(|| format!("there is no test machine {name}, only {}", names(", ")))
}

/// One unpacked kernel.
pub(crate) struct Kernel {
    /// `6.1.0-56-cloud-amd64`
    pub(crate) release: String,
    series: &'static Series,
    /// Folder with the content of its packages.
    dir: PathBuf,
}

impl Kernel {
    /// The kernel of a series: the one in the cache, else the newest that Debian has.
    pub(crate) fn find(series: &'static Series) -> Result<Kernel> {
        let dir = cache().join("kernels").join(series.name);
        let name = dir.join("release");
        if let Ok(release) = std::fs::read_to_string(&name) {
            return Ok(Kernel { release, series, dir });
        }
        let unpacked = Kernel::unpack(series, private(&dir))?;
        // Another run may have been faster.
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::rename(&unpacked.dir, &dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Kernel { dir, ..unpacked })
    }

    fn unpack(series: &'static Series, dir: PathBuf) -> Result<Kernel> {
        let lists = Lists::fetch(series.suites)?;
        let release = newest(series, &lists.names("linux-image-")?)?;
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir)?;
        for part in parts(&release, &lists)? {
            let deb = lists.download(&part)?;
            shell(&format!("dpkg-deb -x '{}' '{}'", deb.display(), dir.display()))?;
        }
        std::fs::write(dir.join("release"), &release)?;
        let kernel = Kernel { release, series, dir };
        for path in [kernel.vmlinuz(), kernel.modules()] {
            if !path.exists() {
                bail!("Debian's packages of {} have no {}", kernel.release, path.display());
            }
        }
        Ok(kernel)
    }

    /// The compressed kernel.
    pub(crate) fn vmlinuz(&self) -> PathBuf {
        let usual = self.dir.join("boot").join(format!("vmlinuz-{}", self.release));
        // The packages in parts (since 7.x) have it beside the modules.
        if usual.exists() { usual } else { self.modules().join("vmlinuz") }
    }

    /// The folder of its modules.
    pub(crate) fn modules(&self) -> PathBuf {
        let [old, merged] = ["lib/modules", "usr/lib/modules"].map(|d| self.dir.join(d).join(&self.release));
        if old.exists() { old } else { merged }
    }

    /// Its package with the DWARF vmlinux; `None` where Debian no longer has it.
    pub(crate) fn debug_package(&self) -> Result<Option<PathBuf>> {
        let package = format!("linux-image-{}-dbg", self.release);
        if let Some(path) = in_cache(&package) {
            return Ok(Some(path));
        }
        let lists = Lists::fetch(self.series.suites)?;
        if !lists.names(&package)?.contains(&package) {
            eprintln!("{package} is not to be had: cases that need DWARF will be skipped");
            return Ok(None);
        }
        lists.download(&package).map(Some)
    }
}

/// The packages of a kernel: one, or since 7.x the kernel and its modules apart.
fn parts(release: &str, lists: &Lists) -> Result<Vec<String>> {
    let binary = format!("linux-binary-{release}");
    if lists.names(&binary)?.contains(&binary) {
        return Ok(vec![binary, format!("linux-modules-{release}")]);
    }
    Ok(vec![format!("linux-image-{release}")])
}

/// The newest release of a series among the packages that Debian has.
fn newest(series: &Series, packages: &[String]) -> Result<String> {
    let cloud = packages.iter().filter_map(|p| {
        let release = p.strip_prefix("linux-image-")?;
        let version = release.strip_suffix("-cloud-amd64")?;
        let fits = version.starts_with(|c: char| c.is_ascii_digit()) && version.starts_with(series.begins);
        fits.then_some(release)
    });
    let newest = cloud.max_by_key(|r| numbers(r)).map(str::to_owned);
    newest.with_context(|| format!("Debian {} has no {} cloud kernel", series.suites.join(", "), series.name))
}

fn numbers(release: &str) -> Vec<u64> {
    release.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_series() {
        let packages = [
            "linux-image-6.1.0-100-cloud-amd64",
            "linux-image-6.1.0-56-cloud-amd64",
            "linux-image-6.1.0-101-cloud-amd64-dbg",
            "linux-image-6.12.9+deb12-cloud-amd64",
            "linux-image-6.12.111+deb12-cloud-amd64",
            "linux-image-cloud-amd64",
            "linux-image-7.2.13+deb14-amd64",
        ];
        let newest = |name| newest(series(name).unwrap(), &packages.map(str::to_owned));
        assert_eq!(newest("6.1").unwrap(), "6.1.0-100-cloud-amd64");
        assert_eq!(newest("6.12").unwrap(), "6.12.111+deb12-cloud-amd64");
        assert_eq!(newest("newest").unwrap(), "6.12.111+deb12-cloud-amd64");
        assert!(newest("5.10").unwrap_err().to_string().contains("bullseye has no 5.10"));
    }

    #[test]
    fn an_unknown_series_names_the_known() {
        assert!(series("4.19").err().unwrap().to_string().ends_with("5.10, 6.1, 6.12, newest"));
    }
}
