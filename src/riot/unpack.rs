//! Bodies: packed as received, unpacked within a bound. CPU work: callers run it off the arbiters.

use std::cell::RefCell;
use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use libdeflater::Decompressor;

use super::error::RiotError;
use super::repack::unpack_zstd;
use crate::model::records::{Codec, Payload};

/// No real document is larger than 2 MB; what unpacks to more than this is a decompression bomb.
pub(super) const UNPACKED_MAX: u64 = 8 * 1024 * 1024;

/// No document is larger that one sees in a year; a larger one's text is not kept for the next.
const TEXT_KEPT: usize = 2 * 1024 * 1024;

thread_local! {
    static DECOMPRESSOR: RefCell<Decompressor> = RefCell::new(Decompressor::new());
    static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The document in a gzip body.
pub fn unpack(body: &[u8]) -> Result<Vec<u8>, RiotError> {
    let mut text = Vec::new();
    if unpack_whole(body, &mut text) {
        Ok(text)
    } else {
        unpack_bit_by_bit(body)
    }
}

/// Reads the document in a gzip body, in memory that this thread uses again and again: fresh memory for
/// each would cost as much as a good part of its unpacking.
pub fn unpacked<T>(
    body: &[u8],
    read: impl FnOnce(&[u8]) -> Result<T, RiotError>,
) -> Result<T, RiotError> {
    // Taken out, so that a reader may read another; a panic only costs the memory.
    let mut text = TEXT.take();
    let result = if unpack_whole(body, &mut text) {
        read(&text)
    } else {
        read(&unpack_bit_by_bit(body)?)
    };
    if text.capacity() <= TEXT_KEPT {
        TEXT.set(text);
    }
    result
}

/// A body of one gzip member that is as long as it says at its end, unpacked in one go: three times as fast.
/// False: it is not, or is broken, and is to be looked at more closely.
fn unpack_whole(body: &[u8], text: &mut Vec<u8>) -> bool {
    let Some(said) = body.last_chunk().copied().map(u32::from_le_bytes) else {
        return false;
    };
    if u64::from(said) > UNPACKED_MAX {
        return false;
    }
    text.resize(said as usize, 0);
    let unpacked = DECOMPRESSOR.with_borrow_mut(|all| all.gzip_decompress(body, text));
    unpacked == Ok(text.len())
}

/// The same for any body, and with the reason if it cannot be unpacked.
fn unpack_bit_by_bit(body: &[u8]) -> Result<Vec<u8>, RiotError> {
    // Real documents shrink to a tenth; a guess that is too small only costs a copy.
    let guess = body.len().saturating_mul(8).min(4 * 1024 * 1024);
    let mut text = Vec::with_capacity(guess);
    let mut decoder = MultiGzDecoder::new(body).take(UNPACKED_MAX + 1);
    decoder.read_to_end(&mut text).map_err(|error| {
        RiotError::Payload(format!("its gzip is broken or cut off: {error}").into())
    })?;
    if text.len() as u64 > UNPACKED_MAX {
        return Err(too_large());
    }
    Ok(text)
}

pub(super) fn too_large() -> RiotError {
    let why = format!("it unpacks to more than {} MiB", UNPACKED_MAX >> 20);
    RiotError::Payload(why.into())
}

/// The document of a stored payload.
pub fn document_of(payload: &Payload) -> Result<Vec<u8>, RiotError> {
    match &payload.codec {
        Codec::Gzip => unpack(&payload.body),
        Codec::Zstd(dictionary) => unpack_zstd(&payload.body, dictionary.as_deref()),
    }
}

/// A body that came unpacked, packed as the others are stored.
pub fn as_gzip(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 6), Compression::default());
    let packed = encoder.write_all(body).and_then(|()| encoder.finish());
    packed.expect("writing to memory does not fail").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_unpacks() {
        let text = b"{\"a\":1}".repeat(100);
        assert_eq!(unpack(&as_gzip(&text)).unwrap(), text);
    }

    #[test]
    fn a_cut_body_and_a_bomb_are_errors_and_not_memory() {
        let packed = as_gzip(&vec![b' '; 40 * 1024 * 1024]);
        assert!(unpack(&packed).unwrap_err().to_string().contains("8 MiB"));
        assert!(unpack(&packed[..packed.len() / 2]).is_err());
        assert!(unpack(b"<html>").is_err());
        assert!(unpack(b"").is_err());
    }

    #[test]
    fn both_ways_of_unpacking_agree_and_no_flipped_bit_makes_another_document() {
        let text = b"{\"a\":[1,2,3]}".repeat(20);
        let packed = as_gzip(&text).to_vec();
        let mut whole = b"of another".to_vec();
        assert!(unpack_whole(&packed, &mut whole));
        assert_eq!(whole, text);
        assert_eq!(unpack_bit_by_bit(&packed).unwrap(), text);
        // Two members are one document.
        let twice = [packed.clone(), packed.clone(), as_gzip(b"!").to_vec()].concat();
        let expected = [text.clone(), text.clone(), b"!".to_vec()].concat();
        assert_eq!(unpack(&twice).unwrap(), expected);
        for place in 0..packed.len() {
            for bit in 0..8 {
                let mut broken = packed.clone();
                broken[place] ^= 1 << bit;
                // Some bits say nothing: of the header, and those that fill the last byte.
                if let Ok(unpacked) = unpack(&broken) {
                    assert_eq!(unpacked, text, "{place}.{bit}");
                }
            }
        }
    }
}
