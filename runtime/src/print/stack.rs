//! Kernel and user stacks.

use super::env::Env;
use super::value::{Style, put};
use super::{int_at, u32_at, u64_at};
use rbtrace_lang::types::{StackMode, StackType};

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
        let lines = env.names.borrow_mut().kernel_frame(address, ty.mode);
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
        let lines = env.names.borrow_mut().user_frame(pid, address, ty.mode);
        append(&lines, ty.mode, style, out);
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
