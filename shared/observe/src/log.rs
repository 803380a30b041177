//! The log line of a request. Its fields are a fixed list: nothing else of a request or a response
//! can reach the log, so no token, secret, address or name can either.

use ports::{Config, ConfigError, Millis};
use serde::Serialize;

/// What a handler knows about a request beyond its HTTP surface. It travels in the extensions of
/// the response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The authenticated client.
    pub client_id: Option<String>,
    /// The session that the request was about.
    pub session_id: Option<String>,
    /// What came of it, in one word of ours: an error code, a refusal, a kind of success.
    pub outcome: Option<String>,
    /// The cause of a failure, for operators: never shown to clients, holds no secret.
    pub cause: Option<String>,
    /// Whether we failed, though the status does not say so: JSON-RPC tells errors in a 200.
    pub failed: bool,
}

impl Facts {
    /// Facts with an outcome.
    pub fn outcome(outcome: impl Into<String>) -> Self {
        Self { outcome: Some(outcome.into()), ..Self::default() }
    }

    /// With the cause of a failure.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }
}

/// One request, in the names of OpenTelemetry's semantic conventions where they have one.
#[derive(Debug, Serialize)]
pub struct RequestLine<'a> {
    /// Milliseconds since the epoch.
    pub timestamp: Millis,
    /// How much it matters.
    pub severity: Severity,
    /// The function.
    #[serde(rename = "service.name")]
    pub service: &'a str,
    /// The method.
    #[serde(rename = "http.request.method")]
    pub method: &'a str,
    /// The pattern of the route; a path could hold an id.
    #[serde(rename = "http.route")]
    pub route: &'a str,
    /// The status.
    #[serde(rename = "http.response.status_code")]
    pub status: u16,
    /// Time between request and response; on Workers only I/O moves the clock.
    pub duration_ms: Millis,
    /// The trace.
    pub trace_id: &'a str,
    /// Our span.
    pub span_id: &'a str,
    /// The request's own name, as answered in `x-request-id`.
    pub request_id: &'a str,
    /// See [`Facts`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<&'a str>,
    /// See [`Facts`].
    #[serde(rename = "session.id", skip_serializing_if = "Option::is_none")]
    pub session_id: Option<&'a str>,
    /// See [`Facts`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'a str>,
    /// See [`Facts`].
    #[serde(rename = "error.message", skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'a str>,
}

impl RequestLine<'_> {
    /// As one line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// How much a line matters, as OpenTelemetry's logs name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// What was answered, refusals among it: 4xx that point to an attack or a broken client too.
    #[default]
    Info,
    /// Somebody was limited.
    Warn,
    /// We failed.
    Error,
}

impl Severity {
    /// From `LOG_LEVEL`: requests that matter less have no line of their own.
    ///
    /// # Errors
    /// If there is no such level.
    pub fn least(config: &impl Config) -> Result<Self, ConfigError> {
        match config.get("LOG_LEVEL").as_deref() {
            None | Some("" | "info") => Ok(Self::Info),
            Some("warn") => Ok(Self::Warn),
            Some("error") => Ok(Self::Error),
            Some(_) => {
                Err(ConfigError { setting: "LOG_LEVEL", problem: "must be info, warn or error" })
            }
        }
    }

    /// Of a request by its status, and by whether we failed all the same.
    pub const fn of(status: u16, failed: bool) -> Self {
        match (status, failed) {
            (500.., _) | (_, true) => Self::Error,
            (429, false) => Self::Warn,
            _ => Self::Info,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_warning_and_a_failure_an_error_whatever_its_status() {
        for (status, failed, severity) in [
            (200, false, Severity::Info),
            (401, false, Severity::Info),
            (429, false, Severity::Warn),
            (503, false, Severity::Error),
            (200, true, Severity::Error),
            (429, true, Severity::Error),
        ] {
            assert_eq!(Severity::of(status, failed), severity, "{status} {failed}");
        }
        assert!(Severity::Info < Severity::Warn && Severity::Warn < Severity::Error);
        assert_eq!(serde_json::to_string(&Severity::Warn).ok().as_deref(), Some("\"WARN\""));
    }
}
