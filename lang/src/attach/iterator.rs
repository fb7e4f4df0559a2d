//! `iter`: the kernel's lists of its objects, one object after another.

use super::{Place, Provider, Refusal, Request, Sight, has_wildcard};
use crate::context::{Context, Ctx};
use crate::system::{BtfFunction, Cause, SystemError};
use crate::target::Target;
use crate::types::{AddrSpace, StructKind};
use std::rc::Rc;

/// `iter:NAME[:PIN]`
pub(super) struct Iterator;

/// Where the file of a pin that is no absolute path lies.
const PINS: &str = "/sys/fs/bpf/";

/// How the lists begin of which the kernel can read those objects alone that belong to a process.
const OF_TASKS: &str = "task";

impl Provider for Iterator {
    fn names(&self) -> &'static [&'static str] {
        &["iter"]
    }

    fn resolve(&self, request: &Request) -> Result<Vec<Place>, Refusal> {
        request.no_source_line()?;
        let (name, pin) = match request.args() {
            [name] => (name, None),
            [name, pin] => (name, Some(pin)),
            _ => return Err(request.count_error("1 or 2")),
        };
        if name.is_empty() || pin.is_some_and(String::is_empty) {
            return Err(request.error("iter: a name is empty"));
        }
        if has_wildcard(name) || pin.is_some_and(|p| has_wildcard(p)) {
            return Err(request.error("iter takes no wildcards: each list has objects of its own kind"));
        }
        let pid = request.options.pid;
        if pid.is_some() && !name.starts_with(OF_TASKS) {
            return Err(
                request.error(format!("-p leaves nothing of iter:{name}: its objects belong to no process"))
            );
        }
        let pin = pin.map(|pin| path_of(pin));
        let full = pin.as_ref().map_or(format!("iter:{name}"), |pin| format!("iter:{name}:{pin}"));
        let target =
            Target::Iterator { name: name.as_str().into(), function: function(request, name)?, pin, pid };
        Ok(vec![Place::new(full, target)])
    }

    fn context(&self, sight: &Sight) -> Context {
        let Target::Iterator { name, .. } = sight.target else { return Context::bare(sight.kind) };
        Context {
            space: AddrSpace::Kernel,
            ctx: Ctx::Struct(context_of(name).into()),
            advice: &[("args", "ctx has the fields of an object: ctx.task")],
            ..Context::bare(sight.kind)
        }
    }
}

fn path_of(pin: &str) -> Rc<str> {
    if pin.starts_with('/') { pin.into() } else { format!("{PINS}{pin}").into() }
}

/// The function that the kernel has for each list, with the fields of its objects as parameters.
fn function(request: &Request, name: &str) -> Result<BtfFunction, Refusal> {
    let all = || Some("rbtrace -l 'iter:*' shows the lists of this kernel".to_owned());
    let missing = |e: SystemError| match e.cause {
        Cause::Missing => request.missing(name, SystemError { hint: all(), ..e }),
        Cause::Other => request.missing(name, e),
    };
    request.system.struct_type(StructKind::Struct, &context_of(name)).map_err(missing)?;
    let proto = request.system.kernel_function_proto(Some("vmlinux"), &format!("bpf_iter_{name}"));
    let function = proto.map_err(|e| missing(SystemError { cause: Cause::Missing, ..e }))?.function;
    function.ok_or_else(|| missing(SystemError::missing("", None)))
}

/// The struct of a list's program context.
fn context_of(name: &str) -> String {
    format!("bpf_iter__{name}")
}
