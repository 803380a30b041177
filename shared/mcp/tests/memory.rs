//! What a message costs in memory, whatever it says. An isolate of Workers has 128 MB for all that
//! it does at once.
#![expect(clippy::expect_used, reason = "helpers of tests fail like tests")]

use futures::executor::block_on;
use mcp::{Moment, Principal};
use oauth::keys::KeyRing;
use peak_alloc::PeakAlloc;

#[path = "../examples/conformance/fixture.rs"]
mod fixture;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const LARGEST: usize = 4 << 20;
/// Besides the body itself, in bytes.
const ALLOWED: usize = 12 << 20;

/// The most that answering takes, in bytes, besides the body.
fn cost(body: &str) -> usize {
    let mut request = http::Request::post("/mcp");
    request = request.header("content-type", "application/json");
    if body.contains("protocolVersion") {
        request = request.header("mcp-protocol-version", "2026-07-28");
        request = request.header("mcp-method", "tools/call").header("mcp-name", "test_simple_text");
    }
    let (parts, ()) = request.body(()).expect("a request").into_parts();
    let principal = Principal {
        subject: "ada".to_owned(),
        organization: None,
        roles: Vec::new(),
        scopes: Vec::new(),
        client_id: "c".to_owned(),
    };
    let keys = KeyRing::default();
    let moment = Moment { now: 0, state_keys: &keys };
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let reply =
        block_on(mcp::handle(&parts, body.as_bytes(), &principal, &fixture::Fixture, &moment));
    assert!(reply.status().as_u16() < 500);
    MEMORY.peak_usage().saturating_sub(before)
}

/// A call in either era.
fn calls(arguments: &str) -> [String; 2] {
    let head =
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"test_simple_text""#;
    let version = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#;
    let meta = format!(r#"{{{version},"io.modelcontextprotocol/clientCapabilities":{{}}}}"#);
    [
        format!(r#"{head},"arguments":{arguments}}}}}"#),
        format!(r#"{head},"_meta":{meta},"arguments":{arguments}}}}}"#),
    ]
}

fn filled(open: &str, item: &str, close: &str) -> String {
    let count = (LARGEST - 400 - open.len() - close.len()) / item.len();
    format!("{open}{}{close}", item.repeat(count))
}

/// One test, as whatever else allocates at the same time would be counted.
#[test]
fn hostile_messages_of_four_mebibytes_stay_within_the_budget() {
    arguments_without_measure();
    envelopes_without_measure();
}

fn arguments_without_measure() {
    for (what, arguments) in [
        ("numbers", filled(r#"{"x":["#, "0,", "0]}")),
        ("objects", filled(r#"{"x":["#, r#"{"":0},"#, "0]}")),
        ("arrays", filled(r#"{"x":["#, "[],", "0]}")),
        ("depth", filled(r#"{"x":"#, "[", "")),
        ("a long text", filled(r#"{"x":""#, "x", r#""}"#)),
        ("an escaped text", filled(r#"{"x":""#, r"\u0001", r#""}"#)),
        ("a wide text", filled(r#"{"x":""#, r"\u4e00", r#""}"#)),
        ("texts", filled(r#"{"x":["#, r#""abcdefghijklmnop","#, r#"""]}"#)),
    ] {
        for body in calls(&arguments) {
            assert!(body.len() <= LARGEST && body.len() > LARGEST - 1000, "{what}: {}", body.len());
            let cost = cost(&body);
            println!("{what}: {} KiB besides a body of {} KiB", cost >> 10, body.len() >> 10);
            assert!(cost <= ALLOWED, "{what}: {cost}");
        }
    }
}

fn envelopes_without_measure() {
    let members: String = (0..150_000).map(|n| format!(r#""{n}":0,"#)).collect();
    for body in [
        filled("[", "{},", "{}]"),
        filled(r#"{"x":["#, "{},", "0]}"),
        format!(r#"{{{members}"jsonrpc":"2.0"}}"#),
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{{members}"_meta":{{{members}"x":0}}}}}}"#
        ),
        filled(r#"{"jsonrpc":"2.0","id":1,"method":""#, "x", r#""}"#),
        filled(r#"{"jsonrpc":"2.0","method":"ping","id":""#, "x", r#""}"#),
    ] {
        let cost = cost(&body);
        assert!(cost <= ALLOWED, "{}: {cost}", &body[..60]);
    }
}
