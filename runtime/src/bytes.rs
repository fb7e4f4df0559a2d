//! Numbers within bytes that the kernel and its programs wrote.

/// The integer in the first bytes of `data` (1, 2, 4 or 8 of them), widened by its sign.
pub(crate) fn int_at(data: &[u8], size: usize, signed: bool) -> i128 {
    let mut word = [0u8; 8];
    let n = size.min(8).min(data.len());
    word[..n].copy_from_slice(&data[..n]);
    let bits = u64::from_le_bytes(word);
    if !signed {
        return i128::from(bits);
    }
    let shift = 64 - 8 * n.max(1) as u32;
    i128::from((bits << shift) as i64 >> shift)
}

/// The `u64` at a byte offset; 0 past the end.
pub(crate) fn u64_at(data: &[u8], offset: usize) -> u64 {
    data.get(offset..offset + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// The `u32` at a byte offset; 0 past the end.
pub(crate) fn u32_at(data: &[u8], offset: usize) -> u32 {
    data.get(offset..offset + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}
