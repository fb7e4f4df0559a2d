//! Time series: a line of a graph for each interval, and JSON.

use super::env::Env;
use super::write::{json_number, put, separated};
use crate::sys::time;
use rbtrace_lang::types::{Agg, TimeBase};
use std::collections::BTreeMap;
use std::io::Write;

/// Characters of a line of the graph, its borders included.
const WIDTH: usize = 53;
/// Characters for the label of the smallest value; that of the largest takes the rest.
const LEFT: usize = 21;

/// A time series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Nanoseconds of an interval.
    pub interval: u64,
    /// The intervals without gaps: when each began, in nanoseconds since 1970, and its value.
    pub values: Vec<(u64, Option<i128>)>,
    /// Values may be negative.
    signed: bool,
}

impl Series {
    /// The series that holds these values by the numbers of their intervals.
    pub fn new(env: &Env, agg: Agg, values: &BTreeMap<u64, Option<i128>>) -> Series {
        let (interval, signed) = match agg {
            Agg::TSeries { interval, signed, .. } => (interval, signed),
            _ => (0, false),
        };
        let start = |number: u64| env.wall_time(number.wrapping_mul(interval), TimeBase::Tai);
        Series { interval, values: values.iter().map(|(&n, &v)| (start(n), v)).collect(), signed }
    }

    /// With its values divided.
    pub(super) fn divided(mut self, by: i128) -> Series {
        self.values.iter_mut().for_each(|(_, value)| *value = value.map(|v| v / by));
        self
    }

    /// The smallest and the largest value, with room on both sides of what is all the same.
    fn bounds(&self) -> (i128, i128) {
        let values = || self.values.iter().filter_map(|(_, v)| *v);
        let (least, most) = (values().min().unwrap_or(0), values().max().unwrap_or(0));
        if least != most {
            return (least, most);
        }
        let (floor, ceiling) = match self.signed {
            true => (i128::from(i64::MIN), i128::from(i64::MAX)),
            false => (0, i128::from(u64::MAX)),
        };
        ((least - 1).max(floor), (most + 1).min(ceiling))
    }
}

/// How many digits of a second's fraction intervals of this many nanoseconds need, and their unit.
fn fraction(interval: u64) -> (usize, &'static str) {
    match interval {
        1_000_000_000.. => (0, ""),
        1_000_000.. => (3, ".ms"),
        1_000.. => (6, ".us"),
        _ => (9, ".ns"),
    }
}

/// Appends the graph.
pub fn graph(series: &Series, out: &mut Vec<u8>) {
    if series.values.is_empty() {
        return put(out, "<no data>");
    }
    let (least, most) = series.bounds();
    // Of a single interval nothing says how long it is.
    let (digits, unit) = fraction(if series.values.len() > 1 { series.interval } else { 0 });
    let margin = "hh:mm:ss ".len() + if digits > 0 { 1 + digits } else { 0 };
    let right = WIDTH - LEFT;
    let labels = format!("{:margin$}{least:<LEFT$}{most:>right$}\n", "");
    put(out, &labels);
    let _ = writeln!(out, "{:<margin$}|{}|", format!("hh:mm:ss{unit}"), "_".repeat(WIDTH - 2));
    for (start, value) in &series.values {
        put(out, &clock(*start, digits));
        out.push(b' ');
        out.extend_from_slice(&line(*value, least, most));
        let _ = match value {
            Some(value) => writeln!(out, " {value}"),
            None => writeln!(out, " -"),
        };
    }
    let _ = writeln!(out, "{:margin$}v{}v", "", "_".repeat(WIDTH - 2));
    put(out, &labels);
}

fn clock(nanos: u64, digits: usize) -> String {
    let mut text = time::format("%H:%M:%S", nanos);
    if digits > 0 {
        let fraction = format!("{:09}", nanos % 1_000_000_000);
        text = format!("{text}.{}", &fraction[..digits]);
    }
    text
}

/// One line: borders, a dot where zero is, a star where the value is.
fn line(value: Option<i128>, least: i128, most: i128) -> [u8; WIDTH] {
    let mut line = [b' '; WIDTH];
    (line[0], line[WIDTH - 1]) = (b'|', b'|');
    let place = |width: usize, from: i128| {
        let at = width as f32 * (from - least) as f32 / (most - least) as f32;
        (at as usize).min(WIDTH - 1)
    };
    if least < 0 && most > 0 {
        line[place(WIDTH, 0).max(1)] = b'.';
    }
    if let Some(value) = value {
        line[place(WIDTH - 1, value)] = b'*';
    }
    line
}

/// Appends an array of `{"interval_start", "value"}`.
pub fn json(series: &Series, out: &mut Vec<u8>) {
    let values: Vec<(u64, i128)> =
        series.values.iter().filter_map(|(start, value)| Some((*start, (*value)?))).collect();
    out.push(b'[');
    separated(&values, ",", out, |(start, value), out| {
        let _ = write!(out, "{{\"interval_start\":\"{}\",\"value\":", time::utc(*start));
        json_number(*value, out);
        out.push(b'}');
    });
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_value_and_zero() {
        let text = |v, least, most| String::from_utf8(line(v, least, most).to_vec()).unwrap();
        assert_eq!(text(Some(-4), -5, 5), format!("|    *{}.{}|", " ".repeat(20), " ".repeat(25)));
        assert_eq!(text(Some(10), 0, 10), format!("|{}*", " ".repeat(51)));
        assert_eq!(text(None, 8, 10), format!("|{}|", " ".repeat(51)));
    }
}
