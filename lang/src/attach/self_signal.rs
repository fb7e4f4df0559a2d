//! `self:signal:SIGUSR1`: signals that rbtrace itself receives.

use super::{Place, Provider, Refusal, Request, Sight};
use crate::context::Context;
use crate::target::Target;

/// Signals that may be waited for, by name and number (signal(7), x86 and arm).
const SIGNALS: &[(&str, i32)] = &[("SIGUSR1", 10)];

/// `self`.
pub(super) struct SelfSignal;

impl Provider for SelfSignal {
    fn names(&self) -> &'static [&'static str] {
        &["self"]
    }

    fn resolve(&self, request: &Request) -> Result<Vec<Place>, Refusal> {
        request.no_source_line()?;
        let [trigger, signal] = request.args() else { return Err(request.count_error("2")) };
        if trigger != "signal" {
            return Err(request.error(format!("self waits for signals, not for '{trigger}'")));
        }
        let Some((name, number)) = SIGNALS.iter().find(|(name, _)| name == signal) else {
            return Err(request.error(format!("self cannot wait for the signal '{signal}'")));
        };
        Ok(vec![Place::new(format!("self:signal:{name}"), Target::SelfSignal(*number))])
    }

    fn context(&self, sight: &Sight) -> Context {
        Context::bare(sight.kind)
    }
}
