//! `rawtracepoint`

use super::{Place, Provider, Refusal, Request};
use crate::hir::Attach;

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
        let places = found.into_iter().map(|(module, event)| Place {
            name: format!("rawtracepoint:{module}:{event}"),
            attach: Attach::RawTracepoint { event, module: Some(module) },
        });
        Ok(places.collect())
    }
}
