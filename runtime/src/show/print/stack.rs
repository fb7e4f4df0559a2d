//! Stacks as text.

use super::datum::{Stack, StackFrame};
use super::write::{Style, put};
use crate::files::symbols::{SourceFrame, Sym};
use rbtrace_lang::types::StackMode;

/// Appends a stack: a line break, then one line for each frame.
pub(super) fn text(stack: &Stack, style: Style, out: &mut Vec<u8>) {
    out.push(b'\n');
    for line in stack.frames.iter().flat_map(|frame| lines(frame, stack.mode, stack.user)) {
        put(out, style.indent(stack.mode));
        put(out, &line);
        out.push(b'\n');
    }
}

/// The lines of one frame: inlined calls first, then the symbol that holds them. Mode `perf` names the file of an
/// address of a process (`user`).
fn lines(frame: &StackFrame, mode: StackMode, user: bool) -> Vec<String> {
    let address = frame.address;
    match (mode, &frame.build_id) {
        (StackMode::BuildId, Some(id)) => {
            let id: String = id.iter().map(|b| format!("{b:02x}")).collect();
            return vec![format!("{id} {address:#x}")];
        }
        (StackMode::BuildId, None) if user => return vec![format!("{address:#x}")],
        (StackMode::Raw | StackMode::BuildId, _) => return vec![format!("{address:x}")],
        (StackMode::Bpftrace | StackMode::Perf, _) => {}
    }
    let (inlined, outer) = frame.source.split_at(frame.source.len().saturating_sub(1));
    let name = |frame: &SourceFrame| frame.function.clone().unwrap_or_else(|| "??".into());
    let mut lines: Vec<String> = inlined
        .iter()
        .map(|frame| match mode {
            StackMode::Perf => format!("{address:x} {} (inlined)", name(frame)),
            _ => format!("[inlined] {}{}", name(frame), place(frame)),
        })
        .collect();
    let symbol = symbol(frame.symbol.as_ref(), address, true);
    lines.push(match mode {
        StackMode::Perf if user => {
            let file = frame.symbol.as_ref().and_then(|s| s.module.as_deref()).unwrap_or("[unknown]");
            format!("{address:x} {symbol} ({file})")
        }
        StackMode::Perf => format!("{address:x} {symbol}"),
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
        let frame = StackFrame {
            address: 0xffff,
            build_id: None,
            symbol: sym("arp_process", 90, None),
            source: sources.into(),
        };
        let of = |mode| lines(&frame, mode, false);
        assert_eq!(
            of(StackMode::Bpftrace),
            ["[inlined] arp_hdr@net/ipv4/arp.c:27", "arp_process+90@net/ipv4/arp.c:724"]
        );
        assert_eq!(of(StackMode::Perf), ["ffff arp_hdr (inlined)", "ffff arp_process+90"]);
        assert_eq!(of(StackMode::Raw), ["ffff"]);
    }

    #[test]
    fn frames_without_debug_information_or_name() {
        let of = |address, symbol: Option<Sym>, mode| {
            lines(&StackFrame { address, symbol, ..StackFrame::default() }, mode, true).concat()
        };
        assert_eq!(of(1, sym("f", 1, None), StackMode::Bpftrace), "f+1");
        assert_eq!(of(0x21, sym("f", 1, Some("/bin/x")), StackMode::Perf), "21 f+1 (/bin/x)");
        assert_eq!(of(0x10, None, StackMode::Perf), "10 0x10 ([unknown])");
        assert_eq!(symbol(None, 0, true), "0");
    }
}
