//! Announcing processes: addresses are named when they are shown, and by then their process may have ended.
//!
//! The first time that a program meets a process it says so, and user space looks at what the process has mapped. A
//! process that has become another program (`execve(2)`) has another name and is announced again.

use super::frame::Lower;
use super::memory::Place;
use crate::helpers;
use crate::ir::{Alu, Cond, Space, Value, Width};
use crate::layout::ANNOUNCED;
use crate::object::Header;

/// `TASK_COMM_LEN` of `include/linux/sched.h`.
const TASK_COMM_LEN: u32 = 16;

/// 2^64 divided by the golden ratio, odd: the high bits of a product depend on all bits of the number.
const SPREAD: i64 = 0x9e37_79b9_7f4a_7c15_u64 as i64;

impl Lower<'_, '_> {
    /// Announces the process, unless that was done.
    pub(super) fn announce(&mut self, pid: Value) {
        let hash = self.process_hash(pid);
        let announced = self.shared.announced();
        let all = self.map_value(announced, 0);
        let number = self.imm(Alu::LShr, hash, i64::from(64 - ANNOUNCED.trailing_zeros()));
        let offset = self.imm(Alu::Shl, number, 3);
        let word = self.f.b.alu(Alu::Add, all, offset);
        let known = self.f.b.load(Width::B8, false, word, 0);
        let [new, sending, end] = [(); 3].map(|()| self.f.b.create_block());
        self.f.b.branch_unlikely(Cond::Ne, known, hash, new, end);
        self.f.b.start(new);
        let events = self.shared.events();
        let map = self.map_ref(events);
        let (bytes, flags) = (self.f.b.iconst(i64::from(Header::SIZE)), self.f.b.iconst(0));
        let record = self.call_ptr(helpers::RINGBUF_RESERVE, &[map, bytes, flags], Space::Record);
        // Where there is no room, the next address of this process announces it.
        self.branch_null(record, end, sending);
        self.f.b.start(sending);
        self.f.b.store(Width::B8, word, 0, hash);
        let kind = self.f.b.iconst(i64::from(Header::PROCESS));
        self.f.b.store(Width::B4, record, 0, kind);
        self.f.b.store(Width::B4, record, 4, pid);
        self.submit(record);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
    }

    /// A number made of the process's and of its name.
    fn process_hash(&mut self, pid: Value) -> Value {
        let name = self.slot(TASK_COMM_LEN);
        // Some kernels leave what is behind a name as it was.
        self.zero(&Place::slot(name), TASK_COMM_LEN);
        let to = self.slot_addr(name);
        let size = self.f.b.iconst(i64::from(TASK_COMM_LEN));
        self.call(helpers::GET_CURRENT_COMM, &[to, size]);
        let spread = self.f.b.iconst(SPREAD);
        let mut hash = pid;
        for at in [0, 8] {
            let part = self.f.b.load(Width::B8, false, to, at);
            hash = self.f.b.alu(Alu::Xor, hash, part);
            hash = self.f.b.alu(Alu::Mul, hash, spread);
        }
        hash
    }
}
