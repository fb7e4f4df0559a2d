//! `-l`: which probes there are, and with `-v` which arguments they have.
//!
//! A search is a list of patterns with commas between them: `kprobe:tcp_*`, `t:sched:*`, a provider
//! (`soft*`), a name that any provider may have (`vfs_read`), or a type (`struct sk_*`).

mod functions;
mod iterators;
pub(crate) mod providers;
mod types;
mod users;

use crate::files::btf::TypeId;
use crate::glob;
use crate::kernel::system::{LiveSystem, format};
use rbtrace_lang::System;
use rbtrace_lang::hir::AttachPoint;
use rbtrace_lang::system::{Answer, Cause, SystemError};
use rbtrace_lang::target::Target;
use rbtrace_stdlib::{ProbeKind, probe_kind};
use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

/// How to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// With arguments, or members of types.
    pub verbose: bool,
    /// Search uprobes in this process.
    pub pid: Option<i32>,
}

/// Lists what matches `search`; everything where there is none. What could not be listed, and why, is
/// returned as warnings; an error is one of writing.
pub fn list(
    system: &LiveSystem,
    search: Option<&str>,
    options: Options,
    out: &mut dyn Write,
) -> io::Result<Vec<String>> {
    let mut lister = Lister::new(system, options, out);
    match search {
        None => lister.all()?,
        Some(search) => {
            for item in search.split(',').map(str::trim).filter(|i| !i.is_empty()) {
                lister.item(item)?;
            }
        }
    }
    lister.finish()
}

/// Lists the attach points of a program.
pub fn list_program<'a>(
    system: &LiveSystem,
    points: impl IntoIterator<Item = &'a AttachPoint>,
    options: Options,
    out: &mut dyn Write,
) -> io::Result<Vec<String>> {
    let mut lister = Lister::new(system, options, out);
    let mut last = None;
    for point in points {
        // The places of one probe follow each other.
        if last.replace(point.id) == Some(point.id) {
            continue;
        }
        writeln!(lister.out, "{}", listed_name(point))?;
        if let Some(provider) = providers::find(point.provider) {
            (provider.arguments)(&mut lister, &point.target)?;
        }
    }
    lister.finish()
}

/// How bpftrace lists an attach point: timers and counters without their number.
fn listed_name(point: &AttachPoint) -> &str {
    match (&point.target, point.name.rfind(':')) {
        (Target::Interval(_) | Target::Profile(_) | Target::PerfEvent { .. }, Some(colon)) => {
            &point.name[..=colon]
        }
        _ => &point.name,
    }
}

struct Lister<'a> {
    system: &'a LiveSystem,
    options: Options,
    out: &'a mut dyn Write,
    warnings: Vec<String>,
    /// The search names no provider: that one of them has no match is not worth a word.
    many: bool,
    /// BTF functions by name, once many of them are asked for.
    functions: Option<HashMap<Rc<str>, TypeId>>,
}

impl<'a> Lister<'a> {
    fn new(system: &'a LiveSystem, options: Options, out: &'a mut dyn Write) -> Self {
        Lister { system, options, out, warnings: vec![], many: false, functions: None }
    }

    fn finish(mut self) -> io::Result<Vec<String>> {
        self.out.flush()?;
        for note in self.system.take_notes() {
            self.warn(note);
        }
        Ok(self.warnings)
    }

    fn warn(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    /// The answer, or its error as a warning.
    fn take<T>(&mut self, answer: Answer<T>) -> Option<T> {
        match answer {
            Ok(found) => Some(found),
            Err(e) if self.many && e.cause == Cause::Missing => None,
            Err(e) => {
                self.warn(one_line(&e));
                None
            }
        }
    }

    /// What is listed where the search names no provider: of kernel functions only what this kernel can probe.
    fn usual(&self) -> impl Iterator<Item = &'static str> + use<> {
        let probed = self.system.require_kprobes().is_ok();
        providers::usual().filter(move |name| probed || *name != "fentry")
    }

    fn all(&mut self) -> io::Result<()> {
        self.usual().try_for_each(|provider| self.provider(provider, "*"))?;
        // Those of a process are few.
        if self.options.pid.is_some() { self.each(providers::in_files(), "*") } else { Ok(()) }
    }

    /// Does a search say in which programs and libraries it looks?
    fn names_files(&self, rest: &str) -> bool {
        let file = rest.split(':').next().unwrap_or(rest);
        self.options.pid.is_some() || !glob::is_pattern(file) && Path::new(file).is_file()
    }

    fn item(&mut self, item: &str) -> io::Result<()> {
        if let Some((word, name)) = item.split_once(' ')
            && matches!(word, "struct" | "union" | "enum")
        {
            return self.types(word, name.trim());
        }
        match item.split_once(':') {
            Some((provider, rest)) => self.by_provider(provider, rest),
            None => self.bare(item),
        }
    }

    fn by_provider(&mut self, provider: &str, rest: &str) -> io::Result<()> {
        if glob::is_pattern(provider) {
            let of_files = providers::in_files().filter(|_| self.names_files(rest));
            let fitting = providers::by_pattern().chain(of_files).filter(|p| glob::matches(provider, p));
            return self.each(fitting.collect::<Vec<_>>(), rest);
        }
        match probe_kind(provider) {
            Some(ProbeKind { name, .. }) => self.provider(name, rest),
            None => {
                self.warn(format!("there are no {provider} probes"));
                Ok(())
            }
        }
    }

    /// A word without colons: a provider, or a name that each of them may have.
    fn bare(&mut self, word: &str) -> io::Result<()> {
        let of_files = || providers::in_files().filter(|_| self.options.pid.is_some());
        let all = providers::by_pattern().chain(of_files());
        let named: Vec<&str> = all.filter(|p| glob::matches(word, p)).collect();
        match (named.is_empty(), probe_kind(word)) {
            (false, _) => named.into_iter().try_for_each(|p| self.provider(p, "*")),
            (_, Some(kind)) => self.provider(kind.name, "*"),
            (_, None) => {
                let of_files: Vec<&str> = of_files().collect();
                self.each(self.usual(), word)?;
                self.each(of_files, &format!("*:{word}"))
            }
        }
    }

    /// The same search in several providers.
    fn each<'p>(&mut self, providers: impl IntoIterator<Item = &'p str>, rest: &str) -> io::Result<()> {
        self.many = true;
        let listed = providers.into_iter().try_for_each(|p| self.provider(p, rest));
        self.many = false;
        listed
    }

    fn provider(&mut self, name: &str, rest: &str) -> io::Result<()> {
        match providers::find(name) {
            Some(provider) => (provider.list)(self, name, rest),
            None => {
                self.warn(format!("{name} probes cannot be listed: they are not supported yet"));
                Ok(())
            }
        }
    }

    /// Names out of a table; an empty last part stands for what the user fills in.
    fn plain(&mut self, provider: &str, rest: &str, names: &[&str]) -> io::Result<()> {
        let name = rest.split(':').next().unwrap_or(rest);
        let fitting = names.iter().filter(|n| glob::matches(name, n));
        fitting.clone().try_for_each(|n| writeln!(self.out, "{provider}:{n}:"))
    }

    fn tracepoints(&mut self, _: &str, rest: &str) -> io::Result<()> {
        let (category, event) = match rest.split_once(':') {
            Some((category, event)) => (category, event),
            None => ("*", rest),
        };
        // A pattern without a match lists nothing; a plain name that does not exist is reported.
        let Some(found) = self.take(self.system.tracepoints(category, event)) else { return Ok(()) };
        for (category, event) in found {
            writeln!(self.out, "tracepoint:{category}:{event}")?;
            self.tracepoint_fields(&category, &event)?;
        }
        Ok(())
    }

    fn tracepoint_fields(&mut self, category: &str, event: &str) -> io::Result<()> {
        if !self.options.verbose {
            return Ok(());
        }
        let text = self.system.tracefs().and_then(|fs| fs.format(category, event));
        let Some(text) = self.take(text) else { return Ok(()) };
        format::declarations(&text).iter().try_for_each(|d| writeln!(self.out, "    {d}"))
    }
}

fn one_line(e: &SystemError) -> String {
    match &e.hint {
        Some(hint) => format!("{} ({hint})", e.message),
        None => e.message.clone(),
    }
}

/// Removes repetitions, keeping the order.
fn once<T: Clone + Eq + std::hash::Hash>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = HashSet::new();
    items.into_iter().filter(|i| seen.insert(i.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn lines(search: &str, verbose: bool) -> (String, Vec<String>) {
        let mut out = vec![];
        let options = Options { verbose, pid: None };
        let warnings = list(&LiveSystem::new(), Some(search), options, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), warnings)
    }

    fn check(search: &str, expected: &Expect) {
        expected.assert_eq(&lines(search, false).0);
    }

    #[test]
    fn tables() {
        check("interval:*", &expect!["interval:hz:\ninterval:ms:\ninterval:s:\ninterval:us:\n"]);
        check("p:h*", &expect!["profile:hz:\n"]);
        check("software:cpu*", &expect!["software:cpu:\nsoftware:cpu-clock:\nsoftware:cpu-migrations:\n"]);
        check(
            "*ware:*cycles",
            &expect!["hardware:bus-cycles:\nhardware:cpu-cycles:\nhardware:cycles:\nhardware:ref-cycles:\n"],
        );
        check("begin,end", &expect!["begin\nend\n"]);
    }

    #[test]
    fn what_cannot_be_listed_is_told() {
        let (out, warnings) = lines("nosuch:*", false);
        assert_eq!((out.as_str(), warnings), ("", vec!["there are no nosuch probes".to_string()]));
        // Any address is a watchpoint.
        check("watchpoint:*", &expect![""]);
    }

    #[test]
    fn tracepoints_with_fields() {
        if LiveSystem::new().tracefs().is_err() {
            eprintln!("skipped: tracefs cannot be read");
            return;
        }
        let (out, _) = lines("t:sched:sched_switch", true);
        assert!(
            out.starts_with("tracepoint:sched:sched_switch\n    char prev_comm[16]\n    pid_t prev_pid\n"),
            "{out}"
        );
        let (all, _) = lines("tracepoint:sched:*,sched_switch", false);
        assert!(all.lines().filter(|l| *l == "tracepoint:sched:sched_switch").count() == 2);
        let (_, warnings) = lines("tracepoint:sched:nosuch", false);
        assert_eq!(warnings, ["nothing matches tracepoint:sched:nosuch"]);
    }

    #[test]
    fn raw_tracepoints_with_arguments() {
        if !LiveSystem::new().types().available() {
            eprintln!("skipped: the kernel has no BTF");
            return;
        }
        let (out, _) = lines("rt:sched_switch", true);
        assert!(
            out.starts_with(
                "rawtracepoint:vmlinux:sched_switch\n    bool preempt\n    struct task_struct * prev\n"
            ),
            "{out}"
        );
    }

    #[test]
    fn types_by_name_and_definition() {
        if !LiveSystem::new().types().available() {
            eprintln!("skipped: the kernel has no BTF");
            return;
        }
        check("struct list_hea*", &expect!["struct list_head\n"]);
        let (out, _) = lines("struct list_head,union nf_inet_addr", true);
        let list =
            "vmlinux: struct list_head {\n\tstruct list_head *next;\n\tstruct list_head *prev;\n};\n\n";
        assert!(out.starts_with(list), "{out}");
        let (_, warnings) = lines("struct nosuch_x", false);
        assert_eq!(warnings, ["no type matches struct nosuch_x"]);
    }

    #[test]
    fn a_pattern_for_the_provider_finds_what_a_file_has() {
        let me = std::env::current_exe().unwrap();
        let (out, _) = lines(&format!("*:{}:mai?", me.display()), false);
        assert_eq!(out, format!("uprobe:{}:main\n", me.display()));
        let (out, _) = lines("u*:*:mai?", false);
        assert_eq!(out, "", "all files of the machine were searched");
    }

    #[test]
    fn a_process_has_functions() {
        let me = std::env::current_exe().unwrap();
        let options = Options { verbose: false, pid: Some(std::process::id() as i32) };
        let mut out = vec![];
        list(&LiveSystem::new(), Some("mai?"), options, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains(&format!("uprobe:{}:main\n", me.display())), "{out}");
    }

    #[test]
    fn functions_of_a_program() {
        let me = std::env::current_exe().unwrap();
        let (out, _) = lines(&format!("uretprobe:{}:mai?", me.display()), false);
        assert_eq!(out, format!("uretprobe:{}:main\n", me.display()));
    }
}
