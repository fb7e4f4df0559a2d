//! What the tests of the back end share.

#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod kernel;
pub(crate) mod random;
pub(crate) mod run_bpf;
pub(crate) mod run_ir;
pub(crate) mod script;

use rbtrace_codegen::object::Features;

/// The features of the newest kernel, or of 5.10.
pub(crate) fn features(newest: bool) -> Features {
    Features {
        probe_read_kernel: true,
        ringbuf: true,
        attach_cookie: newest,
        for_each_map_elem: newest,
        bpf_loop: newest,
        lookup_percpu_elem: newest,
        ktime_boot: true,
        ktime_tai: newest,
        current_task_btf: newest,
        jiffies64: true,
        get_func_ip: newest,
        send_signal: true,
        override_return: false,
        strncmp: newest,
        isa_v4: newest,
        task_storage: newest,
        tp_btf: true,
        atomics: newest,
        kprobe_multi: newest,
        uprobe_multi: newest,
        kprobe_session: newest,
        ncpus: 2,
        pid_namespace: None,
    }
}
