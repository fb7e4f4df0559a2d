//! What the traced process is known to hold: its buffer, its name, the arguments of its system calls.

use super::ast::Base;
use super::rng::Rng;
use std::io;
use std::sync::LazyLock;

/// The name of the thread that makes the system calls (15 bytes, the most that there can be).
pub const NAME: &str = "pr0grams-Tr4cer";
/// Bytes of the buffer that programs read.
pub const SIZE: usize = 4096;
/// Where texts begin in it: one each [`TEXT_STEP`] bytes.
pub const TEXTS: usize = 1024;
/// From one text to the next.
pub const TEXT_STEP: usize = 64;
/// Where an Ethernet frame begins, at an odd address.
pub const FRAME: usize = 3001;
/// An option that prctl(2) does not know: the call does nothing.
pub const OPTION: i32 = 12345;

/// The words that texts are made of.
pub const WORDS: [&str; 12] = [
    "alpha",
    "bet",
    "gamma",
    "delta42",
    "eps",
    "zeta-zeta",
    "eta",
    "theta_theta_",
    "io",
    "kappa",
    "la",
    "mu",
];

static BUFFER: LazyLock<Vec<u8>> = LazyLock::new(buffer);

/// The buffer's content, the same in every run.
pub fn buffer() -> Vec<u8> {
    let mut rng = Rng::new(0xb0ff);
    let mut bytes: Vec<u8> = (0..SIZE).map(|_| rng.next() as u8).collect();
    for i in 0..16 {
        let at = TEXTS + i * TEXT_STEP;
        bytes[at..at + TEXT_STEP].fill(0);
        let text = text(i);
        bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    bytes
}

/// The text at `TEXTS + i * TEXT_STEP`.
pub fn text(i: usize) -> String {
    let mut rng = Rng::new(i as u64);
    let n = 1 + rng.below(5);
    let mut text: Vec<_> = (0..n).map(|_| rng.pick(&WORDS)).collect();
    while text.join("/").len() >= TEXT_STEP {
        text.pop();
    }
    text.join("/")
}

/// The bytes from an offset of a base on.
pub fn bytes(base: Base, at: i64) -> Vec<u8> {
    let all = match base {
        Base::Buffer => BUFFER.clone(),
        Base::Name => {
            let mut name = NAME.as_bytes().to_vec();
            name.resize(16, 0);
            name
        }
    };
    usize::try_from(at).ok().and_then(|at| all.get(at..)).unwrap_or_default().to_vec()
}

/// This thread as the traced one: named, with the buffer.
pub struct Traced {
    buffer: Vec<u8>,
}

impl Traced {
    /// Makes this thread the traced one.
    pub fn new() -> io::Result<Traced> {
        let mut name = NAME.as_bytes().to_vec();
        name.push(0);
        // SAFETY: PR_SET_NAME reads up to 16 bytes of a text that ends with NUL and lives for the call.
        let r = unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
        if r == 0 { Ok(Traced { buffer: buffer() }) } else { Err(io::Error::last_os_error()) }
    }

    /// Makes one system call with these as third to fifth arguments.
    pub fn call(&self, rest: [u64; 3]) {
        // SAFETY: prctl(2) refuses this option (EINVAL) before it looks at the arguments.
        unsafe { libc::syscall(libc::SYS_prctl, OPTION, self.buffer.as_ptr(), rest[0], rest[1], rest[2]) };
    }
}
