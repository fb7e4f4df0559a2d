//! Events: records are reserved in the ring buffer, filled in place and submitted; small ones are copied there.

use super::Lowered;
use super::frame::Lower;
use super::iterator::Reader;
use super::memory::{Base, Fill, Place};
use super::visit;
use crate::helpers;
use crate::ir::{Alu, Cond, Space, Value, Width};
use crate::layout;
use crate::object::{Control, Fault, Header, Record};
use rbtrace_lang::Span;
use rbtrace_lang::hir::{Emit, EmitKind, Expr};
use rbtrace_lang::types::{Type, U32, U64};

/// Records of up to so many bytes are made on the stack and copied into the ring buffer.
const SMALL: u32 = 32;

/// A value that was computed before its record was reserved.
enum Early {
    Number(Value),
    Memory(Place),
}

impl Lower<'_, '_> {
    /// Sends something to user space.
    pub(super) fn emit(&mut self, emit: &Emit, span: Span) -> Lowered<()> {
        let outer = self.f.b.set_span(span);
        let done = match &emit.kind {
            _ if self.iterator() == Some(Reader::Others) => self.write_to_file(emit, span),
            EmitKind::Join { max_args, .. } => self.emit_join(emit, *max_args, span),
            _ => self.emit_values(&emit.kind, sent(emit), span),
        };
        self.f.b.set_span(outer);
        done
    }

    fn emit_values(&mut self, kind: &EmitKind, args: &[Expr], span: Span) -> Lowered<()> {
        let (fields, size) = layout::record(args.iter().map(|a| &a.ty));
        let offsets: Vec<u32> = fields.iter().map(|f| f.offset).collect();
        let number = self.shared.record(Record { kind: kind.clone(), fields, size, span, after: self.after });
        let early = self.evaluate_early(args)?;
        self.send(number, size, |lower, record| {
            for (n, (arg, offset)) in args.iter().zip(&offsets).enumerate() {
                let dst = record.at(*offset);
                match early.get(n) {
                    Some(Early::Number(value)) => lower.store_scalar(&dst, arg.ty.size(), *value),
                    Some(Early::Memory(src)) => lower.copy_as(src, &arg.ty, &dst, &arg.ty, Fill::Loose)?,
                    None => lower.store_as(arg, &arg.ty, &dst, Fill::Loose)?,
                }
            }
            Ok(())
        })
    }

    /// Values up to the last one that has an effect: they must not depend on whether there is room.
    fn evaluate_early(&mut self, args: &[Expr]) -> Lowered<Vec<Early>> {
        let count = args.iter().rposition(visit::has_effects).map_or(0, |n| n + 1);
        let mut early = vec![];
        for arg in &args[..count] {
            early.push(match arg.ty.is_scalar() {
                true => Early::Number(self.scalar(arg)?),
                false => Early::Memory(self.materialize(arg)?),
            });
        }
        Ok(early)
    }

    /// Reserves a record, lets `fill` write it and submits it; counts a lost event where there is no room.
    fn send(
        &mut self,
        kind: u32,
        size: u32,
        fill: impl FnOnce(&mut Self, &Place) -> Lowered<()>,
    ) -> Lowered<()> {
        if size <= SMALL {
            return self.send_copy(kind, size, fill);
        }
        let events = self.shared.events();
        let map = self.map_ref(events);
        let bytes = self.f.b.iconst(i64::from(size));
        let flags = self.f.b.iconst(0);
        let record = self.call_ptr(helpers::RINGBUF_RESERVE, &[map, bytes, flags], Space::Record);
        let (lost, filling, end) =
            (self.f.b.create_block(), self.f.b.create_block(), self.f.b.create_block());
        self.branch_null(record, lost, filling);
        self.f.b.start(lost);
        self.fault(Fault::EventLost);
        self.f.b.jump(end, &[]);
        self.f.b.start(filling);
        self.write_header(record, kind);
        fill(self, &Place::ptr(record))?;
        self.submit(record);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        Ok(())
    }

    /// The same for a small record: made in a slot and copied, which is one call instead of two.
    fn send_copy(
        &mut self,
        kind: u32,
        size: u32,
        fill: impl FnOnce(&mut Self, &Place) -> Lowered<()>,
    ) -> Lowered<()> {
        let place = Place::slot(self.slot(size));
        // Kernels before 6.3 copy nothing that was never written, such as the gaps between values.
        self.zero(&place, size);
        let record = self.address(&place);
        self.write_header(record, kind);
        fill(self, &place)?;
        let flags = self.wake_up();
        let events = self.shared.events();
        let map = self.map_ref(events);
        let bytes = self.f.b.iconst(i64::from(size));
        let result = self.call(helpers::RINGBUF_OUTPUT, &[map, record, bytes, flags]);
        self.fault_if(Cond::Ne, result, 0, Fault::EventLost);
        Ok(())
    }

    fn write_header(&mut self, record: Value, kind: u32) {
        let kind = self.f.b.iconst(i64::from(kind));
        self.f.b.store(Width::B4, record, 0, kind);
        let probe = match (self.only_attach_point(), self.f.attach_id) {
            (Some(id), _) => self.f.b.iconst(i64::from(id)),
            (None, Some(entry)) => self.imm(Alu::Sub, entry, 1),
            (None, None) => self.f.b.iconst(-1),
        };
        self.f.b.store(Width::B4, record, 4, probe);
    }

    /// Submits a record; wakes the reader only where it says that it sleeps, and says at once that it does not
    /// any more: a wake-up costs far more than a record, and the reader may take a while to come.
    pub(super) fn submit(&mut self, record: Value) {
        let flags = self.wake_up();
        self.call(helpers::RINGBUF_SUBMIT, &[record, flags]);
    }

    /// The flags that wake the reader where it sleeps.
    fn wake_up(&mut self) -> Value {
        let word = self.control(Control::SLEEPING);
        let sleeps = self.f.b.load(Width::B8, false, word, 0);
        let (wake, end) = (self.f.b.create_block(), self.f.b.create_block());
        let zero = self.f.b.iconst(0);
        self.f.b.branch(Cond::Ne, sleeps, zero, wake, end);
        self.f.b.start(wake);
        self.f.b.store(Width::B8, word, 0, zero);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        // Awake (0) or asleep (1) is one less than the flag: BPF_RB_NO_WAKEUP (1) or BPF_RB_FORCE_WAKEUP (2).
        let one = self.f.b.iconst(helpers::RB_NO_WAKEUP);
        self.f.b.alu(Alu::Add, sleeps, one)
    }

    /// Sends the record that marks the end, and wakes the reader: what other programs send after it is not
    /// printed. Where there is no room the exit flag alone ends the run.
    pub(super) fn mark_exit(&mut self) {
        let (end, marking) = (self.f.b.create_block(), self.f.b.create_block());
        let events = self.shared.events();
        let map = self.map_ref(events);
        let bytes = self.f.b.iconst(i64::from(Header::SIZE));
        let flags = self.f.b.iconst(0);
        let record = self.call_ptr(helpers::RINGBUF_RESERVE, &[map, bytes, flags], Space::Record);
        self.branch_null(record, end, marking);
        self.f.b.start(marking);
        self.write_header(record, Header::EXIT);
        let flags = self.f.b.iconst(helpers::RB_FORCE_WAKEUP);
        self.call(helpers::RINGBUF_SUBMIT, &[record, flags]);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
    }

    /// `join(argv)`: the texts at up to `max_args` pointers, the last one null.
    fn emit_join(&mut self, emit: &Emit, max_args: u32, span: Span) -> Lowered<()> {
        let Some(arg) = emit.args.first() else {
            return self.unsupported(span, "join() needs an array of pointers to texts");
        };
        let room = self.shared.program.config.max_strlen.max(1);
        let texts = Type::Array { elem: Box::new(Type::Str(room)), len: max_args };
        // The count is no field of its own: it stands before the texts.
        let (mut fields, size) = layout::record(&[U32, texts]);
        let (count_at, texts_at) = (fields[0].offset, fields[1].offset);
        fields.remove(0);
        let number = self.shared.record(Record { kind: emit.kind.clone(), fields, size, span, after: None });
        let list = self.source(arg)?;
        self.send(number, size, |lower, record| {
            let count = lower.join_texts(&list, &record.at(texts_at), room, max_args)?;
            lower.store_scalar(&record.at(count_at), 4, count);
            Ok(())
        })
    }

    /// Reads texts until a null pointer; their number.
    fn join_texts(&mut self, list: &Place, dst: &Place, room: u32, most: u32) -> Lowered<Value> {
        let end = self.f.b.create_block();
        let index = self.counted(most, end, |lower, now, next| {
            let bytes = lower.imm(Alu::Shl, now, 3);
            let entry = lower.displaced(list, bytes, 8)?;
            let text = lower.load_scalar(&entry, &U64)?;
            let (null, some) = (lower.f.b.iconst(0), lower.f.b.create_block());
            lower.f.b.branch(Cond::Eq, text, null, end, some);
            lower.f.b.start(some);
            let src = match entry.base {
                Base::Remote(_, space) => Place::remote(text, space),
                _ => Place::remote(text, lower.unknown_space()),
            };
            let bytes = lower.scale(now, room);
            let to = lower.displaced(dst, bytes, 1)?;
            let size = lower.f.b.iconst(i64::from(room + layout::TEXT_SPARE));
            lower.probe_read_str(&to, size, &src);
            lower.f.b.jump(next, &[]);
            Ok(())
        })?;
        self.f.b.start(end);
        Ok(self.f.b.use_var(index))
    }
}

/// The values that are sent: where an entry is no single number only its key, as user space reads the map.
fn sent(emit: &Emit) -> &[Expr] {
    match (&emit.kind, &emit.args[..]) {
        (EmitKind::PrintEntry(_), [key, value]) if matches!(&value.ty, Type::Agg(agg) if agg.scalar().is_none()) => {
            std::slice::from_ref(key)
        }
        (_, args) => args,
    }
}
