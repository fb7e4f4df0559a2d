//! The one way from a script's text to what the runtime loads: for the command line, the prompt, tests and editors.

use crate::kernel::{Feature, Kernel};
use crate::object::{MapKind, Object};
use rbtrace_lang::{Diagnostic, Options, Source, Span, System, Typed};

/// What became of a script's text.
#[derive(Debug)]
pub struct Compilation {
    /// What could be read and typed, and all messages, those of code generation included.
    pub typed: Typed,
    /// What to load; `None` where a message is an error.
    pub object: Option<Object>,
}

/// The config variable that decides how long texts are.
const MAX_STRLEN: &str = "max_strlen";
/// Its values for kernels whose maps take keys of 512 bytes at most, for keys of one, two or several texts.
const SHORTER: [u32; 3] = [480, 232, 96];

/// Compiles a script for this system and kernel. Where the kernel does not take the keys that it makes, texts are
/// read shorter, which is a warning.
pub fn compile(script: Source, options: &Options, system: &dyn System, kernel: &dyn Kernel) -> Compilation {
    let Source { name, text } = script;
    let once = |options: &Options| {
        let script = Source { name: name.clone(), text: text.clone() };
        once(script, options, system, kernel)
    };
    let compiled = once(options);
    let asked_for = options.env_config.iter().any(|(name, _)| name == MAX_STRLEN);
    if asked_for || !has_long_keys(&compiled) || kernel.has(Feature::LongKeys) {
        return compiled;
    }
    let attempts = SHORTER.into_iter().map(|most| {
        let mut options = options.clone();
        options.env_config.push((MAX_STRLEN.to_owned(), most.to_string()));
        let mut shorter = once(&options);
        shorter.typed.diagnostics.push(shortened(most));
        shorter
    });
    attempts.into_iter().find(|shorter| !has_long_keys(shorter)).unwrap_or(compiled)
}

/// Is there a key that only newer kernels take?
fn has_long_keys(compiled: &Compilation) -> bool {
    const MOST: u32 = 512;
    let hash = [MapKind::Hash, MapKind::PerCpuHash, MapKind::LruHash, MapKind::LruPerCpuHash];
    let maps = compiled.object.iter().flat_map(|o| &o.maps);
    maps.into_iter().any(|m| hash.contains(&m.kind) && m.key_size > MOST)
}

fn shortened(most: u32) -> Diagnostic {
    let text = format!(
        "texts are read up to {most} bytes, since this kernel takes no keys of more than 512 (5.11 does)"
    );
    let warning = Diagnostic { span: None, ..Diagnostic::warning(Span::default(), text) };
    warning.hint(format!("set {MAX_STRLEN} to {most} or less, and this warning goes"))
}

fn once(script: Source, options: &Options, system: &dyn System, kernel: &dyn Kernel) -> Compilation {
    let mut typed = rbtrace_lang::compile(script, options, system);
    if typed.failed() {
        return Compilation { typed, object: None };
    }
    let object = typed.program.as_ref().map(|program| crate::compile(program, kernel));
    let object = object.and_then(|result| result.map_err(|errors| typed.diagnostics.extend(errors)).ok());
    Compilation { typed, object }
}
