//! `interval` and `profile`: again and again after some time.

use super::{Place, Provider, Refusal, Request, Sight, has_wildcard};
use crate::context::{Context, Ctx};
use crate::parse::number;
use crate::target::{Period, Target};

/// Shortest period, in nanoseconds.
const SHORTEST: u64 = 1000;

/// `interval` on one CPU, `profile` on all.
pub(super) struct Timer;

impl Provider for Timer {
    fn names(&self) -> &'static [&'static str] {
        &["interval", "profile"]
    }

    fn resolve(&self, request: &Request) -> Result<Vec<Place>, Refusal> {
        request.no_source_line()?;
        let kind = request.kind.name;
        let (unit, count, period) = match request.args() {
            [time] => plain(request, time)?,
            [unit, count] => with_unit(request, unit, count)?,
            _ => return Err(request.count_error("1 or 2")),
        };
        let target = if kind == "interval" { Target::Interval(period) } else { Target::Profile(period) };
        Ok(vec![Place::new(format!("{kind}:{unit}:{count}"), target)])
    }

    fn context(&self, sight: &Sight) -> Context {
        let ctx = Ctx::Struct("bpf_perf_event_data".into());
        Context { ctx, registers: true, ..Context::bare(sight.kind) }
    }
}

type Timing<'a> = (&'a str, u64, Period);

fn count(request: &Request, text: &str) -> Result<u64, Refusal> {
    number(text).map_err(|e| request.error(format!("the time of {} cannot be read: {e}", request.kind.name)))
}

/// `interval:1s`, `interval:1000000`: nanoseconds; their names count microseconds, as bpftrace's do.
fn plain<'a>(request: &Request, time: &str) -> Result<Timing<'a>, Refusal> {
    if has_wildcard(time) {
        return Err(request.error(format!("{} takes no wildcards", request.kind.name)));
    }
    let nanos = count(request, time)?;
    if nanos < SHORTEST {
        let kind = request.kind.name;
        let message =
            format!("{kind} every {nanos} nanoseconds is too often: at least {SHORTEST} lie between two");
        return Err(request.error(message).hint(format!("write {kind}:hz:{nanos} for a frequency")));
    }
    Ok(("us", nanos / 1000, Period::Nanos(nanos)))
}

fn with_unit<'a>(request: &Request, unit: &'a str, text: &str) -> Result<Timing<'a>, Refusal> {
    let kind = request.kind.name;
    let factor = match unit {
        "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "us" => 1000,
        "hz" => 0,
        "" => return Err(request.error(format!("{kind}: the unit of time is missing"))),
        _ => return Err(request.error(format!("'{unit}' is not a unit of time: they are s, ms, us and hz"))),
    };
    let n = count(request, text)?;
    if n == 0 {
        return Err(request.error(format!("{kind} needs a number above 0")));
    }
    if factor == 0 {
        return Ok((unit, n, Period::Hertz(n)));
    }
    // perf_event_open takes periods of 63 bits.
    let nanos = n.checked_mul(factor).filter(|p| *p <= i64::MAX as u64);
    let nanos = nanos.ok_or_else(|| request.error(format!("{kind} period is too long: {n}{unit}")))?;
    Ok((unit, n, Period::Nanos(nanos)))
}
