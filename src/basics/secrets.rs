//! The secrets of this process, and texts without them.
//!
//! A key or a password is known here from the moment it is read, and for as long as the process lives: what was
//! replaced an hour ago may still come back in an answer. It is found as it is, and in the forms in which proxies,
//! firewalls and mirrors send back what they were sent: with other letter cases, as URLs, JSON and HTML escape it, as
//! base64 and as hexadecimal digits, whole or cut off. Any other key of the API is taken out too: an answer may hold
//! somebody else's.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

use aho_corasick::AhoCorasick;
use aho_corasick::packed::{Config, Searcher};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::typed::{is_joiner, is_unseen};

/// Secrets that are remembered; the oldest goes first.
const REMEMBERED: usize = 64;
/// What is shorter is no secret, and would be found in every text.
const KEY_BYTES_MIN: usize = 8;
const PASSWORD_BYTES_MIN: usize = 6;
/// So much of a secret's beginning is taken out too: the rest may have been cut off.
const PART_MIN: usize = 12;
/// Blanks and escapes between two letters of a secret that was broken into lines, or coloured.
const GAPS_MAX: usize = 8;
/// How keys of the API begin, and how much must follow.
const KEY_BEGIN: &[u8] = b"rgapi-";
const KEY_REST_MIN: usize = 8;

const KEY_SHOWN: &str = "<api key>";
const PASSWORD_SHOWN: &str = "***";

static SECRETS: RwLock<Secrets> = RwLock::new(Secrets {
    all: Vec::new(),
    marks: None,
});

struct Secrets {
    all: Vec<Secret>,
    /// Of all keys: a document holds none if it holds none of these.
    marks: Option<Marks>,
}

/// Looks for several texts at once. Every document goes through it, so it has to be quick.
enum Marks {
    /// With instructions that compare many bytes at once. An automaton that looks for a rare byte first finds its
    /// byte everywhere in JSON, and takes longer than the rest of the reading.
    Packed(Searcher),
    /// Where the processor has none, or there are too many.
    Automaton(AhoCorasick),
}

impl Marks {
    fn of(marks: &[String]) -> Option<Self> {
        let packed = Config::new().builder().extend(marks).build();
        packed.map(Self::Packed).or_else(|| {
            let mut builder = AhoCorasick::builder();
            let automaton = builder.prefilter(false).build(marks).ok();
            automaton.map(Self::Automaton)
        })
    }

    fn are_in(&self, document: &[u8]) -> bool {
        match self {
            Self::Packed(searcher) => searcher.find(document).is_some(),
            Self::Automaton(automaton) => automaton.is_match(document),
        }
    }
}

/// One secret and its other forms. It has no `Debug`.
struct Secret {
    text: String,
    /// Where in it that begins which no other secret has: what all keys begin with may have been cut off.
    own: usize,
    shown: &'static str,
    /// What stands in any base64 or hexadecimal text of it, wherever it begins there.
    coded: Vec<String>,
    /// The same of its beginning: the rest may have been cut off there too.
    begun: Vec<String>,
}

/// Remembers a key.
pub fn keep_key(key: &str) {
    if key.len() >= KEY_BYTES_MIN {
        keep(key, KEY_SHOWN);
    }
}

/// Remembers a password of a database. `beside`: what else its URL says; a password that stands there too is none.
pub fn keep_password(password: &[u8], beside: &[&str]) {
    let Ok(password) = std::str::from_utf8(password) else {
        return;
    };
    if password.len() >= PASSWORD_BYTES_MIN && !beside.contains(&password) {
        keep(password, PASSWORD_SHOWN);
    }
}

fn keep(text: &str, shown: &'static str) {
    let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    if secrets.all.iter().any(|known| known.text == text) {
        return;
    }
    if secrets.all.len() == REMEMBERED {
        secrets.all.remove(0);
    }
    secrets.all.push(Secret::new(text, shown));
    let keys = secrets.all.iter().filter(|known| known.shown == KEY_SHOWN);
    let marks: Vec<String> = keys.flat_map(Secret::marks).collect();
    secrets.marks = Marks::of(&marks);
}

/// A text without any of the secrets.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    let mut clean = Cow::Borrowed(text);
    let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
    for secret in &secrets.all {
        if let Some(without) = secret.taken_out(&clean) {
            clean = Cow::Owned(without);
        }
    }
    match without_keys(&clean) {
        Cow::Owned(without) => Cow::Owned(without),
        Cow::Borrowed(_) => clean,
    }
}

/// Whether a document may hold a key of this process. Quick, for nearly none does.
pub fn may_hold_key(document: &[u8]) -> bool {
    let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
    let marks = secrets.marks.as_ref();
    marks.is_some_and(|marks| marks.are_in(document))
}

impl Secret {
    fn new(text: &str, shown: &'static str) -> Self {
        let bytes = text.as_bytes();
        let begin = bytes.get(..KEY_BEGIN.len());
        let is_usual = begin.is_some_and(|begin| begin.eq_ignore_ascii_case(KEY_BEGIN))
            && bytes.len() >= KEY_BEGIN.len() + PART_MIN;
        Self {
            text: text.to_owned(),
            own: if is_usual { KEY_BEGIN.len() } else { 0 },
            shown,
            coded: coded(bytes),
            begun: coded(&bytes[..bytes.len().min(PART_MIN)]),
        }
    }

    /// What all documents hold that hold it, as far as can be told quickly.
    fn marks(&self) -> Vec<String> {
        // Escapes leave letters and digits alone.
        let runs = self.text.split(|c: char| !c.is_ascii_alphanumeric());
        let run = runs.max_by_key(|run| run.len()).unwrap_or_default();
        let run = if run.len() < KEY_BYTES_MIN {
            &self.text
        } else {
            run
        };
        let mut marks = vec![
            run.to_owned(),
            run.to_ascii_lowercase(),
            run.to_ascii_uppercase(),
        ];
        marks.extend(self.begun.iter().cloned());
        marks.sort_unstable();
        marks.dedup();
        marks
    }

    /// None: the text does not hold it.
    fn taken_out(&self, text: &str) -> Option<String> {
        let bytes = text.as_bytes();
        let mut out = String::new();
        let (mut at, mut kept) = (0, 0);
        while at < bytes.len() {
            match self.written_at(bytes, at) {
                Some(length) => {
                    out.push_str(&text[kept..at]);
                    out.push_str(self.shown);
                    at += length;
                    kept = at;
                }
                None => at += 1,
            }
        }
        let plain = (kept > 0).then(|| {
            out.push_str(&text[kept..]);
            out
        });
        let decoded = self.coded_out(plain.as_deref().unwrap_or(text));
        decoded.or(plain)
    }

    /// How much of the text from there on is the secret, or the beginning of it.
    fn written_at(&self, text: &[u8], at: usize) -> Option<usize> {
        let whole = written_at(self.text.as_bytes(), text, at);
        whole.or_else(|| written_at(&self.text.as_bytes()[self.own..], text, at))
    }

    /// Without base64 and hexadecimal texts that hold it. One that is broken into pieces or cut off takes the whole
    /// text along.
    fn coded_out(&self, text: &str) -> Option<String> {
        let holds = |text: &str| self.begun.iter().any(|begun| text.contains(begun.as_str()));
        let mut clean = text.to_owned();
        for coded in &self.coded {
            while let Some(at) = clean.find(coded.as_str()) {
                let is_part = |c: char| c.is_ascii_alphanumeric() || "+/=_-".contains(c);
                let begin = clean[..at].trim_end_matches(is_part).len();
                let rest = &clean[at..];
                let end = at + rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                clean.replace_range(begin..end, self.shown);
            }
        }
        let run_together: String = (clean.chars())
            .filter(|c| c.is_ascii_alphanumeric() || "+/_-".contains(*c))
            .collect();
        let no_signs = run_together.replace(['-', '_', '+', '/'], "");
        if holds(&run_together) || holds(&no_signs) {
            return Some(format!("a text with {}", self.shown));
        }
        (clean != text).then_some(clean)
    }
}

/// How much of the text from there on is these letters, or enough of their beginning.
fn written_at(letters: &[u8], text: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    let mut found = 0;
    for wanted in letters {
        let Some(length) = unit_of(&text[end..], *wanted, found > 0) else {
            break;
        };
        end += length;
        found += 1;
    }
    let enough = found == letters.len() || found >= PART_MIN;
    enough.then_some(end - at)
}

/// What any base64 or hexadecimal text of these bytes holds.
fn coded(bytes: &[u8]) -> Vec<String> {
    let hex = hexadecimal(bytes);
    let mut coded = vec![hex.to_ascii_uppercase(), hex];
    for before in 0..3 {
        coded.push(base64_core(bytes, before, |bytes| {
            STANDARD_NO_PAD.encode(bytes)
        }));
        coded.push(base64_core(bytes, before, |bytes| {
            URL_SAFE_NO_PAD.encode(bytes)
        }));
    }
    coded.dedup();
    coded
}

/// Two digits for each byte.
pub fn hexadecimal(bytes: &[u8]) -> String {
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digits = halves.filter_map(|half| char::from_digit(half.into(), 16));
    digits.collect()
}

/// The part of a base64 text that is the same whatever stands before the secret, of which `before` bytes are in its
/// first group, and after it.
fn base64_core(text: &[u8], before: usize, encode: impl Fn(&[u8]) -> String) -> String {
    let bytes = [&vec![0; before][..], text].concat();
    let encoded = encode(&bytes);
    let first = (before * 8).div_ceil(6);
    encoded[first..bytes.len() * 8 / 6].to_owned()
}

/// The length of the next letter of a text if it is this one, however it is escaped.
fn unit_of(text: &[u8], wanted: u8, inside: bool) -> Option<usize> {
    let is_it = |byte: u8| byte.eq_ignore_ascii_case(&wanted);
    if text.first().copied().is_some_and(is_it) {
        return Some(1);
    }
    if let Some((byte, length)) = escaped(text).filter(|(byte, _)| is_it(*byte)) {
        debug_assert!(byte.is_ascii());
        return Some(length);
    }
    if !inside {
        return None;
    }
    // A text that was wrapped, or coloured.
    let mut at = 0;
    for _ in 0..GAPS_MAX {
        let (length, is_escape) = gap_of(&text[at..])?;
        at += length;
        if let Some(length) = unit_of(&text[at..], wanted, false) {
            return Some(at + length);
        }
        // The letter that ends the escape is not the secret's.
        if is_escape && matches!(text.get(at), Some(b'@'..=b'~')) {
            at += 1;
            if let Some(length) = unit_of(&text[at..], wanted, false) {
                return Some(at + length);
            }
        }
    }
    None
}

/// The length of what nobody sees at the beginning of a text: a blank, a control character, or an escape of terminals,
/// without the letter that ends it.
fn gap_of(text: &[u8]) -> Option<(usize, bool)> {
    let first = text[..text.len().min(4)].utf8_chunks().next()?;
    let c = first.valid().chars().next()?;
    let begin = match c {
        '\u{1b}' if text.get(1) == Some(&b'[') => 2,
        '\u{9b}' => c.len_utf8(),
        c if c.is_whitespace() || c.is_control() || is_unseen(c) || is_joiner(c) => {
            return Some((c.len_utf8(), false));
        }
        _ => return None,
    };
    let is_parameter = |byte: &&u8| matches!(byte, b'0'..=b'?');
    let parameters = text[begin..].iter().take(GAPS_MAX).take_while(is_parameter);
    Some((begin + parameters.count(), true))
}

/// A letter as URLs (also twice), JSON or HTML write it, and the length of that.
fn escaped(text: &[u8]) -> Option<(u8, usize)> {
    let number = |digits: &[u8], radix| {
        let digits = std::str::from_utf8(digits).ok()?;
        u8::from_str_radix(digits, radix).ok()
    };
    match text {
        [b'%', b'2', b'5', rest @ ..] => {
            let (byte, length) = escaped(&[b"%", rest.get(..2)?].concat())?;
            Some((byte, length + 2))
        }
        [b'%', rest @ ..] => Some((number(rest.get(..2)?, 16)?, 3)),
        [b'\\', b'u', rest @ ..] => Some((number(rest.get(..4)?, 16)?, 6)),
        [b'\\', b'x', rest @ ..] => Some((number(rest.get(..2)?, 16)?, 4)),
        [b'\\', byte, ..] if byte.is_ascii_punctuation() => Some((*byte, 2)),
        [b'&', b'#', rest @ ..] => {
            let end = rest.iter().take(8).position(|byte| *byte == b';')?;
            let byte = match &rest[..end] {
                [b'x' | b'X', digits @ ..] => number(digits, 16)?,
                digits => number(digits, 10)?,
            };
            Some((byte, end + 3))
        }
        _ => None,
    }
}

/// A text without anything that looks like a key of the API.
fn without_keys(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let mut kept = 0;
    for at in memchr::memchr2_iter(b'R', b'r', bytes) {
        let begin = bytes.get(at..at + KEY_BEGIN.len());
        if at < kept || !begin.is_some_and(|begin| begin.eq_ignore_ascii_case(KEY_BEGIN)) {
            continue;
        }
        let rest = &bytes[at + KEY_BEGIN.len()..];
        let is_part = |byte: &&u8| byte.is_ascii_hexdigit() || **byte == b'-';
        let length = rest.iter().take_while(is_part).count();
        if length >= KEY_REST_MIN {
            out.push_str(&text[kept..at]);
            out.push_str(KEY_SHOWN);
            kept = at + KEY_BEGIN.len() + length;
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[kept..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "RGAPI-5ec2e700-0bad-4dea-beef-cafe0123abcd";

    /// The text without secrets, which must not hold what is left of the key in any form.
    #[track_caller]
    fn clean(text: &str) -> String {
        keep_key(KEY);
        let clean = without_secrets(text).into_owned();
        assert!(
            !clean.contains("5ec2e700") && !clean.contains("cafe0123"),
            "{clean}"
        );
        clean
    }

    #[test]
    fn a_key_is_found_in_every_form_in_which_it_comes_back() {
        let escape = |of: fn(u8) -> String| KEY.bytes().map(of).collect::<String>();
        let url = KEY.replace('-', "%2D");
        let forms = [
            KEY.to_owned(),
            KEY.to_ascii_lowercase(),
            KEY.to_ascii_uppercase(),
            url.clone(),
            url.replace('%', "%25"),
            escape(|byte| format!("%{byte:02x}")),
            escape(|byte| format!("\\u{byte:04X}")),
            escape(|byte| format!("\\x{byte:02x}")),
            escape(|byte| format!("&#{byte};")),
            escape(|byte| format!("&#x{byte:x};")),
            KEY.replace('-', "\\-"),
            KEY.replace("0bad", "0b\r\n   ad"),
            KEY[..30].to_owned(),
        ];
        for form in forms {
            assert_eq!(
                clean(&format!("token={form}, and more")),
                "token=<api key>, and more",
                "{form}"
            );
        }
        assert_eq!(clean(&format!("{KEY}{KEY}")), "<api key><api key>");
        // Its beginning was cut off, which all keys have.
        assert_eq!(clean(&format!("...{}!", &KEY[2..])), "...API-<api key>!");
    }

    #[test]
    fn a_key_is_found_in_base64_and_hexadecimal_wherever_it_begins_there() {
        for before in ["", "a", "ab", "abc", "X-Riot-Token: "] {
            for after in ["", "z", "zz", "\r\nHost: x"] {
                let text = format!("{before}{KEY}{after}");
                let coded = [
                    STANDARD_NO_PAD.encode(&text),
                    URL_SAFE_NO_PAD.encode(&text),
                    hexadecimal(text.as_bytes()),
                    hexadecimal(text.as_bytes()).to_ascii_uppercase(),
                ];
                for coded in coded {
                    assert_eq!(
                        clean(&format!("got {coded}!")),
                        "got <api key>!",
                        "{text:?}"
                    );
                    assert!(may_hold_key(coded.as_bytes()));
                }
            }
        }
        let coded = [hexadecimal(KEY.as_bytes()), STANDARD_NO_PAD.encode(KEY)];
        for cut in coded.iter().map(|coded| &coded[..coded.len() - 9]) {
            assert_eq!(clean(&format!("got {cut}")), "a text with <api key>");
        }
        let coded = STANDARD_NO_PAD.encode(KEY);
        let broken = format!("{}\n{}", &coded[..20], &coded[20..]);
        assert_eq!(clean(&format!("got {broken}!")), "a text with <api key>");
        let spaced: Vec<String> = KEY.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(clean(&spaced.join(":")), "a text with <api key>");
    }

    #[test]
    fn the_key_of_somebody_else_is_taken_out_too_and_other_texts_stay() {
        assert_eq!(
            without_secrets("key rgapi-01234567-89ab-cdef-0123-456789abcdef is unknown"),
            "key <api key> is unknown"
        );
        for text in [
            "RGAPI-",
            "a key begins with RGAPI-...",
            "größer — 한글 %41 \\u0041 &#65; & =",
        ] {
            assert!(
                matches!(without_secrets(text), Cow::Borrowed(same) if same == text),
                "{text}"
            );
        }
    }

    #[test]
    fn passwords_are_taken_out_unless_they_are_no_secret() {
        keep_password(b"open-sesame", &["riftsync", "db.example"]);
        assert_eq!(without_secrets("no open-sesame here"), "no *** here");
        assert_eq!(without_secrets("no open%2Dsesame here"), "no *** here");
        keep_password(b"pgroot", &["pgroot", "db.example"]);
        keep_password(b"x", &[]);
        let text = "password authentication failed for user \"pgroot\"";
        assert_eq!(without_secrets(text), text);
    }

    #[test]
    fn a_document_that_may_hold_the_key_is_told_quickly() {
        keep_key(KEY);
        for holds in [KEY, &KEY.to_ascii_lowercase(), &KEY.replace('-', "%2d")] {
            let document = format!(r#"{{"info":{{}},"headers":{{"x-riot-token":"{holds}"}}}}"#);
            assert!(may_hold_key(document.as_bytes()), "{holds}");
        }
        assert!(!may_hold_key(br#"{"info":{"gameId":7}}"#));
    }
}
