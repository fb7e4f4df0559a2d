//! Instruction boundaries and texts of x86-64 code.

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Formatter, GasFormatter, Instruction, Mnemonic, SymbolResolver,
    SymbolResult,
};
use std::fmt::Write as _;

/// What an instruction does to the flow of control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The next instruction follows.
    Next,
    /// A call; the target's address where the code names it.
    Call(Option<u64>),
    /// An unconditional jump; the target's address where the code names it.
    Jump(Option<u64>),
    /// A conditional jump.
    Branch(u64),
    /// A return.
    Return,
    /// Control does not come to the next instruction: `ud2`, `int3` and the like, or bytes that are no
    /// instruction.
    Stop,
}

/// One decoded instruction.
#[derive(Clone, Copy, Debug)]
pub struct Insn {
    /// Its address.
    pub address: u64,
    /// Its length in bytes.
    pub length: usize,
    /// Where control goes.
    pub flow: Flow,
    inner: Instruction,
}

impl Insn {
    /// One past its last byte.
    pub fn end(&self) -> u64 {
        self.address.wrapping_add(self.length as u64)
    }

    /// Where a call or jump goes, as far as the code names it.
    pub fn target(&self) -> Option<u64> {
        match self.flow {
            Flow::Call(target) | Flow::Jump(target) => target,
            Flow::Branch(target) => Some(target),
            _ => None,
        }
    }

    /// The address that it names: a target, or memory relative to the instruction pointer.
    pub fn named_address(&self) -> Option<u64> {
        let memory = || self.inner.is_ip_rel_memory_operand().then(|| self.inner.ip_rel_memory_address());
        self.target().or_else(memory)
    }

    /// Does it do nothing?
    pub fn is_nop(&self) -> bool {
        self.inner.mnemonic() == Mnemonic::Nop
    }

    /// Is it the breakpoint with which linkers fill gaps?
    pub fn is_int3(&self) -> bool {
        self.inner.mnemonic() == Mnemonic::Int3
    }
}

/// Names an address: `symbol` or `symbol+offset`.
pub trait NameAddress {
    /// The text for an address, if it has a name.
    fn name(&self, address: u64) -> Option<String>;
}

impl<F: Fn(u64) -> Option<String>> NameAddress for F {
    fn name(&self, address: u64) -> Option<String> {
        self(address)
    }
}

/// Decodes code from its first byte on. A byte with which no instruction begins counts as one
/// [`Flow::Stop`] of length 1.
pub fn decode(code: &[u8], address: u64) -> Vec<Insn> {
    let mut decoder = Decoder::with_ip(64, code, address, DecoderOptions::NONE);
    let mut insns = Vec::with_capacity(code.len() / 4);
    while decoder.can_decode() {
        let at = decoder.position();
        let mut insn = convert(decoder.decode());
        if insn.inner.is_invalid() {
            insn.length = 1;
            decoder.set_ip(insn.end());
            // The position lies within the code: one byte at least was there to decode.
            if decoder.set_position(at + 1).is_err() {
                break;
            }
        }
        insns.push(insn);
    }
    insns
}

fn convert(inner: Instruction) -> Insn {
    let target = matches!(inner.op_count(), 1..) && inner.near_branch_target() != 0;
    let target = target.then(|| inner.near_branch_target());
    let flow = match inner.flow_control() {
        _ if inner.is_invalid() => Flow::Stop,
        FlowControl::Next | FlowControl::XbeginXabortXend => Flow::Next,
        FlowControl::Call | FlowControl::IndirectCall => Flow::Call(target),
        FlowControl::UnconditionalBranch | FlowControl::IndirectBranch => Flow::Jump(target),
        FlowControl::ConditionalBranch => target.map_or(Flow::Next, Flow::Branch),
        FlowControl::Return => Flow::Return,
        FlowControl::Interrupt if inner.code() == iced_x86::Code::Int_imm8 => Flow::Next,
        FlowControl::Interrupt | FlowControl::Exception => Flow::Stop,
    };
    // `syscall` and `vmcall` come back to the next instruction.
    let comes_back = matches!(inner.mnemonic(), Mnemonic::Syscall | Mnemonic::Vmcall);
    let flow = if comes_back { Flow::Next } else { flow };
    Insn { address: inner.ip(), length: inner.len().max(1), flow, inner }
}

/// Writes instructions in AT&T syntax, as the kernel's own tools do.
pub struct Disassembler<'n> {
    names: &'n dyn NameAddress,
}

/// The name of the one address that an instruction has.
struct Targets(String, u64);

impl SymbolResolver for Targets {
    fn symbol(
        &mut self,
        _: &Instruction,
        _: u32,
        _: Option<u32>,
        address: u64,
        _: u32,
    ) -> Option<SymbolResult<'_>> {
        (address == self.1 && !self.0.is_empty()).then(|| SymbolResult::with_str(address, &self.0))
    }
}

impl<'n> Disassembler<'n> {
    /// A printer that names targets of calls and jumps, and memory operands relative to the
    /// instruction pointer.
    pub fn new(names: &'n dyn NameAddress) -> Disassembler<'n> {
        Disassembler { names }
    }

    /// The instruction's text.
    pub fn text(&self, insn: &Insn) -> String {
        if insn.inner.is_invalid() {
            return "(bad)".into();
        }
        let named = insn.named_address().and_then(|a| Some((self.names.name(a)?, a)));
        let (name, address) = named.unwrap_or_default();
        let mut formatter = GasFormatter::with_options(Some(Box::new(Targets(name, address))), None);
        let options = formatter.options_mut();
        options.set_uppercase_hex(false);
        options.set_small_hex_numbers_in_decimal(false);
        options.set_rip_relative_addresses(true);
        options.set_branch_leading_zeros(false);
        options.set_displacement_leading_zeros(false);
        let mut text = String::new();
        formatter.format(&insn.inner, &mut text);
        text
    }
}

/// An instruction near an offset that begins none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Offset from the function's start.
    pub offset: u64,
    /// Its text.
    pub text: String,
}

/// Why an offset cannot be probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadOffset {
    /// It lies inside an instruction.
    Middle(Vec<Neighbour>),
    /// It lies behind the function's last instruction.
    Outside {
        /// Offset of the last instruction.
        last: u64,
        /// The function's size in bytes.
        size: u64,
    },
}

impl BadOffset {
    /// The sentence for the user.
    pub fn message(&self, function: &str, offset: u64) -> String {
        match self {
            BadOffset::Middle(_) => format!("{function}+{offset} is in the middle of an instruction"),
            BadOffset::Outside { size, .. } => {
                format!("{function}+{offset} is outside the function, which has {size} bytes")
            }
        }
    }

    /// The neighbouring instructions and the offsets that can be used.
    pub fn hint(&self, function: &str, offset: u64) -> String {
        match self {
            BadOffset::Outside { last, .. } => format!("the last instruction is {function}+{last}"),
            BadOffset::Middle(near) => middle_hint(near, function, offset),
        }
    }
}

fn middle_hint(near: &[Neighbour], function: &str, offset: u64) -> String {
    let mut text = String::from("instructions here:\n");
    for n in near {
        let _ = writeln!(text, "  {function}+{:<6} {}", n.offset, n.text);
    }
    let before = near.iter().rfind(|n| n.offset < offset);
    let after = near.iter().find(|n| n.offset > offset);
    let offers: Vec<_> = [before, after].into_iter().flatten().collect();
    let offers: Vec<_> = offers.iter().map(|n| format!("{function}+{}", n.offset)).collect();
    let _ = write!(text, "use {}", offers.join(" or "));
    text
}

/// Checks that an instruction of a function begins at `offset`. `code` is the whole function, which
/// stands at `address`.
pub fn check_offset(
    code: &[u8],
    address: u64,
    offset: u64,
    names: &dyn NameAddress,
) -> Result<(), BadOffset> {
    let insns = decode(code, address);
    let offsets = || insns.iter().map(|i| i.address.wrapping_sub(address));
    if offset >= code.len() as u64 {
        return Err(BadOffset::Outside { last: offsets().next_back().unwrap_or(0), size: code.len() as u64 });
    }
    let after = offsets().take_while(|&o| o <= offset).count();
    if after > 0 && insns[after - 1].address.wrapping_sub(address) == offset {
        return Ok(());
    }
    let printer = Disassembler::new(names);
    let near = &insns[after.saturating_sub(2)..(after + 2).min(insns.len())];
    let neighbour = |i: &Insn| Neighbour { offset: i.address.wrapping_sub(address), text: printer.text(i) };
    Err(BadOffset::Middle(near.iter().map(neighbour).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// push %rbp; mov %rsp,%rbp; call +0x10; test %eax,%eax; jne -0xb; pop %rbp; ret
    const CODE: &[u8] = &[0x55, 0x48, 0x89, 0xe5, 0xe8, 0x10, 0, 0, 0, 0x85, 0xc0, 0x75, 0xf3, 0x5d, 0xc3];

    fn name(address: u64) -> Option<String> {
        (address == 0x1019).then(|| "fib_lookup".to_string())
    }

    #[test]
    fn flow_of_each_instruction() {
        let flows: Vec<_> = decode(CODE, 0x1000).iter().map(|i| i.flow).collect();
        let expected = [
            Flow::Next,
            Flow::Next,
            Flow::Call(Some(0x1019)),
            Flow::Next,
            Flow::Branch(0x1000),
            Flow::Next,
            Flow::Return,
        ];
        assert_eq!(flows, expected);
    }

    #[test]
    fn boundaries_are_accepted() {
        for offset in [0, 1, 4, 9, 11, 13, 14] {
            assert_eq!(check_offset(CODE, 0x1000, offset, &name), Ok(()), "+{offset}");
        }
    }

    #[test]
    fn the_middle_of_a_call_is_refused_with_its_neighbours() {
        let error = check_offset(CODE, 0x1000, 6, &name).unwrap_err();
        assert_eq!(error.message("f", 6), "f+6 is in the middle of an instruction");
        let hint = "instructions here:\n  f+1      mov %rsp,%rbp\n  f+4      call fib_lookup\n  \
                    f+9      test %eax,%eax\n  f+11     jne 0x1000\nuse f+4 or f+9";
        assert_eq!(error.hint("f", 6), hint);
    }

    #[test]
    fn behind_the_end_is_refused() {
        let error = check_offset(CODE, 0x1000, 15, &name).unwrap_err();
        assert_eq!(error.message("f", 15), "f+15 is outside the function, which has 15 bytes");
        assert_eq!(error.hint("f", 15), "the last instruction is f+14");
    }

    #[test]
    fn bytes_that_are_no_instruction_do_not_stop_decoding() {
        let insns = decode(&[0x06, 0x90, 0xc3], 0);
        assert_eq!(insns.len(), 3);
        assert_eq!(insns[0].flow, Flow::Stop);
        assert_eq!(insns[2].flow, Flow::Return);
    }
}
