//! Where debug information says that a parameter lies.

use super::abi;
use super::frame::Frame;
use crate::files::dwarf::Error;
use crate::files::dwarf::Reader;
use crate::files::dwarf::node::Node;
use gimli::{AttributeValue, Expression, Operation};
use rbtrace_lang::context::{Location, Memory};

/// An expression of more operations is not followed.
const MAX_OPERATIONS: usize = 8;

/// What debug information says of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It lies here.
    At(Location),
    /// It is not to be had at this instruction.
    Gone,
    /// Its address is passed, who knows where.
    Address,
    /// Nothing, or nothing that holds at this instruction.
    Nothing,
}

/// Is the parameter's address passed in its stead?
pub(super) fn through_address(said: Said) -> bool {
    match said {
        Said::Address => true,
        Said::At(Location::Memory(memory)) => memory.offset == 0 && memory.base.is_some_and(abi::is_argument),
        _ => false,
    }
}

/// What an expression describes.
enum Described {
    Register(u16),
    Pair(u16, u16),
    /// Bytes from what the register holds.
    Near(u16, i64),
    /// Bytes from the frame's base.
    InFrame(i64),
    /// Behind the address that lies in the frame.
    BehindFrame,
    /// Bytes from where the stack was before the call.
    InCaller(i64),
    Constant(u64),
    Empty,
    Other,
}

/// Where a parameter lies at the instruction at `pc` of a function.
pub(super) fn of(parameter: &Node, function: &Node, pc: u64, frame: Frame) -> Result<Said, Error> {
    if let Some(value) = parameter.number(gimli::DW_AT_const_value) {
        return Ok(Said::At(Location::Constant(value)));
    }
    let Some(value) = parameter.value(gimli::DW_AT_location) else { return Ok(Said::Nothing) };
    if let AttributeValue::Exprloc(expression) = value {
        let described = describe(parameter, expression)?;
        return Ok(match described {
            // Stored there later.
            Described::Register(number) if frame == Frame::Entry && abi::argument(number).is_none() => {
                Said::Nothing
            }
            ref described => place(described, function, frame)?,
        });
    }
    let info = parameter.info();
    let list = info.read(info.dwarf.attr_locations(&parameter.unit().inner, value))?;
    let Some(mut list) = list else { return Ok(Said::Nothing) };
    while let Some(entry) = info.read(list.next())? {
        if (entry.range.begin..entry.range.end).contains(&pc) {
            return place(&describe(parameter, entry.data)?, function, frame);
        }
    }
    Ok(Said::Gone)
}

fn place(described: &Described, function: &Node, frame: Frame) -> Result<Said, Error> {
    let at = match *described {
        Described::Register(number) => abi::register(number).map(Location::Register),
        Described::Pair(low, high) => {
            abi::register(low).zip(abi::register(high)).map(|(low, high)| Location::Pair(low, high))
        }
        Described::Near(base, offset) => near(base, offset),
        Described::InFrame(offset) => return in_frame(offset, function, frame),
        Described::InCaller(offset) if frame == Frame::Entry => in_caller(offset),
        Described::Constant(value) => Some(Location::Constant(value)),
        Described::Empty => return Ok(Said::Gone),
        Described::BehindFrame if frame == Frame::Entry => return Ok(Said::Address),
        Described::InCaller(_) | Described::BehindFrame | Described::Other => None,
    };
    Ok(at.map_or(Said::Nothing, Said::At))
}

fn near(base: u16, offset: i64) -> Option<Location> {
    let base = abi::offset_of(base)?;
    Some(Location::Memory(Memory { base: Some(base), index: None, offset, narrow: false }))
}

/// Of what lies before the return address: at a function's first instruction the stack pointer points to that.
fn in_caller(offset: i64) -> Option<Location> {
    near(abi::STACK_POINTER, offset.checked_add(8)?).filter(|_| offset >= 0)
}

fn in_frame(offset: i64, function: &Node, frame: Frame) -> Result<Said, Error> {
    let base = match function.value(gimli::DW_AT_frame_base) {
        Some(AttributeValue::Exprloc(expression)) => describe(function, expression)?,
        _ => Described::Other,
    };
    let at = match (base, frame) {
        (Described::InCaller(0), Frame::Entry) => in_caller(offset),
        // The base pointer is pushed first: it will point 16 bytes below.
        (Described::Register(abi::BASE_POINTER), Frame::Entry) => offset.checked_sub(16).and_then(in_caller),
        (Described::InCaller(0), Frame::Inside(Some((register, distance)))) => {
            distance.checked_add(offset).and_then(|offset| near(register, offset))
        }
        (Described::Register(base), Frame::Inside(_)) => near(base, offset),
        _ => None,
    };
    Ok(at.map_or(Said::Nothing, Said::At))
}

fn describe(node: &Node, expression: Expression<Reader>) -> Result<Described, Error> {
    let mut all = vec![];
    let mut operations = expression.operations(node.unit().inner.encoding());
    while let Some(operation) = node.info().read(operations.next())? {
        all.push(operation);
        if all.len() > MAX_OPERATIONS {
            return Ok(Described::Other);
        }
    }
    Ok(match all[..] {
        [] => Described::Empty,
        [Operation::Register { register }] => Described::Register(register.0),
        [
            Operation::Register { register: low },
            Operation::Piece { size_in_bits: 64, bit_offset: None },
            Operation::Register { register: high },
            Operation::Piece { .. },
        ] => Described::Pair(low.0, high.0),
        [Operation::RegisterOffset { register, offset, .. }] => Described::Near(register.0, offset),
        [Operation::FrameOffset { offset }] => Described::InFrame(offset),
        [Operation::FrameOffset { .. }, Operation::Deref { .. }] => Described::BehindFrame,
        [Operation::CallFrameCFA] => Described::InCaller(0),
        [Operation::CallFrameCFA, Operation::PlusConstant { value }] => Described::InCaller(value as i64),
        [Operation::UnsignedConstant { value }, Operation::StackValue] => Described::Constant(value),
        [Operation::SignedConstant { value }, Operation::StackValue] => Described::Constant(value as u64),
        _ => Described::Other,
    })
}
