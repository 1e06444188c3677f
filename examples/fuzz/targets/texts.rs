//! Texts from outside that are shown, logged and stored, with a key somewhere in them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fastrand::Rng;
use riftsync::model::Foreign;
use riftsync::model::secrets::keep_key;

use super::super::bytes;
use super::super::corpus::Corpus;
use super::{KEY, is_showable};

/// What is found of the key, whatever letters it is written in.
const PARTS: [&str; 2] = ["5ec2e700", "cafe0123"];

fn hexadecimal(text: &str) -> String {
    let bytes: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    bytes.concat()
}

/// Whether a text holds a part of the key, in any form that is looked for.
pub fn leaks(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    PARTS.iter().any(|part| {
        let hexadecimal = hexadecimal(part);
        let coded = (0..3).map(|before| {
            let coded = URL_SAFE_NO_PAD.encode([&vec![b'-'; before][..], part.as_bytes()].concat());
            coded[(before * 8_usize).div_ceil(6)..(before + part.len()) * 8 / 6].to_owned()
        });
        lower.contains(part)
            || lower.contains(&hexadecimal)
            || coded.into_iter().any(|coded| text.contains(&coded))
    })
}

/// The text with the key behind it, in one of the forms in which it comes back, and something behind that.
pub fn with_key(text: &str, rng: &mut Rng) -> String {
    let letter = |byte: u8, rng: &mut Rng| match rng.u8(..9) {
        0 => format!("%{byte:02x}"),
        1 => format!("%25{byte:02X}"),
        2 => format!("\\u{byte:04x}"),
        3 => format!("&#{byte};"),
        4 => format!("&#x{byte:X};"),
        5 => format!("\\x{byte:02x}"),
        6 => (byte as char).to_ascii_uppercase().to_string(),
        7 => (byte as char).to_ascii_lowercase().to_string(),
        _ => (byte as char).to_string(),
    };
    let form = match rng.u8(..10) {
        0 | 1 => KEY.to_owned(),
        2 => KEY.bytes().map(|byte| letter(byte, rng)).collect(),
        3 => {
            let before = ["", "a", "ab", "X-Riot-Token: "][rng.usize(..4)];
            STANDARD.encode(format!("{before}{KEY}\r\n"))
        }
        4 => URL_SAFE_NO_PAD.encode(format!("{}{KEY}", rng.alphanumeric())),
        5 => hexadecimal(KEY),
        6 => KEY.chars().flat_map(|c| ['\0', c]).collect(),
        7 => KEY[..rng.usize(12..KEY.len())].to_owned(),
        8 => {
            let at = rng.usize(1..KEY.len());
            let between = ["\u{1b}[31m", "\u{200b}", "\n   ", "\u{ad}", "\u{9b}1m"][rng.usize(..5)];
            format!("{}{between}{}", &KEY[..at], &KEY[at..])
        }
        _ => KEY.replace('-', "%2D"),
    };
    let behind = ["", "\"", " ", "\n", "{", "한", "\u{1b}[0m", ", RGAPI-"][rng.usize(..8)];
    format!("{text}{form}{behind}")
}

pub fn text(_: &Corpus, rng: &mut Rng) {
    keep_key(KEY);
    let mut around = Vec::new();
    let most = [4, 40, 400, 4_000, 40_000][rng.usize(..5)];
    bytes::some(rng, most, &mut around);
    let mut text = bytes::text(&around);
    // What stands before it may be taken for a part of its form: a blank keeps them apart.
    text.push_str([" ", "=", "\"", ":"][rng.usize(..4)]);
    let mut text = with_key(&text, rng);
    if rng.bool() {
        text.push_str(&bytes::text(&around));
    }
    let shown = Foreign::new(&text);
    is_showable(shown.as_str(), 301);
    assert!(!leaks(shown.as_str()), "{shown} of {text:?}");
    assert_eq!(Foreign::new(shown.as_str()), shown, "again");
    let bytes = Foreign::of_bytes(&around);
    is_showable(bytes.as_str(), 301);
}
