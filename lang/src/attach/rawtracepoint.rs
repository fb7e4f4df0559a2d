//! `rawtracepoint`

use super::{Place, Provider, Refusal, Request, Sight, parameters};
use crate::context::{ARG_REGISTERS, Args, Argument, Context, Ctx, Location};
use crate::target::Target;
use crate::types::AddrSpace;

/// `rawtracepoint[:MODULE]:EVENT`
pub(super) struct RawTracepoint;

impl Provider for RawTracepoint {
    fn names(&self) -> &'static [&'static str] {
        &["rawtracepoint"]
    }

    fn resolve(&self, request: &Request) -> Result<Vec<Place>, Refusal> {
        request.no_source_line()?;
        let (module, event) = match request.args() {
            [event] => (None, event),
            [module, event] => (Some(module.as_str()), event),
            _ => return Err(request.count_error("1 or 2")),
        };
        if event.is_empty() {
            return Err(request.error("rawtracepoint: no event is named"));
        }
        let what = module.map_or(event.clone(), |m| format!("{m}:{event}"));
        let found = request.system.raw_tracepoints(module, event).map_err(|e| request.missing(&what, e))?;
        let places = found.into_iter().map(|(module, event)| {
            let name = format!("rawtracepoint:{module}:{event}");
            Place::new(name, Target::RawTracepoint { event, module: Some(module) })
        });
        Ok(places.collect())
    }

    fn context(&self, sight: &Sight) -> Context {
        let Target::RawTracepoint { event, module } = sight.target else { return Context::bare(sight.kind) };
        let word = |n: usize| Location::Word(n as u32 * 8);
        let args = if sight.wants.args {
            let proto = sight.system.raw_tracepoint_proto(module.as_deref(), event);
            parameters(proto, AddrSpace::Kernel, |n| Ok(word(n)))
        } else {
            Args::None
        };
        Context {
            space: AddrSpace::Kernel,
            any_process: true,
            ctx: Ctx::Struct("bpf_raw_tracepoint_args".into()),
            numbered: (0..usize::from(ARG_REGISTERS)).map(|n| Argument::word(word(n))).collect(),
            args,
            ..Context::bare(sight.kind)
        }
    }
}
