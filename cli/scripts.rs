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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_says_what_it_does() {
        for script in SCRIPTS {
            assert!(!script.help().is_empty(), "{} has no header comment", script.name);
        }
    }
}
