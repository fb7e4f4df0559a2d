//! Clocks and calendar time.

use std::ffi::CString;
use std::mem::MaybeUninit;

/// Reads a clock (`CLOCK_*`) in nanoseconds.
pub fn clock(id: libc::clockid_t) -> u64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `ts` is a place for the result.
    unsafe { libc::clock_gettime(id, &raw mut ts) };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}

/// The kernel's `HZ`: its coarse clocks advance once in a tick, and their resolution is a tick's length
/// (`posix_get_coarse_res` in kernel/time/posix-timers.c).
pub fn ticks_per_second() -> i64 {
    let mut tick = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `tick` is a place for the result.
    unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &raw mut tick) };
    let nanos = tick.tv_nsec.max(1);
    (1_000_000_000 + nanos / 2) / nanos
}

/// How far clock `b` is ahead of clock `a` (modulo 2^64): of three readings of `b` between two of `a`, the one that
/// took least time.
pub fn distance(a: libc::clockid_t, b: libc::clockid_t) -> u64 {
    let reading = |_| {
        let (before, between, after) = (clock(a), clock(b), clock(a));
        let took = after - before;
        (took, between.wrapping_sub(before + took / 2))
    };
    (0..3).map(reading).min_by_key(|(took, _)| *took).map_or(0, |(_, distance)| distance)
}

/// A wall-clock time in the local time zone, by `strftime`'s conversions and `%f` (microseconds).
pub fn format(format: &str, nanos: u64) -> String {
    let mut tm = MaybeUninit::<libc::tm>::zeroed();
    let seconds = seconds(nanos);
    // SAFETY: `localtime_r` fills `tm`, which is plain data and valid when zeroed.
    let tm = unsafe {
        libc::localtime_r(&raw const seconds, tm.as_mut_ptr());
        tm.assume_init()
    };
    let micros = format!("{:06}", nanos / 1000 % 1_000_000);
    written(&tm, &expand_micros(format, &micros))
}

/// A wall-clock time in UTC with its nanoseconds: `1970-01-01 00:00:00.500000000`.
pub fn utc(nanos: u64) -> String {
    let mut tm = MaybeUninit::<libc::tm>::zeroed();
    let seconds = seconds(nanos);
    // SAFETY: `gmtime_r` fills `tm`, which is plain data and valid when zeroed.
    let tm = unsafe {
        libc::gmtime_r(&raw const seconds, tm.as_mut_ptr());
        tm.assume_init()
    };
    format!("{}.{:09}", written(&tm, "%Y-%m-%d %H:%M:%S"), nanos % 1_000_000_000)
}

fn seconds(nanos: u64) -> libc::time_t {
    (nanos / 1_000_000_000) as libc::time_t
}

fn written(tm: &libc::tm, format: &str) -> String {
    let Ok(format) = CString::new(format) else { return String::new() };
    let mut out = vec![0u8; 256 + 8 * format.as_bytes().len()];
    // SAFETY: buffer and its length; `format` is NUL-terminated, `tm` is filled.
    let n = unsafe { libc::strftime(out.as_mut_ptr().cast(), out.len(), format.as_ptr(), &raw const *tm) };
    out.truncate(n);
    String::from_utf8_lossy(&out).into_owned()
}

/// `%f` as digits; every other conversion stays for `strftime`.
fn expand_micros(format: &str, micros: &str) -> String {
    let mut out = String::with_capacity(format.len() + 6);
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('f') => out.push_str(micros),
            Some(other) => out.extend(['%', other]),
            None => out.push('%'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utc_keeps_the_nanoseconds() {
        assert_eq!(utc(500_000_000), "1970-01-01 00:00:00.500000000");
    }

    #[test]
    fn micros_are_expanded_and_percent_signs_kept() {
        assert_eq!(expand_micros("%H %f %%f %", "000123"), "%H 000123 %%f %");
    }
}
