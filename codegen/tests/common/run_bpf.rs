//! A small interpreter of BPF: arithmetic, jumps, local calls, stack and context.

use rbtrace_codegen::disasm;

const CTX: u64 = 0x1000;
const STACK: u64 = 0x10000;
const FRAME: u64 = 512;

/// Runs a program with a context of words; the error says what it did wrong.
pub(crate) fn run(insns: &[u64], ctx: &[u64]) -> Result<u64, String> {
    let mut m = Machine { insns, ctx, stack: vec![0x55; 8 * FRAME as usize], steps: 0 };
    let mut args = [0; 6];
    args[1] = CTX;
    m.call(0, args, 1)
}

struct Machine<'a> {
    insns: &'a [u64],
    ctx: &'a [u64],
    stack: Vec<u8>,
    steps: u32,
}

impl Machine<'_> {
    fn call(&mut self, start: usize, args: [u64; 6], depth: u64) -> Result<u64, String> {
        // What is not set holds a value that no program computes.
        let mut r: [Option<u64>; 11] = [None; 11];
        (1..6).for_each(|i| r[i] = Some(args[i]));
        r[10] = Some(STACK + FRAME * depth);
        let mut pc = start;
        loop {
            self.steps += 1;
            let word = *self.insns.get(pc).ok_or("ran off the end")?;
            let next = self.insns.get(pc + 1).copied();
            let at = pc;
            let fail = |what: &str| format!("{what} at {at}: {}", disasm::instruction(at, word, next));
            if self.steps > 1_000_000 {
                return Err(fail("does not end"));
            }
            let (code, dst, src) = (word as u8, (word >> 8 & 15) as usize, (word >> 12 & 15) as usize);
            let (off, imm) = ((word >> 16) as i16 as i64, (word >> 32) as i32);
            let get = |i: usize| r[i].ok_or_else(|| fail("reads an unset register"));
            let operand = || if code & 8 != 0 { get(src) } else { Ok(imm as i64 as u64) };
            pc += 1;
            match code & 7 {
                0 => {
                    r[dst] = Some(u64::from(imm as u32) | next.unwrap_or(0) & 0xffff_ffff_0000_0000);
                    pc += 1;
                }
                1 => {
                    let v = self
                        .load(get(src)?.wrapping_add(off as u64), size(code))
                        .ok_or_else(|| fail("bad load"))?;
                    let bits = 64 - 8 * size(code) as u32;
                    r[dst] = Some(if code & 0xe0 == 0x80 { ((v << bits) as i64 >> bits) as u64 } else { v });
                }
                2 | 3 => {
                    let v = if code & 7 == 3 { get(src)? } else { imm as i64 as u64 };
                    let at = get(dst)?.wrapping_add(off as u64);
                    self.store(at, size(code), v).ok_or_else(|| fail("bad store"))?;
                }
                4 | 7 => {
                    let a = if code & 0xf0 == 0xb0 { 0 } else { get(dst)? };
                    let b = if matches!(code & 0xf0, 0x80 | 0xd0) { imm as u64 } else { operand()? };
                    r[dst] = Some(alu(code, off, a, b).ok_or_else(|| fail("bad operation"))?);
                }
                _ => match code {
                    0x95 => return get(0),
                    0x05 => pc = (pc as i64 + off) as usize,
                    0x06 => pc = (pc as i64 + i64::from(imm)) as usize,
                    0x85 => {
                        let mut args = [0; 6];
                        (1..6).for_each(|i| args[i] = r[i].unwrap_or(0xdead));
                        let v = if src == 1 {
                            self.call((pc as i64 + i64::from(imm)) as usize, args, depth + 1)?
                        } else {
                            self.helper(imm, args).ok_or_else(|| fail("bad call"))?
                        };
                        r[..6].fill(None);
                        r[0] = Some(v);
                    }
                    _ => {
                        if holds(code, get(dst)?, operand()?) {
                            pc = (pc as i64 + off) as usize;
                        }
                    }
                },
            }
        }
    }

    fn load(&self, at: u64, n: usize) -> Option<u64> {
        let mut bytes = [0; 8];
        if (CTX..STACK).contains(&at) {
            let word = self.ctx.get((at - CTX) as usize / 8)?;
            return (at.is_multiple_of(8) && n == 8).then_some(*word);
        }
        let from = at.checked_sub(STACK)? as usize;
        bytes[..n].copy_from_slice(self.stack.get(from..from + n)?);
        from.is_multiple_of(n).then_some(u64::from_le_bytes(bytes))
    }

    fn store(&mut self, at: u64, n: usize, v: u64) -> Option<()> {
        let from = at.checked_sub(STACK)? as usize;
        self.stack.get_mut(from..from + n)?.copy_from_slice(&v.to_le_bytes()[..n]);
        from.is_multiple_of(n).then_some(())
    }

    fn helper(&mut self, number: i32, args: [u64; 6]) -> Option<u64> {
        if number != 113 {
            return None;
        }
        let (to, n) = ((args[1] - STACK) as usize, args[2] as usize);
        if args[3] == 0 {
            self.stack.get_mut(to..to + n)?.fill(0);
        } else {
            let from = (args[3] - STACK) as usize;
            self.stack.copy_within(from..from + n, to);
        }
        Some(0)
    }
}

fn size(code: u8) -> usize {
    [4, 2, 1, 8][usize::from(code >> 3 & 3)]
}

fn alu(code: u8, off: i64, a: u64, b: u64) -> Option<u64> {
    let wide = code & 7 == 7;
    let signed = off == 1;
    let (x, y) = if wide { (a as i64, b as i64) } else { (a as i32 as i64, b as i32 as i64) };
    let whole = a;
    let (a, b) = if wide { (a, b) } else { (a & 0xffff_ffff, b & 0xffff_ffff) };
    let bits = if wide { 64 } else { 32 };
    let count = b & (bits - 1);
    if code & 8 == 0 && matches!(code & 0xf0, 0x60 | 0x70 | 0xc0) && b >= bits {
        return None;
    }
    let v = match code & 0xf0 {
        0x00 => a.wrapping_add(b),
        0x10 => a.wrapping_sub(b),
        0x20 => a.wrapping_mul(b),
        0x30 if code & 8 == 0 && b == 0 => return None,
        0x30 if signed => {
            if y == 0 {
                0
            } else {
                x.wrapping_div(y) as u64
            }
        }
        0x30 => a.checked_div(b).unwrap_or(0),
        0x40 => a | b,
        0x50 => a & b,
        0x60 => a << count,
        0x70 => a >> count,
        0x80 => a.wrapping_neg(),
        0x90 if signed => {
            if y == 0 {
                a
            } else {
                x.wrapping_rem(y) as u64
            }
        }
        0x90 => a.checked_rem(b).unwrap_or(a),
        0xa0 => a ^ b,
        0xb0 => match off {
            0 => b,
            8 => b as i8 as u64,
            16 => b as i16 as u64,
            32 => b as i32 as u64,
            _ => return None,
        },
        0xc0 => (x >> count) as u64,
        0xd0 => match b {
            16 => u64::from((a as u16).swap_bytes()),
            32 => u64::from((a as u32).swap_bytes()),
            64 => whole.swap_bytes(),
            _ => return None,
        },
        _ => return None,
    };
    // A swap of 64 bits stands in the 32-bit class and keeps all of them.
    Some(if wide || code & 0xf0 == 0xd0 { v } else { v & 0xffff_ffff })
}

fn holds(code: u8, a: u64, b: u64) -> bool {
    let wide = code & 7 == 5;
    let (x, y) = if wide { (a as i64, b as i64) } else { (a as i32 as i64, b as i32 as i64) };
    let (a, b) = if wide { (a, b) } else { (a & 0xffff_ffff, b & 0xffff_ffff) };
    match code & 0xf0 {
        0x10 => a == b,
        0x20 => a > b,
        0x30 => a >= b,
        0x40 => a & b != 0,
        0x50 => a != b,
        0x60 => x > y,
        0x70 => x >= y,
        0xa0 => a < b,
        0xb0 => a <= b,
        0xc0 => x < y,
        _ => x <= y,
    }
}
