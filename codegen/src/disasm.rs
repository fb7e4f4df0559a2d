//! BPF as text, in the form of the kernel's verifier log (`kernel/bpf/disasm.c`).

use crate::emit::encode::Insn;
use crate::object::{ObjMapId, Reloc, RelocTarget};

/// Disassembles a program, one line for each instruction: its number, a colon and its text.
pub fn disassemble(insns: &[u64]) -> String {
    let mut out = String::new();
    let mut i = 0;
    while i < insns.len() {
        let next = insns.get(i + 1).copied();
        out.push_str(&format!("{i}: {}\n", instruction(i, insns[i], next)));
        i += if is_wide(insns[i]) { 2 } else { 1 };
    }
    out
}

/// [`disassemble`], with the names of maps in place of descriptors that are not known yet.
pub fn disassemble_named(insns: &[u64], relocs: &[Reloc], name: impl Fn(ObjMapId) -> String) -> String {
    let mut out = String::new();
    for line in disassemble(insns).lines() {
        let at = line.split(':').next().and_then(|n| n.parse::<u32>().ok());
        let reloc = relocs.iter().find(|r| Some(r.insn) == at);
        let named = match reloc.map(|r| r.target) {
            Some(RelocTarget::Map(map) | RelocTarget::MapValue(map)) => {
                line.replacen("map[0]", &format!("map[{}]", name(map)), 1)
            }
            None => line.to_string(),
        };
        out.push_str(&named);
        out.push('\n');
    }
    out
}

/// Is the instruction as long as two?
pub fn is_wide(insn: u64) -> bool {
    insn as u8 == 0x18
}

/// One instruction at index `at`; `next` is the second half of a 64-bit immediate.
pub fn instruction(at: usize, insn: u64, next: Option<u64>) -> String {
    let i = Insn::from_word(insn);
    match i.code & 7 {
        0 => ld_imm(i, next),
        1 => format!("r{} = *({} *)(r{} {})", i.dst, load_type(i.code), i.src, signed(i.off)),
        2 => format!("*({} *)(r{} {}) = {}", size(i.code), i.dst, signed(i.off), i.imm),
        3 => stx(i),
        4 | 7 => alu(i),
        _ => jump(at, i),
    }
}

fn signed(off: i16) -> String {
    if off < 0 { format!("-{}", off.unsigned_abs()) } else { format!("+{off}") }
}

fn size(code: u8) -> &'static str {
    ["u32", "u16", "u8", "u64"][usize::from(code >> 3 & 3)]
}

fn load_type(code: u8) -> &'static str {
    if code & 0xe0 == 0x80 { ["s32", "s16", "s8", "s64"][usize::from(code >> 3 & 3)] } else { size(code) }
}

fn ld_imm(i: Insn, next: Option<u64>) -> String {
    let high = next.map_or(0, |n| Insn::from_word(n).imm);
    match i.src {
        0 => format!("r{} = 0x{:x} ll", i.dst, u64::from(i.imm as u32) | (high as u64) << 32),
        1 => format!("r{} = map[{}] ll", i.dst, i.imm),
        2 => format!("r{} = map[{}][0]+{high} ll", i.dst, i.imm),
        4 => format!("r{} = func[{:+}] ll", i.dst, i.imm),
        kind => format!("r{} = pseudo{kind}[{}] ll", i.dst, i.imm),
    }
}

fn stx(i: Insn) -> String {
    let place = format!("({} *)(r{} {})", size(i.code), i.dst, signed(i.off));
    let r = i.src;
    if i.code & 0xe0 != 0xc0 {
        return format!("*{place} = r{r}");
    }
    match i.imm {
        0x00 => format!("lock *{place} += r{r}"),
        0x40 => format!("lock *{place} |= r{r}"),
        0x50 => format!("lock *{place} &= r{r}"),
        0xa0 => format!("lock *{place} ^= r{r}"),
        0x01 => format!("r{r} = atomic_fetch_add({place}, r{r})"),
        0xf1 => format!("r0 = cmpxchg({place}, r0, r{r})"),
        0xe1 => format!("r{r} = xchg({place}, r{r})"),
        imm => format!("atomic 0x{imm:x} {place}, r{r}"),
    }
}

fn alu(i: Insn) -> String {
    let wide = i.code & 7 == 7;
    let r = if wide { 'r' } else { 'w' };
    let (dst, reg) = (i.dst, i.code & 8 != 0);
    let src = if reg { format!("{r}{}", i.src) } else { i.imm.to_string() };
    let s = if i.off == 1 { "s" } else { "" };
    match i.code & 0xf0 {
        0x80 => format!("{r}{dst} = -{r}{dst}"),
        0xb0 if i.off != 0 => format!("{r}{dst} = (s{}){r}{}", i.off, i.src),
        0xb0 => format!("{r}{dst} = {src}"),
        0xd0 if wide => format!("r{dst} = bswap{} r{dst}", i.imm),
        0xd0 => format!("r{dst} = {}{} r{dst}", if reg { "be" } else { "le" }, i.imm),
        op => {
            let sign = match op {
                0x00 => "+",
                0x10 => "-",
                0x20 => "*",
                0x30 => "/",
                0x40 => "|",
                0x50 => "&",
                0x60 => "<<",
                0x70 => ">>",
                0x90 => "%",
                0xa0 => "^",
                0xc0 => "s>>",
                _ => "?",
            };
            format!("{r}{dst} {s}{sign}= {src}")
        }
    }
}

fn jump(at: usize, i: Insn) -> String {
    let wide = i.code & 7 == 5;
    let target = |off: i64| at as i64 + 1 + off;
    let sign = match i.code & 0xf0 {
        0x00 if wide => return format!("goto {}", target(i.off.into())),
        0x00 => return format!("gotol {}", target(i.imm.into())),
        0x80 if i.src == 1 => return format!("call pc{:+}", i.imm),
        0x80 => return format!("call {}", helper(i.imm)),
        0x90 => return "exit".into(),
        0x10 => "==",
        0x20 => ">",
        0x30 => ">=",
        0x40 => "&",
        0x50 => "!=",
        0x60 => "s>",
        0x70 => "s>=",
        0xa0 => "<",
        0xb0 => "<=",
        0xc0 => "s<",
        0xd0 => "s<=",
        _ => "?",
    };
    let r = if wide { 'r' } else { 'w' };
    let src = if i.code & 8 != 0 { format!("{r}{}", i.src) } else { i.imm.to_string() };
    format!("if {r}{} {sign} {src} goto {}", i.dst, target(i.off.into()))
}

/// Name and number of a helper: `enum bpf_func_id` of `include/uapi/linux/bpf.h`.
fn helper(number: i32) -> String {
    let name = match number {
        1 => "map_lookup_elem",
        2 => "map_update_elem",
        3 => "map_delete_elem",
        5 => "ktime_get_ns",
        7 => "get_prandom_u32",
        8 => "get_smp_processor_id",
        14 => "get_current_pid_tgid",
        15 => "get_current_uid_gid",
        16 => "get_current_comm",
        25 => "perf_event_output",
        27 => "get_stackid",
        35 => "get_current_task",
        42 => "get_numa_node_id",
        58 => "override_return",
        67 => "get_stack",
        80 => "get_current_cgroup_id",
        109 => "send_signal",
        112 => "probe_read_user",
        113 => "probe_read_kernel",
        114 => "probe_read_user_str",
        115 => "probe_read_kernel_str",
        118 => "jiffies64",
        120 => "get_ns_current_pid_tgid",
        125 => "ktime_get_boot_ns",
        130 => "ringbuf_output",
        131 => "ringbuf_reserve",
        132 => "ringbuf_submit",
        133 => "ringbuf_discard",
        134 => "ringbuf_query",
        156 => "task_storage_get",
        157 => "task_storage_delete",
        158 => "get_current_task_btf",
        164 => "for_each_map_elem",
        173 => "get_func_ip",
        174 => "get_attach_cookie",
        181 => "loop",
        182 => "strncmp",
        195 => "map_lookup_percpu_elem",
        208 => "ktime_get_tai_ns",
        _ => return number.to_string(),
    };
    format!("{name}#{number}")
}
