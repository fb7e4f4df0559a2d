//! Time series: what all CPUs have put into each interval.

use super::Summed;
use crate::bytes::{int_at, u64_at};
use rbtrace_lang::types::{InInterval, Interval};
use std::collections::BTreeMap;

/// An interval of one CPU.
#[derive(Clone, Copy)]
struct Cell {
    value: i128,
    more: u64,
}

/// The intervals of one CPU's part.
pub(super) fn cells(part: &[u8], intervals: u32) -> impl Iterator<Item = &[u8]> {
    part.chunks_exact(Interval::SIZE as usize).take(intervals as usize)
}

/// The values by the numbers of their intervals, from the intervals of all CPUs.
pub(super) fn merged<'a>(
    how: InInterval,
    signed: bool,
    all: impl Iterator<Item = &'a [u8]>,
) -> BTreeMap<u64, Option<i128>> {
    let mut cells: BTreeMap<u64, Cell> = BTreeMap::new();
    for bytes in all {
        let Some(number) = u64_at(bytes, Interval::NUMBER as usize).checked_sub(1) else { continue };
        let value = int_at(&bytes[Interval::VALUE as usize..], 8, signed);
        let cell = Cell { value, more: u64_at(bytes, Interval::MORE as usize) };
        cells.entry(number).and_modify(|c| *c = joined(how, *c, cell)).or_insert(cell);
    }
    cells.into_iter().map(|(number, cell)| (number, Some(shown(how, signed, number, cell)))).collect()
}

/// Ends all series of a map with the last interval that any of them has, and fills their gaps.
pub(super) fn align(entries: &mut BTreeMap<Vec<u8>, Summed>, intervals: u32) {
    let all = || entries.values().filter_map(|v| if let Summed::Series(s) = v { Some(s) } else { None });
    let Some(&last) = all().filter_map(|s| s.last_key_value()).map(|(number, _)| number).max() else {
        return;
    };
    let first = last.saturating_sub(u64::from(intervals) - 1);
    for value in entries.values_mut() {
        let Summed::Series(series) = value else { continue };
        *series = series.split_off(&first);
        if let Some((&begin, _)) = series.first_key_value() {
            (begin..=last).for_each(|number| _ = series.entry(number).or_insert(None));
        }
    }
}

fn joined(how: InInterval, a: Cell, b: Cell) -> Cell {
    match how {
        InInterval::Last => {
            if b.more > a.more {
                b
            } else {
                a
            }
        }
        InInterval::Min => Cell { value: a.value.min(b.value), ..a },
        InInterval::Max => Cell { value: a.value.max(b.value), ..a },
        InInterval::Sum | InInterval::Avg => {
            Cell { value: a.value + b.value, more: a.more.wrapping_add(b.more) }
        }
    }
}

fn shown(how: InInterval, signed: bool, number: u64, cell: Cell) -> i128 {
    match how {
        // bpftrace has no value for the first interval of 1970, where only a clock that a test sets can be.
        _ if number == 0 => 0,
        InInterval::Avg => super::average(i128::from(cell.more), super::wrap(cell.value, signed)),
        _ => super::wrap(cell.value, signed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(cells: &[[i64; 3]]) -> Vec<u8> {
        cells.iter().flatten().flat_map(|n| n.to_le_bytes()).collect()
    }

    fn of(how: InInterval, parts: &[Vec<u8>]) -> Vec<(u64, Option<i128>)> {
        merged(how, true, parts.iter().flat_map(|part| cells(part, 2))).into_iter().collect()
    }

    #[test]
    fn cpus_meet_in_an_interval() {
        let parts = [part(&[[8, -3, 70], [0, 0, 0]]), part(&[[8, 5, 71], [9, 1, 80]])];
        assert_eq!(of(InInterval::Last, &parts), [(7, Some(5)), (8, Some(1))]);
        assert_eq!(of(InInterval::Min, &parts), [(7, Some(-3)), (8, Some(1))]);
        assert_eq!(of(InInterval::Sum, &parts), [(7, Some(2)), (8, Some(1))]);
        let counted = [part(&[[8, -9, 2]]), part(&[[8, 1, 1]])];
        assert_eq!(of(InInterval::Avg, &counted), [(7, Some(-2))]);
    }

    #[test]
    fn all_series_of_a_map_end_together() {
        let series = |values: &[(u64, i128)]| values.iter().map(|&(n, v)| (n, Some(v))).collect();
        let mut entries = BTreeMap::from([
            (vec![1], Summed::Series(series(&[(4, 1), (6, 2)]))),
            (vec![2], Summed::Series(series(&[(8, 3)]))),
            (vec![3], Summed::Series(series(&[(5, 3)]))),
        ]);
        align(&mut entries, 3);
        assert_eq!(entries[&vec![1]], Summed::Series([(6, Some(2)), (7, None), (8, None)].into()));
        assert_eq!(entries[&vec![2]], Summed::Series([(8, Some(3))].into()));
        assert_eq!(entries[&vec![3]], Summed::Series(BTreeMap::new()));
    }
}
