//! A line of source with a marker below it, as wide as people read.

use unicode_width::UnicodeWidthChar;

/// Lines up to this many columns are shown whole.
const WHOLE: usize = 200;
/// Columns that are shown of longer ones.
const WINDOW: usize = 120;
/// Columns of it before the marker.
const BEFORE: usize = 40;

/// The line, or of a long one what surrounds the marked characters, and below it the marker for those from number `from` up to
/// `to`.
pub(crate) fn excerpt(line: &str, from: usize, to: usize) -> String {
    let chars: Vec<char> = line.chars().collect();
    let from = from.min(chars.len());
    let to = to.clamp(from, chars.len());
    let (start, end) = window(&chars, from);
    let (cut, more) = (start > 0, end < chars.len());
    let dots = |cut: bool| if cut { "…" } else { "" };
    let shown: String = chars[start..end].iter().collect();
    let lead: String = chars[start..from].iter().map(|&c| under(c, ' ')).collect();
    let marker: String = chars[from..to.min(end)].iter().map(|&c| under(c, '~')).collect();
    let marker = if marker.contains('~') { marker } else { "~".to_owned() };
    format!("{}{shown}{}\n{}{lead}{marker}\n", dots(cut), dots(more), if cut { " " } else { "" })
}

/// The characters that are shown.
fn window(chars: &[char], from: usize) -> (usize, usize) {
    if chars.iter().map(|&c| columns(c)).sum::<usize>() <= WHOLE {
        return (0, chars.len());
    }
    let start = from - fitting(chars[..from].iter().rev(), BEFORE);
    let end = start + fitting(chars[start..].iter(), WINDOW);
    if end == chars.len() {
        return (end - fitting(chars.iter().rev(), WINDOW), end);
    }
    (start, end)
}

/// How many of these characters fit into this many columns.
fn fitting<'a>(chars: impl Iterator<Item = &'a char>, room: usize) -> usize {
    let mut used = 0;
    let fits = |c: &&char| {
        used += columns(**c);
        used <= room
    };
    chars.take_while(fits).count()
}

/// What stands below a character. A tab stays one, so that the marker lines up.
fn under(c: char, mark: char) -> String {
    if c == '\t' { c.to_string() } else { mark.to_string().repeat(columns(c)) }
}

/// Columns of a character; a tab's depend on the terminal.
fn columns(c: char) -> usize {
    c.width().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_lines_are_shown_whole() {
        assert_eq!(excerpt("a + b", 2, 3), "a + b\n  ~\n");
        assert_eq!(excerpt("", 0, 5), "\n~\n");
        assert_eq!(excerpt("x", 1, 1), "x\n ~\n");
    }

    #[test]
    fn tabs_stay_and_wide_characters_take_two_columns() {
        assert_eq!(excerpt("\ta\tbc", 1, 5), "\ta\tbc\n\t~\t~~\n");
        assert_eq!(excerpt("日本 x本", 3, 5), "日本 x本\n     ~~~\n");
        assert_eq!(excerpt("e\u{301}x", 2, 3), "e\u{301}x\n ~\n");
    }

    #[test]
    fn of_a_long_line_the_surroundings_are_shown() {
        let line = format!("{}HERE{}", "a".repeat(500), "b".repeat(500));
        let (a, b) = ("a".repeat(40), "b".repeat(76));
        assert_eq!(excerpt(&line, 500, 504), format!("…{a}HERE{b}…\n{}~~~~\n", " ".repeat(41)));
        let first = format!("HERE{}…\n~~~~\n", "b".repeat(116));
        assert_eq!(excerpt(&line[500..], 0, 4), first);
        let last = format!("…{}HERE\n{}~~~~\n", "a".repeat(116), " ".repeat(117));
        assert_eq!(excerpt(&line[..504], 500, 504), last);
        // What is marked may be longer than what is shown.
        let marker = excerpt(&line, 100, 900).lines().nth(1).map(str::len);
        assert_eq!(marker, Some(121));
        assert_eq!(excerpt(&"日".repeat(300), 200, 201).lines().next().map(|l| l.chars().count()), Some(62));
    }
}
