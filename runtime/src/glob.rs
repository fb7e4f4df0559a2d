//! Patterns of names: `*` any run, `?` any one character, `[a-z]` one of these (`[!a-z]` none of these).

/// Does the text ask for more than one name?
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Does `name` match the whole of `pattern`?
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where the last `*` stands, and the first byte of the name that it has not swallowed.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, n));
            p += 1;
        } else if let Some(width) = one(&pattern[p..], name[n]) {
            p += width;
            n += 1;
        } else if let Some((at, swallowed)) = star {
            star = Some((at, swallowed + 1));
            p = at + 1;
            n = swallowed + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&b| b == b'*')
}

/// If the first element of `pattern` takes this byte: how many bytes of pattern the element has.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match *pattern.first()? {
        b'?' => Some(1),
        b'[' => match set(pattern, byte) {
            Some((taken, width)) => taken.then_some(width),
            // A bracket that is not closed is an ordinary character.
            None => (byte == b'[').then_some(1),
        },
        b => (b == byte).then_some(1),
    }
}

/// A set at the start of `pattern`: whether it has the byte, and its length. `None` if it is not closed.
fn set(pattern: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let first = if negated { 2 } else { 1 };
    // A `]` right at the start is a member.
    let close = pattern.iter().skip(first + 1).position(|&b| b == b']')? + first + 1;
    let members = &pattern[first..close];
    let mut has = false;
    let mut i = 0;
    while i < members.len() {
        if members.get(i + 1) == Some(&b'-') && i + 2 < members.len() {
            has |= (members[i]..=members[i + 2]).contains(&byte);
            i += 3;
        } else {
            has |= members[i] == byte;
            i += 1;
        }
    }
    Some((has != negated, close + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, name, expected) in [
            ("vfs_*", "vfs_read", true),
            ("vfs_*", "xvfs_read", false),
            ("*read*", "vfs_readv", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b", "xaxbxb", true),
            ("*a*b", "xaxbxc", false),
            ("sys_[er]*", "sys_enter", true),
            ("sys_[!er]*", "sys_enter", false),
            ("x[0-9]", "x7", true),
            ("x[0-9]", "xa", false),
            ("x[]]", "x]", true),
            ("a[b", "a[b", true),
            ("**", "abc", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_hostile_pattern_ends() {
        assert!(!matches(&"*a".repeat(200), &"a".repeat(150)));
    }
}
