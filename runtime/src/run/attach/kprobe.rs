//! kprobe and kretprobe: the `kprobe` PMU (4.17).

use super::{Attached, Failure, Link, join};
use crate::files::symbols::kallsyms;
use crate::sys::kernelfs::{self, Root};
use crate::sys::perf;
use std::os::fd::BorrowedFd;

/// The type number of a PMU and the bit that asks for the return, from sysfs.
pub(super) fn pmu(name: &str) -> Result<(u32, u8), Failure> {
    let base = format!("bus/event_source/devices/{name}");
    let sysfs = kernelfs::sysfs();
    let read = |below: &str| sysfs.text(&format!("{base}/{below}"));
    let number = match read("type") {
        Ok(text) => text.trim().parse().ok(),
        Err(e) if matches!(sysfs, Root::Missing(..)) => {
            return Err(Failure::new(libc::ENOENT, format!("the number of the {name} PMU is unknown: {e}")));
        }
        Err(_) => None,
    };
    let bit = first_bit(name, "retprobe").unwrap_or(0);
    number.map(|n| (n, bit)).ok_or_else(|| {
        let option = if name == "kprobe" { "CONFIG_KPROBE_EVENTS" } else { "CONFIG_UPROBE_EVENTS" };
        Failure::new(
            libc::ENOENT,
            format!("this kernel has no {name}s: {} is missing ({option} is not set)", sysfs.show(&base)),
        )
    })
}

/// The first bit of a part of the config word: `config:32-63`.
pub(super) fn first_bit(pmu: &str, part: &str) -> Option<u8> {
    let text = kernelfs::sysfs().text(&format!("bus/event_source/devices/{pmu}/format/{part}")).ok()?;
    text.trim().strip_prefix("config:")?.split('-').next()?.parse().ok()
}

/// Attaches to one place: a function and an offset, or with an empty name an address.
pub(super) fn attach(
    prog: BorrowedFd,
    module: Option<&str>,
    func: &str,
    offset: u64,
    ret: bool,
    cookie: Option<u64>,
) -> Attached {
    let (pmu, bit) = pmu("kprobe")?;
    // The kernel takes `module:function` for modules.
    let name = match module {
        Some(m) if m != "vmlinux" => format!("{m}:{func}"),
        _ => func.to_owned(),
    };
    let name = (!func.is_empty()).then_some(name.as_str());
    let mut link = Link { method: "kprobe PMU, link", ..Link::default() };
    let mut join_at = |name, offset| -> Result<(), Failure> {
        let event = perf::Event::Probe { pmu, name, offset, ret: ret.then_some(bit), counter: None };
        let event =
            perf::open(&event, perf::Target { pid: -1, cpu: 0 }).map_err(|e| explain(e, func, offset))?;
        join(prog, event, cookie, &mut link)
    };
    match join_at(name, offset) {
        Err(failure) if name.is_some() && offset == 0 && is_ambiguous(&failure) => {
            let addresses = namesakes(module, func).ok_or(failure)?;
            addresses.iter().try_for_each(|address| join_at(None, *address))?;
            let all = addresses.len();
            link.note = Some(format!(
                "{func} stands for {all} functions of this kernel: the probe is in all of them"
            ));
        }
        result => result?,
    }
    Ok(link)
}

/// Kernels refuse a name that stands for several functions (6.7 and stable releases since 5.10.199).
fn is_ambiguous(failure: &Failure) -> bool {
    failure.error.raw_os_error() == Some(libc::EADDRNOTAVAIL)
}

/// Where the functions of one name are; `None` unless there are several, at known addresses.
fn namesakes(module: Option<&str>, func: &str) -> Option<Vec<u64>> {
    let mut addresses = vec![];
    let read = kallsyms::read(|line| {
        if line.name == func && line.is_text() && kallsyms::in_module(&line, module) {
            addresses.push(line.addr);
        }
        true
    });
    (read.is_ok() && addresses.len() > 1 && !addresses.contains(&0)).then_some(addresses)
}

fn explain(error: std::io::Error, func: &str, offset: u64) -> Failure {
    let hint = match error.raw_os_error() {
        Some(libc::ENOENT | libc::EADDRNOTAVAIL) => Some(format!("{func} is not a function of this kernel")),
        Some(libc::EINVAL) => Some(format!(
            "{func} is in /sys/kernel/debug/kprobes/blacklist, is marked notrace or has no code at +{offset}"
        )),
        Some(libc::EILSEQ) => Some(format!("{func}+{offset} is not the start of an instruction")),
        _ => None,
    };
    Failure { error, hint }
}
