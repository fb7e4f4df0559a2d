//! Starts a machine and listens to its console.

use super::{image::Disks, kernel::Kernel};
use anyhow::{Context as _, Result};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// Boots, hands every line of the console after the start of the job to `line`, and returns the job's status;
/// `None` when the machine ended or fell silent without one. The kernel's messages before the job come then too.
pub(crate) fn run(
    kernel: &Kernel,
    initrd: &Path,
    disks: &Disks,
    silence: Duration,
    line: &mut dyn FnMut(&str),
) -> Result<Option<i32>> {
    let mut child = command(kernel, initrd, disks).spawn().context("cannot start qemu-system-x86_64")?;
    let status = listen(&mut child, silence, line);
    let _ = child.kill();
    child.wait()?;
    status
}

fn command(kernel: &Kernel, initrd: &Path, disks: &Disks) -> Command {
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(["-accel", "tcg,thread=multi", "-cpu", "max", "-m", "2G", "-smp", "2", "-display", "none"]);
    qemu.args(["-no-reboot", "-nodefaults", "-serial", "stdio"]);
    qemu.arg("-kernel").arg(kernel.vmlinuz()).arg("-initrd").arg(initrd);
    qemu.args(["-append", "console=ttyS0 panic=-1 quiet"]);
    let disks = [Some(&disks.root), Some(&disks.work), disks.dwarf.as_ref(), disks.with.as_ref()];
    for disk in disks.into_iter().flatten() {
        qemu.arg("-drive").arg(format!("file={},if=virtio,format=raw,snapshot=on", disk.display()));
    }
    qemu.stdin(Stdio::null()).stdout(Stdio::piped());
    qemu
}

fn listen(child: &mut Child, silence: Duration, line: &mut dyn FnMut(&str)) -> Result<Option<i32>> {
    let console = child.stdout.take().context("qemu has no console")?;
    let (tx, rx) = mpsc::channel();
    std::thread::spawn(move || {
        for text in BufReader::new(console).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&text).trim_end_matches('\r').to_owned();
            if tx.send(text).is_err() {
                return;
            }
        }
    });
    let (mut before, mut started) = (vec![], false);
    loop {
        let text = match rx.recv_timeout(silence) {
            Ok(text) => text,
            Err(e) => {
                before.iter().for_each(|l: &String| line(l));
                if e == RecvTimeoutError::Timeout {
                    line(&format!("nothing was heard for {} s", silence.as_secs()));
                }
                return Ok(None);
            }
        };
        match text.strip_prefix("@vm ") {
            Some("start") => {
                started = true;
                before.clear();
            }
            Some(rest) => return Ok(rest.strip_prefix("exit ").and_then(|n| n.trim().parse().ok())),
            None if started => line(&text),
            None => before.push(text),
        }
    }
}
