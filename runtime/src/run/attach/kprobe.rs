//! kprobe and kretprobe: the `kprobe` PMU (4.17).

use super::{Attached, Failure, Link, NO_LINK, join, refusal};
use crate::files::symbols::kallsyms;
use crate::sys::kernelfs::{self, Root};
use crate::sys::perf;
use rbtrace_codegen::object::Object;
use rbtrace_lang::target::Target;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::os::fd::BorrowedFd;

/// Where the functions are whose names a script's kprobes have: a name may stand for several. Read when it is first asked for.
#[derive(Debug, Default)]
pub struct Namesakes(OnceCell<HashMap<String, Vec<Function>>>);

/// A function of some name.
#[derive(Debug)]
struct Function {
    /// `vmlinux` for the kernel itself.
    module: String,
    address: u64,
}

impl Namesakes {
    /// The addresses that a name stands for; `None` unless there are several, at known addresses.
    pub fn of(&self, object: &Object, module: Option<&str>, func: &str) -> Option<Vec<u64>> {
        let functions = self.0.get_or_init(|| functions_of(object)).get(func)?;
        let fitting = functions.iter().filter(|f| module.is_none_or(|m| f.module == m));
        let addresses: Vec<u64> = fitting.map(|f| f.address).collect();
        (addresses.len() > 1 && !addresses.contains(&0)).then_some(addresses)
    }
}

/// The kernel's functions of the names that kprobes of the script have.
fn functions_of(object: &Object) -> HashMap<String, Vec<Function>> {
    let mut found: HashMap<String, Vec<Function>> = HashMap::new();
    for target in object.targets() {
        if let Target::Kprobe { func, .. } = target {
            found.insert(func.to_string(), vec![]);
        }
    }
    // Without addresses the name alone has to do.
    let _ = kallsyms::read(|line| {
        if let (true, Some(functions)) = (line.is_text(), found.get_mut(line.name)) {
            let module = line.module.unwrap_or("vmlinux").to_owned();
            functions.push(Function { module, address: line.addr });
        }
        true
    });
    found
}

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

/// What a kprobe is attached to: a function and an offset, or with an empty name an address.
pub(super) struct Spot<'a> {
    pub module: Option<&'a str>,
    pub func: &'a str,
    pub offset: u64,
    pub ret: bool,
}

/// Attaches to one place, or to all functions of its name.
pub(super) fn attach(
    prog: BorrowedFd,
    spot: &Spot,
    cookie: Option<u64>,
    namesakes: impl Fn() -> Option<Vec<u64>>,
) -> Attached {
    let &Spot { module, func, offset, ret } = spot;
    let (pmu, bit) = pmu("kprobe")?;
    // The kernel takes `module:function` for modules.
    let name = match module {
        Some(m) if m != "vmlinux" => format!("{m}:{func}"),
        _ => func.to_owned(),
    };
    let name = (!func.is_empty()).then_some(name.as_str());
    let mut link = Link { method: "kprobe PMU, link", ..Link::default() };
    let join_at = |link: &mut Link, name, offset| -> Result<(), Failure> {
        let event = perf::Event::Probe { pmu, name, offset, ret: ret.then_some(bit), counter: None };
        let event = perf::open(&event, perf::PerfScope { pid: -1, cpu: 0 }).map_err(|e| explain(e, spot))?;
        join(prog, event, cookie, link)
    };
    let joined = join_at(&mut link, name, offset);
    let several = match &joined {
        _ if name.is_none() || offset != 0 => None,
        Err(failure) if is_ambiguous(failure) => namesakes(),
        Ok(()) if link.method == NO_LINK => namesakes(),
        _ => None,
    };
    let Some(several) = several else { return joined.map(|()| link) };
    // A kernel that does not refuse the name has taken the first.
    let taken = usize::from(joined.is_ok());
    several[taken..].iter().try_for_each(|address| join_at(&mut link, None, *address))?;
    let all = several.len();
    link.note =
        Some(format!("{func} stands for {all} functions of this kernel: the probe is in all of them"));
    Ok(link)
}

/// Kernels refuse a name that stands for several functions (6.7 and stable releases of some before). Those without perf links
/// never do.
fn is_ambiguous(failure: &Failure) -> bool {
    failure.error.raw_os_error() == Some(libc::EADDRNOTAVAIL)
}

fn explain(error: std::io::Error, spot: &Spot) -> Failure {
    let hint = refusal::reason(spot, error.raw_os_error());
    Failure { error, hint }
}
