//! Kernel functions and symbols.

use super::types::no_btf;
use super::{LiveSystem, Names, inlining};
use crate::files::btf::KindTag;
use crate::files::debuginfo;
use crate::files::symbols::{self, kallsyms};
use crate::kernel::tracefs;
use crate::sys::kernelfs;
use crate::sys::kernelfs::Root;
use crate::{glob, near};
use rbtrace_lang::system::{Answer, ArgumentType, BtfFunction, SystemError, Taker};
use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::rc::Rc;

/// Present where perf can make kprobes (`CONFIG_KPROBE_EVENTS`).
const KPROBE_PMU: &str = "bus/event_source/devices/kprobe";

/// How the functions of RCU begin. Patterns leave them out: a probe in them runs code that itself relies
/// on RCU, which can lock up the machine.
const RCU: &str = "rcu_";

impl LiveSystem {
    /// Can this kernel probe functions? An error that names the cause where it cannot.
    pub fn require_kprobes(&self) -> Answer<()> {
        let any = self.foreign || self.compile_only;
        let sysfs = kernelfs::sysfs();
        if any || sysfs.exists(KPROBE_PMU) || self.tracefs().is_ok_and(|fs| fs.has_kprobes()) {
            return Ok(());
        }
        if let (Root::Missing(..), Err(e)) = (sysfs, sysfs.look(KPROBE_PMU)) {
            return Err(SystemError::new(format!("kernel functions cannot be probed: {e}")));
        }
        Err(SystemError::with_hint(
            "this kernel has no kprobes: it was built without CONFIG_KPROBE_EVENTS",
            "tracepoints and raw tracepoints work here; list them with rbtrace -l",
        ))
    }

    pub(super) fn find_functions(&self, module: Option<&str>, func: &str) -> Answer<Names> {
        self.require_kprobes()?;
        if glob::is_pattern(func) || module.is_some_and(glob::is_pattern) {
            return self.matching_functions(module, func);
        }
        let found = self.existing_function(module, func)?;
        if found.is_empty() {
            return Err(self.no_function(module, func));
        }
        self.check_listed(module, func)?;
        if module.is_none_or(|m| m == "vmlinux") {
            self.note_inlined_copies(func);
        }
        Ok(found)
    }

    /// A list of the user's own decides which functions are traced.
    fn check_listed(&self, module: Option<&str>, func: &str) -> Answer<()> {
        let Some((path, others)) = &self.traceable else { return Ok(()) };
        let mut listed = false;
        self.traceable_functions(&mut |m, f| {
            listed = f == func && module.is_none_or(|want| want == m);
            !listed
        })?;
        if listed {
            return Ok(());
        }
        let unlisted = format!("{func} is not among the functions of {}", path.display());
        if !others {
            return Err(SystemError::missing(
                format!("nothing matches kprobe:{func}"),
                Some(format!("{unlisted} (--traceable-functions); --unsafe probes it all the same")),
            ));
        }
        self.note(format!("{unlisted}: it is probed because of --unsafe"));
        Ok(())
    }

    /// The functions that can be traced: the user's list, or the kernel's.
    fn traceable_functions(&self, each: &mut dyn FnMut(&str, &str) -> bool) -> Answer<()> {
        match &self.traceable {
            Some((path, _)) => tracefs::functions_of_file(path, each),
            None => self.tracefs()?.traceable_functions(each),
        }
    }

    /// BTF answers in a millisecond; the kernel writes its symbols at a hundredth of that speed.
    fn existing_function(&self, module: Option<&str>, func: &str) -> Answer<Names> {
        if self.types().available()
            && let Ok(Some(id)) = self.lookup(module, KindTag::Func, func)
        {
            return Ok(vec![(self.types().blob_name(id.blob), func.into())]);
        }
        if self.foreign {
            return Ok(vec![]);
        }
        let mut found: Names = vec![];
        let read = kallsyms::read(|line| {
            if line.name == func && line.is_text() && kallsyms::in_module(&line, module) {
                found.push((line.module.unwrap_or("vmlinux").into(), func.into()));
            }
            found.is_empty()
        });
        read.map_err(|e| tracefs::cannot_read(Path::new("/proc/kallsyms"), &e))?;
        Ok(found)
    }

    /// A function without a symbol: is it misspelt, inlined, or has the compiler made another one of it?
    fn no_function(&self, module: Option<&str>, func: &str) -> SystemError {
        let (mut near_names, mut made): (BTreeSet<String>, BTreeSet<String>) = Default::default();
        if !self.foreign {
            let _ = kallsyms::read(|line| {
                if line.is_text() && kallsyms::in_module(&line, module) {
                    if inlining::is_made_from(line.name, func) {
                        made.insert(line.name.to_owned());
                    } else if !near::near(func, [line.name]).is_empty() {
                        near_names.insert(line.name.to_owned());
                    }
                }
                true
            });
        }
        let place = module.map_or(String::new(), |m| format!("{m}:"));
        let hint = match made.first() {
            Some(name) => Some(format!(
                "the compiler has made {name} of it, whose arguments may be others: kprobe:{name}"
            )),
            None => self.inlined_everywhere(func).or_else(|| {
                near::hint(func, near_names.iter().map(String::as_str)).or_else(|| self.perhaps_inlined())
            }),
        };
        SystemError::missing(format!("nothing matches kprobe:{place}{func}"), hint)
    }

    /// Where nothing tells whether the name is only inlined.
    fn perhaps_inlined(&self) -> Option<String> {
        if self.foreign || debuginfo::kernel_is_at_hand() {
            return None;
        }
        let package = debuginfo::kernel_package(&debuginfo::kernel_release());
        Some(format!(
            "there is no such function, or all its calls are inlined; debug information would tell ({package})"
        ))
    }

    /// What ftrace lists as traceable; where the system keeps that list back, all code symbols. Without
    /// those that kprobes refuse.
    fn matching_functions(&self, module: Option<&str>, func: &str) -> Answer<Names> {
        let mut found: Names = vec![];
        // Lists have the functions of a module together.
        let mut owner: Rc<str> = "vmlinux".into();
        let mut take = |m: &str, f: &str| {
            let fits = glob::matches(func, f) && module.is_none_or(|want| glob::matches(want, m));
            if fits && !f.starts_with(RCU) {
                if *owner != *m {
                    owner = m.into();
                }
                found.push((owner.clone(), f.into()));
            }
        };
        let listed = self.traceable_functions(&mut |m, f| {
            take(m, f);
            true
        });
        if let Err(e) = listed {
            if self.traceable.is_some() {
                return Err(e);
            }
            self.note(format!(
                "{}: matching all kernel symbols instead; some of them may refuse a probe",
                e.message
            ));
            code_symbols(&mut take).map_err(|e| tracefs::cannot_read(Path::new("/proc/kallsyms"), &e))?;
        }
        if !found.is_empty() {
            let refused = tracefs::kprobe_blacklist();
            found.retain(|(_, f)| !refused.contains(&**f));
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Functions by the type of an argument: those of a pattern that the kernel's types say it of. Without a type, all that
    /// the kernel's types know.
    pub(super) fn find_takers(
        &self,
        module: Option<&str>,
        func: &str,
        ty: Option<&ArgumentType>,
    ) -> Answer<Vec<Taker>> {
        let names = self.find_functions(module, func)?;
        let names: HashSet<(&str, &str)> = names.iter().map(|(m, f)| (&**m, &**f)).collect();
        let mut seen = HashSet::new();
        let mut takers = vec![];
        let found = match ty {
            Some(ty) => self.types().takers(ty),
            None => self.types().all_functions(&|name| glob::matches(func, name)),
        };
        for found in found.map_err(|e| no_btf(&e))? {
            let owner = self.types().blob_name(found.id.blob);
            if names.contains(&(&*owner, &*found.name)) && seen.insert((owner.clone(), found.name.clone())) {
                let function = BtfFunction { module: owner, id: found.id.id };
                takers.push(Taker { func: found.name, function, word: found.word });
            }
        }
        takers.sort_by(|a, b| (&a.function.module, &a.func).cmp(&(&b.function.module, &b.func)));
        Ok(takers)
    }

    pub(super) fn find_function(&self, module: Option<&str>, func: &str) -> Answer<(u64, Option<u64>)> {
        let unreadable = |e: std::io::Error| SystemError::new(e.to_string());
        let table = kallsyms::Kallsyms::load().map_err(unreadable)?;
        table.find(module, func).ok_or_else(|| self.no_function(module, func))
    }

    pub(super) fn check_offset(&self, module: Option<&str>, func: &str, offset: u64) -> Answer<()> {
        Ok(symbols::code::check_offset(module, func, offset)?)
    }

    pub(super) fn symbol_address(&self, name: &str) -> Answer<u64> {
        let found = kallsyms::address(None, name)
            .map_err(|e| tracefs::cannot_read(Path::new("/proc/kallsyms"), &e))?;
        match found {
            Some(0) => Err(SystemError::new(kallsyms::hidden().to_string())),
            Some(addr) => Ok(addr),
            None => Err(SystemError::new(format!("there is no kernel symbol '{name}'"))),
        }
    }
}

/// Code symbols that could be probed, as far as their names tell.
fn code_symbols(take: &mut dyn FnMut(&str, &str)) -> std::io::Result<()> {
    kallsyms::read(|line| {
        let made_by_compiler = line.name.starts_with("__pfx_")
            || line.name.starts_with("__cfi_")
            || line.name.contains(".cold")
            || line.name.starts_with("__SCT__")
            || line.name.starts_with("__SCK__");
        let module = line.module.unwrap_or("vmlinux");
        if line.is_text() && !made_by_compiler && !module.starts_with("__builtin__") {
            take(module, line.name);
        }
        true
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbtrace_lang::System;

    #[test]
    fn a_symbol_has_an_address() {
        let system = LiveSystem::new();
        match system.kaddr("vfs_read") {
            Ok(addr) => assert!(addr > 1 << 63),
            Err(e) => eprintln!("skipped: {}", e.message),
        }
    }

    #[test]
    fn an_unknown_symbol_is_named() {
        match LiveSystem::new().kaddr("nosuch_symbol") {
            Err(e) if e.message.contains("kallsyms") => eprintln!("skipped: {}", e.message),
            other => assert_eq!(other.unwrap_err().message, "there is no kernel symbol 'nosuch_symbol'"),
        }
    }

    #[test]
    fn functions_exist_or_the_cause_is_named() {
        let system = LiveSystem::new();
        assert!(LiveSystem::compile_only().kernel_functions(None, "vfs_read").is_ok());
        if let Err(e) = system.require_kprobes() {
            assert!(e.message.contains("CONFIG_KPROBE_EVENTS"));
            assert_eq!(system.kernel_functions(None, "vfs_read"), Err(e));
            return;
        }
        let found = system.kernel_functions(None, "vfs_read").unwrap();
        assert_eq!(found, [("vmlinux".into(), "vfs_read".into())]);
        let many = system.kernel_functions(None, "vfs_*").unwrap();
        assert!(many.len() > 20);
        let e = system.kernel_functions(None, "vfs_raed").unwrap_err();
        assert!(e.hint.is_some_and(|h| h.contains("vfs_read")));
    }
}
