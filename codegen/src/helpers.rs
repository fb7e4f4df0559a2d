//! Helpers and flags by their numbers in the kernel's `include/uapi/linux/bpf.h`.

use crate::ir::Helper;

/// `void *bpf_map_lookup_elem(map, key)`
pub const MAP_LOOKUP_ELEM: Helper = Helper(1);
/// `long bpf_map_update_elem(map, key, value, flags)`
pub const MAP_UPDATE_ELEM: Helper = Helper(2);
/// `long bpf_map_delete_elem(map, key)`
pub const MAP_DELETE_ELEM: Helper = Helper(3);
/// `u64 bpf_ktime_get_ns()`: `CLOCK_MONOTONIC`.
pub const KTIME_GET_NS: Helper = Helper(5);
/// `u32 bpf_get_prandom_u32()`
pub const GET_PRANDOM_U32: Helper = Helper(7);
/// `u32 bpf_get_smp_processor_id()`
pub const GET_SMP_PROCESSOR_ID: Helper = Helper(8);
/// `u64 bpf_get_current_pid_tgid()`: `tgid << 32 | pid`.
pub const GET_CURRENT_PID_TGID: Helper = Helper(14);
/// `u64 bpf_get_current_uid_gid()`: `gid << 32 | uid`.
pub const GET_CURRENT_UID_GID: Helper = Helper(15);
/// `long bpf_get_current_comm(buf, size)`: ends with a NUL; what is behind it is zeroed only by newer kernels.
pub const GET_CURRENT_COMM: Helper = Helper(16);
/// `long bpf_get_stackid(ctx, map, flags)`
pub const GET_STACKID: Helper = Helper(27);
/// `u64 bpf_get_current_task()`
pub const GET_CURRENT_TASK: Helper = Helper(35);
/// `long bpf_get_numa_node_id()`
pub const GET_NUMA_NODE_ID: Helper = Helper(42);
/// `int bpf_override_return(regs, rc)`
pub const OVERRIDE_RETURN: Helper = Helper(58);
/// `int bpf_get_stack(ctx, buf, size, flags)`
pub const GET_STACK: Helper = Helper(67);
/// `u64 bpf_get_current_cgroup_id()`
pub const GET_CURRENT_CGROUP_ID: Helper = Helper(80);
/// `int bpf_send_signal(sig)`
pub const SEND_SIGNAL: Helper = Helper(109);
/// `long bpf_probe_read_user(dst, size, unsafe_ptr)`: zeroes `dst` where it fails.
pub const PROBE_READ_USER: Helper = Helper(112);
/// `long bpf_probe_read_kernel(dst, size, unsafe_ptr)`: zeroes `dst` where it fails.
pub const PROBE_READ_KERNEL: Helper = Helper(113);
/// `long bpf_probe_read_user_str(dst, size, unsafe_ptr)`: bytes with the NUL, or an errno.
pub const PROBE_READ_USER_STR: Helper = Helper(114);
/// `long bpf_probe_read_kernel_str(dst, size, unsafe_ptr)`: bytes with the NUL, or an errno.
pub const PROBE_READ_KERNEL_STR: Helper = Helper(115);
/// `u64 bpf_jiffies64()`
pub const JIFFIES64: Helper = Helper(118);
/// `bpf_get_ns_current_pid_tgid`
pub const GET_NS_CURRENT_PID_TGID: Helper = Helper(120);
/// `u64 bpf_ktime_get_boot_ns()`
pub const KTIME_GET_BOOT_NS: Helper = Helper(125);
/// `void *bpf_ringbuf_reserve(ringbuf, size, flags)`
pub const RINGBUF_RESERVE: Helper = Helper(131);
/// `void bpf_ringbuf_submit(data, flags)`
pub const RINGBUF_SUBMIT: Helper = Helper(132);
/// `void bpf_ringbuf_discard(data, flags)`
pub const RINGBUF_DISCARD: Helper = Helper(133);
/// `struct task_struct *bpf_get_current_task_btf()`: a typed pointer, followed directly.
pub const GET_CURRENT_TASK_BTF: Helper = Helper(158);
/// `long bpf_for_each_map_elem(map, callback, ctx, flags)`: number of entries seen.
pub const FOR_EACH_MAP_ELEM: Helper = Helper(164);
/// `u64 bpf_get_func_ip(ctx)`
pub const GET_FUNC_IP: Helper = Helper(173);
/// `u64 bpf_get_attach_cookie(ctx)`
pub const GET_ATTACH_COOKIE: Helper = Helper(174);
/// `long bpf_loop(rounds, callback, ctx, flags)`
pub const LOOP: Helper = Helper(181);
/// `void *bpf_map_lookup_percpu_elem(map, key, cpu)`
pub const MAP_LOOKUP_PERCPU_ELEM: Helper = Helper(195);
/// `u64 bpf_ktime_get_tai_ns()`
pub const KTIME_GET_TAI_NS: Helper = Helper(208);

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
/// `BPF_F_RDONLY_PROG`: programs may only read the map.
pub const F_RDONLY_PROG: u32 = 1 << 7;
