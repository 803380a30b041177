//! The server that the conformance suite asks for: tools, resources and prompts of fixed names that
//! show each part of the protocol once.

use mcp::{About, Call, Completed, Completing, Fault, List, Outcome, Page, Reference, Server};
use serde_json::{Map, Value, json};

/// A picture of one pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// A sound without a sample.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

const TOOLS: &[(&str, &str)] = &[
    ("test_simple_text", "A text."),
    ("test_image_content", "A picture."),
    ("test_audio_content", "A sound."),
    ("test_embedded_resource", "A resource inside the answer."),
    ("test_multiple_content_types", "A text, a picture and a resource."),
    ("test_error_handling", "Always an error."),
    ("test_tool_with_progress", "Tells of progress three times."),
    ("test_missing_capability", "Needs a client that samples."),
    ("test_streaming_elicitation", "Asks a client that can be asked."),
    ("test_logging_tool", "Logs nothing that nobody wants."),
    ("test_input_required_result_elicitation", "Asks for a name."),
    ("test_input_required_result_sampling", "Asks the client's model."),
    ("test_input_required_result_list_roots", "Asks for the client's roots."),
    ("test_input_required_result_request_state", "Asks, and wants its state back."),
    ("test_input_required_result_multiple_inputs", "Asks three things at once."),
    ("test_input_required_result_multi_round", "Asks twice."),
    ("test_input_required_result_tampered_state", "Does not take a state that is not its own."),
    ("test_input_required_result_capabilities", "Asks for what the client can do."),
    ("test_mirrored_argument", "Has an argument that is repeated in a header."),
];

const MIRRORED: &str = "test_mirrored_argument";

/// The server.
pub(crate) struct Fixture;

impl Server for Fixture {
    fn about(&self) -> About {
        About {
            name: "atoms-edge-conformance",
            title: "Conformance fixture",
            version: "1.0.0",
            instructions: "Every tool, resource and prompt that the conformance suite asks for.",
            resources: true,
            prompts: true,
            completions: true,
        }
    }

    async fn list(&self, _: &Call<'_>, list: List, _: Option<&str>) -> Result<Page, Fault> {
        let items = match list {
            List::Tools => TOOLS.iter().map(|(name, text)| tool(name, text)).collect(),
            List::Resources => vec![
                json!({ "uri": "test://static-text", "name": "text", "mimeType": "text/plain" }),
                json!({ "uri": "test://static-binary", "name": "binary", "mimeType": "image/png" }),
            ],
            List::ResourceTemplates => {
                vec![json!({ "uriTemplate": "test://template/{id}/data", "name": "template" })]
            }
            List::Prompts => prompts(),
        };
        Ok(Page { items, next: None })
    }

    fn mirrored(&self, tool: &str) -> &'static [(&'static str, &'static str)] {
        if tool == MIRRORED { &[("Value", "value")] } else { &[] }
    }

    async fn call_tool(
        &self,
        call: &Call<'_>,
        name: &str,
        _: Map<String, Value>,
    ) -> Result<Outcome, Fault> {
        let content = match name {
            "test_simple_text" => json!([text("This is a simple text response for testing.")]),
            "test_image_content" => json!([image()]),
            "test_audio_content" => {
                json!([{ "type": "audio", "data": WAV, "mimeType": "audio/wav" }])
            }
            "test_embedded_resource" => json!([embedded("test://embedded-resource")]),
            "test_multiple_content_types" => {
                json!([text("Several types:"), image(), embedded("test://mixed-content-resource")])
            }
            "test_error_handling" => {
                let content = json!([text("This tool intentionally returns an error for testing")]);
                return Ok(done(json!({ "content": content, "isError": true })));
            }
            "test_tool_with_progress" => {
                for at in [0, 50, 100] {
                    call.progress(at, 100, "working");
                }
                json!([text("done")])
            }
            "test_missing_capability" if !call.client_can("sampling") => {
                return Err(Fault::Incapable(json!({ "sampling": {} })));
            }
            "test_missing_capability" | "test_logging_tool" | MIRRORED => json!([text("done")]),
            "test_streaming_elicitation" => return Ok(once(call, &[("user_name", name_form())])),
            other => return asking(call, other),
        };
        Ok(done(json!({ "content": content })))
    }

    async fn read_resource(&self, _: &Call<'_>, uri: &str) -> Result<Outcome, Fault> {
        let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
        let contents = match (uri, id) {
            ("test://static-text", _) => {
                json!({ "uri": uri, "mimeType": "text/plain", "text": "A static text." })
            }
            ("test://static-binary", _) => {
                json!({ "uri": uri, "mimeType": "image/png", "blob": PNG })
            }
            (_, Some(id)) => {
                let text = json!({ "id": id, "templateTest": true }).to_string();
                json!({ "uri": uri, "mimeType": "application/json", "text": text })
            }
            _ => return Err(Fault::NoResource(uri.to_owned())),
        };
        Ok(done(json!({ "contents": [contents] })))
    }

    async fn get_prompt(
        &self,
        call: &Call<'_>,
        name: &str,
        arguments: Map<String, Value>,
    ) -> Result<Outcome, Fault> {
        let given = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
        let contents = match name {
            "test_simple_prompt" => vec![text("This is a simple prompt for testing.")],
            "test_prompt_with_arguments" => {
                let (one, two) = (given("arg1"), given("arg2"));
                vec![text(&format!("Prompt with arguments: arg1='{one}', arg2='{two}'"))]
            }
            "test_prompt_with_embedded_resource" => {
                vec![embedded(given("resourceUri")), text("Please process the resource above.")]
            }
            "test_prompt_with_image" => vec![image(), text("Please analyze the image above.")],
            "test_input_required_result_prompt" if call.input("user_context").is_none() => {
                let form = form("What context should the prompt use?", "context", "string");
                return Ok(ask(&[("user_context", form)], None));
            }
            "test_input_required_result_prompt" => vec![text("With context.")],
            _ => return Err(Fault::Invalid("Unknown prompt.".to_owned())),
        };
        let messages: Vec<_> =
            contents.iter().map(|content| json!({ "role": "user", "content": content })).collect();
        Ok(done(json!({ "messages": messages })))
    }

    async fn complete(&self, _: &Call<'_>, asked: &Completing) -> Result<Completed, Fault> {
        let known = ["paris", "park", "party"].map(str::to_owned);
        let of_prompt = matches!(asked.of, Reference::Prompt(_));
        let values = known.into_iter().filter(|one| of_prompt && one.starts_with(&asked.value));
        Ok(Completed { values: values.collect(), more: false })
    }
}

/// The tools that ask the client, by the names of the suite.
fn asking(call: &Call<'_>, name: &str) -> Result<Outcome, Fault> {
    let confirm = || ("confirm", form("Please confirm", "ok", "boolean"));
    Ok(match name.strip_prefix("test_input_required_result_") {
        Some("elicitation") => once(call, &[("user_name", name_form())]),
        Some("sampling") => once(call, &[("capital_question", sampling())]),
        Some("list_roots") => once(call, &[("client_roots", roots())]),
        Some("request_state" | "tampered_state") => match call.state() {
            Some("asked") if call.input("confirm").is_some() => said("state-ok"),
            _ => ask(&[confirm()], Some("asked")),
        },
        Some("multiple_inputs") => {
            let all =
                [("user_name", name_form()), ("greeting", sampling()), ("client_roots", roots())];
            let answered = all.iter().all(|(key, _)| call.input(key).is_some());
            if answered && call.state().is_some() { said("all") } else { ask(&all, Some("asked")) }
        }
        Some("multi_round") => match call.state() {
            Some("1") if call.input("step1").is_some() => {
                let form = form("What is your favorite color?", "color", "string");
                ask(&[("step2", form)], Some("2"))
            }
            Some("2") if call.input("step2").is_some() => said("both"),
            _ => ask(&[("step1", name_form())], Some("1")),
        },
        Some("capabilities") => {
            let able = [("sampling", sampling()), ("elicitation", name_form()), ("roots", roots())];
            let asked: Vec<_> =
                able.into_iter().filter(|(able, _)| call.client_can(able)).collect();
            if asked.is_empty() { said("nothing to ask") } else { once(call, &asked) }
        }
        _ => return Err(Fault::Invalid(format!("Unknown tool {name}."))),
    })
}

/// Asks until every answer is there.
fn once(call: &Call<'_>, requests: &[(&'static str, Value)]) -> Outcome {
    let well_formed = |key: &str| call.input(key).is_some_and(answers_a_question);
    if requests.iter().all(|(key, _)| well_formed(key)) {
        said("thanks")
    } else {
        ask(requests, None)
    }
}

/// Whether this is an answer at all: what was filled in, what the model says, or the roots.
fn answers_a_question(input: &Value) -> bool {
    match input.get("action").and_then(Value::as_str) {
        Some("accept") => input["content"]
            .as_object()
            .is_some_and(|content| content.get("name").is_none_or(Value::is_string)),
        Some("decline" | "cancel") => true,
        Some(_) => false,
        None => input.get("roots").is_some_and(Value::is_array) || input.get("role").is_some(),
    }
}

fn ask(requests: &[(&'static str, Value)], state: Option<&str>) -> Outcome {
    let requests = requests.iter().map(|(key, one)| ((*key).to_owned(), one.clone())).collect();
    Outcome::Ask { requests, state: state.map(str::to_owned) }
}

fn said(words: &str) -> Outcome {
    done(json!({ "content": [text(words)] }))
}

fn done(result: Value) -> Outcome {
    match result {
        Value::Object(members) => Outcome::Done(members),
        _ => Outcome::Done(Map::new()),
    }
}

fn text(words: &str) -> Value {
    json!({ "type": "text", "text": words })
}

fn image() -> Value {
    json!({ "type": "image", "data": PNG, "mimeType": "image/png" })
}

fn embedded(uri: &str) -> Value {
    let resource = json!({ "uri": uri, "mimeType": "text/plain", "text": "An embedded resource." });
    json!({ "type": "resource", "resource": resource })
}

fn name_form() -> Value {
    form("What is your name?", "name", "string")
}

fn form(message: &str, member: &str, kind: &str) -> Value {
    let properties = json!({ member: { "type": kind } });
    let schema = json!({ "type": "object", "properties": properties, "required": [member] });
    let params = json!({ "message": message, "requestedSchema": schema });
    json!({ "method": "elicitation/create", "params": params })
}

fn sampling() -> Value {
    let message = json!({ "role": "user", "content": text("What is the capital of France?") });
    let params = json!({ "messages": [message], "maxTokens": 100 });
    json!({ "method": "sampling/createMessage", "params": params })
}

fn roots() -> Value {
    json!({ "method": "roots/list", "params": {} })
}

fn tool(name: &str, description: &str) -> Value {
    let properties = if name == MIRRORED {
        json!({ "value": { "type": "string", "x-mcp-header": "Value" } })
    } else {
        json!({})
    };
    let schema = json!({ "type": "object", "properties": properties });
    json!({ "name": name, "description": description, "inputSchema": schema })
}

fn prompts() -> Vec<Value> {
    let all: [(&str, &[&str]); 5] = [
        ("test_simple_prompt", &[]),
        ("test_prompt_with_arguments", &["arg1", "arg2"]),
        ("test_prompt_with_embedded_resource", &["resourceUri"]),
        ("test_prompt_with_image", &[]),
        ("test_input_required_result_prompt", &[]),
    ];
    let argument = |name: &&str| json!({ "name": name, "required": true });
    let prompt = |(name, arguments): (&str, &[&str])| {
        let arguments: Vec<_> = arguments.iter().map(argument).collect();
        json!({ "name": name, "description": "A prompt of the suite.", "arguments": arguments })
    };
    all.into_iter().map(prompt).collect()
}
