//! Builtins: values of the running task and of the machine.

use super::Lowered;
use super::frame::Lower;
use super::memory::{Fill, Place};
use crate::helpers;
use crate::ir::{Alu, Cond, Helper, Op, Space, Ty, Value, Width};
use crate::kernel::{PidNamespace, TaskIds};
use crate::object::{Control, Fault};
use rbtrace_lang::Span;
use rbtrace_lang::hir::{Builtin, Expr};
use rbtrace_lang::types::Type;

/// `TASK_COMM_LEN` of `include/linux/sched.h`.
const TASK_COMM_LEN: u32 = 16;

impl Lower<'_, '_> {
    pub(super) fn builtin(&mut self, which: Builtin, span: Span) -> Lowered<Value> {
        Ok(match which {
            Builtin::Pid => self.process_id(),
            Builtin::Tid => match self.kernel().pid_namespace() {
                Some(namespace) => self.namespaced(namespace, 0),
                None => self.thread_in_first(),
            },
            Builtin::PidInit => self.process_in_first(),
            Builtin::TidInit => self.thread_in_first(),
            Builtin::Uid => self.low_half(helpers::GET_CURRENT_UID_GID),
            Builtin::Gid => self.high_half(helpers::GET_CURRENT_UID_GID),
            Builtin::Cpu => self.call(helpers::GET_SMP_PROCESSOR_ID, &[]),
            Builtin::Rand => self.low_half(helpers::GET_PRANDOM_U32),
            Builtin::Numaid => self.call(helpers::GET_NUMA_NODE_ID, &[]),
            Builtin::Cgroup => self.call(helpers::GET_CURRENT_CGROUP_ID, &[]),
            Builtin::Curtask => self.call(helpers::GET_CURRENT_TASK, &[]),
            Builtin::NsecsBoot => self.boot_clock(),
            Builtin::NsecsMonotonic => self.call(helpers::KTIME_GET_NS, &[]),
            Builtin::NsecsTai if self.can_call(helpers::KTIME_GET_TAI_NS) => {
                self.call(helpers::KTIME_GET_TAI_NS, &[])
            }
            Builtin::NsecsTai => {
                return self.unsupported(span, "This kernel has no bpf_ktime_get_tai_ns (6.1 or newer)");
            }
            Builtin::NsecsSwTai => {
                let (boot, distance) = (self.boot_clock(), self.control_word(Control::TAI));
                self.f.b.alu(Alu::Add, boot, distance)
            }
            Builtin::Jiffies if self.can_call(helpers::JIFFIES64) => self.call(helpers::JIFFIES64, &[]),
            Builtin::Jiffies => {
                return self.unsupported(span, "This kernel has no bpf_jiffies64 (5.9 or newer)");
            }
            Builtin::Elapsed => self.elapsed(),
            Builtin::Cpid => self.control_word(Control::CPID),
            Builtin::Ncpus => {
                let n = i64::from(self.kernel().ncpus());
                self.f.b.iconst(n)
            }
            Builtin::Probe => match self.only_attach_point() {
                Some(id) => self.f.b.iconst(i64::from(id)),
                None => self.cookie(span)?,
            },
            Builtin::Func => self.func_address(span)?,
            Builtin::Ip => self.instruction_pointer(span)?,
            Builtin::Comm => return self.unsupported(span, "comm is a text"),
        })
    }

    /// `pid`, as our own namespace numbers processes.
    pub(super) fn process_id(&mut self) -> Value {
        match self.kernel().pid_namespace() {
            Some(namespace) => self.namespaced(namespace, 4),
            None => self.process_in_first(),
        }
    }

    /// The process's number in the first PID namespace.
    fn process_in_first(&mut self) -> Value {
        match self.ids_of_task() {
            Some(ids) => self.load_from_task(ids.tgid),
            None => self.high_half(helpers::GET_CURRENT_PID_TGID),
        }
    }

    /// The thread's number in the first PID namespace.
    fn thread_in_first(&mut self) -> Value {
        match self.ids_of_task() {
            Some(ids) => self.load_from_task(ids.pid),
            None => self.low_half(helpers::GET_CURRENT_PID_TGID),
        }
    }

    /// Programs that ask for the task anyway need no second helper for its numbers.
    fn ids_of_task(&self) -> Option<TaskIds> {
        self.raw_call.and_then(|_| self.kernel().task_ids())
    }

    /// Four bytes of the running task's `struct task_struct`.
    pub(super) fn load_from_task(&mut self, offset: u32) -> Value {
        let task = self.call_ptr(helpers::GET_CURRENT_TASK_BTF, &[], Space::Btf);
        self.f.b.load(Width::B4, false, task, offset as i32)
    }

    /// A field of `struct bpf_pidns_info` (include/uapi/linux/bpf.h): `pid` (of the thread) at 0, `tgid` at 4. The
    /// helper makes both 0 for a process of another namespace.
    fn namespaced(&mut self, namespace: PidNamespace, offset: i32) -> Value {
        const SIZE: u32 = 8;
        let dev = self.f.b.iconst(namespace.dev as i64);
        let ino = self.f.b.iconst(namespace.ino as i64);
        let slot = self.slot(SIZE);
        let info = self.slot_addr(slot);
        let size = self.f.b.iconst(i64::from(SIZE));
        self.call(helpers::GET_NS_CURRENT_PID_TGID, &[dev, ino, info, size]);
        self.f.b.load(Width::B4, false, info, offset)
    }

    fn high_half(&mut self, helper: Helper) -> Value {
        let both = self.call(helper, &[]);
        self.imm(Alu::LShr, both, 32)
    }

    fn low_half(&mut self, helper: Helper) -> Value {
        let both = self.call(helper, &[]);
        self.f.b.ins(Op::Zext(Width::B4, both), Ty::I64)
    }

    fn boot_clock(&mut self) -> Value {
        let boot = self.can_call(helpers::KTIME_GET_BOOT_NS);
        self.call(if boot { helpers::KTIME_GET_BOOT_NS } else { helpers::KTIME_GET_NS }, &[])
    }

    fn elapsed(&mut self) -> Value {
        let now = self.boot_clock();
        let start = self.control_word(Control::START);
        self.f.b.alu(Alu::Sub, now, start)
    }

    fn control_word(&mut self, word: u32) -> Value {
        let ptr = self.control(word);
        self.f.b.load(Width::B8, false, ptr, 0)
    }

    /// `func`: where the traced function begins. On return from a user function the kernel knows since 6.6,
    /// and says 0 before.
    fn func_address(&mut self, span: Span) -> Lowered<Value> {
        if self.plan.attach.iter().all(|a| a.target.knows_function()) && self.can_call(helpers::GET_FUNC_IP) {
            let ctx = self.ctx(span)?;
            return Ok(self.call(helpers::GET_FUNC_IP, &[ctx]));
        }
        // Where the function returns, the instruction pointer is that of the kernel's trampoline.
        if let [only] = self.plan.attach[..]
            && let Some((module, func)) = only.target.hidden_function()
        {
            return match self.kernel().function(module, func) {
                Some(address) => Ok(self.f.b.iconst(address as i64)),
                None => self.unsupported(
                    span,
                    format!("This kernel tells no kretprobe its function (5.15 or newer do), and where {func} lies is not known"),
                ),
            };
        }
        self.instruction_pointer(span)
    }

    /// `comm` and other builtins that are no numbers.
    pub(super) fn store_comm(&mut self, dst: &Place, ty: &Type, fill: Fill) -> Lowered<()> {
        let Type::Str(room) = *ty else {
            let span = self.f.b.span();
            // `func` at user level: an address and its process.
            let value = self.func_address(span)?;
            if *ty == Type::Usym {
                self.store_usym(value, dst);
            } else {
                self.store_scalar(dst, ty.size(), value);
            }
            return Ok(());
        };
        // From 5.18 to 6.4 the helper leaves what follows the NUL as it was (strscpy without padding in
        // kernel/bpf/helpers.c), and as a map's key that would make two keys of one name.
        if fill == Fill::Padded {
            self.zero(dst, room.min(TASK_COMM_LEN));
        }
        let to = self.address(dst);
        let size = self.f.b.iconst(i64::from(room.min(TASK_COMM_LEN)));
        self.call(helpers::GET_CURRENT_COMM, &[to, size]);
        self.zero(&dst.at(room.min(TASK_COMM_LEN)), room.saturating_sub(TASK_COMM_LEN));
        Ok(())
    }

    /// A user address and the process that owns it.
    pub(super) fn store_usym(&mut self, address: Value, dst: &Place) {
        let pid = self.store_address(address, dst);
        self.announce(pid);
    }

    /// The same of an address that may be shown without a name; returns the process.
    pub(super) fn store_address(&mut self, address: Value, dst: &Place) -> Value {
        self.store_scalar(dst, 8, address);
        let pid = self.process_id();
        self.store_scalar(&dst.at(8), 4, pid);
        self.zero(&dst.at(12), 4);
        pid
    }

    pub(super) fn signal(&mut self, e: &Expr) -> Lowered<Value> {
        if !self.can_call(helpers::SEND_SIGNAL) {
            return self.unsupported(e.span, "This kernel has no bpf_send_signal (5.3 or newer)");
        }
        let number = self.scalar(e)?;
        let result = self.call(helpers::SEND_SIGNAL, &[number]);
        self.fault_if(Cond::Ne, result, 0, Fault::HelperFailed("send_signal"));
        Ok(self.f.b.iconst(0))
    }

    pub(super) fn override_return(&mut self, e: &Expr) -> Lowered<Value> {
        if !self.can_call(helpers::OVERRIDE_RETURN) {
            let message = "This kernel cannot override return values (CONFIG_BPF_KPROBE_OVERRIDE)";
            return self.unsupported(e.span, message);
        }
        let value = self.scalar(e)?;
        let ctx = self.ctx(e.span)?;
        self.call(helpers::OVERRIDE_RETURN, &[ctx, value]);
        Ok(self.f.b.iconst(0))
    }
}
