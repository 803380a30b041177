//! What can go wrong with a request, and how it is told: Neon's error object and a status.

use std::io;

use fallible_iterator::FallibleIterator;
use http::StatusCode;
use postgres_protocol::message::backend::ErrorResponseBody;
use serde::Serialize;

use crate::budget::Exhausted;

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The request is not one we understand.
    #[error("bad request: {0}")]
    BadRequest(String),
    /// More statements or parameters than one request may have.
    #[error("{0}")]
    TooMany(&'static str),
    /// SQL text with a zero byte, which Postgres cannot read.
    #[error("{0} has a zero byte")]
    ZeroByte(String),
    /// There is nothing at this path.
    #[error("not found")]
    NotFound,
    /// The path has another method.
    #[error("method not allowed")]
    Method,
    /// User or shared secret are wrong or missing.
    #[error("password authentication failed")]
    Refused,
    /// Postgres refused the statement, or ended the session with a reason.
    #[error("{}: {}", .0.code.as_deref().unwrap_or("?"), .0.message)]
    Sql(Box<ErrorObject>),
    /// A prepared statement is no longer what it was. Nothing was committed.
    #[error("{}: {}", .0.code.as_deref().unwrap_or("?"), .0.message)]
    Stale(Box<ErrorObject>),
    /// The request body did not arrive in time.
    #[error("the request did not arrive in time")]
    SlowRequest,
    /// The request body is over the limit.
    #[error("request is too large")]
    RequestTooLarge,
    /// The response body would be over the limit. The statements may have been committed.
    #[error("response is too large")]
    ResponseTooLarge,
    /// All requests together hold as much memory as they may; nothing was sent.
    #[error("too much is under way")]
    Overloaded,
    /// The same for a response. The statements may have been committed.
    #[error("no room for the response")]
    NoRoom,
    /// No connection became free in time; nothing was sent.
    #[error("all connections are in use")]
    Busy,
    /// No connection to Postgres could be had; nothing was sent.
    #[error("cannot connect to Postgres: {0}")]
    Unreachable(String),
    /// The connection broke after the statements were sent: they may have been committed.
    #[error("lost the connection to Postgres: {0}")]
    Lost(String),
    /// The deadline passed while statements ran: they were cancelled, or may have been committed.
    #[error("request deadline exceeded")]
    Deadline,
    /// Postgres sent a value that is not what its type says.
    #[error("unreadable value from Postgres: {0}")]
    Unreadable(String),
}

impl Failure {
    /// Neon answers 400 to everything the caller can mend; the driver reads JSON only then.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::TooMany(_) | Self::ZeroByte(_) | Self::Refused => {
                StatusCode::BAD_REQUEST
            }
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Sql(error) if error.is_fatal() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Sql(_) | Self::Stale(_) => StatusCode::BAD_REQUEST,
            Self::SlowRequest => StatusCode::REQUEST_TIMEOUT,
            Self::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ResponseTooLarge | Self::NoRoom => StatusCode::INSUFFICIENT_STORAGE,
            Self::Overloaded | Self::Busy | Self::Unreachable(_) | Self::Lost(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Deadline => StatusCode::GATEWAY_TIMEOUT,
            Self::Unreadable(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// True when nothing was sent to Postgres and the same request may do better soon.
    pub(crate) fn is_retryable(&self) -> bool {
        matches!(self, Self::Overloaded | Self::Busy | Self::Unreachable(_))
    }

    /// The error object for the client. Causes that describe our surroundings stay in the log.
    pub(crate) fn object(&self) -> ErrorObject {
        match self {
            Self::Sql(error) | Self::Stale(error) => (**error).clone(),
            Self::BadRequest(_) | Self::SlowRequest | Self::NotFound | Self::Method => {
                ErrorObject::new("08P01", &self.to_string())
            }
            Self::ZeroByte(_) => ErrorObject::new("22021", &self.to_string()),
            Self::Refused => ErrorObject::new("28P01", &self.to_string()),
            Self::TooMany(_) | Self::RequestTooLarge | Self::ResponseTooLarge => {
                ErrorObject::new("54000", &self.to_string())
            }
            Self::Overloaded | Self::NoRoom => ErrorObject::new("53200", &self.to_string()),
            Self::Busy => ErrorObject::new("53300", &self.to_string()),
            Self::Unreachable(_) => ErrorObject::new("08006", "cannot connect to Postgres"),
            Self::Lost(_) => ErrorObject::new(
                "08007",
                "lost the connection to Postgres; the outcome of the request is unknown",
            ),
            Self::Deadline => ErrorObject::new("57014", &self.to_string()),
            Self::Unreadable(_) => ErrorObject::new("XX000", "unreadable value from Postgres"),
        }
    }

    /// True for what an operator should hear of; errors of callers are the callers' business.
    pub(crate) fn is_our_trouble(&self) -> bool {
        self.status().is_server_error() && !matches!(self, Self::ResponseTooLarge)
    }
}

impl From<Exhausted> for Failure {
    fn from(Exhausted: Exhausted) -> Self {
        Self::Overloaded
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

/// Neon's error object; what Postgres did not say is `null`.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorObject {
    pub(crate) message: String,
    pub(crate) code: Option<String>,
    detail: Option<String>,
    hint: Option<String>,
    position: Option<String>,
    internal_position: Option<String>,
    internal_query: Option<String>,
    severity: Option<String>,
    r#where: Option<String>,
    table: Option<String>,
    column: Option<String>,
    schema: Option<String>,
    data_type: Option<String>,
    constraint: Option<String>,
    file: Option<String>,
    line: Option<String>,
    routine: Option<String>,
    /// Severity in English, whatever the language of the server's messages.
    #[serde(skip)]
    severity_code: Option<String>,
}

impl ErrorObject {
    /// An error of our own.
    pub(crate) fn new(code: &str, message: &str) -> Self {
        Self {
            message: message.to_owned(),
            code: Some(code.to_owned()),
            severity: Some("ERROR".to_owned()),
            ..Self::default()
        }
    }

    /// Reads an `ErrorResponse` (protocol 3.0, "Error and Notice Message Fields").
    pub(crate) fn read(body: &ErrorResponseBody) -> Self {
        let mut error = Self::default();
        let mut fields = body.fields();
        while let Ok(Some(field)) = fields.next() {
            let value = String::from_utf8_lossy(field.value_bytes()).into_owned();
            let place = match field.type_() {
                b'M' => {
                    error.message = value;
                    continue;
                }
                b'S' => &mut error.severity,
                b'V' => &mut error.severity_code,
                b'C' => &mut error.code,
                b'D' => &mut error.detail,
                b'H' => &mut error.hint,
                b'P' => &mut error.position,
                b'p' => &mut error.internal_position,
                b'q' => &mut error.internal_query,
                b'W' => &mut error.r#where,
                b's' => &mut error.schema,
                b't' => &mut error.table,
                b'c' => &mut error.column,
                b'd' => &mut error.data_type,
                b'n' => &mut error.constraint,
                b'F' => &mut error.file,
                b'L' => &mut error.line,
                b'R' => &mut error.routine,
                _ => continue,
            };
            *place = Some(value);
        }
        error
    }

    /// True when the session is over: the server shuts down, or an operator ended it.
    pub(crate) fn is_fatal(&self) -> bool {
        matches!(self.severity_code.as_deref(), Some("FATAL" | "PANIC"))
    }

    /// True when a prepared statement does not fit the tables any more, or is gone. Routines have
    /// the same name in every language.
    pub(crate) fn is_stale(&self) -> bool {
        matches!(
            (self.code.as_deref(), self.routine.as_deref()),
            (Some("0A000"), Some("RevalidateCachedQuery"))
                | (Some("26000"), Some("FetchPreparedStatement"))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_fields_are_null() {
        let json = serde_json::to_value(Failure::Refused.object()).unwrap();
        assert_eq!(json["code"], "28P01");
        assert_eq!(json.as_object().unwrap().len(), 17);
        assert!(json["internalQuery"].is_null() && json["dataType"].is_null());
    }

    #[test]
    fn causes_stay_inside() {
        let failure = Failure::Unreachable("10.0.0.7 refused".to_owned());
        assert_eq!(failure.status(), 503);
        assert!(!failure.object().message.contains("10.0.0.7"));
        assert!(failure.is_retryable() && !Failure::Lost(String::new()).is_retryable());
    }
}
