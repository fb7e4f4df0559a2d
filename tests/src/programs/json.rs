//! Just enough JSON to read what the tracer prints.

use std::collections::BTreeMap;

/// A value. Texts that spell an integer are that integer: 64-bit numbers are printed as texts where readers would round them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Json {
    Null,
    Flag(bool),
    Number(i128),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// Text, or the number that it spells.
    pub fn text(s: String) -> Json {
        match s.parse() {
            Ok(n) if i128::to_string(&n) == s => Json::Number(n),
            _ => Json::Text(s),
        }
    }

    /// A member of an object.
    pub fn get(&self, key: &str) -> Option<&Json> {
        if let Json::Object(o) = self { o.get(key) } else { None }
    }
}

/// Reads one value.
pub fn parse(text: &str) -> Option<Json> {
    let mut p = Parser { rest: text };
    let value = p.value()?;
    p.blanks();
    p.rest.is_empty().then_some(value)
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, what: &str) -> Option<()> {
        self.blanks();
        self.rest = self.rest.strip_prefix(what)?;
        Some(())
    }

    fn value(&mut self) -> Option<Json> {
        self.blanks();
        match self.rest.chars().next()? {
            '{' => self.object(),
            '[' => self.list(),
            '"' => self.string().map(Json::text),
            't' => self.eat("true").map(|()| Json::Flag(true)),
            'f' => self.eat("false").map(|()| Json::Flag(false)),
            'n' => self.eat("null").map(|()| Json::Null),
            _ => self.number(),
        }
    }

    fn number(&mut self) -> Option<Json> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        self.rest = rest;
        number.parse().ok().map(Json::Number)
    }

    fn list(&mut self) -> Option<Json> {
        self.eat("[")?;
        let mut list = vec![];
        while self.eat("]").is_none() {
            if !list.is_empty() {
                self.eat(",")?;
            }
            list.push(self.value()?);
        }
        Some(Json::List(list))
    }

    fn object(&mut self) -> Option<Json> {
        self.eat("{")?;
        let mut object = BTreeMap::new();
        while self.eat("}").is_none() {
            if !object.is_empty() {
                self.eat(",")?;
            }
            self.blanks();
            let key = self.string()?;
            self.eat(":")?;
            object.insert(key, self.value()?);
        }
        Some(Json::Object(object))
    }

    fn string(&mut self) -> Option<String> {
        self.rest = self.rest.strip_prefix('"')?;
        let mut out = String::new();
        loop {
            let c = self.next()?;
            match c {
                '"' => return Some(out),
                '\\' => out.push(self.escape()?),
                c => out.push(c),
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let hex = self.rest.get(..4)?;
                self.rest = &self.rest[4..];
                char::from_u32(u32::from_str_radix(hex, 16).ok()?)?
            }
            c => c,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_printed() {
        let line =
            r#"{"type": "map", "data": {"@m": {"1,a\"b": [-3,"18446744073709551615",true,{"x":[]}]}}}"#;
        let inner = Json::List(vec![
            Json::Number(-3),
            Json::Number(u64::MAX.into()),
            Json::Flag(true),
            Json::Object([("x".to_owned(), Json::List(vec![]))].into()),
        ]);
        let got = parse(line).unwrap();
        assert_eq!(got.get("data").unwrap().get("@m").unwrap().get("1,a\"b"), Some(&inner));
        assert_eq!(parse("[1,"), None);
        assert_eq!(parse(r#""007""#), Some(Json::Text("007".into())));
    }
}
