//! Bytes changed without a look at what they mean: flips, cuts, splices.

use fastrand::Rng;

/// Bytes that mean something to somebody: ends of lines, quotes, escapes of terminals, halves of characters.
const TELLING: &[u8] = b"\0\t\n\r\x1b\x7f\x80\x9b\xc3\xe2\xff\"'\\/:;,=#%&@?<>{}[]()+- 019aR";

/// Changes a few things; `other` is where pieces come from too.
pub fn change(text: &mut Vec<u8>, rng: &mut Rng, other: &[u8]) {
    for _ in 0..[1, 1, 1, 2, 3, 8][rng.usize(..6)] {
        change_once(text, rng, other);
    }
}

fn change_once(text: &mut Vec<u8>, rng: &mut Rng, other: &[u8]) {
    if text.is_empty() {
        some(rng, 16, text);
        return;
    }
    let at = rng.usize(..text.len());
    // Pieces are short, but for one now and then.
    let most = if rng.u8(..8) == 0 { text.len() } else { 24 };
    let end = at + rng.usize(..=most.min(text.len() - at));
    match rng.u8(..9) {
        0 => text[at] ^= 1 << rng.u8(..8),
        1 => text[at] = rng.u8(..),
        2 => text[at] = TELLING[rng.usize(..TELLING.len())],
        3 => text.truncate(at),
        4 => {
            text.drain(at..end);
        }
        5 => {
            let piece = text[at..end].to_vec();
            let to = rng.usize(..=text.len());
            text.splice(to..to, piece);
        }
        6 if !other.is_empty() => {
            let from = rng.usize(..other.len());
            let piece = &other[from..(from + (end - at)).min(other.len())];
            text.splice(at..end, piece.iter().copied());
        }
        7 => {
            let letter = rng.char(..);
            text.splice(at..at, letter.to_string().into_bytes());
        }
        _ => {
            let mut more = Vec::new();
            some(rng, 8, &mut more);
            text.splice(at..at, more);
        }
    }
}

/// Adds bytes of all kinds, fewer than `most`.
pub fn some(rng: &mut Rng, most: usize, out: &mut Vec<u8>) {
    for _ in 0..rng.usize(..most.max(1)) {
        out.push(if rng.bool() {
            rng.u8(..)
        } else {
            TELLING[rng.usize(..TELLING.len())]
        });
    }
}

/// The bytes as a text; what is none becomes the sign for that.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
