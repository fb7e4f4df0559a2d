//! `rbtrace lines FUNC`: a kernel function's instructions by source line and inlined calls, with its
//! calls and branch targets as ready-made probe names.

mod text;
mod tsv;

use crate::files::Error;
use crate::files::dwarf::{DebugInfo, InlineStep};
use crate::files::instructions::{self, Disassembler, Flow, Insn};
use crate::files::symbols::code::{self, CodeSource, FunctionCode, local_or_named};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;

/// How the listing is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For reading.
    #[default]
    Text,
    /// One line an instruction, fields parted by tabs: offset, functions and `file:line`s, innermost
    /// first and parted by `;`, instruction.
    Tsv,
}

impl Format {
    /// The format of this name.
    pub fn named(name: &str) -> Option<Format> {
        match name {
            "text" => Some(Format::Text),
            "tsv" => Some(Format::Tsv),
            _ => None,
        }
    }
}

/// What `lines` is asked to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Form of the listing.
    pub format: Format,
}

/// A function's listing.
#[derive(Debug)]
struct Listing {
    /// `FUNC` or `MODULE:FUNC`, as a kprobe names it.
    probe: String,
    function: String,
    size: u64,
    rows: Vec<Row>,
}

/// One instruction.
#[derive(Debug)]
struct Row {
    offset: u64,
    insn: Insn,
    text: String,
    /// Whom it calls, as far as the code names it.
    callee: Option<String>,
    /// Inlined calls, innermost first; empty without debug information.
    frames: Vec<InlineStep>,
    /// Offsets of the instructions that jump here.
    from: Vec<u64>,
}

impl Row {
    fn is_call(&self) -> bool {
        matches!(self.insn.flow, Flow::Call(_))
    }
}

/// Writes the listing of `FUNC` or `MODULE:FUNC`.
pub fn print(function: &str, options: Options, out: &mut dyn Write) -> Result<(), PrintError> {
    let (module, function) = match function.split_once(':') {
        Some((module, function)) => (Some(module), function),
        None => (None, function),
    };
    let (source, found) = code::find(module, function)?;
    for (index, code) in found.iter().enumerate() {
        let listing = listing(&source, code)?;
        match options.format {
            Format::Tsv => tsv::write(&listing, out)?,
            Format::Text => {
                text::write(&listing, &source, (index + 1, found.len()), out)?;
            }
        }
    }
    Ok(())
}

/// Why a listing was not written.
#[derive(Debug, thiserror::Error)]
pub enum PrintError {
    /// There is nothing to list.
    #[error("{0}{hint}", hint = hint(.0))]
    CodeSource(Error),
    /// The output was closed.
    #[error("cannot write: {0}")]
    Output(#[from] std::io::Error),
}

impl From<Error> for PrintError {
    fn from(error: Error) -> PrintError {
        PrintError::CodeSource(error)
    }
}

fn hint(error: &Error) -> String {
    match error {
        Error::Missing { hint: Some(hint), .. } => format!("\nHINT: {hint}"),
        _ => String::new(),
    }
}

fn listing(source: &CodeSource, code: &FunctionCode) -> Result<Listing, Error> {
    let insns = instructions::decode(&code.bytes, code.address);
    let addresses: Vec<u64> = insns.iter().filter_map(Insn::named_address).collect();
    let names = source.names_of(&addresses);
    let name = |address: u64| local_or_named(code, &names, address);
    let printer = Disassembler::new(&name);
    let from = incoming(&insns, code);
    let mut rows = Vec::with_capacity(insns.len());
    for insn in insns {
        let offset = insn.address - code.address;
        let frames = match source.debug_info() {
            Some(info) => info.frames(insn.address)?,
            None => Vec::new(),
        };
        rows.push(Row {
            offset,
            text: printer.text(&insn),
            callee: callee(&insn, &names),
            frames,
            from: from.get(&offset).cloned().unwrap_or_default(),
            insn,
        });
    }
    let probe = match &code.module {
        Some(module) => format!("{module}:{}", code.function),
        None => code.function.clone(),
    };
    Ok(Listing { probe, function: code.function.clone(), size: code.bytes.len() as u64, rows })
}

fn callee(insn: &Insn, names: &HashMap<u64, (String, u64)>) -> Option<String> {
    match insn.flow {
        Flow::Call(Some(target)) => names.get(&target).map(|n| n.0.clone()),
        _ => None,
    }
}

/// For each offset that is jumped to: from where.
fn incoming(insns: &[Insn], code: &FunctionCode) -> BTreeMap<u64, Vec<u64>> {
    let mut from: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for insn in insns {
        let (Flow::Jump(Some(target)) | Flow::Branch(target)) = insn.flow else { continue };
        let offset = target.wrapping_sub(code.address);
        if offset < code.bytes.len() as u64 {
            from.entry(offset).or_default().push(insn.address - code.address);
        }
    }
    from
}

/// The path of a frame as it is shown: relative to the source tree.
fn short_path(info: &DebugInfo, address: u64, path: &str) -> String {
    match info.unit_at(address) {
        Ok(Some(unit)) => unit.short_path(path).to_string(),
        _ => path.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::dwarf::tests::{Scratch, addr2line, fixture};

    fn listings(path: &std::path::Path, function: &str) -> (CodeSource, Vec<Listing>) {
        let source = CodeSource::File(Box::new(DebugInfo::open(path).unwrap()));
        let found = code::in_file(source.debug_info().unwrap().elf(), None, function);
        let listings = found.iter().map(|c| listing(&source, c).unwrap()).collect();
        (source, listings)
    }

    #[test]
    fn tsv_has_the_chain_of_addr2line_for_each_instruction() {
        let scratch = Scratch::new();
        let Some(path) = fixture(&scratch, &[]) else { return };
        let (_, listings) = listings(&path, "process");
        let mut out = Vec::new();
        tsv::write(&listings[0], &mut out).unwrap();
        let addresses: Vec<u64> = listings[0].rows.iter().map(|r| r.insn.address).collect();
        let Some(theirs) = addr2line(&path, &addresses) else { return };
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), theirs.len());
        for (line, theirs) in text.lines().zip(theirs) {
            let fields: Vec<&str> = line.split('\t').collect();
            let pairs = fields[1].split(';').zip(fields[2].split(';'));
            let ours: String = pairs.map(|(function, place)| format!("{function}\n{place}\n")).collect();
            assert_eq!(ours, theirs, "{line}");
        }
    }

    #[test]
    fn text_names_inlined_calls_and_probes() {
        let scratch = Scratch::new();
        let Some(path) = fixture(&scratch, &[]) else { return };
        let (source, listings) = listings(&path, "process");
        let mut out = Vec::new();
        text::write(&listings[0], &source, (1, 1), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("process: "), "{text}");
        let chain = "(checksum ← accept_packet fixture.c:21 ← process fixture.c:34)";
        let short = text
            .replace(concat!(env!("CARGO_MANIFEST_DIR"), "/src/files/dwarf/"), "")
            .replace("src/files/dwarf/", "");
        assert!(short.contains(chain), "{short}");
        assert!(text.lines().any(|l| l.starts_with('*') && l.contains("kprobe:process+")), "{text}");
    }

    #[test]
    fn calls_are_listed_with_their_probes() {
        let scratch = Scratch::new();
        let Some(path) = fixture(&scratch, &[]) else { return };
        let (source, listings) = listings(&path, "main");
        let mut out = Vec::new();
        text::write(&listings[0], &source, (1, 1), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let row = listings[0].rows.iter().find(|r| r.callee.as_deref() == Some("process")).unwrap();
        let probe = format!("kprobe:main+{}", row.offset);
        let before = "call process";
        assert!(
            text.lines().any(|l| l.starts_with('>') && l.contains(before) && l.ends_with(&probe)),
            "{text}"
        );
        let after = format!("after: +{}", row.offset + row.insn.length as u64);
        assert!(text.lines().any(|l| l.contains(&probe) && l.contains(&after)), "{text}");
    }

    /// push %rbx; call +6; test %eax,%eax; jne to the last; nop; pop %rbx; ret
    #[test]
    fn without_debug_information_the_instructions_remain() {
        let bytes = vec![0x53, 0xe8, 6, 0, 0, 0, 0x85, 0xc0, 0x75, 1, 0x90, 0x5b, 0xc3];
        let code = FunctionCode {
            function: "f".into(),
            module: Some("m".into()),
            address: 0xffff_ffff_c000_0000,
            bytes,
        };
        let why = Error::missing_with_hint("no debug information for the module m", "install it");
        let source = CodeSource::Memory { symbols: Box::default(), why };
        let listing = listing(&source, &code).unwrap();
        let mut out = Vec::new();
        text::write(&listing, &source, (1, 1), &mut out).unwrap();
        expect_test::expect![[r#"
            m:f: 13 bytes, 7 instructions
            no source lines: no debug information for the module m
            to see them: install it

                  +0  push %rbx
            >     +1  call +12                              kprobe:m:f+1
                  +6  test %eax,%eax
                  +8  jne +11
                 +10  nop
            *    +11  pop %rbx                              kprobe:m:f+11  from +8
                 +12  ret

            calls of f (after a call, its result is reg("ax")):
              kprobe:m:f+1                         0xffffffffc000000c  after: +6
        "#]]
        .assert_eq(&String::from_utf8(out).unwrap());
    }
}
