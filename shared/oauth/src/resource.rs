//! Resource indicators, RFC 8707: absolute URIs without a fragment.

use url::Url;

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
        let unknown = OAuthError::new(ErrorCode::InvalidTarget, "the resource is not served here");
        let url = Url::parse(text).map_err(|_| {
            OAuthError::new(ErrorCode::InvalidTarget, "a resource must be an absolute URI")
        })?;
        if url.fragment().is_some() {
            return Err(OAuthError::new(ErrorCode::InvalidTarget, "a resource has no fragment"));
        }
        if url.username() != "" || url.password().is_some() || url.query().is_some() {
            return Err(unknown);
        }
        let asked = url.as_str().trim_end_matches('/');
        [&self.issuer, &self.mcp]
            .into_iter()
            .find(|known| same(known, asked))
            .cloned()
            .ok_or(unknown)
    }
}

fn same(known: &str, asked: &str) -> bool {
    Url::parse(known).is_ok_and(|known| known.as_str().trim_end_matches('/') == asked)
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
