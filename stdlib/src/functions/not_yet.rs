//! Functions of bpftrace that do not exist here yet. Their names are known, so that the error for a script that
//! calls one can say so.

use super::Function;

const fn missing(name: &'static str, brief: &'static str) -> Function {
    Function { name, brief, supported: false, ..Function::PLAIN }
}

pub(super) const NOT_YET: &[Function] =
    &[missing("skboutput", "Writes a packet to a file for packet analysers.")];
