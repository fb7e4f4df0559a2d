//! `tracepoint`

use super::{Place, Provider, Refusal, Request, Sight, has_wildcard};
use crate::context::{Args, Context, Ctx};
use crate::system::TracepointFormat;
use crate::target::Target;
use crate::types::{AddrSpace, Field, StructKind, StructType};
use std::cell::OnceCell;
use std::rc::Rc;

/// `tracepoint:CATEGORY:EVENT`
pub(super) struct Tracepoint;

impl Provider for Tracepoint {
    fn names(&self) -> &'static [&'static str] {
        &["tracepoint"]
    }

    fn resolve(&self, request: &Request) -> Result<Vec<Place>, Refusal> {
        request.no_source_line()?;
        let (category, event) = match request.args() {
            [event] if has_wildcard(event) => ("*", event.as_str()),
            [category, event] => (category.as_str(), event.as_str()),
            _ => return Err(request.count_error("2")),
        };
        if category.is_empty() || event.is_empty() {
            return Err(request.error("a tracepoint has a category and an event: one of them is empty"));
        }
        let missing = |e| request.missing(&format!("{category}:{event}"), e);
        if !has_wildcard(category) && !has_wildcard(event) {
            return place(request, category.into(), event.into()).map(|p| vec![p]).map_err(missing);
        }
        let found = request.system.tracepoints(category, event).map_err(missing)?;
        // What disappears between the two questions is left out, but not all of it.
        let mut last = None;
        let mut places = vec![];
        for (category, event) in found {
            match place(request, category, event) {
                Ok(p) => places.push(p),
                Err(e) => last = Some(e),
            }
        }
        match (places.is_empty(), last) {
            (true, Some(e)) => Err(missing(e)),
            _ => Ok(places),
        }
    }

    fn context(&self, sight: &Sight) -> Context {
        let Target::Tracepoint { category, event, .. } = sight.target else {
            return Context::bare(sight.kind);
        };
        // Arguments of system calls are the process's pointers.
        let of_calls = matches!(&**category, "syscalls" | "raw_syscalls");
        let space = if of_calls { AddrSpace::User } else { AddrSpace::Kernel };
        let args = if sight.wants.args {
            let format = sight.system.tracepoint_format(category, event);
            format.map_or_else(Args::Unavailable, |f| Args::record(record(&f, category, event, space)))
        } else {
            Args::None
        };
        Context {
            space,
            any_process: true,
            ctx: Ctx::Record,
            args,
            advice: &[("retval", "the result of a system call is args.ret")],
            ..Context::bare(sight.kind)
        }
    }
}

fn place(request: &Request, category: Rc<str>, event: Rc<str>) -> Result<Place, crate::system::SystemError> {
    let format = request.system.tracepoint_format(&category, &event)?;
    let name = format!("tracepoint:{category}:{event}");
    let target = Target::Tracepoint { category, event, id: format.id, syscall: format.syscall };
    Ok(Place::new(name, target))
}

/// A tracepoint's record as a struct. Its pointers point where the event's arguments do.
fn record(format: &TracepointFormat, category: &str, event: &str, space: AddrSpace) -> StructType {
    let fields: Rc<[Field]> =
        format.fields.iter().map(|f| Field { ty: f.ty.in_space(space), ..f.clone() }).collect();
    let size = fields.iter().map(|f| f.offset + f.ty.size()).max().unwrap_or(0);
    StructType {
        name: format!("_tracepoint_{category}_{event}").into(),
        kind: StructKind::Struct,
        size,
        align: 8,
        key: u64::from(format.id) | 1 << 63,
        fields: OnceCell::from(fields),
    }
}
