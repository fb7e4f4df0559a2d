//! How each kind of probe is listed, and what tells whether this kernel has it.

use super::Lister;
use crate::kernel::LiveSystem;
use crate::sys::perf::{self, Event, PerfScope};
use crate::sys::probe::{NOTHING, program};
use crate::sys::{self, kernelfs};
use libbpf_sys as lb;
use rbtrace_lang::System;
use rbtrace_lang::attach::event_names;
use rbtrace_lang::system::{Answer, SystemError};
use rbtrace_lang::target::Target;
use std::io;

/// When the probes of a provider are listed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listed {
    /// Where the search names no provider.
    Usually,
    /// Where a pattern stands for the provider, or its name.
    ByPattern,
    /// Likewise, where the search says in which files: by a process or a path.
    InFiles,
    /// Where it is named.
    ByName,
}

/// One or more kinds of probes that are listed alike.
pub(crate) struct Provider {
    pub(crate) names: &'static [&'static str],
    /// Can this kernel serve it? The error says why it cannot.
    pub(crate) works: fn(&LiveSystem) -> Answer<()>,
    listed: Listed,
    /// Lists what matches the text after the name.
    pub(super) list: fn(&mut Lister<'_>, &str, &str) -> io::Result<()>,
    /// With `-v`: the arguments of one attach point.
    pub(super) arguments: fn(&mut Lister<'_>, &Target) -> io::Result<()>,
}

const PLAIN: Provider = Provider {
    names: &[],
    works: |_| loads(lb::BPF_PROG_TYPE_RAW_TRACEPOINT),
    listed: Listed::ByName,
    list: |lister, name, _| lister.line(name),
    arguments: |_, _| Ok(()),
};

const UPROBE: Provider = Provider {
    works: |_| has_pmu("uprobe"),
    list: |l, name, rest| l.uprobes(name, rest),
    arguments: |l, target| l.arguments_of_function(target),
    ..PLAIN
};

/// fentry and fexit.
const TYPED: Provider = Provider {
    names: &[],
    works: typed_functions,
    listed: Listed::ByName,
    list: |l, name, rest| l.btf_functions(name, rest),
    arguments: |l, target| l.arguments_by_type(target),
};

/// In the order in which they are listed.
pub(crate) const PROVIDERS: &[Provider] = &[
    Provider { names: &["begin", "end"], ..PLAIN },
    Provider { names: &["bench", "test"], list: |_, _, _| Ok(()), ..PLAIN },
    Provider { names: &["hardware"], works: counters, listed: Listed::Usually, list: events, ..PLAIN },
    Provider {
        names: &["kprobe"],
        works: LiveSystem::require_kprobes,
        listed: Listed::Usually,
        list: |l, name, rest| l.kprobes(name, rest),
        arguments: |l, target| l.arguments_of_kprobe(target),
    },
    Provider {
        names: &["kretprobe"],
        works: LiveSystem::require_kprobes,
        list: |l, name, rest| l.kprobes(name, rest),
        arguments: |l, target| l.arguments_of_kprobe(target),
        ..PLAIN
    },
    Provider { names: &["fentry"], listed: Listed::Usually, ..TYPED },
    Provider { names: &["fexit"], ..TYPED },
    Provider {
        names: &["iter"],
        works: lists_of_objects,
        listed: Listed::ByPattern,
        list: |l, _, rest| l.iterators(rest),
        arguments: |l, target| l.fields_of_iterator(target),
    },
    Provider {
        names: &["rawtracepoint"],
        listed: Listed::Usually,
        list: |l, name, rest| l.raw_tracepoints(name, rest),
        arguments: |l, target| l.arguments_of_raw(target),
        ..PLAIN
    },
    Provider { names: &["self"], list: |l, name, rest| l.plain(name, rest, &["signal"]), ..PLAIN },
    Provider { names: &["software"], works: samples, listed: Listed::Usually, list: events, ..PLAIN },
    Provider {
        names: &["tracepoint"],
        works: |system| system.tracefs().map(drop),
        listed: Listed::Usually,
        list: |l, name, rest| l.tracepoints(name, rest),
        arguments: |l, target| l.fields_of(target),
    },
    Provider {
        names: &["interval", "profile"],
        works: samples,
        listed: Listed::ByPattern,
        list: units,
        ..PLAIN
    },
    Provider { names: &["uprobe"], listed: Listed::InFiles, ..UPROBE },
    Provider { names: &["uretprobe"], ..UPROBE },
    Provider {
        names: &["watchpoint"],
        works: watched_memory,
        // Any address is one.
        list: |_, _, _| Ok(()),
        ..PLAIN
    },
    Provider {
        names: &["usdt"],
        works: |_| has_pmu("uprobe"),
        listed: Listed::InFiles,
        list: |l, _, rest| l.static_probes(rest),
        arguments: |l, target| l.arguments_of_place(target),
    },
];

/// The provider of this name.
pub(super) fn find(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|p| p.names.contains(&name))
}

/// The names of those that are listed where the search names none.
pub(super) fn usual() -> impl Iterator<Item = &'static str> {
    named(|listed| listed == Listed::Usually)
}

/// The names that a pattern can stand for, whatever is searched for.
pub(super) fn by_pattern() -> impl Iterator<Item = &'static str> {
    named(|listed| matches!(listed, Listed::Usually | Listed::ByPattern))
}

/// The names of those whose probes lie in programs and libraries.
pub(super) fn in_files() -> impl Iterator<Item = &'static str> {
    named(|listed| listed == Listed::InFiles)
}

fn named(wanted: fn(Listed) -> bool) -> impl Iterator<Item = &'static str> {
    PROVIDERS.iter().filter(move |p| wanted(p.listed)).flat_map(|p| p.names).copied()
}

fn events(lister: &mut Lister<'_>, name: &str, rest: &str) -> io::Result<()> {
    lister.plain(name, rest, &event_names(name))
}

/// Does the kernel take programs of this type?
fn loads(prog_type: u32) -> Answer<()> {
    let refused = || SystemError::new("the kernel refuses such programs");
    program(prog_type, 0, 0, &NOTHING).then_some(()).ok_or_else(refused)
}

fn samples(_: &LiveSystem) -> Answer<()> {
    loads(lb::BPF_PROG_TYPE_PERF_EVENT)
}

fn counters(system: &LiveSystem) -> Answer<()> {
    samples(system)?;
    let none = |_| SystemError::new("this machine's processors have no counters");
    has_pmu("cpu").or_else(|_| has_pmu("cpu_core")).map_err(none)
}

/// Functions are found as those of kprobes are.
fn typed_functions(system: &LiveSystem) -> Answer<()> {
    if !system.types().available() {
        return Err(SystemError::new("this kernel has no BTF: it was built without CONFIG_DEBUG_INFO_BTF"));
    }
    system.require_kprobes()
}

/// Iterators are bound to functions that the kernel's BTF names.
fn lists_of_objects(system: &LiveSystem) -> Answer<()> {
    system.kernel_function_proto(Some("vmlinux"), "bpf_iter_task").map(drop)
}

/// Does the processor let the kernel watch memory?
fn watched_memory(_: &LiveSystem) -> Answer<()> {
    let place = 0u64;
    let event = Event::Watched { address: (&raw const place).addr() as u64, access: perf::WRITE, length: 8 };
    perf::open(&event, PerfScope { pid: 0, cpu: -1 })
        .map(drop)
        .map_err(|e| SystemError::new(sys::describe(&e)))
}

/// Has the kernel a source of events of this name?
fn has_pmu(name: &str) -> Answer<()> {
    let none = |e| SystemError::new(format!("{name} events cannot be had: {e}"));
    kernelfs::sysfs().look(&format!("bus/event_source/devices/{name}")).map_err(none)
}

/// The units of timers.
fn units(lister: &mut Lister<'_>, name: &str, rest: &str) -> io::Result<()> {
    lister.plain(name, rest, &["hz", "ms", "s", "us"])
}

impl Lister<'_> {
    fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    fn fields_of(&mut self, target: &Target) -> io::Result<()> {
        let Target::Tracepoint { category, event, .. } = target else { return Ok(()) };
        self.tracepoint_fields(category, event)
    }

    fn arguments_of_kprobe(&mut self, target: &Target) -> io::Result<()> {
        let Target::Kprobe { func, module, offset: 0, ret } = target else { return Ok(()) };
        self.kprobe_arguments(module.as_deref(), func, *ret)
    }

    fn fields_of_iterator(&mut self, target: &Target) -> io::Result<()> {
        let Target::Iterator { name, .. } = target else { return Ok(()) };
        self.iterator_fields(name)
    }

    fn arguments_by_type(&mut self, target: &Target) -> io::Result<()> {
        let Target::KernelFunction { func, module, ret, .. } = target else { return Ok(()) };
        self.typed_arguments(module, func, *ret)
    }

    fn arguments_of_raw(&mut self, target: &Target) -> io::Result<()> {
        let Target::RawTracepoint { event, module } = target else { return Ok(()) };
        self.raw_arguments(module.as_deref(), event)
    }
}
