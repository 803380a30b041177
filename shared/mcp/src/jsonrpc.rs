//! JSON-RPC 2.0 messages, as MCP restricts them: no batches, ids are strings or integers.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json, value::RawValue};

/// The body is not JSON.
pub(crate) const PARSE_ERROR: i32 = -32700;
/// The body is JSON, but no message.
pub(crate) const INVALID_REQUEST: i32 = -32600;
/// Nobody serves the method.
pub(crate) const METHOD_NOT_FOUND: i32 = -32601;
/// The method is known, its parameters are wrong.
pub(crate) const INVALID_PARAMS: i32 = -32602;
/// Our fault.
pub(crate) const INTERNAL_ERROR: i32 = -32603;
/// Refused for a reason outside JSON-RPC.
pub(crate) const SERVER_ERROR: i32 = -32000;
/// No resource has that URI, until 2025-11-25. Later it is [`INVALID_PARAMS`].
pub(crate) const RESOURCE_NOT_FOUND: i32 = -32002;
/// A header says another thing than the body, 2026-07-28.
pub(crate) const HEADER_MISMATCH: i32 = -32020;
/// The client has not declared a capability that the request needs, 2026-07-28.
pub(crate) const MISSING_CAPABILITY: i32 = -32021;
/// The version of the request is not served, 2026-07-28.
pub(crate) const UNSUPPORTED_VERSION: i32 = -32022;

/// The id of a request, in the client's own spelling so that it is echoed unchanged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Id<'a>(&'a str);

impl<'a> Id<'a> {
    /// The id of a reply to a message whose id is not known.
    pub(crate) const NULL: Self = Id("null");

    fn from_raw(raw: &'a RawValue) -> Option<Self> {
        let text = raw.get();
        let digits = text.strip_prefix('-').unwrap_or(text);
        let valid = text.starts_with('"') || digits.bytes().all(|b| b.is_ascii_digit());
        valid.then_some(Id(text))
    }
}

/// A call that wants an answer.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) id: Id<'a>,
    pub(crate) method: String,
    pub(crate) params: Option<&'a RawValue>,
}

/// A message from a client.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    /// Wants an answer.
    Request(Request<'a>),
    /// A notification, or a response to a request that we never sent: nothing to answer.
    OneWay,
}

/// A JSON-RPC error object.
#[derive(Debug)]
pub(crate) struct Error {
    code: i32,
    message: Cow<'static, str>,
    data: Option<Value>,
}

impl Error {
    /// An error with a text for the developer of the client.
    pub(crate) fn new(code: i32, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The same with something for the client's program.
    pub(crate) fn with_data(self, data: Value) -> Self {
        Self { data: Some(data), ..self }
    }
}

/// Read one message.
///
/// The error comes with the id to answer under. Syntax is checked without recursion, so that no
/// depth of nesting can exhaust the stack.
pub(crate) fn parse(body: &[u8]) -> Result<Message<'_>, (Id<'_>, Error)> {
    let Ok(raw) = serde_json::from_slice::<&RawValue>(body) else {
        return Err((Id::NULL, Error::new(PARSE_ERROR, "The body is not JSON.")));
    };
    match raw.get().as_bytes().first() {
        Some(b'{') => {}
        Some(b'[') => return Err(invalid(Id::NULL, "Batches are not supported.")),
        _ => return Err(invalid(Id::NULL, "A message is a JSON object.")),
    }
    let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(raw.get()) else {
        return Err(invalid(Id::NULL, "A member of the message is given twice."));
    };
    envelope.classify()
}

/// The body of a successful answer.
pub(crate) fn success(id: Id<'_>, result: &Value) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, id.0)
}

/// The body of an error.
pub(crate) fn failure(id: Id<'_>, error: &Error) -> String {
    let mut shown = json!({ "code": error.code, "message": error.message });
    if let Some(data) = &error.data {
        shown["data"] = data.clone();
    }
    format!(r#"{{"jsonrpc":"2.0","id":{},"error":{shown}}}"#, id.0)
}

fn invalid<'a>(id: Id<'a>, message: &'static str) -> (Id<'a>, Error) {
    (id, Error::new(INVALID_REQUEST, message))
}

/// The members that tell what kind of message it is; `None` is absent, `null` is present.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// An `Option` alone would take `null` for absent.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(from: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl<'a> Envelope<'a> {
    fn classify(self) -> Result<Message<'a>, (Id<'a>, Error)> {
        let known = self.id.and_then(Id::from_raw);
        let reply_to = known.unwrap_or(Id::NULL);
        if self.jsonrpc.and_then(string).as_deref() != Some("2.0") {
            return Err(invalid(reply_to, "`jsonrpc` must be \"2.0\"."));
        }
        let Some(method) = self.method else {
            // One of the two makes a response.
            return match (self.result, self.error) {
                (Some(_), None) | (None, Some(_)) => Ok(Message::OneWay),
                _ => Err(invalid(reply_to, "`method` is missing.")),
            };
        };
        let Some(method) = string(method) else {
            return Err(invalid(reply_to, "`method` must be a string."));
        };
        match (self.id, known) {
            (None, _) => Ok(Message::OneWay),
            (Some(_), Some(id)) => {
                Ok(Message::Request(Request { id, method, params: self.params }))
            }
            (Some(_), None) => Err(invalid(Id::NULL, "`id` must be a string or an integer.")),
        }
    }
}

fn string(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}
