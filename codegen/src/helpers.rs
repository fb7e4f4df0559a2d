//! Helpers and flags by their numbers in the kernel's `include/uapi/linux/bpf.h`: the one table of what is known
//! of each helper.

use crate::ir::Helper;

/// What is known of a helper.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// Its number.
    pub helper: Helper,
    /// The name of its number without `BPF_FUNC_`, in capitals.
    pub name: &'static str,
    /// The kernel release that has it first.
    pub since: (u8, u8),
    /// What a call changes.
    pub effect: Effect,
    /// Arguments through which it only reads (`ARG_PTR_TO_MAP_KEY`, `ARG_PTR_TO_MEM | MEM_RDONLY` and the sources of
    /// copies in the kernel's `bpf_func_proto`s); it may write through any other pointer.
    pub reads: &'static [usize],
    /// What it writes through its first argument; the second is the size in bytes.
    pub fills: Fills,
}

/// What a call changes besides the memory that it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing, and within one run of a program two calls give one answer.
    Pure,
    /// Neither maps nor what callbacks could: clocks, reads, the ring buffer.
    Quiet,
    /// Anything.
    Any,
}

/// What a helper leaves in the memory of its first argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fills {
    /// Nothing, or what is not known.
    Nothing,
    /// Every byte is written.
    Whole,
    /// A text that ends with a NUL; older kernels leave what is behind it as it was.
    Text,
}

macro_rules! helpers {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $since:expr, $effect:ident, reads $reads:expr, $fills:ident;)*) => {
        $($(#[$doc])* pub const $name: Helper = Helper($number);)*

        /// Every helper that generated code calls, by number.
        pub const TABLE: &[Info] = &[$(Info {
            helper: $name,
            name: stringify!($name),
            since: $since,
            effect: Effect::$effect,
            reads: &$reads,
            fills: Fills::$fills,
        }),*];
    };
}

helpers! {
    /// `void *bpf_map_lookup_elem(map, key)`
    MAP_LOOKUP_ELEM = 1, (3, 18), Any, reads [1], Nothing;
    /// `long bpf_map_update_elem(map, key, value, flags)`
    MAP_UPDATE_ELEM = 2, (3, 18), Any, reads [1, 2], Nothing;
    /// `long bpf_map_delete_elem(map, key)`
    MAP_DELETE_ELEM = 3, (3, 18), Any, reads [1], Nothing;
    /// `long bpf_probe_read(dst, size, unsafe_ptr)`: user or kernel memory by the address, on architectures where no
    /// address is both; zeroes `dst` where it fails.
    PROBE_READ = 4, (4, 1), Quiet, reads [2], Whole;
    /// `u64 bpf_ktime_get_ns()`: `CLOCK_MONOTONIC`.
    KTIME_GET_NS = 5, (4, 1), Quiet, reads [], Nothing;
    /// `long bpf_trace_printk(format, size, …)`
    TRACE_PRINTK = 6, (4, 1), Quiet, reads [0, 2, 3, 4], Nothing;
    /// `u32 bpf_get_prandom_u32()`
    GET_PRANDOM_U32 = 7, (4, 1), Quiet, reads [], Nothing;
    /// `u32 bpf_get_smp_processor_id()`
    GET_SMP_PROCESSOR_ID = 8, (4, 1), Pure, reads [], Nothing;
    /// `long bpf_tail_call(ctx, prog_array, index)`
    TAIL_CALL = 12, (4, 2), Any, reads [], Nothing;
    /// `u64 bpf_get_current_pid_tgid()`: `tgid << 32 | pid`.
    GET_CURRENT_PID_TGID = 14, (4, 2), Pure, reads [], Nothing;
    /// `u64 bpf_get_current_uid_gid()`: `gid << 32 | uid`.
    GET_CURRENT_UID_GID = 15, (4, 2), Pure, reads [], Nothing;
    /// `long bpf_get_current_comm(buf, size)`: ends with a NUL; what is behind it is zeroed only by newer kernels.
    GET_CURRENT_COMM = 16, (4, 2), Quiet, reads [], Text;
    /// `long bpf_get_stackid(ctx, map, flags)`
    GET_STACKID = 27, (4, 6), Quiet, reads [], Nothing;
    /// `u64 bpf_get_current_task()`
    GET_CURRENT_TASK = 35, (4, 8), Pure, reads [], Nothing;
    /// `long bpf_probe_write_user(dst, src, len)`
    PROBE_WRITE_USER = 36, (4, 8), Quiet, reads [1], Nothing;
    /// `long bpf_get_numa_node_id()`
    GET_NUMA_NODE_ID = 42, (4, 10), Pure, reads [], Nothing;
    /// `long bpf_probe_read_str(dst, size, unsafe_ptr)`: likewise; bytes with the NUL, or an errno.
    PROBE_READ_STR = 45, (4, 11), Quiet, reads [2], Nothing;
    /// `u64 bpf_get_socket_cookie(sock)`
    GET_SOCKET_COOKIE = 46, (5, 12), Quiet, reads [], Nothing;
    /// `int bpf_override_return(regs, rc)`
    OVERRIDE_RETURN = 58, (4, 16), Quiet, reads [], Nothing;
    /// `int bpf_get_stack(ctx, buf, size, flags)`
    GET_STACK = 67, (4, 18), Quiet, reads [], Nothing;
    /// `u64 bpf_get_current_cgroup_id()`
    GET_CURRENT_CGROUP_ID = 80, (4, 18), Pure, reads [], Nothing;
    /// `int bpf_send_signal(sig)`
    SEND_SIGNAL = 109, (5, 3), Quiet, reads [], Nothing;
    /// `long bpf_probe_read_user(dst, size, unsafe_ptr)`: zeroes `dst` where it fails.
    PROBE_READ_USER = 112, (5, 5), Quiet, reads [2], Whole;
    /// `long bpf_probe_read_kernel(dst, size, unsafe_ptr)`: zeroes `dst` where it fails.
    PROBE_READ_KERNEL = 113, (5, 5), Quiet, reads [2], Whole;
    /// `long bpf_probe_read_user_str(dst, size, unsafe_ptr)`: bytes with the NUL, or an errno.
    PROBE_READ_USER_STR = 114, (5, 5), Quiet, reads [2], Nothing;
    /// `long bpf_probe_read_kernel_str(dst, size, unsafe_ptr)`: bytes with the NUL, or an errno.
    PROBE_READ_KERNEL_STR = 115, (5, 5), Quiet, reads [2], Nothing;
    /// `int bpf_send_signal_thread(sig)`
    SEND_SIGNAL_THREAD = 117, (5, 6), Quiet, reads [], Nothing;
    /// `u64 bpf_jiffies64()`
    JIFFIES64 = 118, (5, 6), Quiet, reads [], Nothing;
    /// `bpf_get_ns_current_pid_tgid`
    GET_NS_CURRENT_PID_TGID = 120, (5, 7), Quiet, reads [], Nothing;
    /// `u64 bpf_ktime_get_boot_ns()`
    KTIME_GET_BOOT_NS = 125, (5, 8), Quiet, reads [], Nothing;
    /// `long bpf_seq_printf(seq_file, format, size, data, len)`
    SEQ_PRINTF = 126, (5, 8), Quiet, reads [1, 3], Nothing;
    /// `long bpf_seq_write(seq_file, data, len)`
    SEQ_WRITE = 127, (5, 8), Quiet, reads [1], Nothing;
    /// `long bpf_ringbuf_output(ringbuf, data, size, flags)`
    RINGBUF_OUTPUT = 130, (5, 8), Quiet, reads [1], Nothing;
    /// `void *bpf_ringbuf_reserve(ringbuf, size, flags)`
    RINGBUF_RESERVE = 131, (5, 8), Quiet, reads [], Nothing;
    /// `void bpf_ringbuf_submit(data, flags)`
    RINGBUF_SUBMIT = 132, (5, 8), Quiet, reads [], Nothing;
    /// `void bpf_ringbuf_discard(data, flags)`
    RINGBUF_DISCARD = 133, (5, 8), Quiet, reads [], Nothing;
    /// `long bpf_d_path(path, buf, size)`
    D_PATH = 147, (5, 10), Quiet, reads [], Nothing;
    /// `struct task_struct *bpf_get_current_task_btf()`: a typed pointer, followed directly.
    GET_CURRENT_TASK_BTF = 158, (5, 11), Pure, reads [], Nothing;
    /// `long bpf_for_each_map_elem(map, callback, ctx, flags)`: number of entries seen.
    FOR_EACH_MAP_ELEM = 164, (5, 13), Any, reads [], Nothing;
    /// `u64 bpf_get_func_ip(ctx)`
    GET_FUNC_IP = 173, (5, 15), Pure, reads [], Nothing;
    /// `u64 bpf_get_attach_cookie(ctx)`
    GET_ATTACH_COOKIE = 174, (5, 15), Pure, reads [], Nothing;
    /// `struct pt_regs *bpf_task_pt_regs(task)`: a typed pointer, followed directly.
    TASK_PT_REGS = 175, (5, 15), Quiet, reads [], Nothing;
    /// `long bpf_trace_vprintk(format, size, data, len)`
    TRACE_VPRINTK = 177, (5, 16), Quiet, reads [0, 2], Nothing;
    /// `long bpf_loop(rounds, callback, ctx, flags)`
    LOOP = 181, (5, 17), Any, reads [], Nothing;
    /// `void *bpf_map_lookup_percpu_elem(map, key, cpu)`
    MAP_LOOKUP_PERCPU_ELEM = 195, (5, 19), Quiet, reads [1], Nothing;
    /// `u64 bpf_ktime_get_tai_ns()`
    KTIME_GET_TAI_NS = 208, (6, 1), Quiet, reads [], Nothing;
}

impl Helper {
    /// Its line of the table; `None` for a number that only a test uses.
    pub fn info(self) -> Option<&'static Info> {
        TABLE.binary_search_by_key(&self.0, |i| i.helper.0).ok().map(|at| &TABLE[at])
    }

    /// Does its result depend on nothing that a program changes, so that two calls give one answer within one run?
    pub fn is_pure(self) -> bool {
        self.info().is_some_and(|i| i.effect == Effect::Pure)
    }

    /// Does it leave every map as it is?
    pub fn leaves_maps_alone(self) -> bool {
        self.info().is_some_and(|i| i.effect != Effect::Any)
    }

    /// What it writes through its first argument.
    pub fn fills(self) -> Fills {
        self.info().map_or(Fills::Nothing, |i| i.fills)
    }
}

/// `BPF_RB_NO_WAKEUP`: a record does not wake the reader.
pub const RB_NO_WAKEUP: i64 = 1;
/// `BPF_RB_FORCE_WAKEUP`: a record always wakes the reader.
pub const RB_FORCE_WAKEUP: i64 = 2;
/// `BPF_F_USER_STACK`: the stack of the process, not of the kernel.
pub const F_USER_STACK: i64 = 1 << 8;
/// `BPF_F_MMAPABLE`: user space may map the array's memory.
pub const F_MMAPABLE: u32 = 1 << 10;
/// `BPF_F_STACK_BUILD_ID`: a stack map holds build ids.
pub const F_STACK_BUILD_ID: u32 = 1 << 5;
/// `BPF_F_INNER_MAP`: arrays of any length may stand in one map of maps (5.10).
pub const F_INNER_MAP: u32 = 1 << 12;
/// `BPF_F_RDONLY_PROG`: programs may only read the map.
pub const F_RDONLY_PROG: u32 = 1 << 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(TABLE.is_sorted_by_key(|i| i.helper.0));
        assert!(TABLE.iter().all(|i| i.helper.info().is_some()));
    }

    #[test]
    fn what_fills_memory_names_its_source_as_read() {
        for info in TABLE.iter().filter(|i| i.fills == Fills::Whole) {
            assert_eq!(info.reads, [2], "{:?}", info.helper);
        }
    }
}
