//! One request of either era: which method it is, what the server says to it, and how that is put.

use http::{HeaderMap, StatusCode};
use oauth::base64url;
use oauth::keys::KeyRing;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::jsonrpc::{self, Error, Request};
use crate::protocol::Version;
use crate::request::{Meta, Params, text};
use crate::server::{About, Call, Completing, Fault, List, Outcome, Progress, Reference, Server};
use crate::{Moment, Principal, Reply, json, state, transport};

/// For how long clients may keep a list, in milliseconds. What a token allows can change with the next
/// token, so this is short.
const LIST_TTL: u64 = 60_000;
/// The most values of a completion.
const MOST_COMPLETED: usize = 100;

/// Answer a request.
pub(crate) async fn answer<S: Server>(
    headers: &HeaderMap,
    request: &Request<'_>,
    principal: &Principal,
    server: &S,
    moment: &Moment<'_>,
) -> Reply {
    let id = request.id;
    let read = match Read::of(headers, request) {
        Ok(read) => read,
        Err((status, error)) => return Reply::error(status, id, &error),
    };
    let about = server.about();
    let wanted = read.meta.progress_token.clone().filter(|_| transport::takes_events(headers));
    let mut call = Call {
        principal,
        now: moment.now,
        capabilities: read.meta.capabilities.as_ref().filter(|_| read.version.is_stateless()),
        inputs: Map::new(),
        state: None,
        progress: wanted.map(Progress::new),
    };
    let exchange =
        Exchange { headers, read: &read, about: &about, server, keys: moment.state_keys };
    let found = exchange.run(request.method.as_str(), &mut call).await;
    let notes = call.progress.take().map(Progress::into_told).unwrap_or_default();
    match found {
        Ok(result) => Reply::result(id, &notes, &result),
        Err(Refused::Error(status, error)) => Reply::error(status, id, &error),
        Err(Refused::Fault(Fault::Scope(scopes))) => Reply::insufficient_scope(id, scopes),
        Err(Refused::Fault(Fault::Unavailable(cause))) => Reply::unavailable(id, cause),
        Err(Refused::Fault(Fault::Internal(cause))) => Reply::internal(id, cause),
        Err(Refused::Fault(fault)) => {
            let (status, error) = read.explain(fault);
            Reply::error(status, id, &error)
        }
    }
}

/// A request whose version is known and whose headers agree with it.
struct Read<'a> {
    version: Version,
    params: Params<'a>,
    meta: Meta,
}

impl<'a> Read<'a> {
    fn of(headers: &HeaderMap, request: &Request<'a>) -> Result<Self, (StatusCode, Error)> {
        let params = Params::read(request.params);
        let readable = params.is_some();
        let params = params.unwrap_or_default();
        let meta = Meta::read(&params);
        let version = transport::version(headers, &request.method, &meta)?;
        let read = Self { version, params, meta };
        if !readable {
            let text = "`params` must be an object without members given twice.";
            return Err((read.status(), Error::new(jsonrpc::INVALID_PARAMS, text)));
        }
        if version.is_stateless() {
            if read.meta.version.is_none() || read.meta.capabilities.is_none() {
                let text = "`params._meta` must have `io.modelcontextprotocol/protocolVersion`, a \
                    string, and `io.modelcontextprotocol/clientCapabilities`, an object.";
                let error = Error::new(jsonrpc::INVALID_PARAMS, text);
                return Err((StatusCode::BAD_REQUEST, error));
            }
            transport::repeats(headers, &request.method, &read.params)?;
        }
        Ok(read)
    }

    /// The status of an error about a well-formed message: until 2025-11-25 it is that of a result.
    fn status(&self) -> StatusCode {
        if self.version.is_stateless() { StatusCode::BAD_REQUEST } else { StatusCode::OK }
    }

    fn explain(&self, fault: Fault) -> (StatusCode, Error) {
        match fault {
            Fault::NoResource(uri) => {
                let code = if self.version.is_stateless() {
                    jsonrpc::INVALID_PARAMS
                } else {
                    jsonrpc::RESOURCE_NOT_FOUND
                };
                let error = Error::new(code, "Resource not found.");
                (StatusCode::OK, error.with_data(json!({ "uri": uri })))
            }
            Fault::Incapable(required) => {
                let error = Error::new(
                    jsonrpc::MISSING_CAPABILITY,
                    "The client has not declared a capability that this needs.",
                );
                let data = json!({ "requiredCapabilities": required });
                (self.status(), error.with_data(data))
            }
            Fault::Invalid(text) => (StatusCode::OK, Error::new(jsonrpc::INVALID_PARAMS, text)),
            // These have answers of their own.
            Fault::Scope(_) | Fault::Unavailable(_) | Fault::Internal(_) => {
                (StatusCode::OK, Error::new(jsonrpc::INTERNAL_ERROR, "Internal error."))
            }
        }
    }
}

enum Refused {
    Error(StatusCode, Error),
    Fault(Fault),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

fn invalid(text: &'static str) -> Refused {
    Refused::Fault(Fault::Invalid(text.to_owned()))
}

struct Exchange<'a, S> {
    headers: &'a HeaderMap,
    read: &'a Read<'a>,
    about: &'a About,
    server: &'a S,
    keys: &'a KeyRing,
}

impl<S: Server> Exchange<'_, S> {
    async fn run(&self, method: &str, call: &mut Call<'_>) -> Result<Value, Refused> {
        let about = self.about;
        match (method, self.read.version.is_stateless()) {
            ("initialize", false) => self.initialize(),
            ("ping" | "logging/setLevel", false) => Ok(json!({})),
            ("server/discover", true) => Ok(self.discover()),
            ("tools/list", _) => self.list(call, List::Tools, "tools").await,
            ("tools/call", _) => self.call_tool(call).await,
            ("resources/list", _) if about.resources => {
                self.list(call, List::Resources, "resources").await
            }
            ("resources/templates/list", _) if about.resources => {
                self.list(call, List::ResourceTemplates, "resourceTemplates").await
            }
            ("resources/read", _) if about.resources => self.read_resource(call).await,
            ("prompts/list", _) if about.prompts => self.list(call, List::Prompts, "prompts").await,
            ("prompts/get", _) if about.prompts => self.get_prompt(call).await,
            ("completion/complete", _) if about.completions => self.complete(call).await,
            (_, stateless) => {
                let status = if stateless { StatusCode::NOT_FOUND } else { StatusCode::OK };
                let error = Error::new(jsonrpc::METHOD_NOT_FOUND, "Method not found.");
                Err(Refused::Error(status, error))
            }
        }
    }

    fn initialize(&self) -> Result<Value, Refused> {
        let asked = text(self.read.params.protocol_version)
            .ok_or_else(|| invalid("`params.protocolVersion` must be a string."))?;
        Ok(json!({
            "protocolVersion": Version::negotiate(&asked).name(),
            "capabilities": self.about.capabilities(),
            "serverInfo": self.about.identity(),
            "instructions": self.about.instructions,
        }))
    }

    fn discover(&self) -> Value {
        let mut result = Map::new();
        result.insert("supportedVersions".to_owned(), json!(Version::names()));
        result.insert("capabilities".to_owned(), self.about.capabilities());
        result.insert("instructions".to_owned(), json!(self.about.instructions));
        self.keepable(&mut result, LIST_TTL);
        self.complete_result(result)
    }

    async fn list(&self, call: &Call<'_>, list: List, name: &str) -> Result<Value, Refused> {
        let cursor = match self.read.params.cursor {
            None => None,
            given => Some(text(given).ok_or_else(|| invalid("`params.cursor` must be a string."))?),
        };
        let page = self.server.list(call, list, cursor.as_deref()).await?;
        let mut result = Map::new();
        result.insert(name.to_owned(), Value::Array(page.items));
        if let Some(next) = page.next {
            result.insert("nextCursor".to_owned(), Value::String(next));
        }
        let fixed = matches!(list, List::Tools | List::Prompts | List::ResourceTemplates);
        self.keepable(&mut result, if fixed { LIST_TTL } else { 0 });
        Ok(self.complete_result(result))
    }

    async fn call_tool(&self, call: &mut Call<'_>) -> Result<Value, Refused> {
        let name = text(self.read.params.name)
            .ok_or_else(|| invalid("`params.name` must be a string, the name of a tool."))?;
        let arguments = self.arguments()?;
        if self.read.version.is_stateless() {
            let mirrored = self.server.mirrored(&name);
            transport::repeats_arguments(self.headers, mirrored, &arguments)
                .map_err(|(status, error)| Refused::Error(status, error))?;
        }
        let bound = self.resume(call, "tools/call", &name, &arguments)?;
        let outcome = self.server.call_tool(call, &name, arguments).await?;
        self.conclude(call, outcome, &bound, false)
    }

    async fn read_resource(&self, call: &mut Call<'_>) -> Result<Value, Refused> {
        let uri = text(self.read.params.uri)
            .ok_or_else(|| invalid("`params.uri` must be a string, the URI of a resource."))?;
        let bound = self.resume(call, "resources/read", &uri, &Map::new())?;
        let outcome = self.server.read_resource(call, &uri).await?;
        self.conclude(call, outcome, &bound, true)
    }

    async fn get_prompt(&self, call: &mut Call<'_>) -> Result<Value, Refused> {
        let name = text(self.read.params.name)
            .ok_or_else(|| invalid("`params.name` must be a string, the name of a prompt."))?;
        let arguments = self.arguments()?;
        let bound = self.resume(call, "prompts/get", &name, &arguments)?;
        let outcome = self.server.get_prompt(call, &name, arguments).await?;
        self.conclude(call, outcome, &bound, false)
    }

    async fn complete(&self, call: &Call<'_>) -> Result<Value, Refused> {
        let asked = completing(&self.read.params).ok_or_else(|| {
            invalid("`params` must have `ref` and `argument` with `name` and `value`, strings.")
        })?;
        let mut found = self.server.complete(call, &asked).await?;
        let more = found.more || found.values.len() > MOST_COMPLETED;
        found.values.truncate(MOST_COMPLETED);
        let mut result = Map::new();
        let completion = json!({ "values": found.values, "hasMore": more });
        result.insert("completion".to_owned(), completion);
        Ok(self.complete_result(result))
    }

    fn arguments(&self) -> Result<Map<String, Value>, Refused> {
        let Some(raw) = self.read.params.arguments else { return Ok(Map::new()) };
        let read = json::object(raw).map_err(|json::TooLarge| {
            invalid(
                "`params.arguments` has too many values, is nested too deep or names one twice.",
            )
        })?;
        read.ok_or_else(|| invalid("`params.arguments` must be an object."))
    }

    /// Take what the client answers to an earlier question of ours. The answer describes the call, for
    /// a question to be bound to.
    fn resume(
        &self,
        call: &mut Call<'_>,
        method: &str,
        name: &str,
        arguments: &Map<String, Value>,
    ) -> Result<Bound, Refused> {
        if !self.read.version.is_stateless() {
            return Ok(Bound::default());
        }
        let bound = Bound::of(call.principal, method, name, arguments);
        if let Some(raw) = self.read.params.input_responses {
            let read = json::object(raw).ok().flatten();
            call.inputs =
                read.ok_or_else(|| invalid("`params.inputResponses` must be an object."))?;
        }
        if let Some(raw) = self.read.params.request_state {
            let opened = text(Some(raw))
                .and_then(|sealed| state::open(self.keys, &bound.parts(), &sealed, call.now));
            let told = "`params.requestState` is not one of ours for this call, or has ended. Call \
                again without it.";
            call.state = Some(opened.ok_or_else(|| invalid(told))?);
        }
        Ok(bound)
    }

    fn conclude(
        &self,
        call: &Call<'_>,
        outcome: Outcome,
        bound: &Bound,
        keepable: bool,
    ) -> Result<Value, Refused> {
        let (requests, kept) = match outcome {
            Outcome::Done(mut result) => {
                if keepable {
                    self.keepable(&mut result, 0);
                }
                return Ok(self.complete_result(result));
            }
            Outcome::Ask { requests, state } => (requests, state),
        };
        if call.capabilities.is_none() {
            return Err(Fault::Internal("asked a client that cannot be asked".to_owned()).into());
        }
        let mut result = Map::new();
        result.insert("inputRequests".to_owned(), Value::Object(requests));
        if let Some(payload) = kept {
            let sealed = state::seal(self.keys, &bound.parts(), &payload, call.now);
            let sealed = sealed.ok_or_else(|| Fault::Internal("no key for states".to_owned()))?;
            result.insert("requestState".to_owned(), Value::String(sealed));
        }
        Ok(self.signed(result, "input_required"))
    }

    /// The hints of 2026-07-28. What a token allows differs, so nobody may keep it for others.
    fn keepable(&self, result: &mut Map<String, Value>, ttl: u64) {
        if self.read.version.is_stateless() {
            result.insert("ttlMs".to_owned(), ttl.into());
            result.insert("cacheScope".to_owned(), "private".into());
        }
    }

    fn complete_result(&self, result: Map<String, Value>) -> Value {
        if !self.read.version.is_stateless() {
            return Value::Object(result);
        }
        self.signed(result, "complete")
    }

    fn signed(&self, mut result: Map<String, Value>, kind: &str) -> Value {
        result.insert("resultType".to_owned(), kind.into());
        let meta = json!({ "io.modelcontextprotocol/serverInfo": self.about.identity() });
        result.insert("_meta".to_owned(), meta);
        Value::Object(result)
    }
}

/// What a question of ours is bound to: who was asked, about which call.
#[derive(Default)]
struct Bound([String; 6]);

impl Bound {
    fn of(principal: &Principal, method: &str, name: &str, arguments: &Map<String, Value>) -> Self {
        let organization = principal.organization.clone().unwrap_or_default();
        // The members of a map are in the order of their names, however the client sends them.
        let mut digest = Sha256::new();
        // Writing to a digest cannot fail.
        let _ = serde_json::to_writer(&mut digest, arguments);
        let arguments = base64url(&digest.finalize());
        let (subject, client) = (principal.subject.clone(), principal.client_id.clone());
        Self([subject, client, organization, method.to_owned(), name.to_owned(), arguments])
    }

    fn parts(&self) -> [&str; 6] {
        self.0.each_ref().map(String::as_str)
    }
}

fn completing(params: &Params<'_>) -> Option<Completing> {
    let read = |raw: Option<&serde_json::value::RawValue>| json::object(raw?).ok().flatten();
    let taken = |all: &Map<String, Value>, name: &str| all.get(name)?.as_str().map(str::to_owned);
    let reference = read(params.reference)?;
    let of = match taken(&reference, "type")?.as_str() {
        "ref/prompt" => Reference::Prompt(taken(&reference, "name")?),
        "ref/resource" => Reference::Template(taken(&reference, "uri")?),
        _ => return None,
    };
    let argument = read(params.argument)?;
    let known = match params.context {
        None => Map::new(),
        given => match read(given)?.remove("arguments") {
            None => Map::new(),
            Some(Value::Object(known)) => known,
            Some(_) => return None,
        },
    };
    let (name, value) = (taken(&argument, "name")?, taken(&argument, "value")?);
    Some(Completing { of, argument: name, value, known })
}
