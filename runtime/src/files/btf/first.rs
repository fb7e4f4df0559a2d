//! The first types of the kernel, without reading them all.

use super::blob::{Btf, BtfError, HEADER};
use super::kernel::SYSFS;
use super::tag::{type_end, u32_at};
use crate::sys::kernelfs;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes of types, and of strings, that are read: several hundred types, and their names.
const BEGINNING: usize = 16 << 10;

/// The types with which the running kernel's BTF begins, whole ones only. What lies behind them is not there: a type
/// that is not found may exist, a reference may lead nowhere, and a name may be empty.
pub fn first_types() -> Result<Btf, BtfError> {
    let (sysfs, path) = (kernelfs::sysfs(), format!("{SYSFS}/vmlinux"));
    let bytes = sysfs.open(&path).and_then(|file| beginning(&file));
    Btf::from_bytes(bytes.map_err(|source| BtfError::Io { path: sysfs.show(&path), source })?, None)
}

/// A blob with as much of another as [`BEGINNING`] takes. What is broken stays so: the reader of blobs finds it.
pub(super) fn beginning(file: &impl FileExt) -> io::Result<Vec<u8>> {
    let mut bytes = read(file, 0, HEADER)?;
    let field = |at| u32_at(&bytes, at).unwrap_or(0);
    let (start, [types_at, types_len, strings_at, strings_len]) = (field(4), [8, 12, 16, 20].map(field));
    let part =
        |at: u32, len: u32| read(file, u64::from(start) + u64::from(at), (len as usize).min(BEGINNING));
    let (mut types, strings) = (part(types_at, types_len)?, part(strings_at, strings_len)?);
    let mut end = 0;
    while let Some(next) = type_end(&types, end).filter(|&next| next <= types.len()) {
        end = next;
    }
    types.truncate(end);
    let sections = [HEADER, 0, end, end, strings.len()].map(|n| n as u32);
    bytes.truncate(4);
    bytes.extend(sections.iter().flat_map(|n| n.to_le_bytes()));
    Ok([bytes, types, strings].concat())
}

/// Up to `most` bytes from an offset; sysfs gives a page at a time.
fn read(file: &impl FileExt, at: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; most];
    let mut len = 0;
    while len < most {
        match file.read_at(&mut bytes[len..], at + len as u64)? {
            0 => break,
            n => len += n,
        }
    }
    bytes.truncate(len);
    Ok(bytes)
}
