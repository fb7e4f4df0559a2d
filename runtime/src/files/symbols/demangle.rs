//! C++ and Rust names as they are written in the source.

/// The name for reading; as it is where it is not mangled. Names of C are the common case and cost
/// a look at two bytes.
pub fn demangle(name: &str) -> String {
    if !name.starts_with("_Z") && !name.starts_with("_R") && !name.starts_with("__Z") {
        return name.to_string();
    }
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        return format!("{rust:#}");
    }
    // A suffix of the compiler (`.cold`, `.part.0`, `.isra.0`) is no part of the mangled name.
    let (mangled, suffix) = name.split_at(name.find('.').unwrap_or(name.len()));
    let parsed = cpp_demangle::Symbol::new(mangled).ok();
    match parsed.and_then(|s| s.demangle().ok()) {
        Some(plain) if suffix.is_empty() => plain,
        Some(plain) => format!("{plain} [clone {suffix}]"),
        None => name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::demangle;

    #[test]
    fn names_of_each_language() {
        assert_eq!(demangle("main"), "main");
        assert_eq!(demangle("_ZN3foo3barEi"), "foo::bar(int)");
        assert_eq!(demangle("_ZN3foo3barEi.cold"), "foo::bar(int) [clone .cold]");
        assert_eq!(
            demangle("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE"),
            "core::fmt::Write::write_fmt"
        );
        assert_eq!(demangle("_RNvC7mycrate4main"), "mycrate::main");
        assert_eq!(demangle("_Znonsense"), "_Znonsense");
        assert_eq!(demangle("_Z"), "_Z");
    }
}
