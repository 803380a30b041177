//! The request pipeline, natively: what every function does before and after its handler.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "what does not hold must end the test")]

use std::cell::Cell;

use bytes::Bytes;
use futures::executor::block_on;
use host::{BodyError, Endpoint, Incoming, Instance, body_limit, respond, serve};
use http::{HeaderMap, Method, StatusCode};
use observe::Facts;
use ports::config::required;
use ports::route::{Function, Match, ROUTES};
use ports::{Config, ConfigError, Place, Platform, Request, Response};
use serde_json::{Value, json};
use testing::{FakePlatform, NOW, PUBLIC_URL, World};

macro_rules! endpoint {
    ($name:ident, $function:expr) => {
        struct $name;

        impl Endpoint for $name {
            const FUNCTION: Function = $function;
            type Settings = String;

            fn configure(config: &impl Config) -> Result<String, ConfigError> {
                required(config, "WORKOS_ISSUER")
            }

            async fn handle(
                platform: &impl Platform,
                settings: &String,
                route: &Match<'_>,
                request: &Request,
            ) -> Response {
                platform.line("{\"handler\":true}");
                let body = json!({
                    "settings": settings,
                    "path": route.route.path,
                    "id": route.id,
                    "method": request.method().as_str(),
                    "received": request.body().len(),
                    "query": request.uri().query(),
                    "country": request.extensions().get::<Place>().and_then(|it| it.country.clone()),
                });
                let facts = Facts {
                    client_id: Some("atoms-web".to_owned()),
                    session_id: None,
                    outcome: Some("done".to_owned()),
                    cause: None,
                    failed: false,
                };
                HANDLED.with(|handled| handled.set(handled.get() + 1));
                respond::noted(respond::json(StatusCode::OK, &body), facts)
            }
        }
    };
}

std::thread_local! {
    static HANDLED: Cell<u32> = const { Cell::new(0) };
}

endpoint!(Authorize, Function::Authorize);
endpoint!(Token, Function::Token);
endpoint!(Revoke, Function::Revoke);
endpoint!(Introspect, Function::Introspect);
endpoint!(Sessions, Function::Sessions);
endpoint!(Mcp, Function::Mcp);
endpoint!(Health, Function::Health);

fn request(method: Method, path: &str, headers: &[(&str, &str)]) -> Incoming {
    let mut request = http::Request::builder().method(method).uri(format!("{PUBLIC_URL}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Ok(Bytes::new())).unwrap()
}

fn run<E: Endpoint>(platform: &FakePlatform, incoming: Incoming) -> Response {
    block_on(serve(platform, &Instance::<E>::new(platform), incoming))
}

fn at<E: Endpoint>(method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    run::<E>(&World::new().platform, request(method, path, headers))
}

fn body(response: &Response) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[test]
fn a_request_reaches_the_handler_of_its_route() {
    let response = at::<Sessions>(Method::DELETE, "/auth/sessions/abc?x=1", &[]);
    assert_eq!(response.status(), StatusCode::OK);
    let answer = body(&response);
    assert_eq!(answer["path"], "/auth/sessions/{id}");
    assert_eq!((&answer["id"], &answer["query"]), (&json!("abc"), &json!("x=1")));
    assert_eq!(answer["settings"], testing::WORKOS_ISSUER);
}

#[test]
fn unknown_paths_and_other_functions_paths_are_not_found() {
    for path in ["/", "/elsewhere", "/oauth/token/", "/auth/sessions", "/mcp"] {
        let response = at::<Token>(Method::POST, path, &[]);
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(header(&response, "content-type"), "application/problem+json");
        let problem = body(&response);
        assert_eq!(
            (&problem["type"], &problem["code"]),
            (&json!("about:blank"), &json!("not_found"))
        );
        assert_eq!((&problem["status"], &problem["title"]), (&json!(404), &json!("Not Found")));
    }
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    for (response, allow) in [
        (at::<Token>(Method::GET, "/oauth/token", &[]), "POST, OPTIONS"),
        (at::<Token>(Method::HEAD, "/oauth/token", &[]), "POST, OPTIONS"),
        (at::<Sessions>(Method::GET, "/auth/sessions/abc", &[]), "DELETE, OPTIONS"),
        (at::<Sessions>(Method::POST, "/auth/sessions", &[]), "GET, HEAD, OPTIONS"),
        (at::<Health>(Method::PUT, "/health/live", &[]), "GET, HEAD, OPTIONS"),
    ] {
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(header(&response, "allow"), allow);
    }
    assert_eq!(HANDLED.with(Cell::get), 0, "nothing was processed");
}

#[test]
fn head_is_get_without_the_body() {
    let get = at::<Authorize>(Method::GET, "/.well-known/jwks.json", &[]);
    let head = at::<Authorize>(Method::HEAD, "/.well-known/jwks.json", &[]);
    assert_eq!((get.status(), head.status()), (StatusCode::OK, StatusCode::OK));
    assert!(!get.body().is_empty() && head.body().is_empty());
    assert_eq!(header(&head, "content-type"), header(&get, "content-type"));
    let missing = at::<Authorize>(Method::HEAD, "/elsewhere", &[]);
    assert!(missing.body().is_empty());
}

#[test]
fn every_answer_has_the_security_headers_and_a_request_id() {
    let misconfigured = FakePlatform::new(NOW);
    for response in [
        at::<Token>(Method::POST, "/oauth/token", &[]),
        at::<Token>(Method::GET, "/oauth/token", &[]),
        at::<Token>(Method::OPTIONS, "/oauth/token", &[]),
        at::<Token>(Method::POST, "/elsewhere", &[]),
        run::<Token>(&misconfigured, request(Method::POST, "/oauth/token", &[])),
    ] {
        assert!(header(&response, "strict-transport-security").contains("max-age=31536000"));
        assert!(header(&response, "content-security-policy").starts_with("default-src 'none'"));
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert_eq!(header(&response, "referrer-policy"), "no-referrer");
        let id = header(&response, "x-request-id");
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert!(response.extensions().get::<Facts>().is_none(), "facts are for the log");
    }
}

struct Page;

impl Endpoint for Page {
    const FUNCTION: Function = Function::Sessions;
    type Settings = ();

    fn configure(_config: &impl Config) -> Result<(), ConfigError> {
        Ok(())
    }

    async fn handle(
        _platform: &impl Platform,
        _settings: &(),
        _route: &Match<'_>,
        _request: &Request,
    ) -> Response {
        respond::html(StatusCode::OK, pages::signed_out())
    }
}

#[test]
fn a_page_cannot_be_framed_kept_or_told_from_where_it_came_and_runs_nothing() {
    let response = at::<Page>(Method::GET, "/account", &[]);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ] {
        assert_eq!(header(&response, name), value, "{name}");
    }
    assert_eq!(response.headers().get_all("content-security-policy").iter().count(), 1);
    let policy: Vec<_> = header(&response, "content-security-policy").split("; ").collect();
    for directive in
        ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
    {
        assert!(policy.contains(&directive), "{directive}");
    }
    let style = policy.iter().find(|directive| directive.starts_with("style-src"));
    assert!(style.is_some_and(|style| style.starts_with("style-src 'sha256-")));
    assert_eq!(policy.len(), 5, "{policy:?}");
}

#[test]
fn request_ids_differ_and_are_not_the_callers() {
    let platform = World::new().platform;
    let chosen = [("x-request-id", "00000000000000000000000000000000")];
    let mut ids: Vec<String> = (0..10)
        .map(|_| run::<Token>(&platform, request(Method::POST, "/oauth/token", &chosen)))
        .map(|response| header(&response, "x-request-id").to_owned())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 10);
    assert!(!ids.contains(&chosen[0].1.to_owned()));
}

const APP: &str = "https://app.example";

fn with_origins() -> FakePlatform {
    let platform = World::new().platform;
    platform.set("ALLOWED_ORIGINS", APP);
    platform
}

#[test]
fn allowed_origins_may_read_answers() {
    let platform = with_origins();
    for origin in [APP, PUBLIC_URL] {
        let incoming = request(Method::POST, "/oauth/token", &[("origin", origin)]);
        let response = run::<Token>(&platform, incoming);
        assert_eq!(header(&response, "access-control-allow-origin"), origin);
        assert_eq!(header(&response, "vary"), "Origin");
        assert!(header(&response, "access-control-expose-headers").contains("www-authenticate"));
        assert_eq!(header(&response, "access-control-allow-credentials"), "", "never");
        assert_eq!(header(&response, "access-control-allow-methods"), "", "preflight only");
    }
    // Errors, too, can be read.
    let incoming = request(Method::GET, "/oauth/token", &[("origin", APP)]);
    let response = run::<Token>(&platform, incoming);
    assert_eq!(header(&response, "access-control-allow-origin"), APP);
}

#[test]
fn other_origins_may_not() {
    let platform = with_origins();
    for origin in ["https://evil.example", "null", "https://app.example.evil.example", "*"] {
        for method in [Method::POST, Method::OPTIONS] {
            let incoming = request(method, "/oauth/token", &[("origin", origin)]);
            let response = run::<Token>(&platform, incoming);
            let told = |name: &str| header(&response, name).to_owned();
            assert_eq!(told("access-control-allow-origin"), "", "{origin}");
            assert_eq!(told("access-control-allow-methods"), "", "{origin}");
            assert_eq!(told("vary"), "Origin");
        }
    }
    let none = at::<Token>(Method::POST, "/oauth/token", &[]);
    assert_eq!(header(&none, "access-control-allow-origin"), "");
}

#[test]
fn a_preflight_is_answered_without_the_handler() {
    let platform = with_origins();
    let headers = [
        ("origin", APP),
        ("access-control-request-method", "DELETE"),
        ("access-control-request-headers", "authorization"),
    ];
    let response =
        run::<Sessions>(&platform, request(Method::OPTIONS, "/auth/sessions/x", &headers));
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert!(response.body().is_empty());
    assert_eq!(header(&response, "access-control-allow-origin"), APP);
    assert!(header(&response, "access-control-allow-methods").contains("DELETE"));
    let allowed = header(&response, "access-control-allow-headers");
    for name in ["authorization", "content-type", "mcp-protocol-version"] {
        assert!(allowed.split(", ").any(|known| known == name), "{name}");
    }
    assert_eq!(header(&response, "access-control-max-age"), "600");
    assert_eq!(HANDLED.with(Cell::get), 0);
}

#[test]
fn discovery_is_for_every_origin() {
    let path = "/.well-known/oauth-authorization-server";
    for method in [Method::GET, Method::OPTIONS] {
        let response = at::<Authorize>(method, path, &[("origin", "https://any.example")]);
        assert_eq!(header(&response, "access-control-allow-origin"), "*");
    }
}

#[test]
fn what_is_misconfigured_says_so_and_names_the_setting_in_the_log_alone() {
    for (setting, value) in [
        ("WORKOS_ISSUER", ""),
        ("PUBLIC_URL", ""),
        ("PUBLIC_URL", "canary"),
        ("ALLOWED_ORIGINS", "canary"),
        ("LOG_LEVEL", "canary"),
    ] {
        let platform = World::new().platform;
        platform.set(setting, value);
        for method in [Method::POST, Method::HEAD] {
            let path = if method == Method::POST { "/oauth/token" } else { "/health" };
            let incoming = request(method.clone(), path, &[]);
            let response = if method == Method::POST {
                run::<Token>(&platform, incoming)
            } else {
                run::<Health>(&platform, incoming)
            };
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{setting}");
            assert!(!header(&response, "retry-after").is_empty());
            let told = String::from_utf8(response.body().to_vec()).unwrap();
            assert!(!told.contains(setting) && !told.contains("canary"), "{told}");
            let line = platform.lines().pop().unwrap();
            assert!(line.contains(setting) && !line.contains("canary"), "{line}");
            assert!(line.contains("\"outcome\":\"misconfigured\"") && line.contains("ERROR"));
        }
        let live = run::<Health>(&platform, request(Method::GET, "/health/live", &[]));
        assert_eq!(live.status(), StatusCode::OK, "{setting}");
        assert_eq!(body(&live), json!({ "status": "healthy" }));
    }
    assert_eq!(HANDLED.with(Cell::get), 0);
}

#[test]
fn without_a_store_for_the_ledgers_nothing_but_life_is_served() {
    let platform = World::new().platform;
    let wrong = ConfigError { setting: "LEDGER_STORE", problem: "is not set" };
    let ask = |path| {
        let instance = Instance::<Health>::new(&platform).with_store::<()>(Err(wrong));
        block_on(serve(&platform, &instance, request(Method::GET, path, &[])))
    };
    assert_eq!(ask("/health").status(), StatusCode::SERVICE_UNAVAILABLE);
    let line = platform.lines().pop().unwrap();
    assert!(line.contains("LEDGER_STORE") && line.contains("\"outcome\":\"misconfigured\""));
    assert_eq!(ask("/health/live").status(), StatusCode::OK);
    assert_eq!(HANDLED.with(Cell::get), 0);
}

#[test]
fn wrong_paths_and_methods_are_told_even_when_misconfigured() {
    let platform = FakePlatform::new(NOW);
    let lost = run::<Token>(&platform, request(Method::POST, "/elsewhere", &[]));
    assert_eq!(lost.status(), StatusCode::NOT_FOUND);
    let wrong = run::<Token>(&platform, request(Method::GET, "/oauth/token", &[]));
    assert_eq!(wrong.status(), StatusCode::METHOD_NOT_ALLOWED);
}

fn without_body<E: Endpoint>(method: Method, path: &str, error: BodyError) -> Response {
    let incoming = request(method, path, &[]).map(|_| Err(error));
    run::<E>(&World::new().platform, incoming)
}

#[test]
fn a_body_over_the_limit_is_refused_in_the_functions_own_words() {
    let error = BodyError::TooLarge;
    for response in [
        without_body::<Token>(Method::POST, "/oauth/token", error),
        without_body::<Token>(Method::POST, "/auth/token/refresh", error),
        without_body::<Revoke>(Method::POST, "/auth/token/revoke", error),
        without_body::<Introspect>(Method::POST, "/auth/token/introspect", error),
    ] {
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(header(&response, "content-type"), "application/json");
        assert_eq!(header(&response, "cache-control"), "no-store");
        assert_eq!(header(&response, "pragma"), "no-cache");
        assert_eq!(body(&response)["error"], "invalid_request");
    }
    for response in [
        without_body::<Sessions>(Method::POST, "/auth/sessions/revoke-all", error),
        without_body::<Mcp>(Method::POST, "/mcp", error),
        without_body::<Health>(Method::GET, "/health", error),
    ] {
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(header(&response, "content-type"), "application/problem+json");
        assert_eq!(body(&response)["code"], "body_too_large");
    }
    assert_eq!(HANDLED.with(Cell::get), 0);
}

#[test]
fn a_broken_body_is_a_bad_request() {
    let response = without_body::<Token>(Method::POST, "/oauth/token", BodyError::Unreadable);
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(body(&response)["error"], "invalid_request");
}

#[test]
fn what_the_platform_knows_of_the_place_reaches_the_handler() {
    let world = World::new();
    let mut incoming = request(Method::POST, "/oauth/token", &[]);
    let country = Some("DE".to_owned());
    incoming.extensions_mut().insert(Place { country, ..Place::default() });
    assert_eq!(body(&run::<Token>(&world.platform, incoming))["country"], "DE");
    let nowhere = request(Method::POST, "/oauth/token", &[]);
    assert_eq!(body(&run::<Token>(&world.platform, nowhere))["country"], Value::Null);
}

#[test]
fn limits_are_those_of_the_routes() {
    assert_eq!(body_limit("/auth/token/revoke"), 256 * 1024);
    assert_eq!(body_limit("/auth/sessions/x/extend"), 64 * 1024);
    assert_eq!(body_limit("/oauth/token"), 64 * 1024);
    assert_eq!(body_limit("/mcp"), 4 * 1024 * 1024);
    assert_eq!(body_limit("/elsewhere"), 0);
    assert!(ROUTES.iter().all(|route| body_limit(&route.path.replace("{id}", "x")) > 0));
}

/// All that a log line may hold.
const FIELDS: [&str; 14] = [
    "timestamp",
    "severity",
    "service.name",
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "duration_ms",
    "trace_id",
    "span_id",
    "request_id",
    "client_id",
    "session.id",
    "outcome",
    "error.message",
];

#[test]
fn a_request_is_one_line_of_known_fields_without_anything_of_the_caller() {
    let platform = World::new().platform;
    let canary = "canary-3f9a";
    let headers = [
        ("authorization", "Bearer canary-3f9a"),
        ("user-agent", canary),
        ("cookie", canary),
        ("x-forwarded-for", canary),
        ("origin", "https://canary-3f9a.example"),
        ("referer", canary),
        ("x-request-id", canary),
        ("traceparent", canary),
        ("content-type", canary),
    ];
    for (method, path) in [
        (Method::POST, "/oauth/token?token=canary-3f9a"),
        (Method::GET, "/oauth/token?token=canary-3f9a"),
        (Method::POST, "/canary-3f9a"),
    ] {
        let before = platform.lines().len();
        let mut incoming = request(method, path, &headers);
        *incoming.body_mut() = Ok(Bytes::from_static(b"canary-3f9a"));
        let response = run::<Token>(&platform, incoming);
        let lines = platform.lines()[before..].to_vec();
        let (last, handlers) = lines.split_last().unwrap();
        assert!(handlers.iter().all(|line| line.contains("handler")), "one line of ours");
        assert!(!last.contains("canary") && !last.contains('\n'), "{last}");
        let line: Value = serde_json::from_str(last).unwrap();
        for field in line.as_object().unwrap().keys() {
            assert!(FIELDS.contains(&field.as_str()), "{field}");
        }
        assert_eq!(line["request_id"], header(&response, "x-request-id"));
        assert_eq!(line["http.response.status_code"], response.status().as_u16());
    }
}

#[test]
fn a_line_tells_the_facts() {
    let platform = World::new().platform;
    run::<Sessions>(&platform, request(Method::DELETE, "/auth/sessions/secret-id", &[]));
    let line: Value = serde_json::from_str(&platform.lines().pop().unwrap()).unwrap();
    assert_eq!(line["http.route"], "/auth/sessions/{id}", "the pattern, not the path");
    assert_eq!((&line["service.name"], &line["severity"]), (&json!("sessions"), &json!("INFO")));
    assert_eq!((&line["client_id"], &line["outcome"]), (&json!("atoms-web"), &json!("done")));
    assert_eq!((&line["timestamp"], &line["duration_ms"]), (&json!(NOW), &json!(0)));
    assert_eq!(line.get("session.id"), None, "what is unknown is left out");
}

#[test]
fn requests_that_matter_less_than_the_level_have_no_line() {
    for (level, answered, failed) in
        [("info", true, true), ("", true, true), ("warn", false, true), ("error", false, true)]
    {
        let platform = World::new().platform;
        platform.set("LOG_LEVEL", level);
        let lines = Cell::new(0);
        let told = || platform.lines().len() > lines.replace(platform.lines().len());
        run::<Sessions>(&platform, request(Method::GET, "/auth/nowhere", &[]));
        assert_eq!(told(), answered, "{level}: refused");
        platform.set("WORKOS_ISSUER", "");
        let response = run::<Token>(&platform, request(Method::POST, "/oauth/token", &[]));
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(told(), failed, "{level}: failed");
    }
}

#[test]
fn a_trace_goes_on_or_begins() {
    let platform = World::new().platform;
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{id}-00f067aa0ba902b7-01");
    let line = |headers: &[(&str, &str)]| -> Value {
        run::<Token>(&platform, request(Method::POST, "/oauth/token", headers));
        serde_json::from_str(&platform.lines().pop().unwrap()).unwrap()
    };
    let continued = line(&[("traceparent", &parent)]);
    assert_eq!(continued["trace_id"], id);
    assert_ne!(continued["span_id"], "00f067aa0ba902b7", "our own span");
    let (one, other) = (line(&[]), line(&[("traceparent", "nonsense")]));
    assert_ne!(one["trace_id"], other["trace_id"]);
    assert_eq!(one["trace_id"].as_str().unwrap().len(), 32);
}

#[test]
fn an_instance_keeps_the_settings_that_it_read() {
    let platform = World::new().platform;
    let instance = Instance::<Token>::new(&platform);
    platform.unset("WORKOS_ISSUER");
    let response =
        block_on(serve(&platform, &instance, request(Method::POST, "/oauth/token", &[])));
    assert_eq!(response.status(), StatusCode::OK);
}

#[test]
fn failures_of_oauth_endpoints_have_their_status_and_tell_their_cause_to_the_log_alone() {
    use auth::Failure;
    use oauth::{ErrorCode, OAuthError};
    let told = OAuthError::new(ErrorCode::UnauthorizedClient, "not registered");
    let cause = "the cause".to_owned();
    for (failure, status, error) in [
        (Failure::invalid_grant("the cause"), 400, "invalid_grant"),
        (Failure::refused(ErrorCode::InvalidScope, "x", "the cause"), 400, "invalid_scope"),
        (Failure::refused(ErrorCode::AccessDenied, "x", "the cause"), 403, "access_denied"),
        (Failure::Forbidden { told }, 403, "unauthorized_client"),
        (Failure::Client { basic: false, reason: "the cause" }, 401, "invalid_client"),
        (Failure::Client { basic: true, reason: "the cause" }, 401, "invalid_client"),
        (Failure::Unavailable(cause.clone()), 503, "temporarily_unavailable"),
        (Failure::Internal(cause), 500, "server_error"),
    ] {
        let basic = matches!(failure, Failure::Client { basic: true, .. });
        let mut facts = Facts::default();
        let response = respond::failure(failure, 0, &mut facts);
        assert_eq!(
            (response.status().as_u16(), &body(&response)["error"]),
            (status, &json!(error))
        );
        assert!(!String::from_utf8_lossy(response.body()).contains("the cause"));
        assert_eq!(facts.outcome.as_deref(), Some(error));
        assert!(facts.cause.is_some());
        assert_eq!(header(&response, "www-authenticate").starts_with("Basic realm="), basic);
        assert_eq!(header(&response, "retry-after").is_empty(), status != 503);
        let caching = (header(&response, "cache-control"), header(&response, "pragma"));
        assert_eq!(caching, ("no-store", "no-cache"));
    }
}

#[test]
fn challenges_name_the_metadata_and_an_error_only_where_there_was_a_token() {
    use auth::bearer::{BearerError, Scheme};
    use oauth::dpop::InvalidProof;
    let challenge =
        |scheme| respond::Challenge { metadata: "https://m.example", scope: Some("a b"), scheme };
    let (bearer, dpop) = (challenge(Some(Scheme::Bearer)), challenge(Some(Scheme::Dpop)));
    let told = |response: &Response| {
        (response.status().as_u16(), header(response, "www-authenticate").to_owned())
    };
    let expected = |status: u16, bearer: &str, dpop: &str| {
        let start = "Bearer resource_metadata=\"https://m.example\"";
        let algs = "DPoP algs=\"ES256 Ed25519 EdDSA\"";
        (status, format!("{start}{bearer}, scope=\"a b\", {algs}{dpop}"))
    };
    let missing = respond::not_let_in(&challenge(None), &BearerError::Missing);
    assert_eq!(told(&missing), expected(401, "", ""));
    // An error is told in the scheme that was used.
    let invalid = BearerError::Invalid("the cause");
    let error = ", error=\"invalid_token\"";
    assert_eq!(told(&respond::not_let_in(&bearer, &invalid)), expected(401, error, ""));
    assert_eq!(told(&respond::not_let_in(&dpop, &invalid)), expected(401, "", error));
    let proof = BearerError::Proof(InvalidProof::Url);
    let error = ", error=\"invalid_dpop_proof\"";
    assert_eq!(told(&respond::not_let_in(&dpop, &proof)), expected(401, "", error));
    let error = ", error=\"use_dpop_nonce\"";
    assert_eq!(told(&respond::not_let_in(&dpop, &BearerError::Nonce)), expected(401, "", error));
    let error = ", error=\"insufficient_scope\"";
    assert_eq!(told(&respond::insufficient_scope(&bearer)), expected(403, error, ""));
    assert_eq!(told(&respond::insufficient_scope(&dpop)), expected(403, "", error));
    let away = respond::not_let_in(&bearer, &BearerError::Unavailable("the cause".to_owned()));
    assert_eq!(told(&away), (503, String::new()));
}

#[test]
fn a_value_that_no_header_can_hold_is_left_out() {
    let mut response = respond::empty(StatusCode::OK);
    respond::set(&mut response, http::header::LOCATION, "a\nb");
    assert_eq!(response.headers(), &HeaderMap::new());
}
