//! Lines from a reader, each bounded: one that is too long is skipped to its end, in no more memory
//! than a line may have.

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;

/// Read at once at most.
const CHUNK: usize = 16 << 10;

#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    Line(Bytes),
    /// A line ended that was too long; it is dropped.
    TooLong,
    /// There is no whole line yet.
    Nothing,
}

/// See the module.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    buffer: BytesMut,
    line_bytes_max: usize,
    /// Bytes of the buffer that hold no end of a line.
    scanned: usize,
    /// The present line is too long: nothing of it is kept.
    skipping: bool,
    /// When the first byte of a line came that has not ended.
    begun: Option<Instant>,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub fn new(reader: R, line_bytes_max: usize) -> Self {
        Self {
            reader,
            buffer: BytesMut::new(),
            line_bytes_max,
            scanned: 0,
            skipping: false,
            begun: None,
            ended: false,
        }
    }

    /// Since when a line is half written.
    pub fn half_since(&self) -> Option<Instant> {
        self.begun
    }

    /// Whether the other side writes no more.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads what there is. May be dropped at any time: nothing is lost.
    pub async fn fill(&mut self) -> std::io::Result<()> {
        self.buffer.reserve(CHUNK);
        let read = (&mut self.reader)
            .take(CHUNK as u64)
            .read_buf(&mut self.buffer)
            .await?;
        if read == 0 {
            self.ended = true;
        } else if self.begun.is_none() {
            self.begun = Some(Instant::now());
        }
        Ok(())
    }

    /// The next line that was read. The last needs no end of its own.
    pub fn take(&mut self) -> Taken {
        let end = self.buffer[self.scanned..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map(|at| self.scanned + at);
        let Some(end) = end else {
            if self.ended && !self.buffer.is_empty() && !self.skipping {
                self.scanned = 0;
                self.begun = None;
                return Taken::Line(self.buffer.split().freeze());
            }
            if self.skipping || self.buffer.len() > self.line_bytes_max {
                self.skipping = true;
                self.buffer = BytesMut::new();
            }
            self.scanned = self.buffer.len();
            return Taken::Nothing;
        };
        let line = self.buffer.split_to(end).freeze();
        self.buffer.advance(1);
        self.scanned = 0;
        // What is left is a line that has just begun.
        self.begun = (!self.buffer.is_empty()).then(Instant::now);
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        if std::mem::take(&mut self.skipping) || line.len() > self.line_bytes_max {
            Taken::TooLong
        } else {
            Taken::Line(line)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    async fn all(input: &[u8], max: usize) -> Vec<Option<String>> {
        let mut lines = Lines::new(input, max);
        let mut found = Vec::new();
        loop {
            match lines.take() {
                Taken::Line(line) => found.push(Some(String::from_utf8(line.to_vec()).unwrap())),
                Taken::TooLong => found.push(None),
                Taken::Nothing if lines.has_ended() => return found,
                Taken::Nothing => lines.fill().await.unwrap(),
            }
        }
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_skipped_and_the_next_is_read() {
        let mut input = vec![b'x'; 300_000];
        input.extend_from_slice(b"\nshort\n\nlast");
        let short = |text: &str| Some(text.to_owned());
        assert_eq!(
            all(&input, 1000).await,
            [None, short("short"), short(""), short("last")]
        );
    }

    #[tokio::test]
    async fn a_long_line_costs_no_more_memory_than_a_line_may_have() {
        let input = vec![b'x'; 10 << 20];
        let mut lines = Lines::new(&input[..], 1000);
        while !lines.has_ended() {
            lines.fill().await.unwrap();
            assert_eq!(lines.take(), Taken::Nothing);
            assert!(lines.buffer.capacity() <= 2 * CHUNK + 1000);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_out_as_the_lines_they_are(input in prop::collection::vec(prop_oneof![Just("\n"), Just("a"), Just("bcd")], 0..60)) {
            let input = input.concat();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let found = runtime.block_on(all(input.as_bytes(), 5));
            let mut expected: Vec<Option<String>> = input
                .split('\n')
                .map(|line| (line.len() <= 5).then(|| line.to_owned()))
                .collect();
            // What comes after the last end of a line is one only if it is something.
            if input.is_empty() || input.ends_with('\n') {
                expected.pop();
            } else if let Some(None) = expected.last() {
                // Nobody reads an answer to a line that never ended.
                expected.pop();
                prop_assert!(found.len() <= expected.len() + 1);
                prop_assert_eq!(&found[..expected.len()], &expected[..]);
                return Ok(());
            }
            prop_assert_eq!(found, expected);
        }
    }
}
