//! Near matches for a name that is not known.

/// How many letters must be inserted, removed or replaced.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replace = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// The names nearest to `name`, at most three, as a hint; `None` where none is near.
pub(crate) fn did_you_mean<S: AsRef<str>>(
    name: &str,
    candidates: impl IntoIterator<Item = S>,
) -> Option<String> {
    let limit = (name.chars().count() / 3).clamp(1, 3);
    let mut near: Vec<(usize, String)> = candidates
        .into_iter()
        .map(|c| (distance(name, c.as_ref()), c.as_ref().to_string()))
        .filter(|(d, c)| *d <= limit && !c.is_empty() && c != name)
        .collect();
    near.sort();
    near.dedup();
    near.truncate(3);
    let names: Vec<String> = near.into_iter().map(|(_, c)| format!("'{c}'")).collect();
    let (last, rest) = names.split_last()?;
    Some(if rest.is_empty() {
        format!("did you mean {last}?")
    } else {
        format!("did you mean {} or {last}?", rest.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_offered_nearest_first() {
        let names = ["printf", "print", "strftime"];
        assert_eq!(did_you_mean("prinft", names).as_deref(), Some("did you mean 'print' or 'printf'?"));
        assert_eq!(did_you_mean("zzz", names), None);
    }
}
