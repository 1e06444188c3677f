//! JSON-RPC 2.0: requests in, answers out. Pure.
//!
//! Parameters stay text until their method reads them, so that a line costs no more memory than its
//! length, however it is nested.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Why a request is not answered with a result. The codes are a contract.
#[derive(Debug, Clone, PartialEq)]
pub struct RpcError {
    pub code: i32,
    pub message: String,
    pub data: Option<Value>,
}

impl RpcError {
    pub const PARSE: i32 = -32700;
    pub const INVALID_REQUEST: i32 = -32600;
    pub const METHOD_NOT_FOUND: i32 = -32601;
    pub const INVALID_PARAMS: i32 = -32602;
    pub const INTERNAL: i32 = -32603;
    /// There is no such job, queue or player.
    pub const NOT_FOUND: i32 = -32001;
    /// What was asked for cannot be, as things stand.
    pub const CONFLICT: i32 = -32002;
    /// The database cannot be written now; the same request may succeed later.
    pub const UNAVAILABLE: i32 = -32003;
    /// A limit of the socket.
    pub const LIMIT: i32 = -32004;
    /// The connection is closed: it was idle, or a line was not finished.
    pub const TIMEOUT: i32 = -32005;
    /// The socket belongs to another user.
    pub const FORBIDDEN: i32 = -32006;

    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Self::INVALID_PARAMS, message)
    }

    fn document(&self) -> Value {
        match &self.data {
            None => json!({ "code": self.code, "message": self.message }),
            Some(data) => json!({ "code": self.code, "message": self.message, "data": data }),
        }
    }
}

/// One request of a line.
#[derive(Debug)]
pub struct Request<'l> {
    pub method: Cow<'l, str>,
    pub params: Params<'l>,
    /// As it was written; none: a notification, which is not answered.
    pub id: Option<&'l RawValue>,
}

/// The parameters of a request, by name.
#[derive(Debug, Clone, Copy, Default)]
pub struct Params<'l>(Option<&'l RawValue>);

impl<'l> Params<'l> {
    pub fn of(text: &'l RawValue) -> Self {
        Self(Some(text))
    }
}

impl Params<'_> {
    /// Reads them, or says what is wrong with them.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, RpcError> {
        let text = self.0.map_or("{}", RawValue::get);
        if text.starts_with('[') {
            return Err(RpcError::invalid(
                "parameters are given by name, as an object: \"params\": {\"job_id\": 1}",
            ));
        }
        serde_json::from_str(text).map_err(|error| RpcError::invalid(error.to_string()))
    }
}

/// A request that is none, with the id to answer to.
#[derive(Debug)]
pub struct Malformed<'l> {
    pub id: Option<&'l RawValue>,
    pub error: RpcError,
}

/// What a line asks.
#[derive(Debug)]
pub enum RpcLine<'l> {
    One(Result<Request<'l>, Malformed<'l>>),
    Batch(Vec<Result<Request<'l>, Malformed<'l>>>),
}

#[derive(Deserialize)]
struct Wire<'l> {
    #[serde(borrow, default)]
    jsonrpc: Option<Cow<'l, str>>,
    #[serde(borrow, default)]
    method: Option<Cow<'l, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'l RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'l RawValue>,
}

/// Tells `null` from nothing.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(value).map(Some)
}

/// Reads a line. Nesting costs no stack: what is not asked for is skipped without recursion.
pub fn read_line(line: &[u8], batch_max: usize) -> RpcLine<'_> {
    let whole: &RawValue = match serde_json::from_slice(line) {
        Ok(whole) => whole,
        Err(error) => {
            let message = format!("this is not JSON: {error}. Write one JSON object per line");
            return RpcLine::One(Err(malformed(RpcError::PARSE, message)));
        }
    };
    if !whole.get().starts_with('[') {
        return RpcLine::One(read_request(whole));
    }
    let Ok(requests) = serde_json::from_str::<Vec<&RawValue>>(whole.get()) else {
        return RpcLine::One(Err(malformed(
            RpcError::INVALID_REQUEST,
            "this is no batch of requests",
        )));
    };
    if requests.is_empty() {
        return RpcLine::One(Err(malformed(
            RpcError::INVALID_REQUEST,
            "an empty batch asks nothing",
        )));
    }
    if requests.len() > batch_max {
        let message = format!(
            "a batch of {} requests is too large; at most {batch_max} go in one",
            requests.len()
        );
        return RpcLine::One(Err(malformed(RpcError::LIMIT, message)));
    }
    RpcLine::Batch(requests.into_iter().map(read_request).collect())
}

fn malformed<'l>(code: i32, message: impl Into<String>) -> Malformed<'l> {
    Malformed {
        id: None,
        error: RpcError::new(code, message),
    }
}

fn read_request(text: &RawValue) -> Result<Request<'_>, Malformed<'_>> {
    let wire: Wire<'_> = serde_json::from_str(text.get()).map_err(|error| {
        let message = format!(
            "this is no request ({error}). Write {{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"engine.status\"}}"
        );
        malformed(RpcError::INVALID_REQUEST, message)
    })?;
    // An id that is no id is not echoed.
    let id_is_valid = wire
        .id
        .is_none_or(|id| !id.get().starts_with(['{', '[', 't', 'f']));
    let id = wire.id.filter(|_| id_is_valid);
    let invalid = |message: &str| {
        Err(Malformed {
            id,
            error: RpcError::new(RpcError::INVALID_REQUEST, message),
        })
    };
    if !id_is_valid {
        return invalid("\"id\" must be a string, a number or null");
    }
    if wire.jsonrpc.as_deref() != Some("2.0") {
        return invalid("\"jsonrpc\" must be \"2.0\"");
    }
    if wire
        .params
        .is_some_and(|params| !params.get().starts_with(['{', '[']))
    {
        return invalid("\"params\" must be an object");
    }
    match wire.method {
        Some(method) => Ok(Request {
            method,
            params: Params(wire.params),
            id,
        }),
        None => invalid("\"method\" is missing"),
    }
}

/// The answer to a request.
pub fn answer(out: &mut Vec<u8>, id: Option<&RawValue>, answer: &Result<Value, RpcError>) {
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.extend_from_slice(id.map_or("null", RawValue::get).as_bytes());
    let (name, document) = match answer {
        Ok(result) => ("result", Cow::Borrowed(result)),
        Err(error) => ("error", Cow::Owned(error.document())),
    };
    out.extend_from_slice(format!(",\"{name}\":").as_bytes());
    write_json(out, &document);
    out.push(b'}');
}

/// What a client is told without having asked just now.
pub fn notification(out: &mut Vec<u8>, method: &str, params: &Value) {
    let line = json!({ "jsonrpc": "2.0", "method": method, "params": params });
    write_json(out, &line);
    out.push(b'\n');
}

fn write_json(out: &mut Vec<u8>, value: &Value) {
    serde_json::to_writer(out, value).expect("a value is JSON and memory takes it");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(line: &str) -> i32 {
        match read_line(line.as_bytes(), 3) {
            RpcLine::One(Err(wrong)) => wrong.error.code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_keeps_its_id_as_it_was_written() {
        for id in ["1", "-7.5e3", "\"a b\"", "null", "123456789012345678901234"] {
            let line = format!(r#"{{"jsonrpc":"2.0","method":"m","id":{id}}}"#);
            let RpcLine::One(Ok(request)) = read_line(line.as_bytes(), 3) else {
                panic!("{line}")
            };
            assert_eq!(request.id.map(RawValue::get), Some(id));
        }
    }

    #[test]
    fn a_request_without_an_id_is_a_notification() {
        let RpcLine::One(Ok(request)) = read_line(br#"{"jsonrpc":"2.0","method":"m"}"#, 3) else {
            panic!()
        };
        assert!(request.id.is_none());
    }

    #[test]
    fn what_is_no_request_has_the_code_of_the_specification() {
        for (line, expected) in [
            ("{", RpcError::PARSE),
            ("nonsense", RpcError::PARSE),
            ("{} {}", RpcError::PARSE),
            ("7", RpcError::INVALID_REQUEST),
            ("null", RpcError::INVALID_REQUEST),
            ("[]", RpcError::INVALID_REQUEST),
            ("{}", RpcError::INVALID_REQUEST),
            (
                r#"{"jsonrpc":"1.0","method":"m","id":1}"#,
                RpcError::INVALID_REQUEST,
            ),
            (
                r#"{"jsonrpc":"2.0","method":5,"id":1}"#,
                RpcError::INVALID_REQUEST,
            ),
            (
                r#"{"jsonrpc":"2.0","method":"m","id":{}}"#,
                RpcError::INVALID_REQUEST,
            ),
            (
                r#"{"jsonrpc":"2.0","method":"m","params":1,"id":1}"#,
                RpcError::INVALID_REQUEST,
            ),
            (r"[1,2,3,4]", RpcError::LIMIT),
        ] {
            assert_eq!(code(line), expected, "{line}");
        }
    }

    #[test]
    fn a_batch_is_read_one_by_one_and_a_bad_one_spoils_no_other() {
        let line = br#"[{"jsonrpc":"2.0","method":"m","id":1}, 7, {"jsonrpc":"2.0","id":"x"}]"#;
        let RpcLine::Batch(requests) = read_line(line, 3) else {
            panic!()
        };
        assert!(requests[0].is_ok());
        assert_eq!(
            requests[1].as_ref().unwrap_err().id.map(RawValue::get),
            None
        );
        assert_eq!(
            requests[2].as_ref().unwrap_err().id.map(RawValue::get),
            Some("\"x\"")
        );
    }

    #[test]
    fn nesting_as_deep_as_a_line_is_long_is_refused_and_costs_no_stack() {
        let deep = "[".repeat(1 << 19) + &"]".repeat(1 << 19);
        assert_eq!(
            code(&format!(r#"{{"jsonrpc":"2.0","method":{deep}}}"#)),
            RpcError::INVALID_REQUEST
        );
        assert_eq!(code(&"[".repeat(1 << 20)), RpcError::PARSE);
        let line = format!(r#"{{"jsonrpc":"2.0","method":"m","params":{deep}}}"#);
        let RpcLine::One(Ok(request)) = read_line(line.as_bytes(), 3) else {
            panic!()
        };
        let wrong = request.params.read::<Value>().unwrap_err();
        assert_eq!(wrong.code, RpcError::INVALID_PARAMS);
        let deep = r#"{"a":"#.repeat(1 << 17) + "1" + &"}".repeat(1 << 17);
        let line = format!(r#"{{"jsonrpc":"2.0","method":"m","params":{deep}}}"#);
        let RpcLine::One(Ok(request)) = read_line(line.as_bytes(), 3) else {
            panic!()
        };
        assert!(request.params.read::<Value>().is_err());
    }

    #[test]
    fn answers_are_one_line_each() {
        let mut out = Vec::new();
        answer(&mut out, None, &Ok(json!({ "text": "a\nb" })));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"jsonrpc":"2.0","id":null,"result":{"text":"a\nb"}}"#
        );
        let mut out = Vec::new();
        let error = RpcError::new(RpcError::NOT_FOUND, "no");
        answer(&mut out, None, &Err(error));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"no"}}"#
        );
    }
}
