//! What every request goes through: route and method, trace and request id, CORS, the settings, the
//! bounded body, the handler, security headers, the log line.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use breaker::{Breakers, Guarded};
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CONTENT_SECURITY_POLICY, ORIGIN,
    REFERRER_POLICY, RETRY_AFTER, STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use oauth::OAuthError;
use observe::trace::Trace;
use observe::{Facts, RequestLine, Severity};
use ports::route::{HEALTH_LIVE, HEALTH_READY, Match, Route, find};
use ports::{Clock, Config, ConfigError, Log, Millis, Place, Platform, Random, Request, Response};

use crate::traced::Traced;
use crate::{Endpoint, Origins, respond};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request whose body has been read as far as its route allows.
pub type Incoming = http::Request<Result<Bytes, BodyError>>;

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// It is larger than the route allows.
    TooLarge,
    /// The connection broke.
    Unreadable,
}

/// A function's settings, read once, and what it has learnt of its dependencies, kept as long as the
/// platform keeps the instance.
pub struct Instance<E: Endpoint> {
    settings: Result<E::Settings, ConfigError>,
    origins: Result<Origins, ConfigError>,
    log: Result<Severity, ConfigError>,
    breakers: Breakers,
    store: Result<(), ConfigError>,
    fault: Rc<Cell<Option<ConfigError>>>,
}

impl<E: Endpoint> Instance<E> {
    /// Read the settings; what is wrong with them comes out when a request needs them.
    pub fn new(config: &impl Config) -> Self {
        Self {
            settings: E::configure(config),
            origins: Origins::load(config),
            log: Severity::least(config),
            breakers: Breakers::default(),
            store: Ok(()),
            fault: Rc::default(),
        }
    }

    /// On a platform that has a choice of stores for the ledgers: what came of it.
    #[must_use]
    pub fn with_store<T>(self, choice: Result<T, ConfigError>) -> Self {
        Self { store: choice.map(drop), ..self }
    }

    /// On a platform that says only in use what it does not allow a function: where it says so. From
    /// then on nothing is served, as with any setting that is wrong.
    #[must_use]
    pub fn with_fault(self, fault: Rc<Cell<Option<ConfigError>>>) -> Self {
        Self { fault, ..self }
    }

    fn ready(&self) -> Result<(&E::Settings, &Origins), ConfigError> {
        self.fault.get().map_or(Ok(()), Err)?;
        self.store?;
        self.log?;
        let origins = self.origins.as_ref().map_err(|error| *error)?;
        let settings = self.settings.as_ref().map_err(|error| *error)?;
        Ok((settings, origins))
    }
}

/// How many bytes the body of a request may have; more need not be read.
pub fn body_limit(path: &str) -> usize {
    find(path).map_or(0, |found| found.route.body_limit)
}

/// Answer a request and log it.
pub async fn serve<E: Endpoint>(
    platform: &impl Platform,
    instance: &Instance<E>,
    incoming: Incoming,
) -> Response {
    let (parts, body) = incoming.into_parts();
    let least = instance.log.unwrap_or_default();
    let visit = Visit { least, ..Visit::begin(platform, E::FUNCTION.name(), &parts) };
    let found = find(parts.uri.path()).filter(|found| found.route.function == E::FUNCTION);
    let traced = Traced::new(platform, &visit.trace.request_id, &visit.trace.trace_id);
    let mut response = answer(&traced, instance, &parts, body, found).await;
    cross_origin(&mut response, &parts, found, instance.origins.as_ref().ok());
    visit.end(platform, found.map_or("none", |found| found.route.path), response)
}

/// A request from its arrival to its answer and log line.
pub struct Visit<'a> {
    service: &'static str,
    method: &'a Method,
    began: Millis,
    trace: Trace,
    least: Severity,
}

impl<'a> Visit<'a> {
    /// A request has arrived.
    pub fn begin(
        platform: &(impl Clock + Random),
        service: &'static str,
        parts: &'a Parts,
    ) -> Self {
        Self {
            service,
            method: &parts.method,
            began: platform.now(),
            trace: Trace::of(&parts.headers, platform),
            least: Severity::default(),
        }
    }

    /// Its answer leaves: with the headers of every answer, and noted in the log if it matters.
    pub fn end(
        self,
        platform: &(impl Clock + Log),
        route: &str,
        mut response: Response,
    ) -> Response {
        if *self.method == Method::HEAD {
            *response.body_mut() = Bytes::new();
        }
        secure(&mut response);
        respond::set(&mut response, REQUEST_ID, &self.trace.request_id);
        let facts = response.extensions_mut().remove::<Facts>().unwrap_or_default();
        let status = response.status().as_u16();
        if Severity::of(status, facts.failed) >= self.least {
            platform.line(&self.line(platform.now(), route, status, &facts).to_json());
        }
        response
    }

    fn line<'l>(
        &'l self,
        now: Millis,
        route: &'l str,
        status: u16,
        facts: &'l Facts,
    ) -> RequestLine<'l> {
        RequestLine {
            timestamp: self.began,
            severity: Severity::of(status, facts.failed),
            service: self.service,
            method: self.method.as_str(),
            route,
            status,
            duration_ms: now.saturating_sub(self.began),
            trace_id: &self.trace.trace_id,
            span_id: &self.trace.span_id,
            request_id: &self.trace.request_id,
            client_id: facts.client_id.as_deref(),
            session_id: facts.session_id.as_deref(),
            outcome: facts.outcome.as_deref(),
            cause: facts.cause.as_deref(),
        }
    }
}

async fn answer<E: Endpoint>(
    platform: &impl Platform,
    instance: &Instance<E>,
    parts: &Parts,
    body: Result<Bytes, BodyError>,
    found: Option<Match<'_>>,
) -> Response {
    let Some(found) = found else {
        return respond::not_found();
    };
    if parts.method == Method::OPTIONS {
        return respond::empty(StatusCode::NO_CONTENT);
    }
    if !found.route.allows(&parts.method) {
        return respond::method_not_allowed(found.route.methods);
    }
    // Liveness is about the function alone, whatever its settings.
    if found.route.path == HEALTH_LIVE {
        return respond::json(StatusCode::OK, &serde_json::json!({ "status": "healthy" }));
    }
    let settings = match instance.ready() {
        Ok((settings, _)) => settings,
        Err(error) => return misconfigured(error, found.route),
    };
    match body {
        Ok(body) => {
            let mut request = Request::new(body);
            *request.method_mut() = parts.method.clone();
            *request.uri_mut() = parts.uri.clone();
            *request.headers_mut() = parts.headers.clone();
            if let Some(place) = parts.extensions.get::<Place>() {
                request.extensions_mut().insert(place.clone());
            }
            let guarded = Guarded::new(platform, E::GUARDED.then_some(&instance.breakers));
            let response = E::handle(&guarded, settings, &found, &request).await;
            match instance.fault.get() {
                Some(error) => misconfigured(error, found.route),
                None => paused(response, guarded.wait()),
            }
        }
        Err(error) => no_body(found.route, error),
    }
}

/// An answer that waits for a dependency that is left alone says for how long it is.
fn paused(mut response: Response, wait: Option<Duration>) -> Response {
    let unavailable = response.status() == StatusCode::SERVICE_UNAVAILABLE;
    if let Some(wait) = wait.filter(|_| unavailable) {
        let seconds = wait.as_millis().div_ceil(1000);
        respond::set(&mut response, RETRY_AFTER, &seconds.max(1).to_string());
    }
    response
}

/// The log says which setting it is, and so does the answer to whoever asks for readiness; neither
/// says its value.
pub(crate) fn misconfigured(error: ConfigError, route: &Route) -> Response {
    let named = (route.path == HEALTH_READY).then(|| error.to_string());
    let usual = "the service is not configured; its log says which setting";
    let detail = named.as_deref().unwrap_or(usual);
    let response = respond::problem(StatusCode::SERVICE_UNAVAILABLE, "misconfigured", detail);
    respond::noted(
        respond::retry_later(response),
        Facts::outcome("misconfigured").because(error.to_string()),
    )
}

fn no_body(route: &Route, error: BodyError) -> Response {
    let (status, code, detail) = match error {
        BodyError::TooLarge => {
            (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body exceeds the route's limit")
        }
        BodyError::Unreadable => {
            (StatusCode::BAD_REQUEST, "body_unreadable", "the body could not be read")
        }
    };
    if route.speaks_oauth() {
        respond::oauth_error(&OAuthError::invalid_request(detail), status)
    } else {
        respond::problem(status, code, detail)
    }
}

/// Headers that keep browsers from making more of a response than it is.
fn secure(response: &mut Response) {
    let headers = response.headers_mut();
    // A page has a policy of its own, which also allows its style.
    let policy = headers.entry(CONTENT_SECURITY_POLICY);
    policy.or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    for (name, value) in [
        (STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// CORS: discovery documents are for every origin, the rest for the allowed ones. No cookies are
/// involved, so credentials are never allowed.
fn cross_origin(
    response: &mut Response,
    parts: &Parts,
    found: Option<Match<'_>>,
    origins: Option<&Origins>,
) {
    let Some(found) = found else { return };
    if found.route.path.starts_with("/.well-known/") {
        // Whatever the request says, as a shared cache may answer the next one with this.
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else {
        response.headers_mut().append(VARY, HeaderValue::from_static("Origin"));
        let origin = parts.headers.get(ORIGIN).filter(|origin| {
            origin.to_str().is_ok_and(|o| origins.is_some_and(|known| known.allow(o)))
        });
        let Some(origin) = origin else { return };
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        let exposed = "www-authenticate, dpop-nonce, retry-after, ratelimit, ratelimit-policy, \
             x-request-id";
        respond::set(response, ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    if parts.method == Method::OPTIONS {
        let methods = respond::allowed(found.route.methods);
        respond::set(response, ACCESS_CONTROL_ALLOW_METHODS, &methods);
        let headers =
            "authorization, content-type, dpop, mcp-protocol-version, mcp-session-id, traceparent";
        respond::set(response, ACCESS_CONTROL_ALLOW_HEADERS, headers);
        respond::set(response, ACCESS_CONTROL_MAX_AGE, "600");
    }
}
