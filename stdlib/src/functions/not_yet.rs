//! Functions of bpftrace that do not exist here yet. Their names are known, so that the error for a script that
//! calls one can say so.

use super::Function;

const fn missing(name: &'static str, brief: &'static str) -> Function {
    Function { name, brief, supported: false, ..Function::PLAIN }
}

pub(super) const NOT_YET: &[Function] = &[
    missing("assert_str", "Ends compilation unless the argument is a text."),
    missing("debugf", "Writes to the kernel's trace pipe."),
    missing("default_str_length", "The length of texts whose length nothing else says."),
    missing("dw_ustack", "The user stack, unwound by the program's call frame information."),
    missing("kfunc_allowed", "May this kind of probe call a kernel function (kfunc)?"),
    missing("kfunc_exist", "Does this kernel have a kfunc?"),
    missing("memcmp", "Compares two pieces of memory."),
    missing("path", "The whole path of a struct path."),
    missing("percpu_kaddr", "Address of a kernel variable that each CPU has its own of."),
    missing("signal_name", "The name of a signal by its number."),
    missing("signal_thread", "Sends a signal to the current thread alone."),
    missing("skboutput", "Writes a packet to a file for packet analysers."),
    missing("socket_cookie", "The number that the kernel gives to a socket."),
    missing("str_concat", "Two texts as one."),
    missing("strcap", "The number of bytes that a text has room for."),
    missing("strstr", "Where a text occurs in another one."),
    missing("syscall_name", "The name of a system call by its number."),
    missing("unwatch", "Removes a watchpoint."),
    missing("write_user", "Writes to the memory of the traced process."),
];
