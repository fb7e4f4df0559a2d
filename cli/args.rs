//! The command line.

use crate::{filter, refused, scripts};
use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};
use rbtrace_lang::select::NameFilter;
use rbtrace_lang::target::Purpose;
use rbtrace_runtime::show::lines;
use rbtrace_runtime::show::sink::Buffering;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Largest process id that Linux gives (`PID_MAX_LIMIT`, include/linux/threads.h).
const PID_MAX: u64 = 4 * 1024 * 1024;

/// Where a script's text comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    /// `-e`
    Text(String),
    /// A path.
    File(PathBuf),
    /// `-`
    Stdin,
    /// A bundled script.
    Bundled(&'static scripts::Script),
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    Help,
    /// `NAME --help`
    ScriptHelp(&'static scripts::Script),
    Version,
    Info,
    /// `-l PATTERN`
    List(Option<String>),
    /// `-l` with a program: its probes.
    ListProgram(Source),
    /// `lines FUNC`, with `-f tsv` for programs
    Lines(String, lines::Format),
    /// `help NAME`; the empty name for all of them
    Explain(String),
    /// `check FILE…`
    Check(Vec<Source>),
    /// `--fmt FILE…`
    Format(Vec<Source>),
    /// Run a script.
    Run(Source),
    /// Nothing was named: the prompt.
    Prompt,
}

/// Stages that `-d` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Ast,
    Hir,
    Ir,
    Bpf,
}

/// The command line.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) action: Action,
    /// `$1`, `$2`, …
    pub(crate) params: Vec<String>,
    /// After `--`.
    pub(crate) named_params: Vec<(String, Option<String>)>,
    pub(crate) verbose: bool,
    pub(crate) quiet: bool,
    pub(crate) warn_reads: bool,
    pub(crate) no_warnings: bool,
    pub(crate) allow_unsafe: bool,
    pub(crate) dry_run: bool,
    /// Only the script's blocks for this purpose are run.
    pub(crate) blocks: Option<Purpose>,
    pub(crate) pid: Option<i32>,
    /// `--dwarf-pid PID`, any number of them
    pub(crate) unwound: Vec<i32>,
    pub(crate) command: Option<String>,
    pub(crate) output: Option<PathBuf>,
    pub(crate) format: Format,
    pub(crate) buffering: Buffering,
    pub(crate) stages: Vec<Stage>,
    /// `--debuginfo DIR`
    pub(crate) debug_folders: Vec<PathBuf>,
    /// `--btf FILE`
    pub(crate) btf: Option<PathBuf>,
    /// `-I DIR`
    pub(crate) include_dirs: Vec<PathBuf>,
    /// `--include FILE`
    pub(crate) includes: Vec<String>,
    /// `--probe-filter REGEX`
    pub(crate) probe_filter: Option<Rc<dyn NameFilter>>,
    /// `--no-feature LIST`: features of the kernel that are not to be used.
    pub(crate) without: Vec<String>,
    /// `--stats`
    pub(crate) stats: bool,
    /// `--max-overhead PERCENT`
    pub(crate) max_overhead: Option<f64>,
    /// `--traceable-functions FILE`
    pub(crate) traceable: Option<PathBuf>,
}

fn flag(name: &'static str, short: Option<char>) -> Arg {
    let arg = Arg::new(name).long(name).action(ArgAction::SetTrue).overrides_with(name);
    short.into_iter().fold(arg, Arg::short)
}

fn value(name: &'static str, short: Option<char>) -> Arg {
    let arg = Arg::new(name).long(name).action(ArgAction::Append).allow_hyphen_values(true);
    short.into_iter().fold(arg, Arg::short)
}

fn command() -> Command {
    Command::new("rbtrace")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args([
            flag("help", Some('h')),
            flag("version", Some('V')),
            flag("info", None),
            flag("list", Some('l')),
            flag("verbose", Some('v')),
            flag("quiet", Some('q')),
            flag("warnings", Some('k')),
            flag("no-warnings", None),
            flag("unsafe", None),
            flag("dry-run", None),
            flag("verify-llvm-ir", None),
            flag("usdt-file-activation", None),
            flag("stats", None),
            flag("fmt", None),
            flag("test", None),
            flag("bench", None),
        ])
        .args([
            value("execute", Some('e')),
            value("pid", Some('p')),
            value("dwarf-pid", None),
            value("cmd", Some('c')),
            value("output", Some('o')),
            value("format", Some('f')),
            value("buffer", Some('B')),
            value("debug", Some('d')),
            value("include-dir", Some('I')),
            value("include", None),
            value("btf", None),
            value("debuginfo", None),
            value("mode", None),
            value("probe-filter", None),
            value("no-feature", None),
            value("max-overhead", None),
            value("traceable-functions", None),
            Arg::new("words").action(ArgAction::Append).num_args(0..),
        ])
        .args(refused::args())
}

impl Args {
    /// Reads the process's arguments.
    pub(crate) fn from_env() -> Result<Args, String> {
        let words =
            std::env::args_os().map(|w| w.into_string().map_err(|w| w.to_string_lossy().into_owned()));
        let words: Vec<String> =
            words.collect::<Result<_, _>>().map_err(|w| format!("'{w}' is not valid UTF-8"))?;
        Args::parse(&words)
    }

    /// Reads arguments; the first word is the program's name.
    pub(crate) fn parse(words: &[String]) -> Result<Args, String> {
        let end = words.iter().position(|w| w == "--").unwrap_or(words.len());
        let matches = command().try_get_matches_from(&words[..end]).map_err(|e| explain(&e))?;
        refused::check(&matches)?;
        let after = words.get(end + 1..).unwrap_or(&[]);
        let (named, plain): (Vec<&String>, Vec<&String>) = after.iter().partition(|w| w.starts_with("--"));
        let mut free: Vec<String> = all(&matches, "words");
        let mut action = action(&matches, &mut free)?;
        let mut form = last(&matches, "format");
        if let Action::Lines(_, shape) = &mut action {
            *shape = form.take().map_or(Ok(lines::Format::Text), |f| lines_format(&f))?;
        }
        free.extend(plain.into_iter().cloned());
        let args = Args {
            action,
            params: free,
            named_params: named.into_iter().map(|w| named_param(w)).collect(),
            verbose: matches.get_flag("verbose"),
            quiet: matches.get_flag("quiet"),
            warn_reads: matches.get_flag("warnings"),
            no_warnings: matches.get_flag("no-warnings"),
            allow_unsafe: matches.get_flag("unsafe"),
            dry_run: matches.get_flag("dry-run"),
            blocks: blocks(&matches)?,
            pid: last(&matches, "pid").map(|p| pid(&p)).transpose()?,
            unwound: all(&matches, "dwarf-pid").iter().map(|p| pid(p)).collect::<Result<_, _>>()?,
            command: last(&matches, "cmd"),
            output: last(&matches, "output").map(PathBuf::from),
            format: form.map_or(Ok(Format::Text), |f| format(&f))?,
            buffering: last(&matches, "buffer").map_or(Ok(Buffering::Line), |b| buffering(&b))?,
            stages: all(&matches, "debug").iter().map(|d| stages(d)).collect::<Result<Vec<_>, _>>()?.concat(),
            btf: last(&matches, "btf").map(PathBuf::from),
            debug_folders: folders(&all(&matches, "debuginfo")),
            include_dirs: all(&matches, "include-dir").into_iter().map(PathBuf::from).collect(),
            includes: all(&matches, "include"),
            probe_filter: last(&matches, "probe-filter").map(|f| filter::of(&f)).transpose()?,
            without: features(&all(&matches, "no-feature"))?,
            stats: matches.get_flag("stats"),
            max_overhead: last(&matches, "max-overhead").map(|p| percent(&p)).transpose()?,
            traceable: last(&matches, "traceable-functions").map(PathBuf::from),
        };
        args.consistent()
    }

    fn consistent(self) -> Result<Args, String> {
        if self.command.is_some() && self.pid.is_some() {
            return Err("-c and -p exclude each other".into());
        }
        if self.warn_reads && self.no_warnings {
            return Err("-k and --no-warnings exclude each other".into());
        }
        Ok(self)
    }
}

/// `DIR[:DIR]`, any number of times.
fn folders(lists: &[String]) -> Vec<PathBuf> {
    lists.iter().flat_map(|list| list.split(':')).filter(|f| !f.is_empty()).map(PathBuf::from).collect()
}

fn all(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches.get_many::<String>(name).map(|v| v.cloned().collect()).unwrap_or_default()
}

fn last(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.get_many::<String>(name)?.next_back().cloned()
}

fn explain(error: &clap::Error) -> String {
    let named = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument => format!("unknown option '{}'", named(ContextKind::InvalidArg)),
        ErrorKind::InvalidValue | ErrorKind::NoEquals => {
            format!("option '{}' needs a value", named(ContextKind::InvalidArg))
        }
        _ => error.to_string().trim().trim_start_matches("error: ").to_owned(),
    }
}

/// The blocks that are to be run: `--test`, `--bench`, `--mode test`.
fn blocks(matches: &ArgMatches) -> Result<Option<Purpose>, String> {
    let of_mode = match last(matches, "mode").as_deref() {
        Some("test") => Some(Purpose::Test),
        Some("bench") => Some(Purpose::Bench),
        Some(_) if matches.get_flag("test") || matches.get_flag("bench") => {
            return Err("--test and --bench are modes of their own: give no other".into());
        }
        _ => None,
    };
    let asked = [("test", Purpose::Test), ("bench", Purpose::Bench)];
    let flags = asked.into_iter().filter(|(name, _)| matches.get_flag(name)).map(|(_, purpose)| purpose);
    let mut wanted = of_mode.into_iter().chain(flags);
    match (wanted.next(), wanted.next()) {
        (Some(first), Some(second)) if first != second => Err("--test and --bench exclude each other".into()),
        (purpose, _) => Ok(purpose),
    }
}

/// What to do; takes from `words` what belongs to it and leaves the script's parameters.
fn action(matches: &ArgMatches, words: &mut Vec<String>) -> Result<Action, String> {
    if matches.get_flag("help")
        && let Some(Source::Bundled(script)) = words.first().map(|w| source(w))
    {
        return Ok(Action::ScriptHelp(script));
    }
    for (name, action) in [("help", Action::Help), ("version", Action::Version), ("info", Action::Info)] {
        if matches.get_flag(name) {
            return Ok(action);
        }
    }
    let text = last(matches, "execute");
    if matches.get_flag("list") {
        let word = (text.is_none() && !words.is_empty()).then(|| words.remove(0));
        return Ok(match (text, word) {
            (Some(text), _) => Action::ListProgram(Source::Text(text)),
            (None, Some(word)) if Path::new(&word).is_file() => {
                Action::ListProgram(Source::File(word.into()))
            }
            (None, word) => Action::List(word),
        });
    }
    if matches.get_flag("fmt") || last(matches, "mode").as_deref() == Some("format") {
        return to_format(text, words);
    }
    let check_only = match last(matches, "mode").as_deref() {
        None => false,
        Some("codegen") => true,
        Some("test" | "bench") => false,
        Some(mode) => {
            let why = refused::mode(mode).unwrap_or("the modes are codegen, test and bench");
            return Err(format!("--mode {mode} is not supported\nHINT: {why}"));
        }
    };
    let source = match text {
        Some(text) => Source::Text(text),
        None if words.is_empty() => return Ok(Action::Prompt),
        None => match verb(words)? {
            Ok(action) => return Ok(action),
            Err(source) => source,
        },
    };
    Ok(if check_only { Action::Check(vec![source]) } else { Action::Run(source) })
}

/// What `--fmt` formats.
fn to_format(text: Option<String>, words: &mut Vec<String>) -> Result<Action, String> {
    let files = words.drain(..).map(|word| source(&word));
    let sources: Vec<Source> = text.map(Source::Text).into_iter().chain(files).collect();
    if sources.is_empty() { Err("--fmt needs a file".into()) } else { Ok(Action::Format(sources)) }
}

/// First words that are not scripts.
pub(crate) const VERBS: [&str; 3] = ["check", "help", "lines"];

/// A verb, or the script that the first word names. A verb wins over a file of its name (`./check` is the file):
/// what a command means must not depend on the folder it is given in.
fn verb(words: &mut Vec<String>) -> Result<Result<Action, Source>, String> {
    let first = words.remove(0);
    match first.as_str() {
        "check" if words.is_empty() => Err("check needs a file".into()),
        "check" => Ok(Ok(Action::Check(words.drain(..).map(|w| source(&w)).collect()))),
        "help" => Ok(Ok(Action::Explain(words.drain(..).next().unwrap_or_default()))),
        "lines" if words.is_empty() => Err("lines needs a function".into()),
        "lines" => Ok(Ok(Action::Lines(words.remove(0), lines::Format::default()))),
        _ => Ok(Err(source(&first))),
    }
}

/// A bundled script wins over a file of its name, which somebody else may have put into this folder
/// (`./retval` is the file).
fn source(word: &str) -> Source {
    match scripts::find(word) {
        _ if word == "-" => Source::Stdin,
        Some(script) => Source::Bundled(script),
        None => Source::File(word.into()),
    }
}

fn named_param(word: &str) -> (String, Option<String>) {
    let word = word.trim_start_matches("--");
    match word.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (word.to_owned(), None),
    }
}

fn pid(text: &str) -> Result<i32, String> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("a process id is a number, not '{text}'"));
    }
    match text.parse::<u64>() {
        Ok(n) if (1..=PID_MAX).contains(&n) => Ok(n as i32),
        _ => Err(format!("process ids go from 1 to {PID_MAX}: {text} is not one")),
    }
}

fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent.is_finite() => Ok(percent),
        _ => Err(format!("--max-overhead takes a number above 0, in percent of one CPU, not '{text}'")),
    }
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

fn format(text: &str) -> Result<Format, String> {
    match text {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        other => Err(format!("there is no output format '{other}'\nHINT: the formats are text and json")),
    }
}

fn lines_format(text: &str) -> Result<lines::Format, String> {
    let named = lines::Format::named(text);
    named.ok_or_else(|| format!("lines has no output format '{text}'\nHINT: the formats are text and tsv"))
}

fn buffering(text: &str) -> Result<Buffering, String> {
    match text {
        "none" => Ok(Buffering::None),
        "line" => Ok(Buffering::Line),
        "full" => Ok(Buffering::Full),
        _ => Err("-B takes line, full or none".into()),
    }
}

/// Features that `--no-feature` can name.
const FEATURES: [&str; 3] = ["uprobe_multi", "kprobe_multi", "kprobe_session"];

fn features(lists: &[String]) -> Result<Vec<String>, String> {
    let names: Vec<String> = lists.iter().flat_map(|list| list.split(',')).map(str::to_owned).collect();
    match names.iter().find(|name| !FEATURES.contains(&name.as_str())) {
        Some(name) => Err(format!(
            "--no-feature does not know '{name}'\nHINT: what can be left out is {}",
            FEATURES.join(", ")
        )),
        None => Ok(names),
    }
}

/// The stages of a list with commas.
fn stages(text: &str) -> Result<Vec<Stage>, String> {
    let stages = text.split(',').filter(|name| !name.is_empty()).map(stage);
    Ok(stages.collect::<Result<Vec<_>, _>>()?.concat())
}

fn stage(text: &str) -> Result<Vec<Stage>, String> {
    Ok(match text {
        "ast" | "parse" => vec![Stage::Ast],
        "hir" | "typed" | "types" => vec![Stage::Hir],
        "ir" | "codegen" | "codegen-opt" => vec![Stage::Ir],
        "bpf" | "dis" => vec![Stage::Bpf],
        "all" => vec![Stage::Ast, Stage::Hir, Stage::Ir, Stage::Bpf],
        other => {
            let why = refused::stage(other).unwrap_or("the stages are ast, hir, ir, bpf, all");
            return Err(format!("-d has no stage '{other}'\nHINT: {why}"));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        let words: Vec<String> =
            std::iter::once("rbtrace").chain(line.split('|')).map(str::to_owned).collect();
        Args::parse(&words)
    }

    #[test]
    fn options_and_parameters_mix() {
        let args = parse("-q|-e|BEGIN { }|a|--unsafe|-5|--|--x=1|--flag|b").err();
        // A parameter that looks like an option must follow `--`.
        assert_eq!(args.as_deref(), Some("unknown option '-5'"));
        let args = parse("-q|-e|BEGIN { }|a|--unsafe|--|--x=1|--flag|b").unwrap();
        assert_eq!(args.action, Action::Run(Source::Text("BEGIN { }".into())));
        assert_eq!(args.params, ["a", "b"]);
        assert_eq!(args.named_params, [("x".into(), Some("1".into())), ("flag".into(), None)]);
        assert!(args.quiet && args.allow_unsafe);
    }

    #[test]
    fn help_of_a_script() {
        assert!(
            matches!(parse("skbdrop|--help").unwrap().action, Action::ScriptHelp(s) if s.name == "skbdrop")
        );
        assert_eq!(parse("--help").unwrap().action, Action::Help);
        assert_eq!(parse("/no/such.bt|--help").unwrap().action, Action::Help);
    }

    #[test]
    fn short_flags_join() {
        let args = parse("-lv|kprobe:*").unwrap();
        assert_eq!(args.action, Action::List(Some("kprobe:*".into())));
        assert!(args.verbose);
    }

    #[test]
    fn lists_of_a_program() {
        let action = |line| parse(line).unwrap().action;
        assert_eq!(action("-l|-e|BEGIN { }"), Action::ListProgram(Source::Text("BEGIN { }".into())));
        assert_eq!(action("-l"), Action::List(None));
    }

    #[test]
    fn process_ids_are_checked() {
        let error = |line| parse(line).unwrap_err();
        assert_eq!(error("-p|a1111|-e|x"), "a process id is a number, not 'a1111'");
        assert_eq!(error("-p|111a1|-e|x"), "a process id is a number, not '111a1'");
        assert_eq!(error("-p|5000000|-e|x"), "process ids go from 1 to 4194304: 5000000 is not one");
        assert_eq!(parse("-p|12|-e|x").unwrap().pid, Some(12));
    }

    #[test]
    fn features_and_stages_are_lists() {
        assert_eq!(parse("--no-feature|kprobe_multi,uprobe_multi|-e|x").unwrap().without.len(), 2);
        let error = parse("--no-feature|kprobe_multi,nosuch|-e|x").unwrap_err();
        assert_eq!(error.lines().next(), Some("--no-feature does not know 'nosuch'"));
        assert_eq!(parse("-d|ast,dis|-e|x").unwrap().stages, [Stage::Ast, Stage::Bpf]);
    }

    #[test]
    fn what_is_not_supported_is_refused_with_the_reason() {
        for (line, hint) in [
            ("--aot|/tmp/x|-e|x", "ahead"),
            ("--emit-elf|/tmp/x|-e|x", "-d bpf"),
            ("--mode|compiler-bench|-e|x", "check FILE"),
            ("-d|verifier|-e|x", "refused"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.lines().nth(1).is_some_and(|h| h.contains(hint)), "{line}: {error}");
        }
        assert!(parse("--max-overhead|0|-e|x").is_err());
        assert_eq!(parse("--max-overhead|2.5%|-e|x").unwrap().max_overhead, Some(2.5));
        assert!(parse("--probe-filter|[|-e|x").unwrap_err().starts_with("Invalid --probe-filter regex '['"));
    }

    #[test]
    fn verbs_and_scripts() {
        assert_eq!(
            parse("lines|vfs_read").unwrap().action,
            Action::Lines("vfs_read".into(), lines::Format::Text)
        );
        assert_eq!(parse("-").unwrap().action, Action::Run(Source::Stdin));
        assert_eq!(parse("nosuch.bt").unwrap().action, Action::Run(Source::File("nosuch.bt".into())));
        assert_eq!(parse("-d|nosuch|-e|x").unwrap_err().lines().next(), Some("-d has no stage 'nosuch'"));
    }
}
