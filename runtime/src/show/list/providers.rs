//! How each kind of probe is listed.

use super::Lister;
use rbtrace_lang::attach::event_names;
use rbtrace_lang::target::Target;
use std::io;

/// When the probes of a provider are listed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listed {
    /// Where the search names no provider.
    Usually,
    /// Where a pattern stands for the provider, or its name.
    ByPattern,
    /// Where it is named.
    ByName,
}

/// One or more kinds of probes that are listed alike.
pub(super) struct Provider {
    names: &'static [&'static str],
    listed: Listed,
    /// Lists what matches the text after the name.
    pub(super) list: fn(&mut Lister<'_>, &str, &str) -> io::Result<()>,
    /// With `-v`: the arguments of one attach point.
    pub(super) arguments: fn(&mut Lister<'_>, &Target) -> io::Result<()>,
}

const PLAIN: Provider = Provider {
    names: &[],
    listed: Listed::ByName,
    list: |lister, name, _| lister.line(name),
    arguments: |_, _| Ok(()),
};

/// In the order in which they are listed.
const PROVIDERS: &[Provider] = &[
    Provider { names: &["begin", "end"], ..PLAIN },
    Provider { names: &["hardware"], listed: Listed::Usually, list: events, ..PLAIN },
    Provider {
        names: &["kprobe"],
        listed: Listed::Usually,
        list: |l, name, rest| l.kprobes(name, rest),
        arguments: |l, target| l.arguments_of_kprobe(target),
    },
    Provider {
        names: &["kretprobe"],
        list: |l, name, rest| l.kprobes(name, rest),
        arguments: |l, target| l.arguments_of_kprobe(target),
        ..PLAIN
    },
    Provider { names: &["fentry", "fexit"], list: |l, name, rest| l.btf_functions(name, rest), ..PLAIN },
    Provider {
        names: &["rawtracepoint"],
        listed: Listed::Usually,
        list: |l, name, rest| l.raw_tracepoints(name, rest),
        arguments: |l, target| l.arguments_of_raw(target),
    },
    Provider { names: &["software"], listed: Listed::Usually, list: events, ..PLAIN },
    Provider {
        names: &["tracepoint"],
        listed: Listed::Usually,
        list: |l, name, rest| l.tracepoints(name, rest),
        arguments: |l, target| l.fields_of(target),
    },
    Provider { names: &["interval", "profile"], listed: Listed::ByPattern, list: units, ..PLAIN },
    Provider { names: &["uprobe", "uretprobe"], list: |l, name, rest| l.uprobes(name, rest), ..PLAIN },
];

/// The provider of this name.
pub(super) fn find(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|p| p.names.contains(&name))
}

/// The names of those that are listed where the search names none.
pub(super) fn usual() -> impl Iterator<Item = &'static str> {
    named(|listed| listed == Listed::Usually)
}

/// The names that a pattern can stand for.
pub(super) fn by_pattern() -> impl Iterator<Item = &'static str> {
    named(|listed| listed != Listed::ByName)
}

fn named(wanted: fn(Listed) -> bool) -> impl Iterator<Item = &'static str> {
    PROVIDERS.iter().filter(move |p| wanted(p.listed)).flat_map(|p| p.names).copied()
}

fn events(lister: &mut Lister<'_>, name: &str, rest: &str) -> io::Result<()> {
    lister.plain(name, rest, &event_names(name))
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

    fn arguments_of_raw(&mut self, target: &Target) -> io::Result<()> {
        let Target::RawTracepoint { event, module } = target else { return Ok(()) };
        self.raw_arguments(module.as_deref(), event)
    }
}
