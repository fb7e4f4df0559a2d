//! Call frame information (`.eh_frame`) as rows of rules.
//!
//! Compilers describe each function by a small program. Only what they really write is taken over: the caller's stack
//! pointer by a register and an offset, its frame pointer unchanged or saved beside, and three known expressions.
//! All else is [`UnwindRule::Unknown`]: there a stack ends, and that is counted.

use crate::files::elf::Elf;
use gimli::{
    BaseAddresses, CfaRule, CieOrFde, EhFrame, EndianSlice, FrameDescriptionEntry, LittleEndian, Operation,
    RegisterRule, UnwindContext, UnwindExpression, UnwindSection as _, UnwindTableRow, X86_64,
};
use rbtrace_codegen::object::UnwindRule;

type Bytes<'a> = EndianSlice<'a, LittleEndian>;

/// Where compilers put the return address, from the caller's stack pointer.
const RETURN_ADDRESS: i64 = -8;

/// A rule and the address from which on it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) address: u64,
    pub(super) cfa: i32,
    pub(super) fp: i16,
    pub(super) rule: UnwindRule,
}

impl Row {
    pub(super) fn unknown(address: u64) -> Row {
        Row { address, cfa: 0, fp: 0, rule: UnwindRule::Unknown }
    }

    fn simple(address: u64, rule: UnwindRule) -> Row {
        Row { rule, ..Row::unknown(address) }
    }

    /// As programs read it.
    pub(super) fn bytes(&self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&self.address.to_le_bytes());
        out[8..12].copy_from_slice(&self.cfa.to_le_bytes());
        out[12..14].copy_from_slice(&self.fp.to_le_bytes());
        out[14..].copy_from_slice(&(self.rule as u16).to_le_bytes());
        out
    }
}

/// The rules of a file, sorted by address; none where it has no call frame information. Damaged entries are left out.
pub(super) fn of(elf: &Elf) -> Vec<Row> {
    let Some((address, data)) = elf.loaded_section(".eh_frame") else { return Vec::new() };
    // An instruction that begins a row has a byte, and one that says something new another.
    let most = data.len() / 2;
    let frames = EhFrame::new(data, LittleEndian);
    let bases = BaseAddresses::default().set_eh_frame(address);
    let (mut rows, mut ends, mut context) = (Vec::new(), Vec::new(), UnwindContext::new());
    let mut entries = frames.entries(&bases);
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else { continue };
        let Ok(function) = partial.parse(EhFrame::cie_from_offset) else { continue };
        if function.len() == 0 || rows.len() > most {
            continue;
        }
        if add(&frames, &bases, &function, &mut context, &mut rows).is_some() {
            ends.push(Row::unknown(function.initial_address().saturating_add(function.len())));
        }
    }
    // Where a function begins at another's end, its own row comes later and wins.
    ends.extend(rows);
    ends.sort_by_key(|row| row.address);
    ends.dedup_by(|later, row| {
        let same = later.address == row.address;
        if same {
            *row = *later;
        }
        same
    });
    ends.dedup_by(|later, row| Row { address: row.address, ..*later } == *row);
    ends
}

/// Adds the rows of one function; `None` where its entry cannot be read to the end.
fn add<'a>(
    frames: &EhFrame<Bytes<'a>>,
    bases: &BaseAddresses,
    function: &FrameDescriptionEntry<Bytes<'a>>,
    context: &mut UnwindContext<usize>,
    rows: &mut Vec<Row>,
) -> Option<()> {
    let before = rows.len();
    let signal = function.is_signal_trampoline();
    let mut table = function.rows(frames, bases, context).ok()?;
    loop {
        match table.next_row() {
            Ok(Some(row)) if signal => rows.push(Row::simple(row.start_address(), UnwindRule::Signal)),
            Ok(Some(row)) => rows.push(rule(frames, row)),
            Ok(None) => return Some(()),
            Err(_) => {
                rows.truncate(before);
                return None;
            }
        }
    }
}

fn rule(frames: &EhFrame<Bytes<'_>>, row: &UnwindTableRow<usize>) -> Row {
    known_rule(frames, row).unwrap_or_else(|| Row::unknown(row.start_address()))
}

fn known_rule(frames: &EhFrame<Bytes<'_>>, row: &UnwindTableRow<usize>) -> Option<Row> {
    let address = row.start_address();
    match row.register(X86_64::RA) {
        Some(RegisterRule::Undefined) => return Some(Row::simple(address, UnwindRule::Outermost)),
        Some(RegisterRule::Offset(RETURN_ADDRESS)) => {}
        _ => return None,
    }
    let (rule, distance) = match row.cfa() {
        CfaRule::RegisterAndOffset { register: X86_64::RSP, offset } => (UnwindRule::Sp, *offset),
        CfaRule::RegisterAndOffset { register: X86_64::RBP, offset } => (UnwindRule::Fp, *offset),
        CfaRule::RegisterAndOffset { .. } => return None,
        CfaRule::Expression(expression) => match operations(frames, expression)?[..] {
            [Operation::RegisterOffset { register: X86_64::RBP, offset, .. }, Operation::Deref { .. }] => {
                (UnwindRule::FpIndirect, offset)
            }
            ref other => return plt(address, other),
        },
    };
    let saved = match row.register(X86_64::RBP) {
        None | Some(RegisterRule::Undefined | RegisterRule::SameValue) => 0,
        // The word that holds the caller's stack pointer is found by the frame pointer, and so is what it was before.
        Some(RegisterRule::Expression(e)) if rule == UnwindRule::FpIndirect => {
            match operations(frames, &e)?[..] {
                [Operation::RegisterOffset { register: X86_64::RBP, offset, .. }] => offset,
                _ => return None,
            }
        }
        Some(RegisterRule::Offset(offset)) if rule != UnwindRule::FpIndirect && offset != 0 => offset,
        _ => return None,
    };
    Some(Row { address, cfa: distance.try_into().ok()?, fp: saved.try_into().ok()?, rule })
}

fn operations<'a>(
    frames: &EhFrame<Bytes<'a>>,
    expression: &UnwindExpression<usize>,
) -> Option<Vec<Operation<Bytes<'a>>>> {
    read_operations(expression.get(frames).ok()?)
}

fn read_operations(expression: gimli::Expression<Bytes<'_>>) -> Option<Vec<Operation<Bytes<'_>>>> {
    const X86_64_ENCODING: gimli::Encoding =
        gimli::Encoding { address_size: 8, format: gimli::Format::Dwarf32, version: 4 };
    /// Longer ones are none that is known here.
    const MOST: usize = 9;
    let mut operations = expression.operations(X86_64_ENCODING);
    let mut found = Vec::new();
    while let Some(operation) = operations.next().ok()? {
        found.push(operation);
        if found.len() > MOST {
            return None;
        }
    }
    Some(found)
}

/// What linkers write of the procedure linkage table: `rsp + 8 + ((rip & 15) >= N ? 8 : 0)`.
fn plt(address: u64, operations: &[Operation<Bytes<'_>>]) -> Option<Row> {
    use Operation::{And, Ge, Plus, RegisterOffset, Shl, UnsignedConstant};
    match *operations {
        [
            RegisterOffset { register: X86_64::RSP, offset, .. },
            RegisterOffset { register: X86_64::RA, offset: 0, .. },
            UnsignedConstant { value: 15 },
            And,
            UnsignedConstant { value },
            Ge,
            UnsignedConstant { value: 3 },
            Shl,
            ref rest @ ..,
        ] if matches!(rest, [Plus]) => {
            let (cfa, fp) = (offset.try_into().ok()?, value.try_into().ok()?);
            Some(Row { address, cfa, fp, rule: UnwindRule::Plt })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn rules_of_a_real_file() {
        let rows = of(&Elf::open(Path::new("/proc/self/exe")).unwrap());
        assert!(rows.is_sorted_by_key(|row| row.address));
        let has = |rule| rows.iter().any(|row| row.rule == rule);
        assert!(has(UnwindRule::Sp) && has(UnwindRule::Fp) && has(UnwindRule::Outermost));
        let unknown = rows.iter().filter(|row| row.rule == UnwindRule::Unknown).count();
        assert!(unknown * 4 < rows.len(), "{unknown} of {}", rows.len());
    }

    #[test]
    fn entries_of_the_linkage_table() {
        // What binutils write: DW_OP_breg7 8, breg16 0, lit15, and, lit11, ge, lit3, shl, plus.
        let bytes = [0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22];
        let read = |bytes| read_operations(gimli::Expression(Bytes::new(bytes, LittleEndian)));
        let row = plt(0x40, &read(&bytes).unwrap()).unwrap();
        assert_eq!(row, Row { address: 0x40, cfa: 8, fp: 11, rule: UnwindRule::Plt });
        assert_eq!(plt(0x40, &read(&bytes[..10]).unwrap()), None);
    }
}
