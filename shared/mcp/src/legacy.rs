//! The methods of the versions that start with `initialize` (up to 2025-11-25), without sessions:
//! every request stands alone.

use http::StatusCode;
use ports::{Clock, Random, Sql};
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    Principal, Reply, Services,
    jsonrpc::{self, Error, Id, Request},
    protocol::Version,
    tools::{self, Failure},
};

/// What a model reads about the server as a whole.
const INSTRUCTIONS: &str = "Workspaces of your organization in Atoms. Every tool takes an \
    `operation`; its other arguments are optional in the schema, and the description of each says \
    which operation uses it. An answer with isError names the argument to change.";

/// Answer a request.
pub(crate) async fn answer<S: Sql, P: Clock + Random>(
    request: &Request<'_>,
    principal: &Principal,
    services: &Services<'_, S, P>,
) -> Reply {
    let id = request.id;
    match request.method.as_str() {
        "initialize" => initialize(id, request.params),
        "ping" => Reply::result(id, &json!({})),
        // There is one page, so a cursor changes nothing.
        "tools/list" => Reply::result(id, &json!({ "tools": tools::list(principal) })),
        "tools/call" => call(request, principal, services).await,
        _ => protocol_error(id, jsonrpc::METHOD_NOT_FOUND, "Method not found."),
    }
}

/// In this era an error about a well-formed message travels with HTTP status 200.
fn protocol_error(id: Id<'_>, code: i32, message: &'static str) -> Reply {
    Reply::error(StatusCode::OK, id, &Error::new(code, message))
}

#[derive(Deserialize)]
struct InitializeParams {
    #[serde(rename = "protocolVersion")]
    protocol_version: String,
}

fn initialize(id: Id<'_>, params: Option<&RawValue>) -> Reply {
    let Some(params) = params.and_then(object::<InitializeParams>) else {
        let text = "`params.protocolVersion` must be a string.";
        return protocol_error(id, jsonrpc::INVALID_PARAMS, text);
    };
    let result = json!({
        "protocolVersion": Version::negotiate(&params.protocol_version).name(),
        "capabilities": { "tools": {} },
        "serverInfo": {
            "name": "atoms-edge",
            "title": "Atoms Edge",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "instructions": INSTRUCTIONS,
    });
    Reply::result(id, &result)
}

#[derive(Deserialize)]
struct CallParams {
    name: String,
    #[serde(default)]
    arguments: Option<Map<String, Value>>,
}

async fn call<S: Sql, P: Clock + Random>(
    request: &Request<'_>,
    principal: &Principal,
    services: &Services<'_, S, P>,
) -> Reply {
    let id = request.id;
    let Some(params) = request.params.and_then(object::<CallParams>) else {
        let text = "`params` must be an object with `name`, a string, and `arguments`, an object.";
        return protocol_error(id, jsonrpc::INVALID_PARAMS, text);
    };
    let arguments = params.arguments.unwrap_or_default();
    match tools::call(&params.name, arguments, principal, services).await {
        Ok(content) => Reply::result(id, &success(&content)),
        Err(Failure::Refused(text)) => Reply::result(id, &refusal(&text)),
        Err(Failure::UnknownTool) => {
            let text = "Unknown tool. tools/list tells which there are.";
            protocol_error(id, jsonrpc::INVALID_PARAMS, text)
        }
        Err(Failure::Scope(scope)) => Reply::insufficient_scope(id, scope),
        Err(Failure::Unavailable(cause)) => Reply::unavailable(id, cause),
        Err(Failure::Internal(cause)) => Reply::internal(id, cause),
    }
}

/// Structs also deserialize from arrays; parameters are objects only.
fn object<'a, T: Deserialize<'a>>(params: &'a RawValue) -> Option<T> {
    let text = params.get();
    if !text.starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// The text repeats the structure for clients that know only text.
fn success(content: &Value) -> Value {
    json!({
        "content": [{ "type": "text", "text": content.to_string() }],
        "structuredContent": content,
        "isError": false,
    })
}

fn refusal(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }], "isError": true })
}
