//! Scripts that are part of the program.

include!(concat!(env!("OUT_DIR"), "/scripts.rs"));

/// A bundled script.
#[derive(Debug, PartialEq)]
pub(crate) struct Script {
    /// Its name, without `.bt`.
    pub(crate) name: &'static str,
    /// Its text.
    pub(crate) text: &'static str,
}

/// The script of this name.
pub(crate) fn find(name: &str) -> Option<&'static Script> {
    SCRIPTS.iter().find(|s| s.name == name)
}

impl Script {
    /// What its header says: the comment at its top.
    pub(crate) fn help(&self) -> String {
        let lines = self.text.lines().skip_while(|l| l.starts_with("#!"));
        let mut help = String::new();
        for line in lines.skip_while(|l| l.trim().is_empty()) {
            let Some(text) = line.strip_prefix("//") else { break };
            help.push_str(text.strip_prefix(' ').unwrap_or(text));
            help.push('\n');
        }
        help
    }

    /// How it is called, as its header says: `rbtrace retval FUNCTION...`.
    pub(crate) fn usage(&self) -> &'static str {
        let line = self.text.lines().find_map(|l| l.strip_prefix("// USAGE: "));
        line.unwrap_or(self.name)
    }

    /// The parameters that it cannot do without: what its usage names without brackets.
    pub(crate) fn needs(&self) -> Vec<&'static str> {
        let words = self.usage().split_whitespace().skip_while(|word| *word != self.name).skip(1);
        words.filter(|word| !word.starts_with(['[', '-'])).collect()
    }

    /// One line of what it does.
    pub(crate) fn brief(&self) -> &'static str {
        let line = self.text.lines().find_map(|l| l.strip_prefix("// "));
        line.and_then(|l| l.split_once(" - ")).map_or("", |(_, brief)| brief)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_says_what_it_does() {
        for script in SCRIPTS {
            assert!(!script.help().is_empty(), "{} has no header comment", script.name);
            assert!(script.usage().contains(script.name), "{} does not say how it is called", script.name);
            assert!(!script.brief().is_empty(), "{} does not say what it is", script.name);
        }
    }

    #[test]
    fn usage_names_the_parameters() {
        let needs = |name| find(name).map(Script::needs);
        assert_eq!(needs("retval"), Some(vec!["FUNCTION..."]));
        assert_eq!(needs("skbdrop"), Some(vec![]));
    }
}
