//! One valid gzip member out of text that was compressed long ago and a little text of now.
//!
//! The simulator runs beside the program under test, so a document must cost next to nothing. Most
//! of a document's text repeats (see `script`); only names, ids and moments are new. A `Stencil` is
//! the repeating text, compressed once, with gaps. Filling it copies the compressed text and puts
//! each gap's text in as a stored deflate block; nothing is compressed per request.
//!
//! How this is valid deflate (RFC 1951): every fragment ends with a flush, so it ends on a byte and
//! the next block may be of any kind. A fragment may refer back up to 32 kB, across gaps: that is
//! safe because a gap of the kind `Exact` always has the same length, so distances hold, and because
//! it was compressed over a filler of bytes that no document contains, so nothing refers *into* it.
//! A gap of the kind `Any` has no fixed length, and nothing refers across it (full flush).
//! The checksum is joined from those of the pieces, as zlib's `crc32_combine` does.

use flate2::{Compress, Compression, Crc, FlushCompress};

/// The text between two fragments, written at request time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// Always this many bytes: fragments after it may refer back across it.
    Exact(usize),
    /// Of any length: fragments after it stand alone.
    Any,
}

#[derive(Debug)]
struct Fragment {
    gap_before: Gap,
    deflated: Vec<u8>,
    checksum: Checksum,
}

/// Compressed text with gaps: gap, fragment, gap, fragment, ..., and one last gap of any length.
#[derive(Debug)]
pub struct Stencil {
    fragments: Vec<Fragment>,
}

/// Level 6, as the sizes in the documents' measurements were taken.
const LEVEL: u32 = 6;
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// A last block, with fixed codes, that holds nothing.
const FINAL_BLOCK: [u8; 2] = [3, 0];
const STORED_BYTES_MAX: usize = 0xffff;

impl Stencil {
    /// Compresses the fragments. All text must be ASCII: the filler of a gap consists of other bytes.
    pub fn new(parts: &[(Gap, &str)]) -> Self {
        let mut deflate = Compress::new(Compression::new(LEVEL), false);
        let mut fragments = Vec::with_capacity(parts.len());
        for (index, (gap_before, text)) in parts.iter().enumerate() {
            assert!(
                text.is_ascii(),
                "a fragment must not look like the filler of a gap"
            );
            if let Gap::Exact(length) = gap_before {
                deflate_all(&mut deflate, &filler(*length), FlushCompress::Sync);
            }
            let stands_alone = matches!(parts.get(index + 1), Some((Gap::Any, _)) | None);
            let flush = if stands_alone {
                FlushCompress::Full
            } else {
                FlushCompress::Sync
            };
            fragments.push(Fragment {
                gap_before: *gap_before,
                deflated: deflate_all(&mut deflate, text.as_bytes(), flush),
                checksum: Checksum::of(text.as_bytes()),
            });
        }
        Self { fragments }
    }

    /// A gzip member of the fragments with `gaps` around them; one gap more than fragments.
    pub fn fill(&self, gaps: &[&[u8]]) -> Vec<u8> {
        assert_eq!(
            gaps.len(),
            self.fragments.len() + 1,
            "one gap before each fragment and one at the end"
        );
        let fixed: usize = self.fragments.iter().map(|f| f.deflated.len()).sum();
        let moving: usize = gaps.iter().map(|gap| gap.len() + 16).sum();
        let mut out = Vec::with_capacity(fixed + moving + 32);
        let mut checksum = Checksum::EMPTY;
        out.extend_from_slice(&GZIP_HEADER);
        for (fragment, gap) in self.fragments.iter().zip(gaps) {
            if let Gap::Exact(length) = fragment.gap_before {
                assert_eq!(
                    gap.len(),
                    length,
                    "a gap of fixed length must have it, or distances break"
                );
            }
            store(&mut out, gap);
            out.extend_from_slice(&fragment.deflated);
            checksum = checksum.then(Checksum::of(gap)).then(fragment.checksum);
        }
        let tail = gaps[gaps.len() - 1];
        store(&mut out, tail);
        checksum = checksum.then(Checksum::of(tail));
        out.extend_from_slice(&FINAL_BLOCK);
        out.extend_from_slice(&checksum.crc.to_le_bytes());
        let length_mod_4g = u32::try_from(checksum.length & 0xffff_ffff).unwrap_or(0);
        out.extend_from_slice(&length_mod_4g.to_le_bytes());
        out
    }

    /// The stencil with its first fragment `times` times over: how a bomb is made small.
    #[must_use]
    pub fn repeated(mut self, times: usize) -> Self {
        let first = self.fragments.remove(0);
        assert_eq!(
            first.gap_before,
            Gap::Any,
            "a fragment that refers back cannot be moved"
        );
        self.fragments = (0..times)
            .map(|_| Fragment {
                gap_before: Gap::Any,
                deflated: first.deflated.clone(),
                checksum: first.checksum,
            })
            .collect();
        self
    }

    pub fn gaps(&self) -> usize {
        self.fragments.len() + 1
    }
}

/// Bytes that are not ASCII. They may repeat: what is compressed here is thrown away.
fn filler(length: usize) -> Vec<u8> {
    vec![0xfe; length]
}

fn deflate_all(deflate: &mut Compress, text: &[u8], flush: FlushCompress) -> Vec<u8> {
    // Enough for text that does not shrink, plus the flush marker: one call must take it all.
    let mut out = Vec::with_capacity(text.len() + text.len() / 100 + 256);
    let before = deflate.total_in();
    deflate
        .compress_vec(text, &mut out, flush)
        .expect("compressing in memory cannot fail");
    let taken = deflate.total_in() - before;
    assert_eq!(taken, text.len() as u64, "the output buffer was too small");
    assert!(
        out.len() < out.capacity(),
        "a full buffer may hide an unfinished flush"
    );
    out
}

/// Text as it is, in stored blocks.
fn store(out: &mut Vec<u8>, text: &[u8]) {
    for block in text.chunks(STORED_BYTES_MAX) {
        let length = u16::try_from(block.len()).expect("chunks are at most 65535 long");
        out.push(0);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
}

/// A CRC-32 that can be joined with that of the text behind it.
#[derive(Debug, Clone, Copy)]
struct Checksum {
    crc: u32,
    length: u64,
    /// x^(8*length) modulo the polynomial: what appending `length` bytes does to a checksum.
    shift: u32,
}

impl Checksum {
    const EMPTY: Self = Self {
        crc: 0,
        length: 0,
        shift: ONE,
    };

    fn of(text: &[u8]) -> Self {
        let mut crc = Crc::new();
        crc.update(text);
        Self {
            crc: crc.sum(),
            length: text.len() as u64,
            shift: shift_of(text.len() as u64),
        }
    }

    fn then(self, next: Self) -> Self {
        Self {
            crc: multiply(next.shift, self.crc) ^ next.crc,
            length: self.length + next.length,
            shift: multiply(self.shift, next.shift),
        }
    }
}

/// The polynomial of CRC-32, and the polynomial `1`, both with their bits reflected.
const POLYNOMIAL: u32 = 0xEDB8_8320;
const ONE: u32 = 1 << 31;

/// a * b modulo the polynomial.
const fn multiply(a: u32, mut b: u32) -> u32 {
    let mut bit = ONE;
    let mut product = 0;
    while bit != 0 {
        if a & bit != 0 {
            product ^= b;
        }
        b = if b & 1 == 0 {
            b >> 1
        } else {
            (b >> 1) ^ POLYNOMIAL
        };
        bit >>= 1;
    }
    product
}

/// x^(2^k) for k of 0..32.
const SQUARES: [u32; 32] = {
    let mut squares = [0; 32];
    squares[0] = 1 << 30;
    let mut k = 1;
    while k < 32 {
        squares[k] = multiply(squares[k - 1], squares[k - 1]);
        k += 1;
    }
    squares
};

fn shift_of(length: u64) -> u32 {
    let mut product = ONE;
    let mut left = length;
    let mut k = 3; // a byte is 2^3 bits
    while left != 0 {
        if left & 1 == 1 {
            product = multiply(SQUARES[k % 32], product);
        }
        left >>= 1;
        k += 1;
    }
    product
}

/// A small body as gzip, the ordinary way.
pub fn gzip(text: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder =
        flate2::write::GzEncoder::new(Vec::with_capacity(text.len() / 2 + 64), Compression::fast());
    encoder
        .write_all(text)
        .expect("writing to memory cannot fail");
    encoder.finish().expect("writing to memory cannot fail")
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Read as _;

    use super::*;

    pub(crate) fn gunzip(body: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        // The single-member decoder checks the checksum and the length, and must leave nothing over.
        let mut decoder = flate2::bufread::GzDecoder::new(body);
        decoder.read_to_end(&mut text).unwrap();
        assert!(decoder.into_inner().is_empty(), "bytes after the member");
        text
    }

    fn sample_text(part: usize) -> String {
        let rows: Vec<String> = (0..400)
            .map(|i| format!("{{\"kills\":{},\"deaths\":{}}},", i * part % 17, i % 5))
            .collect();
        rows.concat()
    }

    #[test]
    fn a_filled_stencil_is_one_gzip_member_of_all_the_text() {
        let texts: Vec<String> = (1..=5).map(sample_text).collect();
        let gap_before = [
            Gap::Any,
            Gap::Exact(40),
            Gap::Exact(7),
            Gap::Any,
            Gap::Exact(0),
        ];
        let parts: Vec<(Gap, &str)> = gap_before
            .into_iter()
            .zip(texts.iter().map(String::as_str))
            .collect();
        let stencil = Stencil::new(&parts);
        for round in 0..3 {
            let mut gaps: Vec<Vec<u8>> = gap_before
                .iter()
                .map(|gap| match gap {
                    Gap::Exact(length) => vec![b'a' + round; *length],
                    Gap::Any => sample_text(round.into()).into_bytes(),
                })
                .collect();
            gaps.push("한".repeat(50_000).into_bytes());
            let expected: Vec<u8> = gaps
                .iter()
                .enumerate()
                .flat_map(|(i, gap)| {
                    gap.iter()
                        .chain(texts.get(i).map_or(&[][..], String::as_bytes))
                })
                .copied()
                .collect();
            let slices: Vec<&[u8]> = gaps.iter().map(Vec::as_slice).collect();
            assert_eq!(gunzip(&stencil.fill(&slices)), expected);
        }
    }

    #[test]
    fn text_that_repeats_across_a_gap_costs_next_to_nothing() {
        let text = sample_text(3);
        let one = Stencil::new(&[(Gap::Any, &text)]).fill(&[b"", b""]).len();
        let two = Stencil::new(&[(Gap::Any, &text), (Gap::Exact(9), &text)]);
        assert!(two.fill(&[b"", b"123456789", b""]).len() < one + 150);
    }

    #[test]
    #[should_panic(expected = "a gap of fixed length must have it")]
    fn a_gap_of_another_length_is_a_bug_and_not_a_broken_document() {
        Stencil::new(&[(Gap::Exact(3), "x")]).fill(&[b"ab", b""]);
    }
}
