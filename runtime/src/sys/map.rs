//! Elements of maps.

use super::status;
use libbpf_sys as lb;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// Reads an element; `false` where there is none. `value` holds `value_size` bytes, for per-CPU maps that
/// size rounded up to 8 for each possible CPU.
pub fn lookup(map: BorrowedFd, key: &[u8], value: &mut [u8]) -> io::Result<bool> {
    // SAFETY: the caller's slices are of the sizes that the map was created with (see `Table`).
    let ret =
        unsafe { lb::bpf_map_lookup_elem(map.as_raw_fd(), key.as_ptr().cast(), value.as_mut_ptr().cast()) };
    found(status(ret))
}

/// Writes an element.
pub fn update(map: BorrowedFd, key: &[u8], value: &[u8]) -> io::Result<()> {
    // SAFETY: as for `lookup`; `BPF_ANY`.
    status(unsafe { lb::bpf_map_update_elem(map.as_raw_fd(), key.as_ptr().cast(), value.as_ptr().cast(), 0) })
}

/// Makes an element; `false` where there is one of that key.
pub fn insert(map: BorrowedFd, key: &[u8], value: &[u8]) -> io::Result<bool> {
    let (key, value, flags) = (key.as_ptr(), value.as_ptr(), u64::from(lb::BPF_NOEXIST));
    // SAFETY: as for `lookup`.
    let ret = unsafe { lb::bpf_map_update_elem(map.as_raw_fd(), key.cast(), value.cast(), flags) };
    match status(ret) {
        Ok(()) => Ok(true),
        Err(e) if e.raw_os_error() == Some(libc::EEXIST) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Removes an element; `false` where there was none.
pub fn delete(map: BorrowedFd, key: &[u8]) -> io::Result<bool> {
    // SAFETY: as for `lookup`.
    found(status(unsafe { lb::bpf_map_delete_elem(map.as_raw_fd(), key.as_ptr().cast()) }))
}

/// Removes an element and reads what it was; `false` where there was none.
pub fn take(map: BorrowedFd, key: &[u8], value: &mut [u8]) -> io::Result<bool> {
    // SAFETY: as for `lookup`.
    let ret = unsafe {
        lb::bpf_map_lookup_and_delete_elem(map.as_raw_fd(), key.as_ptr().cast(), value.as_mut_ptr().cast())
    };
    match found(status(ret)) {
        // `ENOTSUPP` (include/linux/errno.h): hashes learnt it in 5.14.
        Err(e) if matches!(e.raw_os_error(), Some(524 | libc::EOPNOTSUPP | libc::EINVAL)) => {
            Ok(lookup(map, key, value)? && delete(map, key)?)
        }
        taken => taken,
    }
}

/// The key after `key` (the first for `None`) into `next`; `false` at the end.
pub fn next_key(map: BorrowedFd, key: Option<&[u8]>, next: &mut [u8]) -> io::Result<bool> {
    let key = key.map_or(ptr::null(), <[u8]>::as_ptr);
    // SAFETY: both keys are of the map's key size.
    found(status(unsafe { lb::bpf_map_get_next_key(map.as_raw_fd(), key.cast(), next.as_mut_ptr().cast()) }))
}

/// Reads up to `count` elements in one call (5.6); returns how many there are. Fails with `ENOSPC` where
/// `count` is too small, with `EINVAL` or `ENOTSUPP` where the kernel cannot.
pub fn lookup_all(map: BorrowedFd, keys: &mut [u8], values: &mut [u8], count: u32) -> io::Result<u32> {
    let mut cursor = vec![0u8; keys.len().max(8)];
    let mut n = count;
    // SAFETY: `keys` and `values` hold `count` elements; the cursor is as large as a key and at least a u32.
    let ret = unsafe {
        lb::bpf_map_lookup_batch(
            map.as_raw_fd(),
            ptr::null_mut(),
            cursor.as_mut_ptr().cast(),
            keys.as_mut_ptr().cast(),
            values.as_mut_ptr().cast(),
            &raw mut n,
            ptr::null(),
        )
    };
    match status(ret) {
        // There are more elements than asked for.
        Ok(()) => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(n),
        Err(e) => Err(e),
    }
}

/// Writes `count` elements, which are as many as there are keys and values, in one call (5.6).
pub fn update_all(map: BorrowedFd, keys: &[u8], values: &[u8], count: u32) -> io::Result<()> {
    let mut written = count;
    // SAFETY: the caller's slices hold `count` keys and values of the sizes that the map was created with.
    status(unsafe {
        lb::bpf_map_update_batch(
            map.as_raw_fd(),
            keys.as_ptr().cast(),
            values.as_ptr().cast(),
            &raw mut written,
            ptr::null(),
        )
    })
}

/// Makes a map's contents final.
pub fn freeze(map: BorrowedFd) -> io::Result<()> {
    // SAFETY: takes a descriptor only.
    status(unsafe { lb::bpf_map_freeze(map.as_raw_fd()) })
}

fn found(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(e) => Err(e),
    }
}
