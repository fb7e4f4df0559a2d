//! BTF for the emitted programs: names of functions, and the script's lines behind instructions.
//!
//! Format: `include/uapi/linux/btf.h`, `Documentation/bpf/btf.rst`. With it verifier logs, `bpftool prog` and
//! `perf` name the script's lines; callbacks cannot be loaded without.

use crate::backend::Code;
use crate::disasm;
use rbtrace_lang::{Source, Span};
use std::collections::HashMap;

/// `struct bpf_func_info`s and `struct bpf_line_info`s of one program.
pub type Infos = (Vec<(u32, u32)>, Vec<[u32; 4]>);

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;
const HEADER: u32 = 24;
const KIND_INT: u32 = 1;
const KIND_PTR: u32 = 2;
const KIND_FUNC: u32 = 12;
const KIND_FUNC_PROTO: u32 = 13;
const INT_SIGNED: u32 = 1;
/// Longest name: `KSYM_NAME_LEN` less its end, in kernels before 6.1.
const MAX_NAME: usize = 127;
/// Lines have 22 bits in a line info, columns 10 (`BPF_LINE_INFO_LINE_NUM`).
const MAX_LINE: usize = (1 << 22) - 1;
const MAX_COLUMN: usize = (1 << 10) - 1;

/// Makes the BTF of an object's programs, and for each program its function and line infos.
pub fn build(codes: &[(&str, &Code)], sources: &[Source]) -> (Vec<u8>, Vec<Infos>) {
    let mut b = Builder::new(sources);
    let infos = codes.iter().map(|(name, code)| (b.funcs(name, code), b.lines(code))).collect();
    (b.finish(), infos)
}

struct Builder<'a> {
    sources: &'a [Source],
    /// By source, once one of its lines was asked for.
    lines: Vec<Option<Lines>>,
    types: Vec<u8>,
    count: u32,
    strings: Strings,
    /// Prototypes: (takes a context, number of parameters).
    protos: HashMap<(bool, u32), u32>,
    int: u32,
    ptr: u32,
}

impl<'a> Builder<'a> {
    fn new(sources: &'a [Source]) -> Self {
        let mut b = Builder {
            sources,
            lines: vec![],
            types: vec![],
            count: 0,
            strings: Strings { bytes: vec![0], ..Strings::default() },
            protos: HashMap::new(),
            int: 0,
            ptr: 0,
        };
        b.lines.resize_with(sources.len(), || None);
        let name = b.strings.add("long");
        b.int = b.add(name, KIND_INT, 0, 8, &[INT_SIGNED << 24 | 64]);
        b.ptr = b.add(0, KIND_PTR, 0, 0, &[]);
        b
    }

    /// A `struct btf_type` and what follows it; its id.
    fn add(&mut self, name: u32, kind: u32, vlen: u32, size_or_type: u32, rest: &[u32]) -> u32 {
        let head = [name, kind << 24 | vlen, size_or_type];
        for word in head.iter().chain(rest) {
            self.types.extend(word.to_le_bytes());
        }
        self.count += 1;
        self.count
    }

    /// A function that takes a context, or this many numbers, and returns a number.
    fn proto(&mut self, context: bool, params: u32) -> u32 {
        if let Some(&id) = self.protos.get(&(context, params)) {
            return id;
        }
        let mut rest = vec![];
        for i in 0..params {
            let context = context && i == 0;
            let name = self.strings.add(&if context { "ctx".to_string() } else { format!("a{i}") });
            rest.extend([name, if context { self.ptr } else { self.int }]);
        }
        let id = self.add(0, KIND_FUNC_PROTO, params, self.int, &rest);
        self.protos.insert((context, params), id);
        id
    }

    fn funcs(&mut self, program: &str, code: &Code) -> Vec<(u32, u32)> {
        let mut out = vec![];
        for (i, (start, name)) in code.funcs.iter().enumerate() {
            let params = code.params.get(i).copied().unwrap_or(1);
            let proto = self.proto(i == 0, params);
            let name = self.strings.add(&identifier(if i == 0 { program } else { name }));
            // Linkage: the program is global; callbacks have to be static.
            out.push((*start, self.add(name, KIND_FUNC, u32::from(i == 0), proto, &[])));
        }
        out
    }

    fn lines(&mut self, code: &Code) -> Vec<[u32; 4]> {
        let mut out: Vec<[u32; 4]> = vec![];
        let mut previous = None;
        let mut second_slot = false;
        let mut funcs = code.funcs.iter().map(|f| f.0 as usize).peekable();
        for (i, &span) in code.spans.iter().enumerate() {
            if std::mem::replace(&mut second_slot, false) {
                continue;
            }
            second_slot = code.insns.get(i).is_some_and(|&w| disasm::is_wide(w));
            let begins = funcs.next_if_eq(&i).is_some();
            if !begins && previous == Some(span) {
                continue;
            }
            previous = Some(span);
            let Some(mut entry) = self.line(span) else { continue };
            entry[0] = i as u32;
            if begins || out.last().is_none_or(|last| last[1..] != entry[1..]) {
                out.push(entry);
            }
        }
        out
    }

    fn line(&mut self, span: Span) -> Option<[u32; 4]> {
        let file = if (span.file as usize) < self.sources.len() { span.file as usize } else { 0 };
        let source = self.sources.get(file)?;
        let lines = self.lines[file].get_or_insert_with(|| Lines::of(source, &mut self.strings));
        let (line, col) = lines.place(&source.text, span.start);
        let text = lines.text(&source.text, line, &mut self.strings);
        Some([0, lines.name, text, ((line + 1).min(MAX_LINE) << 10 | col) as u32])
    }

    fn finish(self) -> Vec<u8> {
        let (types, strings) = (self.types.len() as u32, self.strings.bytes.len() as u32);
        let mut out = vec![];
        out.extend(MAGIC.to_le_bytes());
        out.extend([VERSION, 0]);
        for word in [HEADER, 0, types, types, strings] {
            out.extend(word.to_le_bytes());
        }
        out.extend(self.types);
        out.extend(self.strings.bytes);
        out
    }
}

/// The strings of a BTF, each once.
#[derive(Default)]
struct Strings {
    bytes: Vec<u8>,
    offsets: HashMap<String, u32>,
}

impl Strings {
    /// Where a string stands.
    fn add(&mut self, s: &str) -> u32 {
        if s.is_empty() {
            return 0;
        }
        if let Some(&at) = self.offsets.get(s) {
            return at;
        }
        let at = self.bytes.len() as u32;
        self.bytes.extend(s.bytes().map(|b| if b == 0 { b' ' } else { b }));
        self.bytes.push(0);
        self.offsets.insert(s.to_string(), at);
        at
    }
}

/// The lines of one source, counted from 0.
struct Lines {
    /// The source's name among the strings.
    name: u32,
    /// Where each line begins.
    starts: Vec<usize>,
    /// Each line among the strings, once it was asked for.
    texts: Vec<Option<u32>>,
}

impl Lines {
    fn of(source: &Source, strings: &mut Strings) -> Self {
        let later = source.text.match_indices('\n').map(|(at, _)| at + 1);
        let starts: Vec<usize> = [0].into_iter().chain(later).collect();
        Lines { name: strings.add(&source.name), texts: vec![None; starts.len()], starts }
    }

    /// Line of a byte, and its column from 1, as far as line infos have room for it.
    fn place(&self, text: &str, offset: u32) -> (usize, usize) {
        let mut offset = (offset as usize).min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= offset) - 1;
        let before = text[self.starts[line]..offset].chars().take(MAX_COLUMN);
        (line, (before.count() + 1).min(MAX_COLUMN))
    }

    fn text(&mut self, text: &str, line: usize, strings: &mut Strings) -> u32 {
        let end = self.starts.get(line + 1).copied().unwrap_or(text.len());
        let add = || strings.add(text[self.starts[line]..end].trim_end());
        *self.texts[line].get_or_insert_with(add)
    }
}

/// A name as BTF allows it: letters, digits and underscores.
fn identifier(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut out: String = name.chars().take(MAX_NAME).map(allowed).collect();
    if !out.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        out.insert(0, '_');
        out.truncate(MAX_NAME);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_identifiers() {
        assert_eq!(identifier("kprobe:vfs_*"), "kprobe_vfs__");
        assert_eq!(identifier("1x"), "_1x");
        assert_eq!(identifier(""), "_");
    }

    #[test]
    fn each_function_begins_with_a_line() {
        let span = Span::new(8, 12);
        let code = Code {
            insns: vec![0xb7, 0x95, 0xb7, 0x95],
            spans: vec![span; 4],
            funcs: vec![(0, "main".into()), (2, "cb".into())],
            params: vec![1, 4],
            ..Code::default()
        };
        let (btf, infos) = build(&[("p", &code)], &[Source::new("x.bt", "BEGIN {\n  exit() }")]);
        let (funcs, lines) = &infos[0];
        assert_eq!(funcs.iter().map(|f| f.0).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(lines.iter().map(|l| (l[0], l[3] >> 10)).collect::<Vec<_>>(), [(0, 2), (2, 2)]);
        assert_eq!(&btf[..2], &[0x9f, 0xeb]);
    }

    #[test]
    fn places_are_lines_and_columns() {
        let text = "ab\näö\n\nx";
        let lines = Lines::of(&Source::new("x.bt", text), &mut Strings::default());
        let at = [0, 2, 3, 5, 6, 8, 9, 10, 99].map(|offset| lines.place(text, offset));
        assert_eq!(at, [(0, 1), (0, 3), (1, 1), (1, 2), (1, 2), (2, 1), (3, 1), (3, 2), (3, 2)]);
    }
}
