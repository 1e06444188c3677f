//! How pages ask the engine: the methods of the control socket, and no others.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Whoever answers the methods of the control socket.
pub trait Ask: Send + Sync + fmt::Debug {
    /// `params`: by name, as an object.
    fn call<'a>(&'a self, method: &'a str, params: Value)
    -> BoxFuture<'a, Result<Value, AskError>>;
}

/// Why the engine did not do what it was asked: what the socket's client would read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AskError {
    /// A code of the control protocol.
    pub code: i32,
    pub message: String,
}

impl AskError {
    pub const NOT_FOUND: i32 = -32001;
    pub const CONFLICT: i32 = -32002;
    pub const UNAVAILABLE: i32 = -32003;
    pub const INVALID_PARAMS: i32 = -32602;
    pub(crate) const INTERNAL: i32 = -32603;
}

/// An answer as a shape. One that has another is an error: a page without what it is about would look like one of
/// nothing.
pub(crate) async fn ask<T: DeserializeOwned>(
    engine: &Arc<dyn Ask>,
    method: &str,
    params: Value,
) -> Result<T, AskError> {
    let answer = engine.call(method, params).await?;
    serde_json::from_value(answer).map_err(|error| AskError {
        code: AskError::INTERNAL,
        message: format!("the engine's answer to {method} cannot be shown: {error}"),
    })
}
