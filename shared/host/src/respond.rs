//! Answers, in the few shapes that the service has: JSON, OAuth errors, problem details, challenges,
//! pages.

use auth::Failure;
use auth::bearer::{BearerError, Scheme};
use auth::proof::{self, Nonces};
use auth::sessions::SessionsError;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use ledger::{Budget, Class, Millis};
use oauth::dpop;
use oauth::{ErrorCode, OAuthError};
use observe::Facts;
use ports::route::{PROTECTED_RESOURCE_METADATA, Route};
use ports::{Request, Response};
use serde::Serialize;

pub use crate::page::{html, see_other};

/// After this many seconds a client should try again when a dependency was away.
const RETRY_AFTER_SECONDS: &str = "5";
const REALM: &str = "atoms-edge";

/// A JSON body that no cache may keep.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = typed(status, "application/json", body);
    set(&mut response, CACHE_CONTROL, "no-store");
    response
}

/// A JSON body of an OAuth endpoint: RFC 6749 section 5.1 wants both cache headers.
pub fn oauth(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = json(status, body);
    set(&mut response, PRAGMA, "no-cache");
    response
}

/// A text of an OAuth endpoint that is no JSON: a signed answer.
pub fn oauth_text(content_type: &'static str, text: String) -> Response {
    let mut response = Response::new(text.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    set(&mut response, CACHE_CONTROL, "no-store");
    set(&mut response, PRAGMA, "no-cache");
    response
}

/// An error of an OAuth endpoint, RFC 6749 section 5.2.
pub fn oauth_error(error: &OAuthError, status: StatusCode) -> Response {
    #[derive(Serialize)]
    struct Body {
        error: &'static str,
        error_description: &'static str,
    }
    let body = Body { error: error.code.as_str(), error_description: error.description };
    let response = oauth(status, &body);
    noted(response, Facts::outcome(error.code.as_str()))
}

/// Client authentication failed: 401, and a challenge in kind if the header was used.
pub fn invalid_client(basic: bool) -> Response {
    let error = OAuthError::new(ErrorCode::InvalidClient, "client authentication failed");
    let mut response = oauth_error(&error, StatusCode::UNAUTHORIZED);
    if basic {
        set(&mut response, WWW_AUTHENTICATE, &format!("Basic realm=\"{REALM}\""));
    }
    response
}

/// A dependency of an OAuth endpoint is away: 503, and when to try again.
pub fn oauth_unavailable() -> Response {
    let error = OAuthError::new(
        ErrorCode::TemporarilyUnavailable,
        "the service cannot decide this at the moment; try again",
    );
    retry_later(oauth_error(&error, StatusCode::SERVICE_UNAVAILABLE))
}

/// Too many requests at an OAuth endpoint.
pub fn oauth_busy() -> Response {
    let error =
        OAuthError::new(ErrorCode::TemporarilyUnavailable, "too many requests; try again later");
    oauth_error(&error, StatusCode::TOO_MANY_REQUESTS)
}

/// A defect of ours at an OAuth endpoint.
pub fn oauth_internal() -> Response {
    let error = OAuthError::new(ErrorCode::ServerError, "the service failed");
    oauth_error(&error, StatusCode::INTERNAL_SERVER_ERROR)
}

/// Problem details, RFC 9457. `code` is for machines, `detail` for the developer of the client.
pub fn problem(status: StatusCode, code: &'static str, detail: &str) -> Response {
    #[derive(Serialize)]
    struct Problem<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        title: &'static str,
        status: u16,
        code: &'static str,
        detail: &'a str,
    }
    let title = status.canonical_reason().unwrap_or("Error");
    let body = Problem { kind: "about:blank", title, status: status.as_u16(), code, detail };
    let mut response = typed(status, "application/problem+json", &body);
    set(&mut response, CACHE_CONTROL, "no-store");
    noted(response, Facts::outcome(code))
}

/// A dependency is away: 503, and when to try again.
pub fn unavailable() -> Response {
    let detail = "a dependency does not answer; try again";
    retry_later(problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail))
}

/// A function cannot be reached: 503 in the shape of the route's own answers.
pub fn unavailable_at(route: Option<&Route>) -> Response {
    if route.is_some_and(Route::speaks_oauth) { oauth_unavailable() } else { unavailable() }
}

/// No route of this path.
pub fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
}

/// A defect of ours.
pub fn internal() -> Response {
    problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the service failed")
}

/// Not one of the route's methods.
pub fn method_not_allowed(methods: &[Method]) -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response = problem(status, "method_not_allowed", "the route has other methods");
    set(&mut response, ALLOW, &allowed(methods));
    response
}

/// The methods of a route as the `Allow` header has them.
pub fn allowed(methods: &[Method]) -> String {
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    names.join(", ")
}

/// How an OAuth endpoint answers a failure; its cause goes into the facts for the log.
pub fn failure(failure: Failure, now: Millis, facts: &mut Facts) -> Response {
    facts.cause = Some(failure.to_string());
    let response = match failure {
        Failure::Limited { budget } => limited(oauth_busy(), &budget, now),
        Failure::NotDue { due_at } => {
            let refresh_in = due_at.saturating_sub(now).div_ceil(1000);
            let body = serde_json::json!({ "refresh_due": false, "refresh_in": refresh_in });
            noted(oauth(StatusCode::OK, &body), Facts::outcome("not_due"))
        }
        Failure::Backoff { until } => {
            let error = OAuthError::new(
                ErrorCode::TemporarilyUnavailable,
                "too many failures of this client from this network; try again later",
            );
            let response = oauth_error(&error, StatusCode::TOO_MANY_REQUESTS);
            noted(wait(response, until.saturating_sub(now)), Facts::outcome("backoff"))
        }
        Failure::Misconfigured(_) => noted(oauth_unavailable(), Facts::outcome("misconfigured")),
        Failure::Refused { told, .. } => oauth_error(&told, told.code.status()),
        Failure::Forbidden { told } => oauth_error(&told, StatusCode::FORBIDDEN),
        Failure::Client { basic, .. } => invalid_client(basic),
        Failure::Unavailable(_) => oauth_unavailable(),
        Failure::Internal(_) => oauth_internal(),
    };
    if let Some(told) = response.extensions().get::<Facts>() {
        facts.outcome.clone_from(&told.outcome);
    }
    response
}

/// With the fields of draft-ietf-httpapi-ratelimit-headers and `Retry-After`.
///
/// An answer that may be had again has a limit of its own, which ends with the grace: to come back
/// after that would be reuse, so nobody is told to.
#[must_use]
pub fn limited(response: Response, budget: &Budget, now: Millis) -> Response {
    let response = budgeted(response, Some(*budget), now);
    match budget.class {
        Class::Replay => response,
        _ => wait(response, budget.reset_at.saturating_sub(now)),
    }
}

/// With what is left of the rate limit that the request has spent from, if it has.
#[must_use]
pub fn budgeted(mut response: Response, budget: Option<Budget>, now: Millis) -> Response {
    let Some(Budget { class, limit, remaining, reset_at }) = budget else { return response };
    let (name, wait) = (class.as_str(), reset_at.saturating_sub(now).div_ceil(1000));
    let policy = HeaderName::from_static("ratelimit-policy");
    set(&mut response, policy, &format!("\"{name}\";q={limit};w=60"));
    let state = HeaderName::from_static("ratelimit");
    set(&mut response, state, &format!("\"{name}\";r={remaining};t={wait}"));
    response
}

/// With `Retry-After`, in whole seconds and at least one.
fn wait(mut response: Response, time: Millis) -> Response {
    set(&mut response, RETRY_AFTER, &time.div_ceil(1000).max(1).to_string());
    response
}

/// More than the limit outside the OAuth endpoints: 429, and when to try again.
pub fn too_many(budget: &Budget, now: Millis) -> Response {
    let detail = "too many requests; try again later";
    limited(problem(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail), budget, now)
}

/// What a challenge names, RFC 6750 section 3, RFC 9728 section 5.1 and RFC 9449 section 7.1.
pub struct Challenge<'a> {
    /// Where the metadata of the resource is.
    pub metadata: &'a str,
    /// The scopes that would do.
    pub scope: Option<&'a str>,
    /// How the request has presented its token: an error is told in that scheme.
    pub scheme: Option<Scheme>,
}

impl Challenge<'_> {
    /// Put the challenge for more scope on a response.
    pub fn insufficient_scope(&self, response: &mut Response) {
        set(response, WWW_AUTHENTICATE, &self.header(Some("insufficient_scope")));
    }

    /// Both schemes in one field, Bearer first: some clients read the first one alone.
    fn header(&self, error: Option<&str>) -> String {
        let (bearer, dpop) = match self.scheme {
            Some(Scheme::Dpop) => (None, error),
            Some(Scheme::Bearer) | None => (error, None),
        };
        let mut header = format!("Bearer resource_metadata=\"{}\"", self.metadata);
        for (name, value) in [("error", bearer), ("scope", self.scope)] {
            if let Some(value) = value {
                header.push_str(&format!(", {name}=\"{value}\""));
            }
        }
        header.push_str(&format!(", {} algs=\"{}\"", dpop::SCHEME, dpop::ALGORITHMS.join(" ")));
        if let Some(error) = dpop {
            header.push_str(&format!(", error=\"{error}\""));
        }
        header
    }
}

/// A request is not let in: 401 and where to get another token, or what is wrong with the proof of its
/// key. Without a token the challenge names no error, RFC 6750 section 3.1.
pub fn not_let_in(challenge: &Challenge<'_>, error: &BearerError) -> Response {
    let (code, detail) = match error {
        BearerError::Missing => ("token_missing", "the request carries no access token"),
        BearerError::Invalid(_) => {
            ("invalid_token", "the access token is not in force for this resource")
        }
        BearerError::Proof(invalid) => (ErrorCode::InvalidDpopProof.as_str(), invalid.as_str()),
        BearerError::Nonce => (ErrorCode::UseDpopNonce.as_str(), proof::NONCE),
        BearerError::Unavailable(_) => return unavailable(),
        BearerError::Internal(_) => return internal(),
    };
    let mut response = problem(StatusCode::UNAUTHORIZED, code, detail);
    let named = (*error != BearerError::Missing).then_some(code);
    set(&mut response, WWW_AUTHENTICATE, &challenge.header(named));
    response
}

/// With the nonce for the next proof, if the request has to do with proofs: RFC 9449 section 8.2.
#[must_use]
pub fn nonced(mut response: Response, request: &Request, nonces: &Nonces, now: Millis) -> Response {
    let proves = request.headers().contains_key(dpop::HEADER);
    if proves || Scheme::of(request) == Some(Scheme::Dpop) {
        let nonce = nonces.current(now).unwrap_or_default();
        set(&mut response, HeaderName::from_static(dpop::NONCE_HEADER), &nonce);
    }
    response
}

/// The token does not allow this: 403 and what would.
pub fn insufficient_scope(challenge: &Challenge<'_>) -> Response {
    let detail = "the access token lacks a scope";
    let mut response = problem(StatusCode::FORBIDDEN, "insufficient_scope", detail);
    challenge.insufficient_scope(&mut response);
    response
}

/// No body.
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// Set a header; a value that no header can hold is left out.
pub fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// With facts for the log line.
#[must_use]
pub fn noted(mut response: Response, facts: Facts) -> Response {
    response.extensions_mut().insert(facts);
    response
}

/// With `Retry-After`.
#[must_use]
pub fn retry_later(mut response: Response) -> Response {
    set(&mut response, RETRY_AFTER, RETRY_AFTER_SECONDS);
    response
}

/// How the session endpoints answer a failure; its cause goes into the facts for the log.
pub fn sessions(
    issuer: &str,
    request: &Request,
    error: &SessionsError,
    now: Millis,
    mut facts: Facts,
) -> Response {
    let metadata = format!("{issuer}{PROTECTED_RESOURCE_METADATA}");
    let scheme = Scheme::of(request);
    let challenge = |scope| Challenge { metadata: &metadata, scope, scheme };
    let forbidden = |code, detail| problem(StatusCode::FORBIDDEN, code, detail);
    let response = match error {
        SessionsError::Bearer(error) => not_let_in(&challenge(None), error),
        SessionsError::Scope(scope) => insufficient_scope(&challenge(Some(scope))),
        SessionsError::ThirdParty => forbidden(
            "first_party_only",
            "only first-party clients may manage sessions and read the audit trail",
        ),
        SessionsError::OperatorOnly => {
            forbidden("operator_only", "only operators may name another person")
        }
        SessionsError::NotOwn => {
            forbidden("not_own_session", "a session is extended by its own tokens only")
        }
        SessionsError::UserMissing => {
            let detail = "an operator names the person by `user`";
            problem(StatusCode::BAD_REQUEST, "user_missing", detail)
        }
        SessionsError::Filter(detail) => problem(StatusCode::BAD_REQUEST, "invalid_filter", detail),
        SessionsError::NotFound => {
            let detail = "the person has no active session of this id";
            problem(StatusCode::NOT_FOUND, "session_not_found", detail)
        }
        SessionsError::Exhausted => {
            let detail = "the session cannot be extended any more; sign in again";
            problem(StatusCode::CONFLICT, "extended_too_often", detail)
        }
        SessionsError::Limited(budget) => too_many(budget, now),
        SessionsError::Misconfigured(_) | SessionsError::Unavailable(_) => unavailable(),
        SessionsError::Internal(_) => internal(),
    };
    facts.cause = Some(error.to_string());
    noted(response, facts)
}

fn typed(status: StatusCode, content_type: &'static str, body: &impl Serialize) -> Response {
    // Our bodies are plain structs of strings and numbers; they always have a JSON form.
    let mut response = Response::new(serde_json::to_vec(body).unwrap_or_default().into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
