use host::{Endpoint, respond};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use oauth::metadata::{AuthorizationServer, Endpoints, ProtectedResource};
use oauth::resource::Resources;
use ports::route::{self, Function, Match};
use ports::{Config, ConfigError, Platform, Request, Response};
use serde::Serialize;
use serde_json::Value;

/// Metadata and keys: documents that are the same for everybody.
pub(crate) struct Authorize;

/// The documents, ready to be sent.
pub(crate) struct Documents {
    issuer: String,
    resources: Resources,
    keys: Value,
}

impl Endpoint for Authorize {
    const FUNCTION: Function = Function::Authorize;
    type Settings = Documents;

    fn configure(config: &impl Config) -> Result<Documents, ConfigError> {
        let issuer = auth::settings::public_url(config)?;
        let keys = auth::settings::published_keys(config)?;
        Ok(Documents { resources: Resources::of(&issuer), issuer, keys })
    }

    async fn handle(
        _platform: &impl Platform,
        documents: &Documents,
        found: &Match<'_>,
        _request: &Request,
    ) -> Response {
        match found.route.path {
            route::AUTHORIZATION_SERVER_METADATA => {
                let endpoints = Endpoints {
                    token: route::TOKEN,
                    revocation: route::REVOKE,
                    introspection: route::INTROSPECT,
                    jwks: route::JWKS,
                };
                cacheable(&AuthorizationServer::of(&documents.issuer, endpoints))
            }
            route::MCP_RESOURCE_METADATA => {
                cacheable(&ProtectedResource::mcp(&documents.resources))
            }
            route::JWKS => cacheable(&documents.keys),
            // The one other route of this function is the host's own metadata.
            _ => cacheable(&ProtectedResource::issuer(&documents.resources)),
        }
    }
}

/// Five minutes: a new key is published long before it signs.
fn cacheable(document: &impl Serialize) -> Response {
    let mut response = respond::json(StatusCode::OK, document);
    let value = HeaderValue::from_static("public, max-age=300");
    response.headers_mut().insert(CACHE_CONTROL, value);
    response
}
