use mcp::Reply;
use ports::SqlError;
use serde_json::{Value, json};

use crate::world::{ORGANIZATION, World};

const READ: &str = "atoms:workspace.read";
const WRITE: &str = "atoms:workspace.write";

fn create(name: &str) -> Value {
    json!({ "operation": "create_workspace", "name": name })
}

fn call_body(arguments: &Value) -> String {
    let params = json!({ "name": "workspace", "arguments": arguments });
    json!({ "jsonrpc": "2.0", "id": "c", "method": "tools/call", "params": params }).to_string()
}

fn refused(code: &str, constraint: Option<&str>) -> SqlError {
    let constraint = constraint.map(str::to_owned);
    SqlError::Refused { code: code.to_owned(), message: "secret detail".to_owned(), constraint }
}

#[test]
fn create_returns_the_workspace_as_structure_and_text() {
    let mut arguments = create("  Apollo ");
    arguments["description"] = json!("To the moon.\nAnd back.");
    let result = World::new().call(&arguments);
    let expected = json!({
        "workspace": {
            "id": "01a3185c-5000-7707-8707-070707070707",
            "organization_id": ORGANIZATION,
            "name": "Apollo",
            "description": "To the moon.\nAnd back.",
            "created_at": "2026-11-20T12:00:00.000Z",
            "version": 1,
        },
    });
    assert_eq!(result["structuredContent"], expected);
    assert_eq!(result["isError"], false);
    assert_eq!(result["content"][0]["type"], "text");
    let text = result["content"][0]["text"].as_str().expect("a text");
    assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), expected);
}

#[test]
fn list_goes_page_by_page() {
    let world = World::new();
    for name in ["A", "B", "C"] {
        world.call(&create(name));
    }
    let names = |content: &Value| -> Vec<String> {
        let items = content["workspaces"].as_array().expect("an array");
        items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
    };
    let first = world.call(&json!({ "operation": "list_workspaces", "limit": 2 }));
    let first = &first["structuredContent"];
    assert_eq!(names(first), ["A", "B"]);
    let cursor = &first["next_cursor"];
    let second = world.call(&json!({ "operation": "list_workspaces", "cursor": cursor }));
    let second = &second["structuredContent"];
    assert_eq!(names(second), ["C"]);
    assert_eq!(second.get("next_cursor"), None);
}

#[test]
fn no_workspaces_is_an_empty_list() {
    let result = World::new().call(&json!({ "operation": "list_workspaces" }));
    assert_eq!(result["structuredContent"], json!({ "workspaces": [] }));
}

#[test]
fn wrong_arguments_are_named() {
    let list = "list_workspaces";
    let make = "create_workspace";
    for (arguments, field) in [
        (json!({}), "operation"),
        (json!({ "operation": 1 }), "operation"),
        (json!({ "operation": "drop_workspace" }), "operation"),
        (json!({ "operation": list, "limit": 0 }), "limit"),
        (json!({ "operation": list, "limit": 101 }), "limit"),
        (json!({ "operation": list, "limit": -1 }), "limit"),
        (json!({ "operation": list, "limit": 1.5 }), "limit"),
        (json!({ "operation": list, "limit": 70_000 }), "limit"),
        (json!({ "operation": list, "limit": "5" }), "limit"),
        (json!({ "operation": list, "limit": null }), "limit"),
        (json!({ "operation": list, "cursor": 5 }), "cursor"),
        (json!({ "operation": list, "cursor": "" }), "cursor"),
        (json!({ "operation": list, "cursor": "'; drop table" }), "cursor"),
        (json!({ "operation": list, "name": "A" }), "name"),
        (json!({ "operation": list, "Limit": 5 }), "Limit"),
        (json!({ "operation": make }), "name"),
        (json!({ "operation": make, "name": ["A"] }), "name"),
        (json!({ "operation": make, "name": "" }), "name"),
        (json!({ "operation": make, "name": " \u{2003}" }), "name"),
        (json!({ "operation": make, "name": "a\nb" }), "name"),
        (json!({ "operation": make, "name": "a\u{0}" }), "name"),
        (json!({ "operation": make, "name": "é".repeat(201) }), "name"),
        (json!({ "operation": make, "name": "A", "description": 1 }), "description"),
        (json!({ "operation": make, "name": "A", "description": "a\u{0}" }), "description"),
        (json!({ "operation": make, "name": "A", "description": "é".repeat(2001) }), "description"),
        (json!({ "operation": make, "name": "A", "limit": 5 }), "limit"),
    ] {
        let text = World::new().refusal(&arguments);
        assert!(text.starts_with(&format!("Argument `{field}`: ")), "{arguments} gave {text}");
    }
}

#[test]
fn the_limits_themselves_are_fine() {
    let world = World::new();
    let mut largest = create(&"é".repeat(200));
    largest["description"] = json!("é".repeat(2000));
    assert_eq!(world.call(&largest)["isError"], false);
    for limit in [json!(1), json!(100), json!(5.0)] {
        let arguments = json!({ "operation": "list_workspaces", "limit": limit });
        assert_eq!(world.call(&arguments)["isError"], false);
    }
}

#[test]
fn calls_that_name_no_tool_are_protocol_errors() {
    let deep = serde_json::from_str::<Value>(&format!("{}1{}", "[".repeat(20), "]".repeat(20)));
    for params in [
        json!({ "name": "nope" }),
        json!({ "name": "Workspace" }),
        json!({ "name": 1 }),
        json!({}),
        json!(["workspace", {}]),
        json!({ "name": "workspace", "arguments": [] }),
        json!({ "name": "workspace", "arguments": "x" }),
    ] {
        let (status, answer) = World::new().ask("tools/call", &params);
        assert_eq!((status, &answer["error"]["code"]), (200, &json!(-32602)), "{params}");
    }
    let text = World::new().refusal(&json!({ "operation": "list_workspaces", "x": deep.unwrap() }));
    assert!(text.contains("`x`"), "{text}");
}

#[test]
fn arguments_may_be_absent() {
    let (status, answer) = World::new().ask("tools/call", &json!({ "name": "workspace" }));
    assert_eq!((status, &answer["result"]["isError"]), (200, &json!(true)));
}

#[test]
fn nesting_beyond_reason_is_an_error_and_no_crash() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"workspace","arguments":{{"x":{deep}}}}}}}"#
    );
    assert!(World::new().post(body).body().contains("-32602"));
}

#[test]
fn each_operation_needs_its_scope() {
    for (granted, arguments, needed) in [
        (READ, create("A"), WRITE),
        (WRITE, json!({ "operation": "list_workspaces" }), READ),
        // The scope comes before the arguments.
        (READ, json!({ "operation": "create_workspace", "nonsense": 1 }), WRITE),
    ] {
        let reply = World::with_scopes(&[granted]).post(call_body(&arguments));
        let Reply::InsufficientScope { required, body } = &reply else { panic!("{reply:?}") };
        assert_eq!(required, &[needed]);
        assert_eq!(reply.status(), 403);
        let body: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!((&body["id"], &body["error"]["code"]), (&json!("c"), &json!(-32000)));
    }
}

#[test]
fn an_unavailable_database_is_told_to_the_http_layer() {
    let world = World::failing(SqlError::Unavailable("no route".to_owned()));
    for arguments in [create("A"), json!({ "operation": "list_workspaces" })] {
        let reply = world.post(call_body(&arguments));
        let Reply::Unavailable { body, cause } = &reply else { panic!("{reply:?}") };
        assert_eq!((reply.status().as_u16(), cause.as_str()), (503, "no route"));
        let body: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!((&body["id"], &body["error"]["code"]), (&json!("c"), &json!(-32000)));
    }
    assert_eq!(world.ask("tools/list", &json!({})).0, 200);
}

#[test]
fn our_faults_reach_the_log_and_not_the_client() {
    for error in [refused("42P01", None), refused("23505", Some("workspaces_pkey"))] {
        let reply = World::failing(error).post(call_body(&create("A")));
        let Reply::Json { status, body, internal: Some(cause) } = reply else {
            panic!("{reply:?}")
        };
        assert_eq!(status, 200);
        assert!(!cause.is_empty());
        let message = r#"{"code":-32603,"message":"Internal error."}"#;
        assert_eq!(body, format!(r#"{{"jsonrpc":"2.0","id":"c","error":{message}}}"#));
    }
}

#[test]
fn refusals_of_the_database_say_what_to_do() {
    let denied = World::failing(refused("42501", None)).refusal(&create("A"));
    assert!(denied.contains("role") && denied.contains("Ask an owner"), "{denied}");
    let checked = refused("23514", Some("workspaces_name_length"));
    let invalid = World::failing(checked).refusal(&create("A"));
    assert!(invalid.starts_with("Argument `name`: must have"), "{invalid}");
    let mut world = World::new();
    world.principal.organization = None;
    for arguments in [create("A"), json!({ "operation": "list_workspaces" })] {
        assert!(world.refusal(&arguments).contains("organization"));
    }
}
