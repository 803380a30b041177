use proptest::prelude::*;
use serde_json::Value;

use crate::atoms::{Seed, Server};
use crate::world::World;

/// Whatever the body, there is a reply whose body is empty exactly for 202, and else JSON-RPC.
fn replies(body: &[u8]) {
    let reply = World::new().post(body);
    if reply.status() == 202 {
        assert_eq!(reply.body(), "");
        return;
    }
    let message: Value = serde_json::from_str(reply.body()).expect("JSON");
    assert_eq!(message["jsonrpc"], "2.0");
    assert!(message.get("result").is_some() != message.get("error").is_some(), "{message}");
}

/// Values, biased towards those that the code looks at.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(&["2.0", "workspace", "list_workspaces", "create_workspace"][..])
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop_oneof![
            prop::sample::select(&["operation", "name", "arguments", "limit", "cursor"][..])
                .prop_map(str::to_owned),
            any::<String>(),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Values that somebody would send who wants to see what breaks.
fn hostile() -> impl Strategy<Value = Value> {
    let texts = [
        "",
        " ",
        "\u{0}",
        "'; drop table app.entities; --",
        "../../etc/passwd",
        "\u{202e}x",
        "%00",
        "{{7*7}}",
        "${jndi:ldap://x}",
        "<script>",
        "\u{ffff}",
        "0190b3a0-0000-7000-8000-000000000001",
        "=cmd|'/c'!A1",
        "9223372036854775808",
        "2026-11-21T08:00:00Z",
        "true",
        "null",
    ];
    let long = (1usize..200_000).prop_map(|length| Value::from("x".repeat(length)));
    let numbers =
        prop::sample::select(&[f64::MAX, -1.0, 0.0, 1.5, 1e19, 9.007_199_254_740_993e15][..]);
    prop_oneof![
        value(),
        prop::sample::select(texts.to_vec()).prop_map(Value::from),
        long,
        numbers.prop_map(Value::from),
        Just(Value::from(i64::MIN)),
        Just(Value::from(u64::MAX)),
        (1usize..2_000).prop_map(|length| Value::Array(vec![Value::from("project"); length])),
    ]
}

fn seeded() -> &'static (Vec<Value>, Vec<String>) {
    static TOOLS: std::sync::OnceLock<(Vec<Value>, Vec<String>)> = std::sync::OnceLock::new();
    TOOLS.get_or_init(|| {
        let result = Server::new().ask("tools/list", &serde_json::json!({}));
        let tools = result["tools"].as_array().expect("tools").clone();
        let names = ["confirm", "dry_run", "version", "cursor", "x", "", "operation", "__proto__"];
        let mut members: Vec<String> = names.map(str::to_owned).to_vec();
        for tool in &tools {
            let properties = tool["inputSchema"]["properties"].as_object().expect("an object");
            members.extend(properties.keys().cloned());
        }
        (tools, members)
    })
}

/// A call of an operation: whatever is in it, it is no fault of ours, and what its schema does not
/// allow is refused and changes nothing.
fn is_judged(server: &Server, operation: &str, arguments: &Value) {
    let before = server.model.writes.get();
    let reply = server.send("tools/call", &server.params(operation, arguments.clone()));
    assert!(reply.status().as_u16() < 500, "{operation} {arguments}: {reply:?}");
    let body: Value = serde_json::from_str(reply.body()).expect("JSON");
    let refused = body.get("error").is_some() || body["result"]["isError"] == true;
    assert_ne!(body["error"]["code"], -32603, "{operation} {arguments}");
    let tool = seeded().0.iter().find(|tool| tool["name"] == operation).expect("a tool");
    let schema = jsonschema::validator_for(&tool["inputSchema"]).expect("a schema");
    assert!(refused || schema.is_valid(arguments), "{operation} took {arguments}");
    if refused {
        assert_eq!(server.model.writes.get(), before, "{operation} {arguments}");
    }
}

fn world() -> (Server, Seed) {
    Server::new().seeded()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn operations(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), hostile()), 1..4),
        keep in any::<bool>(),
    ) {
        let (server, seed) = world();
        let calls = seed.calls();
        let (operation, good) = which.get(&calls).clone();
        let mut arguments = if keep { good } else { serde_json::json!({}) };
        for (member, value) in changes {
            let name = member.get(&seeded().1).clone();
            arguments.as_object_mut().expect("an object").insert(name, value);
        }
        is_judged(&server, operation, &arguments);
    }

    #[test]
    fn arguments_of_any_shape(which in any::<prop::sample::Index>(), arguments in hostile()) {
        let (server, seed) = world();
        let calls = seed.calls();
        let (operation, _) = which.get(&calls);
        let before = server.model.writes.get();
        let params = serde_json::json!({ "name": operation, "arguments": arguments });
        let reply = server.send("tools/call", &params);
        prop_assert!(reply.status().as_u16() < 500);
        if arguments.as_object().is_none_or(serde_json::Map::is_empty) {
            prop_assert_eq!(server.model.writes.get(), before);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn context(
        which in 0usize..4, one in hostile(), two in hostile(), three in hostile(),
        july in any::<bool>(),
    ) {
        let server = if july { Server::july(serde_json::json!({})) } else { Server::new() };
        let (method, params) = match which {
            0 => ("resources/read", serde_json::json!({ "uri": one })),
            1 => ("resources/list", serde_json::json!({ "cursor": one })),
            2 => ("prompts/get", serde_json::json!({ "name": "test_plan", "arguments": one })),
            _ => (
                "completion/complete",
                serde_json::json!({
                    "ref": { "type": "ref/prompt", "name": "test_plan" },
                    "argument": { "name": one, "value": two }, "context": three,
                }),
            ),
        };
        // A URI that is no header is refused by its header already.
        let sendable = params["uri"].as_str().is_none_or(|uri| http::HeaderValue::from_str(uri).is_ok());
        if sendable {
            let reply = server.send(method, &params);
            prop_assert!(reply.status().as_u16() < 500);
            prop_assert_eq!(server.model.writes.get(), 0);
        }
    }
}

proptest! {
    #[test]
    fn bytes(body in prop::collection::vec(any::<u8>(), 0..512)) {
        replies(&body);
    }

    #[test]
    fn messages(id in value(), params in value(), method in prop_oneof![
        prop::sample::select(&["initialize", "ping", "tools/list", "tools/call"][..])
            .prop_map(str::to_owned),
        any::<String>(),
    ]) {
        let body = serde_json::json!({
            "jsonrpc": "2.0", "id": id, "method": method, "params": params,
        });
        replies(body.to_string().as_bytes());
    }

    #[test]
    fn calls(arguments in value(), cut in any::<prop::sample::Index>()) {
        let params = serde_json::json!({ "name": "workspace", "arguments": arguments });
        let body = serde_json::json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params,
        });
        let text = body.to_string();
        replies(text.as_bytes());
        replies(&text.as_bytes()[..cut.index(text.len())]);
    }
}
