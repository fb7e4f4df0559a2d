//! Which attach points of a script are wanted: `--probe-filter`.

use crate::hir::{AttachPoint, Program};
use crate::target::Target;
use crate::{Diagnostic, Span};
use std::fmt;

/// Decides by name.
pub trait NameFilter: fmt::Debug {
    /// Is the attach point of this name wanted?
    fn wants(&self, name: &str) -> bool;
}

/// The error where no attach point is left. Its last line stands for "Attached N probes", which tools wait for.
pub(crate) fn nothing_left(why: &str) -> Diagnostic {
    let message = format!("{why}\nNo probes to attach");
    Diagnostic { span: None, ..Diagnostic::error(Span::default(), message) }
}

/// Takes the attach points that are not wanted out of a typed program. `begin`, `end` and signals stay: they belong to
/// the run, not to what is traced. What is taken out has been typed, so that its maps keep their types.
pub(crate) fn only(program: &mut Program, filter: &dyn NameFilter) -> Option<Diagnostic> {
    for probe in &mut program.probes {
        probe.attach.retain(|point| belongs_to_the_run(point) || filter.wants(&point.name));
    }
    program.probes.retain(|probe| !probe.attach.is_empty());
    program.probes.is_empty().then(|| nothing_left("--probe-filter leaves none of the probes"))
}

fn belongs_to_the_run(point: &AttachPoint) -> bool {
    matches!(point.target, Target::Begin | Target::End | Target::SelfSignal(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;
    use crate::{Options, Source, compile};
    use std::rc::Rc;

    #[derive(Debug)]
    struct Part(&'static str);

    impl NameFilter for Part {
        fn wants(&self, name: &str) -> bool {
            name.contains(self.0)
        }
    }

    fn left(text: &str, part: &'static str) -> Result<Vec<String>, Vec<String>> {
        let options = Options { probe_filter: Some(Rc::new(Part(part))), ..Options::default() };
        let typed = compile(Source::new("stdin", text), &options, &Fixture::new());
        if typed.failed() {
            return Err(typed.diagnostics.into_iter().map(|d| d.message).collect());
        }
        let probes = typed.program.into_iter().flat_map(|p| p.probes);
        Ok(probes.flat_map(|p| p.attach).map(|point| point.name.to_string()).collect())
    }

    #[test]
    fn what_does_not_match_is_left_out_and_still_gives_maps_their_types() {
        let text = "begin { } interval:ms:100 { @a = \"x\"; } interval:ms:200 { print(@a); } end { }";
        assert_eq!(left(text, ":200").unwrap(), ["begin", "interval:ms:200", "end"]);
        assert_eq!(left("i:s:1,i:s:2 { }", ":2").unwrap(), ["interval:s:2"]);
    }

    #[test]
    fn nothing_left_is_an_error_even_where_what_is_left_out_does_not_exist() {
        let none = ["--probe-filter leaves none of the probes\nNo probes to attach"];
        assert_eq!(left("i:s:1 { }", "nosuch").unwrap_err(), none);
        assert_eq!(left("kprobe:nosuchfunction { }", "interval").unwrap_err(), none);
        assert!(left("kprobe:nosuchfunction { }", "function").is_err_and(|e| e != none));
    }
}
