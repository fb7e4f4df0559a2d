//! Tracepoints, raw and cooked.

use super::{LiveSystem, Names, format, syscalls};
use crate::files::btf::{KindTag, TypeId};
use crate::{glob, near};
use rbtrace_lang::system::{Answer, FuncProto, SystemError, TracepointFormat};
use rbtrace_lang::target::{Edge, SystemCall};

/// The category whose events the kernel makes of its system calls.
const SYSCALLS: &str = "syscalls";

/// Raw tracepoints behind `syscalls:*`, which are in no event's folder.
const RAW_ONLY: [&str; 2] = ["sys_enter", "sys_exit"];

impl LiveSystem {
    pub(super) fn find_tracepoints(&self, category: &str, event: &str) -> Answer<Names> {
        let fs = self.tracefs()?;
        if !glob::is_pattern(category) && !glob::is_pattern(event) {
            if fs.has_event(category, event) {
                return Ok(vec![(category.into(), event.into())]);
            }
            return Err(self.no_tracepoint(category, event)?);
        }
        let mut found = vec![];
        let categories =
            if glob::is_pattern(category) { fs.categories()? } else { vec![category.to_string()] };
        for category in categories.iter().filter(|c| glob::matches(category, c)) {
            let events = fs.events(category)?;
            let events = events.iter().filter(|e| glob::matches(event, e));
            found.extend(events.map(|e| (category.as_str().into(), e.as_str().into())));
        }
        Ok(found)
    }

    fn no_tracepoint(&self, category: &str, event: &str) -> Answer<SystemError> {
        let fs = self.tracefs()?;
        let events = fs.events(category)?;
        let hint = if events.is_empty() {
            let categories = fs.categories()?;
            near::hint(category, categories.iter().map(String::as_str))
        } else {
            near::hint(event, events.iter().map(String::as_str))
        };
        Ok(SystemError::missing(format!("nothing matches tracepoint:{category}:{event}"), hint))
    }

    pub(super) fn read_format(&self, category: &str, event: &str) -> Answer<TracepointFormat> {
        let name = format!("{category}:{event}");
        if let Some(known) = self.formats.borrow().get(&name) {
            return Ok(known.clone());
        }
        let fs = self.tracefs()?;
        if !fs.has_event(category, event) {
            return Err(self.no_tracepoint(category, event)?);
        }
        let text = fs.format(category, event)?;
        let format = format::parse(&text, system_call(category, event)).ok_or_else(|| {
            SystemError::new(format!("the format file of tracepoint {name} cannot be understood"))
        })?;
        self.formats.borrow_mut().insert(name, format.clone());
        Ok(format)
    }

    /// Events of tracefs: each has a raw tracepoint of its name, except for those that the kernel makes of
    /// others.
    pub(super) fn find_raw_tracepoints(&self, module: Option<&str>, event: &str) -> Answer<Names> {
        let found = match self.raw_from_btf(module, event)? {
            Some(found) => found,
            None => self.raw_from_tracefs(event)?,
        };
        if found.is_empty() && !glob::is_pattern(event) {
            let all = self.find_raw_tracepoints(module, "*")?;
            let hint = near::hint(event, all.iter().map(|(_, e)| &**e));
            return Err(SystemError::missing(format!("nothing matches rawtracepoint:{event}"), hint));
        }
        Ok(found)
    }

    /// By the typedefs `btf_trace_NAME` that the kernel has for each; `None` without BTF.
    fn raw_from_btf(&self, module: Option<&str>, event: &str) -> Answer<Option<Names>> {
        if !self.types().available() {
            return Ok(None);
        }
        if !glob::is_pattern(event) && !module.is_some_and(glob::is_pattern) {
            let id = self.lookup(module, KindTag::Typedef, &format!("{BTF_TRACE}{event}"))?;
            return Ok(Some(
                id.map(|id| (self.types().blob_name(id.blob), event.into())).into_iter().collect(),
            ));
        }
        let want = |name: &str| name.strip_prefix(BTF_TRACE).is_some_and(|n| glob::matches(event, n));
        let ids = self.types().search(KindTag::Typedef, &want).map_err(|e| super::types::no_btf(&e))?;
        let mut found: Names = ids
            .into_iter()
            .map(|(id, name)| (self.types().blob_name(id.blob), name[BTF_TRACE.len()..].into()))
            .filter(|(m, _)| module.is_none_or(|want| glob::matches(want, m)))
            .collect();
        found.sort();
        found.dedup();
        Ok(Some(found))
    }

    fn raw_from_tracefs(&self, event: &str) -> Answer<Names> {
        let fs = self.tracefs()?;
        let mut found: Names = vec![];
        for category in fs.categories()?.iter().filter(|c| *c != SYSCALLS) {
            let events = fs.events(category)?;
            let events = events.iter().filter(|e| glob::matches(event, e));
            found.extend(events.map(|e| ("vmlinux".into(), e.as_str().into())));
        }
        found.extend(
            RAW_ONLY.iter().filter(|e| glob::matches(event, e)).map(|e| ("vmlinux".into(), (*e).into())),
        );
        found.sort();
        found.dedup();
        Ok(found)
    }

    pub(super) fn raw_proto(&self, module: Option<&str>, event: &str) -> Answer<FuncProto> {
        // The first parameter is `void *__data`, which programs do not get.
        let proto = self.raw_tracepoint_type(module, event)?.and_then(|id| self.types().proto(id, 1));
        proto.ok_or_else(|| {
            SystemError::with_hint(
                format!("the parameters of rawtracepoint {event} are not in the kernel's BTF"),
                "arg0, arg1, … read them without their types",
            )
        })
    }

    /// What describes the parameters of a raw tracepoint: the function that calls its probes, whose
    /// parameters have names, else the typedef of a probe.
    pub(crate) fn raw_tracepoint_type(&self, module: Option<&str>, event: &str) -> Answer<Option<TypeId>> {
        if let Some(id) = self.lookup(module, KindTag::Func, &format!("__traceiter_{event}"))? {
            return Ok(Some(id));
        }
        self.lookup(module, KindTag::Typedef, &format!("{BTF_TRACE}{event}"))
    }
}

/// Prefix of the typedefs that describe raw tracepoints (include/trace/bpf_probe.h).
pub(crate) const BTF_TRACE: &str = "btf_trace_";

/// The system call behind `syscalls:sys_enter_NAME` or `sys_exit_NAME`.
fn system_call(category: &str, event: &str) -> Option<SystemCall> {
    if category != SYSCALLS {
        return None;
    }
    let (edge, name) = match event.strip_prefix("sys_enter_") {
        Some(name) => (Edge::Enter, name),
        None => (Edge::Exit, event.strip_prefix("sys_exit_")?),
    };
    Some(SystemCall { number: syscalls::number(name)?, edge })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbtrace_lang::System;
    use rbtrace_lang::types::{AddrSpace, Type};

    fn live() -> Option<LiveSystem> {
        let system = LiveSystem::new();
        match system.tracefs().and_then(|fs| fs.categories()) {
            Ok(_) => Some(system),
            Err(e) => {
                eprintln!("skipped: {}", e.message);
                None
            }
        }
    }

    #[test]
    fn events_by_name_and_pattern() {
        let Some(system) = live() else { return };
        let one = system.tracepoints("sched", "sched_switch").unwrap();
        assert_eq!(one, [("sched".into(), "sched_switch".into())]);
        let many = system.tracepoints("sched", "sched_*").unwrap();
        assert!(many.len() > 5 && many.iter().all(|(c, e)| &**c == "sched" && e.starts_with("sched_")));
        assert!(system.tracepoints("sch*", "sched_switch").unwrap().contains(&one[0]));
        assert_eq!(system.tracepoints("sched", "nosuch*").unwrap(), []);
    }

    #[test]
    fn an_unknown_event_names_its_neighbours() {
        let Some(system) = live() else { return };
        let e = system.tracepoints("sched", "sched_swich").unwrap_err();
        assert_eq!(e.message, "nothing matches tracepoint:sched:sched_swich");
        assert!(e.hint.is_some_and(|h| h.contains("sched_switch")));
    }

    #[test]
    fn a_call_has_its_number_and_user_pointers() {
        let Some(system) = live() else { return };
        let Ok(format) = system.tracepoint_format("syscalls", "sys_enter_openat") else {
            eprintln!("skipped: this kernel has no syscall events");
            return;
        };
        assert_eq!(format.syscall, Some(SystemCall { number: 257, edge: Edge::Enter }));
        let name = format.fields.iter().find(|f| &*f.name == "filename").expect("filename");
        assert_eq!(name.ty, Type::ptr(Type::int(1, true), AddrSpace::User));
        assert!(!system.types().is_open(), "a pointer to char opens no BTF");
    }

    #[test]
    fn every_format_is_understood() {
        let Some(system) = live() else { return };
        for (category, event) in system.tracepoints("*", "*").unwrap() {
            let format = system.tracepoint_format(&category, &event);
            assert!(format.as_ref().is_ok_and(|f| !f.fields.is_empty()), "{category}:{event}: {format:?}");
        }
    }

    #[test]
    fn raw_tracepoints_have_parameters() {
        let Some(system) = live().filter(|s| s.types().available()) else { return };
        let found = system.raw_tracepoints(None, "sched_switch").unwrap();
        assert_eq!(found, [("vmlinux".into(), "sched_switch".into())]);
        let proto = system.raw_tracepoint_proto(None, "sched_switch").unwrap();
        let names: Vec<&str> = proto.params.iter().map(|(n, _)| &**n).collect();
        assert!(names.starts_with(&["preempt", "prev", "next"]), "{names:?}");
        assert!(system.raw_tracepoints(None, "nosuch_event").is_err());
        assert!(system.raw_tracepoints(None, "sys_e*").unwrap().len() >= 2);
    }
}
