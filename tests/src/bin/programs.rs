//! Runs generated programs and holds them against the evaluator (see `rbtrace_tests::programs`).
//!
//! `rbtrace-programs --bin COMMAND [--count N] [--seed S] [--theme NAME] [--show] [--loads] [--save DIR] [--scale N]`

use anyhow::{Context as _, Result, bail};
use rbtrace_tests::programs::generate::{Theme, generate};
use rbtrace_tests::programs::run::{Settings, Verdict, run};
use rbtrace_tests::programs::{evaluate, shrink, text, world};
use rbtrace_tests::requires::kernel;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

struct Options {
    settings: Settings,
    count: u64,
    seed: u64,
    theme: Option<Theme>,
    show: bool,
    save: Option<PathBuf>,
}

fn options() -> Result<Options> {
    let settings =
        Settings { command: vec!["rbtrace".into()], loads_only: false, limit: Duration::from_secs(60) };
    let mut o = Options { settings, count: 100, seed: 1, theme: None, show: false, save: None };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} wants a value"));
        match arg.as_str() {
            "--bin" => o.settings.command = value()?.split_whitespace().map(str::to_owned).collect(),
            "--count" => o.count = value()?.parse()?,
            "--seed" => o.seed = value()?.parse()?,
            "--theme" => o.theme = Some(theme(&value()?)?),
            "--show" => o.show = true,
            "--loads" => o.settings.loads_only = true,
            "--save" => o.save = Some(value()?.into()),
            "--scale" => o.settings.limit *= value()?.parse()?,
            _ => bail!("unknown option {arg}"),
        }
    }
    if o.settings.command.is_empty() {
        bail!("--bin wants a command");
    }
    Ok(o)
}

fn theme(name: &str) -> Result<Theme> {
    let found = Theme::ALL.iter().find(|(n, _)| *n == name);
    let names = Theme::ALL.map(|(n, _)| n).join(", ");
    found.map(|(_, t)| *t).with_context(|| format!("no theme {name}: {names}"))
}

fn main() -> Result<()> {
    let o = options()?;
    // A closed pipe ends this quietly.
    // SAFETY: no handler is installed, only the default put back.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    if o.show {
        show(&o);
    }
    let traced = world::Traced::new()?;
    let start = Instant::now();
    let mut sum = Sum::default();
    for seed in o.seed..o.seed + o.count {
        let theme = o.theme.unwrap_or_else(|| Theme::of(seed));
        let program = generate(seed, theme);
        let verdict = run(&program, &o.settings, &traced);
        sum.add(seed, theme, &verdict);
        if verdict != Verdict::Right {
            tell(&o, seed, theme, &verdict, &traced);
        }
        // A test machine from which nothing is heard for long is taken for dead.
        if sum.total.is_multiple_of(100) && sum.total < o.count {
            println!("{} programs so far", sum.total);
        }
    }
    sum.tell(&o, start.elapsed());
    Ok(())
}

fn show(o: &Options) {
    for seed in o.seed..o.seed + o.count {
        let theme = o.theme.unwrap_or_else(|| Theme::of(seed));
        let program = generate(seed, theme);
        println!("// seed {seed}, {}\n{}", theme.name(), text::program(&program));
        let out = evaluate::evaluate(&program);
        out.lines.iter().for_each(|l| println!("// {l:?}"));
        out.maps.iter().for_each(|(name, v)| println!("// {name}: {v:?}"));
    }
}

/// Tells a failure; shrinks it when it is to be saved.
fn tell(o: &Options, seed: u64, theme: Theme, verdict: &Verdict, traced: &world::Traced) {
    let first = reason(verdict);
    println!("seed {seed} ({}): {}: {first}", theme.name(), verdict.word());
    let Some(folder) = &o.save else { return };
    let program = generate(seed, theme);
    let same = |v: &Verdict| v.word() == verdict.word() && (v.word() == "wrong" || reason(v) == first);
    let small = shrink::shrink(&program, |p| same(&run(p, &o.settings, traced)));
    let last = run(&small, &o.settings, traced);
    let file = folder.join(format!("{}-{seed}.txt", area(theme, verdict)));
    let head = format!("// seed {seed}, theme {}: {}", theme.name(), verdict.word());
    let content = format!("{head}\n{}\n{}\n", text::program(&small), last.details());
    if let Err(e) = std::fs::write(&file, content) {
        println!("cannot write {}: {e}", file.display());
    }
}

/// Whose concern a failure is, at a first glance.
fn area(theme: Theme, verdict: &Verdict) -> &'static str {
    match (theme, verdict) {
        (_, Verdict::Wrong(_) | Verdict::Rejected(_) | Verdict::Broken(_)) => "other",
        (Theme::Memory | Theme::Headers | Theme::Variables | Theme::Tables, _) => "memory",
        _ => "loops",
    }
}

/// The failure's reason without what differs from program to program.
fn reason(verdict: &Verdict) -> String {
    let text = verdict.details();
    let line =
        text.lines().find(|l| l.contains("ERROR") || l.contains("rror")).or_else(|| text.lines().next());
    let message = line.map_or("", |l| l.split_once("ERROR: ").map_or(l, |(_, m)| m));
    if matches!(verdict, Verdict::Wrong(_)) {
        return message.to_owned();
    }
    let words: Vec<_> =
        ["misaligned", "too large", "too many", "too complex", "invalid", "exceeds", "unbounded"]
            .into_iter()
            .filter(|w| text.contains(w))
            .collect();
    let message: String = message.chars().filter(|c| !c.is_ascii_digit()).collect();
    if words.is_empty() { message } else { format!("{message} [{}]", words.join(", ")) }
}

#[derive(Default)]
struct Sum {
    total: u64,
    words: BTreeMap<&'static str, u64>,
    reasons: BTreeMap<String, Vec<u64>>,
    themes: BTreeMap<Theme, (u64, u64)>,
}

impl Sum {
    fn add(&mut self, seed: u64, theme: Theme, verdict: &Verdict) {
        self.total += 1;
        *self.words.entry(verdict.word()).or_default() += 1;
        let (total, right) = self.themes.entry(theme).or_default();
        *total += 1;
        *right += u64::from(*verdict == Verdict::Right);
        if *verdict != Verdict::Right {
            let short = if verdict.word() == "wrong" { String::new() } else { reason(verdict) };
            self.reasons.entry(format!("{}: {short}", verdict.word())).or_default().push(seed);
        }
    }

    /// "Too large" is an answer only where the kernel has no `bpf_loop`.
    fn failed(&self) -> u64 {
        let fine: &[&str] = if kernel() < (5, 17) { &["right", "too large"] } else { &["right"] };
        self.words.iter().filter(|(w, _)| !fine.contains(w)).map(|(_, n)| n).sum()
    }

    fn tell(&self, o: &Options, took: Duration) {
        for (theme, (total, right)) in &self.themes {
            println!("{:12} {right} of {total}", theme.name());
        }
        for (reason, seeds) in &self.reasons {
            let some: Vec<_> = seeds.iter().take(12).map(u64::to_string).collect();
            println!("{:4} {reason} (seeds {})", seeds.len(), some.join(" "));
        }
        let parts: Vec<_> = self.words.iter().map(|(w, n)| format!("{n} {w}")).collect();
        let seeds = format!("seeds {} to {}", o.seed, o.seed + o.count.max(1) - 1);
        println!("{} programs ({seeds}) in {:.1} s: {}", self.total, took.as_secs_f64(), parts.join(", "));
        std::process::exit(i32::from(self.failed() > 0));
    }
}
