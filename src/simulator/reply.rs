//! An answer before it becomes HTTP, and the bodies of errors as the real API words them.

use crate::gzip;
use crate::limits::LimitType;

/// What is sent back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Vec<u8>,
    /// The body is compressed already.
    pub gzipped: bool,
    pub headers: Vec<(&'static str, String)>,
}

const JSON: &str = "application/json;charset=utf-8";
/// Smaller bodies are not worth compressing.
const GZIP_BYTES_MIN: usize = 200;

impl Reply {
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            content_type: JSON,
            body: body.into(),
            gzipped: false,
            headers: Vec::new(),
        }
    }

    /// A document that was made compressed, or not.
    pub fn document(body: Vec<u8>, gzipped: bool) -> Self {
        Self {
            gzipped,
            ..Self::json(200, body)
        }
    }

    pub fn html(status: u16, page: &str) -> Self {
        Self {
            content_type: "text/html; charset=UTF-8",
            ..Self::json(status, page)
        }
    }

    /// `{"status":{"message":...,"status_code":...}}`
    pub fn error(status: u16, message: &str) -> Self {
        let body = serde_json::json!({"status": {"message": message, "status_code": status}});
        Self::json(status, body.to_string())
    }

    pub fn unauthorized() -> Self {
        Self::error(401, "Unauthorized")
    }

    pub fn forbidden() -> Self {
        Self::error(403, "Forbidden")
    }

    pub fn match_not_found() -> Self {
        Self::error(404, "Data not found - match file not found")
    }

    /// An id that was encrypted for another key, or never was one.
    pub fn undecryptable(id: &str) -> Self {
        Self::error(400, &format!("Bad Request - Exception decrypting {id}"))
    }

    /// This one has no `status_code`.
    pub fn bad_parameter(value: &str, low: i64, high: i64) -> Self {
        let message = format!(
            "Bad Request - invalid parameter value {value}, must be between {low} and {high}"
        );
        Self::json(
            400,
            serde_json::json!({"status": {"message": message}}).to_string(),
        )
    }

    /// A 429. One that says no type says no time either.
    pub fn rate_limited(limit_type: LimitType, retry_after: Option<String>) -> Self {
        let message = match limit_type {
            LimitType::Server => "server rate limit exceeded",
            _ => "Rate limit exceeded",
        };
        let mut reply = Self::error(429, message);
        if let Some(name) = limit_type.as_str() {
            reply.headers.push(("x-rate-limit-type", name.to_owned()));
            let told = retry_after.map(|seconds| ("retry-after", seconds));
            reply.headers.extend(told);
        }
        reply
    }

    /// Compressed if that was asked for and is worth it.
    #[must_use]
    pub fn compressed(self, accepts_gzip: bool) -> Self {
        if self.gzipped || !accepts_gzip || self.body.len() < GZIP_BYTES_MIN {
            return self;
        }
        Self {
            body: gzip::gzip(&self.body),
            gzipped: true,
            ..self
        }
    }
}
