//! Histograms: buckets as intervals, as a table and as JSON.

use super::write::put;
use rbtrace_lang::types::Agg;
use std::io::Write;

/// Characters of a full bar.
const BAR: usize = 52;

/// One bucket: the values `low ..  high`; `None` where it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// First value.
    pub low: Option<i128>,
    /// One past the last.
    pub high: Option<i128>,
    /// log2 of the unit in which the bounds are labelled: a multiple of 10, for K, M, G, ….
    unit: (u32, u32),
    /// How often.
    pub count: u64,
}

/// The buckets from the first to the last that is not empty.
pub fn buckets(agg: Agg, counts: &[u64]) -> Vec<Bucket> {
    let Some(first) = counts.iter().position(|&c| c > 0) else { return Vec::new() };
    let last = counts.iter().rposition(|&c| c > 0).unwrap_or(first);
    (first..=last)
        .map(|i| {
            let bucket = match agg {
                Agg::LHist { min, max, step } => linear(i, min, max, step),
                Agg::Hist { bits } => logarithmic(i, u32::from(bits)),
                _ => Bucket { low: None, high: None, unit: (0, 0), count: 0 },
            };
            Bucket { count: counts[i], ..bucket }
        })
        .collect()
}

fn logarithmic(index: usize, bits: u32) -> Bucket {
    let (low, low_unit) = bound(index as u64, bits);
    let (high, high_unit) = bound(index as u64 + 1, bits);
    let low = (index > 0).then_some(low);
    Bucket { low, high: Some(high), unit: (low_unit, high_unit), count: 0 }
}

/// Where bucket `index` of a logarithmic histogram begins, and its label's unit.
fn bound(index: u64, bits: u32) -> (i128, u32) {
    let per_power = 1u64 << bits;
    if index <= 2 * per_power {
        return (i128::from(index.saturating_sub(1)), 0);
    }
    let nth = index - 1;
    let power = (nth >> bits) as u32 - 1;
    let start = i128::from(per_power + (nth & (per_power - 1))) << power;
    (start, power / 10 * 10)
}

fn linear(index: usize, min: i64, max: i64, step: i64) -> Bucket {
    let steps = ((max - min) / step) as usize;
    let at = |n: usize| i128::from(min) + n as i128 * i128::from(step);
    let low = (index > 0).then(|| at(index - 1));
    let high = (index <= steps).then(|| at(index));
    let unit = |v: Option<i128>| match v {
        Some(v) if step % 1024 == 0 && v != 0 && v % (1 << 20) == 0 => 20,
        Some(v) if step % 1024 == 0 && v != 0 && v % 1024 == 0 => 10,
        _ => 0,
    };
    Bucket { low, high, unit: (unit(low), unit(high)), count: 0 }
}

fn label(value: i128, unit: u32) -> String {
    let suffix = ["", "K", "M", "G", "T", "P", "E"][(unit / 10).min(6) as usize];
    format!("{}{suffix}", value >> unit)
}

impl Bucket {
    fn interval(&self) -> String {
        let (low_unit, high_unit) = self.unit;
        match (self.low, self.high) {
            (None, high) => format!("(..., {})", label(high.unwrap_or(0), high_unit)),
            (Some(low), None) => format!("[{}, ...)", label(low, low_unit)),
            (Some(low), Some(high)) if high - low == 1 && high_unit == 0 => format!("[{low}]"),
            (Some(low), Some(high)) => format!("[{}, {})", label(low, low_unit), label(high, high_unit)),
        }
    }
}

/// Appends the table.
pub fn table(buckets: &[Bucket], out: &mut Vec<u8>) {
    let most = buckets.iter().map(|b| b.count).max().unwrap_or(0).max(1);
    for b in buckets {
        let width = (u128::from(b.count) * BAR as u128 / u128::from(most)) as usize;
        let _ = writeln!(out, "{:<16}{:>8} |{:<BAR$}|", b.interval(), b.count, "@".repeat(width));
    }
}

/// Appends a JSON array of `{"min", "max", "count"}`.
pub fn json(buckets: &[Bucket], out: &mut Vec<u8>) {
    out.push(b'[');
    for (i, b) in buckets.iter().enumerate() {
        put(out, if i > 0 { ",{" } else { "{" });
        if let Some(low) = b.low {
            let _ = write!(out, "\"min\": {low}, ");
        }
        if let Some(high) = b.high {
            let _ = write!(out, "\"max\": {}, ", high - 1);
        }
        let _ = write!(out, "\"count\": {}}}", b.count);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use rbtrace_lang::types::{hist_buckets, lhist_buckets};

    fn intervals(agg: Agg, n: u32) -> Vec<String> {
        buckets(agg, &vec![1; n as usize]).iter().map(Bucket::interval).collect()
    }

    #[test]
    fn powers_of_two() {
        let all = intervals(Agg::Hist { bits: 0 }, hist_buckets(0));
        assert_eq!(all[..5], ["(..., 0)", "[0]", "[1]", "[2, 4)", "[4, 8)"]);
        assert_eq!(all[11], "[512, 1K)");
        assert_eq!(all[12], "[1K, 2K)");
        assert_eq!(all[22], "[1M, 2M)");
        assert_eq!(all.last().unwrap(), "[8E, 16E)");
    }

    #[test]
    fn four_buckets_a_power() {
        let all = intervals(Agg::Hist { bits: 2 }, hist_buckets(2));
        assert_eq!(all[1..6], ["[0]", "[1]", "[2]", "[3]", "[4]"]);
        assert_eq!(all[9], "[8, 10)");
        assert_eq!(all[36], "[896, 1024)");
        assert_eq!(all[44], "[3584, 4K)");
    }

    #[test]
    fn linear_steps() {
        let agg = Agg::LHist { min: 0, max: 10, step: 3 };
        assert_eq!(
            intervals(agg, lhist_buckets(0, 10, 3)),
            ["(..., 0)", "[0, 3)", "[3, 6)", "[6, 9)", "[9, ...)"]
        );
        let agg = Agg::LHist { min: 0, max: 4096, step: 1024 };
        assert_eq!(intervals(agg, lhist_buckets(0, 4096, 1024))[1..3], ["[0, 1K)", "[1K, 2K)"]);
    }

    #[test]
    fn table_and_json() {
        let b = buckets(Agg::Hist { bits: 0 }, &[1, 0, 0, 2]);
        let (mut text, mut line) = (Vec::new(), Vec::new());
        table(&b, &mut text);
        json(&b, &mut line);
        expect![[r#"
            (..., 0)               1 |@@@@@@@@@@@@@@@@@@@@@@@@@@                          |
            [0]                    0 |                                                    |
            [1]                    0 |                                                    |
            [2, 4)                 2 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|
        "#]]
        .assert_eq(&String::from_utf8(text).unwrap());
        expect![[r#"[{"max": -1, "count": 1},{"min": 0, "max": 0, "count": 0},{"min": 1, "max": 1, "count": 0},{"min": 2, "max": 3, "count": 2}]"#]]
            .assert_eq(&String::from_utf8(line).unwrap());
    }
}
