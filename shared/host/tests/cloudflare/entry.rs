//! The `fetch` events.

use host::cloudflare::{Held, fetch_event, gateway_event};
use host::{Endpoint, respond};
use http::StatusCode;
use ports::config::required;
use ports::route::{Function, Match};
use ports::{Config, ConfigError, Place, Platform, Request, Response};
use serde_json::{Value, json};
use wasm_bindgen_test::wasm_bindgen_test;
use worker::wasm_bindgen::{JsCast as _, JsValue};

use crate::js::{Console, call, env, eval, text};

struct Echo;

impl Endpoint for Echo {
    const FUNCTION: Function = Function::Sessions;
    type Settings = String;

    fn configure(config: &impl Config) -> Result<String, ConfigError> {
        required(config, "GREETING")
    }

    async fn handle(
        _platform: &impl Platform,
        settings: &String,
        route: &Match<'_>,
        request: &Request,
    ) -> Response {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let body = json!({
            "settings": settings,
            "route": route.route.path,
            "method": request.method().as_str(),
            "path": request.uri().path(),
            "header": header("x-one"),
            "body": String::from_utf8_lossy(request.body()),
            "length": request.body().len(),
            "place": request.extensions().get::<Place>().map(|it| format!("{it:?}")),
        });
        let mut response = respond::json(StatusCode::OK, &body);
        for value in ["a", "b"] {
            response.headers_mut().append("x-many", value.parse().expect("a header value"));
            response.headers_mut().append("set-cookie", value.parse().expect("a header value"));
        }
        response
    }
}

const ENV: &str =
    "{ GREETING: 'hello', LEDGER_STORE: 'durable-object', PUBLIC_URL: 'https://edge.example' }";

async fn answer(bindings: &str, request: &str) -> JsValue {
    let _quiet = Console::capture("log");
    let env = env(bindings);
    let held = Held::<Echo>::new();
    let request = eval(request).unchecked_into();
    fetch_event(&held.instance(&env), request, env).await.expect("a response")
}

async fn status_and_json(response: &JsValue) -> (f64, Value) {
    let status = call("a.status", &[response]).as_f64().expect("a number");
    let body = text("a.text()", response).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

#[wasm_bindgen_test]
async fn a_request_and_its_answer_are_translated() {
    let request =
        "new Request('https://edge.example/auth/sessions?x=1', { headers: { 'x-one': '1' } })";
    let response = answer(ENV, request).await;
    assert_eq!(call("a instanceof Response", &[&response]), JsValue::TRUE);
    assert_eq!(text("a.headers.get('content-type')", &response).await, "application/json");
    assert_eq!(text("a.headers.get('x-many')", &response).await, "a, b");
    assert_eq!(text("a.headers.getSetCookie().join('|')", &response).await, "a|b");
    assert_eq!(text("a.headers.get('x-content-type-options')", &response).await, "nosniff");
    assert_eq!(text("a.headers.get('x-request-id')", &response).await.len(), 32);
    let (status, body) = status_and_json(&response).await;
    assert_eq!(status, 200.0);
    assert_eq!((&body["method"], &body["path"]), (&json!("GET"), &json!("/auth/sessions")));
    assert_eq!((&body["header"], &body["settings"]), (&json!("1"), &json!("hello")));
    assert_eq!(body["length"], 0);
}

#[wasm_bindgen_test]
async fn the_place_is_what_the_platform_says_and_of_its_kind() {
    let at = async |cf: &str| {
        let request = format!(
            "Object.defineProperty(new Request('https://edge.example/auth/sessions'), 'cf', \
             {{ value: {cf} }})"
        );
        let (status, body) = status_and_json(&answer(ENV, &request).await).await;
        assert_eq!(status, 200.0, "{cf}");
        body["place"].as_str().expect("a place").to_owned()
    };
    let nowhere = format!("{:?}", Place::default());
    let berlin =
        Place { country: Some("DE".to_owned()), asn: Some(64_500), degrees: Some((52.52, -13.4)) };
    let cf = "{ country: 'DE', asn: 64500, latitude: '52.52', longitude: '-13.4', city: 'Berlin' }";
    assert_eq!(at(cf).await, format!("{berlin:?}"));
    for nothing in [
        "undefined",
        "null",
        "{}",
        "{ country: 'XX' }",
        "{ country: 'T1' }",
        "{ country: 7, asn: '64500', latitude: 'north', longitude: '0' }",
        "{ latitude: '1' }",
    ] {
        assert_eq!(at(nothing).await, nowhere, "{nothing}");
    }
}

fn post(init: &str) -> String {
    format!(
        "new Request('https://edge.example/auth/sessions/revoke-all', \
         {{ method: 'POST', duplex: 'half', {init} }})"
    )
}

#[wasm_bindgen_test]
async fn a_body_is_read_whole_however_it_comes() {
    let streamed = "body: new ReadableStream({ start(c) {
        for (const part of ['one ', 'two ', 'thr\u{e9}e']) c.enqueue(new TextEncoder().encode(part));
        c.close();
    } })";
    let announced = "headers: { 'content-length': '14' }, body: 'one two thr\u{e9}e'";
    for init in ["body: 'one two thr\u{e9}e'", announced, streamed] {
        let (status, body) = status_and_json(&answer(ENV, &post(init)).await).await;
        assert_eq!((status, &body["body"]), (200.0, &json!("one two thr\u{e9}e")));
    }
    let (status, body) = status_and_json(&answer(ENV, &post("")).await).await;
    assert_eq!((status, &body["length"]), (200.0, &json!(0)));
}

#[wasm_bindgen_test]
async fn a_body_at_the_limit_is_fine_and_one_beyond_is_not() {
    for (length, expected) in [(65_536, 200.0), (65_537, 413.0)] {
        let whole = format!("body: 'x'.repeat({length})");
        let streamed = format!(
            "body: new ReadableStream({{ start(c) {{
                c.enqueue(new Uint8Array(60000)); c.enqueue(new Uint8Array({length} - 60000)); c.close();
            }} }})"
        );
        for init in [whole, streamed] {
            let (status, body) = status_and_json(&answer(ENV, &post(&init)).await).await;
            assert_eq!(status, expected, "{length}");
            if expected == 413.0 {
                assert_eq!(body["code"], "body_too_large");
            }
        }
    }
}

#[wasm_bindgen_test]
async fn an_endless_body_is_read_no_further_than_its_limit() {
    let endless = "body: new ReadableStream({ pull(c) {
        globalThis.pulled = (globalThis.pulled ?? 0) + 1;
        c.enqueue(new Uint8Array(1024));
    } })";
    let (status, _) = status_and_json(&answer(ENV, &post(endless)).await).await;
    assert_eq!(status, 413.0);
    let pulled = eval("globalThis.pulled").as_f64().expect("a number");
    assert!(pulled < 80.0, "{pulled} chunks of 1 KiB were read");
}

#[wasm_bindgen_test]
async fn a_length_that_is_announced_too_large_is_refused_unread() {
    let announced = "headers: { 'content-length': '1000000' },
        body: new ReadableStream({ pull() { globalThis.touched = true; } }, { highWaterMark: 0 })";
    let (status, _) = status_and_json(&answer(ENV, &post(announced)).await).await;
    assert_eq!(status, 413.0);
    assert!(eval("globalThis.touched").is_undefined());
}

#[wasm_bindgen_test]
async fn a_body_that_breaks_off_is_a_bad_request() {
    let broken = "body: new ReadableStream({ pull(c) { c.error(new Error('reset')); } })";
    let (status, body) = status_and_json(&answer(ENV, &post(broken)).await).await;
    assert_eq!((status, &body["code"]), (400.0, &json!("body_unreadable")));
}

#[wasm_bindgen_test]
async fn every_url_has_an_answer() {
    let strange = "[...Array(0x180).keys(), 0x2028, 0x1f600].map((c) => String.fromCodePoint(c))";
    let count = eval(&format!("(globalThis.strange = {strange}).length")).as_f64();
    for at in 0..count.expect("a number") as u32 {
        for url in ["'/' + strange[N]", "'/auth/sessions?' + strange[N]"] {
            let url = url.replace('N', &at.to_string());
            let request = format!("new Request('https://edge.example' + {url})");
            let response = answer(ENV, &request).await;
            let status = call("a.status", &[&response]).as_f64();
            assert!(matches!(status, Some(200.0 | 404.0)), "{url}: {status:?}");
        }
    }
}

#[wasm_bindgen_test]
async fn a_body_sent_to_no_route_is_not_read() {
    let request = "new Request('https://edge.example/elsewhere', { method: 'POST', duplex: 'half',
        body: new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1024)); } }) })";
    let (status, body) = status_and_json(&answer(ENV, request).await).await;
    assert_eq!((status, &body["code"]), (404.0, &json!("not_found")));
}

#[wasm_bindgen_test]
async fn head_and_preflight_have_no_body() {
    for (method, expected) in [("HEAD", 200.0), ("OPTIONS", 204.0)] {
        let request =
            format!("new Request('https://edge.example/auth/sessions', {{ method: '{method}' }})");
        let response = answer(ENV, &request).await;
        assert_eq!(call("a.status", &[&response]).as_f64(), Some(expected));
        assert_eq!(text("a.text()", &response).await, "");
    }
}

#[wasm_bindgen_test]
async fn a_missing_binding_is_a_misconfiguration_that_the_log_names() {
    let console = Console::capture("log");
    let env =
        env("{ LEDGER_STORE: 'durable-object', PUBLIC_URL: 'https://edge.example', GREETING: '' }");
    let held = Held::<Echo>::new();
    let request = eval("new Request('https://edge.example/auth/sessions')").unchecked_into();
    let response = fetch_event(&held.instance(&env), request, env).await.expect("a response");
    assert_eq!(call("a.status", &[&response]).as_f64(), Some(503.0));
    let lines = console.written();
    assert!(lines.len() == 1 && lines[0].contains("setting GREETING"), "{lines:?}");
}

#[wasm_bindgen_test]
fn settings_are_read_once() {
    let held = Held::<Echo>::new();
    let first = held.instance(&env(ENV));
    let second = held.instance(&env("{}"));
    assert!(std::rc::Rc::ptr_eq(&first, &second));
}

fn binding_of(path: &str) -> Option<&'static str> {
    (path == "/oauth/token").then_some("TOKEN")
}

const SERVICE: &str = "{ TOKEN: new (class Fetcher {
    async fetch(request) {
        const seen = { method: request.method, url: request.url,
            header: request.headers.get('x-one'), body: await request.text() };
        return new Response(JSON.stringify(seen), { status: 201, headers: { 'x-answer': 'yes' } });
    }
})() }";

async fn through_the_gateway(bindings: &str, request: &str) -> JsValue {
    let request = eval(request).unchecked_into();
    gateway_event(binding_of, request, &env(bindings)).await.expect("a response")
}

#[wasm_bindgen_test]
async fn the_gateway_hands_requests_and_answers_on_as_they_are() {
    let request = "new Request('https://edge.example/oauth/token?x=1', {
        method: 'POST', body: 'a=b', headers: { 'x-one': '1' } })";
    let response = through_the_gateway(SERVICE, request).await;
    assert_eq!(text("a.headers.get('x-answer')", &response).await, "yes");
    let (status, seen) = status_and_json(&response).await;
    assert_eq!(status, 201.0);
    let expected = json!({
        "method": "POST", "url": "https://edge.example/oauth/token?x=1", "header": "1", "body": "a=b",
    });
    assert_eq!(seen, expected);
}

#[wasm_bindgen_test]
async fn a_path_of_no_function_is_not_found() {
    let response =
        through_the_gateway(SERVICE, "new Request('https://edge.example/elsewhere')").await;
    assert_eq!(text("a.headers.get('content-type')", &response).await, "application/problem+json");
    let (status, problem) = status_and_json(&response).await;
    assert_eq!((status, &problem["code"]), (404.0, &json!("not_found")));
}

#[wasm_bindgen_test]
async fn a_function_that_is_away_is_an_outage_that_the_log_tells() {
    let throwing = "{ TOKEN: new (class Fetcher { fetch() { throw new Error('gone'); } })() }";
    let rejecting =
        "{ TOKEN: new (class Fetcher { async fetch() { throw new Error('gone'); } })() }";
    for bindings in [throwing, rejecting, "{}"] {
        let console = Console::capture("log");
        let request = "new Request('https://edge.example/oauth/token', { method: 'POST' })";
        let response = through_the_gateway(bindings, request).await;
        let lines = console.written();
        drop(console);
        assert!(!text("a.headers.get('retry-after')", &response).await.is_empty());
        assert!(!text("a.headers.get('x-request-id')", &response).await.is_empty());
        let (status, body) = status_and_json(&response).await;
        assert_eq!(
            (status, &body["error"]),
            (503.0, &json!("temporarily_unavailable")),
            "{bindings}"
        );
        assert!(lines.len() == 1 && lines[0].contains("TOKEN"), "{lines:?}");
    }
}
