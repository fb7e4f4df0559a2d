//! Map-value functions: what is assigned to a map and collects on each CPU.

use super::{Function, Kind, optional, param};

const N: super::Param = param("n", Kind::Int);

pub(super) const AGGREGATIONS: &[Function] = &[
    Function {
        name: "count",
        result: "count_t",
        brief: "Counts how often it is called.",
        example: "kprobe:vfs_* { @[func] = count(); }",
        ..Function::PLAIN
    },
    Function {
        name: "sum",
        params: &[N],
        result: "sum_t",
        brief: "Adds its argument.",
        example: "kretprobe:vfs_read /(int64)retval > 0/ { @bytes[comm] = sum(retval); }",
        ..Function::PLAIN
    },
    Function {
        name: "min",
        params: &[N],
        result: "min_t",
        brief: "Keeps the smallest argument.",
        example: "kprobe:vfs_read { @smallest = min(arg2); }",
        ..Function::PLAIN
    },
    Function {
        name: "max",
        params: &[N],
        result: "max_t",
        brief: "Keeps the largest argument.",
        example: "kprobe:vfs_read { @largest = max(arg2); }",
        ..Function::PLAIN
    },
    Function {
        name: "avg",
        params: &[N],
        result: "avg_t",
        brief: "The average of its arguments.",
        example: "kprobe:vfs_read { @size = avg(arg2); }",
        ..Function::PLAIN
    },
    Function {
        name: "stats",
        params: &[N],
        result: "stats_t",
        brief: "Count, average and total of its arguments.",
        example: "kprobe:vfs_read { @size[comm] = stats(arg2); }",
        ..Function::PLAIN
    },
    Function {
        name: "hist",
        params: &[N, optional("bits", Kind::ConstInt)],
        result: "hist_t",
        brief: "A histogram with buckets that double in width.",
        doc: "0 to 5 bits give 2^bits buckets for each power of two.",
        example: "kretprobe:vfs_read { @bytes = hist(retval); }",
        ..Function::PLAIN
    },
    Function {
        name: "lhist",
        params: &[
            N,
            param("min", Kind::ConstInt),
            param("max", Kind::ConstInt),
            param("step", Kind::ConstInt),
        ],
        result: "lhist_t",
        brief: "A histogram of buckets of equal width from min to max.",
        example: "kretprobe:vfs_read { @bytes = lhist(retval, 0, 4096, 256); }",
        ..Function::PLAIN
    },
    Function {
        name: "tseries",
        params: &[
            N,
            param("interval", Kind::ConstInt),
            param("intervals", Kind::ConstInt),
            optional("how", Kind::Literal),
        ],
        result: "tseries_t",
        brief: "A graph of its argument over time: a value for each of the last intervals.",
        doc: "The interval is in nanoseconds, or has a unit: 100ms. Of several values in one interval the last one counts, \
              or as how says their \"avg\", \"max\", \"min\" or \"sum\".",
        example: "interval:ms:10 { @load = tseries(rand % 100, 100ms, 20, \"max\"); }",
        ..Function::PLAIN
    },
];
