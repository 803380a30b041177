//! The one route table: which path belongs to which function, and which methods it has.

use http::Method;
use oauth::resource::Resources;

/// A function of the deployment: one wasm module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// Metadata and keys, authorization requests, the sign-in and consent.
    Authorize,
    /// Grants.
    Token,
    /// RFC 7009.
    Revoke,
    /// RFC 7662.
    Introspect,
    /// A person's sessions, account page and audit trail.
    Sessions,
    /// The MCP server.
    Mcp,
    /// Probes.
    Health,
    /// The owner of the ledgers, whom the other functions ask.
    Ledger,
}

impl Function {
    /// All functions.
    pub const ALL: [Self; 8] = [
        Self::Authorize,
        Self::Token,
        Self::Revoke,
        Self::Introspect,
        Self::Sessions,
        Self::Mcp,
        Self::Health,
        Self::Ledger,
    ];

    /// The name of its folder under `functions/`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Token => "token",
            Self::Revoke => "revoke",
            Self::Introspect => "introspect",
            Self::Sessions => "sessions",
            Self::Mcp => "mcp",
            Self::Health => "health",
            Self::Ledger => "ledger",
        }
    }

    /// The service binding under which other Workers know it.
    pub const fn binding(self) -> &'static str {
        match self {
            Self::Authorize => "AUTHORIZE",
            Self::Token => "TOKEN",
            Self::Revoke => "REVOKE",
            Self::Introspect => "INTROSPECT",
            Self::Sessions => "SESSIONS",
            Self::Mcp => "MCP",
            Self::Health => "HEALTH",
            // The other name is that of the objects.
            Self::Ledger => "LEDGERS",
        }
    }
}

/// A path with its methods. `{id}` stands for exactly one path segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The path.
    pub path: &'static str,
    /// Its methods; `HEAD` goes wherever `GET` does.
    pub methods: &'static [Method],
    /// The function that serves it.
    pub function: Function,
    /// The largest body it accepts, in bytes.
    pub body_limit: usize,
}

/// OAuth requests are small.
const SMALL: usize = 64 * 1024;
/// A hundred tokens may come at once. As JSON in memory a body can take many times its size, and all
/// requests of an instance share 128 MB.
const LARGE: usize = 256 * 1024;
/// MCP messages carry documents. The crate `mcp` takes into memory what it has a budget for, so that
/// no message costs more than a small multiple of its size.
const MESSAGE: usize = 4 * 1024 * 1024;

const fn route(methods: &'static [Method], path: &'static str, function: Function) -> Route {
    Route { path, methods, function, body_limit: SMALL }
}

/// RFC 8414.
pub const AUTHORIZATION_SERVER_METADATA: &str = "/.well-known/oauth-authorization-server";
/// The same where clients look that take the MCP endpoint for the issuer.
pub const MCP_AUTHORIZATION_SERVER_METADATA: &str = "/.well-known/oauth-authorization-server/mcp";
/// RFC 9728, for the host.
pub const PROTECTED_RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource";
/// RFC 9728, for the MCP endpoint.
pub const MCP_RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource/mcp";
/// RFC 7517.
pub const JWKS: &str = "/.well-known/jwks.json";
/// RFC 6749 section 3.1.
pub const AUTHORIZE: &str = "/oauth/authorize";
/// Where people sign in without a client, to see their own page.
pub const LOGIN: &str = "/oauth/login";
/// Where AuthKit sends people back to.
pub const CALLBACK: &str = "/oauth/callback";
/// What people answer.
pub const CONSENT: &str = "/oauth/consent";
/// RFC 9126.
pub const PUSHED_REQUEST: &str = "/oauth/par";
/// RFC 7591 section 3.
pub const REGISTER: &str = "/oauth/register";
/// One registration, RFC 7592 section 2.
pub const REGISTRATION: &str = "/oauth/register/{id}";
/// RFC 6749 section 3.2.
pub const TOKEN: &str = "/oauth/token";
/// The same for the refresh grant alone.
pub const REFRESH: &str = "/auth/token/refresh";
/// RFC 7009.
pub const REVOKE: &str = "/auth/token/revoke";
/// RFC 7662.
pub const INTROSPECT: &str = "/auth/token/introspect";
/// A person's sessions.
pub const SESSIONS: &str = "/auth/sessions";
/// One of them.
pub const SESSION: &str = "/auth/sessions/{id}";
/// Let one go on. The token function serves it, as the one that holds the signing key.
pub const EXTEND: &str = "/auth/sessions/{id}/extend";
/// End all of them.
pub const REVOKE_ALL: &str = "/auth/sessions/revoke-all";
/// A person's audit trail.
pub const AUDIT: &str = "/auth/audit";
/// A person's own page.
pub const ACCOUNT: &str = "/account";
/// A form of it: end a session.
pub const ACCOUNT_SESSION: &str = "/account/sessions/{id}/end";
/// Another: end all others.
pub const ACCOUNT_OTHERS: &str = "/account/others/end";
/// Another: disconnect an application.
pub const ACCOUNT_APPS: &str = "/account/apps/end";
/// Another: sign out in this browser.
pub const ACCOUNT_SIGN_OUT: &str = "/account/sign-out";
/// What WorkOS tells.
pub const WORKOS_WEBHOOK: &str = "/webhooks/workos";
/// The MCP endpoint.
pub const MCP: &str = Resources::MCP_PATH;
/// The state of the service and its dependencies.
pub const HEALTH: &str = "/health";
/// Is the function running?
pub const HEALTH_LIVE: &str = "/health/live";
/// Can it serve?
pub const HEALTH_READY: &str = "/health/ready";
/// Does the work that is due, for whoever has a schedule. The one route of the owner of the ledgers:
/// what else it answers is for the other functions, and no request from outside may reach it.
pub const MAINTENANCE: &str = "/internal/maintenance";

/// Every route. A fixed path is found before a pattern.
pub const ROUTES: &[Route] = &[
    route(&[Method::GET], AUTHORIZATION_SERVER_METADATA, Function::Authorize),
    route(&[Method::GET], MCP_AUTHORIZATION_SERVER_METADATA, Function::Authorize),
    route(&[Method::GET], PROTECTED_RESOURCE_METADATA, Function::Authorize),
    route(&[Method::GET], MCP_RESOURCE_METADATA, Function::Authorize),
    route(&[Method::GET], JWKS, Function::Authorize),
    route(&[Method::GET], AUTHORIZE, Function::Authorize),
    route(&[Method::GET], LOGIN, Function::Authorize),
    route(&[Method::GET], CALLBACK, Function::Authorize),
    route(&[Method::POST], CONSENT, Function::Authorize),
    route(&[Method::POST], PUSHED_REQUEST, Function::Authorize),
    route(&[Method::POST], REGISTER, Function::Authorize),
    route(&[Method::GET, Method::PUT, Method::DELETE], REGISTRATION, Function::Authorize),
    route(&[Method::POST], TOKEN, Function::Token),
    route(&[Method::POST], REFRESH, Function::Token),
    Route { body_limit: LARGE, ..route(&[Method::POST], REVOKE, Function::Revoke) },
    route(&[Method::POST], INTROSPECT, Function::Introspect),
    route(&[Method::GET], SESSIONS, Function::Sessions),
    route(&[Method::POST], REVOKE_ALL, Function::Sessions),
    route(&[Method::DELETE], SESSION, Function::Sessions),
    route(&[Method::POST], EXTEND, Function::Token),
    route(&[Method::GET], AUDIT, Function::Sessions),
    route(&[Method::GET], ACCOUNT, Function::Sessions),
    route(&[Method::POST], ACCOUNT_SESSION, Function::Sessions),
    route(&[Method::POST], ACCOUNT_OTHERS, Function::Sessions),
    route(&[Method::POST], ACCOUNT_APPS, Function::Sessions),
    route(&[Method::POST], ACCOUNT_SIGN_OUT, Function::Sessions),
    route(&[Method::POST], WORKOS_WEBHOOK, Function::Sessions),
    Route { body_limit: MESSAGE, ..route(&[Method::POST], MCP, Function::Mcp) },
    route(&[Method::GET], HEALTH, Function::Health),
    route(&[Method::GET], HEALTH_LIVE, Function::Health),
    route(&[Method::GET], HEALTH_READY, Function::Health),
    route(&[Method::POST], MAINTENANCE, Function::Ledger),
];

/// A route found for a path, with the segment that stands for `{id}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match<'p> {
    /// The route.
    pub route: &'static Route,
    /// The text in place of `{id}`.
    pub id: Option<&'p str>,
}

/// The route of a path, whatever the method.
pub fn find(path: &str) -> Option<Match<'_>> {
    let fixed = ROUTES.iter().find(|route| route.path == path);
    if let Some(route) = fixed {
        return Some(Match { route, id: None });
    }
    ROUTES.iter().find_map(|route| {
        let (prefix, suffix) = route.path.split_once("{id}")?;
        let id = path.strip_prefix(prefix)?.strip_suffix(suffix)?;
        (!id.is_empty() && !id.contains('/')).then_some(Match { route, id: Some(id) })
    })
}

impl Route {
    /// Whether clients are answered here in the words of RFC 6749 section 5.2, also when nothing was
    /// looked at.
    pub fn speaks_oauth(&self) -> bool {
        match self.function {
            Function::Token | Function::Revoke | Function::Introspect => true,
            Function::Authorize => {
                matches!(self.path, PUSHED_REQUEST | REGISTER | REGISTRATION)
            }
            Function::Sessions | Function::Mcp | Function::Health | Function::Ledger => false,
        }
    }

    /// Whether the method is served here.
    pub fn allows(&self, method: &Method) -> bool {
        let asked = if method == Method::HEAD { &Method::GET } else { method };
        self.methods.contains(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_paths_win_over_patterns() {
        assert_eq!(find(REVOKE_ALL).map(|m| (m.route.path, m.id)), Some((REVOKE_ALL, None)));
        assert_eq!(
            find("/auth/sessions/abc").map(|m| (m.route.path, m.id)),
            Some((SESSION, Some("abc")))
        );
        let extend = find("/auth/sessions/abc/extend").map(|m| (m.route.path, m.id));
        assert_eq!(extend, Some((EXTEND, Some("abc"))));
    }

    #[test]
    fn near_misses_are_not_found() {
        for path in [
            "/",
            "/mcp/",
            "/auth/sessions/",
            "/auth/sessions/a/b",
            "/auth/sessions//extend",
            "/auth/sessions/a/b/extend",
            "/oauth/Token",
            "",
        ] {
            assert_eq!(find(path), None, "{path}");
        }
    }

    #[test]
    fn head_goes_where_get_goes() {
        let route = find(HEALTH).expect("a route").route;
        assert!(
            route.allows(&Method::HEAD)
                && route.allows(&Method::GET)
                && !route.allows(&Method::POST)
        );
    }
}
