//! Names that resemble one that was not found.

/// At most this many are offered.
const SHOWN: usize = 5;

/// The names nearest to `wanted`, best first; empty where none is near.
pub fn near<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let limit = (wanted.chars().count() / 3).clamp(1, 4);
    let mut found: Vec<(usize, &str)> = names
        .into_iter()
        .filter_map(|name| Some((score(wanted, name, limit)?, name)))
        .filter(|(_, name)| *name != wanted)
        .collect();
    found.sort();
    found.dedup();
    found.into_iter().take(SHOWN).map(|(_, name)| name).collect()
}

/// `Did you mean a, b?`, or `None` where nothing is near.
pub fn hint<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let near = near(wanted, names);
    (!near.is_empty()).then(|| format!("did you mean {}?", near.join(", ")))
}

/// Edits between two names; a name that contains the wanted one whole counts as near too.
fn score(wanted: &str, name: &str, limit: usize) -> Option<usize> {
    let part = wanted.len() >= 4 && (name.contains(wanted) || (name.len() >= 4 && wanted.contains(name)));
    let as_part = part.then(|| limit + name.len().abs_diff(wanted.len()));
    edits(wanted.as_bytes(), name.as_bytes(), limit).or(as_part)
}

/// Levenshtein distance; `None` above `limit`.
fn edits(a: &[u8], b: &[u8], limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
        if row.iter().min().is_some_and(|&best| best > limit) {
            return None;
        }
    }
    row.last().copied().filter(|&d| d <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_first() {
        let names = ["vfs_read", "vfs_readv", "vfs_write", "tcp_v4_rcv"];
        assert_eq!(near("vfs_reads", names), ["vfs_read", "vfs_readv"]);
        assert_eq!(near("tcp_v4_rvc", names), ["tcp_v4_rcv"]);
        assert_eq!(near("something_else", names), Vec::<&str>::new());
    }

    #[test]
    fn a_part_of_a_name_finds_it() {
        assert_eq!(hint("write", ["vfs_write"]), Some("did you mean vfs_write?".into()));
    }
}
