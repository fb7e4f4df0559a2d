//! A script's map, seen while the script runs.

use crate::run::tables::Table;
use crate::show::print::{Env, Row};
use rbtrace_lang::types::Type;
use std::io;

/// A map of a running script.
#[derive(Clone, Copy, Debug)]
pub struct LiveTable<'s, 'a> {
    table: &'s Table,
    env: &'s Env<'a>,
}

impl<'s, 'a> LiveTable<'s, 'a> {
    pub(super) fn new(table: &'s Table, env: &'s Env<'a>) -> Self {
        LiveTable { table, env }
    }

    /// Its name with `@`.
    pub fn name(&self) -> &'s str {
        &self.table.name
    }

    /// The type of its keys; `None` where it has none.
    pub fn key(&self) -> Option<&'s Type> {
        self.table.key.as_ref()
    }

    /// The type of its values.
    pub fn value(&self) -> &'s Type {
        &self.table.value
    }

    /// Its entries: aggregations by value, others by key, both ascending. A map without keys has one, once it is set.
    pub fn rows(&self) -> io::Result<Vec<Row>> {
        Ok(self.table.entries()?.iter().map(|entry| self.table.row(self.env, entry)).collect())
    }
}
