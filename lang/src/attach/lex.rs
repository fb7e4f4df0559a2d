//! The text of an attach point in its parts.

use crate::Options;

/// `provider:arg:arg@file:line`
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parts {
    /// Before the first colon.
    pub(super) provider: String,
    /// Between the colons after it.
    pub(super) args: Vec<String>,
    /// After an `@`, between the colons.
    pub(super) line: Option<Vec<String>>,
}

/// A character, and whether it may be a sign (not in quotes or from a parameter).
type Marked = (char, bool);

/// `$*` in an attach point: one attach point for each parameter.
pub(super) const EACH: &str = "$*";

/// Splits a text; quotes are taken off, positional parameters put in, `each` in the place of `$*`.
pub(super) fn split(text: &str, options: &Options, each: &str) -> Result<Parts, String> {
    let mut fields = vec![String::new()];
    let mut line_from = None;
    for (c, sign) in with_params(text, options, each)? {
        match c {
            ':' if sign => fields.push(String::new()),
            '@' if sign && line_from.is_none() => {
                line_from = Some(fields.len());
                fields.push(String::new());
            }
            _ => fields.extend_last(c),
        }
    }
    let line = line_from.map(|at| fields.split_off(at));
    let args = fields.split_off(1);
    let provider = fields.pop().unwrap_or_default();
    Ok(Parts { provider, args, line })
}

trait ExtendLast {
    fn extend_last(&mut self, c: char);
}

impl ExtendLast for Vec<String> {
    fn extend_last(&mut self, c: char) {
        if let Some(last) = self.last_mut() {
            last.push(c);
        }
    }
}

/// The characters without quotes, parameters replaced. Colons of a parameter separate parts, too.
fn with_params(text: &str, options: &Options, each: &str) -> Result<Vec<Marked>, String> {
    let mut out = vec![];
    let mut quoted = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' if quoted => out.extend(rest.next().map(|c| (c, false))),
            '$' if !quoted && rest.next_if_eq(&'*').is_some() => out.extend(each.chars().map(|c| (c, true))),
            '$' if !quoted => {
                let mut digits = String::new();
                while let Some(d) = rest.next_if(char::is_ascii_digit) {
                    digits.push(d);
                }
                let value = param(&digits, rest.peek().copied(), options)?;
                out.extend(value.chars().map(|c| (c, true)));
            }
            _ => out.push((c, !quoted)),
        }
    }
    Ok(out)
}

/// The value of `$digits`; a parameter that was not given is empty.
fn param<'a>(digits: &str, next: Option<char>, options: &'a Options) -> Result<&'a str, String> {
    match digits.parse::<usize>() {
        Ok(n @ 1..) => Ok(options.params.get(n - 1).map_or("", String::as_str)),
        Ok(_) => Err(no_param(digits)),
        Err(_) if digits.is_empty() => {
            let next = next.map_or(String::new(), String::from);
            Err(format!(
                "a number belongs after the '$' of '${next}', as in $1; for a plain '$' put this part in quotes"
            ))
        }
        Err(_) => Err(no_param(digits)),
    }
}

fn no_param(digits: &str) -> String {
    format!("there is no parameter ${digits}: they are numbered from $1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Result<(String, String, Option<String>), String> {
        let options = Options { params: vec!["sched:x$2".into(), "b".into()], ..Options::default() };
        let p = split(text, &options, "each")?;
        Ok((p.provider, p.args.join("|"), p.line.map(|l| l.join("|"))))
    }

    #[test]
    fn colons_quotes_and_parameters() {
        let ok = |text: &str, args: &str| assert_eq!(parts(text).unwrap().1, args, "{text}");
        ok("kprobe", "");
        ok("kprobe:", "");
        ok("u:/bin/a:b", "/bin/a|b");
        ok("u:\"/bin/a:b\":c", "/bin/a:b|c");
        ok(r#"u:"a\"b":c"#, "a\"b|c");
        ok("t:$1", "sched|x$2");
        ok("t:$2$3c", "bc");
        ok("t:$*:x", "each|x");
    }

    #[test]
    fn source_lines() {
        let line = |text: &str| parts(text).unwrap();
        assert_eq!(line("kprobe@a/b.c:12"), ("kprobe".into(), "".into(), Some("a/b.c|12".into())));
        assert_eq!(line("k:f@b.c:1:2"), ("k".into(), "f".into(), Some("b.c|1|2".into())));
    }

    #[test]
    fn wrong_parameters() {
        assert!(parts("k:$x").unwrap_err().contains("'$x'"));
        assert_eq!(parts("k:$0").unwrap_err(), "there is no parameter $0: they are numbered from $1");
    }
}
