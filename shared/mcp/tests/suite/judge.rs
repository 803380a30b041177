//! What others say of our messages: the published JSON schemas of the protocol, and the types of
//! the official Rust SDK.

use std::{collections::HashMap, sync::LazyLock};

use jsonschema::Validator;
use rmcp::model;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

const SCHEMAS: [(&str, &str); 3] = [
    ("2025-06-18", include_str!("../schemas/2025-06-18.json")),
    ("2025-11-25", include_str!("../schemas/2025-11-25.json")),
    ("2026-07-28", include_str!("../schemas/2026-07-28.json")),
];

static VALIDATORS: LazyLock<HashMap<(&str, String), Validator>> = LazyLock::new(|| {
    let mut all = HashMap::new();
    for (version, text) in SCHEMAS {
        let schema: Value = serde_json::from_str(text).expect("a schema");
        let place = if schema.get("$defs").is_some() { "$defs" } else { "definitions" };
        for name in names(version) {
            let mut wanted = schema.clone();
            wanted["$ref"] = json!(format!("#/{place}/{name}"));
            let validator = jsonschema::validator_for(&wanted).expect("a validator");
            all.insert((version, name.to_owned()), validator);
        }
    }
    all
});

fn names(version: &str) -> Vec<&'static str> {
    let mut names = vec![
        "ListToolsResult",
        "CallToolResult",
        "ListResourcesResult",
        "ListResourceTemplatesResult",
        "ReadResourceResult",
        "ListPromptsResult",
        "GetPromptResult",
        "CompleteResult",
        "EmptyResult",
        "ProgressNotification",
    ];
    if version == "2026-07-28" {
        names.extend(["DiscoverResult", "InputRequiredResult", "JSONRPCErrorResponse"]);
        names.extend(["UnsupportedProtocolVersionError", "MissingRequiredClientCapabilityError"]);
        names.extend(["HeaderMismatchError", "CallToolRequest", "JSONRPCResultResponse"]);
    } else {
        names.push("InitializeResult");
    }
    names
}

/// The value must be one of that name in that version.
pub(crate) fn conforms(version: &str, name: &str, value: &Value) {
    let key = SCHEMAS.map(|(known, _)| known).into_iter().find(|known| *known == version);
    let key = (key.expect("a version"), name.to_owned());
    let validator = VALIDATORS.get(&key).unwrap_or_else(|| panic!("no schema of {name}"));
    let errors: Vec<_> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{version} {name}: {errors:?} in {value}");
}

/// The result of a request must be one of the version, and the same for the official SDK.
pub(crate) fn result(version: &str, method: &str, value: &Value) {
    if value["resultType"] == "input_required" {
        conforms(version, "InputRequiredResult", value);
        return same::<model::InputRequiredResult>(value);
    }
    let (name, round_trip): (_, fn(&Value)) = match method {
        "initialize" => ("InitializeResult", same::<model::InitializeResult>),
        "server/discover" => ("DiscoverResult", same::<model::DiscoverResult>),
        "tools/list" => ("ListToolsResult", same::<model::ListToolsResult>),
        "tools/call" => ("CallToolResult", same::<model::CallToolResult>),
        "resources/list" => ("ListResourcesResult", same::<model::ListResourcesResult>),
        "resources/templates/list" => {
            ("ListResourceTemplatesResult", same::<model::ListResourceTemplatesResult>)
        }
        "resources/read" => ("ReadResourceResult", same::<model::ReadResourceResult>),
        "prompts/list" => ("ListPromptsResult", same::<model::ListPromptsResult>),
        "prompts/get" => ("GetPromptResult", same::<model::GetPromptResult>),
        "completion/complete" => ("CompleteResult", same::<model::CompleteResult>),
        "ping" | "logging/setLevel" => ("EmptyResult", |_| ()),
        other => panic!("no result is known for {other}"),
    };
    conforms(version, name, value);
    round_trip(value);
}

/// Through the type and back. What the type fills in by itself is no difference.
fn same<T: Serialize + DeserializeOwned>(value: &Value) {
    let typed: T = serde_json::from_value(value.clone()).unwrap_or_else(|error| {
        panic!("{} does not take {value}: {error}", std::any::type_name::<T>())
    });
    let back = serde_json::to_value(&typed).expect("JSON");
    assert!(contains(&back, value), "{value} came back as {back}");
}

fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(name, value)| whole.get(name).is_some_and(|other| contains(other, value))),
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(a, b)| contains(a, b))
        }
        (whole, part) => whole == part || whole.as_f64().is_some_and(|n| part.as_f64() == Some(n)),
    }
}
