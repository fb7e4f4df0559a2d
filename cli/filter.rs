//! `--probe-filter REGEX`.

use rbtrace_lang::select::NameFilter;
use regex_lite::Regex;
use std::rc::Rc;

/// Wants the names in which a regular expression matches somewhere.
#[derive(Debug)]
struct Matching(Regex);

impl NameFilter for Matching {
    fn wants(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

/// The filter that the option's value describes.
pub(crate) fn of(pattern: &str) -> Result<Rc<dyn NameFilter>, String> {
    match Regex::new(pattern) {
        Ok(regex) => Ok(Rc::new(Matching(regex))),
        Err(why) => Err(format!("Invalid --probe-filter regex '{pattern}': {why}")),
    }
}
