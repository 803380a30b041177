use std::collections::BTreeSet;

use ports::SqlError;
use serde_json::{Value, json};

use crate::world::World;

fn tools(world: &World) -> Vec<Value> {
    let (status, answer) = world.ask("tools/list", &json!({}));
    assert_eq!(status, 200);
    answer["result"]["tools"].as_array().expect("an array").clone()
}

fn operations(tool: &Value) -> &Value {
    &tool["inputSchema"]["properties"]["operation"]["enum"]
}

fn properties(tool: &Value) -> BTreeSet<&str> {
    let properties = tool["inputSchema"]["properties"].as_object().expect("an object");
    properties.keys().map(String::as_str).collect()
}

#[test]
fn the_list() {
    let (_, answer) = World::new().ask("tools/list", &json!({ "cursor": "any" }));
    let expected: Value = serde_json::from_str(include_str!("tools_list.json")).expect("JSON");
    assert_eq!(answer["result"], expected, "{:#}", answer["result"]);
}

#[test]
fn the_list_is_narrowed_to_what_the_token_allows() {
    let read = tools(&World::with_scopes(&["atoms:workspace.read"]));
    assert_eq!(operations(&read[0]), &json!(["list_workspaces"]));
    assert_eq!(properties(&read[0]), ["cursor", "limit", "operation"].into());
    assert_eq!(read[0]["annotations"]["readOnlyHint"], true);
    assert_eq!(read[0]["annotations"]["idempotentHint"], true);

    let write = tools(&World::with_scopes(&["atoms:workspace.write"]));
    assert_eq!(operations(&write[0]), &json!(["create_workspace"]));
    assert_eq!(properties(&write[0]), ["description", "name", "operation"].into());
    assert_eq!(write[0]["annotations"]["readOnlyHint"], false);

    assert_eq!(tools(&World::with_scopes(&[])), Vec::<Value>::new());
}

#[test]
fn every_schema_is_one_that_all_clients_take() {
    for tool in tools(&World::new()) {
        let name = tool["name"].as_str().expect("a name");
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
        assert!((1..=64).contains(&name.len()) && name.chars().all(allowed), "{name}");
        assert!(tool["description"].as_str().is_some_and(|text| !text.is_empty()));
        for root in [&tool["inputSchema"], &tool["outputSchema"]] {
            assert_eq!(root["type"], "object");
            assert!(jsonschema::meta::is_valid(root), "{root}");
            let mut keywords = root.as_object().expect("an object").keys();
            let forbidden = ["oneOf", "anyOf", "allOf", "not", "if", "then", "else", "$ref"];
            assert!(!keywords.any(|keyword| forbidden.contains(&keyword.as_str())), "{root}");
        }
        let input = &tool["inputSchema"];
        assert_eq!(input["additionalProperties"], false);
        assert_eq!(input["required"], json!(["operation"]));
        assert_eq!(input["properties"]["operation"]["x-mcp-header"], "Operation");
    }
}

#[test]
fn every_listed_operation_is_served() {
    let world = World::failing(SqlError::Unavailable(String::new()));
    for tool in tools(&world) {
        for operation in operations(&tool).as_array().expect("an array") {
            let arguments = json!({ "operation": operation });
            let params = json!({ "name": tool["name"], "arguments": arguments });
            let (_, answer) = world.ask("tools/call", &params);
            assert_ne!(answer["error"]["code"], -32602, "{operation}: {answer}");
            assert_ne!(answer["error"]["code"], -32603, "{operation}: {answer}");
        }
    }
}

#[test]
fn answers_conform_to_the_schemas() {
    let world = World::new();
    let tool = tools(&world).remove(0);
    let input = jsonschema::validator_for(&tool["inputSchema"]).expect("a schema");
    let output = jsonschema::validator_for(&tool["outputSchema"]).expect("a schema");
    for arguments in [
        json!({ "operation": "create_workspace", "name": "A" }),
        json!({ "operation": "create_workspace", "name": "B", "description": "b" }),
        json!({ "operation": "list_workspaces", "limit": 1 }),
        json!({ "operation": "list_workspaces" }),
    ] {
        assert!(input.is_valid(&arguments), "{arguments}");
        let result = world.call(&arguments);
        assert_eq!(result["isError"], false);
        let content = &result["structuredContent"];
        let errors: Vec<_> = output.iter_errors(content).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?} in {content}");
    }
}
