//! What code generation hands to the runtime: programs, maps, and the meaning of what they send.
//!
//! **Invariant**: the runtime reads records, map values and counters only through what stands here.

use rbtrace_lang::hir::{Config, EmitKind, Map, MapId, ProbeId};
use rbtrace_lang::system::BtfFunction;
use rbtrace_lang::target::Target;
use rbtrace_lang::types::{StackType, Type};
use rbtrace_lang::{Source, Span};
use std::rc::Rc;

/// How a program is lowered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// For the fewest instructions of each event.
    #[default]
    Fast,
    /// For the verifier: what is tested or assigned loses the range that it knows of it, so that where two paths meet
    /// again it has to follow only one of them; every loop and every search is a callback. Costs some instructions.
    Frugal,
}

/// A compiled program.
#[derive(Debug)]
pub struct Object {
    /// The form that it was lowered in.
    pub form: Form,
    /// Programs to load.
    pub programs: Vec<Program>,
    /// Maps to create, all of them before the first program is loaded; [`ObjMapId`] indexes it.
    pub maps: Vec<MapDef>,
    /// Record `header.kind` → its meaning.
    pub records: Vec<Record>,
    /// Counter number → what it counts.
    pub counters: Vec<Counter>,
    /// The attach points; [`ProbeId`] indexes it.
    pub points: Vec<Point>,
    /// The script's maps; [`MapId`] indexes it.
    pub tables: Vec<Map>,
    /// The texts that spans point into; 0 is the script.
    pub sources: Vec<Source>,
    /// The script's settings.
    pub config: Config,
    /// Raw BTF for the programs' function and line infos; empty for none. Loaded with `btf__new` and
    /// `BPF_BTF_LOAD`; where the kernel refuses it, programs load without.
    pub btf: Vec<u8>,
}

impl Object {
    /// The attach points that a program serves.
    pub fn points_of<'a>(&'a self, program: &'a Program) -> impl Iterator<Item = &'a Point> {
        let ids = program.attach.iter().flat_map(|a| &a.points);
        ids.filter_map(|id| self.points.get(id.0 as usize))
    }

    /// Everything that programs are attached to.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.programs.iter().flat_map(|p| &p.attach).map(|a| &a.target)
    }
}

/// Index into [`Object::maps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjMapId(pub u32);

/// `BPF_PROG_TYPE_*` that a program is loaded as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProgramType {
    /// begin, end: a raw tracepoint program that is run by `BPF_PROG_TEST_RUN`, or attached nowhere.
    TestRun,
    /// kprobe, kretprobe, uprobe, uretprobe.
    Kprobe,
    /// Perf-attached tracepoints.
    Tracepoint,
    /// Raw tracepoints.
    RawTracepoint,
    /// Timers and perf events.
    PerfEvent,
    /// Bound to a kernel function.
    Tracing,
}

impl ProgramType {
    /// `BPF_PROG_TYPE_*` (include/uapi/linux/bpf.h).
    pub fn number(self) -> u32 {
        match self {
            ProgramType::Kprobe => 2,
            ProgramType::Tracepoint => 5,
            ProgramType::PerfEvent => 7,
            ProgramType::TestRun | ProgramType::RawTracepoint => 17,
            ProgramType::Tracing => 26,
        }
    }
}

/// What loading a program takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadAs {
    /// Type.
    pub ty: ProgramType,
    /// `BPF_TRACE_*` as the expected attach type; 0 where the type has none.
    pub attach_type: u32,
    /// The function that the program is bound to.
    pub function: Option<BtfFunction>,
}

impl From<ProgramType> for LoadAs {
    fn from(ty: ProgramType) -> LoadAs {
        LoadAs { ty, attach_type: 0, function: None }
    }
}

/// An attach point of the script.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Its full name, as `probe` prints it.
    pub name: Rc<str>,
    /// Its place in the text.
    pub span: Span,
}

/// What a program is attached to once.
#[derive(Clone, Debug, PartialEq)]
pub struct Attachment {
    /// To what.
    pub target: Target,
    /// The attach points that it serves; never empty.
    pub points: Vec<ProbeId>,
}

/// One BPF program.
#[derive(Debug)]
pub struct Program {
    /// For `bpf_prog_load`: at most 15 characters of `[A-Za-z0-9_.]`.
    pub name: String,
    /// What loading it takes.
    pub load: LoadAs,
    /// Instructions, 8 bytes each, `struct bpf_insn`; subprograms follow the main one.
    pub insns: Vec<u64>,
    /// 64-bit immediates to fill in before loading.
    pub relocs: Vec<Reloc>,
    /// `struct bpf_func_info` × n: (instruction, BTF type id).
    pub func_info: Vec<(u32, u32)>,
    /// `struct bpf_line_info` × n: (instruction, file name offset, line offset, line << 10 | column).
    pub line_info: Vec<[u32; 4]>,
    /// Span of the script that each instruction came from, same length as `insns`.
    pub spans: Vec<Span>,
    /// What it is attached to.
    pub attach: Vec<Attachment>,
    /// Give each link a cookie with its `ProbeId` (the program asks for it).
    pub wants_cookie: bool,
    /// It reads registers of a function's call that not every way of attaching hands on: others than those of
    /// arguments and stack at the entry, others than that of the result at the return.
    pub all_registers: bool,
    /// Has the script a loop in it? Without one it sends only a few records each time.
    pub loops: bool,
}

/// A `BPF_LD_IMM64` (two instructions long) whose value is known at load time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reloc {
    /// Index of its first half. The encoder has set `src_reg` to the pseudo kind already.
    pub insn: u32,
    /// What to put.
    pub target: RelocTarget,
}

/// What a [`Reloc`] stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelocTarget {
    /// `BPF_PSEUDO_MAP_FD`: the map's descriptor in the first half's imm.
    Map(ObjMapId),
    /// `BPF_PSEUDO_MAP_VALUE`: descriptor in the first imm; the offset stands already in the second.
    MapValue(ObjMapId),
}

impl RelocTarget {
    /// The map.
    pub fn map(self) -> ObjMapId {
        let (RelocTarget::Map(id) | RelocTarget::MapValue(id)) = self;
        id
    }
}

/// `BPF_MAP_TYPE_*` of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the kernel's own names")]
pub enum MapKind {
    Hash,
    PerCpuHash,
    LruHash,
    LruPerCpuHash,
    Array,
    PerCpuArray,
    StackTrace,
    HashOfMaps,
    RingBuf,
    TaskStorage,
}

impl MapKind {
    /// Has each CPU a value of its own?
    pub fn is_per_cpu(self) -> bool {
        matches!(self, MapKind::PerCpuHash | MapKind::LruPerCpuHash | MapKind::PerCpuArray)
    }
}

/// A map to create.
#[derive(Clone, Debug)]
pub struct MapDef {
    /// For `bpf_map_create`: at most 15 characters of `[A-Za-z0-9_.]`.
    pub name: String,
    /// Type.
    pub kind: MapKind,
    /// Key size in bytes.
    pub key_size: u32,
    /// Value size in bytes (per CPU where the type is).
    pub value_size: u32,
    /// Entries; for the ring buffer its size in bytes, chosen by the runtime (0 here).
    pub max_entries: u32,
    /// `BPF_F_*`: 1 `NO_PREALLOC`, 0x400 `MMAPABLE`.
    pub flags: u32,
    /// What it is for.
    pub role: MapRole,
}

/// What a map is for.
#[derive(Clone, Debug, PartialEq)]
pub enum MapRole {
    /// Maps of the script: one with keys, or some without.
    Script(Vec<ScriptMap>),
    /// Events to user space.
    Events,
    /// Words shared with user space: an mmapable array of one element laid out as [`Control`] says.
    Control,
    /// Per-CPU memory for what the stack cannot hold.
    Scratch,
    /// Stacks; `StackType::depth` frames.
    Stacks {
        /// Frames at most, and the printing mode's need (`build_id` stacks have entries of 32 bytes).
        ty: StackType,
        /// User stacks?
        user: bool,
    },
    /// By process: the array of [`UnwindRow`]s that its user stacks are unwound by.
    Unwind,
    /// Processes that programs have announced ([`Header::PROCESS`]), each word a hash of number and name.
    Announced,
    /// Counts that programs keep in front of these maps of the script, in their order; laid out as [`Tallies`] says.
    Tallies(Vec<MapId>),
    /// Values that programs keep in front of these maps of the script, in their order; laid out as [`Lockers`] says.
    Lockers(Vec<MapId>),
    /// Constant data of the programs, written by the runtime before loading and then frozen.
    Data(Rc<[u8]>),
}

/// A map of the script in its kernel object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptMap {
    /// Which.
    pub id: MapId,
    /// How it lies there.
    pub form: MapForm,
    /// Programs add to its values and do nothing else with it, so that user space can empty it without writing:
    /// it remembers what it has read.
    pub grows: bool,
}

/// How a script's map lies in its kernel object.
///
/// A map without keys is followed by a `u64` that is 0 as long as the map was never set; it stands behind the value, whose
/// size is rounded up to 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapForm {
    /// One hash entry for each key.
    Hash,
    /// A map without keys: this element of a per-CPU array, whose elements may be larger than the value.
    Element(u32),
    /// A map without keys: at this byte of element 0 of an mmapable array.
    Bytes(u32),
}

/// Layout of the tallies in front of maps of counts, in bytes: an mmapable array of one element, for each map and each CPU
/// [`Tallies::PER_CPU`] tallies of [`Tallies::SIZE`] bytes.
///
/// **Invariant**: programs never change the key of a tally once its first word is not 0, and never lower its
/// count. User space only reads once they run. The first tally of each CPU is that of the key of zeros; in any other a first
/// word of 0 means that it belongs to no key yet.
#[derive(Clone, Copy, Debug)]
pub struct Tallies;

impl Tallies {
    /// How many were counted, a `u64`, first as in the hash's values.
    pub const COUNT: u32 = 0;
    /// A `u64` that is not 0 once somebody has claimed the tally. User space sets it in each CPU's first tally before
    /// any program runs.
    pub const TAKEN: u32 = 8;
    /// The key, padded with zeros to 16 bytes; a number takes the first word, extended by zeros.
    pub const KEY: u32 = 16;
    /// Bytes of a tally.
    pub const SIZE: u32 = 32;
    /// Tallies of a CPU.
    pub const PER_CPU: u32 = 32;
    /// Bytes of a CPU's tallies.
    pub const CPU_SIZE: u32 = Self::SIZE * Self::PER_CPU;
}

/// Layout of the lockers in front of maps that threads keep values of their own in, in bytes: an mmapable array of one
/// element, for each map [`Lockers::COUNT`] lockers of [`Lockers::SIZE`] bytes.
///
/// **Invariant**: only the thread whose number is a locker's key gives the locker back. User space only reads once
/// programs run. The first locker, which the number 0 would have, is never used: many threads have that number, those of other
/// PID namespaces and the idle ones.
#[derive(Clone, Copy, Debug)]
pub struct Lockers;

impl Lockers {
    /// The key, a number extended by zeros to a `u64`; 0 while the locker is free, [`Lockers::BUSY`] while it changes.
    pub const KEY: u32 = 0;
    /// The value, in the first bytes of a `u64`.
    pub const VALUE: u32 = 8;
    /// A `u64` that is not 0 once a key of this locker was sent to the hash.
    pub const SPILLED: u32 = 16;
    /// Bytes of a locker.
    pub const SIZE: u32 = 32;
    /// Lockers of a map.
    pub const COUNT: u32 = 2048;
    /// Bytes of a map's lockers.
    pub const MAP_SIZE: u32 = Self::SIZE * Self::COUNT;
    /// No thread's number. User space writes it into the first locker before any program runs.
    pub const BUSY: u64 = 1 << 63;
}

/// Layout of the control map, in `u64` words: what programs and the reader share.
#[derive(Clone, Copy, Debug)]
pub struct Control;

impl Control {
    /// Set to 1 by `exit()`.
    pub const EXIT: u32 = 0;
    /// The exit code.
    pub const EXIT_CODE: u32 = 1;
    /// `cpid`, written by the runtime.
    pub const CPID: u32 = 2;
    /// Clock (boot) at begin, for `elapsed`, written by the runtime.
    pub const START: u32 = 3;
    /// The reader sleeps until it is woken (1) or polls by itself (0). A program that sends while it is 1
    /// sets it to 0 and wakes it.
    pub const SLEEPING: u32 = 4;
    /// Always 0. Programs read it to hide from the verifier what they know of a number.
    pub const ZERO: u32 = 5;
    /// TAI less the clock of boot at begin, for `nsecs(sw_tai)`, written by the runtime.
    pub const TAI: u32 = 6;
    /// A process whose unwind table is missing or lacks some code; 0: none. The reader makes it and writes 0.
    pub const UNWIND: u32 = 7;
    /// First of the counters (`Object::counters`).
    pub const COUNTERS: u32 = 8;
    /// Byte offset of a word.
    pub const fn offset(word: u32) -> u32 {
        word * 8
    }
}

/// Layout of a row of an unwind table, in bytes: how the caller's registers are found from its address on, up to that of
/// the next row.
///
/// **Invariant**: rows are sorted by address, and the first has address 0 and is [`UnwindRule::Unknown`].
#[derive(Clone, Copy, Debug)]
pub struct UnwindRow;

impl UnwindRow {
    /// The address in the process, a `u64`.
    pub const ADDRESS: u32 = 0;
    /// An `i32`: the distance from the rule's register to the caller's stack pointer (the canonical frame address).
    pub const CFA: u32 = 8;
    /// An `i16`: the distance from there to the caller's frame pointer in memory; 0: the register still holds it. Of
    /// [`UnwindRule::FpIndirect`]: the distance from the frame pointer. Of [`UnwindRule::Plt`]: from which byte of an
    /// entry on it has pushed a word more.
    pub const FP: u32 = 12;
    /// An [`UnwindRule`] as `u16`.
    pub const RULE: u32 = 14;
    /// Bytes of a row.
    pub const SIZE: u32 = 16;
    /// A table has fewer than 2 to this power of rows.
    pub const BITS: u32 = 22;
}

/// How the caller's stack pointer is found. The return address lies below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum UnwindRule {
    /// Nothing says how.
    Unknown = 0,
    /// Nobody has called this code.
    Outermost = 1,
    /// By the stack pointer.
    Sp = 2,
    /// By the stack pointer, in an entry of the procedure linkage table.
    Plt = 3,
    /// By the frame pointer.
    Fp = 4,
    /// At the address by the frame pointer lies a word that holds it.
    FpIndirect = 5,
    /// The kernel has saved all registers to call a signal handler (`struct rt_sigframe`).
    Signal = 6,
}

/// What a counter counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Counter {
    /// What happened.
    pub what: Fault,
    /// Where in the script.
    pub span: Span,
}

/// Things that go wrong at run time without stopping the program. None is silent.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// No room in the ring buffer: an event is lost.
    EventLost,
    /// A map is full: an update is lost.
    MapFull(MapId),
    /// A read through a pointer failed; the value is zero.
    ReadFailed,
    /// A read of user memory failed.
    ReadUserFailed,
    /// A divisor was zero; the result is 1.
    DivisionByZero,
    /// An index beyond an array.
    OutOfBounds,
    /// A stack could not be stored: the stack map is full or its bucket is taken.
    StackLost,
    /// A stack was asked of a process that has no unwind table.
    NoUnwindTable,
    /// A stack was unwound up to code that the process's unwind table says nothing of.
    StackCut,
    /// Every place of the memory for what the stack cannot hold was in use: the rest of the program was not run.
    Crowded,
    /// A loop was cut off at its limit of rounds.
    LoopLimit,
    /// Any other helper that failed.
    HelperFailed(&'static str),
}

/// The first 8 bytes of each record in the ring buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Index into [`Object::records`].
    pub kind: u32,
    /// The attach point that sent it, or `u32::MAX` where the program does not know.
    pub probe: u32,
}

impl Header {
    /// Bytes of the header; a record's first field may begin here.
    pub const SIZE: u32 = 8;
    /// The `kind` that marks `exit()`: nothing that follows is printed before the end's own records.
    pub const EXIT: u32 = u32::MAX;
    /// The `kind` that announces a process, whose number stands in place of the attach point's: addresses of its code
    /// were seen for the first time, and it may end before they are shown.
    pub const PROCESS: u32 = u32::MAX - 1;
}

/// The meaning of one kind of record.
#[derive(Clone, Debug)]
pub struct Record {
    /// What to do with it.
    pub kind: EmitKind,
    /// Its values; offsets count from the start of the record, header included.
    pub fields: Vec<RecordField>,
    /// Size in bytes, header included, a multiple of 8.
    pub size: u32,
    /// Of `clear` and `zero`: the `print` of the same map that each run of the program sends before. Together they are
    /// exact: what was counted after the values were read to be printed stays.
    pub after: Option<u32>,
    /// Place of the call.
    pub span: Span,
}

/// One value of a record.
#[derive(Clone, Debug)]
pub struct RecordField {
    /// Byte offset from the start of the record.
    pub offset: u32,
    /// Its type. `Join` has one `Array(Str(n), m)` and a `u32` count before it.
    pub ty: Type,
}
