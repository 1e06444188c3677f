//! Requests to a storage: signed, with an end to each, and tried again while that may help.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use reqwest::header::{CONTENT_LENGTH, DATE, ETAG, HeaderMap};
use rusty_s3::{Bucket, Credentials, S3Action};
use tokio::sync::mpsc;

use super::super::LakeError;
use super::answer::{Answer, Asker, Trouble};
use crate::model::{RetryPolicy, Timestamp};
use crate::riot::chain;

/// A body at most: manifests and lists.
const BODY_MAX: usize = 64 << 20;
/// A request has so long to begin. What is sent adds to it, at this speed.
const TIMEOUT: Duration = Duration::from_mins(1);
const BYTES_A_SECOND_MIN: u64 = 64 << 10;
/// A signature is good so long: for a request that begins.
const SIGNED_FOR: Duration = Duration::from_mins(15);
/// Bytes of a file that are read at once, and reads that are ahead of the network.
const CHUNK: usize = 256 << 10;
const CHUNKS_AHEAD: usize = 2;

/// Pauses before what failed is tried again. A storage that has answered is waited for, for most of a minute;
/// one that never has may be none.
const PATIENCE: RetryPolicy = RetryPolicy {
    retries: 9,
    base: Duration::from_millis(500),
    cap: Duration::from_secs(16),
};
const FIRST_RETRIES: u32 = 2;

/// What is sent.
#[derive(Debug, Clone)]
pub(super) enum Upload {
    Bytes(Bytes),
    File(Arc<File>, u64),
}

/// What must be there for an object to be replaced.
#[derive(Debug, Clone, Copy)]
pub(super) enum Condition<'c> {
    Any,
    Nothing,
    /// The object of this tag.
    Is(&'c str),
}

/// What is asked.
#[derive(Debug)]
pub(super) enum Request<'r> {
    Get(&'r str),
    Put(&'r str, &'r Upload, Condition<'r>),
    Delete(&'r str),
    /// What begins so, from where the last answer ended.
    List(&'r str, Option<&'r str>),
}

/// See the module.
pub(super) struct Client {
    http: reqwest::Client,
    bucket: Bucket,
    credentials: Credentials,
    asker: Asker,
    /// It has answered once.
    reached: AtomicBool,
}

impl Client {
    pub(super) fn new(
        bucket: Bucket,
        credentials: Credentials,
        asker: Asker,
    ) -> Result<Self, String> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("riftsync/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            http,
            bucket,
            credentials,
            asker,
            reached: AtomicBool::new(false),
        })
    }

    /// An answer that is a success, says that an object is not there, or that it is another one.
    pub(super) async fn ask(&self, request: &Request<'_>) -> Result<Answer, LakeError> {
        let mut attempt = 1;
        loop {
            let trouble = match self.once(request).await {
                Ok(answer) => {
                    self.reached.store(true, Ordering::Relaxed);
                    if answer.is_success() || answer.is_absent() || answer.is_another() {
                        return Ok(answer);
                    }
                    answer.trouble(&self.asker)
                }
                Err(why) => Trouble::unreachable(&why, &self.asker),
            };
            let retries = if self.reached.load(Ordering::Relaxed) {
                PATIENCE.retries
            } else {
                FIRST_RETRIES
            };
            if !trouble.passes || attempt > retries {
                return Err(trouble.error(&self.asker));
            }
            let pause = PATIENCE.backoff(attempt, fastrand::f64());
            let place = &self.asker.place;
            tracing::warn!("{place}: {}; trying again in {pause:.1?}", trouble.cause);
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// Signs and sends it, once.
    async fn once(&self, request: &Request<'_>) -> Result<Answer, String> {
        let (url, method, headers) = self.sign(request);
        let mut sent = self.http.request(method, url).headers(headers);
        let mut length = 0;
        if let Request::Put(_, upload, _) = request {
            length = upload.len();
            sent = sent.header(CONTENT_LENGTH, length).body(upload.body());
        }
        let slow = Duration::from_secs(length / BYTES_A_SECOND_MIN);
        // Its address has the signature in it, and may have a token.
        let failed = |error: reqwest::Error| chain(&error.without_url()).as_str().to_owned();
        let mut response = sent.timeout(TIMEOUT + slow).send().await.map_err(failed)?;
        let mut answer = read_head(&response);
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > BODY_MAX {
                return Err(format!("its answer has more than {BODY_MAX} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        answer.body = body.into();
        Ok(answer)
    }

    /// The address with its signature, and the headers that it is of.
    fn sign(&self, request: &Request<'_>) -> (reqwest::Url, reqwest::Method, HeaderMap) {
        let (bucket, credentials) = (&self.bucket, Some(&self.credentials));
        let mut headers = HeaderMap::new();
        let (url, method) = match request {
            Request::Get(key) => {
                let action = bucket.get_object(credentials, key);
                (action.sign(SIGNED_FOR), reqwest::Method::GET)
            }
            Request::Delete(key) => {
                let action = bucket.delete_object(credentials, key);
                (action.sign(SIGNED_FOR), reqwest::Method::DELETE)
            }
            Request::List(prefix, after) => {
                let mut action = bucket.list_objects_v2(credentials);
                action.with_prefix(*prefix);
                if let Some(after) = after {
                    action.with_continuation_token(*after);
                }
                (action.sign(SIGNED_FOR), reqwest::Method::GET)
            }
            Request::Put(key, _, condition) => {
                let mut action = bucket.put_object(credentials, key);
                let condition = match condition {
                    Condition::Any => None,
                    Condition::Nothing => Some(("if-none-match", "*")),
                    Condition::Is(tag) => Some(("if-match", *tag)),
                };
                if let Some((name, value)) = condition {
                    action.headers_mut().insert(name, value);
                    // A tag that cannot be a header came in none.
                    if let Ok(value) = value.parse() {
                        headers.insert(name, value);
                    }
                }
                (action.sign(SIGNED_FOR), reqwest::Method::PUT)
            }
        };
        (url, method, headers)
    }
}

fn read_head(response: &reqwest::Response) -> Answer {
    let header = |name| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let region = response.headers().get("x-amz-bucket-region");
    let date = header(DATE)
        .and_then(|text| jiff::fmt::rfc2822::parse(&text).ok())
        .map(|date| date.timestamp().as_millisecond());
    Answer {
        status: response.status().as_u16(),
        body: Vec::new(),
        etag: header(ETAG),
        region: region.and_then(|region| region.to_str().ok().map(str::to_owned)),
        ahead_s: date.map(|date| (Timestamp::now().as_millis() - date) / 1_000),
    }
}

impl Upload {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, length) => *length,
        }
    }

    fn body(&self) -> reqwest::Body {
        match self {
            Self::Bytes(bytes) => bytes.clone().into(),
            Self::File(file, length) => reqwest::Body::wrap(FileBody::new(file.clone(), *length)),
        }
    }
}

/// A file on its way: read by a thread, a little ahead of the network.
struct FileBody {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    left: u64,
}

impl FileBody {
    fn new(file: Arc<File>, length: u64) -> Self {
        let (send, chunks) = mpsc::channel(CHUNKS_AHEAD);
        tokio::task::spawn_blocking(move || {
            let mut at = 0;
            while at < length {
                let mut chunk = vec![0; CHUNK.min(usize::try_from(length - at).unwrap_or(CHUNK))];
                let read = file.read_exact_at(&mut chunk, at);
                at += chunk.len() as u64;
                let is_read = read.is_ok();
                // Nobody waits for it: the request has ended.
                let taken = send.blocking_send(read.map(|()| chunk.into()));
                if !is_read || taken.is_err() {
                    break;
                }
            }
        });
        Self {
            chunks,
            left: length,
        }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let chunk = std::task::ready!(self.chunks.poll_recv(context));
        if let Some(Ok(bytes)) = &chunk {
            self.left -= bytes.len() as u64;
        }
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
