//! What the HTTP layer sends.

use http::StatusCode;
use serde_json::Value;

use crate::jsonrpc::{self, Error, Id};

/// One answer. Bodies are complete JSON-RPC messages of type `application/json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// 202 without a body: the message asks for no answer.
    Accepted,
    /// A JSON-RPC answer, a result or an error.
    Json {
        /// The HTTP status.
        status: StatusCode,
        /// The body.
        body: String,
        /// For the log only: what went wrong inside.
        internal: Option<String>,
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
            Self::InsufficientScope { .. } => StatusCode::FORBIDDEN,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The body; empty for [`Reply::Accepted`].
    pub fn body(&self) -> &str {
        match self {
            Self::Accepted => "",
            Self::Json { body, .. }
            | Self::InsufficientScope { body, .. }
            | Self::Unavailable { body, .. } => body,
        }
    }

    pub(crate) fn result(id: Id<'_>, result: &Value) -> Self {
        let body = jsonrpc::success(id, result);
        Self::Json { status: StatusCode::OK, body, internal: None }
    }

    pub(crate) fn error(status: StatusCode, id: Id<'_>, error: &Error) -> Self {
        Self::Json { status, body: jsonrpc::failure(id, error), internal: None }
    }

    pub(crate) fn internal(id: Id<'_>, cause: String) -> Self {
        let error = Error::new(jsonrpc::INTERNAL_ERROR, "Internal error.");
        let body = jsonrpc::failure(id, &error);
        Self::Json { status: StatusCode::OK, body, internal: Some(cause) }
    }

    pub(crate) fn insufficient_scope(id: Id<'_>, scope: &'static str) -> Self {
        let text = format!("The access token lacks the scope {scope}.");
        let body = jsonrpc::failure(id, &Error::new(jsonrpc::SERVER_ERROR, text));
        Self::InsufficientScope { required: vec![scope], body }
    }

    pub(crate) fn unavailable(id: Id<'_>, cause: String) -> Self {
        let text = "The database is not available at the moment. Try again later.";
        let body = jsonrpc::failure(id, &Error::new(jsonrpc::SERVER_ERROR, text));
        Self::Unavailable { body, cause }
    }
}
