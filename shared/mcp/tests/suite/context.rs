//! Resources, prompts and completion.

use mcp::Reply;
use mcp::atoms::Mode;
use serde_json::{Value, json};

use crate::atoms::{Seed, Server};
use crate::world::World;

const NOBODY: &str = "0190b3a0-0000-7000-8000-00000000ffff";

fn error(server: &Server, method: &str, params: &Value) -> (u16, i64) {
    let reply = server.send(method, params);
    let body: Value = serde_json::from_str(reply.body()).expect("JSON");
    (reply.status().as_u16(), body["error"]["code"].as_i64().unwrap_or_else(|| panic!("{body}")))
}

fn templates(server: &Server) -> Vec<String> {
    let result = server.ask("resources/templates/list", &json!({}));
    let all = result["resourceTemplates"].as_array().expect("templates");
    all.iter().map(|one| one["uriTemplate"].as_str().expect("a URI").to_owned()).collect()
}

fn prompts(server: &Server) -> Vec<Value> {
    server.ask("prompts/list", &json!({}))["prompts"].as_array().expect("prompts").clone()
}

/// Good arguments of every prompt.
fn arguments(prompt: &str, seed: &Seed) -> Value {
    match prompt {
        "project_setup" => {
            json!({ "workspace_id": seed.workspace, "name": "Mars", "goal": "[list_projects]" })
        }
        "requirement_review" => json!({ "project_id": seed.project, "status": "draft" }),
        _ => json!({ "project_id": seed.project }),
    }
}

fn complete(server: &Server, reference: &Value, name: &str, value: &str) -> Vec<String> {
    let argument = json!({ "name": name, "value": value });
    let result =
        server.ask("completion/complete", &json!({ "ref": reference, "argument": argument }));
    let values = result["completion"]["values"].as_array().expect("values").clone();
    values.iter().map(|one| one.as_str().expect("a text").to_owned()).collect()
}

#[test]
fn workspaces_are_listed_as_resources_page_by_page() {
    let (server, _) = Server::july(json!({})).seeded();
    for at in 0..59 {
        server.call("create_workspace", json!({ "name": format!("W{at}"), "description": "d" }));
    }
    let first = server.ask("resources/list", &json!({}));
    assert_eq!(first["resources"].as_array().map(Vec::len), Some(50));
    let second = server.ask("resources/list", &json!({ "cursor": first["nextCursor"] }));
    assert_eq!(second["resources"].as_array().map(Vec::len), Some(10));
    assert_eq!(second.get("nextCursor"), None);
    let uri = second["resources"][0]["uri"].as_str().expect("a URI");
    let read = server.ask("resources/read", &json!({ "uri": uri }));
    assert_eq!(read["contents"][0]["uri"], uri);
    assert_eq!(error(&server, "resources/list", &json!({ "cursor": "x" })), (200, -32602));
}

#[test]
fn every_template_can_be_read() {
    for server in [Server::new(), Server::july(json!({}))] {
        let (server, seed) = server.seeded();
        let templates = templates(&server);
        assert_eq!(templates.len(), 5);
        for template in templates {
            let id = match template.as_str() {
                text if text.starts_with("atoms://workspace/") => &seed.workspace,
                text if text.starts_with("atoms://run/") => &seed.run,
                _ => &seed.requirement,
            };
            let uri = template.replace("{id}", id);
            let read = server.ask("resources/read", &json!({ "uri": uri }));
            let text = read["contents"][0]["text"].as_str().expect("a text");
            let content: Value = serde_json::from_str(text).expect("JSON");
            assert!(content.is_object() && text.contains(id.as_str()), "{uri}: {text}");
        }
    }
}

#[test]
fn what_is_no_resource_is_not_found() {
    for (server, code) in [(Server::new(), -32002), (Server::july(json!({})), -32602)] {
        let (server, seed) = server.seeded();
        for uri in [
            format!("atoms://workspace/{NOBODY}"),
            format!("atoms://entity/{NOBODY}"),
            format!("atoms://run/{NOBODY}"),
            format!("atoms://workspace/{}/", seed.workspace),
            format!("atoms://workspace/{}?x", seed.workspace),
            format!("atoms://workflow/{}", seed.workspace),
            format!("ATOMS://workspace/{}", seed.workspace),
            "atoms://workspace/{id}".to_owned(),
            "atoms://workspace/../x".to_owned(),
            "file:///etc/passwd".to_owned(),
            "x".repeat(5000),
            String::new(),
        ] {
            assert_eq!(
                error(&server, "resources/read", &json!({ "uri": uri })),
                (200, code),
                "{uri}"
            );
        }
    }
}

#[test]
fn resources_and_prompts_need_the_scopes_of_what_they_read() {
    let (mut server, seed) = Server::new().seeded();
    server.principal.scopes = vec!["atoms:workspace.read".to_owned()];
    assert_eq!(templates(&server), ["atoms://workspace/{id}"]);
    assert_eq!(prompts(&server), Vec::<Value>::new());
    let reply =
        server.send("resources/read", &json!({ "uri": format!("atoms://entity/{}", seed.test) }));
    let Reply::InsufficientScope { required, .. } = &reply else { panic!("{reply:?}") };
    assert_eq!(required, &["atoms:entity.read"]);
    let params =
        json!({ "name": "traceability_report", "arguments": { "project_id": seed.project } });
    let reply = server.send("prompts/get", &params);
    let Reply::InsufficientScope { required, .. } = &reply else { panic!("{reply:?}") };
    assert_eq!(required, &["atoms:entity.read", "atoms:relationship.read"]);
    server.principal.scopes.clear();
    let listed = server.ask("resources/list", &json!({}));
    assert_eq!(listed["resources"], json!([]));
    let reference = json!({ "type": "ref/prompt", "name": "test_plan" });
    assert_eq!(complete(&server, &reference, "project_id", ""), Vec::<String>::new());
}

#[test]
fn every_prompt_starts_from_what_it_is_about_and_names_tools_that_are_there() {
    for mode in [Mode::Flat, Mode::Grouped] {
        for server in [Server::new(), Server::july(json!({}))] {
            let (server, seed) = Server { mode, ..server }.seeded();
            let prompts = prompts(&server);
            assert_eq!(prompts.len(), 5);
            for prompt in prompts {
                let name = prompt["name"].as_str().expect("a name");
                let params = json!({ "name": name, "arguments": arguments(name, &seed) });
                let got = server.ask("prompts/get", &params);
                let start =
                    got["messages"][0]["content"]["resource"]["text"].as_str().expect("a text");
                assert!(start.contains("\"version\":"), "{start}");
                let text = got["messages"][1]["content"]["text"].as_str().expect("a text");
                assert!(!text.contains('{') && text.lines().count() > 4, "{text}");
                assert_eq!(text.contains(", operation "), mode == Mode::Grouped, "{text}");
                // What the person has written is not taken for ours.
                assert_eq!(text.contains("[list_projects]"), name == "project_setup", "{text}");
            }
        }
    }
}

#[test]
fn wrong_arguments_of_prompts_are_named() {
    let (server, seed) = Server::new().seeded();
    for arguments in [
        json!({}),
        json!({ "project_id": "x" }),
        json!({ "project_id": NOBODY }),
        json!({ "project_id": seed.project, "status": "passed" }),
        json!({ "project_id": seed.project, "x": "y" }),
        json!({ "project_id": 7 }),
    ] {
        let params = json!({ "name": "requirement_review", "arguments": arguments });
        assert_eq!(error(&server, "prompts/get", &params), (200, -32602), "{arguments}");
    }
    assert_eq!(error(&server, "prompts/get", &json!({ "name": "nope" })), (200, -32602));
}

#[test]
fn ids_are_completed_by_names_and_words_by_their_beginning() {
    let (server, seed) = Server::july(json!({})).seeded();
    server.call("create_workspace", json!({ "name": "Old Apollo" }));
    let setup = json!({ "type": "ref/prompt", "name": "project_setup" });
    let review = json!({ "type": "ref/prompt", "name": "requirement_review" });
    let template = |uri: &str| json!({ "type": "ref/resource", "uri": uri });
    let found = complete(&server, &setup, "workspace_id", "apo");
    assert_eq!((found.len(), found.first()), (2, Some(&seed.workspace)));
    let found = complete(&server, &template("atoms://workspace/{id}"), "id", &seed.workspace[..13]);
    assert!(found.contains(&seed.workspace));
    assert_eq!(complete(&server, &review, "project_id", "moo"), [seed.project.as_str()]);
    assert_eq!(complete(&server, &setup, "name", "m"), ["Moon"]);
    assert_eq!(
        complete(&server, &template("atoms://entity/{id}"), "id", "press"),
        [seed.test.as_str()]
    );
    assert_eq!(complete(&server, &template("atoms://entity/{id}"), "id", ""), Vec::<String>::new());
    assert_eq!(complete(&server, &review, "status", "in_"), ["in_review", "in_progress"]);
    let report = json!({ "type": "ref/prompt", "name": "traceability_report" });
    assert_eq!(complete(&server, &report, "type", "test"), ["test_case", "test_run"]);
    for (reference, name) in [
        (&review, "nope"),
        (&json!({ "type": "ref/prompt", "name": "nope" }), "project_id"),
        (&template("atoms://nope/{id}"), "id"),
        (&template("atoms://entity/{id}"), "name"),
        (&json!({ "type": "ref/tool", "name": "x" }), "x"),
    ] {
        let params = json!({ "ref": reference, "argument": { "name": name, "value": "" } });
        assert_eq!(error(&server, "completion/complete", &params), (200, -32602), "{params}");
    }
}

#[test]
fn what_the_store_does_not_serve_is_not_there() {
    // The business database serves two operations so far, and none of these needs only them.
    let world = World::new();
    let (_, answer) = world.ask("initialize", &json!({ "protocolVersion": "2025-11-25" }));
    assert_eq!(answer["result"]["capabilities"], json!({ "tools": {} }));
    for method in ["resources/list", "resources/read", "prompts/list", "completion/complete"] {
        let (_, answer) = world.ask(method, &json!({}));
        assert_eq!(answer["error"]["code"], -32601, "{method}");
    }
}
