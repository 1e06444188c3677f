//! What the server's errors are, by their codes (SQLSTATE).
//!
//! diesel keeps of an error the server's words alone, and these may be in any language. So what comes from a server is
//! looked at on its way: of each error its code is remembered with its words, and found by them afterwards. Of two
//! errors with the same words the later one counts; a server has no words that say two things of different classes.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::error::SqlState;

/// Errors that are remembered: they are asked for as soon as they have come.
const REMEMBERED: usize = 256;
/// Of an error that is longer no more is looked at; the code and the words are at its beginning.
const ERROR_BYTES_MAX: usize = 64 * 1024;

static HEARD: Mutex<VecDeque<(String, SqlState)>> = Mutex::new(VecDeque::new());

fn heard() -> MutexGuard<'static, VecDeque<(String, SqlState)>> {
    HEARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The code of an error with these words, if a server said it of late.
pub(super) fn code_of(words: &str) -> Option<SqlState> {
    let heard = heard();
    let mut newest_first = heard.iter().rev();
    newest_first
        .find(|(said, _)| said == words)
        .map(|(_, code)| code.clone())
}

fn remember(words: String, code: SqlState) {
    let mut heard = heard();
    heard.retain(|(said, _)| *said != words);
    if heard.len() == REMEMBERED {
        heard.pop_front();
    }
    heard.push_back((words, code));
}

/// What a code says is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// The server ends the connection, or takes no writes on it: another one.
    Lost,
    /// Others were in the way: the same again.
    Again,
    /// No room for so much: later, or less.
    Full,
    /// The server lives and cannot do it now: later.
    Transient,
}

/// None: the same would fail again.
pub(super) fn class_of(code: &SqlState) -> Option<Class> {
    Some(match code.code() {
        // A shutdown, a crash, a start, a dropped database, idle for too long; a standby.
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" | "25P04" | "25006" => {
            Class::Lost
        }
        // A statement that took too long, or that somebody ended; a lock that was not had in time.
        "57014" | "55P03" => Class::Again,
        // The disk, and what a server says of files.
        "53100" => Class::Full,
        other => match &other[..2] {
            "08" => Class::Lost,
            "40" => Class::Again,
            "58" => Class::Full,
            "53" => Class::Transient,
            _ => return None,
        },
    })
}

/// A connection whose errors are remembered.
pub(super) struct Tap<S> {
    inner: S,
    messages: Messages,
}

impl<S> Tap<S> {
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            messages: Messages::default(),
        }
    }

    pub(super) fn inner(&self) -> &S {
        &self.inner
    }
}

/// What came of the server's messages so far: one byte for the kind, four for the length, and the body.
#[derive(Debug, Default)]
struct Messages {
    head: [u8; 5],
    /// Bytes of the head that are there.
    had: usize,
    /// Bytes of the body that are to come.
    left: usize,
    /// The body, if it is an error's.
    error: Option<Vec<u8>>,
}

impl Messages {
    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.had < self.head.len() {
                let taken = bytes.len().min(self.head.len() - self.had);
                self.head[self.had..self.had + taken].copy_from_slice(&bytes[..taken]);
                self.had += taken;
                bytes = &bytes[taken..];
                if self.had == self.head.len() {
                    let [kind, length @ ..] = self.head;
                    // It counts itself.
                    self.left = (u32::from_be_bytes(length) as usize).saturating_sub(4);
                    self.error = (kind == b'E').then(Vec::new);
                }
            } else {
                let taken = bytes.len().min(self.left);
                if let Some(error) = &mut self.error {
                    let kept = taken.min(ERROR_BYTES_MAX - error.len());
                    error.extend_from_slice(&bytes[..kept]);
                }
                self.left -= taken;
                bytes = &bytes[taken..];
            }
            if self.had == self.head.len() && self.left == 0 {
                self.had = 0;
                if let Some((words, code)) = self.error.take().and_then(|body| read_error(&body)) {
                    remember(words, code);
                }
            }
        }
    }
}

/// The words and the code of an error: its body is fields, each with a letter before and a zero behind it.
fn read_error(body: &[u8]) -> Option<(String, SqlState)> {
    let (mut words, mut code) = (None, None);
    for field in body.split(|byte| *byte == 0) {
        let (letter, text) = field.split_first().unwrap_or((&0, &[]));
        let text = std::str::from_utf8(text).ok();
        match letter {
            b'M' => words = text,
            b'C' => code = text,
            _ => {}
        }
    }
    let code = code.filter(|code| code.len() == 5 && code.is_ascii())?;
    Some((words?.to_owned(), SqlState::from_code(code)))
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let this = &mut *self;
        let read = Pin::new(&mut this.inner).poll_read(cx, buffer);
        if let Poll::Ready(Ok(())) = &read {
            this.messages.take(&buffer.filled()[before..]);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[kind][..], &length.to_be_bytes(), body].concat()
    }

    fn error(code: &str, words: &str) -> Vec<u8> {
        let body = format!("SFEHLER\0VERROR\0C{code}\0M{words}\0DEinzelheiten\0\0");
        message(b'E', body.as_bytes())
    }

    #[test]
    fn errors_are_found_among_all_messages_however_these_are_cut() {
        let sent = [
            message(b'T', b"columns"),
            message(b'D', b"E\0\0\0\x20CXX000\0Mno error\0\0"),
            error("53100", "kein Platz mehr"),
            message(b'Z', b"E"),
            message(b'1', b""),
            error("40P01", "Verklemmung entdeckt"),
            error("40P01", "zweimal"),
            error("23505", "zweimal"),
        ]
        .concat();
        for size in [1, 2, 3, 7, sent.len()] {
            heard().clear();
            let mut messages = Messages::default();
            sent.chunks(size).for_each(|part| messages.take(part));
            let code = |words| code_of(words).map(|code| code.code().to_owned());
            assert_eq!(code("kein Platz mehr").as_deref(), Some("53100"), "{size}");
            assert_eq!(code("Verklemmung entdeckt").as_deref(), Some("40P01"));
            assert_eq!(code("zweimal").as_deref(), Some("23505"), "the later one");
            assert_eq!(code("no error"), None);
        }
        let mut messages = Messages::default();
        for n in 0..REMEMBERED + 10 {
            messages.take(&error("42P01", &format!("Fehler {n}")));
        }
        assert_eq!(heard().len(), REMEMBERED);
        let long = "x".repeat(ERROR_BYTES_MAX + 1);
        messages.take(&error("42P01", &long));
        messages.take(&error("42P01", "danach"));
        assert!(code_of("danach").is_some());
    }

    #[test]
    fn a_code_says_what_is_to_be_done() {
        for (codes, class) in [
            (&["57P01", "57P05", "08006", "25006"][..], Some(Class::Lost)),
            (&["40001", "40P01", "55P03", "57014"], Some(Class::Again)),
            (&["53100", "58030"], Some(Class::Full)),
            (&["53200", "53300"], Some(Class::Transient)),
            (
                &["23505", "42P01", "22021", "XX000", "0A000", "26000"],
                None,
            ),
        ] {
            for code in codes {
                assert_eq!(class_of(&SqlState::from_code(code)), class, "{code}");
            }
        }
    }
}
