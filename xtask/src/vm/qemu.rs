//! Starts a machine and listens to its console.

use super::{image::Disks, kernel::Kernel};
use anyhow::{Context as _, Result};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
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
    let name = format!("rbtrace-vm-{}-{}.monitor", std::process::id(), kernel.release);
    let monitor = std::env::temp_dir().join(name);
    let _ = std::fs::remove_file(&monitor);
    let mut child =
        command(kernel, initrd, disks, &monitor).spawn().context("cannot start qemu-system-x86_64")?;
    let status = listen(&mut child, &monitor, silence, line);
    let _ = child.kill();
    child.wait()?;
    let _ = std::fs::remove_file(&monitor);
    status
}

fn command(kernel: &Kernel, initrd: &Path, disks: &Disks, monitor: &Path) -> Command {
    let mut qemu = Command::new("qemu-system-x86_64");
    // One thread for both CPUs: with a thread each, qemu 7.2 now and then goes on executing the breakpoint
    // through which the kernel switches a tracepoint's jump label, and the machine hangs in __schedule.
    qemu.args(["-accel", "tcg,thread=single", "-cpu", "max", "-m", "2G", "-smp", "2", "-display", "none"]);
    qemu.args(["-no-reboot", "-nodefaults", "-serial", "stdio"]);
    qemu.arg("-kernel").arg(kernel.vmlinuz()).arg("-initrd").arg(initrd);
    qemu.arg("-monitor").arg(format!("unix:{},server,nowait", monitor.display()));
    // The panic that `autopsy` provokes shows the stacks of all CPUs (bit 6).
    // Tasks in the kernel give way to others wherever they can: what programs share must stand that.
    let preempt = if kernel.release.starts_with("6.12.") { " preempt=full" } else { "" };
    qemu.arg("-append")
        .arg(format!("console=ttyS0 panic=-1 quiet unknown_nmi_panic panic_print=0x40{preempt}"));
    let disks = [Some(&disks.root), Some(&disks.work), disks.dwarf.as_ref(), disks.with.as_ref()];
    for disk in disks.into_iter().flatten() {
        qemu.arg("-drive").arg(format!("file={},if=virtio,format=raw,snapshot=on", disk.display()));
    }
    qemu.stdin(Stdio::null()).stdout(Stdio::piped());
    qemu
}

/// What a guest is asked when it has fallen silent: where its CPUs stand, twice, then for a panic, which tells more
/// if the kernel can still take the interrupt.
fn autopsy(monitor: &Path, console: &Receiver<String>, line: &mut dyn FnMut(&str)) -> std::io::Result<()> {
    let mut socket = UnixStream::connect(monitor)?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    for _ in 0..2 {
        socket.write_all(b"info registers -a\n")?;
        let mut answer = vec![];
        // Ends by the timeout: the monitor stays open.
        let _ = socket.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        answer.lines().filter(|l| l.starts_with("CPU#") || l.starts_with("RIP=")).for_each(&mut *line);
    }
    socket.write_all(b"nmi\n")?;
    while let Ok(text) = console.recv_timeout(Duration::from_secs(10)) {
        line(&text);
    }
    Ok(())
}

fn listen(
    child: &mut Child,
    monitor: &Path,
    silence: Duration,
    line: &mut dyn FnMut(&str),
) -> Result<Option<i32>> {
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
                    autopsy(monitor, &rx, line)?;
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
