//! Sessions driven from Rust. Each test needs root; it says so and passes where that is missing.

use rbtrace_codegen::driver;
use rbtrace_codegen::object::Object;
use rbtrace_lang::{Options, Source};
use rbtrace_runtime::kernel::{LiveKernel, LiveSystem, privileges};
use rbtrace_runtime::run::{Progress, RunOptions, Session};
use rbtrace_runtime::show::print::{Datum, Row};
use rbtrace_runtime::show::sink::{Said, Sink};
use std::cell::RefCell;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// One test at a time: they count what this process holds open.
static ALONE: Mutex<()> = Mutex::new(());

fn alone(test: &str) -> Option<MutexGuard<'static, ()>> {
    if privileges::check().is_err() {
        eprintln!("{test}: skipped, it needs root to load BPF programs");
        return None;
    }
    Some(ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// The running kernel, asked while scripts are compiled and run.
#[derive(Default)]
struct Machine {
    system: LiveSystem,
    kernel: LiveKernel,
}

impl Machine {
    fn compile(&self, script: &str) -> Object {
        let source = Source::new("test", script);
        let compiled = driver::compile(source, &Options::default(), &self.system, &self.kernel);
        let messages: Vec<_> = compiled.typed.diagnostics.iter().map(|d| d.message.clone()).collect();
        compiled.object.unwrap_or_else(|| panic!("{script}: {messages:?}"))
    }

    fn options(&self) -> RunOptions<'_> {
        RunOptions { kernel: Some(&self.kernel), system: Some(&self.system), ..RunOptions::default() }
    }

    fn start<'a>(&'a self, object: &'a Object, said: &Collected) -> Session<'a> {
        Session::start(object, Box::new(said.clone()), self.options()).expect("the script starts")
    }
}

/// A sink that keeps what is said.
#[derive(Clone, Default)]
struct Collected(Rc<RefCell<Vec<String>>>);

impl Sink for Collected {
    fn say(&mut self, said: Said) {
        let text = match said {
            Said::Attached(count) => format!("attached {count}"),
            Said::Printf(text) => text.text(),
            Said::Value(value) => format!("{value:?}"),
            Said::Map { name, rows, .. } => format!("{name} has {}", rows.len()),
            Said::Lost(count) => format!("lost {count}"),
            Said::Warning(warning) => warning.message.clone(),
            Said::Ended => "ended".to_owned(),
            _ => return,
        };
        self.0.borrow_mut().push(text);
    }
}

impl Collected {
    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// A probe that only this thread fires.
fn on_getppid(body: &str) -> String {
    // SAFETY: takes nothing and cannot fail.
    let tid = unsafe { libc::gettid() };
    format!("tracepoint:syscalls:sys_enter_getppid /tid == {tid}/ {{ {body} }}")
}

fn getppid(times: usize) {
    for _ in 0..times {
        // SAFETY: takes nothing and cannot fail.
        unsafe { libc::getppid() };
    }
}

fn rows(session: &Session, name: &str) -> Vec<Row> {
    let tables = session.tables();
    let table = tables.iter().find(|t| t.name() == name).expect("the script has the map");
    table.rows().expect("the map can be read")
}

/// Descriptors of this process that only an attached program needs.
fn held() -> usize {
    let names = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let targets = names.filter_map(|f| std::fs::read_link(f.path()).ok());
    let kinds = ["anon_inode:bpf", "anon_inode:[perf_event]", "anon_inode:[bpf"];
    targets.filter(|t| kinds.iter().any(|k| t.to_string_lossy().starts_with(k))).count()
}

/// Blocked, ignored and caught signals of this thread, and what its standard streams are.
fn surroundings() -> Vec<String> {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let signals = status.lines().filter(|l| l.starts_with("Sig")).map(str::to_owned);
    let stream = |n| std::fs::read_link(format!("/proc/self/fd/{n}")).unwrap().display().to_string();
    signals.chain((0..3).map(stream)).collect()
}

#[test]
fn maps_are_read_while_the_script_runs() {
    let Some(_alone) = alone("maps") else { return };
    let (machine, said) = (Machine::default(), Collected::default());
    let script = format!(
        "BEGIN {{ printf(\"begins\"); @last = 1; }} {} END {{ printf(\"ends\"); }}",
        on_getppid("@[\"calls\", 7] = count(); @last = 2; printf(\"call\");")
    );
    let object = machine.compile(&script);
    let before = surroundings();
    let mut session = machine.start(&object, &said);
    assert_eq!(surroundings(), before);
    assert_eq!(session.poll(Duration::ZERO).unwrap(), Progress::Running);
    assert_eq!(said.take(), ["attached 3", "begins"]);
    let key = vec![Datum::Text(b"calls".to_vec()), Datum::Number(7)];
    for round in 1..=3 {
        getppid(10);
        assert_eq!(session.poll(Duration::from_millis(20)).unwrap(), Progress::Running);
        assert_eq!(said.take().len(), 10);
        let counted = Row { key: key.clone(), value: Datum::Total(10 * round) };
        assert_eq!(rows(&session, "@"), [counted]);
        assert_eq!(rows(&session, "@last"), [Row { key: vec![], value: Datum::Number(2) }]);
    }
    let outcome = session.stop().unwrap();
    assert_eq!((outcome.status, outcome.lost(), outcome.faults.len()), (0, 0, 0));
    assert_eq!(said.take(), ["ends", "ended", "@ has 1", "@last has 1"]);
    drop(outcome);
    assert_eq!(held(), 0);
}

#[test]
fn two_sessions_do_not_disturb_each_other() {
    let Some(_alone) = alone("two sessions") else { return };
    let machine = Machine::default();
    let (one, other) = (Collected::default(), Collected::default());
    let objects = [machine.compile(&on_getppid("@ = count();")), machine.compile(&on_getppid("@ = sum(3);"))];
    let mut first = machine.start(&objects[0], &one);
    let mut second = machine.start(&objects[1], &other);
    let value = |session: &Session| rows(session, "@").first().map(|row| row.value.clone());
    getppid(5);
    assert_eq!(value(&first), Some(Datum::Total(5)));
    assert_eq!(value(&second), Some(Datum::Total(15)));
    assert_eq!(first.poll(Duration::from_millis(1)).unwrap(), Progress::Running);
    first.stop().unwrap();
    getppid(5);
    assert_eq!(second.poll(Duration::from_millis(1)).unwrap(), Progress::Running);
    assert_eq!(value(&second), Some(Datum::Total(30)));
    second.stop().unwrap();
    assert_eq!((one.take(), other.take()).1.last().map(String::as_str), Some("@ has 1"));
}

#[test]
fn an_exit_ends_it_with_its_status() {
    let Some(_alone) = alone("exit") else { return };
    let (machine, said) = (Machine::default(), Collected::default());
    let object = machine.compile(&on_getppid("printf(\"first\"); exit(3);"));
    let mut session = machine.start(&object, &said);
    getppid(2);
    assert_eq!(session.poll(Duration::from_secs(10)).unwrap(), Progress::Ended);
    assert_eq!(session.stop().unwrap().status, 3);
    assert_eq!(said.take(), ["attached 1", "first", "ended"]);
}

#[test]
fn a_dropped_session_leaves_nothing() {
    let Some(_alone) = alone("drop") else { return };
    let (machine, said) = (Machine::default(), Collected::default());
    let object = machine.compile(&on_getppid("@ = count();"));
    let session = machine.start(&object, &said);
    assert!(held() > 0);
    drop(session);
    assert_eq!(held(), 0);
}

#[test]
fn the_caller_can_be_wanted_elsewhere() {
    let Some(_alone) = alone("wake") else { return };
    let (machine, said) = (Machine::default(), Collected::default());
    let object = machine.compile(&on_getppid("@ = count();"));
    let (waiter, mut caller) = std::io::pipe().unwrap();
    let options = RunOptions { wake: Some(waiter.as_fd()), ..machine.options() };
    let mut session = Session::start(&object, Box::new(said), options).unwrap();
    caller.write_all(b"!").unwrap();
    let started = Instant::now();
    assert_eq!(session.poll(Duration::from_secs(60)).unwrap(), Progress::Running);
    assert!(started.elapsed() < Duration::from_secs(30));
    session.interrupt();
    assert_eq!(session.poll(Duration::from_secs(60)).unwrap(), Progress::Ended);
}
