//! Hand-assembled objects run in the kernel. Each test needs root; it says so and passes where that is missing.

use super::*;
use crate::show::sink::{Buffering, JsonSink, Output, Said, TextSink, Wanted};
use expect_test::expect;
use rbtrace_codegen::object::{
    Attachment, Counter, Fault, Form, MapDef, MapForm, MapKind, MapRole, ObjMapId, Point, Program,
    ProgramType, Record, RecordField, Reloc, RelocTarget, ScriptMap,
};
use rbtrace_lang::Source;
use rbtrace_lang::format::{Conv, ConvKind, Piece};
use rbtrace_lang::hir::{Config, EmitKind, Map, MapId, ProbeId};
use rbtrace_lang::target::{Period, Target};
use rbtrace_lang::types::I64;
use std::cell::RefCell;
use std::fs::File;
use std::rc::Rc;
use std::time::Duration;

const EVENTS: ObjMapId = ObjMapId(0);
const CONTROL: ObjMapId = ObjMapId(1);
const X: ObjMapId = ObjMapId(2);

fn may_run(test: &str) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let root = status.lines().any(|l| l.starts_with("Uid:") && l.split_whitespace().nth(2) == Some("0"));
    if !root {
        eprintln!("{test}: skipped, it needs root to load BPF programs");
    }
    root
}

/// One instruction.
fn insn(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> u64 {
    u64::from(code)
        | u64::from(dst | src << 4) << 8
        | u64::from(off as u16) << 16
        | u64::from(imm as u32) << 32
}

/// Collects instructions and what is to be filled in.
#[derive(Default)]
struct Asm {
    insns: Vec<u64>,
    relocs: Vec<Reloc>,
}

impl Asm {
    fn op(mut self, code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Self {
        self.insns.push(insn(code, dst, src, off, imm));
        self
    }

    fn load(mut self, dst: u8, pseudo: u8, target: RelocTarget, offset: i32) -> Self {
        self.relocs.push(Reloc { insn: self.insns.len() as u32, target });
        self.op(0x18, dst, pseudo, 0, 0).op(0, 0, 0, 0, offset)
    }

    /// `*(u64 *)(map value + offset) = imm`
    fn set(self, map: ObjMapId, offset: u32, imm: i32) -> Self {
        self.load(1, 2, RelocTarget::MapValue(map), offset as i32).op(0x7a, 1, 0, 0, imm)
    }

    /// Sends a record of kind 0 with one value.
    fn send(self, value: i32) -> Self {
        self.load(1, 1, RelocTarget::Map(EVENTS), 0)
            .op(0xb7, 2, 0, 0, 16)
            .op(0xb7, 3, 0, 0, 0)
            .op(0x85, 0, 0, 0, 131)
            .op(0x15, 0, 0, 5, 0)
            .op(0x7a, 0, 0, 0, 0)
            .op(0x7a, 0, 0, 8, value)
            .op(0xbf, 1, 0, 0, 0)
            .op(0xb7, 2, 0, 0, 1)
            .op(0x85, 0, 0, 0, 132)
    }

    fn program(self, point: u32, target: Target, ty: ProgramType) -> Program {
        let asm = self.op(0xb7, 0, 0, 0, 0).op(0x95, 0, 0, 0, 0);
        Program {
            name: "test".into(),
            load: ty.into(),
            spans: vec![Span::new(0, 5); asm.insns.len()],
            insns: asm.insns,
            relocs: asm.relocs,
            func_info: vec![],
            line_info: vec![],
            attach: vec![Attachment { target, points: vec![ProbeId(point)] }],
            wants_cookie: false,
            all_registers: false,
            loops: false,
        }
    }
}

fn map(name: &str, kind: MapKind, value_size: u32, flags: u32, role: MapRole) -> MapDef {
    let (key_size, max_entries) = if kind == MapKind::RingBuf { (0, 0) } else { (4, 1) };
    MapDef { name: name.into(), kind, key_size, value_size, max_entries, flags, role }
}

fn object(programs: Vec<Program>) -> Object {
    let shown = Conv {
        left: false,
        zero: false,
        plus: false,
        space: false,
        alt: false,
        width: None,
        precision: None,
        size: 8,
        kind: ConvKind::Signed,
    };
    let pieces = [Piece::Text("hi ".into()), Piece::Conv(shown), Piece::Text("\n".into())];
    Object {
        form: Form::Fast,
        programs,
        maps: vec![
            map("events", MapKind::RingBuf, 0, 0, MapRole::Events),
            map("control", MapKind::Array, 80, 0x400, MapRole::Control),
            map(
                "x",
                MapKind::Array,
                16,
                0x400,
                MapRole::Script(vec![ScriptMap { id: MapId(0), form: MapForm::Bytes(0), grows: false }]),
            ),
        ],
        records: vec![Record {
            kind: EmitKind::Printf(Rc::new(pieces)),
            fields: vec![RecordField { offset: 8, ty: I64 }],
            size: 16,
            after: None,
            span: Span::new(0, 5),
        }],
        counters: vec![Counter { what: Fault::EventLost, span: Span::new(0, 5) }],
        points: ["begin", "end", "interval:ms:1"]
            .map(|name| Point { name: name.into(), span: Span::new(0, 5) })
            .into(),
        tables: vec![Map {
            name: "@x".into(),
            key: None,
            value: I64,
            decl: None,
            max_entries: 1,
            span: Span::new(0, 5),
        }],
        sources: vec![Source::new("test", "begin { }")],
        config: Config::default(),
        btf: vec![],
    }
}

/// Runs a script to its end.
fn run<'a>(object: &'a Object, sink: Box<dyn Sink + 'a>) -> Result<Outcome<'a>, RunError> {
    let mut session = Session::start(object, sink, RunOptions::default())?;
    while session.poll(Duration::MAX)? == Progress::Running {}
    session.stop()
}

/// Where nothing is expected.
fn silent(object: &Object) -> Box<dyn Sink + '_> {
    Box::new(TextSink::new(Output::stdout(Buffering::Line), &object.sources, Wanted::default(), None))
}

/// Runs to the end; the exit status and what was printed.
fn printed(name: &str, object: &Object, json: bool) -> (i32, String) {
    let file = std::env::temp_dir().join(format!("rbtrace-test-{name}-{}", std::process::id()));
    let out = Output::file(File::create(&file).expect("the output file can be made"), Buffering::Line);
    let (sources, wanted) = (&object.sources, Wanted { quiet: true, ..Wanted::default() });
    let sink: Box<dyn Sink> = match json {
        true => Box::new(JsonSink::new(out, sources, wanted, None)),
        false => Box::new(TextSink::new(out, sources, wanted, None)),
    };
    let status = run(object, sink).expect("the program runs").status;
    let text = std::fs::read_to_string(&file).expect("the output file exists");
    std::fs::remove_file(&file).expect("the output file can be removed");
    (status, text)
}

#[test]
fn begin_prints_sets_a_map_and_asks_for_a_status() {
    if !may_run("begin") {
        return;
    }
    let begin = Asm::default()
        .send(42)
        .set(X, 0, 5)
        .set(X, 8, 1)
        .set(CONTROL, Control::offset(Control::EXIT_CODE), 7)
        .set(CONTROL, Control::offset(Control::EXIT), 1);
    let object = object(vec![begin.program(0, Target::Begin, ProgramType::TestRun)]);
    let (status, text) = printed("begin", &object, false);
    assert_eq!(status, 7);
    expect![[r#"
        hi 42


        @x: 5
    "#]]
    .assert_eq(&text);
}

#[test]
fn end_runs_after_a_timer_has_asked_for_the_end() {
    if !may_run("end") {
        return;
    }
    let timer = Target::Interval(Period::Nanos(1_000_000));
    let programs = vec![
        Asm::default().send(1).program(0, Target::Begin, ProgramType::TestRun),
        Asm::default().send(2).program(1, Target::End, ProgramType::TestRun),
        Asm::default().set(CONTROL, 0, 1).program(2, timer, ProgramType::PerfEvent),
    ];
    let (status, text) = printed("end", &object(programs), true);
    assert_eq!(status, 0);
    expect![[r#"
        {"type": "printf", "data": "hi 1\n"}
        {"type": "printf", "data": "hi 2\n"}
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_refused_program_is_shown_at_its_place() {
    if !may_run("refusal") {
        return;
    }
    // r0 = *(u64 *)(r2 + 0): r2 holds nothing.
    let mut bad = Asm::default().op(0x79, 0, 2, 0, 0).program(0, Target::Begin, ProgramType::TestRun);
    bad.spans[0] = Span::new(6, 9);
    let object = object(vec![bad]);
    let error = run(&object, silent(&object)).expect_err("the verifier refuses it");
    assert_eq!(error.status, REFUSED);
    let text = error.diagnostics[0].render(&object.sources);
    assert!(text.starts_with("test:1:7-10: ERROR: The kernel refused the program of begin"), "{text}");
    assert!(text.contains("R2 !read_ok"), "{text}");
}

/// Keeps the warnings.
struct Warnings(Rc<RefCell<Vec<String>>>);

impl Sink for Warnings {
    fn say(&mut self, said: Said) {
        if let Said::Warning(warning) = said {
            self.0.borrow_mut().push(warning.message.clone());
        }
    }
    fn event_done(&mut self) {}
    fn idle(&mut self) {}
    fn flush(&mut self) {}
    fn failure(&self) -> Option<&std::io::Error> {
        None
    }
}

#[test]
fn what_runs_without_its_lines_is_told_of_once() {
    if !may_run("lines") {
        return;
    }
    let programs = [Target::Begin, Target::End]
        .map(|target| Asm::default().send(1).program(0, target, ProgramType::TestRun));
    let mut object = object(programs.into());
    object.btf = vec![0; 30];
    object.programs.iter_mut().for_each(|program| program.func_info = vec![(0, 1)]);
    let warnings = Rc::default();
    let status = run(&object, Box::new(Warnings(Rc::clone(&warnings))));
    assert_eq!(status.expect("the programs run").status, 0);
    let reported = warnings.borrow();
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(reported[0].starts_with("the kernel refused the script's line information"), "{reported:?}");
}
