use auth::Settings;
use auth::bearer::{self, Bearer, BearerError, Scheme};
use auth::settings::ResourceSettings;
use data::NeonSql;
use host::respond::{self, Challenge};
use host::{Endpoint, Origins};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use mcp::atoms::{Atoms, Mode, SqlStore};
use mcp::{Foreign, Moment, Principal, Reply};
use oauth::keys::KeyRing;
use oauth::scope;
use observe::Facts;
use ports::config::parsed;
use ports::route::{Function, MCP_RESOURCE_METADATA, Match};
use ports::{Config, ConfigError, Platform, Request, Response};

const KEYS: &str = "must be id=base64url,… with keys of 32 bytes";

/// `POST /mcp`: the Model Context Protocol over streamable HTTP, stateless.
pub(crate) struct Mcp;

pub(crate) struct McpSettings {
    service: Settings,
    resource: ResourceSettings,
    origins: Origins,
    /// Of what clients keep for us between two calls. The nonces of proofs are signed with the same
    /// keys under another label.
    state_keys: KeyRing,
    mode: Mode,
}

impl Endpoint for Mcp {
    const FUNCTION: Function = Function::Mcp;
    type Settings = McpSettings;

    fn configure(config: &impl Config) -> Result<McpSettings, ConfigError> {
        Ok(McpSettings {
            service: Settings::load(config)?,
            resource: ResourceSettings::load(config)?,
            origins: Origins::load(config)?,
            state_keys: parsed(config, "DPOP_NONCE_KEYS", KEYS, KeyRing::parse)?,
            mode: mode(config)?,
        })
    }

    /// 1. the origin and the host (DNS rebinding), 2. the access token, 3. the message.
    async fn handle(
        platform: &impl Platform,
        settings: &McpSettings,
        _found: &Match<'_>,
        request: &Request,
    ) -> Response {
        let known = |origin: &str| settings.origins.allow(origin);
        match mcp::admit(request.headers(), known, &settings.service.issuer) {
            Ok(()) => {}
            Err(Foreign::Origin) => {
                let detail = "the origin is not allowed";
                return respond::problem(StatusCode::FORBIDDEN, "origin_not_allowed", detail);
            }
            Err(Foreign::Host) => {
                let detail = "the server has another name";
                return respond::problem(StatusCode::FORBIDDEN, "host_not_allowed", detail);
            }
        }
        let McpSettings { service, resource, .. } = settings;
        let audience = service.resources.mcp();
        let entered = bearer::authenticate(platform, service, resource, request, audience).await;
        let response = match entered {
            Ok(caller) => answer(platform, settings, &caller, request).await,
            Err(error) => refuse(service, request, &error),
        };
        respond::nonced(response, request, &resource.nonces, platform.now())
    }
}

/// How tools are offered: `MCP_TOOLS`, `grouped` (if it is absent) or `flat`.
fn mode(config: &impl Config) -> Result<Mode, ConfigError> {
    match config.get("MCP_TOOLS").as_deref() {
        None | Some("grouped") => Ok(Mode::Grouped),
        Some("flat") => Ok(Mode::Flat),
        Some(_) => Err(ConfigError { setting: "MCP_TOOLS", problem: "must be grouped or flat" }),
    }
}

async fn answer(
    platform: &impl Platform,
    settings: &McpSettings,
    caller: &Bearer,
    request: &Request,
) -> Response {
    let McpSettings { service, state_keys, mode, .. } = settings;
    let sql = &service.sql;
    let sql = NeonSql::new(platform, sql.url.clone(), sql.connection_string.clone());
    let parts = parts_of(request);
    let atoms = Atoms { store: &SqlStore { sql: &sql }, platform, mode: *mode };
    let principal = principal(caller);
    let moment = Moment { now: platform.now(), state_keys };
    let reply = mcp::handle(&parts, request.body(), &principal, &atoms, &moment).await;
    let mut facts = Facts {
        client_id: Some(caller.claims.client_id.clone()),
        session_id: Some(caller.claims.sid.to_string()),
        ..Facts::default()
    };
    let mut response = respond::empty(reply.status());
    if !reply.body().is_empty() {
        *response.body_mut() = bytes::Bytes::copy_from_slice(reply.body().as_bytes());
        let kind = HeaderValue::from_static(reply.content_type());
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    match reply {
        Reply::Accepted | Reply::Events { .. } => {}
        Reply::Json { internal, .. } => {
            facts.failed = internal.is_some();
            facts.cause = internal;
        }
        Reply::InsufficientScope { required, .. } => {
            let scope = required.join(" ");
            let metadata = metadata(service);
            let scheme = Scheme::of(request);
            let challenge = Challenge { metadata: &metadata, scope: Some(&scope), scheme };
            challenge.insufficient_scope(&mut response);
            facts.outcome = Some("insufficient_scope".to_owned());
        }
        Reply::Unavailable { cause, .. } => {
            response = respond::retry_later(response);
            facts.outcome = Some("unavailable".to_owned());
            facts.cause = Some(cause);
        }
    }
    respond::noted(response, facts)
}

fn parts_of(request: &Request) -> http::request::Parts {
    let mut bare = http::Request::new(());
    *bare.method_mut() = request.method().clone();
    *bare.uri_mut() = request.uri().clone();
    *bare.headers_mut() = request.headers().clone();
    bare.into_parts().0
}

fn principal(caller: &Bearer) -> Principal {
    let claims = &caller.claims;
    Principal {
        subject: claims.sub.clone(),
        organization: claims.org.clone(),
        roles: claims.roles.clone(),
        scopes: claims.scope.split(' ').map(str::to_owned).collect(),
        client_id: claims.client_id.clone(),
    }
}

fn refuse(settings: &Settings, request: &Request, error: &BearerError) -> Response {
    let metadata = metadata(settings);
    let scope = scope::MCP.join(" ");
    let scheme = Scheme::of(request);
    let challenge = Challenge { metadata: &metadata, scope: Some(&scope), scheme };
    let response = respond::not_let_in(&challenge, error);
    let outcome = match error {
        BearerError::Missing => "no_token",
        BearerError::Invalid(_) => "invalid_token",
        BearerError::Proof(_) => "invalid_dpop_proof",
        BearerError::Nonce => "use_dpop_nonce",
        BearerError::Unavailable(_) => "unavailable",
        BearerError::Internal(_) => "internal",
    };
    respond::noted(response, Facts::outcome(outcome).because(error.to_string()))
}

fn metadata(settings: &Settings) -> String {
    format!("{}{MCP_RESOURCE_METADATA}", settings.issuer)
}
