use proptest::prelude::*;
use serde_json::Value;

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
