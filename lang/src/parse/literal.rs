//! Integer and string literals.

use super::{Builder, Rule};
use pest::iterators::Pair;
use std::rc::Rc;

/// The value of an integer as scripts write it: `10`, `0x1f`, `1e6`, `5ms`.
pub(crate) fn number(text: &str) -> Result<u64, String> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("not a number: {text}"));
    }
    integer(text, false).map_err(|f| f.message.trim_start_matches("syntax: ").into())
}

/// Why a literal is invalid; byte offsets are relative to it.
#[derive(Debug, PartialEq)]
struct Fault {
    message: String,
    start: usize,
    end: usize,
}

impl Builder {
    /// The value of an integer literal; 0 after an error.
    pub(super) fn integer(&mut self, pair: &Pair<Rule>) -> u64 {
        match integer(pair.as_str(), self.c_mode) {
            Ok(v) => v,
            Err(f) => {
                let start = pair.as_span().start();
                let span = self.place(start + f.start, start + f.end);
                self.error(span, f.message);
                0
            }
        }
    }

    /// The bytes of a string literal, neighbouring parts joined.
    pub(super) fn string(&mut self, pair: Pair<Rule>) -> Rc<[u8]> {
        let mut bytes = vec![];
        for part in pair.into_inner() {
            let start = part.as_span().start();
            for f in unescape(part.as_str(), &mut bytes) {
                let span = self.place(start + f.start, start + f.end);
                self.error(span, f.message);
            }
        }
        bytes.into()
    }
}

/// Nanoseconds in one unit of a duration suffix, and the largest value of a C suffix.
fn suffix(text: &str) -> Option<(u64, u64)> {
    Some(match text {
        "" | "ul" | "ull" | "ns" => (1, u64::MAX),
        "u" => (1, u64::from(u32::MAX)),
        "l" | "ll" => (1, i64::MAX as u64),
        "us" => (1_000, u64::MAX),
        "ms" => (1_000_000, u64::MAX),
        "s" => (1_000_000_000, u64::MAX),
        "m" => (60_000_000_000, u64::MAX),
        "h" => (3_600_000_000_000, u64::MAX),
        "d" => (86_400_000_000_000, u64::MAX),
        _ => return None,
    })
}

/// `0x1f`, `0123`, `1_000`, `1e6`, `10ms`, `4ul`.
fn integer(text: &str, c_mode: bool) -> Result<u64, Fault> {
    let fault = |message: String| Fault { message: format!("syntax: {message}"), start: 0, end: text.len() };
    let body_len = number_len(text);
    let (number, tail) = text.split_at(body_len);
    if number.ends_with('_') {
        let message = "syntax: a number cannot end in '_', which separates digits".into();
        return Err(Fault { message, start: body_len - 1, end: body_len });
    }
    let lower = tail.to_ascii_lowercase();
    let Some((factor, max)) = suffix(if c_mode { &lower } else { tail }) else {
        if suffix(&lower).is_some() && lower.ends_with(['u', 'l']) {
            return Err(fault(format!("the suffix of a number is written in lower case: {text}")));
        }
        let message = format!(
            "syntax: '{tail}' is not a suffix of numbers: ns, us, ms, s, m, h, d, u, l, ul, ll, ull are"
        );
        return Err(Fault { message, start: body_len, end: text.len() });
    };
    let too_large = || fault(format!("{text} is too large: the most is {max}"));
    let digits = number.replace('_', "");
    let value = magnitude(&digits).map_err(|e| match e {
        Digits::TooLarge => too_large(),
        Digits::Wrong(why) => fault(format!("{why}: {text}")),
    })?;
    if value > max / factor {
        return Err(too_large());
    }
    Ok(value * factor)
}

/// Length of the part before a suffix.
fn number_len(text: &str) -> usize {
    let b = text.as_bytes();
    if b.len() > 1 && b[0] == b'0' && matches!(b[1], b'x' | b'X') {
        return 2 + b[2..].iter().take_while(|c| c.is_ascii_hexdigit() || **c == b'_').count();
    }
    let digits = |from: usize| b[from..].iter().take_while(|c| c.is_ascii_digit() || **c == b'_').count();
    let len = digits(0);
    if matches!(b.get(len), Some(b'e' | b'E')) { len + 1 + digits(len + 1) } else { len }
}

enum Digits {
    TooLarge,
    Wrong(&'static str),
}

fn magnitude(digits: &str) -> Result<u64, Digits> {
    let lower = digits.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("0x") {
        return radix(hex, 16);
    }
    if let Some((coefficient, exponent)) = lower.split_once('e') {
        return scientific(coefficient, exponent);
    }
    match lower.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => radix(octal, 8),
        _ => radix(&lower, 10),
    }
}

fn radix(digits: &str, radix: u32) -> Result<u64, Digits> {
    if digits.is_empty() {
        return Err(Digits::Wrong("digits are missing"));
    }
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(Digits::Wrong("after a leading 0 digits are octal, from 0 to 7"));
    }
    u64::from_str_radix(digits, radix).map_err(|_| Digits::TooLarge)
}

fn scientific(coefficient: &str, exponent: &str) -> Result<u64, Digits> {
    if exponent.is_empty() || exponent.starts_with('0') {
        return Err(Digits::Wrong("an exponent is at least 1, without leading zeros"));
    }
    if coefficient.len() != 1 || coefficient == "0" {
        return Err(Digits::Wrong("one digit from 1 to 9 stands before the 'e'"));
    }
    let coefficient = radix(coefficient, 10)?;
    let power = exponent.parse().ok().and_then(|e| 10u64.checked_pow(e));
    power.and_then(|p| p.checked_mul(coefficient)).ok_or(Digits::TooLarge)
}

/// Appends the bytes of one quoted part.
fn unescape(quoted: &str, out: &mut Vec<u8>) -> Vec<Fault> {
    let mut faults = vec![];
    let b = quoted.as_bytes();
    let end = b.len() - 1;
    let mut at = 1;
    while at < end {
        if b[at] != b'\\' {
            out.push(b[at]);
            at += 1;
            continue;
        }
        let (value, len) = escape(&quoted[at..end]);
        match value {
            Ok(byte) => out.push(byte),
            Err(message) => {
                faults.push(Fault { message: format!("syntax: {message}"), start: at, end: at + len });
            }
        }
        at += len;
    }
    faults
}

/// The byte of an escape sequence and the sequence's length.
fn escape(text: &str) -> (Result<u8, String>, usize) {
    let Some(c) = text[1..].chars().next() else {
        return (Err("the string ends after a backslash".into()), text.len());
    };
    let byte = match c {
        'n' => b'\n',
        't' => b'\t',
        'r' => b'\r',
        '"' => b'"',
        '\\' => b'\\',
        '0'..='7' => return octal(text),
        'x' | 'X' => return hex(text),
        _ => {
            return (
                Err(format!("unknown escape '\\{c}'; a backslash itself is written '\\\\'")),
                1 + c.len_utf8(),
            );
        }
    };
    (Ok(byte), 2)
}

fn octal(text: &str) -> (Result<u8, String>, usize) {
    let len = text[1..].bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
    let digits = &text[1..1 + len];
    let value = u8::from_str_radix(digits, 8);
    (value.map_err(|_| format!("'\\{digits}' is more than a byte: octal escapes end at '\\377'")), 1 + len)
}

fn hex(text: &str) -> (Result<u8, String>, usize) {
    let len = text[2..].bytes().take(2).take_while(u8::is_ascii_hexdigit).count();
    let value = u8::from_str_radix(&text[2..2 + len], 16);
    (value.map_err(|_| "one or two hexadecimal digits belong after '\\x'".into()), 2 + len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(text: &str) -> Result<u64, String> {
        integer(text, false).map_err(|f| f.message.trim_start_matches("syntax: ").into())
    }

    #[test]
    fn integers() {
        for (text, value) in [
            ("0", 0),
            ("42", 42),
            ("1_000_000", 1_000_000),
            ("0x1F", 31),
            ("0xffff_ffff_ffff_ffff", u64::MAX),
            ("0123", 83),
            ("00", 0),
            ("1e3", 1000),
            ("9E2", 900),
            ("10ms", 10_000_000),
            ("1m", 60_000_000_000),
            ("2d", 172_800_000_000_000),
            ("7ul", 7),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(int(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn wrong_integers() {
        for (text, message) in [
            ("39e2", "one digit from 1 to 9 stands before the 'e': 39e2"),
            ("1e0", "an exponent is at least 1, without leading zeros: 1e0"),
            ("08", "after a leading 0 digits are octal, from 0 to 7: 08"),
            ("1UL", "the suffix of a number is written in lower case: 1UL"),
            ("0x", "digits are missing: 0x"),
            ("1y", "'y' is not a suffix of numbers: ns, us, ms, s, m, h, d, u, l, ul, ll, ull are"),
            ("1_", "a number cannot end in '_', which separates digits"),
            ("4294967296u", "4294967296u is too large: the most is 4294967295"),
            ("9e30", "9e30 is too large: the most is 18446744073709551615"),
            ("300000d", "300000d is too large: the most is 18446744073709551615"),
        ] {
            assert_eq!(int(text), Err(message.into()), "{text}");
        }
        assert_eq!(integer("1UL", true), Ok(1));
    }

    #[test]
    fn escapes() {
        let mut out = vec![];
        assert!(unescape(r#""a\n\t\"\\\x41\1018\0é""#, &mut out).is_empty());
        assert_eq!(out, "a\n\t\"\\AA8\0é".as_bytes());
        let faults = unescape(r#""\q\400\x""#, &mut out);
        let messages: Vec<_> = faults.iter().map(|f| f.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "syntax: unknown escape '\\q'; a backslash itself is written '\\\\'",
                "syntax: '\\400' is more than a byte: octal escapes end at '\\377'",
                "syntax: one or two hexadecimal digits belong after '\\x'"
            ]
        );
    }
}
