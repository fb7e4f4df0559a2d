//! `tracepoint`

use super::{Place, Provider, Refusal, Request, has_wildcard};
use crate::hir::Attach;
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
}

fn place(request: &Request, category: Rc<str>, event: Rc<str>) -> Result<Place, crate::system::SystemError> {
    let format = request.system.tracepoint_format(&category, &event)?;
    let name = format!("tracepoint:{category}:{event}");
    let attach = Attach::Tracepoint { category, event, id: format.id, syscall: format.syscall };
    Ok(Place { name, attach })
}
