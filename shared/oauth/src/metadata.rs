//! The documents by which clients find their way: RFC 8414, RFC 9728. Built from the configured
//! public URL alone, never from what a request says of its host.

use serde::Serialize;

use crate::resource::Resources;
use crate::{authorization, client_assertion, dpop, introspection_jwt, pkce, scope};

/// The grant type of RFC 8693.
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The grant type of RFC 6749 section 4.1.
pub const AUTHORIZATION_CODE: &str = "authorization_code";
/// The grant type of RFC 6749 section 4.4.
pub const CLIENT_CREDENTIALS: &str = "client_credentials";
/// The grant type of RFC 6749 section 6.
pub const REFRESH_TOKEN: &str = "refresh_token";

/// Where the endpoints are, as paths below the issuer.
#[derive(Debug, Clone, Copy)]
pub struct Endpoints {
    /// RFC 6749 section 3.1.
    pub authorization: &'static str,
    /// RFC 9126.
    pub pushed_request: &'static str,
    /// RFC 7591.
    pub registration: &'static str,
    /// RFC 6749 section 3.2.
    pub token: &'static str,
    /// RFC 7009.
    pub revocation: &'static str,
    /// RFC 7662.
    pub introspection: &'static str,
    /// RFC 7517.
    pub jwks: &'static str,
}

/// Authorization server metadata: RFC 8414 section 2 and its extensions.
#[derive(Debug, Serialize)]
pub struct AuthorizationServer {
    issuer: String,
    authorization_endpoint: String,
    pushed_authorization_request_endpoint: String,
    registration_endpoint: String,
    token_endpoint: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    jwks_uri: String,
    scopes_supported: &'static [&'static str],
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    grant_types_supported: &'static [&'static str],
    code_challenge_methods_supported: [&'static str; 1],
    prompt_values_supported: &'static [&'static str],
    token_endpoint_auth_methods_supported: &'static [&'static str],
    token_endpoint_auth_signing_alg_values_supported: &'static [&'static str],
    revocation_endpoint_auth_methods_supported: &'static [&'static str],
    revocation_endpoint_auth_signing_alg_values_supported: &'static [&'static str],
    introspection_endpoint_auth_methods_supported: &'static [&'static str],
    introspection_endpoint_auth_signing_alg_values_supported: &'static [&'static str],
    introspection_signing_alg_values_supported: &'static [&'static str],
    dpop_signing_alg_values_supported: &'static [&'static str],
    authorization_response_iss_parameter_supported: bool,
    client_id_metadata_document_supported: bool,
    require_pushed_authorization_requests: bool,
    request_parameter_supported: bool,
    request_uri_parameter_supported: bool,
}

const GRANTS: &[&str] = &[AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS, TOKEN_EXCHANGE];
const CLIENT_AUTH: &[&str] =
    &["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
const CONFIDENTIAL_CLIENT_AUTH: &[&str] =
    &["client_secret_basic", "client_secret_post", "private_key_jwt"];

impl AuthorizationServer {
    /// The document of the deployment at `issuer`.
    pub fn of(issuer: &str, endpoints: Endpoints) -> Self {
        let url = |path: &str| format!("{issuer}{path}");
        Self {
            issuer: issuer.to_owned(),
            authorization_endpoint: url(endpoints.authorization),
            pushed_authorization_request_endpoint: url(endpoints.pushed_request),
            registration_endpoint: url(endpoints.registration),
            token_endpoint: url(endpoints.token),
            revocation_endpoint: url(endpoints.revocation),
            introspection_endpoint: url(endpoints.introspection),
            jwks_uri: url(endpoints.jwks),
            scopes_supported: &scope::ALL,
            response_types_supported: [authorization::RESPONSE_TYPE],
            response_modes_supported: [authorization::RESPONSE_MODE],
            grant_types_supported: GRANTS,
            code_challenge_methods_supported: [pkce::METHOD],
            prompt_values_supported: &authorization::PROMPTS,
            token_endpoint_auth_methods_supported: CLIENT_AUTH,
            token_endpoint_auth_signing_alg_values_supported: client_assertion::ALGORITHMS,
            revocation_endpoint_auth_methods_supported: CLIENT_AUTH,
            revocation_endpoint_auth_signing_alg_values_supported: client_assertion::ALGORITHMS,
            introspection_endpoint_auth_methods_supported: CONFIDENTIAL_CLIENT_AUTH,
            introspection_endpoint_auth_signing_alg_values_supported: client_assertion::ALGORITHMS,
            introspection_signing_alg_values_supported: introspection_jwt::ALGORITHMS,
            dpop_signing_alg_values_supported: dpop::ALGORITHMS,
            authorization_response_iss_parameter_supported: true,
            client_id_metadata_document_supported: true,
            require_pushed_authorization_requests: false,
            request_parameter_supported: false,
            request_uri_parameter_supported: false,
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
    dpop_signing_alg_values_supported: &'static [&'static str],
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
            dpop_signing_alg_values_supported: dpop::ALGORITHMS,
            resource_name,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::client_auth::AuthMethod;

    const ISSUER: &str = "https://edge.example";

    fn document() -> Value {
        let endpoints = Endpoints {
            authorization: "/authorize",
            pushed_request: "/par",
            registration: "/register",
            token: "/token",
            revocation: "/revoke",
            introspection: "/introspect",
            jwks: "/jwks",
        };
        serde_json::to_value(AuthorizationServer::of(ISSUER, endpoints)).expect("JSON")
    }

    #[test]
    fn m1_everything_is_below_the_issuer_and_pkce_is_told() {
        let document = document();
        let members = document.as_object().expect("an object");
        assert_eq!(document["issuer"], ISSUER);
        for (name, value) in members {
            let address = name.ends_with("_endpoint") || name.ends_with("_uri");
            let below = value.as_str().is_some_and(|url| url.starts_with("https://edge.example/"));
            assert_eq!(address, below, "{name}");
        }
        assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    }

    #[test]
    fn m9_that_answers_name_their_issuer_is_told() {
        assert_eq!(document()["authorization_response_iss_parameter_supported"], true);
    }

    #[test]
    fn every_method_of_client_authentication_is_told() {
        for method in AuthMethod::ALL {
            assert!(CLIENT_AUTH.contains(&method.as_str()));
            let proves = method != AuthMethod::None;
            assert_eq!(CONFIDENTIAL_CLIENT_AUTH.contains(&method.as_str()), proves);
        }
    }

    #[test]
    fn m7_offline_access_is_no_scope_of_a_resource() {
        let resources = Resources::of(ISSUER);
        for document in [ProtectedResource::issuer(&resources), ProtectedResource::mcp(&resources)]
        {
            assert!(!document.scopes_supported.contains(&scope::OFFLINE_ACCESS));
        }
    }
}
