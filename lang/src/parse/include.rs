//! The headers of a compilation, and where each was included.

use super::preprocess::Wanted;
use crate::headers::{Headers, Include};
use crate::system::Answer;
use crate::{Options, Source, Span};
use std::collections::HashSet;
use std::rc::Rc;

/// Deepest nest of headers, as in GCC; deeper ones include each other.
const MAX_DEPTH: usize = 200;

/// Most headers in all, so that a few that include each other twice come to an end.
const MAX_HEADERS: usize = 2000;

/// Most bytes of all headers.
const MAX_BYTES: usize = 64 << 20;

/// bpftool makes it from BTF, where we look ourselves.
const BTF_AS_HEADER: &str = "vmlinux.h";

/// The headers of a compilation.
#[derive(Default)]
pub(super) struct Included {
    pub(super) from: Option<Rc<dyn Headers>>,
    /// Included before all else.
    command_line: Vec<String>,
    /// Those that were read, each time that they were.
    pub(super) sources: Vec<Source>,
    /// The `#include` of each.
    places: Vec<Span>,
    /// The number of the first.
    first: u16,
    /// Those with `#pragma once`.
    once: HashSet<Rc<str>>,
    depth: usize,
}

impl Included {
    /// None yet; they get numbers from `first` on.
    pub(super) fn new(options: &Options, first: usize) -> Included {
        let from = options.headers.clone();
        Included { from, command_line: options.includes.clone(), first: first as u16, ..Included::default() }
    }

    /// What the command line includes; asked once.
    pub(super) fn take_command_line(&mut self) -> Vec<String> {
        std::mem::take(&mut self.command_line)
    }

    /// Was it read before, and asks to be read only once?
    pub(super) fn is_done(&self, header: &Source) -> bool {
        self.once.contains(&header.name)
    }

    /// A header begins, included at this place; its number.
    pub(super) fn enter(&mut self, header: &Source, place: Span) -> u16 {
        let file = self.first + self.sources.len() as u16;
        self.sources.push(header.clone());
        self.places.push(place);
        self.depth += 1;
        file
    }

    /// A script begins, imported at this place; its number.
    pub(super) fn enter_script(&mut self, script: &Source, place: Span) -> u16 {
        let file = self.enter(script, place);
        self.depth -= 1;
        file
    }

    /// It has ended; `once`: it is not to be read again.
    pub(super) fn leave(&mut self, header: &Source, once: bool) {
        self.depth -= 1;
        if once {
            self.once.insert(Rc::clone(&header.name));
        }
    }

    /// Is there room for one more?
    pub(super) fn takes(&self, header: &Source) -> bool {
        let bytes: usize = self.sources.iter().map(|s| s.text.len()).sum();
        self.depth < MAX_DEPTH && self.sources.len() < MAX_HEADERS && bytes + header.text.len() <= MAX_BYTES
    }

    /// Are we in a header?
    pub(super) fn is_header(&self) -> bool {
        self.depth > 0
    }

    /// Reads a header; `None` where none of one's own has this name.
    pub(super) fn read(&self, from: &str, wanted: &Wanted) -> Answer<Option<Source>> {
        let include = Include { from, path: &wanted.path, quoted: wanted.quoted };
        match &self.from {
            Some(headers) if wanted.path != BTF_AS_HEADER => headers.read(include),
            _ => Ok(None),
        }
    }

    /// Where a place stands in the text that including makes: the offsets of the `#include` lines that lead to it,
    /// from the script on, then its own.
    pub(super) fn order(&self, place: Span) -> Vec<u32> {
        let mut offsets = vec![place.start];
        let mut file = place.file;
        while let Some(around) = file.checked_sub(self.first).and_then(|n| self.places.get(usize::from(n))) {
            offsets.push(around.start);
            file = around.file;
        }
        offsets.reverse();
        offsets
    }
}
