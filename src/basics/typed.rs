//! Names as people type and paste them, made into what was meant.
//!
//! A chat window wraps a name in marks of direction, a spreadsheet puts a byte order mark before it, a web page has
//! soft hyphens in it, macOS takes letters apart. None of that is seen, and none of it is part of a name. So what
//! nobody can see is left out, letters are composed (NFC), and blanks and control characters at the ends go.
//!
//! One thing that cannot be seen can matter: U+200C and U+200D between two letters of Arabic, Persian or an Indic
//! script change how these are written. There they stay in the name, and are left out where names are compared.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

const ZERO_WIDTH_NON_JOINER: char = '\u{200C}';
const ZERO_WIDTH_JOINER: char = '\u{200D}';

/// The text as it was meant; what is inside of it and should not be there is left for the caller to refuse.
pub fn cleaned(text: &str) -> Cow<'_, str> {
    // Nearly every name that is met in a match ends here.
    if text.is_ascii() {
        return Cow::Borrowed(trimmed(text));
    }
    let mut text = cleaned_once(text);
    // What was left out may have stood between a joiner and its letter, or between letters that are composed.
    while let Cow::Owned(changed) = &text {
        let again = cleaned_once(changed);
        if again == *changed {
            break;
        }
        text = Cow::Owned(again.into_owned());
    }
    text
}

fn cleaned_once(text: &str) -> Cow<'_, str> {
    let odd = |c: char| is_unseen(c) || is_wide_blank(c);
    let text = if text.contains(odd) {
        Cow::Owned(trimmed(&without_unseen(text)).to_owned())
    } else {
        Cow::Borrowed(trimmed(text))
    };
    if is_nfc_quick(text.chars()) == IsNormalized::Yes {
        text
    } else {
        Cow::Owned(text.nfc().collect())
    }
}

/// The hash sign as other keyboards and fonts have it.
pub fn is_hash(c: char) -> bool {
    matches!(c, '#' | '\u{FF03}' | '\u{FE5F}')
}

/// Joiners make no other name.
pub fn is_joiner(c: char) -> bool {
    matches!(c, ZERO_WIDTH_NON_JOINER | ZERO_WIDTH_JOINER)
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c.is_control())
}

fn without_unseen(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        if is_joiner(c) {
            let joins = |c: Option<&char>| c.is_some_and(|c| is_joining_script(*c));
            if joins(kept.chars().next_back().as_ref()) && joins(letters.peek()) {
                kept.push(c);
            }
        } else if is_wide_blank(c) {
            kept.push(' ');
        } else if !is_unseen(c) {
            kept.push(c);
        }
    }
    kept
}

/// Blanks that a web page or a spreadsheet puts in the place of the plain one.
fn is_wide_blank(c: char) -> bool {
    matches!(
        c,
        '\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}'
    )
}

/// What takes no place on the screen: soft hyphens, joiners, marks of direction, zero-width blanks, byte order marks.
pub fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}'
    )
}

/// Letters whose form a joiner changes: Arabic and its neighbours, the Indic scripts, Myanmar, Khmer, Mongolian.
fn is_joining_script(c: char) -> bool {
    matches!(
        c,
        '\u{600}'..='\u{8FF}' | '\u{900}'..='\u{DFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{18AF}'
    )
}
