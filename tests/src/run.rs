//! Runs one case and judges it.

use crate::case::{Case, End, Status};
use crate::leftovers::Snapshot;
use crate::pattern;
use crate::process::{ATTACHED, Ended, Running};
use crate::requires::{self, Machine};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// What the command line asks for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The command that stands for rbtrace (`$RBTRACE`).
    pub rbtrace: String,
    /// Folder with `trigger` and the compiled test programs; first on the PATH.
    pub tools: String,
    /// Folder of the cases (`$CASES`), for the shell files beside them.
    pub cases: String,
    /// The binary under test is bpftrace: cases marked `better` are skipped.
    pub reference: bool,
    /// Factor for the cases' limits of time.
    pub scale: u32,
    /// Nobody else uses BPF on this machine: what stays behind is this case's fault.
    pub exclusive: bool,
    /// The machine.
    pub machine: Machine,
}

/// The verdict on one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All as expected.
    Passed,
    /// Not run, and why.
    Skipped(String),
    /// What went wrong, with everything that was printed.
    Failed(String),
}

/// Runs a case from setup to cleanup.
pub fn run(case: &Case, settings: &Settings) -> Outcome {
    if settings.reference && !case.better.is_empty() {
        return Outcome::Skipped(format!("better than bpftrace: {}", case.better));
    }
    if let Some(why) = requires::unsatisfied(&case.requires, settings.machine) {
        return Outcome::Skipped(why);
    }
    let limit = Duration::from_secs(u64::from(case.timeout * settings.scale));
    let before = settings.exclusive.then(Snapshot::take);
    let run = OneRun {
        case,
        env: environment(case, settings),
        until: Instant::now() + limit,
        grace: GRACE * settings.scale,
    };
    let result = run.all();
    let cleaned = run.script("cleanup", &case.cleanup);
    let patience = Duration::from_secs(2) * settings.scale;
    let left = before.map(|b| b.left_since(patience)).unwrap_or_default();
    match result.and(cleaned) {
        Err(what) => Outcome::Failed(what),
        Ok(()) if !left.is_empty() => Outcome::Failed(format!("left behind: {}\n", left.join(", "))),
        Ok(()) => Outcome::Passed,
    }
}

fn environment(case: &Case, settings: &Settings) -> Vec<(String, String)> {
    let path = std::env::var("PATH").unwrap_or_default();
    // Attach points such as `uprobe:TOOLS/uprobed:add` need the path itself.
    let program = case.program.replace("TOOLS/", &format!("{}/", settings.tools));
    let pairs = [
        ("RBTRACE", settings.rbtrace.as_str()),
        ("PROGRAM", &program),
        ("TOOLS", &settings.tools),
        ("CASES", &settings.cases),
        ("PATH", &format!("{}:{path}", settings.tools)),
        (ATTACHED, "1"),
    ];
    pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
}

struct OneRun<'a> {
    case: &'a Case,
    env: Vec<(String, String)>,
    until: Instant,
    grace: Duration,
}

impl OneRun<'_> {
    fn all(&self) -> Result<(), String> {
        self.script("setup", &self.case.setup)?;
        let (ended, beside) = self.trace()?;
        let mut faults = self.faults(&ended);
        if let Err(what) = beside {
            faults.push(what);
        }
        if faults.is_empty() { Ok(()) } else { Err(self.explain(&faults, &ended)) }
    }

    /// Runs rbtrace, and beside it what the case says, once it is attached.
    fn trace(&self) -> Result<(Ended, Result<(), String>), String> {
        let start = Running::start(&self.case.command(), &self.env, &self.case.stdin);
        let mut running = start.map_err(|e| format!("cannot start: {e}"))?;
        let mut beside = Ok(());
        if !self.case.beside.is_empty() {
            if running.wait_attached(self.until) {
                beside = self.script("beside", &self.case.beside);
                self.end(&running);
            } else {
                beside = Err("it did not attach".to_owned());
            }
        }
        Ok((running.finish(self.until), beside))
    }

    fn end(&self, running: &Running) {
        match self.case.end {
            End::Interrupt => running.signal(libc::SIGINT),
            End::Terminate => running.signal(libc::SIGTERM),
            End::Wait => {}
        }
    }

    fn script(&self, what: &str, text: &str) -> Result<(), String> {
        if text.is_empty() {
            return Ok(());
        }
        let running = Running::start(&format!("set -e\n{text}"), &self.env, "");
        let ended =
            running.map_err(|e| format!("{what}: {e}"))?.finish(self.until.max(Instant::now() + self.grace));
        match ended.status {
            Some(0) => Ok(()),
            status => {
                let status = status.map_or("no end in time".into(), |s| format!("status {s}"));
                Err(format!("{what}: {status}\n{}{}", indent(&ended.out), indent(&ended.err)))
            }
        }
    }

    fn faults(&self, ended: &Ended) -> Vec<String> {
        let (case, mut faults) = (self.case, vec![]);
        let out = without_word(&ended.out);
        let mut judge = |what: &str, verdict: Result<(), String>| {
            faults.extend(verdict.err().map(|e| format!("{what}: {e}")));
        };
        judge("status", status(case.status, ended.status));
        if let Some(lines) = &case.stdout {
            judge("stdout", pattern::whole(lines, &out));
        }
        if let Some(lines) = &case.stderr {
            judge("stderr", pattern::whole(lines, &ended.err));
        }
        judge("stdout", pattern::has(&case.stdout_has, &out));
        judge("stdout", pattern::lacks(&case.stdout_lacks, &out));
        judge("stderr", pattern::has(&case.stderr_has, &ended.err));
        judge("stderr", pattern::lacks(&case.stderr_lacks, &ended.err));
        faults
    }

    fn explain(&self, faults: &[String], ended: &Ended) -> String {
        let mut text = faults.join("\n");
        let status = ended.status.map_or("killed at the limit of time".into(), |s| s.to_string());
        let _ = write!(text, "\nprogram:\n{}", indent(&self.case.program));
        let _ = write!(text, "command:\n{}", indent(&self.case.command()));
        let _ = write!(text, "status: {status}\nstdout:\n{}", indent(&shorten(&without_word(&ended.out))));
        let _ = write!(text, "stderr:\n{}", indent(&shorten(&ended.err)));
        text
    }
}

/// For scripts that run when the case's own time is over.
const GRACE: Duration = Duration::from_secs(10);

fn status(wanted: Status, got: Option<i32>) -> Result<(), String> {
    match (wanted, got) {
        (_, None) => Err("no end in time".into()),
        (Status::Is(w), Some(g)) if w != g => Err(format!("expected {w}, got {g}")),
        (Status::NonZero, Some(0)) => Err("expected a failure, got 0".into()),
        // A crash is no clear error.
        (Status::NonZero, Some(g)) if g > 128 && g < 255 => Err(format!("died by signal {}", g - 128)),
        _ => Ok(()),
    }
}

fn without_word(out: &str) -> String {
    out.lines().filter(|l| *l != ATTACHED).flat_map(|l| [l, "\n"]).collect()
}

/// Keeps the first 60 lines and the last 20 of a long output.
fn shorten(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    if lines.len() <= 80 {
        return text.to_owned();
    }
    let cut = format!("[{} lines left out]", lines.len() - 80);
    let parts =
        lines[..60].iter().copied().chain([cut.as_str()]).chain(lines[lines.len() - 20..].iter().copied());
    parts.collect::<Vec<_>>().join("\n")
}

fn indent(text: &str) -> String {
    text.lines().map(|l| format!("    {l}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(case: &str) -> Outcome {
        let settings = Settings {
            rbtrace: "sh".into(),
            tools: "/nonexistent".into(),
            cases: "/nonexistent".into(),
            reference: false,
            scale: 1,
            exclusive: false,
            machine: Machine::default(),
        };
        run(&crate::case::parse("t", case).unwrap()[0], &settings)
    }

    #[test]
    fn verdicts() {
        assert_eq!(judge("case: a\nrequires: anyone\nrun: echo hi\nstdout: hi\n"), Outcome::Passed);
        let Outcome::Failed(text) = judge("case: a\nrequires: anyone\nrun: echo ho; exit 2\nstdout: hi\n")
        else {
            panic!()
        };
        assert!(text.contains("expected 0, got 2") && text.contains("found \"ho\""), "{text}");
        assert!(matches!(judge("case: a\nrun: echo\nrequires: vm\n"), Outcome::Skipped(_)));
        assert!(matches!(
            judge("case: a\nrequires: anyone\nrun: kill -SEGV $$\nstatus: nonzero\n"),
            Outcome::Failed(_)
        ));
    }

    #[test]
    fn beside_runs_once_attached() {
        let body = format!("run: echo {ATTACHED}; trap exit\\ 0 INT; echo $$; while :; do sleep 0.1; done");
        assert_eq!(
            judge(&format!("case: a\nrequires: anyone\n{body}\nbeside: true\nstdout: /[0-9]+/\n")),
            Outcome::Passed
        );
        let Outcome::Failed(text) = judge("case: a\nrequires: anyone\nrun: echo x\nbeside: true\n") else {
            panic!()
        };
        assert!(text.contains("did not attach"), "{text}");
        let Outcome::Failed(text) = judge(&format!("case: a\nrequires: anyone\n{body}\nbeside: exit 5\n"))
        else {
            panic!()
        };
        assert!(text.contains("beside: status 5"), "{text}");
    }
}
