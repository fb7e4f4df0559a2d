//! The calling conventions of x86-64: the System V ABI (section 3.2.3), and what is known of Rust's.

use crate::files::dwarf::Error;
use crate::files::dwarf::node::Node;
use crate::files::dwarf::types::{Base, base_of, size_of, strip};
use gimli::{AttributeValue, DwLang};
use rbtrace_lang::context::{Location, Memory, Register};
use std::rc::Rc;

/// DWARF's numbers of registers (System V ABI, figure 3.36), by the names of `pt_regs`.
const REGISTERS: [&str; 16] =
    ["ax", "dx", "cx", "bx", "si", "di", "bp", "sp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];
/// Those that pass integers, in order.
const ARGUMENTS: [u16; 6] = [5, 4, 1, 2, 8, 9];
pub(super) const BASE_POINTER: u16 = 6;
pub(super) const STACK_POINTER: u16 = 7;

/// How many registers pass floating-point numbers.
const VECTORS: u8 = 8;
/// Values of more bytes than this are passed in memory.
const MOST_BYTES: u64 = 16;
/// Types nest no deeper, and no more parts are looked at.
const MAX_DEPTH: u32 = 16;
const MAX_PARTS: u32 = 64;

const FLOAT: &str = "it is passed in a floating-point register, which BPF programs cannot read";
const UNKNOWN: &str = "how this language passes it is not known";

/// Where a register lies in `pt_regs`.
pub(super) fn offset_of(number: u16) -> Option<u32> {
    let name = REGISTERS.get(usize::from(number))?;
    rbtrace_codegen::arch::register(name).map(|(offset, _)| offset)
}

/// Which argument a register passes.
pub(super) fn argument(number: u16) -> Option<u8> {
    ARGUMENTS.iter().position(|&n| n == number).map(|n| n as u8)
}

/// Does the register at this offset of `pt_regs` pass an argument?
pub(super) fn is_argument(offset: u32) -> bool {
    ARGUMENTS.iter().any(|&n| offset_of(n) == Some(offset))
}

/// A register by DWARF's number.
pub(super) fn register(number: u16) -> Option<Register> {
    match argument(number) {
        Some(n) => Some(Register::Arg(n)),
        None => offset_of(number).map(|offset| Register::At { offset, size: 8 }),
    }
}

/// The lowest bytes of a register.
pub(super) fn narrow(register: Register, size: u8) -> Register {
    let offset = match register {
        Register::Arg(n) => ARGUMENTS.get(usize::from(n)).copied().and_then(offset_of),
        Register::At { offset, .. } => Some(offset),
        Register::Return => offset_of(0),
    };
    offset.map_or(register, |offset| Register::At { offset, size })
}

/// Who decides where parameters go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Convention {
    /// C, C++ and what calls like them.
    SystemV,
    /// Not promised to anyone; what is assumed is what rustc 1.60 to 1.90 does.
    Rust,
    /// Another language's own.
    Unknown,
}

impl Convention {
    pub(super) fn of(function: &Node) -> Convention {
        match function.unit().language() {
            Some(gimli::DW_LANG_Rust) => Convention::Rust,
            Some(
                gimli::DW_LANG_Go | gimli::DW_LANG_OCaml | gimli::DW_LANG_Haskell | gimli::DW_LANG_Swift,
            ) => Convention::Unknown,
            Some(DwLang(_)) | None => Convention::SystemV,
        }
    }
}

/// What is left for the next parameters.
pub(super) struct Slots {
    convention: Convention,
    integers: u8,
    vectors: u8,
    /// Bytes from the stack pointer at the function's first instruction.
    stack: u64,
    /// From here on nothing is certain.
    lost: bool,
}

/// Where a parameter is passed.
pub(super) struct Passed {
    pub(super) at: Result<Location, Rc<str>>,
    /// There is its address.
    pub(super) by_address: bool,
}

/// What a value is for the calling convention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// It has no bytes.
    Nothing,
    /// So many registers for integers.
    Integers(u8),
    /// So many registers for integers and for floating-point numbers.
    Mixed(u8, u8),
    /// On the stack.
    Memory,
    /// Its address is passed.
    Address,
    Unknown,
}

impl Slots {
    /// A result in memory takes the first register for its address.
    pub(super) fn new(convention: Convention, result: &Option<Node>) -> Result<Slots, Error> {
        let class = match result {
            Some(ty) => class_of(convention, ty)?,
            None => Class::Nothing,
        };
        let hidden = matches!(class, Class::Memory | Class::Address);
        let lost = convention == Convention::Unknown;
        Ok(Slots { convention, integers: u8::from(hidden), vectors: 0, stack: 8, lost })
    }

    /// Where the next parameter goes, or with `through_address` its address.
    pub(super) fn next(&mut self, ty: &Node, through_address: bool) -> Result<Passed, Error> {
        let class = match through_address {
            _ if self.lost => Class::Unknown,
            true => Class::Address,
            false => class_of(self.convention, ty)?,
        };
        self.lost |= class == Class::Unknown;
        let at = match class {
            Class::Nothing => Ok(Location::Constant(0)),
            Class::Integers(n) if self.integers + n <= ARGUMENTS.len() as u8 => Ok(self.registers(n)),
            Class::Mixed(n, v)
                if self.integers + n <= ARGUMENTS.len() as u8 && self.vectors + v <= VECTORS =>
            {
                self.integers += n;
                self.vectors += v;
                Err(FLOAT)
            }
            Class::Address if self.integers < ARGUMENTS.len() as u8 => Ok(self.registers(1)),
            Class::Address => Ok(self.on_stack(8, 8)),
            Class::Integers(_) | Class::Mixed(..) | Class::Memory => {
                let size = size_of(ty)?.unwrap_or(8);
                let align =
                    if size == 16 && strip(ty.clone())?.tag() == gimli::DW_TAG_base_type { 16 } else { 8 };
                Ok(self.on_stack(size, align))
            }
            Class::Unknown => Err(UNKNOWN),
        };
        Ok(Passed { at: at.map_err(Rc::from), by_address: class == Class::Address })
    }

    fn registers(&mut self, n: u8) -> Location {
        let first = Register::Arg(self.integers);
        self.integers += n;
        if n == 2 {
            Location::Pair(first, Register::Arg(self.integers - 1))
        } else {
            Location::Register(first)
        }
    }

    fn on_stack(&mut self, size: u64, align: u64) -> Location {
        // The return address lies below them.
        let offset = (self.stack - 8).next_multiple_of(align) + 8;
        self.stack = offset.saturating_add(size.min(1 << 20).next_multiple_of(8));
        let base = offset_of(STACK_POINTER);
        Location::Memory(Memory { base, index: None, offset: offset as i64, narrow: false })
    }
}

fn class_of(convention: Convention, ty: &Node) -> Result<Class, Error> {
    let ty = strip(ty.clone())?;
    let size = size_of(&ty)?.unwrap_or(8);
    match ty.value(gimli::DW_AT_calling_convention) {
        Some(AttributeValue::CallingConvention(gimli::DW_CC_pass_by_reference)) => return Ok(Class::Address),
        None if is_composite(&ty) && copies_by_call(&ty, &mut { MAX_PARTS })? => return Ok(Class::Address),
        _ if size == 0 => return Ok(Class::Nothing),
        // An empty class of C++ has one byte, which is not passed.
        _ if is_composite(&ty) && size == 1 && parts_of(&ty)?.is_empty() => return Ok(Class::Nothing),
        _ => {}
    }
    let large = if convention == Convention::Rust { Class::Address } else { Class::Memory };
    if size > MOST_BYTES {
        return Ok(large);
    }
    let mut words = Words { kinds: [None, None], left: MAX_PARTS, scalars: 0, aligned: true };
    words.add(&ty, 0, 0)?;
    if !words.aligned {
        return Ok(if convention == Convention::Rust { Class::Unknown } else { Class::Memory });
    }
    if convention == Convention::Rust && is_composite(&ty) {
        return Ok(rust_class(&words, size));
    }
    // A `long double`.
    if size == MOST_BYTES && base_of(&ty) == Some(Base::Float) {
        return Ok(Class::Memory);
    }
    let count = |wanted| words.kinds.iter().filter(|k| **k == Some(wanted)).count() as u8;
    // A vector takes one register, however long.
    let (integers, floats) = (count(Kind::Integer), count(Kind::Float));
    Ok(if floats == 0 { Class::Integers(integers.max(1)) } else { Class::Mixed(integers, floats) })
}

/// One scalar goes as itself, two side by side go in a register each. Of others, releases of rustc differ.
fn rust_class(words: &Words, size: u64) -> Class {
    let floats = words.kinds.contains(&Some(Kind::Float));
    match (words.scalars, size) {
        (1, ..=8) if !floats => Class::Integers(1),
        (2, 16) if !floats => Class::Integers(2),
        _ => Class::Unknown,
    }
}

fn is_composite(ty: &Node) -> bool {
    matches!(ty.tag(), gimli::DW_TAG_structure_type | gimli::DW_TAG_class_type | gimli::DW_TAG_union_type)
}

/// Is it a class of C++ that has a destructor or a copy constructor, or a part of it such a class? Compilers that do
/// not say how a class is passed leave no other trace.
fn copies_by_call(ty: &Node, left: &mut u32) -> Result<bool, Error> {
    *left = left.saturating_sub(1);
    if *left == 0 || !is_composite(ty) {
        return Ok(false);
    }
    let own = ty.name().unwrap_or_else(|| "".into());
    for method in ty.children(&[gimli::DW_TAG_subprogram])? {
        let written = !method.flag(gimli::DW_AT_artificial) && !method.has(gimli::DW_AT_defaulted);
        let name = method.name().unwrap_or_else(|| "".into());
        if written && (name.starts_with('~') || *name == *own && takes_reference(&method, ty)?) {
            return Ok(true);
        }
    }
    for part in parts_of(ty)? {
        if let Some(inner) = part.ty()?.map(strip).transpose()?
            && copies_by_call(&inner, left)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes a constructor one of its own kind?
fn takes_reference(constructor: &Node, of: &Node) -> Result<bool, Error> {
    let parameters = constructor.children(&[gimli::DW_TAG_formal_parameter])?;
    let written: Vec<&Node> = parameters.iter().filter(|p| !p.flag(gimli::DW_AT_artificial)).collect();
    let [only] = written[..] else { return Ok(false) };
    let Some(ty) = only.ty()?.map(strip).transpose()? else { return Ok(false) };
    let reference = matches!(ty.tag(), gimli::DW_TAG_reference_type | gimli::DW_TAG_rvalue_reference_type);
    let to = ty.ty()?.map(strip).transpose()?;
    Ok(reference && to.is_some_and(|to| to.offset() == of.offset()))
}

fn parts_of(ty: &Node) -> Result<Vec<Node>, Error> {
    let parts =
        ty.children(&[gimli::DW_TAG_member, gimli::DW_TAG_inheritance, gimli::DW_TAG_variant_part])?;
    Ok(parts.into_iter().filter(|p| !p.flag(gimli::DW_AT_external)).collect())
}

/// What the 8 bytes of a word hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Integer,
    Float,
}

/// The two words of a value.
struct Words {
    kinds: [Option<Kind>; 2],
    left: u32,
    scalars: u32,
    aligned: bool,
}

impl Words {
    fn add(&mut self, ty: &Node, at: u64, depth: u32) -> Result<(), Error> {
        self.left = self.left.saturating_sub(1);
        if depth >= MAX_DEPTH || self.left == 0 {
            self.aligned = false;
            return Ok(());
        }
        let ty = strip(ty.clone())?;
        if is_composite(&ty) {
            return self.parts(&ty, at, depth);
        }
        let size = size_of(&ty)?.unwrap_or(8);
        if ty.tag() == gimli::DW_TAG_array_type {
            return self.elements(&ty, size, at, depth);
        }
        let kind = if base_of(&ty) == Some(Base::Float) { Kind::Float } else { Kind::Integer };
        self.scalars += 1;
        self.aligned &= size > 0 && at.is_multiple_of(size.min(16));
        for word in at / 8..(at + size.clamp(1, MOST_BYTES)).div_ceil(8) {
            let Some(seen) = self.kinds.get_mut(word as usize) else { return Ok(()) };
            *seen = if *seen == Some(Kind::Integer) { *seen } else { Some(kind) };
        }
        Ok(())
    }

    fn parts(&mut self, ty: &Node, at: u64, depth: u32) -> Result<(), Error> {
        for part in parts_of(ty)? {
            // Of a Rust enum, the parts lie one over the other.
            if part.tag() == gimli::DW_TAG_variant_part {
                self.aligned = false;
                continue;
            }
            let Some(inner) = part.ty()? else { continue };
            let bits = part.number(gimli::DW_AT_data_bit_offset);
            let offset = bits.map(|b| b / 8).or_else(|| part.number(gimli::DW_AT_data_member_location));
            let offset = offset.unwrap_or(0).min(1 << 20);
            match part.has(gimli::DW_AT_bit_size) {
                true => self.bits((at + offset) / 8),
                false => self.add(&inner, at + offset, depth + 1)?,
            }
        }
        Ok(())
    }

    fn bits(&mut self, word: u64) {
        if let Some(seen) = self.kinds.get_mut(word as usize) {
            *seen = Some(Kind::Integer);
        }
    }

    fn elements(&mut self, ty: &Node, size: u64, at: u64, depth: u32) -> Result<(), Error> {
        let Some(elem) = ty.ty()? else { return Ok(()) };
        let step = size_of(&elem)?.unwrap_or(0).max(1);
        for n in 0..(size / step).min(MOST_BYTES) {
            self.add(&elem, at + n * step, depth + 1)?;
        }
        Ok(())
    }
}
