//! The documents by which clients find their way: RFC 8414, RFC 9728. Built from the configured
//! public URL alone, never from what a request says of its host.

use serde::Serialize;

use crate::resource::Resources;
use crate::{introspection_jwt, scope};

/// The grant type of RFC 8693.
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The grant type of RFC 6749 section 4.1.
pub const AUTHORIZATION_CODE: &str = "authorization_code";
/// The grant type of RFC 6749 section 6.
pub const REFRESH_TOKEN: &str = "refresh_token";

/// Where the endpoints are, as paths below the issuer.
#[derive(Debug, Clone, Copy)]
pub struct Endpoints {
    /// RFC 6749.
    pub token: &'static str,
    /// RFC 7009.
    pub revocation: &'static str,
    /// RFC 7662.
    pub introspection: &'static str,
    /// RFC 7517.
    pub jwks: &'static str,
}

/// Authorization server metadata, RFC 8414 section 2.
#[derive(Debug, Serialize)]
pub struct AuthorizationServer {
    issuer: String,
    token_endpoint: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    jwks_uri: String,
    scopes_supported: &'static [&'static str],
    response_types_supported: &'static [&'static str],
    grant_types_supported: &'static [&'static str],
    token_endpoint_auth_methods_supported: &'static [&'static str],
    revocation_endpoint_auth_methods_supported: &'static [&'static str],
    introspection_endpoint_auth_methods_supported: &'static [&'static str],
    introspection_signing_alg_values_supported: &'static [&'static str],
}

const CLIENT_AUTH: &[&str] = &["client_secret_basic", "client_secret_post", "none"];
const CONFIDENTIAL_CLIENT_AUTH: &[&str] = &["client_secret_basic", "client_secret_post"];

impl AuthorizationServer {
    /// The document of the deployment at `issuer`.
    pub fn of(issuer: &str, endpoints: Endpoints) -> Self {
        let url = |path: &str| format!("{issuer}{path}");
        Self {
            issuer: issuer.to_owned(),
            token_endpoint: url(endpoints.token),
            revocation_endpoint: url(endpoints.revocation),
            introspection_endpoint: url(endpoints.introspection),
            jwks_uri: url(endpoints.jwks),
            scopes_supported: &scope::ALL,
            response_types_supported: &[],
            grant_types_supported: &[REFRESH_TOKEN, TOKEN_EXCHANGE],
            token_endpoint_auth_methods_supported: CLIENT_AUTH,
            revocation_endpoint_auth_methods_supported: CLIENT_AUTH,
            introspection_endpoint_auth_methods_supported: CONFIDENTIAL_CLIENT_AUTH,
            introspection_signing_alg_values_supported: introspection_jwt::ALGORITHMS,
        }
    }
}

/// Protected resource metadata, RFC 9728 section 2.
#[derive(Debug, Serialize)]
pub struct ProtectedResource {
    resource: String,
    authorization_servers: [String; 1],
    scopes_supported: &'static [&'static str],
    bearer_methods_supported: [&'static str; 1],
    resource_name: &'static str,
}

impl ProtectedResource {
    /// The document of the issuer as a resource: the session endpoints.
    pub fn issuer(resources: &Resources) -> Self {
        const SCOPES: [&str; 3] = [scope::SESSIONS_READ, scope::SESSIONS_WRITE, scope::AUDIT_READ];
        Self::of(resources.issuer(), resources, &SCOPES, "Atoms sessions")
    }

    /// The document of the MCP endpoint.
    pub fn mcp(resources: &Resources) -> Self {
        Self::of(resources.mcp(), resources, &scope::MCP, "Atoms MCP server")
    }

    fn of(
        resource: &str,
        resources: &Resources,
        scopes_supported: &'static [&'static str],
        resource_name: &'static str,
    ) -> Self {
        Self {
            resource: resource.to_owned(),
            authorization_servers: [resources.issuer().to_owned()],
            scopes_supported,
            bearer_methods_supported: ["header"],
            resource_name,
        }
    }
}
