//! rbtrace's tables: one entry for each function, builtin and config variable, the constants of the
//! kernel's user-space API, and the library written in the language itself.
//!
//! **Invariant**: this crate is data. The type checker reads arity and permissions from it, help,
//! completion and the manual read the same entries; nothing here knows how an entry is compiled.

pub mod builtins;
pub mod config;
pub mod constants;
pub mod docs;
pub mod functions;
pub mod headers;
pub mod library;
pub mod probes;

pub use builtins::{BUILTINS, Builtin};
pub use config::{CONFIG, ConfigVar};
pub use functions::{Function, Kind, Param, functions, supported_functions};
pub use library::LIBRARY;
pub use probes::{PROBES, ProbeKind, probe_kind};

/// The function of this name.
pub fn function(name: &str) -> Option<&'static Function> {
    functions().find(|f| f.name == name)
}

/// The builtin of this name.
pub fn builtin(name: &str) -> Option<&'static Builtin> {
    BUILTINS.iter().find(|b| b.name == name)
}

/// The config variable of this name, as `max_strlen` or `BPFTRACE_MAX_STRLEN`.
pub fn config_var(name: &str) -> Option<&'static ConfigVar> {
    let plain = config::plain_name(name);
    CONFIG.iter().find(|c| c.name == plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = functions().map(|f| f.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn every_entry_is_documented() {
        for f in functions() {
            assert!(!f.brief.is_empty() && (!f.example.is_empty() || !f.supported), "{}", f.name);
        }
        for b in BUILTINS {
            assert!(!b.brief.is_empty() && !b.example.is_empty(), "{}", b.name);
        }
    }

    #[test]
    fn config_names_may_be_those_of_the_environment() {
        assert_eq!(config_var("BPFTRACE_MAX_STRLEN").map(|c| c.name), Some("max_strlen"));
        assert_eq!(config_var("MAX_STRLEN").map(|c| c.name), Some("max_strlen"));
        assert!(config_var("nosuch").is_none());
    }
}
