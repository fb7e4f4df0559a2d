//! Debian's packages, by package lists of our own: the release that has a kernel need not be the one that runs here.

use super::{cache, private};
use crate::command::shell;
use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;

/// Where Debian's releases are when this machine's own lists do not say.
const MIRROR: &str = "http://deb.debian.org/debian";
/// Where they go when their time is over.
const ARCHIVE: &str = "http://archive.debian.org/debian";
/// The key that releases are signed with (package debian-archive-keyring).
const KEYS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"];

/// The package lists of some suites, such as `bookworm` and `bookworm-security`.
pub(crate) struct Lists {
    options: String,
}

impl Lists {
    /// Fetches them. The error says which suite is not to be had.
    pub(crate) fn fetch(suites: &[&str]) -> Result<Lists> {
        let mirror = mirror();
        let lists = Lists::of(suites, &mirror)?;
        let Err(why) = lists.update() else { return Ok(lists) };
        let old = Lists::of(suites, ARCHIVE)?;
        if old.update().is_ok() {
            return Ok(old);
        }
        let suites = suites.join(" and ");
        Err(why.context(format!(
            "cannot fetch the package lists of Debian {suites} from {mirror} (nor from {ARCHIVE}): \
             either there is no connection, or Debian does not keep that suite any more"
        )))
    }

    fn of(suites: &[&str], mirror: &str) -> Result<Lists> {
        let Some(key) = KEYS.iter().find(|k| std::path::Path::new(k).exists()) else {
            bail!("there is no {}: install debian-archive-keyring", KEYS[1]);
        };
        let dir = cache().join("apt").join(suites.join("+"));
        std::fs::create_dir_all(dir.join("lists/partial"))?;
        std::fs::create_dir_all(dir.join("archives/partial"))?;
        let lines = suites
            .iter()
            .map(|s| format!("deb [arch=amd64 signed-by={key}] {} {s} main\n", place(mirror, s)));
        std::fs::write(dir.join("sources.list"), lines.collect::<String>())?;
        let dir = dir.display();
        let options = format!(
            "-qq -o Dir::Etc::sourcelist='{dir}/sources.list' -o Dir::Etc::sourceparts=/dev/null \
             -o Dir::State::lists='{dir}/lists' -o Dir::Cache='{dir}' -o Acquire::Languages=none \
             -o Acquire::Retries=3 -o Acquire::http::Timeout=60 -o Acquire::Check-Valid-Until=false \
             -o APT::Sandbox::User=root -o APT::Update::Error-Mode=any"
        );
        Ok(Lists { options })
    }

    fn update(&self) -> Result<()> {
        shell(&format!("apt-get {} update", self.options)).map(drop)
    }

    /// The names of all packages that begin so.
    pub(crate) fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let names = shell(&format!("apt-cache {} pkgnames '{prefix}'", self.options))?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// Downloads a package into the cache unless it is there.
    pub(crate) fn download(&self, package: &str) -> Result<PathBuf> {
        if let Some(path) = in_cache(package) {
            return Ok(path);
        }
        eprintln!("downloading {package}");
        let dir = packages_dir();
        let tmp = private(&dir);
        std::fs::create_dir_all(&dir)?;
        std::fs::create_dir_all(&tmp)?;
        // What is there is whole: it is moved there when it is.
        let fetch = format!(
            "cd '{tmp}'; apt-get {options} download {package}; mv *.deb '{dir}'; rmdir '{tmp}'",
            tmp = tmp.display(),
            options = self.options,
            dir = dir.display()
        );
        shell(&fetch).with_context(|| format!("cannot download {package}"))?;
        in_cache(package)
            .with_context(|| format!("{package} was downloaded, but is not in {}", dir.display()))
    }
}

/// Security updates have a mirror of their own beside the releases'.
fn place(mirror: &str, suite: &str) -> String {
    let security = suite.ends_with("-security");
    format!("{}{}", mirror.trim_end_matches('/'), if security { "-security" } else { "" })
}

/// The mirror that this machine uses, where it is Debian.
fn mirror() -> String {
    let list = "apt-get indextargets --format '$(ORIGIN) $(SUITE) $(REPO_URI)' 'Created-By: Packages'";
    let targets = shell(list).unwrap_or_default();
    let mut ours = targets.lines().filter_map(|l| l.strip_prefix("Debian ")?.split_once(' '));
    let main = ours.find(|(suite, _)| !suite.contains('-')).map(|(_, uri)| uri.trim_end_matches('/'));
    main.unwrap_or(MIRROR).to_owned()
}

fn packages_dir() -> PathBuf {
    cache().join("packages")
}

/// A package that was downloaded before.
pub(crate) fn in_cache(package: &str) -> Option<PathBuf> {
    let prefix = format!("{package}_");
    let mut entries = std::fs::read_dir(packages_dir()).ok()?.filter_map(|e| Some(e.ok()?.path()));
    let is_it = |p: &PathBuf| {
        let name = p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with(&prefix) && name.ends_with(".deb")
    };
    entries.find(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn security_updates_lie_beside_the_releases() {
        assert_eq!(place("http://m/debian/", "sid"), "http://m/debian");
        assert_eq!(place("http://m/debian", "bookworm-security"), "http://m/debian-security");
    }
}
