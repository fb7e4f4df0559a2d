//! Test machines: Debian kernels booted in qemu, without KVM.

mod debian;
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
use std::sync::Mutex;
use std::time::Duration;

pub(crate) use kernel::{SERIES, Series, names, series};

/// Emulation is slow: the cases' limits of time are multiplied.
const SCALE: &str = "6";
/// A guest that says nothing for so long hangs: the longest case, of 60 s times `SCALE`, is over by then.
const SILENCE: Duration = Duration::from_secs(500);

/// Where downloads and images are kept.
fn cache() -> PathBuf {
    std::env::var_os("RBTRACE_TEST_CACHE").map_or_else(|| command::target().join("vm-cache"), PathBuf::from)
}

/// Where this process makes what is then moved to its place in the cache, which other runs may share.
fn private(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    name.into()
}

/// A machine, ready to boot.
struct Machine {
    kernel: Kernel,
    initrd: PathBuf,
    disks: image::Disks,
}

impl Machine {
    /// Downloads and makes what is not in the cache. `work` is the disk laid at /t, `with` that at /opt.
    fn prepare(series: &'static Series, dwarf: bool, work: &Path, with: Option<&Path>) -> Result<Machine> {
        let kernel = Kernel::find(series)?;
        let disks = image::Disks {
            root: image::root(&kernel)?,
            work: work.to_owned(),
            dwarf: if dwarf { image::dwarf(&kernel)? } else { None },
            with: with.map(Path::to_owned),
        };
        Ok(Machine { initrd: image::initrd(&kernel)?, kernel, disks })
    }

    /// Boots, runs the work disk's command, hands each line of the console to `line`; returns the command's status.
    fn run(&self, line: &mut dyn FnMut(&str)) -> Result<Option<i32>> {
        qemu::run(&self.kernel, &self.initrd, &self.disks, SILENCE, line)
    }
}

/// Runs the end-to-end cases in machines of these series. `work` is the folder laid at /t, `with` that at /opt;
/// `args` go to the runner.
pub(crate) fn cases(
    series: &[&'static Series],
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
    let work = image::work(work, &command)?;
    let with = with.map(image::with).transpose()?;
    let (mut machines, mut tally) = (vec![], Tally::default());
    for series in series {
        match Machine::prepare(series, series.dwarf, &work, with.as_deref()) {
            Ok(machine) => machines.push((series.name, machine)),
            Err(e) => tally += broken(series.name, &e),
        }
    }
    tally += side_by_side(machines, verbose);
    Ok(tally)
}

/// Boots as many machines at a time as there are CPUs: each keeps one busy.
fn side_by_side(machines: Vec<(&'static str, Machine)>, verbose: bool) -> Tally {
    let lanes = std::thread::available_parallelism().map_or(1, usize::from).min(machines.len());
    let waiting = Mutex::new(machines.into_iter());
    let next = || waiting.lock().ok()?.next();
    let lane = || {
        let mut tally = Tally::default();
        while let Some((name, machine)) = next() {
            println!("== end-to-end cases on Linux {}", machine.kernel.release);
            let mut console = Console::new(name, verbose);
            tally += match machine.run(&mut |line| console.line(line)) {
                Ok(_) => console.close(),
                Err(e) => broken(name, &e),
            };
        }
        tally
    };
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        let crashed = Tally { failed: 1, ..Tally::default() };
        let mut sum = Tally::default();
        lanes.into_iter().for_each(|l| sum += l.join().unwrap_or(crashed));
        sum
    })
}

/// A machine that cannot be had or started is a failure, and no end for the others.
fn broken(name: &str, e: &anyhow::Error) -> Tally {
    println!("{name}: FAIL {e:#}");
    Tally { failed: 1, ..Tally::default() }
}

/// `cargo xtask vm`
pub(crate) fn main(args: &[String]) -> Result<()> {
    let (mut name, mut dwarf, mut with, mut words) = ("6.1".to_owned(), false, None, vec![]);
    let mut args = args.iter().cloned();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-k" => name = value(&mut args, "-k")?,
            "--dwarf" => dwarf = true,
            "--with" => with = Some(PathBuf::from(value(&mut args, "--with")?)),
            _ if arg.starts_with('-') => bail!("cargo xtask vm: unknown option {arg}"),
            _ => words.extend(std::iter::once(arg).chain(args.by_ref())),
        }
    }
    if words.is_empty() {
        bail!("usage: cargo xtask vm [-k {}] [--dwarf] [--with DIR] COMMAND", names("|"));
    }
    let series = series(&name)?;
    packages::ensure(&packages::TEST)?;
    let status = run(series, dwarf, &words.join(" "), &work_folder(None)?, with.as_deref())?;
    std::process::exit(status.unwrap_or(124));
}

/// Runs a command in a machine and shows what it prints; returns its status. The folders lie at /t and /opt.
pub(crate) fn run(
    series: &'static Series,
    dwarf: bool,
    command: &str,
    work: &Path,
    with: Option<&Path>,
) -> Result<Option<i32>> {
    let work = image::work(work, command)?;
    let with = with.map(image::with).transpose()?;
    Machine::prepare(series, dwarf, &work, with.as_deref())?.run(&mut |line| println!("{line}"))
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
