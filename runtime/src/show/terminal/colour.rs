//! Colours of messages: of the word that says what a message is, its place, and the marker below a source line.

use std::env;

const RED: &str = "1;31";
const YELLOW: &str = "1;33";
const CYAN: &str = "1;36";
const BOLD: &str = "1";

/// Does the user want colours? On a terminal, unless NO_COLOR (no-color.org) is set or the terminal has none;
/// BPFTRACE_COLOR decides before all that.
pub(super) fn wanted(on_terminal: bool) -> bool {
    match env::var("BPFTRACE_COLOR").as_deref() {
        Ok("always") => return true,
        Ok("never") => return false,
        _ if !on_terminal => return false,
        _ => {}
    }
    let refused = env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    !refused && env::var_os("TERM").is_some_and(|term| term != "dumb")
}

/// Colours messages that are ready to be shown.
pub(super) fn paint(text: &[u8]) -> Vec<u8> {
    // A message, hence UTF-8.
    let text = String::from_utf8_lossy(text);
    let mut marker = RED;
    text.split_inclusive('\n').map(|line| paint_line(line, &mut marker)).collect::<String>().into_bytes()
}

/// Colours one line; `marker` is the colour of the last message's marker.
fn paint_line(line: &str, marker: &mut &'static str) -> String {
    if let Some((place, word, rest)) = parts(line) {
        *marker = colour(word);
        let place = if place.is_empty() { String::new() } else { format!("{} ", in_colour(BOLD, place)) };
        return format!("{place}{}{rest}", in_colour(marker, word));
    }
    let blank = line.len() - line.trim_start().len();
    match line[blank..].trim_end_matches('\n') {
        tildes if !tildes.is_empty() && tildes.bytes().all(|b| b == b'~') => {
            let end = blank + tildes.len();
            format!("{}{}{}", &line[..blank], in_colour(marker, tildes), &line[end..])
        }
        _ => line.to_owned(),
    }
}

/// Place, word and rest of a message's first line: `stdin:1:9-14:`, `ERROR`, `: …`.
fn parts(line: &str) -> Option<(&str, &str, &str)> {
    let (at, word) = ["ERROR", "WARNING", "NOTE", "HINT"]
        .into_iter()
        .filter_map(|word| Some((line.find(&format!("{word}: "))?, word)))
        .min()?;
    let place = &line[..at];
    let numbers = place.trim_end_matches(' ').strip_suffix(':');
    // `:9-14` or `:9:3-14` stands before the colon; a source line that merely contains the word has no such place.
    let is_place = |p: &str| {
        p.rsplit_once(':')
            .is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit() || b == b'-'))
    };
    let fits = place.is_empty() || (place.ends_with(": ") && numbers.is_some_and(is_place));
    fits.then(|| (place.trim_end(), word, &line[at + word.len()..]))
}

fn colour(word: &str) -> &'static str {
    match word {
        "ERROR" => RED,
        "WARNING" => YELLOW,
        _ => CYAN,
    }
}

/// `colour` is one of the numbers of SGR (ISO 6429).
fn in_colour(colour: &str, text: &str) -> String {
    format!("\x1b[{colour}m{text}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn painted(text: &str) -> String {
        String::from_utf8(paint(text.as_bytes())).unwrap().replace('\x1b', "^")
    }

    #[test]
    fn place_label_and_marker_have_colours_and_the_source_has_none() {
        assert_eq!(
            painted("stdin:1:9-14: WARNING: no\nbegin { print(\"a: ERROR: x\") }\n   ~~~\nHINT: do\n"),
            "^[1mstdin:1:9-14:^[0m ^[1;33mWARNING^[0m: no\nbegin { print(\"a: ERROR: x\") }\n   ^[1;33m~~~^[0m\n\
             ^[1;36mHINT^[0m: do\n"
        );
        assert_eq!(painted("f.bt:3-4: ERROR: x\n"), "^[1mf.bt:3-4:^[0m ^[1;31mERROR^[0m: x\n");
    }

    #[test]
    fn only_what_begins_a_message_is_coloured() {
        assert_eq!(painted("ERROR: an ERROR: x\n"), "^[1;31mERROR^[0m: an ERROR: x\n");
        assert_eq!(painted("Attached 1 probe\n\n"), "Attached 1 probe\n\n");
        assert_eq!(painted("$x = \"WARNING: é\";\n"), "$x = \"WARNING: é\";\n");
    }
}
