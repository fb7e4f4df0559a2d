//! Where output goes and when it is written.

use std::fs::File;
use std::io::{self, IsTerminal, Write};

/// When output is written out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Buffering {
    /// After each event.
    None,
    /// As soon as the events that have arrived are printed.
    #[default]
    Line,
    /// When the buffer is full, and at the end.
    Full,
}

/// The buffer is written when it holds this many bytes.
const FULL: usize = 64 * 1024;

/// The output and its buffer.
#[derive(Debug)]
pub struct Output {
    to: To,
    /// What is still to be written; printing appends to it.
    pub buf: Vec<u8>,
    /// When to write.
    pub buffering: Buffering,
    /// The reader has gone away, or the disk is full: there is nobody to print for.
    failed: Option<io::Error>,
}

#[derive(Debug)]
enum To {
    Stdout,
    File(File),
}

impl Output {
    /// To standard output.
    pub fn stdout(buffering: Buffering) -> Self {
        Output { to: To::Stdout, buf: Vec::new(), buffering, failed: None }
    }

    /// To a file.
    pub fn file(file: File, buffering: Buffering) -> Self {
        Output { to: To::File(file), buf: Vec::new(), buffering, failed: None }
    }

    /// Does it go to a terminal?
    pub fn is_terminal(&self) -> bool {
        match &self.to {
            To::Stdout => io::stdout().is_terminal(),
            To::File(f) => f.is_terminal(),
        }
    }

    /// Call after each event.
    pub fn event_done(&mut self) {
        if self.buffering == Buffering::None || self.buf.len() >= FULL {
            self.flush();
        }
    }

    /// Call when no event is waiting.
    pub fn idle(&mut self) {
        if self.buffering != Buffering::Full {
            self.flush();
        }
    }

    /// Writes all out.
    pub fn flush(&mut self) {
        if self.buf.is_empty() || self.failed.is_some() {
            self.buf.clear();
            return;
        }
        let written = match &mut self.to {
            // Not through std's own buffer: ours is already one.
            To::Stdout => write_fd(io::stdout().lock(), &self.buf),
            To::File(f) => f.write_all(&self.buf),
        };
        self.buf.clear();
        self.failed = written.err();
    }

    /// Why nothing can be written any more.
    pub fn failure(&self) -> Option<&io::Error> {
        self.failed.as_ref()
    }
}

fn write_fd(mut out: io::StdoutLock, data: &[u8]) -> io::Result<()> {
    out.write_all(data)?;
    out.flush()
}
