//! Functions: name, parameters, permissions and documentation of each, grouped by what they are for.

mod aggregations;
mod maps;
mod meta;
mod network;
mod not_yet;
mod output;
mod process;
mod symbols;
mod text;
mod time;

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A map by name: `@m`.
    Map,
    /// Any value, type or place: the function decides.
    Any,
    /// An integer (bools and enums count).
    Int,
    /// An integer that is known when the script is compiled.
    ConstInt,
    /// Text of any origin.
    Text,
    /// A text literal.
    Literal,
    /// An integer or pointer: an address.
    Address,
    /// A bare word such as `perf` or `boot`.
    Word,
    /// A bool or what converts to one.
    Bool,
}

/// One parameter of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name in the documentation and in messages.
    pub name: &'static str,
    /// What it takes: the checker types the argument by it.
    pub kind: Kind,
    /// May it be left out?
    pub optional: bool,
}

/// A function of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Parameters in order; optional ones last (stacks: first).
    pub params: &'static [Param],
    /// More arguments of any type may follow.
    pub variadic: bool,
    /// What it gives, as the documentation names it.
    pub result: &'static str,
    /// Only with `--unsafe`.
    pub needs_unsafe: bool,
    /// Kinds of probes in which it may be used; empty: all.
    pub probes: &'static [&'static str],
    /// Lowest kernel, where that is newer than 5.10's.
    pub kernel: Option<&'static str>,
    /// False: the name is known, but cannot be used yet.
    pub supported: bool,
    /// One line.
    pub brief: &'static str,
    /// What else is worth knowing; may be empty.
    pub doc: &'static str,
    /// A program or an expression that shows it.
    pub example: &'static str,
}

impl Function {
    /// A function that may be used everywhere; the table's entries override what differs.
    pub const PLAIN: Function = Function {
        name: "",
        params: &[],
        variadic: false,
        result: "void",
        needs_unsafe: false,
        probes: &[],
        kernel: None,
        supported: true,
        brief: "",
        doc: "",
        example: "",
    };

    /// Fewest arguments.
    pub fn min_args(&self) -> usize {
        self.params.iter().filter(|p| !p.optional).count()
    }

    /// Most arguments; `None` where any number may follow.
    pub fn max_args(&self) -> Option<usize> {
        (!self.variadic).then_some(self.params.len())
    }

    /// `void print(any value, [int top], [int div])`
    pub fn signature(&self) -> String {
        let mut params: Vec<String> = self.params.iter().map(Param::text).collect();
        if self.variadic {
            params.push("...".into());
        }
        format!("{} {}({})", self.result, self.name, params.join(", "))
    }
}

impl Param {
    fn text(&self) -> String {
        let kind = match self.kind {
            Kind::Map => "map",
            Kind::Any => "any",
            Kind::Int => "int",
            Kind::ConstInt => "const int",
            Kind::Text => "string",
            Kind::Literal => "const string",
            Kind::Address => "void *",
            Kind::Word => "word",
            Kind::Bool => "bool",
        };
        if self.optional { format!("[{kind} {}]", self.name) } else { format!("{kind} {}", self.name) }
    }
}

/// A parameter that must be given.
const fn param(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, optional: false }
}

/// A parameter that may be left out.
const fn optional(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, optional: true }
}

/// All functions, by group; those that are not supported yet come last.
pub fn functions() -> impl Iterator<Item = &'static Function> {
    [
        output::OUTPUT,
        maps::MAPS,
        aggregations::AGGREGATIONS,
        text::TEXT,
        time::TIME,
        symbols::SYMBOLS,
        network::NETWORK,
        process::PROCESS,
        meta::META,
        not_yet::NOT_YET,
    ]
    .into_iter()
    .flatten()
}

/// Those that can be used.
pub fn supported_functions() -> impl Iterator<Item = &'static Function> {
    functions().filter(|f| f.supported)
}

#[cfg(test)]
mod tests {
    #[test]
    fn signature_shows_optional_and_further_arguments() {
        let of = |name| crate::function(name).map(super::Function::signature);
        assert_eq!(of("printf").as_deref(), Some("void printf(const string format, ...)"));
        assert_eq!(of("print").as_deref(), Some("void print(any value, [const int top], [const int div])"));
    }
}
