//! Test machines: Debian kernels booted in qemu, without KVM.

mod guest;
mod image;
mod kernel;
mod qemu;

use crate::command::{self, value};
use crate::console::Console;
use crate::{packages, tools};
use anyhow::{Result, bail};
use kernel::Kernel;
use rbtrace_tests::report::Tally;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The kernels that every test run boots.
pub(crate) const SERIES: [&str; 2] = ["6.1", "6.12"];
/// The series whose vmlinux with DWARF is fetched (283 MB).
const WITH_DWARF: &str = "6.1";
/// Emulation is slow: the cases' limits of time are multiplied.
const SCALE: &str = "6";
/// A guest that says nothing for so long hangs: the runner ends every case well before.
const SILENCE: Duration = Duration::from_secs(300);

/// Where downloads and images are kept.
fn cache() -> PathBuf {
    std::env::var_os("RBTRACE_TEST_CACHE").map_or_else(|| command::target().join("vm-cache"), PathBuf::from)
}

/// What goes into a machine.
pub(crate) struct Job<'a> {
    /// `6.1` or `6.12`.
    pub(crate) series: &'a str,
    /// Whether the kernel's vmlinux with DWARF is laid in its usual place.
    pub(crate) dwarf: bool,
    /// The shell command to run.
    pub(crate) command: String,
    /// A folder laid at /t, with `bin` first on the PATH.
    pub(crate) work: &'a Path,
    /// A folder laid at /opt.
    pub(crate) with: Option<&'a Path>,
}

impl Job<'_> {
    /// Boots, runs the command, hands each line of the console to `line`; returns the command's status.
    pub(crate) fn run(&self, line: &mut dyn FnMut(&str)) -> Result<Option<i32>> {
        let kernel = Kernel::find(self.series)?;
        let disks = image::Disks {
            root: image::root(&kernel)?,
            work: image::work(self.work, &self.command)?,
            dwarf: if self.dwarf { image::dwarf(&kernel)? } else { None },
            with: self.with.map(image::with).transpose()?,
        };
        qemu::run(&kernel, &image::initrd(&kernel)?, &disks, SILENCE, line)
    }
}

/// Runs the end-to-end cases in a machine of this series.
pub(crate) fn cases(
    series: &str,
    work: &Path,
    with: Option<&Path>,
    args: &[String],
    verbose: bool,
) -> Result<Tally> {
    let quoted: Vec<_> = args.iter().map(|a| format!("'{}'", a.replace('\'', r"'\''"))).collect();
    let command = format!(
        "exec /t/bin/rbtrace-e2e --cases /t/cases --tools /t/bin --vm --exclusive --scale {SCALE} {}",
        quoted.join(" ")
    );
    let mut console = Console::new(series, verbose);
    let job = Job { series, dwarf: series == WITH_DWARF, command, work, with };
    job.run(&mut |line| console.line(line))?;
    Ok(console.close())
}

/// `cargo xtask vm`
pub(crate) fn main(args: &[String]) -> Result<()> {
    let (mut series, mut dwarf, mut with, mut words) = ("6.1".to_owned(), false, None, vec![]);
    let mut args = args.iter().cloned();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-k" => series = value(&mut args, "-k")?,
            "--dwarf" => dwarf = true,
            "--with" => with = Some(PathBuf::from(value(&mut args, "--with")?)),
            _ if arg.starts_with('-') => bail!("cargo xtask vm: unknown option {arg}"),
            _ => words.extend(std::iter::once(arg).chain(args.by_ref())),
        }
    }
    if words.is_empty() {
        bail!("usage: cargo xtask vm [-k 6.1|6.12] [--dwarf] [--with DIR] COMMAND");
    }
    packages::ensure(&packages::TEST)?;
    let work = work_folder(None)?;
    let job = Job { series: &series, dwarf, command: words.join(" "), work: &work, with: with.as_deref() };
    let status = job.run(&mut |line| println!("{line}"))?;
    std::process::exit(status.unwrap_or(124));
}

/// Gathers what the machines need under /t: the tools, the cases, the scripts and the binary (the newest build when not given).
pub(crate) fn work_folder(rbtrace: Option<&Path>) -> Result<PathBuf> {
    let to = command::target().join("e2e-work");
    let _ = std::fs::remove_dir_all(&to);
    std::fs::create_dir_all(&to)?;
    let tools = tools::build()?;
    let root = command::root();
    command::shell(&format!(
        "cp -a '{}' '{to}/bin'; cp -a '{root}/tests/cases' '{to}/cases'; cp -a '{root}/scripts' '{to}/scripts'",
        tools.display(),
        to = to.display(),
        root = root.display()
    ))?;
    if let Some(rbtrace) = rbtrace.map(Path::to_owned).or_else(newest_static) {
        tools::copy(&rbtrace, &to.join("bin/rbtrace"))?;
    }
    Ok(to)
}

fn newest_static() -> Option<PathBuf> {
    let builds = ["release", "debug"]
        .map(|p| command::target().join("x86_64-unknown-linux-gnu").join(p).join("rbtrace"));
    let time = |p: &PathBuf| std::fs::metadata(p).and_then(|m| m.modified()).ok();
    builds.into_iter().filter(|p| p.exists()).max_by_key(time)
}
