//! The interactive prompt: one program at a time, with history and multi-line input.
//!
//! Enter runs what is typed once its brackets are closed. Ctrl-C stops a running program and drops
//! a half-typed one; Ctrl-D leaves. Lines that begin with `:` are commands of the prompt itself.

mod complete;
mod history;

use complete::State;
use rbtrace_runtime::show::terminal::message as complain;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

/// What the prompt asks of the rest of the program.
pub(crate) trait Host {
    /// Compiles and runs a program until it ends or Ctrl-C; errors are shown by the host.
    fn run(&mut self, text: &str);
    /// Runs a script file.
    fn load(&mut self, path: &str);
    /// Lists probes that match.
    fn list(&mut self, pattern: &str);
    /// Shows a function's source lines.
    fn lines(&mut self, func: &str);
    /// Explains a function, builtin or probe kind; all names where `name` is empty.
    fn help(&mut self, name: &str);
    /// Words that can be completed.
    fn words(&self) -> Vec<String>;
}

/// The text of `:help`.
const HELP: &str = "\
Type a program, for example   kprobe:vfs_read { @[comm] = count(); }
It runs when its brackets are closed; Ctrl-C stops it and shows its maps. Ctrl-D leaves.
  :list PATTERN   probes that match            :lines FUNC   source lines of a kernel function
  :load FILE      run a script                 :help NAME    explain a function, builtin or probe kind
  :quit           leave";

/// Runs the prompt until the user leaves. Returns an error only where the terminal fails.
pub(crate) fn run(host: &mut dyn Host) -> anyhow::Result<()> {
    let config = Config::builder()
        .history_ignore_dups(true)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .build();
    let mut editor: Editor<Prompt, FileHistory> = Editor::with_config(config)?;
    editor.set_helper(Some(Prompt { words: host.words() }));
    let history = history::path();
    if let Some(path) = &history {
        // A first start has no history yet.
        let _ = history::load(path, editor.history_mut());
    }
    crate::say(&format!("rbtrace {}: a program, or :help\n", env!("CARGO_PKG_VERSION")));
    loop {
        match editor.readline("rbtrace> ") {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => {
                editor.add_history_entry(line.as_str())?;
                if !obey(host, line.trim()) {
                    break;
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(e) => return Err(e.into()),
        }
    }
    if let Some(path) = &history
        && let Err(e) = history::save(path, editor.history())
    {
        complain(&format!("WARNING: the history could not be written to {}: {e}\n", path.display()));
    }
    Ok(())
}

/// Does what a line says; false to leave.
fn obey(host: &mut dyn Host, line: &str) -> bool {
    let Some(command) = line.strip_prefix(':') else {
        host.run(line);
        return true;
    };
    let (name, arg) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let arg = arg.trim();
    match name {
        "q" | "quit" | "exit" => return false,
        "h" | "help" if arg.is_empty() => crate::say(&format!("{HELP}\n")),
        "h" | "help" => host.help(arg),
        "list" => host.list(arg),
        "lines" if arg.is_empty() => complain("ERROR: :lines wants a function's name\n"),
        "lines" => host.lines(arg),
        "load" => host.load(arg),
        other => complain(&format!("ERROR: no command :{other}\n{HELP}\n")),
    }
    true
}

/// The line editor's helper: multi-line input and completion.
struct Prompt {
    words: Vec<String>,
}

impl Validator for Prompt {
    fn validate(&self, ctx: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = ctx.input();
        if text.trim_start().starts_with(':') {
            return Ok(ValidationResult::Valid(None));
        }
        Ok(match complete::state(text) {
            State::Complete => ValidationResult::Valid(None),
            State::Open(_) => ValidationResult::Incomplete,
        })
    }
}

impl Completer for Prompt {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = &line[..pos];
        let start = before
            .rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
            .map_or(0, |i| i + before[i..].chars().next().map_or(1, char::len_utf8));
        let prefix = &before[start..];
        if prefix.is_empty() {
            return Ok((pos, vec![]));
        }
        let pairs = self
            .words
            .iter()
            .filter(|w| w.starts_with(prefix))
            .map(|w| Pair { display: w.clone(), replacement: w.clone() })
            .collect();
        Ok((start, pairs))
    }
}

impl Hinter for Prompt {
    type Hint = String;
}
impl Highlighter for Prompt {}
impl Helper for Prompt {}
