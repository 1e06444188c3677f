//! Text that came from outside: what a server, a proxy, a database or a file says.

use std::fmt;

use serde::Serialize;

use super::secrets::without_secrets;
use super::typed::{is_joiner, is_unseen};

/// Of a text that is longer the beginning is kept.
const CHARS_MAX: usize = 300;
/// So much of it is looked at. A secret is cut off there only where nothing of it is kept.
const BYTES_MAX: usize = 32 * 1024;

/// A text from outside as it may be shown, logged and stored: in one line, without secrets, control characters, escapes
/// of terminals and what nobody can see, and no longer than 300 characters. It is made where a text comes in, so that
/// no later place has to think of it.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Foreign(String);

impl Foreign {
    pub fn new(text: &str) -> Self {
        let text = &text[..text.floor_char_boundary(BYTES_MAX)];
        // Before and after: what is left out may take a letter of a key along, or have stood between two of them.
        let line = in_one_line(&without_secrets(text));
        let clean = without_secrets(&line);
        let mut kept: String = clean.chars().take(CHARS_MAX).collect();
        if kept.len() < clean.len() {
            kept.push('…');
        }
        Self(kept)
    }

    /// Of bytes that may be no text.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self::new(&String::from_utf8_lossy(
            &bytes[..bytes.len().min(BYTES_MAX)],
        ))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Blanks and breaks become single blanks; what controls a terminal is left out.
fn in_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        match c {
            // ESC [ parameters letter: as much as shows what it was is left out.
            '\u{1b}' | '\u{9b}' => {
                if c == '\u{9b}' || letters.next_if_eq(&'[').is_some() {
                    while letters.next_if(|c| matches!(c, '0'..='?')).is_some() {}
                    letters.next_if(|c| matches!(c, '@'..='~'));
                }
            }
            // Letters of two bytes that were sent as such.
            '\0' => {}
            c if c.is_whitespace() || c.is_control() => {
                if !line.is_empty() && !line.ends_with(' ') {
                    line.push(' ');
                }
            }
            c if is_unseen(c) || is_joiner(c) => {}
            c => line.push(c),
        }
    }
    let end = line.trim_end().len();
    line.truncate(end);
    line
}

impl From<&str> for Foreign {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Foreign {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<Foreign> for String {
    fn from(text: Foreign) -> Self {
        text.0
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::{hexadecimal, keep_key};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;

    #[track_caller]
    fn check(text: &str, shown: &str) {
        let foreign = Foreign::new(text);
        assert_eq!(foreign.as_str(), shown);
        assert_eq!(Foreign::new(foreign.as_str()), foreign, "again");
        assert_eq!(Foreign::of_bytes(text.as_bytes()), foreign);
    }

    #[test]
    fn what_controls_a_terminal_is_left_out() {
        check("plain 한글 ok", "plain 한글 ok");
        check("a\u{1b}[31;1mred\u{1b}[0m\u{1b}[2J!", "ared!");
        check("a\u{9b}31mred", "ared");
        check("\u{1b}]0;title\u{7}rest", "]0;title rest");
        check("two\r\n\tlines\u{2028}\u{85}end \n", "two lines end");
        check("a\u{202e}b\u{200b}c\u{feff}d\u{200d}e", "abcde");
        check("del\u{7f}ete\u{8}", "del ete");
        check("", "");
        check("\u{1b}", "");
        check("\u{1b}[", "");
    }

    #[test]
    fn a_long_text_is_cut_after_its_secrets_are_out() {
        const KEY: &str = "RGAPI-f0f0f0f0-1234-4567-89ab-0123456789ab";
        keep_key(KEY);
        let long = "x".repeat(CHARS_MAX - 5) + KEY + "y";
        let cut = Foreign::new(&long);
        assert_eq!(cut.as_str().chars().count(), CHARS_MAX + 1);
        assert!(cut.as_str().ends_with("x<api …"), "{cut}");
        let many = Foreign::new(&KEY.repeat(10_000));
        assert!(!many.as_str().contains("f0f0"), "{many}");
        let wide: String = KEY.chars().flat_map(|c| ['\0', c]).collect();
        check(&wide, "<api key>");
        check(
            &format!("{}\u{1b}[1m{}", &KEY[..20], &KEY[20..]),
            "<api key>",
        );
        // What begins as an escape takes the next letter along.
        for begun in ["\u{1b}[=", "\u{9b}=", "\u{1b}["] {
            for form in [
                KEY.to_owned(),
                STANDARD_NO_PAD.encode(KEY),
                hexadecimal(KEY.as_bytes()),
            ] {
                let shown = Foreign::new(&format!("{begun}{form}"));
                assert!(shown.as_str().ends_with("pi key>"), "{shown}");
            }
            let broken = format!("{begun}{}\u{9b}1m{}", &KEY[..3], &KEY[3..]);
            let shown = Foreign::new(&broken);
            assert!(shown.as_str().ends_with("pi key>"), "{shown}");
        }
        let bytes = [&[0xff, 0xfe][..], KEY.as_bytes()].concat();
        assert!(!Foreign::of_bytes(&bytes).as_str().contains("f0f0"));
    }
}
