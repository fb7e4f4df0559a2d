//! Iterators: the list's end, and what is written to the file through which others read a list.

use super::Lowered;
use super::debug::{self, words};
use super::frame::Lower;
use super::visit;
use crate::helpers;
use crate::ir::{Op, Space, Ty, Value, Width};
use crate::kernel::Feature;
use rbtrace_lang::Span;
use rbtrace_lang::format::{Conv, ConvKind, Piece};
use rbtrace_lang::hir::{Emit, EmitKind, Expr};
use rbtrace_lang::target::Target;
use rbtrace_lang::types::Type;

/// Where the object lies in the context of every iterator, behind the address of `struct bpf_iter_meta`
/// (`DEFINE_BPF_ITER_FUNC` and the structs that go with it).
pub(super) const OBJECT: u32 = 8;

/// Values that `bpf_seq_printf` takes (`MAX_BPRINTF_VARARGS`, kernel/bpf/helpers.c).
const MOST_VALUES: usize = 12;

/// Texts among them where the kernel has no `bpf_snprintf` yet (`MAX_SEQ_PRINTF_MAX_MEMCPY`, kernel/trace/bpf_trace.c).
const MOST_TEXTS: usize = 6;

/// Who reads the list of an iterator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// We do: what the program prints goes the way of all output.
    Us,
    /// Others do, through a file, when we may be gone.
    Others,
}

impl Lower<'_, '_> {
    /// Who reads the list, where this is the program of an iterator.
    pub(super) fn iterator(&self) -> Option<Reader> {
        let target = &self.plan.attach.first()?.target;
        match target {
            Target::Iterator { .. } if target.is_pinned() => Some(Reader::Others),
            Target::Iterator { .. } => Some(Reader::Us),
            _ => None,
        }
    }

    /// Writes to the file of a pinned iterator.
    pub(super) fn write_to_file(&mut self, emit: &Emit, span: Span) -> Lowered<()> {
        let EmitKind::Printf(pieces) = &emit.kind else {
            return self.unsupported(
                span,
                "A pinned iterator can print with printf() only: the kernel writes what is read from the file, and \
                 nobody is there to do anything else",
            );
        };
        let pieces = self.kernel_pieces(pieces, &emit.args, span)?;
        if emit.args.len() > MOST_VALUES {
            let message = format!("A pinned iterator prints no more than {MOST_VALUES} values at once");
            return self.unsupported(span, message);
        }
        let texts = emit.args.iter().filter(|e| matches!(e.ty, Type::Str(_))).count();
        if texts > MOST_TEXTS && !self.kernel().has(Feature::Formats) {
            let message = format!(
                "This kernel prints no more than {MOST_TEXTS} texts at once in a pinned iterator (5.13 or newer)"
            );
            return self.unsupported(span, message);
        }
        let values = emit.args.iter().map(|e| debug::value(self, e)).collect::<Lowered<Vec<_>>>()?;
        let mut format = debug::kernel_format(&pieces).into_bytes();
        format.push(0);
        let (map, at) = self.shared.data(&format);
        let file = self.file(span)?;
        let (text, size) = (self.map_value(map, at), self.f.b.iconst(format.len() as i64));
        let (data, bytes) = words(self, &values);
        // A line that finds no room is no fault: the kernel makes room and runs the program for the object again.
        self.call(helpers::SEQ_PRINTF, &[file, text, size, data, bytes]);
        Ok(())
    }

    /// Writes a byte to the file of a list that we read, so that reading it comes back after some objects that print: then
    /// we empty the ring buffer, and the list cannot print more than it holds.
    pub(super) fn write_mark(&mut self) -> Lowered<()> {
        if self.iterator() != Some(Reader::Us) || !visit::sends(self.probe) {
            return Ok(());
        }
        let (map, at) = self.shared.data(b"\n");
        let file = self.file(self.probe.span)?;
        let (byte, one) = (self.map_value(map, at), self.f.b.iconst(1));
        self.call(helpers::SEQ_WRITE, &[file, byte, one]);
        Ok(())
    }

    /// The file through which the list is read: the first member of `struct bpf_iter_meta`, whose address comes first in
    /// the context.
    fn file(&mut self, span: Span) -> Lowered<Value> {
        let ptr = self.ctx(span)?;
        let load = Op::Load { width: Width::B8, signed: false, ptr, offset: 0 };
        let meta = self.f.b.ins(load, Ty::Ptr(Space::Btf));
        Ok(self.f.b.load(Width::B8, false, meta, 0))
    }

    /// The format with what fits each value; an error where the kernel cannot print one.
    fn kernel_pieces(&self, pieces: &[Piece], args: &[Expr], span: Span) -> Lowered<Vec<Piece>> {
        let mut args = args.iter();
        let mut pieces = pieces.to_vec();
        for piece in &mut pieces {
            let Piece::Conv(conv) = piece else { continue };
            let Some(value) = args.next() else { continue };
            self.adapt(conv, value, span)?;
        }
        Ok(pieces)
    }

    fn adapt(&self, conv: &mut Conv, value: &Expr, span: Span) -> Lowered<()> {
        match (conv.kind, &value.ty) {
            (ConvKind::Str, Type::Str(_)) => {}
            (ConvKind::Str, Type::Ptr { .. }) => conv.kind = ConvKind::Pointer,
            // A number by itself is printed as one.
            (ConvKind::Str, ty) if ty.is_integer() => {
                conv.kind = if ty.is_signed() { ConvKind::Signed } else { ConvKind::Unsigned };
            }
            (ConvKind::Str | ConvKind::Raw | ConvKind::RawHex | ConvKind::RawHexSpaced, ty) => {
                let message = format!(
                    "A pinned iterator prints numbers and texts, not {ty}: the kernel itself prints them"
                );
                return self.unsupported(value.span, message);
            }
            (ConvKind::Octal | ConvKind::Gfp, _) => {
                return self
                    .unsupported(span, "The kernel has no such conversion: %d, %u, %x, %p and %s work");
            }
            (ConvKind::Char, _) if !self.kernel().has(Feature::Formats) => {
                return self.unsupported(span, "This kernel prints no %c in iterators (5.13 or newer)");
            }
            _ => {}
        }
        Ok(())
    }
}
