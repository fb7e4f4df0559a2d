//! `cargo xtask test`: every test, and one line with the sum.

use crate::command::{root, value};
use crate::console::Console;
use crate::dist::{self, Profile};
use crate::{packages, stages, tools, vm};
use anyhow::{Context as _, Result, bail};
use rbtrace_tests::report::Tally;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

struct Options {
    places: Vec<String>,
    only: Option<String>,
    bin: Option<String>,
    with: Option<PathBuf>,
    vm: bool,
    reference: bool,
    shared: bool,
    verbose: bool,
    profile: Profile,
}

impl Options {
    fn parse(args: &[String]) -> Result<Options> {
        let mut o = Options {
            places: vec![],
            only: None,
            bin: None,
            with: None,
            vm: true,
            reference: false,
            shared: false,
            verbose: false,
            profile: Profile::Release,
        };
        let mut args = args.iter().cloned();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--where" => o.places.push(value(&mut args, "--where")?),
                "--only" => o.only = Some(value(&mut args, "--only")?),
                "--bin" => o.bin = Some(value(&mut args, "--bin")?),
                "--with" => o.with = Some(value(&mut args, "--with")?.into()),
                "--no-vm" => o.vm = false,
                "--reference" => o.reference = true,
                "--shared" => o.shared = true,
                "--debug" => o.profile = Profile::Debug,
                "-v" => o.verbose = true,
                _ => bail!("cargo xtask test: unknown option {arg}"),
            }
        }
        if let Some(p) = o.places.iter().find(|p| *p != "host" && vm::series(p).is_err()) {
            bail!("--where {p}: the places are host, {}", vm::names(", "));
        }
        Ok(o)
    }

    /// Whether a part only was asked for.
    fn partial(&self) -> bool {
        self.only.is_some() || !self.places.is_empty() || self.bin.is_some()
    }

    fn wants(&self, place: &str) -> bool {
        let named = self.places.is_empty() || self.places.iter().any(|p| p == place);
        named && (self.vm || place == "host")
    }

    /// The runner's options that are the same everywhere.
    fn runner(&self, bin: &str) -> Vec<String> {
        let mut args = vec!["--bin".to_owned(), bin.to_owned()];
        if let Some(only) = &self.only {
            args.extend(["--only".to_owned(), only.clone()]);
        }
        if self.reference {
            args.push("--reference".to_owned());
        }
        args
    }
}

/// Runs the tests; an error when any failed.
pub(crate) fn test(args: &[String]) -> Result<()> {
    let options = Options::parse(args)?;
    packages::ensure(&packages::BUILD)?;
    packages::ensure(&packages::TEST)?;
    let mut tally = Tally::default();
    if !options.partial() {
        tally += stages::format();
        tally += stages::lints();
        tally += stages::unit()?;
    }
    match end_to_end(&options) {
        Ok(part) => tally += part,
        Err(e) => {
            println!("FAIL end-to-end tests: {e:#}");
            tally.failed += 1;
        }
    }
    println!("{tally}");
    std::process::exit(i32::from(tally.failed > 0));
}

fn end_to_end(options: &Options) -> Result<Tally> {
    let built = match &options.bin {
        Some(_) => None,
        None => {
            println!("== cargo xtask dist");
            Some(dist::rbtrace(options.profile)?)
        }
    };
    let mut tally = Tally::default();
    if options.wants("host") {
        println!("== end-to-end cases on this kernel");
        tally += host(options, built.as_deref())?;
    }
    let series: Vec<_> = vm::SERIES.iter().filter(|s| options.wants(s.name)).collect();
    if !series.is_empty() {
        tally += guests(options, &series, built.as_deref())?;
    }
    Ok(tally)
}

fn host(options: &Options, built: Option<&Path>) -> Result<Tally> {
    let tools = tools::build()?;
    let bin = built.map(|b| b.display().to_string()).or_else(|| options.bin.clone()).unwrap_or_default();
    let mut command = Command::new(tools.join("rbtrace-e2e"));
    command
        .args(options.runner(&bin))
        .arg("--cases")
        .arg(root().join("tests/cases"))
        .arg("--tools")
        .arg(&tools);
    command.args(["--scale", "2"]).current_dir(root());
    if !options.shared {
        command.arg("--exclusive");
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut console = Console::new("host", options.verbose);
    let out = child.stdout.take().context("the runner has no output")?;
    for line in BufReader::new(out).split(b'\n').map_while(Result::ok) {
        console.line(&String::from_utf8_lossy(&line));
    }
    child.wait()?;
    Ok(console.close())
}

/// In a machine the binary is the one that was built, or a command of the folder laid at /opt.
fn guests(options: &Options, series: &[&'static vm::Series], built: Option<&Path>) -> Result<Tally> {
    let work = vm::work_folder(built)?;
    let bin = if built.is_some() { "/t/bin/rbtrace" } else { options.bin.as_deref().unwrap_or_default() };
    vm::cases(series, &work, options.with.as_deref(), &options.runner(bin), options.verbose)
}
