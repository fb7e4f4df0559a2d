//! What programs are attached to.

use crate::system::BtfFunction;
use std::rc::Rc;

/// What a program is attached to.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// `begin`: once, before anything else is attached.
    Begin,
    /// `end`: once, after all else is detached.
    End,
    /// `self:signal:SIGUSR1`: run when we receive the signal (its number).
    SelfSignal(i32),
    /// `test`, `bench`: a block that is run when the command line asks for it.
    Block {
        /// What for.
        purpose: Purpose,
        /// Its name.
        name: Rc<str>,
    },
    /// `kprobe`, `kretprobe`.
    Kprobe {
        /// Function; empty where only the address is known.
        func: Rc<str>,
        /// Module where the script names one.
        module: Option<Rc<str>>,
        /// Offset in the function, or the address.
        offset: u64,
        /// On return.
        ret: bool,
    },
    /// `fentry`, `fexit`.
    KernelFunction {
        /// Function.
        func: Rc<str>,
        /// Its module; `vmlinux` for the kernel.
        module: Rc<str>,
        /// Its type in the module's BTF.
        id: u32,
        /// On return.
        ret: bool,
    },
    /// `iter`: each of the kernel's objects of a kind, when the list of them is read.
    Iterator {
        /// Which list.
        name: Rc<str>,
        /// The function that stands for it in the kernel's BTF.
        function: BtfFunction,
        /// The file of the BPF file system through which the list is read, instead of by us.
        pin: Option<Rc<str>>,
        /// Only the objects of this process.
        pid: Option<i32>,
    },
    /// `tracepoint`.
    Tracepoint {
        /// Category.
        category: Rc<str>,
        /// Event.
        event: Rc<str>,
        /// Its number, as perf_event_open wants it.
        id: u32,
        /// For system calls: the call.
        syscall: Option<SystemCall>,
    },
    /// `rawtracepoint`.
    RawTracepoint {
        /// Event.
        event: Rc<str>,
        /// Module, `vmlinux` for the kernel.
        module: Option<Rc<str>>,
    },
    /// `interval`: one CPU.
    Interval(Period),
    /// `profile`: every CPU.
    Profile(Period),
    /// `software`, `hardware`: a perf event by its `perf_event_attr` type and config.
    PerfEvent {
        /// `PERF_TYPE_SOFTWARE` 1 or `PERF_TYPE_HARDWARE` 0.
        perf_type: u32,
        /// `PERF_COUNT_*`.
        config: u64,
        /// Events between two samples.
        period: u64,
    },
    /// `watchpoint`: accesses to a place in memory.
    Watchpoint {
        /// Where it begins.
        address: u64,
        /// Bytes: 1, 2, 4 or 8.
        length: u8,
        /// Which accesses.
        access: Access,
    },
    /// `uprobe`, `uretprobe`.
    Uprobe {
        /// The file.
        path: Rc<str>,
        /// Symbol; empty where only the address is known.
        symbol: Rc<str>,
        /// Offset in the file.
        offset: u64,
        /// On return.
        ret: bool,
        /// Only this process.
        pid: Option<i32>,
    },
    /// `usdt`: one of the probe's places.
    Usdt {
        /// The file.
        path: Rc<str>,
        /// Where in it.
        place: StaticPlace,
        /// Only this process.
        pid: Option<i32>,
    },
}

/// A place of a static probe of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticPlace {
    /// Offset in the file.
    pub offset: u64,
    /// The file's own address of it.
    pub address: u64,
    /// Where in the file the counter lies that the probe's owner looks at to know whether it is traced.
    pub semaphore: Option<u64>,
    /// Where the arguments lie, as the assembler wrote it.
    pub arguments: Rc<str>,
}

/// A place in the code of a program or library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserCode<'a> {
    /// The file.
    pub path: &'a str,
    /// Offset in it.
    pub offset: u64,
    /// On return from the function that begins there.
    pub ret: bool,
    /// Where in the file a counter lies that is to be raised while a program is attached.
    pub semaphore: Option<u64>,
    /// Only this process.
    pub pid: Option<i32>,
}

/// What a block of the script's own is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `test`: to see whether it fails.
    Test,
    /// `bench`: to see how long it takes.
    Bench,
}

/// Accesses to memory that a processor can be made to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It is written.
    Write,
    /// It is read or written.
    ReadWrite,
    /// An instruction there is executed.
    Execute,
}

/// How often a timer fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// Once in this many nanoseconds.
    Nanos(u64),
    /// This many times a second.
    Hertz(u64),
}

/// The beginning or the end of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemCall {
    /// The call's number.
    pub number: u32,
    /// Which of the two.
    pub edge: Edge,
}

/// Before or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Before the call.
    Enter,
    /// After it.
    Exit,
}

impl Target {
    /// Does the traced system decide how often it fires?
    pub fn is_frequent(&self) -> bool {
        match self {
            Target::Kprobe { .. }
            | Target::KernelFunction { .. }
            | Target::Iterator { .. }
            | Target::Tracepoint { .. }
            | Target::RawTracepoint { .. }
            | Target::Watchpoint { .. }
            | Target::Uprobe { .. }
            | Target::Usdt { .. } => true,
            Target::Begin
            | Target::End
            | Target::SelfSignal(_)
            | Target::Block { .. }
            | Target::Interval(_)
            | Target::Profile(_)
            | Target::PerfEvent { .. } => false,
        }
    }

    /// Does nothing in the kernel fire it? Then we run its programs.
    pub fn is_ours(&self) -> bool {
        matches!(self, Target::Begin | Target::End | Target::SelfSignal(_) | Target::Block { .. })
    }

    /// Is it read through a file by others, when we are gone?
    pub fn is_pinned(&self) -> bool {
        matches!(self, Target::Iterator { pin: Some(_), .. })
    }

    /// Does it lie in code of a program or library?
    pub fn is_of_user(&self) -> bool {
        self.user_code().is_some()
    }

    /// Where in the code of a program or library.
    pub fn user_code(&self) -> Option<UserCode<'_>> {
        match self {
            Target::Uprobe { path, offset, ret, pid, .. } => {
                Some(UserCode { path, offset: *offset, ret: *ret, semaphore: None, pid: *pid })
            }
            Target::Usdt { path, place, pid } => {
                let StaticPlace { offset, semaphore, .. } = *place;
                Some(UserCode { path, offset, ret: false, semaphore, pid: *pid })
            }
            _ => None,
        }
    }

    /// Is a place in the memory of processes watched?
    pub fn watches_user(&self) -> bool {
        matches!(self, Target::Watchpoint { address, .. } if address >> 63 == 0)
    }

    /// Can `bpf_get_func_ip` tell where the traced function begins?
    pub fn knows_function(&self) -> bool {
        matches!(
            self,
            Target::Kprobe { .. } | Target::KernelFunction { .. } | Target::Uprobe { ret: true, .. }
        )
    }

    /// The kernel function, and its module, that the registers do not tell where the program runs.
    pub fn hidden_function(&self) -> Option<(Option<&str>, &str)> {
        match self {
            Target::Kprobe { func, module, ret: true, .. } => Some((module.as_deref(), func)),
            Target::KernelFunction { func, module, .. } => Some((Some(module), func)),
            _ => None,
        }
    }

    /// May another task run while a program does? Those on kprobes, tracepoints and perf events run without
    /// preemption, as do test runs (`bpf_prog_test_run_raw_tp`, net/bpf/test_run.c).
    pub fn is_preemptible(&self) -> bool {
        self.is_of_user() || matches!(self, Target::KernelFunction { .. } | Target::Iterator { .. })
    }
}
