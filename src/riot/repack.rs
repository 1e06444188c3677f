//! Documents packed anew: zstd, with a dictionary of what documents of their kind have in common. CPU work, as all of
//! packing: callers run it off the arbiters.
//!
//! Every body ends with a checksum of the document, and names its dictionary: corrupt bytes and another dictionary
//! are errors, never another document.

use std::io::Read;
use std::ops::RangeInclusive;
use std::sync::Arc;

use zstd::bulk::Compressor;
use zstd::stream::read::Decoder;

use super::error::RiotError;
use super::unpack::{UNPACKED_MAX, document_of, too_large};
use crate::model::records::{Codec, Dictionary, Payload};

/// From quick to small. Level 9 packs some 95 MB of timelines a second, level 15 some 27.
pub const LEVELS: RangeInclusive<i32> = 1..=19;

/// What zstd makes unless told; on real documents larger ones gain nothing.
const DICTIONARY_BYTES: usize = 110 * 1024;
/// What is taken of one document to train with: the end of a timeline is like its middle.
const PIECE_BYTES: usize = 64 * 1024;
/// The largest window that a body may ask for: as large as a document may be.
const WINDOW_LOG_MAX: u32 = 23;

/// A dictionary of what these documents have in common, or why there is none.
pub fn train(documents: &[Vec<u8>]) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    let mut sizes = Vec::new();
    for piece in documents.iter().flat_map(|document| pieces(document)) {
        all.extend_from_slice(piece);
        sizes.push(piece.len());
    }
    zstd::dict::from_continuous(&all, &sizes, DICTIONARY_BYTES).map_err(|error| error.to_string())
}

/// The beginning and the end of a document, or all of it if it is small.
fn pieces(document: &[u8]) -> Vec<&[u8]> {
    if document.len() <= 2 * PIECE_BYTES {
        return vec![document];
    }
    let (begin, end) = (PIECE_BYTES, document.len() - PIECE_BYTES);
    vec![&document[..begin], &document[end..]]
}

/// Packs documents of one kind.
pub struct Packer {
    compressor: Compressor<'static>,
    dictionary: Arc<Dictionary>,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Packer with dictionary {}", self.dictionary.id)
    }
}

/// What came of packing a stored document anew.
#[derive(Debug, Clone, PartialEq)]
pub enum Repack {
    /// It unpacks to the same document.
    Done(Payload),
    /// It would not be smaller.
    Kept,
}

impl Packer {
    pub fn new(level: i32, dictionary: Arc<Dictionary>) -> std::io::Result<Self> {
        let mut compressor = Compressor::with_dictionary(level, &dictionary.body)?;
        compressor.include_checksum(true)?;
        Ok(Self {
            compressor,
            dictionary,
        })
    }

    /// Packs the document of a payload anew, and unpacks it again to see that it is the same. An error: the payload
    /// cannot be read.
    pub fn repack(&mut self, payload: &Payload) -> Result<Repack, RiotError> {
        let text = document_of(payload)?;
        let body = self.compressor.compress(&text).map_err(|error| {
            RiotError::Payload(format!("zstd does not pack it: {error}").into())
        })?;
        if body.len() >= payload.body.len() {
            return Ok(Repack::Kept);
        }
        let packed = Payload {
            codec: Codec::Zstd(Some(self.dictionary.clone())),
            body: body.into(),
        };
        verified(packed, &text)
    }
}

/// Packs the document of a payload as the API sends it, and unpacks it again to see that it is the same.
pub fn to_gzip(payload: &Payload) -> Result<Repack, RiotError> {
    let text = document_of(payload)?;
    let packed = Payload {
        codec: Codec::Gzip,
        body: super::as_gzip(&text),
    };
    verified(packed, &text)
}

fn verified(packed: Payload, text: &[u8]) -> Result<Repack, RiotError> {
    if document_of(&packed)? == text {
        Ok(Repack::Done(packed))
    } else {
        let why = "packed anew it unpacks to another document; it stays as it is";
        Err(RiotError::Payload(why.into()))
    }
}

/// The document in a zstd body.
pub(super) fn unpack_zstd(
    body: &[u8],
    dictionary: Option<&Dictionary>,
) -> Result<Vec<u8>, RiotError> {
    let dictionary = match dictionary {
        Some(one) if one.body.is_empty() => {
            let id = one.id;
            let why = format!("dictionary {id}, which it was packed with, is gone");
            return Err(RiotError::Payload(why.into()));
        }
        Some(one) => &*one.body,
        None => &[],
    };
    let broken = |error: std::io::Error| {
        RiotError::Payload(format!("its zstd is broken or cut off: {error}").into())
    };
    let mut decoder = Decoder::with_dictionary(body, dictionary).map_err(broken)?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(broken)?;
    let mut text = Vec::with_capacity(body.len().saturating_mul(12).min(4 * 1024 * 1024));
    let mut bounded = decoder.take(UNPACKED_MAX + 1);
    bounded.read_to_end(&mut text).map_err(broken)?;
    if text.len() as u64 > UNPACKED_MAX {
        return Err(too_large());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::riot::as_gzip;
    use fastrand::Rng;

    /// Documents that have much in common, as those of the API do.
    fn documents(count: u64) -> Vec<Vec<u8>> {
        let document = |n| {
            let mut rng = Rng::with_seed(n);
            let names = [
                "assists",
                "baronKills",
                "champExperience",
                "championName",
                "damage",
            ];
            let participants: Vec<String> = (0..40)
                .map(|_| {
                    format!(
                        r#"{{"{}":{},"win":{}}}"#,
                        names[rng.usize(0..5)],
                        rng.u16(..),
                        rng.bool()
                    )
                })
                .collect();
            format!(
                r#"{{"matchId":"KR_{n}","seats":[{}]}}"#,
                participants.join(",")
            )
            .into_bytes()
        };
        (0..count).map(document).collect()
    }

    fn dictionary() -> Arc<Dictionary> {
        let body = train(&documents(60)).unwrap().into();
        Arc::new(Dictionary { id: 7, body })
    }

    fn gzip(text: &[u8]) -> Payload {
        Payload {
            codec: Codec::Gzip,
            body: as_gzip(text),
        }
    }

    fn packed(text: &[u8]) -> Payload {
        let mut packer = Packer::new(9, dictionary()).unwrap();
        match packer.repack(&gzip(text)).unwrap() {
            Repack::Done(smaller) => smaller,
            Repack::Kept => panic!("it is not smaller"),
        }
    }

    #[test]
    fn a_document_is_smaller_with_a_dictionary_and_the_same_there_and_back() {
        let text = documents(100).pop().unwrap();
        let packed = packed(&text);
        assert!(packed.body.len() < as_gzip(&text).len());
        assert_eq!(document_of(&packed).unwrap(), text);
        let Repack::Done(back) = to_gzip(&packed).unwrap() else {
            panic!("gzip is what was asked for, whatever its size");
        };
        assert_eq!(back, gzip(&text));
    }

    #[test]
    fn whichever_byte_is_corrupted_no_other_document_comes_out() {
        let text = documents(100).pop().unwrap();
        let good = packed(&text);
        let mut noticed = 0;
        for at in 0..good.body.len() {
            for bit in [0x01, 0x10, 0xff] {
                let mut body = good.body.to_vec();
                body[at] ^= bit;
                let bad = Payload {
                    codec: good.codec.clone(),
                    body: body.into(),
                };
                match document_of(&bad) {
                    Ok(same) => assert_eq!(same, text, "byte {at} with {bit:x}"),
                    Err(_) => noticed += 1,
                }
            }
        }
        assert!(noticed >= good.body.len() * 3 - 3, "{noticed}");
        for length in 0..good.body.len() {
            let cut = Payload {
                codec: good.codec.clone(),
                body: good.body.slice(..length),
            };
            assert!(document_of(&cut).is_err(), "cut after {length}");
        }
    }

    #[test]
    fn a_body_is_read_with_its_own_dictionary_or_not_at_all() {
        let good = packed(&documents(100).pop().unwrap());
        let other = train(&documents(90)[30..]).unwrap().into();
        for (body, why) in [(bytes::Bytes::new(), "dictionary 7"), (other, "broken")] {
            let dictionary = Arc::new(Dictionary { id: 7, body });
            let bad = Payload {
                codec: Codec::Zstd(Some(dictionary)),
                ..good.clone()
            };
            let error = document_of(&bad).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        let bad = Payload {
            codec: Codec::Zstd(None),
            ..good
        };
        assert!(document_of(&bad).is_err());
    }

    #[test]
    fn a_bomb_is_an_error_and_not_memory() {
        let bomb = zstd::bulk::compress(&vec![b' '; 40 * 1024 * 1024], 1).unwrap();
        assert!(bomb.len() < 100_000);
        // With a window that fits, and a small one: by the frame's word and by what comes out.
        let error = unpack_zstd(&bomb, None).unwrap_err().to_string();
        assert!(error.contains("zstd") || error.contains("8 MiB"), "{error}");
        let mut stream = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        std::io::copy(&mut std::io::repeat(b' ').take(40 << 20), &mut stream).unwrap();
        let error = unpack_zstd(&stream.finish().unwrap(), None).unwrap_err();
        assert!(error.to_string().contains("8 MiB"), "{error}");
    }

    #[test]
    fn what_would_not_be_smaller_stays_and_what_is_broken_is_told() {
        let mut packer = Packer::new(9, dictionary()).unwrap();
        let small = packed(&documents(100).pop().unwrap());
        assert_eq!(packer.repack(&small).unwrap(), Repack::Kept);
        let broken = Payload {
            codec: Codec::Gzip,
            body: bytes::Bytes::from_static(b"<html>"),
        };
        assert!(packer.repack(&broken).is_err());
    }

    #[test]
    fn training_takes_a_bounded_part_of_each_document() {
        let large = vec![b'x'; 700_000];
        let lengths: Vec<usize> = pieces(&large).iter().map(|piece| piece.len()).collect();
        assert_eq!(lengths, [PIECE_BYTES, PIECE_BYTES]);
        assert_eq!(pieces(&large[..100_000]).len(), 1);
        assert!(train(&[]).is_err());
    }
}
