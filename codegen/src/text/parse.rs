//! Reads the textual IR.

use super::names::*;
use crate::ir::*;
use crate::object::ObjMapId;
use rbtrace_lang::Span;

/// Parses a module; the error names the line.
pub fn parse(text: &str) -> Result<Module, String> {
    let mut module = Module { funcs: vec![], scratch: None };
    let mut lines = text.lines().enumerate().map(|(i, l)| (i + 1, l.split('#').next().unwrap_or("").trim()));
    while let Some((n, line)) = lines.next() {
        let at = |e: String| format!("line {n}: {e}: {line}");
        if line.starts_with("scratch ") {
            let mut w = Words::new(line);
            w.next()?;
            let map = w.number('m').map_err(at)?;
            let places = w.int().map_err(at)? as u32;
            let preemptible = w.peek() == Some("preemptible");
            if preemptible {
                w.next()?;
            }
            let counter = w.number('m').map_err(at)?;
            let crowded = (ObjMapId(counter), w.int().map_err(at)? as u32);
            module.scratch = Some(Scratch { map: ObjMapId(map), places, preemptible, crowded });
        } else if line.starts_with("func ") {
            let f = function(n, line, &mut lines)?;
            module.funcs.push(f);
        } else if !line.is_empty() {
            return Err(at("expected a function".into()));
        }
    }
    Ok(module)
}

/// The words of a line; punctuation only separates, except `=` and `:`.
struct Words<'a> {
    words: std::vec::IntoIter<&'a str>,
}

impl<'a> Words<'a> {
    fn new(line: &'a str) -> Self {
        let words: Vec<&str> = line.split([' ', ',', '[', ']', '(', ')', '{', '}', ':', '=']).collect();
        let words: Vec<&str> = words.into_iter().filter(|w| !w.is_empty()).collect();
        Words { words: words.into_iter() }
    }

    fn next(&mut self) -> Result<&'a str, String> {
        self.words.next().ok_or_else(|| "the line ends too early".into())
    }

    fn peek(&self) -> Option<&'a str> {
        self.words.as_slice().first().copied()
    }

    fn int(&mut self) -> Result<i64, String> {
        let w = self.next()?;
        let parsed = match w.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).map(|v| v as i64).ok(),
            None => w.parse().ok(),
        };
        parsed.ok_or_else(|| format!("not a number: {w}"))
    }

    fn number(&mut self, letter: char) -> Result<u32, String> {
        let w = self.next()?;
        let digits = w.strip_prefix(letter).and_then(|d| d.parse().ok());
        digits.ok_or_else(|| format!("expected {letter} and a number, not {w}"))
    }

    fn value(&mut self) -> Result<Value, String> {
        self.number('v').map(Value)
    }

    fn width(&mut self, name: &str) -> Result<Width, String> {
        by_name(WIDTHS, name).ok_or_else(|| format!("not a width: {name}"))
    }

    /// Values as long as they come.
    fn values(&mut self) -> Result<Vec<Value>, String> {
        let mut out = vec![];
        while self.peek().is_some_and(|w| w.starts_with('v')) {
            out.push(self.value()?);
        }
        Ok(out)
    }

    fn args(&mut self) -> Result<Args, String> {
        Args::new(&self.values()?).ok_or_else(|| "more than 5 arguments".into())
    }

    fn align(&mut self) -> Result<u32, String> {
        self.next()?;
        Ok(self.int()? as u32)
    }
}

fn ty(name: &str) -> Result<Ty, String> {
    match name {
        "i32" => Ok(Ty::I32),
        "i64" => Ok(Ty::I64),
        _ => name
            .strip_prefix('*')
            .and_then(|s| by_name(SPACES, s))
            .map(Ty::Ptr)
            .ok_or_else(|| format!("not a type: {name}")),
    }
}

struct Parser {
    f: Function,
    current: Option<Block>,
}

fn function<'a>(
    n: usize,
    head: &str,
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
) -> Result<Function, String> {
    let mut w = Words::new(head);
    w.next()?;
    let name = w.next().map_err(|e| format!("line {n}: {e}"))?;
    let mut p = Parser { f: Function::new(name, &[], Span::default()), current: None };
    p.params(Block(0), &mut w).map_err(|e| format!("line {n}: {e}: {head}"))?;
    for (n, line) in lines.by_ref() {
        if line == "}" {
            return Ok(p.f);
        }
        p.line(line).map_err(|e| format!("line {n}: {e}: {line}"))?;
    }
    Err("a function is not closed".into())
}

impl Parser {
    fn define(&mut self, v: Value, ty: Ty) {
        let n = v.0 as usize + 1;
        if self.f.types.len() < n {
            self.f.types.resize(n, Ty::I64);
        }
        self.f.types[v.0 as usize] = ty;
    }

    fn params(&mut self, b: Block, w: &mut Words<'_>) -> Result<(), String> {
        while w.peek().is_some() {
            let v = w.value()?;
            let t = ty(w.next()?)?;
            self.define(v, t);
            self.f.block_mut(b).params.push(v);
        }
        Ok(())
    }

    fn block(&mut self, number: u32) -> Block {
        while self.f.blocks.len() as u32 <= number {
            self.f.add_block();
        }
        Block(number)
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let mut w = Words::new(line);
        let Some(first) = w.peek() else { return Ok(()) };
        let is_block = first.strip_prefix('b').is_some_and(|d| d.parse::<u32>().is_ok());
        if first == "slot" && self.current.is_none() {
            return self.slot(&mut w);
        }
        if is_block {
            let number = w.number('b')?;
            let b = self.block(number);
            self.current = Some(b);
            return self.params(b, &mut w);
        }
        let b = self.current.ok_or("an instruction before the first block")?;
        if matches!(first, "jump" | "br" | "ret" | "unreachable") {
            let term = self.term(&mut w)?;
            self.f.block_mut(b).term = term;
            return Ok(());
        }
        let mut result = None;
        if first.starts_with('v') {
            let v = w.value()?;
            let t = ty(w.next()?)?;
            self.define(v, t);
            result = Some(v);
        }
        let op = op(&mut w)?;
        self.f.block_mut(b).insts.push(Inst { op, result, span: Span::default() });
        w.peek().map_or(Ok(()), |extra| Err(format!("unexpected {extra}")))
    }

    fn slot(&mut self, w: &mut Words<'_>) -> Result<(), String> {
        w.next()?;
        w.number('s')?;
        let (size, align) = (w.int()? as u32, w.align()?);
        let memory = match w.peek() {
            Some("stack") => Memory::Stack,
            Some("scratch") => Memory::Scratch,
            Some("scratchstart") => Memory::ScratchStart,
            _ => Memory::Any,
        };
        self.f.slots.push(SlotData { size, align, memory });
        Ok(())
    }

    fn target(&mut self, w: &mut Words<'_>) -> Result<(Block, Vec<Value>), String> {
        let number = w.number('b')?;
        Ok((self.block(number), w.values()?))
    }

    fn term(&mut self, w: &mut Words<'_>) -> Result<Term, String> {
        Ok(match w.next()? {
            "jump" => {
                let (b, args) = self.target(w)?;
                Term::Jump(b, args)
            }
            "br" => {
                let name = w.next()?;
                let cond = by_name(CONDS, name).ok_or_else(|| format!("not a condition: {name}"))?;
                let (a, b) = (w.value()?, w.value()?);
                let (then, otherwise) = (self.target(w)?, self.target(w)?);
                Term::Branch { cond, a, b, then, otherwise, unlikely: w.peek() == Some("unlikely") }
            }
            "ret" => Term::Return(w.value()?),
            _ => Term::Unreachable,
        })
    }
}

fn op(w: &mut Words<'_>) -> Result<Op, String> {
    let word = w.next()?;
    let mut parts = word.split('.');
    let (name, a, b) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    if let Some(alu) = by_name(ALUS, name) {
        return Ok(Op::Alu(alu, w.value()?, w.value()?));
    }
    Ok(match name {
        "const" => Op::Const(w.int()?),
        "neg" => Op::Neg(w.value()?),
        "cmp" => {
            let cond = by_name(CONDS, a).ok_or_else(|| format!("not a condition: {a}"))?;
            Op::Cmp(cond, w.value()?, w.value()?)
        }
        "sext" => Op::Sext(w.width(a)?, w.value()?),
        "zext" => Op::Zext(w.width(a)?, w.value()?),
        "bswap" => Op::Bswap(w.width(a)?, w.value()?),
        "slot" => Op::SlotAddr(Slot(w.number('s')?)),
        "map" => Op::MapRef(ObjMapId(w.number('m')?)),
        "mapvalue" => Op::MapValue(ObjMapId(w.number('m')?), w.int()? as u32),
        "func" => Op::FuncAddr(FuncId(w.number('f')?)),
        "call" => call(w)?,
        _ => memory(w, name, a, b)?,
    })
}

fn call(w: &mut Words<'_>) -> Result<Op, String> {
    if w.peek().is_some_and(|p| p.starts_with('f')) {
        return Ok(Op::CallLocal(FuncId(w.number('f')?), w.args()?));
    }
    Ok(Op::Call(Helper(w.int()? as u32), w.args()?))
}

fn memory(w: &mut Words<'_>, name: &str, a: &str, b: &str) -> Result<Op, String> {
    let place = |w: &mut Words<'_>| -> Result<(Value, i32), String> { Ok((w.value()?, w.int()? as i32)) };
    match name {
        "load" => {
            let width = w.width(a)?;
            let (ptr, offset) = place(w)?;
            Ok(Op::Load { width, signed: b == "s", ptr, offset })
        }
        "store" => {
            let width = w.width(a)?;
            let (ptr, offset) = place(w)?;
            Ok(Op::Store { width, ptr, offset, value: w.value()? })
        }
        "atomic" => {
            let op = by_name(ATOMICS, a).ok_or_else(|| format!("not an atomic operation: {a}"))?;
            let width = w.width(b)?;
            let (ptr, offset) = place(w)?;
            Ok(Op::Atomic { op, width, ptr, offset, value: w.value()? })
        }
        "cmpxchg" => {
            let (ptr, offset) = place(w)?;
            Ok(Op::CmpXchg { ptr, offset, old: w.value()?, new: w.value()? })
        }
        "copy" => {
            let ((dst, dst_offset), (src, src_offset)) = (place(w)?, place(w)?);
            Ok(Op::Copy { dst, dst_offset, src, src_offset, len: w.int()? as u32, align: w.align()? })
        }
        "zero" => {
            let (dst, offset) = place(w)?;
            Ok(Op::Zero { dst, offset, len: w.int()? as u32, align: w.align()? })
        }
        _ => Err(format!("not an operation: {name}")),
    }
}
