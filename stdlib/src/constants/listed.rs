//! The long list of constants: `constants.txt`, one to a line, by name: `NAME VALUE HEADER`.
//!
//! Sources: the headers of Linux's user-space API and of glibc (`tests/headers.rs` compares every line with those
//! that are installed), and, for what only the kernel's own headers have (`TASK_*`, `PF_*`, `FMODE_*`, …), those of
//! Linux 5.10, 6.1, 6.12 and 7.2, of which only constants with one value in all of them are listed.

const TEXT: &str = include_str!("constants.txt");

/// A constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: i64,
    /// The header that defines it, as `#include` names it.
    pub header: &'static str,
}

/// All of them, by name.
pub fn listed() -> impl Iterator<Item = Listed> {
    TEXT.lines().filter_map(entry)
}

fn entry(line: &'static str) -> Option<Listed> {
    let mut words = line.split(' ');
    Some(Listed { name: words.next()?, value: words.next()?.parse().ok()?, header: words.next()? })
}

/// The one with this name.
pub(super) fn find(name: &str) -> Option<Listed> {
    // Lines before `low` are smaller; those from `high` on are larger.
    let (mut low, mut high) = (0, TEXT.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = TEXT[low..middle].rfind('\n').map_or(low, |at| low + at + 1);
        let end = TEXT[middle..].find('\n').map_or(TEXT.len(), |at| middle + at);
        let found = entry(&TEXT[start..end])?;
        match found.name.cmp(name) {
            std::cmp::Ordering::Equal => return Some(found),
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_sorted_and_whole() {
        let all: Vec<Listed> = listed().collect();
        assert_eq!(all.len(), TEXT.lines().count());
        assert!(all.windows(2).all(|w| w[0].name < w[1].name));
    }

    #[test]
    fn every_constant_is_found_and_nothing_else() {
        for constant in listed() {
            assert_eq!(find(constant.name), Some(constant));
        }
        for name in ["", "A", "AF", "AF_INET ", "zzz", "\u{e9}"] {
            assert_eq!(find(name), None);
        }
    }

    #[test]
    fn headers_are_known() {
        for constant in listed() {
            assert!(crate::headers::is_known(constant.header), "{}", constant.header);
        }
    }
}
