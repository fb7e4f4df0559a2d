//! `watchpoint`: accesses to a place in memory.

use super::{Place, Provider, Refusal, Request, Sight};
use crate::context::{Context, Ctx};
use crate::parse::number;
use crate::target::{Access, Target};

/// `watchpoint:ADDRESS:LENGTH:MODE`
pub(super) struct Watchpoint;

impl Provider for Watchpoint {
    fn names(&self) -> &'static [&'static str] {
        &["watchpoint"]
    }

    fn resolve(&self, request: &Request) -> Result<Vec<Place>, Refusal> {
        request.no_source_line()?;
        let [address, length, mode] = request.args() else { return Err(request.count_error("3")) };
        let place = number(address).map_err(|e| request.error(format!("the address cannot be read: {e}")))?;
        if place == 0 {
            return Err(request.error("watchpoint: the address is 0"));
        }
        let access = access(request, mode)?;
        let length = width(request, length)?;
        let target = Target::Watchpoint { address: place, length, access };
        Ok(vec![Place::new(format!("watchpoint:{address}:{length}:{mode}"), target)])
    }

    fn context(&self, sight: &Sight) -> Context {
        let ctx = Ctx::Struct("bpf_perf_event_data".into());
        Context { ctx, registers: true, ..Context::bare(sight.kind) }
    }
}

fn access(request: &Request, mode: &str) -> Result<Access, Refusal> {
    match mode {
        "w" => Ok(Access::Write),
        "rw" | "wr" => Ok(Access::ReadWrite),
        "x" => Ok(Access::Execute),
        "r" => Err(request.error("x86-64 cannot watch reads alone").hint("rw watches reads and writes")),
        _ => Err(request
            .error(format!("there is no mode '{mode}'"))
            .hint("w writes, rw reads and writes, x executes")),
    }
}

fn width(request: &Request, text: &str) -> Result<u8, Refusal> {
    match number(text) {
        Ok(n @ (1 | 2 | 4 | 8)) => Ok(n as u8),
        Ok(_) => {
            Err(request.error(format!("watchpoint: {text} bytes cannot be watched, but 1, 2, 4 or 8 can")))
        }
        Err(e) => Err(request.error(format!("the length cannot be read: {e}"))),
    }
}
