//! The case format: `key: value` lines and indented blocks.

use anyhow::{Context as _, Result, bail};
use std::path::Path;

/// How rbtrace is brought to its end once the commands beside it are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By SIGINT, as Ctrl-C does.
    Interrupt,
    /// By SIGTERM.
    Terminate,
    /// Not at all: the script ends itself.
    Wait,
}

/// The exit status that a case expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Exactly this one; 128 + N for a death by signal N.
    Is(i32),
    /// Anything but 0.
    NonZero,
}

/// One end-to-end case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Unique over all files; `FILE/NAME` where FILE is the case file's stem.
    pub name: String,
    /// The program text, in the environment of `run` as `$PROGRAM`.
    pub program: String,
    /// Words put before `-e "$PROGRAM"`.
    pub args: String,
    /// The whole command in shell, instead of `$RBTRACE ARGS -e "$PROGRAM"`.
    pub run: String,
    /// Shell commands before rbtrace starts; a failure fails the case.
    pub setup: String,
    /// Shell commands once rbtrace is attached; a failure fails the case.
    pub beside: String,
    /// Shell commands at the end, whatever happened.
    pub cleanup: String,
    /// What rbtrace reads from its standard input.
    pub stdin: String,
    /// Expected output as a whole, line by line; `None`: not looked at.
    pub stdout: Option<Vec<String>>,
    /// Lines that must be there.
    pub stdout_has: Vec<String>,
    /// Lines that must not be there.
    pub stdout_lacks: Vec<String>,
    /// As `stdout`, for standard error.
    pub stderr: Option<Vec<String>>,
    /// Lines that must be on standard error.
    pub stderr_has: Vec<String>,
    /// Lines that must not be on standard error.
    pub stderr_lacks: Vec<String>,
    /// Expected exit status.
    pub status: Status,
    /// What the machine must have (see [`crate::requires`]).
    pub requires: Vec<String>,
    /// Seconds for the whole case, multiplied by the machine's scale.
    pub timeout: u32,
    /// How the program is ended.
    pub end: End,
    /// Why bpftrace answers otherwise; such a case is skipped when it is bpftrace that is tested.
    pub better: String,
}

impl Case {
    fn new(name: String) -> Case {
        Case {
            name,
            program: String::new(),
            args: String::new(),
            run: String::new(),
            setup: String::new(),
            beside: String::new(),
            cleanup: String::new(),
            stdin: String::new(),
            stdout: None,
            stdout_has: vec![],
            stdout_lacks: vec![],
            stderr: None,
            stderr_has: vec![],
            stderr_lacks: vec![],
            status: Status::Is(0),
            requires: vec![],
            timeout: 10,
            end: End::Interrupt,
            better: String::new(),
        }
    }

    /// The shell command of this case.
    pub fn command(&self) -> String {
        if self.run.is_empty() {
            format!("exec $RBTRACE {} -e \"$PROGRAM\"", self.args)
        } else {
            self.run.clone()
        }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let lines = || value.lines().map(str::to_owned).collect::<Vec<_>>();
        match key {
            "program" => self.program = value.into(),
            "args" => self.args = value.into(),
            "run" => self.run = value.into(),
            "setup" => self.setup = value.into(),
            "beside" => self.beside = value.into(),
            "cleanup" => self.cleanup = value.into(),
            "stdin" => self.stdin = format!("{value}\n"),
            "stdout" => self.stdout = Some(lines()),
            "stdout-has" => self.stdout_has = lines(),
            "stdout-lacks" => self.stdout_lacks = lines(),
            "stderr" => self.stderr = Some(lines()),
            "stderr-has" => self.stderr_has = lines(),
            "stderr-lacks" => self.stderr_lacks = lines(),
            "status" => self.status = parse_status(value)?,
            "requires" => self.requires = value.split_whitespace().map(str::to_owned).collect(),
            "timeout" => self.timeout = value.parse().context("timeout wants seconds")?,
            "end" => self.end = parse_end(value)?,
            "better" => self.better = value.into(),
            _ => bail!("unknown key `{key}`"),
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        if self.program.is_empty() == self.run.is_empty() && !self.run.contains("$PROGRAM") {
            bail!("case `{}` needs either a program or a run line", self.name);
        }
        for p in self.patterns() {
            crate::pattern::Line::parse(p)
                .with_context(|| format!("case `{}`: bad pattern {p}", self.name))?;
        }
        Ok(())
    }

    fn patterns(&self) -> impl Iterator<Item = &String> {
        let whole = [&self.stdout, &self.stderr].into_iter().flatten().flatten();
        let single = [&self.stdout_has, &self.stdout_lacks, &self.stderr_has, &self.stderr_lacks];
        whole.chain(single.into_iter().flatten())
    }
}

fn parse_status(value: &str) -> Result<Status> {
    if value == "nonzero" {
        return Ok(Status::NonZero);
    }
    Ok(Status::Is(value.parse().context("status wants a number or `nonzero`")?))
}

fn parse_end(value: &str) -> Result<End> {
    Ok(match value {
        "INT" => End::Interrupt,
        "TERM" => End::Terminate,
        "wait" => End::Wait,
        _ => bail!("end wants INT, TERM or wait"),
    })
}

/// Reads the cases of one text; `stem` goes before each name.
///
/// Errors name the line.
pub fn parse(stem: &str, text: &str) -> Result<Vec<Case>> {
    let mut cases: Vec<Case> = vec![];
    let mut lines = text.lines().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let place = || format!("{stem}.case:{}", at + 1);
        let Some((key, value)) = line.split_once(':').filter(|_| !line.starts_with(' ')) else {
            bail!("{}: neither `key: value` nor part of a block: {line}", place());
        };
        let mut value = value.trim().to_owned();
        if value.is_empty() {
            value = block(&mut lines);
        }
        if key == "case" {
            cases.push(Case::new(format!("{stem}/{value}")));
        } else {
            let case =
                cases.last_mut().with_context(|| format!("{}: a key before the first case", place()))?;
            case.set(key, &value).with_context(place)?;
        }
    }
    cases.iter().try_for_each(Case::check)?;
    Ok(cases)
}

/// Takes the indented lines that follow, without their common indentation and without blank lines at the end.
fn block<'a>(lines: &mut std::iter::Peekable<impl Iterator<Item = (usize, &'a str)>>) -> String {
    let mut taken = vec![];
    while let Some((_, line)) = lines.next_if(|(_, l)| l.starts_with("  ") || l.trim().is_empty()) {
        taken.push(line);
    }
    while taken.last().is_some_and(|l| l.trim().is_empty()) {
        taken.pop();
    }
    let indent = taken.iter().filter(|l| !l.trim().is_empty()).map(|l| l.len() - l.trim_start().len()).min();
    let strip = |l: &&str| l.get(indent.unwrap_or(0)..).unwrap_or("").to_owned();
    taken.iter().map(strip).collect::<Vec<_>>().join("\n")
}

/// Reads every `*.case` file of a folder, in the order of their names.
pub fn load(dir: &Path) -> Result<Vec<Case>> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .with_context(|| format!("cannot read {}", dir.display()))?
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "case"))
        .collect();
    files.sort();
    let mut cases = vec![];
    for file in &files {
        let text = std::fs::read_to_string(file)?;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        cases.extend(parse(&stem, &text)?);
    }
    let mut names: Vec<_> = cases.iter().map(|c| &c.name).collect();
    names.sort();
    if let Some(w) = names.windows(2).find(|w| w[0] == w[1]) {
        bail!("two cases are named {}", w[0]);
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# a comment
case: one
program: BEGIN { exit(); }
requires: root kernel>=6.6
stdout:
  a

    b
status: 3

case: two
run: $RBTRACE -V
stdout-has:
  /v[0-9]/
end: wait
";

    #[test]
    fn keys_and_blocks() {
        let cases = parse("f", TEXT).unwrap();
        assert_eq!(cases.len(), 2);
        assert_eq!(cases[0].name, "f/one");
        assert_eq!(cases[0].requires, ["root", "kernel>=6.6"]);
        assert_eq!(cases[0].stdout.as_deref().unwrap(), ["a", "", "  b"]);
        assert_eq!(cases[0].status, Status::Is(3));
        assert_eq!(cases[1].end, End::Wait);
        assert_eq!(cases[1].command(), "$RBTRACE -V");
    }

    #[test]
    fn mistakes_name_their_line() {
        let err = |t| format!("{:#}", parse("f", t).unwrap_err());
        assert!(err("case: a\nprogramm: x\n").contains("f.case:2"), "{}", err("case: a\nprogramm: x\n"));
        assert!(err("program: x\n").contains("before the first case"));
        assert!(err("case: a\n").contains("needs either"));
        assert!(err("case: a\nprogram: x\nstdout-has: /(/\n").contains("bad pattern"));
    }

    fn of_this_repository() -> Vec<Case> {
        load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")).unwrap()
    }

    #[test]
    fn the_cases_of_this_repository_are_well_formed() {
        assert!(!of_this_repository().is_empty());
    }

    #[test]
    fn guarantees_name_cases_that_exist() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guarantees.md");
        let text = std::fs::read_to_string(path).unwrap();
        let names: Vec<String> = of_this_repository().into_iter().map(|c| c.name).collect();
        let held = text.lines().filter_map(|l| l.trim().strip_prefix("Held by:"));
        let words = held.flat_map(|l| l.split([' ', ',', ';'])).map(|w| w.trim_end_matches('.'));
        let mut seen = 0;
        for word in words.filter(|w| w.contains('/') && !w.contains(".rs") && !w.starts_with("lang/")) {
            let found = match word.strip_suffix('*') {
                Some(stem) => names.iter().any(|n| n.starts_with(stem)),
                None => names.iter().any(|n| n == word),
            };
            assert!(found, "no case {word}");
            seen += 1;
        }
        assert!(seen > 10);
    }
}
