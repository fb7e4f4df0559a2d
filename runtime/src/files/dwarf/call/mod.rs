//! The parameters of a function of a program or library: their names, types, and where each lies.
//!
//! Debug information is asked first, where it can be relied on: what it says of a function's first instruction holds
//! for code that was optimised, and for what the caller has put on the stack. Of code that was not, it says where the
//! function is going to store its parameters, which it has not done yet: there, as for a parameter about which
//! nothing is said, the calling convention decides.
//! At other instructions only debug information is asked, and the call frame information of the program.

mod abi;
mod frame;
mod location;

use super::node::Node;
use super::types::{UserTypes, spelled};
use super::{DebugInfo, Error};
use abi::{Convention, Slots};
use frame::Frame;
use gimli::UnitOffset;
use location::Said;
use rbtrace_lang::context::{Argument, Location};
use rbtrace_lang::types::{AddrSpace, Type};
use std::rc::Rc;

/// A function that can be called, at one of its instructions.
pub(crate) struct Call {
    function: Node,
    symbol: String,
    /// The address of the instruction.
    at: u64,
    frame: Frame,
}

impl Call {
    /// The function whose code an address of the file is; `None` where debug information has none there.
    pub(crate) fn find(info: &Rc<DebugInfo>, at: u64) -> Result<Option<Call>, Error> {
        let Some(unit) = info.unit_at(at)? else { return Ok(None) };
        let split = info.split(&unit)?;
        let Some(tree) = info.function_in(&unit, at)? else { return Ok(None) };
        let entry = UnitOffset(tree.entry);
        let function = match split {
            Some(split) => match split.split_unit()? {
                Some(unit) => Node::at(&split, &unit, entry)?,
                None => return Ok(None),
            },
            None => Node::at(info, &unit, entry)?,
        };
        let start = tree.ranges.iter().find(|r| r.contains(at)).map_or(at, |r| r.start);
        let symbols = info.elf().names_of(&[start]);
        let symbol = symbols.get(&start).map_or_else(String::new, |(name, _)| name.clone());
        let rows = unit.lines(info)?.rows().map(|r| r.address);
        let prologue_end = rows.filter(|a| *a > start && tree.contains(*a)).min();
        let frame = match prologue_end {
            _ if at == start => Frame::Entry,
            Some(end) if at >= end => Frame::Inside(frame::before_call(info.program(), at)),
            _ => Frame::Prologue,
        };
        Ok(Some(Call { function, symbol, at, frame }))
    }

    /// The parameters in order.
    pub(crate) fn arguments(&self, types: &UserTypes) -> Result<Vec<Argument>, Error> {
        let convention = Convention::of(&self.function);
        let mut slots = Slots::new(convention, &self.result()?)?;
        let mut all = vec![];
        for parameter in self.parameters()? {
            let Some(described) = Parameter::read(&parameter)? else { continue };
            let said = location::of(&parameter, &self.function, self.at, self.frame)?;
            let passed = slots.next(&described.ty, location::through_address(said))?;
            let ty = types.of(&described.ty)?.in_space(AddrSpace::User);
            let (at, ty) = match said {
                Said::At(at) => (Ok(at), ty),
                Said::Gone => (Err(GONE.into()), ty),
                _ if self.frame != Frame::Entry => (Err(NOT_HERE.into()), ty),
                _ if self.is_clone() => (Err(CLONED.into()), ty),
                _ if passed.by_address => (passed.at, Type::ptr(ty, AddrSpace::User)),
                _ => (passed.at, ty),
            };
            all.push(Argument { name: described.name, at: at.map(|at| fit(at, &ty)), ty });
        }
        Ok(all)
    }

    /// The parameters as a listing shows them: `struct Foo* foo1`.
    pub(crate) fn listed(&self) -> Result<Vec<String>, Error> {
        let mut all = vec![];
        for parameter in self.parameters()? {
            let Some(Parameter { name, ty }) = Parameter::read(&parameter)? else { continue };
            let ty = spelled(Some(ty))?;
            all.push(if name.is_empty() { ty } else { format!("{ty} {name}") });
        }
        Ok(all)
    }

    fn parameters(&self) -> Result<Vec<Node>, Error> {
        self.function.children(&[gimli::DW_TAG_formal_parameter])
    }

    fn result(&self) -> Result<Option<Node>, Error> {
        for node in self.function.origins()? {
            if let Some(ty) = node.ty()? {
                return Ok(Some(ty));
            }
        }
        Ok(None)
    }

    /// Was it made from another function, with parameters left out or changed (`f.isra.0`)?
    fn is_clone(&self) -> bool {
        let made_from = self.function.has(gimli::DW_AT_abstract_origin);
        made_from && [".isra.", ".constprop.", ".part."].iter().any(|mark| self.symbol.contains(mark))
    }
}

const GONE: &str = "the compiler has optimised it away";
const CLONED: &str = "the compiler has changed how it is passed";
const NOT_HERE: &str = "debug information does not say where it lies at this instruction";

/// Of a truth value, a register's lowest byte counts.
fn fit(at: Location, ty: &Type) -> Location {
    match (at, ty) {
        (Location::Register(register), Type::Bool) => Location::Register(abi::narrow(register, 1)),
        _ => at,
    }
}

/// What a parameter is called and what it is; a copy refers to the original for both.
struct Parameter {
    name: Rc<str>,
    ty: Node,
}

impl Parameter {
    fn read(node: &Node) -> Result<Option<Parameter>, Error> {
        let (mut name, mut ty) = (None, None);
        for origin in node.origins()? {
            name = name.or_else(|| origin.name());
            if ty.is_none() {
                ty = origin.ty()?;
            }
        }
        Ok(ty.map(|ty| Parameter { name: name.unwrap_or_else(|| "".into()), ty }))
    }
}
