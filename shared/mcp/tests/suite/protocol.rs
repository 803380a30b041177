//! The protocol core with the server of the conformance suite, in every version.
#![expect(clippy::needless_pass_by_value, reason = "parameters are written where they are used")]

use futures::executor::block_on;
use http::request::Parts;
use mcp::{Moment, Principal, Reply, Version};
use oauth::keys::KeyRing;
use serde_json::{Map, Value, json};

use crate::fixture::Fixture;
use crate::judge;

const JULY: &str = "2026-07-28";

/// A client.
struct Client {
    subject: &'static str,
    now: u64,
    version: Option<&'static str>,
    capabilities: Value,
}

/// What goes out, to be changed before it does.
struct Message {
    headers: Vec<(String, String)>,
    body: Value,
}

impl Message {
    fn header(mut self, name: &str, value: Option<&str>) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        self
    }
}

impl Client {
    fn of(version: &'static str) -> Self {
        Self { subject: "ada", now: 1_000, version: Some(version), capabilities: json!({}) }
    }

    fn able(capabilities: Value) -> Self {
        Self { capabilities, ..Self::of(JULY) }
    }

    fn message(&self, method: &str, params: Value) -> Message {
        let mut body = json!({ "jsonrpc": "2.0", "id": "r", "method": method, "params": params });
        let mut headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("accept".to_owned(), "application/json, text/event-stream".to_owned()),
        ];
        let mut header =
            |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
        if let Some(version) = self.version {
            header("mcp-protocol-version", version);
        }
        if self.version == Some(JULY) {
            header("mcp-method", method);
            let params = &mut body["params"];
            if let Some(name) = params["name"].as_str().or_else(|| params["uri"].as_str()) {
                header("mcp-name", name);
            }
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(JULY);
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
                self.capabilities.clone();
        }
        Message { headers, body }
    }

    fn send(&self, message: &Message) -> Reply {
        let principal = Principal {
            subject: self.subject.to_owned(),
            organization: None,
            roles: Vec::new(),
            scopes: Vec::new(),
            client_id: "c".to_owned(),
        };
        let keys = KeyRing::parse(&format!("1={}", oauth::base64url(&[1; 32]))).expect("a ring");
        let moment = Moment { now: self.now, state_keys: &keys };
        let body = message.body.to_string();
        let parts = parts(&message.headers);
        block_on(mcp::handle(&parts, body.as_bytes(), &principal, &Fixture, &moment))
    }

    /// The result, judged.
    fn result(&self, method: &str, params: Value) -> Value {
        let reply = self.send(&self.message(method, params));
        let (status, mut answer) = read(&reply);
        assert_eq!(status, 200, "{answer}");
        let result = answer["result"].take();
        assert!(result.is_object(), "{method}: {answer}");
        judge::result(self.version.expect("a version"), method, &result);
        result
    }

    /// Status, code and the error itself, judged.
    fn error(&self, message: &Message) -> (u16, i64, Value) {
        let (status, answer) = read(&self.send(message));
        judge::conforms(JULY, "JSONRPCErrorResponse", &answer);
        assert_eq!(answer["id"], "r");
        (status, answer["error"]["code"].as_i64().expect("a code"), answer)
    }

    fn refused(&self, method: &str, params: Value) -> (u16, i64, Value) {
        self.error(&self.message(method, params))
    }
}

fn parts(headers: &[(String, String)]) -> Parts {
    let mut request = http::Request::post("/mcp");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(()).expect("a request").into_parts().0
}

fn read(reply: &Reply) -> (u16, Value) {
    (reply.status().as_u16(), serde_json::from_str(reply.body()).expect("JSON"))
}

fn with(params: Value, more: Value) -> Value {
    let mut params: Map<String, Value> = params.as_object().cloned().expect("an object");
    params.extend(more.as_object().cloned().expect("an object"));
    Value::Object(params)
}

const CALL: &str = "tools/call";

fn tool(name: &str) -> Value {
    json!({ "name": name, "arguments": {} })
}

#[test]
fn every_method_answers_in_every_version_as_the_version_has_it() {
    for version in Version::ALL.map(Version::name) {
        let client = Client::of(version);
        let lists = ["tools/list", "resources/list", "resources/templates/list", "prompts/list"];
        for method in lists {
            client.result(method, json!({}));
        }
        for name in ["test_simple_text", "test_image_content", "test_audio_content"] {
            client.result(CALL, tool(name));
        }
        for name in ["test_embedded_resource", "test_multiple_content_types", "test_error_handling"]
        {
            client.result(CALL, tool(name));
        }
        for uri in ["test://static-text", "test://static-binary", "test://template/7/data"] {
            client.result("resources/read", json!({ "uri": uri }));
        }
        let arguments = json!({ "arg1": "a", "arg2": "b", "resourceUri": "test://x" });
        for name in ["test_simple_prompt", "test_prompt_with_arguments", "test_prompt_with_image"] {
            client.result("prompts/get", json!({ "name": name, "arguments": arguments }));
        }
        let argument = json!({ "name": "arg1", "value": "par" });
        let reference = json!({ "type": "ref/prompt", "name": "test_prompt_with_arguments" });
        let asked = json!({ "ref": reference, "argument": argument });
        let found = client.result("completion/complete", asked);
        assert_eq!(found["completion"]["values"], json!(["paris", "park", "party"]));
    }
}

#[test]
fn only_the_stateless_version_speaks_of_itself_in_every_result() {
    for version in Version::ALL.map(Version::name) {
        let result = Client::of(version).result("tools/list", json!({}));
        let marks = ["resultType", "ttlMs", "cacheScope", "_meta"];
        let found = marks.iter().filter(|mark| result.get(**mark).is_some()).count();
        assert_eq!(found, if version == JULY { marks.len() } else { 0 }, "{version}");
    }
}

#[test]
fn discover_tells_what_there_is() {
    let result = Client::of(JULY).result("server/discover", json!({}));
    assert_eq!(result["supportedVersions"], json!([JULY, "2025-11-25", "2025-06-18"]));
    let capabilities = json!({ "tools": {}, "resources": {}, "prompts": {}, "completions": {} });
    assert_eq!(result["capabilities"], capabilities);
    let identity = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
    assert_eq!(identity["name"], "atoms-edge-conformance");
}

#[test]
fn each_era_has_its_methods() {
    let july = ["initialize", "ping", "logging/setLevel", "resources/subscribe", "tasks/get", "x"];
    for method in july {
        let (status, code, _) = Client::of(JULY).refused(method, json!({}));
        assert_eq!((status, code), (404, -32601), "{method}");
    }
    for method in ["server/discover", "subscriptions/listen", "resources/subscribe"] {
        let (status, code, _) = Client::of("2025-11-25").refused(method, json!({}));
        assert_eq!((status, code), (200, -32601), "{method}");
    }
    for method in ["ping", "logging/setLevel"] {
        assert_eq!(Client::of("2025-06-18").result(method, json!({})), json!({}));
    }
}

#[test]
fn a_request_without_its_metadata_is_refused() {
    for missing in ["protocolVersion", "clientCapabilities"] {
        let client = Client::of(JULY);
        let mut message = client.message("tools/list", json!({}));
        let meta = message.body["params"]["_meta"].as_object_mut().expect("an object");
        meta.remove(&format!("io.modelcontextprotocol/{missing}"));
        assert_eq!(client.error(&message).1, -32602, "{missing}");
        assert_eq!(client.error(&message).0, 400, "{missing}");
        for wrong in [json!(1), json!(null), json!([]), json!(true)] {
            message.body["params"]["_meta"][format!("io.modelcontextprotocol/{missing}")] = wrong;
            assert_eq!(client.error(&message).0, 400, "{missing}");
        }
    }
    let client = Client::of(JULY);
    let mut message = client.message("tools/list", json!({}));
    for params in [json!({}), json!({ "_meta": 1 }), json!([]), json!("x")] {
        message.body["params"] = params;
        let (status, code, _) = client.error(&message);
        assert_eq!((status, code), (400, -32602));
    }
    message.body.as_object_mut().expect("an object").remove("params");
    assert_eq!(client.error(&message).1, -32602);
}

#[test]
fn a_version_that_is_not_served_is_named_with_those_that_are() {
    let client = Client::of(JULY);
    let mut message = client.message("tools/list", json!({}));
    message.body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] =
        json!("2031-01-01");
    let (status, code, answer) =
        client.error(&message.header("mcp-protocol-version", Some("2031-01-01")));
    assert_eq!((status, code), (400, -32022));
    judge::conforms(JULY, "UnsupportedProtocolVersionError", &answer);
    assert_eq!(answer["error"]["data"]["requested"], "2031-01-01");
}

#[test]
fn headers_must_say_what_the_body_says() {
    let client = Client::of(JULY);
    let call = || client.message(CALL, tool("test_simple_text"));
    for (name, value) in [
        ("mcp-protocol-version", None),
        ("mcp-protocol-version", Some("2025-11-25")),
        ("mcp-method", None),
        ("mcp-method", Some("tools/list")),
        ("mcp-method", Some("TOOLS/CALL")),
        ("mcp-name", None),
        ("mcp-name", Some("test_error_handling")),
        ("mcp-name", Some("=?base64?dGVzdF9zaW1wbGVfdGV4dA?=")),
    ] {
        let (status, code, answer) = client.error(&call().header(name, value));
        assert_eq!((status, code), (400, -32020), "{name} {value:?}");
        judge::conforms(JULY, "HeaderMismatchError", &answer);
    }
    let twice = call();
    let mut headers = twice.headers.clone();
    headers.push(("mcp-name".to_owned(), "test_simple_text".to_owned()));
    assert_eq!(client.error(&Message { headers, ..twice }).1, -32020);
    let padded = call().header("mcp-name", Some("  test_simple_text\t"));
    assert_eq!(client.send(&padded).status(), 200);
    let encoded = call().header("mcp-name", Some("=?base64?dGVzdF9zaW1wbGVfdGV4dA==?="));
    assert_eq!(client.send(&encoded).status(), 200);
}

#[test]
fn mirrored_arguments_must_be_in_their_header() {
    let client = Client::of(JULY);
    let call = |value: Value, header: Option<&str>| {
        let params = json!({ "name": "test_mirrored_argument", "arguments": { "value": value } });
        let message = client.message(CALL, params).header("mcp-param-value", header);
        client.send(&message).status().as_u16()
    };
    assert_eq!(call(json!("a b"), Some("a b")), 200);
    assert_eq!(call(json!("é"), Some("=?base64?w6k=?=")), 200);
    assert_eq!(call(json!(5), Some("5")), 200);
    assert_eq!(call(json!(true), Some("true")), 200);
    assert_eq!(call(Value::Null, None), 200);
    assert_eq!(call(json!("a"), Some("b")), 400);
    assert_eq!(call(json!("a"), None), 400);
    assert_eq!(call(Value::Null, Some("a")), 400);
    assert_eq!(call(json!("é"), Some("=?base64?w6k?=")), 400);
}

#[test]
fn a_client_that_is_asked_answers_and_calls_again() {
    let able = json!({ "elicitation": {} });
    let client = Client::able(able.clone());
    let name = "test_input_required_result_request_state";
    let asked = client.result(CALL, tool(name));
    assert_eq!(asked["resultType"], "input_required");
    assert_eq!(asked["inputRequests"]["confirm"]["method"], "elicitation/create");
    let state = asked["requestState"].as_str().expect("a state").to_owned();
    let input = json!({ "confirm": { "action": "accept", "content": { "ok": true } } });
    let again = json!({ "inputResponses": input, "requestState": state });
    let done = client.result(CALL, with(tool(name), again.clone()));
    assert_eq!(done["content"][0]["text"], "state-ok");

    let other = json!({ "name": name, "arguments": { "x": 1 } });
    let tampered = with(again.clone(), json!({ "requestState": format!("{state}A") }));
    for (why, client, params) in [
        (
            "another caller",
            Client { subject: "bob", ..Client::able(able.clone()) },
            with(tool(name), again.clone()),
        ),
        (
            "too late",
            Client { now: 10_000_000, ..Client::able(able.clone()) },
            with(tool(name), again.clone()),
        ),
        ("other arguments", Client::able(able.clone()), with(other, again.clone())),
        ("tampered", Client::able(able.clone()), with(tool(name), tampered)),
        ("no text", Client::able(able.clone()), with(tool(name), json!({ "requestState": 5 }))),
        ("no object", Client::able(able), with(tool(name), json!({ "inputResponses": [] }))),
    ] {
        assert_eq!(client.refused(CALL, params).1, -32602, "{why}");
    }
}

#[test]
fn what_a_client_cannot_do_is_said_and_not_asked_for() {
    let (status, code, answer) = Client::of(JULY).refused(CALL, tool("test_missing_capability"));
    assert_eq!((status, code), (400, -32021));
    judge::conforms(JULY, "MissingRequiredClientCapabilityError", &answer);
    assert_eq!(answer["error"]["data"]["requiredCapabilities"], json!({ "sampling": {} }));
    // A client of an older version cannot be asked in an answer, whatever it says.
    let older = Client::of("2025-11-25");
    let result = older.result(CALL, tool("test_input_required_result_capabilities"));
    assert_eq!(result["content"][0]["text"], "nothing to ask");
    let url_only = Client::able(json!({ "elicitation": { "url": {} } }));
    let result = url_only.result(CALL, tool("test_input_required_result_capabilities"));
    assert_eq!(result["content"][0]["text"], "nothing to ask");
}

#[test]
fn progress_is_told_to_those_who_want_it() {
    for version in Version::ALL.map(Version::name) {
        let client = Client::of(version);
        for token in [json!("t"), json!(7)] {
            let params = with(
                tool("test_tool_with_progress"),
                json!({ "_meta": { "progressToken": token } }),
            );
            let message = client.message(CALL, params);
            let reply = client.send(&message);
            assert_eq!(reply.content_type(), "text/event-stream");
            let told: Vec<Value> = reply
                .body()
                .lines()
                .filter_map(|line| line.strip_prefix("data: "))
                .map(|data| serde_json::from_str(data).expect("JSON"))
                .collect();
            assert_eq!(told.len(), 4);
            for note in &told[..3] {
                judge::conforms(version, "ProgressNotification", note);
                assert_eq!(note["params"]["progressToken"], token);
            }
            judge::result(version, CALL, &told[3]["result"]);
            // Who reads no events gets the answer alone.
            let plain = message.header("accept", Some("application/json"));
            assert_eq!(client.send(&plain).content_type(), "application/json");
        }
        let unasked = client.message(CALL, tool("test_tool_with_progress"));
        assert_eq!(client.send(&unasked).content_type(), "application/json");
    }
}

#[test]
fn what_is_not_there_is_an_error_of_its_era() {
    for (version, code) in [(JULY, -32602), ("2025-11-25", -32002)] {
        let missing = json!({ "uri": "test://nowhere" });
        let (status, found, answer) =
            Client::of(version).refused("resources/read", missing.clone());
        assert_eq!((status, found, &answer["error"]["data"]), (200, code, &missing));
        assert_eq!(Client::of(version).refused(CALL, tool("nope")).1, -32602);
        let nameless = Client::of(version).refused("prompts/get", json!({}));
        assert_eq!(nameless.1, -32602);
    }
}

#[test]
fn an_older_version_in_the_metadata_is_served_as_that_version() {
    let client = Client { version: None, ..Client::of(JULY) };
    let meta = json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": "2025-11-25" } });
    let (status, answer) = read(&client.send(&client.message("tools/list", meta.clone())));
    assert_eq!((status, answer["result"].get("resultType")), (200, None));
    let july = json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": JULY } });
    assert_eq!(client.refused("tools/list", july).1, -32020);
}

#[test]
fn values_without_measure_are_refused_before_they_take_memory() {
    let client = Client::of("2025-11-25");
    let many = Value::Array(vec![json!({ "": 0 }); 50_000]);
    let params = json!({ "name": "test_simple_text", "arguments": { "x": many } });
    assert_eq!(client.refused(CALL, params).1, -32602);
    let long = "x".repeat(4 << 20);
    let params = json!({ "name": "test_simple_text", "arguments": { "x": long } });
    client.result(CALL, params);
}
