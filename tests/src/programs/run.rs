//! Runs one program, and holds what it prints against the evaluator.

use super::ast::Program;
use super::evaluate::{self, Output};
use super::json::{self, Json};
use super::{text, world};
use crate::process::{ATTACHED, code};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The runner's options.
pub struct Settings {
    /// The tracer, as words.
    pub command: Vec<String>,
    /// Only whether it loads is of interest.
    pub loads_only: bool,
    /// The longest that a program may take.
    pub limit: Duration,
}

/// The verdict on a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It loads and prints what it must.
    Right,
    /// The kernel refuses it; the message.
    Refused(String),
    /// The text is too large for this kernel, by the tracer's own word.
    TooLarge(String),
    /// The checker refuses it; the message.
    Rejected(String),
    /// It prints something else; the difference.
    Wrong(String),
    /// It does not end, dies, or prints nonsense.
    Broken(String),
}

impl Verdict {
    /// The verdict's word, the same for all programs that it is passed on.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Right => "right",
            Verdict::Refused(_) => "refused",
            Verdict::TooLarge(_) => "too large",
            Verdict::Rejected(_) => "rejected",
            Verdict::Wrong(_) => "wrong",
            Verdict::Broken(_) => "broken",
        }
    }

    /// Its details.
    pub fn details(&self) -> &str {
        match self {
            Verdict::Right => "",
            Verdict::Refused(t) | Verdict::TooLarge(t) | Verdict::Rejected(t) => t,
            Verdict::Wrong(t) | Verdict::Broken(t) => t,
        }
    }
}

/// What a run said.
struct Ended {
    status: Option<i32>,
    out: Vec<String>,
    err: String,
}

/// Runs a program and judges it.
pub fn run(p: &Program, settings: &Settings, traced: &world::Traced) -> Verdict {
    let ended = match execute(p, settings, traced) {
        Ok(ended) => ended,
        Err(e) => return Verdict::Broken(format!("cannot run it: {e}")),
    };
    match ended.status {
        None => Verdict::Broken(format!("no end in time\n{}", ended.err)),
        Some(0) if settings.loads_only => Verdict::Right,
        Some(0) => compare(&evaluate::evaluate(p), &ended),
        Some(s) if s > 128 && s < 255 => {
            Verdict::Broken(format!("died by signal {}\n{}", s - 128, ended.err))
        }
        Some(_) => refusal(ended.err),
    }
}

fn refusal(err: String) -> Verdict {
    let kernel =
        ["The kernel refused", "verifier", "Error loading", "rror loading BPF", "bytes of BPF stack"];
    // What is answered before there is `bpf_loop` and what came with it.
    let too_large = [
        "too large for this kernel",
        "before Linux 5.17",
        "This kernel cannot",
        "this kernel cannot",
        "follows each loop round by round",
        "too long to be searched",
    ];
    if err.contains("panicked") {
        Verdict::Broken(err)
    } else if too_large.iter().any(|t| err.contains(t)) {
        Verdict::TooLarge(err)
    } else if kernel.iter().any(|t| err.contains(t)) {
        Verdict::Refused(err)
    } else {
        Verdict::Rejected(err)
    }
}

fn execute(p: &Program, settings: &Settings, traced: &world::Traced) -> std::io::Result<Ended> {
    let until = Instant::now() + settings.limit;
    let mut command = Command::new(&settings.command[0]);
    command.args(&settings.command[1..]).args(["-f", "json", "-e", &text::program(p)]);
    command.arg(std::process::id().to_string()).env(ATTACHED, "1").process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let out = child.stdout.take().map(lines);
    let err = child.stderr.take().map(|mut pipe| {
        std::thread::spawn(move || {
            let mut bytes = vec![];
            let _ = pipe.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        })
    });
    let mut lines = vec![];
    if let Some(out) = out {
        gather(&child, &out, &mut lines, p, traced, until);
    }
    let status = wait(&mut child, until);
    let err = err.and_then(|e| e.join().ok()).unwrap_or_default();
    Ok(Ended { status, out: lines, err })
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (to, from) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            if to.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });
    from
}

/// Gathers the output; makes the system calls once the program is attached, then ends it.
fn gather(
    child: &Child,
    out: &Receiver<String>,
    lines: &mut Vec<String>,
    p: &Program,
    traced: &world::Traced,
    until: Instant,
) {
    loop {
        match out.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if line.starts_with("{\"type\": \"attached_probes\"") && !p.calls.is_empty() {
                    p.calls.iter().for_each(|c| traced.call(*c));
                    crate::sys::kill_group(child.id(), libc::SIGINT);
                }
                lines.push(line);
            }
            Err(RecvTimeoutError::Timeout) => return crate::sys::kill_group(child.id(), libc::SIGKILL),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn wait(child: &mut Child, until: Instant) -> Option<i32> {
    while Instant::now() < until {
        match child.try_wait() {
            Ok(Some(status)) => return Some(code(status)),
            Ok(None) => std::thread::sleep(Duration::from_millis(1)),
            Err(_) => return None,
        }
    }
    crate::sys::kill_group(child.id(), libc::SIGKILL);
    let _ = child.wait();
    None
}

/// What it printed, in the evaluator's terms; the line that cannot be read otherwise.
fn read(lines: &[String]) -> Result<Output, String> {
    let mut out = Output::default();
    for line in lines.iter().filter(|l| !l.is_empty() && *l != ATTACHED) {
        let value = json::parse(line).ok_or_else(|| format!("not JSON: {line}"))?;
        let kind = value.get("type").cloned();
        let Some(data) = value.get("data") else { continue };
        match kind {
            Some(Json::Text(t)) if t == "attached_probes" => {}
            Some(Json::Text(t)) if t == "printf" || t == "value" => out.lines.push(data.clone()),
            _ => {
                let Json::Object(maps) = data else { return Err(format!("no map: {line}")) };
                out.maps.extend(maps.iter().map(|(name, v)| (name.clone(), full_buckets(v.clone()))));
            }
        }
    }
    Ok(out)
}

/// Leaves out the buckets that nothing fell into.
fn full_buckets(v: Json) -> Json {
    match v {
        Json::List(of) if of.iter().all(|b| b.get("count").is_some()) => {
            Json::List(of.into_iter().filter(|b| b.get("count") != Some(&Json::Number(0))).collect())
        }
        Json::Object(of) => Json::Object(of.into_iter().map(|(k, v)| (k, full_buckets(v))).collect()),
        v => v,
    }
}

fn compare(expected: &Output, ended: &Ended) -> Verdict {
    let got = match read(&ended.out) {
        Ok(got) => got,
        Err(what) => return Verdict::Broken(what),
    };
    if got == *expected {
        return Verdict::Right;
    }
    let mut text = String::new();
    for i in 0..expected.lines.len().max(got.lines.len()) {
        differ(&mut text, &format!("line {}", i + 1), expected.lines.get(i), got.lines.get(i));
    }
    let names: std::collections::BTreeSet<_> = expected.maps.keys().chain(got.maps.keys()).collect();
    for name in names {
        differ(&mut text, name, expected.maps.get(name), got.maps.get(name));
    }
    text += &ended.err;
    Verdict::Wrong(text)
}

fn differ(text: &mut String, what: &str, expected: Option<&Json>, got: Option<&Json>) {
    if expected == got || text.len() > 4000 {
        return;
    }
    if let (Some(Json::Object(a)), Some(Json::Object(b))) = (expected, got) {
        let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
        for k in keys {
            differ(text, &format!("{what}[{k}]"), a.get(k), b.get(k));
        }
        return;
    }
    let show = |v: Option<&Json>| v.map_or("nothing".into(), |v| format!("{v:?}"));
    let _ = writeln!(text, "{what}: expected {}, got {}", show(expected), show(got));
}
