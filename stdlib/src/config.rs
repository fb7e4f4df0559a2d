//! Config variables: what a script's `config` block and the environment can set.

/// A config variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigVar {
    /// Its name; the environment's is `BPFTRACE_` and the name in capitals.
    pub name: &'static str,
    /// What it takes.
    pub kind: ConfigKind,
    /// The default as text.
    pub default: &'static str,
    /// One line.
    pub brief: &'static str,
}

/// What a config variable takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigKind {
    /// A number from the first to the second.
    Number(u64, u64),
    /// `true`, `false`, `1`, `0`.
    Bool,
    /// Any text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
}

const fn number(
    name: &'static str,
    range: (u64, u64),
    default: &'static str,
    brief: &'static str,
) -> ConfigVar {
    ConfigVar { name, kind: ConfigKind::Number(range.0, range.1), default, brief }
}

const fn flag(name: &'static str, default: &'static str, brief: &'static str) -> ConfigVar {
    ConfigVar { name, kind: ConfigKind::Bool, default, brief }
}

const U32_MAX: u64 = u32::MAX as u64;
const FEATURE: ConfigKind = ConfigKind::Word(&["error", "warn", "enable"]);

/// All config variables, by name.
pub const CONFIG: &[ConfigVar] = &[
    ConfigVar {
        name: "cache_user_symbols",
        kind: ConfigKind::Word(&["PER_PROGRAM", "PER_PID", "NONE"]),
        default: "PER_PID",
        brief: "Without effect: symbols of user programs are kept for each process.",
    },
    flag("cpp_demangle", "true", "Show C++ and Rust symbols as their source names them."),
    flag(
        "lazy_symbolication",
        "false",
        "Without effect: user symbols are always resolved when they are printed.",
    ),
    ConfigVar {
        name: "license",
        kind: ConfigKind::Word(&[
            "Dual MIT/GPL",
            "Dual BSD/GPL",
            "Dual MPL/GPL",
            "GPL and additional rights",
            "GPL v2",
            "GPL",
        ]),
        default: "GPL",
        brief: "Licence under which programs are loaded.",
    },
    number("log_size", (1, U32_MAX), "1000000", "Bytes of the verifier's log."),
    number("max_bpf_progs", (1, U32_MAX), "1024", "Most programs."),
    number("max_cat_bytes", (1, U32_MAX), "10240", "Most bytes that cat() prints."),
    number("max_map_keys", (1, U32_MAX), "4096", "Most entries of a map that is not declared."),
    number("max_probes", (1, U32_MAX), "1024", "Most attach points."),
    number("max_strlen", (1, 1 << 20), "1024", "Most bytes that str() and buf() read."),
    ConfigVar {
        name: "missing_probes",
        kind: ConfigKind::Word(&["error", "warn", "ignore"]),
        default: "error",
        brief: "What to do with probes that do not exist or cannot be attached.",
    },
    number(
        "on_stack_limit",
        (0, 512),
        "32",
        "Without effect: the compiler finds a place for values of any size.",
    ),
    number("perf_rb_pages", (1, U32_MAX), "by memory", "Pages of the ring buffer."),
    flag("print_maps_on_exit", "true", "Print all maps at the end."),
    flag("show_debug_info", "true", "Show source lines and inlined functions in stacks."),
    ConfigVar {
        name: "stack_mode",
        kind: ConfigKind::Word(&["bpftrace", "perf", "raw", "build_id"]),
        default: "bpftrace",
        brief: "How stacks are printed.",
    },
    ConfigVar {
        name: "str_trunc_trailer",
        kind: ConfigKind::Text,
        default: "..",
        brief: "What follows a text that was cut.",
    },
    ConfigVar {
        name: "symbol_source",
        kind: ConfigKind::Text,
        default: "",
        brief: "Without effect: symbols come from wherever there are any.",
    },
    ConfigVar {
        name: "unstable_dw_ustack",
        kind: FEATURE,
        default: "warn",
        brief: "May user stacks be unwound by DWARF?",
    },
    ConfigVar { name: "unstable_map_decl", kind: FEATURE, default: "warn", brief: "May maps be declared?" },
    ConfigVar { name: "unstable_tseries", kind: FEATURE, default: "warn", brief: "May time series be used?" },
    ConfigVar {
        name: "unstable_typeinfo",
        kind: FEATURE,
        default: "enable",
        brief: "May typeinfo() be used?",
    },
];

/// `BPFTRACE_MAX_STRLEN`, `MAX_STRLEN` → `max_strlen`.
pub fn plain_name(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    lower.strip_prefix("bpftrace_").unwrap_or(&lower).to_string()
}

impl ConfigVar {
    /// Does it allow or forbid a feature of the language?
    pub fn is_feature(&self) -> bool {
        self.kind == FEATURE
    }

    /// Is this a value that the variable takes?
    pub fn accepts(&self, value: &str) -> bool {
        match self.kind {
            ConfigKind::Number(least, most) => value.parse().is_ok_and(|n: u64| (least..=most).contains(&n)),
            ConfigKind::Bool => as_bool(value).is_some(),
            ConfigKind::Text => true,
            ConfigKind::Word(words) => words.contains(&value),
        }
    }

    /// What it takes, in words: for the message that refuses a value.
    pub fn expects(&self) -> String {
        match self.kind {
            ConfigKind::Number(least, most) => format!("a number from {least} to {most}"),
            ConfigKind::Bool => "true or false".into(),
            ConfigKind::Text => "a text".into(),
            ConfigKind::Word(words) => words.join(", "),
        }
    }
}

/// `true`, `1`, `false`, `0`.
pub fn as_bool(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {

    #[test]
    fn values_are_checked() {
        let strlen = crate::config_var("max_strlen").unwrap();
        assert!(strlen.accepts("64") && !strlen.accepts("0") && !strlen.accepts("many"));
        let missing = crate::config_var("missing_probes").unwrap();
        assert!(missing.accepts("warn") && !missing.accepts("true"));
        assert_eq!(missing.expects(), "error, warn, ignore");
    }
}
