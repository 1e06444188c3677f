//! The other end of the socket, as every verb uses it.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::lines::{Lines, Taken};
use super::rpc::RpcError;
use super::socket;
use crate::model::JobId;

/// An answer at most.
const LINE_BYTES_MAX: usize = 64 << 20;
/// How long an answer may take. The engine answers at once; its database may have to wait for a disk.
const ANSWER: Duration = Duration::from_mins(1);

/// Why the engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no engine listens on {0}. Start one with: riftsync serve")]
    NoEngine(PathBuf),
    #[error(
        "the engine with pid {pid} holds {path} and does not answer: it is starting or stopping. Try again in a moment"
    )]
    Busy { path: PathBuf, pid: String },
    #[error(
        "the control socket {path} cannot be reached: {cause}. Name the engine's with --socket PATH"
    )]
    Io { path: PathBuf, cause: io::Error },
    #[error(
        "the engine has gone: it was stopped or killed. Nothing is lost: start it again with `riftsync serve`, or type the same command again"
    )]
    Lost,
    #[error("the engine does not answer on {0}. Its log says why; it may have to be restarted")]
    Silent(PathBuf),
    #[error("{0} gave an answer that is none: {1}. Is it another program's socket?")]
    Protocol(PathBuf, String),
    #[error(
        "{path} is listened on by another user (uid {theirs}), and this is uid {ours}: the key was not sent. Name the engine's own socket with --socket PATH, or give the key as the user that the engine runs as"
    )]
    Stranger {
        path: PathBuf,
        theirs: u32,
        ours: u32,
    },
    #[error("{}", .0.message)]
    Refused(RpcError),
}

/// What the engine tells by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    pub method: String,
    pub params: Value,
}

/// See the module.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    /// The user who listens, as the kernel knows it.
    peer: u32,
    lines: Lines<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    last_id: u64,
    notifications: VecDeque<Notification>,
    /// The engine is inside this process, and answers when it can.
    is_inside: bool,
}

#[derive(Deserialize)]
struct Incoming {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    params: Value,
    #[serde(default)]
    result: Option<Value>,
    #[serde(default)]
    error: Option<IncomingError>,
}

#[derive(Deserialize)]
struct IncomingError {
    code: i32,
    message: String,
    #[serde(default)]
    data: Option<Value>,
}

impl Client {
    pub async fn connect(path: &Path) -> Result<Self, ClientError> {
        // What listens there could be anybody's.
        if !socket::is_trusted(path) {
            return Err(ClientError::NoEngine(path.to_owned()));
        }
        let stream = match UnixStream::connect(path).await {
            Ok(stream) => stream,
            Err(cause) => {
                // Nor can an engine be where no socket can be.
                let gone = [
                    io::ErrorKind::NotFound,
                    io::ErrorKind::ConnectionRefused,
                    io::ErrorKind::NotADirectory,
                    io::ErrorKind::InvalidInput,
                ];
                let path = path.to_owned();
                return Err(match socket::holder(&path) {
                    Some(pid) if gone.contains(&cause.kind()) => ClientError::Busy { path, pid },
                    None if gone.contains(&cause.kind()) => ClientError::NoEngine(path),
                    _ => ClientError::Io { path, cause },
                });
            }
        };
        let peer = stream.peer_cred().map_err(|cause| ClientError::Io {
            path: path.to_owned(),
            cause,
        })?;
        Ok(Self::over(stream, path, peer.uid()))
    }

    /// One end of a pair of sockets, of which the server of this process has the other.
    pub(super) fn inside(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        let stream = UnixStream::from_std(stream)?;
        let ours = rustix::process::geteuid().as_raw();
        let mut client = Self::over(stream, Path::new("the engine inside this process"), ours);
        client.is_inside = true;
        Ok(client)
    }

    fn over(stream: UnixStream, path: &Path, peer: u32) -> Self {
        let (reader, writer) = stream.into_split();
        Self {
            path: path.to_owned(),
            peer,
            lines: Lines::new(reader, LINE_BYTES_MAX),
            writer,
            last_id: 0,
            notifications: VecDeque::new(),
            is_inside: false,
        }
    }

    /// Whether the engine is inside this process.
    pub fn is_inside(&self) -> bool {
        self.is_inside
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An error if another user listens, who may be anybody: to be asked before a secret is sent.
    pub fn is_ours(&self) -> Result<(), ClientError> {
        let ours = rustix::process::geteuid().as_raw();
        if self.peer == ours {
            return Ok(());
        }
        Err(ClientError::Stranger {
            path: self.path.clone(),
            theirs: self.peer,
            ours,
        })
    }

    /// Asks, and waits for the answer. What the engine tells meanwhile is kept.
    pub async fn call(&mut self, method: &str, params: Value) -> Result<Value, ClientError> {
        self.last_id += 1;
        let id = self.last_id;
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let line = format!("{request}\n");
        if let Err(cause) = self.writer.write_all(line.as_bytes()).await {
            // It may have said why before it closed.
            tracing::debug!("{method} could not be written: {cause}");
        }
        if self.is_inside {
            return self.answer(id).await;
        }
        let answer = tokio::time::timeout(ANSWER, self.answer(id)).await;
        answer.unwrap_or_else(|_| Err(ClientError::Silent(self.path.clone())))
    }

    async fn answer(&mut self, id: u64) -> Result<Value, ClientError> {
        loop {
            let line = self.next().await?;
            if let Some(method) = line.method {
                let params = line.params;
                self.notifications
                    .push_back(Notification { method, params });
                continue;
            }
            if let Some(error) = line.error {
                // An error without an id closes the connection: it is the answer to everything.
                if line.id == json!(id) || line.id.is_null() {
                    return Err(ClientError::Refused(RpcError {
                        code: error.code,
                        message: error.message,
                        data: error.data,
                    }));
                }
            } else if line.id == json!(id) {
                return line.result.ok_or_else(|| {
                    ClientError::Protocol(self.path.clone(), "it has no result".to_owned())
                });
            }
        }
    }

    /// What the engine tells next.
    pub async fn notification(&mut self) -> Result<Notification, ClientError> {
        loop {
            if let Some(notification) = self.notifications.pop_front() {
                return Ok(notification);
            }
            let line = self.next().await?;
            if let Some(method) = line.method {
                let params = line.params;
                return Ok(Notification { method, params });
            }
            if let Some(error) = line.error {
                return Err(ClientError::Refused(RpcError {
                    code: error.code,
                    message: error.message,
                    data: error.data,
                }));
            }
        }
    }

    /// Follows a job to its end, which `notification` then tells. Returns the subscription and the
    /// job as it stands.
    pub async fn subscribe(&mut self, job: JobId) -> Result<(u64, Value), ClientError> {
        let mut answer = self.call("job.subscribe", json!({ "job_id": job })).await?;
        let subscription = answer["subscription"].as_u64().unwrap_or(0);
        Ok((subscription, answer["job"].take()))
    }

    /// Resolves when the engine has closed the connection.
    pub async fn closed(&mut self) {
        while self.next().await.is_ok() {}
    }

    async fn next(&mut self) -> Result<Incoming, ClientError> {
        loop {
            match self.lines.take() {
                Taken::Line(line) if line.is_empty() => {}
                Taken::Line(line) => {
                    return serde_json::from_slice(&line).map_err(|error| {
                        ClientError::Protocol(self.path.clone(), error.to_string())
                    });
                }
                Taken::TooLong => {
                    let why = format!("it is longer than {LINE_BYTES_MAX} bytes");
                    return Err(ClientError::Protocol(self.path.clone(), why));
                }
                Taken::Nothing if self.lines.has_ended() => return Err(ClientError::Lost),
                // A connection that was reset is one that is lost.
                Taken::Nothing => self.lines.fill().await.map_err(|_| ClientError::Lost)?,
            }
        }
    }
}

/// The pid of the engine that holds a socket's place, whether it answers or not.
pub fn holder(path: &Path) -> Option<String> {
    socket::holder(path)
}
