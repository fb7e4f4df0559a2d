//! `begin` and `end`.

use super::{Place, Provider, Refusal, Request, Sight};
use crate::context::Context;
use crate::target::Target;

/// `begin`, `end`: no arguments.
pub(super) struct BeginEnd;

impl Provider for BeginEnd {
    fn names(&self) -> &'static [&'static str] {
        &["begin", "end"]
    }

    fn resolve(&self, request: &Request) -> Result<Vec<Place>, Refusal> {
        request.no_source_line()?;
        if !request.args().is_empty() {
            return Err(request.count_error("0"));
        }
        let target = if request.kind.name == "begin" { Target::Begin } else { Target::End };
        Ok(vec![Place::new(request.kind.name.into(), target)])
    }

    fn context(&self, sight: &Sight) -> Context {
        Context::bare(sight.kind)
    }
}
