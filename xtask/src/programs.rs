//! `cargo xtask programs`: generated programs against the evaluator, here or in a test machine.

use crate::command::{root, value};
use crate::dist::{self, Profile};
use crate::{packages, tools, vm};
use anyhow::{Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// Builds, runs them at each place, and ends with a status that is not 0 when any failed.
pub(crate) fn main(args: &[String]) -> Result<()> {
    let (mut places, mut bin, mut with) = (vec![], None, None);
    let (mut profile, mut rest) = (Profile::Release, vec![]);
    let mut args = args.iter().cloned();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--where" => places.push(value(&mut args, "--where")?),
            "--bin" => bin = Some(value(&mut args, "--bin")?),
            "--with" => with = Some(PathBuf::from(value(&mut args, "--with")?)),
            "--debug" => profile = Profile::Debug,
            _ => rest.push(arg),
        }
    }
    if places.is_empty() {
        places.push("host".into());
    }
    packages::ensure(&packages::BUILD)?;
    let built = if bin.is_none() { Some(dist::rbtrace(profile)?) } else { None };
    let mut failed = false;
    for place in places {
        println!("== generated programs: {place}");
        let run = if place == "host" {
            let bin = bin.clone().or_else(|| built.as_ref().map(|b| b.display().to_string()));
            let mut command = Command::new(tools::build()?.join("rbtrace-programs"));
            command.arg("--bin").arg(bin.unwrap_or_default()).args(&rest).current_dir(root()).status()?.code()
        } else if let Ok(series) = vm::series(&place) {
            let bin = bin.clone().unwrap_or_else(|| "/t/bin/rbtrace".into());
            let words: Vec<_> = rest.iter().map(|a| format!("'{a}'")).collect();
            let command = format!("rbtrace-programs --scale 6 --bin '{bin}' {}", words.join(" "));
            packages::ensure(&packages::TEST)?;
            let work = vm::work_folder(built.as_deref())?;
            vm::run(series, false, &command, &work, with.as_deref())?
        } else {
            bail!("--where {place}: the places are host, {}", vm::names(", "));
        };
        failed |= run != Some(0);
    }
    std::process::exit(failed.into());
}
