//! Map-value functions.

use crate::Span;
use crate::ast::{self, Name};
use crate::check::config::Unstable;
use crate::check::convert::to_int;
use crate::check::{Checker, Typed};
use crate::hir::{Builtin, Expr, ExprKind};
use crate::types::{Agg, InInterval, Interval, Type, U64, lhist_buckets};

/// Most buckets of `lhist`.
const MAX_LHIST_BUCKETS: i128 = 1000;

/// Most bytes of a value that each CPU has its own of: `PCPU_MIN_UNIT_SIZE`, include/linux/percpu.h.
const MAX_PER_CPU: u32 = 32 << 10;
/// Most intervals of `tseries`.
const MAX_INTERVALS: u32 = MAX_PER_CPU / Interval::SIZE;

/// What is collected, of which value, and of what time where that matters.
pub(crate) type Collected = (Agg, Option<Expr>, Option<Expr>);

/// Is this a map-value function?
pub(crate) fn is_aggregation(name: &str) -> bool {
    matches!(name, "count" | "sum" | "min" | "max" | "avg" | "stats" | "hist" | "lhist" | "tseries")
}

impl Checker<'_> {
    /// `count()` and its kin: what is collected, and of which value. Outer `None`: it is another function.
    pub(crate) fn aggregation(
        &mut self,
        name: &Name,
        args: &[ast::Expr],
        span: Span,
    ) -> Option<Option<Collected>> {
        let name = &*name.text;
        if !is_aggregation(name) {
            return None;
        }
        let function = rbtrace_stdlib::function(name)?;
        Some(self.check_call(function, args, span).and_then(|()| self.collected(name, args, span)))
    }

    fn collected(&mut self, name: &str, args: &[ast::Expr], span: Span) -> Option<Collected> {
        if args.is_empty() {
            return Some((Agg::Count, None, None));
        }
        let value = self.value_arg(name, args, 0)?;
        let signed = value.ty.is_signed();
        let agg = match name {
            "sum" => Agg::Sum { signed },
            "min" => Agg::Min { signed },
            "max" => Agg::Max { signed },
            "avg" => Agg::Avg { signed },
            "stats" => Agg::Stats { signed },
            "hist" => self.hist(args)?,
            "tseries" => {
                let agg = self.tseries(args, signed)?;
                return Some((agg, Some(value), Some(self.series_clock(span)?)));
            }
            _ => self.lhist(args)?,
        };
        Some((agg, Some(value), None))
    }

    fn hist(&mut self, args: &[ast::Expr]) -> Option<Agg> {
        let Some(bits) = args.get(1) else { return Some(Agg::Hist { bits: 0 }) };
        match self.const_arg("hist", args, 1)? {
            n @ 0..=5 => Some(Agg::Hist { bits: n as u8 }),
            n => self.error(bits.span, format!("hist() takes 0 to 5 bits, not {n}")),
        }
    }

    /// `tseries(n, interval, intervals, [how])`
    fn tseries(&mut self, args: &[ast::Expr], signed: bool) -> Option<Agg> {
        let [_, interval, intervals, how @ ..] = args else { return None };
        self.allows(Unstable::TimeSeries, interval.span)?;
        let (length, number) = (self.const_arg("tseries", args, 1), self.const_arg("tseries", args, 2));
        let how = match how.first() {
            Some(how) => self.in_interval(how, args)?,
            None => InInterval::Last,
        };
        let (length, number) = (length?, number?);
        let Some(length) = u64::try_from(length).ok().filter(|&n| n > 0) else {
            let message = format!("the interval of tseries() is at least a nanosecond, not {length}");
            return self.error(interval.span, message);
        };
        let Some(number) = u32::try_from(number).ok().filter(|n| (1..=MAX_INTERVALS).contains(n)) else {
            let message = format!("tseries() keeps 1 to {MAX_INTERVALS} intervals, not {number}");
            return self.error(intervals.span, message);
        };
        Some(Agg::TSeries { interval: length, intervals: number, how, signed })
    }

    fn in_interval(&mut self, word: &ast::Expr, args: &[ast::Expr]) -> Option<InInterval> {
        let text = self.name_arg("tseries", args, 3)?;
        Some(match &*text {
            "sum" => InInterval::Sum,
            "min" => InInterval::Min,
            "max" => InInterval::Max,
            "avg" => InInterval::Avg,
            _ => {
                let message = format!("tseries() cannot keep the '{text}' of an interval");
                return self.error_hint(
                    word.span,
                    message,
                    Some("it keeps the last value, or by name: avg, max, min, sum".into()),
                );
            }
        })
    }

    /// The time that a value of a time series belongs to: now, or what the map of a test holds.
    fn series_clock(&mut self, span: Span) -> Typed {
        let Some(name) = self.options.series_clock.as_deref() else {
            return Some(Expr { kind: ExprKind::Builtin(Builtin::NsecsSwTai), ty: U64, span });
        };
        let time = self.read_map(name.trim_start_matches('@'), None, span)?;
        match time.ty {
            Type::Int { .. } => Some(to_int(time, U64)),
            ref ty => self.error(span, format!("the clock of time series is a number: {name} holds '{ty}'")),
        }
    }

    fn lhist(&mut self, args: &[ast::Expr]) -> Option<Agg> {
        let [_, min, _, step] = args else { return None };
        let span = min.span.to(step.span);
        let [min, max, step] = [1, 2, 3].map(|n| self.const_arg("lhist", args, n));
        let (min, max, step) = (min?, max?, step?);
        if step < 1 {
            return self.error(span, format!("lhist() needs a step of at least 1, not {step}"));
        }
        if min >= max {
            return self.error(span, format!("lhist() counts from min up to max: {min} is not below {max}"));
        }
        let narrow = |v: i128| i64::try_from(v).ok();
        let (Some(min), Some(max), Some(step)) = (narrow(min), narrow(max), narrow(step)) else {
            return self.error(span, "lhist() bounds must fit int64");
        };
        let buckets = (i128::from(max) - i128::from(min)) / i128::from(step);
        if buckets > MAX_LHIST_BUCKETS {
            return self.error(
                span,
                format!(
                    "lhist() has at most {MAX_LHIST_BUCKETS} buckets: these bounds and step make {buckets}"
                ),
            );
        }
        debug_assert!(lhist_buckets(min, max, step) >= 2);
        Some(Agg::LHist { min, max, step })
    }
}
