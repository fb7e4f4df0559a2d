//! What a program must print: an interpreter written from the documents of the language, not from the compiler.

mod expr;
mod number;
mod print;
mod stmt;
mod tables;
mod value;

use super::ast::Program;
use super::json::Json;
use std::collections::BTreeMap;
use tables::Table;
pub use value::Value;

/// Everything that a run prints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// `printf` and `print`, in their order.
    pub lines: Vec<Json>,
    /// The maps at the end, by name.
    pub maps: BTreeMap<String, Json>,
}

/// Evaluates the whole program.
pub fn evaluate(p: &Program) -> Output {
    let tables = p.maps.iter().map(|m| Table::new(m.holds.clone())).collect();
    let vars = vec![None; p.vars.len()];
    let mut state = State { p, vars, tables, args: [0; 3], lines: vec![], steps: 2_000_000 };
    state.block(&p.setup);
    if p.calls.is_empty() {
        state.block(&p.body);
    }
    for call in &p.calls {
        state.vars.fill(None);
        state.args = *call;
        state.block(&p.body);
    }
    let maps = state.tables.iter().enumerate().filter_map(|(i, t)| Some((format!("@m{i}"), t.json()?)));
    Output { maps: maps.collect(), lines: state.lines }
}

struct State<'a> {
    p: &'a Program,
    vars: Vec<Option<Value>>,
    tables: Vec<Table>,
    args: [u64; 3],
    lines: Vec<Json>,
    /// Statements that may still be executed: a program that is being shrunk may have lost what ends its loops.
    steps: u64,
}
