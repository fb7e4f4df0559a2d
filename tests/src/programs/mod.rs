//! Generated well-typed programs, held against an evaluator of the language that shares no code with the compiler.
//!
//! What the checker accepts, the kernel must load, and what it computes must be what the documents say.
//! A program is a function of its seed ([`generate`]), printed in the language ([`text`]), run ([`run`]), and evaluated
//! here from `docs/language.md` and `docs/from-bpftrace.md` ([`evaluate`]); both must print the same.
//!
//! ```console
//! $ cargo xtask programs --count 3000 --where host     # also 5.10, 6.1, 6.12, newest
//! $ cargo xtask programs --seed 17 --theme loops --count 1 --show   # one program's text and what it must print
//! $ cargo xtask programs --count 200 --theme loops --save DIR    # each failure shrunk, as DIR/AREA-SEED.txt
//! $ cargo xtask programs --count 3000 --bin bpftrace --loads     # bpftrace's share
//! ```
//!
//! Every value is known beforehand, yet the compiler must not know it: values come from maps that another probe fills,
//! from the arguments of a system call that the runner makes, from the runner's memory and its name ([`world`]).

pub mod ast;
pub mod evaluate;
pub mod generate;
pub mod json;
pub mod rng;
pub mod run;
pub mod shrink;
pub mod text;
pub mod world;
