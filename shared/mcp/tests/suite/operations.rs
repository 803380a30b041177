use std::collections::BTreeSet;

use jsonschema::Validator;
use mcp::Reply;
use mcp::atoms::Mode;
use mcp::atoms::store::StoreError;
use serde_json::{Value, json};

use crate::atoms::{SCOPES, Server};

fn tools(server: &Server) -> Vec<Value> {
    server.ask("tools/list", &json!({}))["tools"].as_array().expect("tools").clone()
}

fn names(tools: &[Value]) -> Vec<String> {
    tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
}

fn validator(schema: &Value) -> Validator {
    jsonschema::options().should_validate_formats(true).build(schema).expect("a schema")
}

#[test]
fn there_are_five_tools_or_twenty_seven() {
    let mut server = Server::july(json!({}));
    assert_eq!(tools(&server).len(), 27);
    server.mode = Mode::Grouped;
    let grouped = tools(&server);
    assert_eq!(names(&grouped), ["workspace", "entity", "relationship", "workflow", "query"]);
    let operations: Vec<Value> = grouped
        .iter()
        .flat_map(|tool| {
            let schema = &tool["inputSchema"]["properties"]["operation"]["enum"];
            schema.as_array().expect("words").clone()
        })
        .collect();
    server.mode = Mode::Flat;
    let flat: Vec<Value> = names(&tools(&server)).into_iter().map(Value::from).collect();
    assert_eq!(operations, flat);
    assert_eq!(flat.iter().map(Value::to_string).collect::<BTreeSet<_>>().len(), 27);
}

#[test]
fn every_schema_is_one_that_all_clients_take() {
    for mode in [Mode::Flat, Mode::Grouped] {
        let server = Server { mode, ..Server::new() };
        for tool in tools(&server) {
            for root in [&tool["inputSchema"], &tool["outputSchema"]] {
                assert_eq!(root["type"], "object");
                assert!(jsonschema::meta::is_valid(root), "{root}");
                let text = root.to_string();
                for word in ["\"oneOf\"", "\"anyOf\"", "\"allOf\"", "\"not\"", "\"if\"", "\"$ref\""]
                {
                    assert!(!text.contains(word), "{word} in {}", tool["name"]);
                }
            }
            assert_eq!(tool["inputSchema"]["additionalProperties"], false);
            // A model that has to choose reads all of it.
            assert!(tool.to_string().len() < 16_000, "{} is long", tool["name"]);
        }
    }
}

#[test]
fn every_operation_answers_as_its_schemas_say() {
    for mode in [Mode::Flat, Mode::Grouped] {
        for server in [Server::new(), Server::july(json!({}))] {
            let (server, seed) = Server { mode, ..server }.seeded();
            let tools = tools(&server);
            for (operation, arguments) in seed.calls() {
                let params = server.params(operation, arguments.clone());
                let tool =
                    tools.iter().find(|tool| tool["name"] == params["name"]).expect("a tool");
                let input = validator(&tool["inputSchema"]);
                assert!(input.is_valid(&params["arguments"]), "{operation} {arguments}");
                let content = server.call(operation, arguments);
                let output = validator(&tool["outputSchema"]);
                let errors: Vec<_> = output.iter_errors(&content).map(|e| e.to_string()).collect();
                assert!(errors.is_empty(), "{operation}: {errors:?} in {content}");
            }
        }
    }
}

#[test]
fn examples_are_calls_that_their_schemas_and_the_checks_take() {
    let server = Server::new();
    for tool in tools(&server) {
        let examples = tool["inputSchema"]["examples"].as_array().expect("examples");
        let input = validator(&tool["inputSchema"]);
        for example in examples {
            assert!(input.is_valid(example), "{example}");
            let name = tool["name"].as_str().expect("a name");
            let result = server.result(name, example.clone());
            // What they name is not there, but they say nothing else wrong.
            let text = result["content"][0]["text"].as_str().expect("a text");
            assert!(result["isError"] == false || text.contains("names nothing"), "{name}: {text}");
        }
    }
}

#[test]
fn hints_are_exact_for_single_operations() {
    for tool in tools(&Server::new()) {
        let name = tool["name"].as_str().expect("a name");
        let hints = &tool["annotations"];
        let reads = ["list", "read", "get", "search", "query", "advanced", "export"];
        let read = reads.iter().any(|word| name.starts_with(word));
        assert_eq!(hints["readOnlyHint"], read, "{name}");
        let destroys = ["update", "delete", "execute"].iter().any(|word| name.starts_with(word));
        assert_eq!(hints["destructiveHint"], destroys, "{name}");
        let repeats = !name.starts_with("create") && !name.starts_with("execute");
        assert_eq!(hints["idempotentHint"], repeats, "{name}");
        assert_eq!(hints["openWorldHint"], name.starts_with("execute"), "{name}");
    }
    let grouped = tools(&Server { mode: Mode::Grouped, ..Server::new() });
    let read_only: Vec<_> =
        grouped.iter().filter(|tool| tool["annotations"]["readOnlyHint"] == true).collect();
    assert_eq!(read_only.len(), 1);
    assert_eq!(read_only[0]["name"], "query");
}

#[test]
fn a_token_sees_and_does_what_it_may_and_is_told_all_that_is_missing() {
    for scope in SCOPES {
        let (mut server, seed) = Server::new().seeded();
        let all = names(&tools(&server));
        server.principal.scopes = vec![scope.to_owned()];
        let listed = names(&tools(&server));
        let before = server.model.writes.get();
        let mut refused = BTreeSet::new();
        for (operation, arguments) in seed.calls() {
            if listed.contains(&operation.to_owned()) {
                continue;
            }
            let reply = server.send("tools/call", &server.params(operation, arguments));
            let Reply::InsufficientScope { required, .. } = &reply else { panic!("{reply:?}") };
            assert!(required.iter().any(|needed| *needed != scope), "{operation}: {required:?}");
            refused.insert(operation.to_owned());
        }
        assert_eq!(refused.len() + listed.len(), all.len());
        assert_eq!(server.model.writes.get(), before);
    }
    let (mut server, seed) = Server::new().seeded();
    server.principal.scopes.clear();
    let params = server.params("get_relationship_graph", json!({ "entity_id": seed.requirement }));
    let reply = server.send("tools/call", &params);
    let Reply::InsufficientScope { required, .. } = &reply else { panic!("{reply:?}") };
    assert_eq!(required, &["atoms:relationship.read", "atoms:entity.read"]);
}

#[test]
fn what_is_wrong_is_said_with_its_field_and_what_to_do() {
    let (server, seed) = Server::new().seeded();
    let (project, workspace) = (&seed.project, &seed.workspace);
    let nobody = "0190b3a0-0000-7000-8000-00000000ffff";
    for (operation, arguments, field) in [
        ("read_workspace", json!({}), "workspace_id"),
        ("read_workspace", json!({ "workspace_id": "7" }), "workspace_id"),
        ("read_workspace", json!({ "workspace_id": nobody }), "workspace_id"),
        ("create_workspace", json!({ "name": "Apollo" }), "name"),
        ("update_workspace", json!({ "workspace_id": workspace }), "name"),
        ("update_workspace", json!({ "workspace_id": workspace, "name": null }), "name"),
        (
            "update_workspace",
            json!({ "workspace_id": workspace, "name": "x", "version": 9 }),
            "version",
        ),
        ("list_workspaces", json!({ "cursor": "x" }), "cursor"),
        ("list_workspaces", json!({ "confirm": true }), "confirm"),
        ("list_workspaces", json!({ "dry_run": true }), "dry_run"),
        ("list_entities", json!({ "type": "task" }), "workspace_id"),
        ("list_entities", json!({ "project_id": project, "type": "star" }), "type"),
        ("create_entity", json!({ "type": "project", "title": "x" }), "workspace_id"),
        (
            "create_entity",
            json!({ "type": "project", "title": "x", "workspace_id": workspace, "project_id": project }),
            "project_id",
        ),
        ("create_entity", json!({ "type": "task", "title": "x" }), "project_id"),
        (
            "create_entity",
            json!({ "type": "block", "title": "x", "project_id": project }),
            "parent_id",
        ),
        (
            "create_entity",
            json!({ "type": "task", "title": "x", "project_id": project, "status": "approved" }),
            "status",
        ),
        (
            "create_entity",
            json!({ "type": "task", "title": "x", "project_id": project, "kind": "unit" }),
            "kind",
        ),
        (
            "create_entity",
            json!({ "type": "document", "title": "x", "project_id": project, "priority": "low" }),
            "priority",
        ),
        (
            "create_entity",
            json!({ "type": "requirement", "title": "x", "project_id": project, "details": { "level": "top" } }),
            "details.level",
        ),
        (
            "create_entity",
            json!({ "type": "task", "title": "x", "project_id": project, "details": { "rationale": "y" } }),
            "details.rationale",
        ),
        (
            "create_entity",
            json!({ "type": "task", "title": "x", "project_id": project, "description": null }),
            "description",
        ),
        ("update_entity", json!({ "entity_id": seed.test }), "title"),
        ("update_entity", json!({ "entity_id": nobody, "title": "x" }), "entity_id"),
        ("update_entity", json!({ "entity_id": seed.test, "status": "passed" }), "status"),
        ("search_entities", json!({ "query": " " }), "query"),
        ("search_entities", json!({ "query": "x", "types": ["star"] }), "types[0]"),
        (
            "create_relationship",
            json!({ "kind": "dependency", "source_id": seed.test }),
            "target_id",
        ),
        (
            "create_relationship",
            json!({ "kind": "dependency", "source_id": seed.test, "target_id": seed.test }),
            "target_id",
        ),
        (
            "create_relationship",
            json!({ "kind": "trace_link", "source_id": seed.test, "target_id": project }),
            "label",
        ),
        (
            "create_relationship",
            json!({ "kind": "hierarchy", "source_id": seed.test, "target_user": "u" }),
            "kind",
        ),
        ("list_relationships", json!({}), "workspace_id"),
        ("update_relationship", json!({ "relationship_id": seed.link }), "label"),
        ("get_relationship_graph", json!({ "entity_id": seed.test, "depth": 6 }), "depth"),
        (
            "create_workflow",
            json!({ "workspace_id": workspace, "name": "x", "steps": [] }),
            "steps",
        ),
        (
            "create_workflow",
            json!({ "workspace_id": workspace, "name": "x", "steps": [{}] }),
            "steps[0].name",
        ),
        (
            "create_workflow",
            json!({ "workspace_id": workspace, "name": "x", "steps": [{ "name": "a", "max_attempts": 2 }] }),
            "steps[0].max_attempts",
        ),
        ("execute_workflow", json!({ "workflow_id": nobody }), "workflow_id"),
        (
            "execute_workflow",
            json!({ "workflow_id": seed.workflow, "idempotency_key": "a b" }),
            "idempotency_key",
        ),
        ("get_workflow_status", json!({ "run_id": nobody }), "run_id"),
        (
            "query_entities",
            json!({ "workspace_id": workspace, "updated_after": "soon" }),
            "updated_after",
        ),
        ("query_entities", json!({ "workspace_id": workspace, "sort": "colour" }), "sort"),
        ("get_query_stats", json!({ "workspace_id": workspace, "days": 0 }), "days"),
        ("export_results", json!({ "workspace_id": workspace, "format": "pdf" }), "format"),
    ] {
        let text = server.refusal(operation, arguments.clone());
        assert!(
            text.starts_with(&format!("Argument `{field}`")),
            "{operation} {arguments}: {text}"
        );
        assert!(text.len() > field.len() + 25, "{text}");
    }
}

#[test]
fn a_dry_run_tells_and_changes_nothing() {
    let (server, seed) = Server::new().seeded();
    let before = server.model.writes.get();
    let writes = ["create", "update", "delete", "execute"];
    for (operation, mut arguments) in seed.calls() {
        if !writes.iter().any(|word| operation.starts_with(word)) {
            continue;
        }
        arguments["dry_run"] = json!(true);
        if let Some(given) = arguments.as_object_mut() {
            given.remove("confirm");
        }
        let content = server.call(operation, arguments);
        assert_eq!(content["dry_run"], true, "{operation}");
        assert_eq!(server.model.writes.get(), before, "{operation}");
    }
}

#[test]
fn a_write_that_comes_again_with_its_key_happens_once() {
    let (server, seed) = Server::new().seeded();
    for (operation, mut arguments) in seed.calls() {
        if !["create", "update", "delete", "execute"].iter().any(|word| operation.starts_with(word))
        {
            continue;
        }
        arguments["idempotency_key"] = json!(format!("key-{operation}"));
        let first = server.call(operation, arguments.clone());
        let before = server.model.writes.get();
        let mut again = server.call(operation, arguments.clone());
        assert_eq!(again["replayed"], true, "{operation}");
        again.as_object_mut().expect("an object").remove("replayed");
        assert_eq!(again, first, "{operation}");
        assert_eq!(server.model.writes.get(), before, "{operation}");
    }
    let other = json!({ "name": "Other", "idempotency_key": "key-create_workspace" });
    let text = server.refusal("create_workspace", other);
    assert!(text.contains("`idempotency_key`"), "{text}");
}

#[test]
fn deletions_need_a_word_of_the_person() {
    let deletions = |seed: &crate::atoms::Seed| {
        let calls = seed.calls().into_iter().filter(|(name, _)| name.starts_with("delete"));
        let without = |(name, mut arguments): (&'static str, Value)| {
            arguments.as_object_mut().expect("an object").remove("confirm");
            (name, arguments)
        };
        calls.map(without).collect::<Vec<_>>()
    };
    // A client that cannot ask is told how to go on.
    for server in [Server::new(), Server::july(json!({}))] {
        let (server, seed) = server.seeded();
        for (operation, arguments) in deletions(&seed) {
            let text = server.refusal(operation, arguments);
            assert!(text.starts_with("Argument `confirm`") && text.contains("dry_run"), "{text}");
        }
    }
    // One that can asks, and brings the answer.
    let (server, seed) = Server::july(json!({ "elicitation": {} })).seeded();
    for (operation, arguments) in deletions(&seed) {
        let before = server.model.writes.get();
        let mut params = server.params(operation, arguments);
        let asked = server.ask("tools/call", &params);
        assert_eq!(asked["resultType"], "input_required", "{operation}");
        let question = asked["inputRequests"]["confirm"]["params"]["message"].as_str();
        assert!(question.is_some_and(|text| text.starts_with("Delete \u{201c}")), "{asked}");
        assert_eq!(server.model.writes.get(), before);
        params["requestState"] = asked["requestState"].clone();
        // What was agreed on is this, and nothing else.
        let mut other = params.clone();
        other["arguments"]["version"] = json!(1);
        other["inputResponses"] =
            json!({ "confirm": { "action": "accept", "content": { "confirm": true } } });
        let reply = server.send("tools/call", &other);
        assert!(reply.body().contains("-32602"), "{}", reply.body());
        for answer in [
            json!({ "action": "decline" }),
            json!({ "action": "cancel" }),
            json!({ "action": "accept", "content": { "confirm": false } }),
            json!({ "action": "accept" }),
            json!(true),
        ] {
            params["inputResponses"] = json!({ "confirm": answer });
            let result = server.ask("tools/call", &params);
            assert_eq!(result["isError"], true, "{operation} {answer}");
            assert_eq!(server.model.writes.get(), before);
        }
        // Without the state, an answer answers nothing.
        let agreed = json!({ "confirm": { "action": "accept", "content": { "confirm": true } } });
        params["inputResponses"] = agreed;
        let state = params.as_object_mut().expect("an object").remove("requestState");
        assert_eq!(server.ask("tools/call", &params)["resultType"], "input_required");
        params["requestState"] = state.expect("a state");
        assert_eq!(server.ask("tools/call", &params)["isError"], false, "{operation}");
        assert_eq!(server.model.writes.get(), before + 1);
    }
}

#[test]
fn nobody_is_asked_about_what_is_not_there_or_not_theirs() {
    let (mut server, seed) = Server::july(json!({ "elicitation": { "form": {} } })).seeded();
    let nowhere = json!({ "workspace_id": "0190b3a0-0000-7000-8000-00000000ffff" });
    assert!(server.refusal("delete_workspace", nowhere).contains("`workspace_id`"));
    server.model.viewer = true;
    let text = server.refusal("delete_workspace", json!({ "workspace_id": seed.workspace }));
    assert!(text.contains("role member"), "{text}");
}

#[test]
fn pages_follow_each_other() {
    let (server, seed) = Server::new().seeded();
    for at in 0..5 {
        let title = format!("Task {at}");
        let new = json!({ "type": "task", "project_id": seed.project, "title": title });
        server.call("create_entity", new);
    }
    let mut arguments = json!({ "project_id": seed.project, "type": "task", "limit": 2 });
    let mut seen = Vec::new();
    loop {
        let content = server.call("list_entities", arguments.clone());
        seen.extend(content["entities"].as_array().expect("a page").clone());
        match content.get("next_cursor") {
            Some(next) => arguments["cursor"] = next.clone(),
            None => break,
        }
    }
    let titles: Vec<_> = seen.iter().map(|one| one["title"].as_str().expect("a title")).collect();
    assert_eq!(titles, ["Task 0", "Task 1", "Task 2", "Task 3", "Task 4"]);
}

#[test]
fn exports_hold_all_and_tell_how_far_they_are() {
    let (server, seed) = Server::new().seeded();
    for at in 0..250 {
        let new =
            json!({ "type": "task", "project_id": seed.project, "title": format!("T, {at}") });
        server.call("create_entity", new);
    }
    let asked = |format: &str| json!({ "workspace_id": seed.workspace, "types": ["task"], "format": format });
    let csv = server.call("export_results", asked("csv"));
    assert_eq!(csv["export"]["rows"], 250);
    let text = csv["export"]["content"].as_str().expect("a text");
    assert_eq!(text.lines().count(), 251);
    assert!(text.contains("\"T, 249\""));
    let table = server.call("export_results", asked("markdown"));
    assert_eq!(table["export"]["content"].as_str().map(|text| text.lines().count()), Some(252));
    let json = server.call("export_results", asked("json"));
    let rows: Value =
        serde_json::from_str(json["export"]["content"].as_str().expect("a text")).expect("JSON");
    assert_eq!(rows.as_array().map(Vec::len), Some(250));
    let mut params = server.params("export_results", asked("csv"));
    params["_meta"] = json!({ "progressToken": "p" });
    let reply = server.send("tools/call", &params);
    assert_eq!(reply.content_type(), "text/event-stream");
    assert_eq!(reply.body().matches("notifications/progress").count(), 3);
}

#[test]
fn faults_of_the_store_are_told_as_what_they_are() {
    for (fault, status, code) in [
        (StoreError::Unavailable("no route".to_owned()), 503, -32000),
        (StoreError::Internal("secret".to_owned()), 200, -32603),
        (StoreError::Absent, 200, -32603),
    ] {
        let (server, seed) = Server::new().seeded();
        *server.model.fault.borrow_mut() = Some(fault.clone());
        for (operation, arguments) in seed.calls() {
            let reply = server.send("tools/call", &server.params(operation, arguments));
            let body: Value = serde_json::from_str(reply.body()).expect("JSON");
            assert_eq!((reply.status().as_u16(), &body["error"]["code"]), (status, &json!(code)));
            assert!(!reply.body().contains("secret") && !reply.body().contains("no route"));
        }
    }
    let (mut server, seed) = Server::new().seeded();
    server.principal.organization = None;
    for (operation, arguments) in seed.calls() {
        assert!(server.refusal(operation, arguments).contains("organization"), "{operation}");
    }
}
