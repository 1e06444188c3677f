//! JSON texts changed by their structure: another value in a place, an entry more or less, a list that has no end.
//!
//! The places of all values of a text are found once, and an input is cut together from pieces of it: that is as quick
//! as copying, and keeps what a tree of values cannot hold, such as two entries of one name.

use std::ops::Range;

use fastrand::Rng;

use super::bytes;

/// What a list that is made long comes to, in bytes; rarely.
const LONG_BYTES: usize = 64 * 1024;
const ENDLESS_BYTES: usize = 4 * 1024 * 1024;

/// A value in a text.
#[derive(Debug, Clone)]
struct Place {
    value: Range<usize>,
    /// With its name, where it has one.
    entry: Range<usize>,
}

/// A text and the places of its values.
#[derive(Debug)]
pub struct Json {
    pub text: Vec<u8>,
    places: Vec<Place>,
}

impl Json {
    /// `text` is JSON.
    pub fn of(text: Vec<u8>) -> Self {
        let mut places = Vec::new();
        let mut at = 0;
        value(&text, &mut at, None, &mut places);
        Self { text, places }
    }

    fn place(&self, rng: &mut Rng) -> &Place {
        &self.places[rng.usize(..self.places.len())]
    }

    /// The text with a few things changed; `other` is where pieces come from too.
    pub fn changed(&self, rng: &mut Rng, other: &Self) -> Vec<u8> {
        let mut chosen: Vec<&Place> = (0..=few(rng)).map(|_| self.place(rng)).collect();
        // From the end, so that those before stay where they are; of two that overlap one is left.
        chosen.sort_by_key(|place| std::cmp::Reverse(place.entry.start));
        let mut text = self.text.clone();
        let mut end = text.len();
        for place in chosen {
            if place.entry.end <= end {
                end = place.entry.start;
                change(&mut text, place, rng, other);
            }
        }
        if rng.u8(..8) == 0 {
            bytes::change(&mut text, rng, &other.text);
        }
        text
    }
}

fn few(rng: &mut Rng) -> usize {
    [0, 0, 0, 1, 1, 2, 4, 8][rng.usize(..8)]
}

fn change(text: &mut Vec<u8>, place: &Place, rng: &mut Rng, other: &Json) {
    let (value, entry) = (place.value.clone(), place.entry.clone());
    match rng.u8(..16) {
        0..=6 => {
            let mut odd = Vec::new();
            any_value(rng, 3, &mut odd);
            text.splice(value, odd);
        }
        7..=8 => {
            let from = other.place(rng).value.clone();
            text.splice(value, other.text[from].iter().copied());
        }
        9 => {
            let (mut from, mut to) = (entry.start, entry.end);
            match (from.checked_sub(1).map(|before| text[before]), text.get(to)) {
                (_, Some(b',')) => to += 1,
                (Some(b','), _) => from -= 1,
                _ => {}
            }
            text.drain(from..to);
        }
        10 => {
            let mut twice = text[entry.clone()].to_vec();
            twice.push(b',');
            text.splice(entry.start..entry.start, twice);
        }
        11 => {
            // The name alone, of another entry.
            let from = other.place(rng);
            let name = other.text[from.entry.start..from.value.start].to_vec();
            text.splice(entry.start..value.start, name);
        }
        12 if value.len() > 2 && matches!(text[value.start], b'[' | b'{') => {
            let inner = [&text[value.start + 1..value.end - 1], b","].concat();
            let most = if rng.u8(..64) == 0 {
                ENDLESS_BYTES
            } else {
                LONG_BYTES
            };
            let times = rng.usize(1..=(most / inner.len()).max(1));
            let at = value.start + 1;
            text.splice(at..at, inner.repeat(times));
        }
        13 => {
            let digits = [&b"0"[..], b"-", b"e9", b".5", b"99999999999", b"E+308"][rng.usize(..6)];
            let at = if digits == b"-" {
                value.start
            } else {
                value.end
            };
            text.splice(at..at, digits.iter().copied());
        }
        14 => {
            let deep = [1, 5, 60, 127, 130, 3_000][rng.usize(..6)];
            let (open, close) = [("[", "]"), (r#"{"info":"#, "}")][rng.usize(..2)];
            text.splice(value.end..value.end, close.repeat(deep).into_bytes());
            text.splice(value.start..value.start, open.repeat(deep).into_bytes());
        }
        _ => {
            let mut text_of = Vec::new();
            any_text(rng, &mut text_of);
            text.splice(value, text_of);
        }
    }
}

/// Any JSON, and now and then what is none.
pub fn any_value(rng: &mut Rng, depth: u8, out: &mut Vec<u8>) {
    match rng.u8(..20) {
        0..=1 => out.extend_from_slice(b"null"),
        2 => out.extend_from_slice(if rng.bool() { b"true" } else { b"false" }),
        3..=8 => any_number(rng, out),
        9..=13 => any_text(rng, out),
        14..=15 if depth > 0 => {
            out.push(b'[');
            for n in 0..rng.u8(..5) {
                if n > 0 {
                    out.push(b',');
                }
                any_value(rng, depth - 1, out);
            }
            out.push(b']');
        }
        16..=17 if depth > 0 => {
            out.push(b'{');
            for n in 0..rng.u8(..5) {
                if n > 0 {
                    out.push(b',');
                }
                let names = [
                    "participantId",
                    "puuid",
                    "events",
                    "x",
                    "1",
                    "info",
                    "entries",
                ];
                out.extend_from_slice(format!("{:?}:", names[rng.usize(..names.len())]).as_bytes());
                any_value(rng, depth - 1, out);
            }
            out.push(b'}');
        }
        18 => out.extend_from_slice(b"[]"),
        19 if rng.u8(..8) == 0 => bytes::some(rng, 12, out),
        _ => out.extend_from_slice(b"{}"),
    }
}

const NUMBERS: [&str; 24] = [
    "0",
    "-0",
    "1",
    "-1",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "1e999",
    "-1e999",
    "1e-999",
    "0.5",
    "2.5e3",
    "1633478400000",
    "1230768000000",
    "7258118400000",
    "1E400",
    "20000",
    "01",
];

fn any_number(rng: &mut Rng, out: &mut Vec<u8>) {
    let text = match rng.u8(..6) {
        0 => rng.i64(..).to_string(),
        1 => rng.i16(..).to_string(),
        2 => format!("{:e}", f64::from_bits(rng.u64(..))),
        3 => format!("{}.{}", rng.i32(..), rng.u16(..)),
        _ => NUMBERS[rng.usize(..NUMBERS.len())].to_owned(),
    };
    out.extend_from_slice(text.as_bytes());
}

const TEXTS: [&str; 24] = [
    "",
    "BOT",
    "EUW1_7",
    "KR_18446744073709551615",
    "primaryStyle",
    "7",
    " 12 ",
    "-3.5",
    "1e300",
    "true",
    "TRUE",
    r"\u0000",
    r"\ud800",
    r"\udfff\ud800",
    r"\u001b[31m",
    "\u{202e}",
    "\u{feff}",
    "한글",
    "=1+1",
    "🦀",
    "e\u{301}",
    "RGAPI-01234567-89ab-cdef-0123-456789abcdef",
    r"a\\b\/c\b\f\n\r\t",
    "%25%52",
];

fn any_text(rng: &mut Rng, out: &mut Vec<u8>) {
    out.push(b'"');
    match rng.u8(..10) {
        0 => out.extend((0..rng.u16(..2_000)).map(|_| b'x')),
        1 => out.extend_from_slice("p".repeat(78).as_bytes()),
        2 => {
            let letters: String = (0..rng.u8(..20)).map(|_| rng.char(..)).collect();
            out.extend_from_slice(letters.replace(['"', '\\'], "").as_bytes());
        }
        3 => bytes::some(rng, 8, out),
        _ => out.extend_from_slice(TEXTS[rng.usize(..TEXTS.len())].as_bytes()),
    }
    out.push(b'"');
}

/// Notes the value that begins there, and all in it; `at` is behind it then.
fn value(text: &[u8], at: &mut usize, name: Option<usize>, places: &mut Vec<Place>) {
    blanks(text, at);
    let start = *at;
    match text.get(*at) {
        Some(&open @ (b'{' | b'[')) => {
            *at += 1;
            blanks(text, at);
            while !matches!(text.get(*at), None | Some(b'}' | b']')) {
                let name = (open == b'{').then_some(*at);
                if name.is_some() {
                    string(text, at);
                    blanks(text, at);
                    *at += 1;
                }
                value(text, at, name, places);
                blanks(text, at);
                if text.get(*at) == Some(&b',') {
                    *at += 1;
                    blanks(text, at);
                }
            }
            *at += 1;
        }
        Some(b'"') => string(text, at),
        _ => {
            while text
                .get(*at)
                .is_some_and(|byte| !b",]} \t\r\n".contains(byte))
            {
                *at += 1;
            }
        }
    }
    places.push(Place {
        value: start..*at,
        entry: name.unwrap_or(start)..*at,
    });
}

fn blanks(text: &[u8], at: &mut usize) {
    while text.get(*at).is_some_and(u8::is_ascii_whitespace) {
        *at += 1;
    }
}

fn string(text: &[u8], at: &mut usize) {
    *at += 1;
    while let Some(byte) = text.get(*at).filter(|byte| **byte != b'"') {
        *at += if *byte == b'\\' { 2 } else { 1 };
    }
    *at += 1;
}
