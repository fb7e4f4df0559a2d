//! Kernel and user stacks.

use super::env::Env;
use super::value::{Style, put};
use crate::bytes::{int_at, u32_at, u64_at};
use crate::files::symbols::{SourceFrame, Sym};
use rbtrace_lang::types::{StackMode, StackType};
use std::rc::Rc;

/// `struct bpf_stack_build_id` (include/uapi/linux/bpf.h): status, 20 bytes of id, offset or address.
const BUILD_ID_ENTRY: usize = 32;
/// `BPF_STACK_BUILD_ID_EMPTY`: the stack ends here.
const BUILD_ID_EMPTY: u32 = 0;
/// `BPF_STACK_BUILD_ID_VALID`: otherwise there is an address only.
const BUILD_ID_VALID: u32 = 1;

/// Appends a kernel stack: a line break, then one line for each frame.
pub fn kernel(env: &Env, ty: StackType, data: &[u8], style: Style, out: &mut Vec<u8>) {
    out.push(b'\n');
    let Some(frames) = frames(env, ty, false, data) else { return };
    for address in addresses(&frames, ty) {
        let mut names = env.names.borrow_mut();
        let lines = lines(address, ty.mode, None, || (names.kernel(address), names.kernel_source(address)));
        append(&lines, ty.mode, style, out);
    }
}

/// Appends a user stack.
pub fn user(env: &Env, ty: StackType, data: &[u8], style: Style, out: &mut Vec<u8>) {
    out.push(b'\n');
    let Some(frames) = frames(env, ty, true, data) else { return };
    if ty.mode == StackMode::BuildId {
        let entries = frames.chunks_exact(BUILD_ID_ENTRY).take(usize::from(ty.depth));
        for entry in entries.take_while(|e| u32_at(e, 0) != BUILD_ID_EMPTY) {
            append(&[build_id_line(entry)], ty.mode, style, out);
        }
        return;
    }
    let pid = u32_at(data, 8);
    for address in addresses(&frames, ty) {
        let mut names = env.names.borrow_mut();
        let named = || (names.user(pid, address), names.user_source(pid, address));
        append(&lines(address, ty.mode, Some("[unknown]"), named), ty.mode, style, out);
    }
}

/// The stack map's entry; `None` where no stack was taken.
fn frames(env: &Env, ty: StackType, user: bool, data: &[u8]) -> Option<Vec<u8>> {
    let id = u32::try_from(int_at(data, 8, true)).ok()?;
    Some(env.stacks.frames(ty, user, id))
}

fn addresses(frames: &[u8], ty: StackType) -> impl Iterator<Item = u64> {
    frames.chunks_exact(8).map(|c| u64_at(c, 0)).take_while(|&a| a != 0).take(usize::from(ty.depth))
}

fn build_id_line(entry: &[u8]) -> String {
    if u32_at(entry, 0) != BUILD_ID_VALID {
        return format!("{:#x}", u64_at(entry, 24));
    }
    let id: String = entry[4..24].iter().map(|b| format!("{b:02x}")).collect();
    format!("{id} {:#x}", u64_at(entry, 24))
}

/// The lines of one frame: inlined calls first, then the symbol that holds them. `nowhere` stands for the file of an
/// address that is in none; the kernel's symbols are shown without.
fn lines(
    address: u64,
    mode: StackMode,
    nowhere: Option<&str>,
    named: impl FnOnce() -> (Option<Sym>, Rc<[SourceFrame]>),
) -> Vec<String> {
    if matches!(mode, StackMode::Raw | StackMode::BuildId) {
        return vec![format!("{address:x}")];
    }
    let (sym, sources) = named();
    let (inlined, outer) = sources.split_at(sources.len().saturating_sub(1));
    let name = |frame: &SourceFrame| frame.function.clone().unwrap_or_else(|| "??".into());
    let mut lines: Vec<String> = inlined
        .iter()
        .map(|frame| match mode {
            StackMode::Perf => format!("{address:x} {} (inlined)", name(frame)),
            _ => format!("[inlined] {}{}", name(frame), place(frame)),
        })
        .collect();
    let file = nowhere.map(|nowhere| sym.as_ref().and_then(|s| s.module.as_deref()).unwrap_or(nowhere));
    let symbol = symbol(sym.as_ref(), address, true);
    lines.push(match (mode, file) {
        (StackMode::Perf, Some(file)) => format!("{address:x} {symbol} ({file})"),
        (StackMode::Perf, None) => format!("{address:x} {symbol}"),
        _ => format!("{symbol}{}", outer.first().map_or_else(String::new, place)),
    });
    lines
}

/// `symbol`, with `offset` as `symbol+offset`; an address without a name in hex.
pub(super) fn symbol(sym: Option<&Sym>, address: u64, offset: bool) -> String {
    match sym {
        Some(sym) if offset => format!("{}+{}", sym.name, sym.offset),
        Some(sym) => sym.name.to_string(),
        None if address == 0 => "0".into(),
        None => format!("{address:#x}"),
    }
}

/// `@file:line`
fn place(frame: &SourceFrame) -> String {
    match &frame.file {
        Some(file) if frame.line != 0 => format!("@{file}:{}", frame.line),
        _ => String::new(),
    }
}

fn append(lines: &[String], mode: StackMode, style: Style, out: &mut Vec<u8>) {
    let indent = match (style, mode) {
        (Style::Key, _) | (_, StackMode::Raw | StackMode::BuildId) => "",
        (_, StackMode::Bpftrace) => "        ",
        (_, StackMode::Perf) => "\t",
    };
    for line in lines {
        put(out, indent);
        put(out, line);
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sym(name: &str, offset: u64, module: Option<&str>) -> Option<Sym> {
        Some(Sym { name: name.into(), offset, module: module.map(Into::into) })
    }

    #[test]
    fn frames_take_the_form_of_their_mode() {
        let frame = |function: &str, line| SourceFrame {
            function: Some(function.into()),
            file: Some("net/ipv4/arp.c".into()),
            line,
        };
        let sources = [frame("arp_hdr", 27), frame("arp_process", 724)];
        let of = |mode| lines(0xffff, mode, None, || (sym("arp_process", 90, None), sources.clone().into()));
        assert_eq!(
            of(StackMode::Bpftrace),
            ["[inlined] arp_hdr@net/ipv4/arp.c:27", "arp_process+90@net/ipv4/arp.c:724"]
        );
        assert_eq!(of(StackMode::Perf), ["ffff arp_hdr (inlined)", "ffff arp_process+90"]);
        assert_eq!(of(StackMode::Raw), ["ffff"]);
    }

    #[test]
    fn frames_without_debug_information_or_name() {
        let of = |address, sym: Option<Sym>, mode| {
            lines(address, mode, Some("[unknown]"), || (sym, Rc::default())).concat()
        };
        assert_eq!(of(1, sym("f", 1, None), StackMode::Bpftrace), "f+1");
        assert_eq!(of(0x21, sym("f", 1, Some("/bin/x")), StackMode::Perf), "21 f+1 (/bin/x)");
        assert_eq!(of(0x10, None, StackMode::Perf), "10 0x10 ([unknown])");
        assert_eq!(symbol(None, 0, true), "0");
    }
}
