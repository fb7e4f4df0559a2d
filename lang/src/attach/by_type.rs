//! Functions by the type of an argument: `kprobe:tcp_*(struct sk_buff *)`.

use super::{Refusal, Request};
use crate::system::{Answer, ArgumentType, Keyword, SystemError, Taker};
use crate::types::{AddrSpace, StructKind, Type};

/// The argument by whose type a function was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Matched {
    /// Its type.
    pub ty: Type,
    /// How many words of arguments come before it.
    pub word: u8,
}

/// The functions that an attach point names by the type of an argument, and what `arg_match` is there; `None` where it names
/// no type.
pub(super) fn find<'a>(
    request: &Request,
    module: Option<&str>,
    func: &'a str,
) -> Result<Result<(Vec<Taker>, Type), &'a str>, Refusal> {
    let (pattern, ty) = match split(func).map_err(|m| request.error(m))? {
        (_, None) => return Ok(Err(func)),
        (pattern, Some(ty)) => (pattern, ty),
    };
    let what = module.map_or(func.to_string(), |m| format!("{m}:{func}"));
    let missing = |e| request.missing(&what, e);
    let value = value_type(request, &ty).map_err(missing)?;
    let takers = request.system.kernel_functions_taking(module, pattern, Some(&ty)).map_err(missing)?;
    if takers.is_empty() {
        let none = format!("no function that matches '{pattern}' takes a {ty} in a register");
        return Err(missing(SystemError::new(none)));
    }
    Ok(Ok((takers, value)))
}

/// `PATTERN(TYPE)` in its parts.
pub fn split(func: &str) -> Result<(&str, Option<ArgumentType>), String> {
    let Some((pattern, rest)) = func.split_once('(') else { return Ok((func, None)) };
    let text = rest.strip_suffix(')').ok_or_else(|| {
        format!("the type of an argument ends with a parenthesis, and nothing follows it: '({rest}'")
    })?;
    let ty = argument_type(text).ok_or_else(|| {
        format!("'{text}' is not a type that functions can be found by: write for example (struct sk_buff *)")
    })?;
    Ok((if pattern.is_empty() { "*" } else { pattern }, Some(ty)))
}

fn argument_type(text: &str) -> Option<ArgumentType> {
    let text = text.trim();
    let named = text.trim_end_matches(|c: char| c == '*' || c.is_whitespace());
    let pointers = text[named.len()..].matches('*').count() as u32;
    let mut words: Vec<&str> = named.split_whitespace().filter(|w| !is_qualifier(w)).collect();
    let keyword = match words.first() {
        Some(&"struct") => Keyword::Struct,
        Some(&"union") => Keyword::Union,
        Some(&"enum") => Keyword::Enum,
        _ => Keyword::None,
    };
    if keyword != Keyword::None {
        words.remove(0);
    }
    let is_word = |w: &&str| w.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let count = if keyword == Keyword::None { 1..=4 } else { 1..=1 };
    let fits = count.contains(&words.len()) && words.iter().all(is_word);
    fits.then(|| ArgumentType { keyword, name: words.join(" ").into(), pointers })
}

/// Whether an argument is `const` makes no difference to who looks at it.
fn is_qualifier(word: &str) -> bool {
    matches!(word, "const" | "volatile" | "restrict")
}

/// The type in the language's terms.
fn value_type(request: &Request, ty: &ArgumentType) -> Answer<Type> {
    let system = request.system;
    let mut value = match ty.keyword {
        Keyword::Struct => Type::Struct(system.struct_type(StructKind::Struct, &ty.name)?),
        Keyword::Union => Type::Struct(system.struct_type(StructKind::Union, &ty.name)?),
        Keyword::Enum => Type::Enum(system.enum_type(&ty.name)?),
        Keyword::None if &*ty.name == "void" => Type::Void,
        Keyword::None => system.named_type(&ty.name)?,
    };
    for _ in 0..ty.pointers {
        value = Type::ptr(value, AddrSpace::Kernel);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_in_their_parts() {
        let parts = |text: &str| {
            let (pattern, ty) = split(text).unwrap();
            let ty = ty.unwrap();
            (pattern.to_owned(), ty.keyword, ty.name.to_string(), ty.pointers)
        };
        let owned = |p: &str, k, n: &str, s| (p.to_owned(), k, n.to_owned(), s);
        assert_eq!(parts("ip_*(struct sk_buff *)"), owned("ip_*", Keyword::Struct, "sk_buff", 1));
        assert_eq!(parts("(const struct sk_buff*)"), owned("*", Keyword::Struct, "sk_buff", 1));
        assert_eq!(parts("*( union u * * )"), owned("*", Keyword::Union, "u", 2));
        assert_eq!(parts("f(unsigned long)"), owned("f", Keyword::None, "unsigned long", 0));
        assert_eq!(parts("f(enum e)"), owned("f", Keyword::Enum, "e", 0));
        assert_eq!(split("vfs_*"), Ok(("vfs_*", None)));
    }

    #[test]
    fn what_is_no_type() {
        for text in ["f()", "f(*)", "f(struct)", "f(struct a b)", "f(int, int)", "f(a*b)", "f(a", "f(a)b"] {
            assert!(split(text).is_err(), "{text}");
        }
    }
}
