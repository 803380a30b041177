//! What the HTTP layer sends.

use http::StatusCode;
use serde_json::Value;

use crate::jsonrpc::{self, Error, Id};

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// 202 without a body: the message asks for no answer.
    Accepted,
    /// A JSON-RPC answer, a result or an error, as `application/json`.
    Json {
        /// The HTTP status.
        status: StatusCode,
        /// The body.
        body: String,
        /// For the log only: what went wrong inside.
        internal: Option<String>,
    },
    /// A stream of server-sent events, whole: notifications, then the answer. `text/event-stream`.
    Events {
        /// The body.
        body: String,
    },
    /// 403 with `WWW-Authenticate: Bearer error="insufficient_scope"`.
    InsufficientScope {
        /// All scopes that the operation needs.
        required: Vec<&'static str>,
        /// The body.
        body: String,
    },
    /// 503 with `Retry-After`: the database is away.
    Unavailable {
        /// The body.
        body: String,
        /// For the log only.
        cause: String,
    },
}

impl Reply {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Accepted => StatusCode::ACCEPTED,
            Self::Json { status, .. } => *status,
            Self::Events { .. } => StatusCode::OK,
            Self::InsufficientScope { .. } => StatusCode::FORBIDDEN,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The body; empty for [`Reply::Accepted`].
    pub fn body(&self) -> &str {
        match self {
            Self::Accepted => "",
            Self::Json { body, .. }
            | Self::Events { body }
            | Self::InsufficientScope { body, .. }
            | Self::Unavailable { body, .. } => body,
        }
    }

    /// The type of the body.
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Events { .. } => "text/event-stream",
            _ => "application/json",
        }
    }

    /// A result, after the notifications that go before it.
    pub(crate) fn result(id: Id<'_>, notes: &[Value], result: &Value) -> Self {
        let answer = jsonrpc::success(id, result);
        if notes.is_empty() {
            return Self::Json { status: StatusCode::OK, body: answer, internal: None };
        }
        // No line of JSON has a line end in it.
        let mut body = String::new();
        for message in notes.iter().map(Value::to_string).chain([answer]) {
            body.push_str("event: message\ndata: ");
            body.push_str(&message);
            body.push_str("\n\n");
        }
        Self::Events { body }
    }

    pub(crate) fn error(status: StatusCode, id: Id<'_>, error: &Error) -> Self {
        Self::Json { status, body: jsonrpc::failure(id, error), internal: None }
    }

    pub(crate) fn internal(id: Id<'_>, cause: String) -> Self {
        let error = Error::new(jsonrpc::INTERNAL_ERROR, "Internal error.");
        let body = jsonrpc::failure(id, &error);
        Self::Json { status: StatusCode::OK, body, internal: Some(cause) }
    }

    pub(crate) fn insufficient_scope(id: Id<'_>, required: Vec<&'static str>) -> Self {
        let names = required.join(" ");
        let text = format!("The access token needs the scope {names}.");
        let body = jsonrpc::failure(id, &Error::new(jsonrpc::SERVER_ERROR, text));
        Self::InsufficientScope { required, body }
    }

    pub(crate) fn unavailable(id: Id<'_>, cause: String) -> Self {
        let text = "The database is not available at the moment. Try again later.";
        let body = jsonrpc::failure(id, &Error::new(jsonrpc::SERVER_ERROR, text));
        Self::Unavailable { body, cause }
    }
}
