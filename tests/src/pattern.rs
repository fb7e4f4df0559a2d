//! Expected lines: literal text, `/regex/`, or `...` for any number of lines.

use anyhow::Result;
use regex_lite::Regex;

/// One expected line.
#[derive(Debug)]
pub enum Line {
    /// This text.
    Text(String),
    /// A text that matches, anchored at both ends in a whole-output pattern.
    Regex(Regex),
    /// Any number of lines, also none.
    Any,
}

impl Line {
    /// Reads one line of a pattern.
    pub fn parse(text: &str) -> Result<Line> {
        if text == "..." {
            return Ok(Line::Any);
        }
        match text.strip_prefix('/').and_then(|t| t.strip_suffix('/')) {
            Some(re) if !re.is_empty() => Ok(Line::Regex(Regex::new(re)?)),
            _ => Ok(Line::Text(text.into())),
        }
    }

    fn is(&self, line: &str) -> bool {
        match self {
            Line::Text(t) => t == line.trim_end(),
            Line::Regex(r) => r.find(line).is_some_and(|m| m.start() == 0 && m.end() == line.len()),
            Line::Any => true,
        }
    }

    fn is_in(&self, line: &str) -> bool {
        match self {
            Line::Text(t) => line.contains(t.as_str()),
            Line::Regex(r) => r.is_match(line),
            Line::Any => true,
        }
    }
}

/// Splits an output in lines, without the blank ones at both ends.
pub fn lines(output: &str) -> Vec<&str> {
    let lines: Vec<_> = output.lines().collect();
    let from = lines.iter().position(|l| !l.trim().is_empty()).unwrap_or(lines.len());
    let to = lines.iter().rposition(|l| !l.trim().is_empty()).map_or(from, |i| i + 1);
    lines[from..to].to_vec()
}

/// Compares a whole output; the error says where it departs from the pattern.
pub fn whole(pattern: &[String], output: &str) -> Result<(), String> {
    let pattern = parse_all(pattern)?;
    let got = lines(output);
    let mut reached = (0, 0);
    if matches(&pattern, &got, (0, 0), &mut reached) {
        return Ok(());
    }
    let wanted = pattern.get(reached.0).map_or("the end".into(), |l| format!("{l:?}"));
    let found = got.get(reached.1).map_or("the end of the output".into(), |l| format!("{l:?}"));
    Err(format!("line {}: expected {wanted}, found {found}", reached.1 + 1))
}

fn parse_all(pattern: &[String]) -> Result<Vec<Line>, String> {
    pattern.iter().map(|l| Line::parse(l).map_err(|e| e.to_string())).collect()
}

/// Matches from the given indices of pattern and output on; notes the furthest mismatch.
fn matches(pattern: &[Line], got: &[&str], from: (usize, usize), reached: &mut (usize, usize)) -> bool {
    let (p, g) = from;
    if g > reached.1 || (g == reached.1 && p > reached.0) {
        *reached = from;
    }
    match pattern.get(p) {
        None => g == got.len(),
        Some(Line::Any) => (g..=got.len()).any(|g| matches(pattern, got, (p + 1, g), reached)),
        Some(l) => got.get(g).is_some_and(|t| l.is(t)) && matches(pattern, got, (p + 1, g + 1), reached),
    }
}

/// Every line of `wanted` must be found in some line of the output.
pub fn has(wanted: &[String], output: &str) -> Result<(), String> {
    for (text, line) in wanted.iter().zip(parse_all(wanted)?) {
        if !output.lines().any(|l| line.is_in(l)) {
            return Err(format!("no line has {text}"));
        }
    }
    Ok(())
}

/// No line of `unwanted` may be found in any line of the output.
pub fn lacks(unwanted: &[String], output: &str) -> Result<(), String> {
    for (text, line) in unwanted.iter().zip(parse_all(unwanted)?) {
        if let Some(l) = output.lines().find(|l| line.is_in(l)) {
            return Err(format!("unwanted {text} in {l:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|&s| s.to_owned()).collect()
    }

    #[test]
    fn whole_output() {
        assert!(whole(&p(&["a", "...", "z"]), "\na\nb\nc\nz\n\n").is_ok());
        assert!(whole(&p(&["a", "/[0-9]+/"]), "a\n12\n").is_ok());
        assert!(whole(&p(&["a", "/[0-9]+/"]), "a\n12x\n").is_err(), "a regex is anchored");
        assert!(whole(&p(&[]), "\n\n").is_ok());
        assert_eq!(
            whole(&p(&["a", "b"]), "a\nc\n").unwrap_err(),
            "line 2: expected Text(\"b\"), found \"c\""
        );
        assert!(whole(&p(&["a", "b"]), "a").unwrap_err().contains("end of the output"));
        assert!(whole(&p(&["a"]), "a\nb").unwrap_err().contains("expected the end"));
    }

    #[test]
    fn single_lines() {
        assert!(has(&p(&["b", "/^c$/"]), "abc\nc").is_ok());
        assert!(has(&p(&["/^b/"]), "abc").is_err());
        assert!(lacks(&p(&["b"]), "abc").is_err());
        assert!(lacks(&p(&["/^b/"]), "abc").is_ok());
    }
}
