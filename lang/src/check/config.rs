//! The `config` block and the environment's settings.

use crate::hir::{Config, MissingProbes};
use crate::types::StackMode;
use crate::{Diagnostic, Options, Span, ast};
use rbtrace_stdlib as stdlib;

/// Settings: those that later stages read, and those that only typing needs.
pub(crate) struct Settings {
    pub config: Config,
    /// How stacks print that do not say.
    pub stack_mode: StackMode,
    /// Features that the script or the environment forbids.
    forbidden: Vec<&'static str>,
}

/// A feature that may be forbidden by a config variable.
#[derive(Clone, Copy)]
pub(crate) enum Unstable {
    TimeSeries,
    MapDeclarations,
    TypeInfo,
    Unwinding,
}

impl Unstable {
    fn variable(self) -> &'static str {
        match self {
            Unstable::TimeSeries => "unstable_tseries",
            Unstable::MapDeclarations => "unstable_map_decl",
            Unstable::TypeInfo => "unstable_typeinfo",
            Unstable::Unwinding => "unstable_dw_ustack",
        }
    }
}

impl Settings {
    /// An error where this feature is used and forbidden.
    pub(crate) fn refusal(&self, feature: Unstable, span: Span) -> Option<Diagnostic> {
        let variable = feature.variable();
        let message = format!("this is forbidden here: {variable} is set to error");
        let hint = format!("set {variable} to enable, or leave it out");
        self.forbidden.contains(&variable).then(|| Diagnostic::error(span, message).hint(hint))
    }
}

/// Reads the script's block, then the environment, which wins.
pub(crate) fn read(script: &ast::Script, options: &Options, diags: &mut Vec<Diagnostic>) -> Settings {
    let mut settings =
        Settings { config: Config::default(), stack_mode: StackMode::Bpftrace, forbidden: vec![] };
    for entry in &script.config {
        let place = (entry.name.span, entry.span);
        if let Err(d) = set(&mut settings, &entry.name.text, &entry.value, Some(place)) {
            diags.push(*d);
        }
        diags.extend(without_effect(&entry.name.text, &entry.value, Some(entry.span)));
    }
    for (name, value) in &options.env_config {
        if let Err(d) = set(&mut settings, name, value, None) {
            diags.push(*d);
        }
        diags.extend(without_effect(name, value, None));
    }
    settings
}

/// Sets one variable; `place` is that of the name and of the value, `None` for the environment.
fn set(
    settings: &mut Settings,
    name: &str,
    value: &str,
    place: Option<(Span, Span)>,
) -> Result<(), Box<Diagnostic>> {
    let error = |span: Option<Span>, message: String| {
        Box::new(Diagnostic { span, ..Diagnostic::error(Span::default(), message) })
    };
    let Some(var) = stdlib::config_var(name) else {
        let mut d = error(place.map(|p| p.0), format!("there is no config variable '{name}'"));
        d.hints.extend(super::suggest::did_you_mean(
            &stdlib::config::plain_name(name),
            stdlib::CONFIG.iter().map(|c| c.name),
        ));
        return Err(d);
    };
    let value = value.trim().trim_matches('"');
    if !var.accepts(value) {
        let message = format!("{} cannot be '{value}': it takes {}", var.name, var.expects());
        return Err(error(place.map(|p| p.1), message));
    }
    settings.forbidden.retain(|name| *name != var.name);
    if var.is_feature() && value == "error" {
        settings.forbidden.push(var.name);
    }
    apply(settings, var.name, value);
    Ok(())
}

/// The value was accepted before.
fn apply(settings: &mut Settings, name: &str, value: &str) {
    let c = &mut settings.config;
    let number = || value.parse().unwrap_or_default();
    let flag = || stdlib::config::as_bool(value).unwrap_or_default();
    match name {
        "cpp_demangle" => c.cpp_demangle = flag(),
        "lazy_symbolication" => c.lazy_symbolication = flag(),
        "license" => c.license = value.into(),
        "log_size" => c.log_size = number(),
        "max_bpf_progs" => c.max_bpf_progs = number(),
        "max_cat_bytes" => c.max_cat_bytes = number(),
        "max_map_keys" => c.max_map_keys = number(),
        "max_probes" => c.max_probes = number(),
        "max_strlen" => c.max_strlen = number(),
        "missing_probes" => {
            c.missing_probes = match value {
                "warn" => MissingProbes::Warn,
                "ignore" => MissingProbes::Ignore,
                _ => MissingProbes::Error,
            }
        }
        "on_stack_limit" => c.on_stack_limit = number(),
        "perf_rb_pages" => c.perf_rb_pages = Some(number()),
        "print_maps_on_exit" => c.print_maps_on_exit = flag(),
        "show_debug_info" => c.show_debug_info = flag(),
        "stack_mode" => settings.stack_mode = stack_mode(value).unwrap_or(StackMode::Bpftrace),
        "str_trunc_trailer" => c.str_trunc_trailer = value.into(),
        // Accepted for the scripts that set them; `without_effect` says so.
        _ => {}
    }
}

/// A warning for what can be set but changes nothing here.
fn without_effect(name: &str, value: &str, span: Option<Span>) -> Option<Diagnostic> {
    let name = stdlib::config_var(name)?.name;
    let why = match (name, value.trim().trim_matches('"')) {
        ("cache_user_symbols", "PER_PROGRAM" | "NONE") => "symbols are kept for each process",
        ("lazy_symbolication", v) if stdlib::config::as_bool(v) == Some(true) => {
            "symbols are always resolved when they are printed"
        }
        ("on_stack_limit", v) if v != "32" => "the compiler finds a place for values of any size",
        ("symbol_source", _) => "symbols come from wherever there are any",
        _ => return None,
    };
    let warning = Diagnostic::warning(Span::default(), format!("{name} has no effect here: {why}"));
    Some(Diagnostic { span, ..warning })
}

/// The name of a stack mode.
pub(crate) fn stack_mode_name(mode: StackMode) -> &'static str {
    match mode {
        StackMode::Bpftrace => "bpftrace",
        StackMode::Perf => "perf",
        StackMode::Raw => "raw",
        StackMode::BuildId => "build_id",
    }
}

/// The stack mode of this name.
pub(crate) fn stack_mode(name: &str) -> Option<StackMode> {
    Some(match name {
        "bpftrace" => StackMode::Bpftrace,
        "perf" => StackMode::Perf,
        "raw" => StackMode::Raw,
        "build_id" => StackMode::BuildId,
        _ => return None,
    })
}
