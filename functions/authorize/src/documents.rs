use host::respond;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use oauth::metadata::{AuthorizationServer, Endpoints, ProtectedResource};
use oauth::resource::Resources;
use ports::route;
use ports::{Config, ConfigError, Response};
use serde::Serialize;
use serde_json::Value;

/// The documents that are the same for everybody: metadata and keys.
pub(crate) struct Documents {
    issuer: String,
    resources: Resources,
    keys: Value,
}

const ENDPOINTS: Endpoints = Endpoints {
    authorization: route::AUTHORIZE,
    pushed_request: route::PUSHED_REQUEST,
    registration: route::REGISTER,
    token: route::TOKEN,
    revocation: route::REVOKE,
    introspection: route::INTROSPECT,
    jwks: route::JWKS,
};

impl Documents {
    pub(crate) fn load(config: &impl Config) -> Result<Self, ConfigError> {
        let issuer = auth::settings::public_url(config)?;
        let keys = auth::published::keys(config)?;
        Ok(Self { resources: Resources::of(&issuer), issuer, keys })
    }

    /// The document at a path; `None` if none is there.
    pub(crate) fn at(&self, path: &str) -> Option<Response> {
        Some(match path {
            route::AUTHORIZATION_SERVER_METADATA | route::MCP_AUTHORIZATION_SERVER_METADATA => {
                cacheable(&AuthorizationServer::of(&self.issuer, ENDPOINTS))
            }
            route::PROTECTED_RESOURCE_METADATA => {
                cacheable(&ProtectedResource::issuer(&self.resources))
            }
            route::MCP_RESOURCE_METADATA => cacheable(&ProtectedResource::mcp(&self.resources)),
            route::JWKS => cacheable(&self.keys),
            _ => return None,
        })
    }
}

/// Five minutes: a new key is published long before it signs.
fn cacheable(document: &impl Serialize) -> Response {
    let mut response = respond::json(StatusCode::OK, document);
    let value = HeaderValue::from_static("public, max-age=300");
    response.headers_mut().insert(CACHE_CONTROL, value);
    response
}
