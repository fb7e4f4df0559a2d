//! Entry and return of the same functions as one program: session links (6.10 for the kernel's functions, 6.13 for those of
//! programs and libraries). One link, one lookup at each call, and no return is seen whose entry was not.
//!
//! The kernel runs such a program at both ends; it asks at which one it is. What is loaded is both programs of the script
//! behind that question.

use super::{Attached, Link, Multi};
use crate::sys::probe::{insn, kernel_call};
use rbtrace_codegen::object::{Attachment, Object, Program, ProgramType, Reloc};
use rbtrace_lang::target::{Target, UserCode};
use std::os::fd::BorrowedFd;

/// Two programs of an object, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// That of the entries.
    pub entry: usize,
    /// That of the returns.
    pub ret: usize,
}

/// The kernel's function that tells the return from the entry.
pub const IS_RETURN: &str = "bpf_session_is_return";

/// The programs of an object that are attached to the same functions, one to their entries, one to their returns. Where more
/// than two are, all stay single: what runs first is not ours to change.
pub fn pairs(object: &Object) -> Vec<Pair> {
    let programs = || object.programs.iter().enumerate();
    let entries = programs().filter(|(_, p)| is_fit(p, false));
    let pairs = entries.filter_map(|(entry, program)| {
        let mut others =
            programs().filter(|(n, p)| *n != entry && p.attach.iter().any(|a| shares(program, a)));
        let (ret, other) = others.next()?;
        let whole = is_fit(other, true) && others.next().is_none() && same_places(program, other);
        whole.then_some(Pair { entry, ret })
    });
    pairs.collect()
}

/// Is it attached to the entries (the returns) of functions and nothing else, and does it not ask through which attach point
/// it runs?
fn is_fit(program: &Program, on_return: bool) -> bool {
    let at_end = |a: &Attachment| match &a.target {
        Target::Kprobe { func, offset: 0, ret, .. } => !func.is_empty() && *ret == on_return,
        Target::Uprobe { ret, .. } => *ret == on_return,
        _ => false,
    };
    program.load.ty == ProgramType::Kprobe
        && !program.wants_cookie
        && !program.all_registers
        && program.attach.iter().all(at_end)
}

/// Is a place among those of a program, be it at the other end?
fn shares(program: &Program, place: &Attachment) -> bool {
    program.attach.iter().any(|a| is_same_function(&a.target, &place.target))
}

fn same_places(entry: &Program, ret: &Program) -> bool {
    let mut both = entry.attach.iter().zip(&ret.attach);
    entry.attach.len() == ret.attach.len() && both.all(|(a, b)| is_same_function(&a.target, &b.target))
}

fn is_same_function(a: &Target, b: &Target) -> bool {
    match (a, b) {
        (Target::Kprobe { func, module, .. }, Target::Kprobe { func: f, module: m, .. }) => {
            (func, module) == (f, m)
        }
        _ => match (a.user_code(), b.user_code()) {
            (Some(a), Some(b)) => UserCode { ret: b.ret, ..a } == b,
            _ => false,
        },
    }
}

impl Pair {
    /// The link that serves it.
    pub fn link(self, object: &Object) -> Multi {
        let of_user = object.programs[self.entry].attach.iter().any(|a| a.target.is_of_user());
        if of_user { Multi::UprobeSession } else { Multi::KprobeSession }
    }

    /// One program for both; `is_return` is the number of [`IS_RETURN`] in the kernel's types. `None` where it is too long.
    pub fn merged(self, object: &Object, is_return: u32) -> Option<Program> {
        let (entry, ret) = (&object.programs[self.entry], &object.programs[self.ret]);
        let (entry_main, ret_main) = (main_len(entry), main_len(ret));
        let question = [
            insn(0xbf, 6, 1, 0, 0),
            kernel_call(is_return),
            insn(0xbf, 1, 6, 0, 0),
            // Of a bool the other bits of the register are undefined.
            insn(0x57, 0, 0, 0, 1),
            insn(0x55, 0, 0, i16::try_from(entry_main).ok()?, 0),
        ];
        let start = question.len();
        let behind = start + entry_main + ret_main;
        let entry_subs = entry.insns.len() - entry_main;
        let first = Part { program: entry, main: entry_main, at: start, subs: behind };
        let second = Part { program: ret, main: ret_main, at: start + entry_main, subs: behind + entry_subs };
        let parts = [&first, &second];

        let mut insns = question.to_vec();
        let mut spans = vec![entry.spans.first().copied()?; start];
        for of in [Part::mains, Part::subprograms] {
            for part in parts {
                let range = of(part);
                spans.extend(&part.program.spans[range.clone()]);
                insns.extend(range.map(|i| part.instruction(i)));
            }
        }
        let head = entry.line_info.first().map(|&[_, file, text, line]| [0, file, text, line]);
        let lines = parts.iter().flat_map(|p| p.program.line_info.iter().map(|&l| p.line(l)));
        let mut line_info: Vec<[u32; 4]> = head.into_iter().chain(lines).collect();
        line_info.sort_by_key(|l| l[0]);
        let main = entry.func_info.first().map(|&(_, ty)| (0, ty));
        let subs = parts.iter().flat_map(|p| p.program.func_info.iter().skip(1).map(|&f| p.function(f)));
        let func_info = main.into_iter().chain(subs).collect();
        Some(Program {
            name: entry.name.clone(),
            load: entry.load.clone(),
            insns,
            relocs: parts.iter().flat_map(|p| p.program.relocs.iter().map(|r| p.reloc(r))).collect(),
            func_info,
            line_info,
            spans,
            attach: entry.attach.clone(),
            wants_cookie: false,
            all_registers: false,
            loops: entry.loops || ret.loops,
        })
    }

    /// Attaches the merged program.
    pub fn attach(self, object: &Object, prog: BorrowedFd, pid: Option<i32>) -> Attached {
        let program = &object.programs[self.entry];
        let link = self.link(object).attach(prog, program, pid)?;
        Ok(Link { program: self.entry, ..link })
    }
}

/// How many instructions the program itself has; its subprograms follow.
fn main_len(program: &Program) -> usize {
    program.func_info.get(1).map_or(program.insns.len(), |f| f.0 as usize)
}

/// A program as a part of another.
struct Part<'p> {
    program: &'p Program,
    /// Instructions before its subprograms.
    main: usize,
    /// Where they go, and where the subprograms do.
    at: usize,
    subs: usize,
}

impl Part<'_> {
    fn mains(&self) -> std::ops::Range<usize> {
        0..self.main
    }

    fn subprograms(&self) -> std::ops::Range<usize> {
        self.main..self.program.insns.len()
    }

    /// Where an instruction goes.
    fn place(&self, i: usize) -> usize {
        if i < self.main { self.at + i } else { self.subs + i - self.main }
    }

    /// An instruction there. Calls of subprograms (`BPF_PSEUDO_CALL`) and their addresses (`BPF_PSEUDO_FUNC`) count from
    /// where they stand; jumps stay within a function.
    fn instruction(&self, i: usize) -> u64 {
        let word = self.program.insns[i];
        let (code, source) = (word as u8, (word >> 12 & 0xf) as u8);
        if !matches!((code, source), (0x85, 1) | (0x18, 4)) {
            return word;
        }
        let offset = (word >> 32) as i32;
        let target = self.place((i as i64 + 1 + i64::from(offset)) as usize);
        let moved = target as i64 - self.place(i) as i64 - 1;
        word & 0xffff_ffff | u64::from(moved as i32 as u32) << 32
    }

    fn line(&self, [i, file, text, line]: [u32; 4]) -> [u32; 4] {
        [self.place(i as usize) as u32, file, text, line]
    }

    fn function(&self, (i, ty): (u32, u32)) -> (u32, u32) {
        (self.place(i as usize) as u32, ty)
    }

    fn reloc(&self, reloc: &Reloc) -> Reloc {
        Reloc { insn: self.place(reloc.insn as usize) as u32, target: reloc.target }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbtrace_codegen::driver::compile;
    use rbtrace_codegen::kernel::Release;
    use rbtrace_lang::fixture::Fixture;
    use rbtrace_lang::{Options, Source};

    fn object(script: &str) -> Object {
        let made =
            compile(Source::new("t", script), &Options::default(), &Fixture::new(), &Release::newest(1));
        made.object.unwrap_or_else(|| panic!("{script}: {:?}", made.typed.diagnostics))
    }

    #[test]
    fn only_two_programs_of_the_same_functions_are_a_pair() {
        let pair = |script: &str| pairs(&object(script));
        let both = [Pair { entry: 0, ret: 1 }];
        assert_eq!(pair("kprobe:vfs_* { @a = 1; } kretprobe:vfs_* { @b = 1; }"), both);
        assert_eq!(
            pair("kretprobe:vfs_read { @a = 1; } kprobe:vfs_read { @b = 1; }"),
            [Pair { entry: 1, ret: 0 }]
        );
        let none: [Pair; 0] = [];
        assert_eq!(pair("kprobe:vfs_* { @a = 1; } kretprobe:vfs_read { @b = 1; }"), none);
        assert_eq!(
            pair("kprobe:vfs_read { @a = 1; } kprobe:vfs_read { @c = 1; } kretprobe:vfs_read { @b = 1; }"),
            none
        );
        assert_eq!(pair("kprobe:vfs_* { @[probe] = count(); } kretprobe:vfs_* { @b = 1; }"), none);
        assert_eq!(pair("kprobe:vfs_read+8 { @a = 1; } kretprobe:vfs_read { @b = 1; }"), none);
    }

    #[test]
    fn calls_reach_their_subprograms() {
        let script = "kprobe:vfs_read { for ($i : 0..$1) { @a = $i; } } kretprobe:vfs_read { for ($i : 0..$1) { @b = $i; } }";
        let object = object(&script.replace("$1", "1000"));
        let merged = Pair { entry: 0, ret: 1 }.merged(&object, 7).unwrap();
        let lengths: usize = object.programs.iter().map(|p| p.insns.len()).sum();
        assert_eq!((merged.insns.len(), merged.spans.len()), (lengths + 5, lengths + 5));
        let starts: Vec<i64> = merged.func_info.iter().map(|f| i64::from(f.0)).collect();
        let calls = merged.insns.iter().enumerate().filter(|(_, w)| (**w & 0xf0ff) == 0x4018);
        let targets: Vec<i64> = calls.map(|(i, w)| i as i64 + 1 + (w >> 32) as i32 as i64).collect();
        assert_eq!((starts.len(), &targets[..]), (3, &starts[1..]));
        assert!(merged.line_info.is_sorted_by_key(|l| l[0]) && merged.line_info[0][0] == 0);
    }
}
