//! Resource indicators, RFC 8707: absolute URIs without a fragment.

use http::Uri;

use crate::{ErrorCode, OAuthError};

/// The resources of a deployment: the issuer itself (sessions, audit) and its MCP endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resources {
    issuer: String,
    mcp: String,
}

impl Resources {
    /// The resources of the deployment at `issuer` (no trailing slash).
    pub fn of(issuer: &str) -> Self {
        Self { issuer: issuer.to_owned(), mcp: format!("{issuer}{}", Self::MCP_PATH) }
    }

    /// The path of the MCP resource.
    pub const MCP_PATH: &'static str = "/mcp";

    /// The audience of the session endpoints.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The audience of the MCP endpoint.
    pub fn mcp(&self) -> &str {
        &self.mcp
    }

    /// The canonical form of a resource that a client asks for.
    ///
    /// # Errors
    /// `invalid_target` if it is relative, has a fragment, or is not ours.
    pub fn canonical(&self, text: &str) -> Result<String, OAuthError> {
        let refuse = |description| OAuthError::new(ErrorCode::InvalidTarget, description);
        // The URI parser drops fragments without a word.
        if text.contains('#') {
            return Err(refuse("a resource has no fragment"));
        }
        let asked = Site::parse(text).ok_or(refuse("a resource must be an absolute URI"))?;
        [&self.issuer, &self.mcp]
            .into_iter()
            .find(|known| Site::parse(known).as_ref() == Some(&asked))
            .cloned()
            .ok_or(refuse("the resource is not served here"))
    }
}

/// A web address in normal form, RFC 3986 section 6.2: case of scheme and host, default ports and a
/// trailing slash make no difference.
#[derive(Debug, PartialEq, Eq)]
pub struct Site {
    scheme: String,
    host: String,
    port: Option<u16>,
    path: String,
    query: Option<String>,
}

impl Site {
    /// Of an absolute URI of the web without user information; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let authority = uri.authority()?;
        let default_port = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return None;
        }
        Some(Self {
            scheme,
            host: authority.host().to_ascii_lowercase(),
            port: authority.port_u16().filter(|port| *port != default_port),
            path: uri.path().trim_end_matches('/').to_owned(),
            query: uri.query().map(str::to_owned),
        })
    }

    /// Its web origin, RFC 6454 section 6.2.
    pub fn origin(&self) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{}{port}", self.scheme, self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_found_in_any_spelling() {
        let resources = Resources::of("https://edge.example");
        for (asked, canonical) in [
            ("https://edge.example", "https://edge.example"),
            ("https://edge.example/", "https://edge.example"),
            ("HTTPS://EDGE.example:443/mcp", "https://edge.example/mcp"),
            ("https://edge.example/mcp/", "https://edge.example/mcp"),
        ] {
            assert_eq!(resources.canonical(asked).as_deref(), Ok(canonical), "{asked}");
        }
    }

    #[test]
    fn f7_foreign_relative_and_fragment_resources_are_invalid_targets() {
        let resources = Resources::of("https://edge.example");
        for asked in [
            "https://other.example/mcp",
            "/mcp",
            "https://edge.example/mcp#x",
            "https://edge.example/mcp?x",
            "https://edge.example@evil.example/mcp",
            "https://user@edge.example/mcp",
            "http://edge.example/mcp",
            "",
        ] {
            let refused = resources.canonical(asked).map_err(|error| error.code);
            assert_eq!(refused, Err(ErrorCode::InvalidTarget), "{asked}");
        }
    }
}
