//! The lists of iterators, once everything is attached: others get the names by which they are read, ours are walked.

use super::{RunError, Session};
use crate::run::attach::List;
use crate::show::sink::Said;
use crate::sys::{self, poll};
use rbtrace_codegen::object::Point;
use rbtrace_lang::Diagnostic;
use std::io;

impl Session<'_> {
    /// Gives the lists that others read their names: all of them, or none.
    pub(super) fn pin_lists(&self) -> Result<(), RunError> {
        for (index, (list, point)) in self.lists.iter().enumerate() {
            list.pin().map_err(|failure| {
                unpin(&self.lists[..index]);
                failure.diagnostic(point)
            })?;
        }
        Ok(())
    }

    /// Walks our lists in the order of the script, and says which others there are.
    pub(super) fn walk_lists(&mut self) -> Result<(), RunError> {
        let mut lists = std::mem::take(&mut self.lists);
        let names = lists.iter().filter_map(|(list, _)| list.name());
        names.for_each(|name| self.printer.say(Said::Pinned(name)));
        for index in 0..lists.len() {
            let (list, point) = &mut lists[index];
            if let Err(e) = self.walk(list) {
                let text = format!("Failed to walk {}: {}", point.name, sys::describe(&e));
                let error = Diagnostic::error(point.span, text);
                unpin(&lists);
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Walks one list to its end, or until the run is over.
    fn walk(&mut self, list: &mut List) -> io::Result<()> {
        while !self.is_unwanted()? && list.advance()? {
            self.drain();
        }
        Ok(())
    }

    /// Is our caller wanted elsewhere, as by Ctrl-C, or does the sink take no more?
    fn is_unwanted(&self) -> io::Result<bool> {
        let Some(wake) = self.options.wake else { return Ok(self.printer.sink.failure().is_some()) };
        Ok(self.printer.sink.failure().is_some() || poll::readable(&[wake], 0)?[0])
    }
}

/// Where something fails nothing stays.
fn unpin(lists: &[(List, &Point)]) {
    lists.iter().for_each(|(list, _)| list.unpin());
}
