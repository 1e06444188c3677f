//! TCP connections that can be cut in the middle of everything, as real ones are.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// The handle that cuts a connection: the next write to it fails, and the peer sees a reset.
#[derive(Debug, Clone, Default)]
pub struct Cutter(Arc<AtomicBool>);

impl Cutter {
    pub fn cut(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Whose connection a call came over, and how to cut it.
#[derive(Debug, Clone)]
pub struct Caller {
    pub cutter: Cutter,
    pub is_local: bool,
}

#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    cutter: Cutter,
    is_local: bool,
}

impl Connection {
    fn check(&self) -> io::Result<()> {
        if !self.cutter.0.load(Ordering::Relaxed) {
            return Ok(());
        }
        // Without lingering, closing sends a reset instead of a polite end.
        self.stream.set_zero_linger()?;
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[derive(Debug)]
pub struct Listener(pub TcpListener);

/// Accepting fails when the process is out of file descriptors; that passes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl axum::serve::Listener for Listener {
    type Io = Connection;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.0.accept().await {
                Ok((stream, addr)) => {
                    // An IPv6 socket has IPv4 callers too.
                    let is_local = addr.ip().to_canonical().is_loopback();
                    // Small answers must not wait for each other. Failing to say so only costs time.
                    let _ = stream.set_nodelay(true);
                    return (
                        Connection {
                            stream,
                            cutter: Cutter::default(),
                            is_local,
                        },
                        addr,
                    );
                }
                Err(error) => {
                    tracing::warn!(%error, "the simulator cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Listener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        let Connection {
            cutter, is_local, ..
        } = stream.io();
        Self {
            cutter: cutter.clone(),
            is_local: *is_local,
        }
    }
}
