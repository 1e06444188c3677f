//! The way in for the process that the engine is inside of: pairs of sockets, of which the server takes one end each.
//!
//! What a verb asks of an engine inside its own process goes the same way as what it asks of another's.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};

use super::Client;

/// Connections that are made and not taken in yet, at most.
const WAITING_MAX: usize = 8;

/// See the module. Its clones are the same way in.
#[derive(Debug, Clone)]
pub struct OwnConnections {
    made: mpsc::Sender<UnixStream>,
    /// Of the server, also of one that is started anew.
    taken: Arc<Mutex<mpsc::Receiver<UnixStream>>>,
}

impl Default for OwnConnections {
    fn default() -> Self {
        let (made, taken) = mpsc::channel(WAITING_MAX);
        Self {
            made,
            taken: Arc::new(Mutex::new(taken)),
        }
    }
}

impl OwnConnections {
    /// A client of the engine inside this process.
    pub fn connect(&self) -> io::Result<Client> {
        let (ours, theirs) = UnixStream::pair()?;
        for end in [&ours, &theirs] {
            end.set_nonblocking(true)?;
        }
        let client = Client::inside(ours)?;
        let made = self.made.try_send(theirs);
        made.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        Ok(client)
    }

    /// The server's end of the next one.
    pub(super) async fn accept(&self) -> io::Result<tokio::net::UnixStream> {
        match self.taken.lock().await.recv().await {
            Some(stream) => tokio::net::UnixStream::from_std(stream),
            // It cannot be closed: this holds a sender.
            None => std::future::pending().await,
        }
    }
}
