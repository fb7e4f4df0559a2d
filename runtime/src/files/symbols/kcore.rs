//! The running kernel's memory through `/proc/kcore`, an ELF core file (`proc(5)`).

use crate::files::Error;
use object::elf::{PT_LOAD, ProgramHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, elf::FileHeader64};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

const PATH: &str = "/proc/kcore";

/// The file's headers; the kernel's own parts come after a few pages.
const HEADERS: usize = 1 << 16;

/// Reads `length` bytes of kernel memory. As root only, and not on a locked-down kernel.
pub fn read(address: u64, length: usize) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Io { path: PathBuf::from(PATH), source };
    let file = File::open(PATH).map_err(failed)?;
    // Words, so that the headers are aligned as the reader wants them.
    let mut headers = vec![0u8; HEADERS];
    let got = file.read_at(&mut headers, 0).map_err(failed)?;
    let offset = place(&headers[..got], address)?;
    let mut bytes = vec![0u8; length];
    file.read_exact_at(&mut bytes, offset).map_err(failed)?;
    Ok(bytes)
}

/// File offset of an address, from the program headers.
fn place(headers: &[u8], address: u64) -> Result<u64, Error> {
    let failed = |e: object::Error| Error::Elf { path: PathBuf::from(PATH), what: e.to_string() };
    let file = FileHeader64::<Endianness>::parse(headers).map_err(failed)?;
    let endian = file.endian().map_err(failed)?;
    let segments: &[ProgramHeader64<Endianness>] = file.program_headers(endian, headers).map_err(failed)?;
    let holds = |s: &&ProgramHeader64<Endianness>| {
        s.p_type(endian) == PT_LOAD
            && address.checked_sub(s.p_vaddr(endian)).is_some_and(|o| o < s.p_memsz(endian))
    };
    let segment = segments.iter().find(holds);
    let offset = segment.map(|s| s.p_offset(endian) + (address - s.p_vaddr(endian)));
    offset.ok_or_else(|| Error::missing(format!("{PATH} has no memory at {address:#x}")))
}
