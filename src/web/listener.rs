//! Connections of a small server: so many at once, and none for longer than it may stay.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// Pause after a connection that could not be taken, which means that files have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a connection may stay.
#[derive(Debug, Clone, Copy)]
pub enum Stay {
    /// In all.
    AtMost(Duration),
    /// As long as something goes in or out of it every so often.
    WhileActive(Duration),
}

impl Stay {
    fn limit(self) -> Duration {
        match self {
            Self::AtMost(limit) | Self::WhileActive(limit) => limit,
        }
    }
}

/// What hears of each connection, and why one could not be taken.
type Hear = Box<dyn FnMut(io::Result<()>) + Send>;

/// Lets in as many as there are places; others wait at the door.
pub struct LimitedListener {
    listener: TcpListener,
    places: Arc<Semaphore>,
    stay: Stay,
    hear: Hear,
}

impl LimitedListener {
    pub fn new(
        listener: TcpListener,
        connections_max: usize,
        stay: Stay,
        hear: impl FnMut(io::Result<()>) + Send + 'static,
    ) -> Self {
        Self {
            listener,
            places: Arc::new(Semaphore::new(connections_max)),
            stay,
            hear: Box::new(hear),
        }
    }
}

impl fmt::Debug for LimitedListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitedListener")
            .field("listener", &self.listener)
            .field("stay", &self.stay)
            .finish_non_exhaustive()
    }
}

impl axum::serve::Listener for LimitedListener {
    type Io = Visit;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // It is never closed.
        let place = self.places.clone().acquire_owned().await.ok();
        loop {
            match self.listener.accept().await {
                Ok((stream, addr)) => {
                    (self.hear)(Ok(()));
                    return (Visit::of(stream, self.stay, place), addr);
                }
                Err(error) => {
                    (self.hear)(Err(error));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// One connection; it ends when its time is over.
#[derive(Debug)]
pub struct Visit {
    stream: TcpStream,
    stay: Stay,
    over: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Visit {
    fn of(stream: TcpStream, stay: Stay, place: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            stream,
            stay,
            over: Box::pin(tokio::time::sleep(stay.limit())),
            _place: place,
        }
    }

    fn tried<T>(
        &mut self,
        waker: &mut Context<'_>,
        try_now: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let over = || Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        let at_most = matches!(self.stay, Stay::AtMost(_));
        // Who always has something to say or to take is ended, too.
        if at_most && self.over.as_mut().poll(waker).is_ready() {
            return over();
        }
        let tried = try_now(Pin::new(&mut self.stream), waker);
        match self.stay {
            Stay::WhileActive(limit) if tried.is_ready() => {
                self.over.as_mut().reset(Instant::now() + limit);
            }
            Stay::WhileActive(_) if self.over.as_mut().poll(waker).is_ready() => return over(),
            Stay::WhileActive(_) | Stay::AtMost(_) => {}
        }
        tried
    }
}

impl AsyncRead for Visit {
    fn poll_read(
        mut self: Pin<&mut Self>,
        waker: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.tried(waker, |stream, waker| stream.poll_read(waker, buffer))
    }
}

impl AsyncWrite for Visit {
    fn poll_write(
        mut self: Pin<&mut Self>,
        waker: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.tried(waker, |stream, waker| stream.poll_write(waker, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, waker: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(waker)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, waker: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(waker)
    }
}

#[cfg(test)]
mod tests {
    use axum::serve::Listener;
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    async fn listener(stay: Stay) -> (LimitedListener, SocketAddr) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        (LimitedListener::new(listener, 1, stay, drop), addr)
    }

    #[tokio::test]
    async fn who_finds_no_place_waits_until_one_is_free() {
        let (mut listener, addr) = listener(Stay::AtMost(LIMIT)).await;
        let _clients = [
            TcpStream::connect(addr).await.unwrap(),
            TcpStream::connect(addr).await.unwrap(),
        ];
        let (first, _) = listener.accept().await;
        assert!(listener.accept().now_or_never().is_none());
        drop(first);
        listener.accept().await;
    }

    /// Says something every so often, and reads it: how long the visit lasts.
    async fn lasts(stay: Stay, times: u32) -> Duration {
        let (mut listener, addr) = listener(stay).await;
        let mut client = TcpStream::connect(addr).await.unwrap();
        let (mut visit, _) = listener.accept().await;
        tokio::time::pause();
        let begun = Instant::now();
        let mut end = None;
        for _ in 0..times {
            tokio::time::advance(LIMIT * 3 / 4).await;
            client.write_all(b"x").await.unwrap();
            // What was said has come: the clock stands until then.
            visit.stream.readable().await.unwrap();
            if let Err(error) = visit.read_u8().await {
                end = Some(error);
                break;
            }
        }
        let end = match end {
            Some(end) => end,
            None => visit.read_u8().await.unwrap_err(),
        };
        assert_eq!(end.kind(), io::ErrorKind::TimedOut);
        let lasted = begun.elapsed();
        tokio::time::resume();
        lasted
    }

    #[tokio::test]
    async fn a_visit_ends_when_its_time_is_over_or_when_nothing_was_said_for_long() {
        assert!(lasts(Stay::AtMost(LIMIT), 0).await >= LIMIT);
        // It ends with what is said after that.
        assert!(lasts(Stay::AtMost(LIMIT), 5).await < LIMIT * 2);
        assert!(lasts(Stay::WhileActive(LIMIT), 5).await > LIMIT * 4);
    }
}
