use mcp::Reply;
use serde_json::{Value, json};

use crate::world::{World, answer};

/// Status, error code and id of a refused body.
fn refused(body: &str) -> (u16, i64, Value) {
    refused_by(&World::new(), body)
}

fn refused_by(world: &World, body: &str) -> (u16, i64, Value) {
    let (status, answer) = answer(&world.post(body));
    assert_eq!(answer["jsonrpc"], "2.0");
    assert!(!answer["error"]["message"].as_str().expect("a message").is_empty());
    (status, answer["error"]["code"].as_i64().expect("a code"), answer["id"].clone())
}

fn with_headers(headers: &[(&'static str, &'static str)]) -> World {
    let mut world = World::new();
    world.headers = headers.to_vec();
    world
}

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

#[test]
fn initialize() {
    let params = json!({
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" },
    });
    let (status, mut answer) = World::new().ask("initialize", &params);
    let instructions = answer["result"]["instructions"].take();
    assert!(instructions.as_str().is_some_and(|text| text.contains("`operation`")));
    let expected = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "result": {
            "protocolVersion": "2025-11-25",
            "capabilities": { "tools": {} },
            "serverInfo": {
                "name": "atoms-edge",
                "title": "Atoms Edge",
                "version": env!("CARGO_PKG_VERSION"),
            },
            "instructions": null,
        },
    });
    assert_eq!((status, answer), (200, expected));
}

#[test]
fn initialize_negotiates() {
    for (asked, agreed) in [
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2025-03-26", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("", "2025-11-25"),
    ] {
        let (_, answer) = World::new().ask("initialize", &json!({ "protocolVersion": asked }));
        assert_eq!(answer["result"]["protocolVersion"], agreed, "{asked}");
    }
}

#[test]
fn initialize_without_a_version_is_refused() {
    for params in [json!({}), json!({ "protocolVersion": 1 }), json!(["2025-11-25"]), json!(null)] {
        let (status, answer) = World::new().ask("initialize", &params);
        assert_eq!((status, &answer["error"]["code"]), (200, &json!(-32602)), "{params}");
    }
}

#[test]
fn ping() {
    let reply = World::new().post(PING);
    let body = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_owned();
    assert_eq!(reply, Reply::Json { status: http::StatusCode::OK, body, internal: None });
}

#[test]
fn ids_are_echoed_as_they_came() {
    for id in ["0", "-7", "123456789012345678901234567890", r#""a\u0062""#, r#""""#] {
        let reply = World::new().post(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#));
        assert_eq!(reply.body(), format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
    }
}

#[test]
fn ids_of_another_type_are_refused() {
    for id in ["null", "1.5", "1e3", "true", "[]", "{}"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        assert_eq!(refused(&body), (400, -32600, Value::Null), "{id}");
    }
}

#[test]
fn what_is_not_json_is_a_parse_error() {
    let deep = "[".repeat(1_000_000);
    for body in ["", "{", "nope", r#"{"jsonrpc":"2.0"} x"#, &deep] {
        assert_eq!(refused(body), (400, -32700, Value::Null));
    }
    let (status, answer) = answer(&World::new().post(b"{\"jsonrpc\":\"\xff\"}"));
    assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32700)));
}

#[test]
fn batches_and_other_shapes_are_refused() {
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    let batch = format!("[{PING}]");
    for body in ["[]", &batch, " [1]", "1", "\"ping\"", "null", "{}", &deep] {
        assert_eq!(refused(body), (400, -32600, Value::Null));
    }
}

#[test]
fn malformed_messages_are_refused_under_their_id() {
    for body in [
        r#"{"id":"a","method":"ping"}"#,
        r#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#,
        r#"{"jsonrpc":2.0,"id":"a","method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":"a","method":7}"#,
        r#"{"jsonrpc":"2.0","id":"a","method":null}"#,
        r#"{"jsonrpc":"2.0","id":"a"}"#,
        r#"{"jsonrpc":"2.0","id":"a","result":{},"error":{}}"#,
    ] {
        assert_eq!(refused(body), (400, -32600, json!("a")), "{body}");
    }
    let twice = r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#;
    assert_eq!(refused(twice), (400, -32600, Value::Null));
}

#[test]
fn messages_that_want_no_answer_get_202() {
    for body in [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
        r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"workspace"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}"#,
    ] {
        let reply = World::new().post(body);
        assert_eq!((&reply, reply.status().as_u16(), reply.body()), (&Reply::Accepted, 202, ""));
    }
}

#[test]
fn unknown_methods() {
    for method in ["server/discover", "notifications/initialized", "Ping", "resources/list", ""] {
        let (status, answer) = World::new().ask(method, &json!({}));
        assert_eq!((status, &answer["error"]["code"]), (200, &json!(-32601)), "{method}");
        assert_eq!(answer["id"], 1);
    }
}

#[test]
fn the_content_type_must_be_json() {
    for value in ["application/json", "Application/JSON; charset=utf-8", "application/json ;a=b"] {
        assert_eq!(with_headers(&[("content-type", value)]).post(PING).status(), 200, "{value}");
    }
    let form = "application/x-www-form-urlencoded";
    for value in [form, "application/jsonp", "text/plain", "application/json-rpc", ""] {
        let world = with_headers(&[("content-type", value)]);
        assert_eq!(refused_by(&world, PING), (415, -32000, Value::Null), "{value}");
    }
    assert_eq!(with_headers(&[]).post(PING).status(), 415);
}

#[test]
fn the_version_header() {
    let json = ("content-type", "application/json");
    let version = |value| ("mcp-protocol-version", value);
    for headers in
        [vec![json], vec![json, version("2025-06-18")], vec![json, version("2025-11-25")]]
    {
        assert_eq!(with_headers(&headers).post(PING).status(), 200, "{headers:?}");
    }
    for headers in [
        vec![json, version("1")],
        vec![json, version("")],
        vec![json, version("2025-11-25"), version("2025-11-25")],
    ] {
        let world = with_headers(&headers);
        assert_eq!(refused_by(&world, PING), (400, -32000, json!(1)), "{headers:?}");
        assert!(world.post(PING).body().contains("2026-07-28, 2025-11-25, 2025-06-18"));
        let notification = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        assert_eq!(world.post(notification).status(), 400);
        let (status, _) = world.ask("initialize", &json!({ "protocolVersion": "2025-11-25" }));
        assert_eq!(status, 200, "initialize negotiates in its body");
    }
}

#[test]
fn sessions_are_ignored() {
    let mut world = World::new();
    world.headers.push(("mcp-session-id", "whatever"));
    assert_eq!(world.post(PING).status(), 200);
}
