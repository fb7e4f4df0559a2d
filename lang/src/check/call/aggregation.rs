//! Map-value functions.

use crate::Span;
use crate::ast::{self, Name};
use crate::check::Checker;
use crate::hir::Expr;
use crate::types::{Agg, lhist_buckets};

/// Most buckets of `lhist`.
const MAX_LHIST_BUCKETS: i128 = 1000;

/// Is this a map-value function?
pub(crate) fn is_aggregation(name: &str) -> bool {
    matches!(name, "count" | "sum" | "min" | "max" | "avg" | "stats" | "hist" | "lhist")
}

impl Checker<'_> {
    /// `count()` and its kin: what is collected, and of which value. Outer `None`: it is another function.
    pub(crate) fn aggregation(
        &mut self,
        name: &Name,
        args: &[ast::Expr],
        span: Span,
    ) -> Option<Option<(Agg, Option<Expr>)>> {
        let name = &*name.text;
        if !is_aggregation(name) {
            return None;
        }
        let function = rbtrace_stdlib::function(name)?;
        Some(self.check_call(function, args, span).and_then(|()| self.collected(name, args)))
    }

    fn collected(&mut self, name: &str, args: &[ast::Expr]) -> Option<(Agg, Option<Expr>)> {
        let Some(first) = args.first() else { return Some((Agg::Count, None)) };
        let value = self.int_value(first, &format!("{name}()"))?;
        let signed = value.ty.is_signed();
        let agg = match name {
            "sum" => Agg::Sum { signed },
            "min" => Agg::Min { signed },
            "max" => Agg::Max { signed },
            "avg" => Agg::Avg { signed },
            "stats" => Agg::Stats { signed },
            "hist" => self.hist(args.get(1))?,
            _ => self.lhist(args)?,
        };
        Some((agg, Some(value)))
    }

    fn hist(&mut self, bits: Option<&ast::Expr>) -> Option<Agg> {
        let Some(bits) = bits else { return Some(Agg::Hist { bits: 0 }) };
        match self.const_int(bits, "the number of bits of hist()")? {
            n @ 0..=5 => Some(Agg::Hist { bits: n as u8 }),
            n => self.error(bits.span, format!("hist() takes 0 to 5 bits, not {n}")),
        }
    }

    fn lhist(&mut self, args: &[ast::Expr]) -> Option<Agg> {
        let [_, min, max, step] = args else { return None };
        let span = min.span.to(step.span);
        let values = [(min, "min"), (max, "max"), (step, "step")]
            .map(|(e, what)| self.const_int(e, &format!("{what} of lhist()")));
        let [min, max, step] = values;
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
