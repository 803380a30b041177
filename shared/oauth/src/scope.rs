//! Scopes, RFC 6749 section 3.3.

use crate::{ErrorCode, OAuthError};

/// Read workspaces through MCP.
pub const WORKSPACE_READ: &str = "atoms:workspace.read";
/// Create and change workspaces through MCP.
pub const WORKSPACE_WRITE: &str = "atoms:workspace.write";
/// See one's own sessions.
pub const SESSIONS_READ: &str = "sessions:read";
/// End one's own sessions.
pub const SESSIONS_WRITE: &str = "sessions:write";
/// See one's own audit trail.
pub const AUDIT_READ: &str = "audit:read";
/// Sessions that outlast the day (longer idle and absolute timeouts).
pub const OFFLINE_ACCESS: &str = "offline_access";

/// Every scope of the service.
pub const ALL: [&str; 6] =
    [WORKSPACE_READ, WORKSPACE_WRITE, SESSIONS_READ, SESSIONS_WRITE, AUDIT_READ, OFFLINE_ACCESS];

/// Scopes that the MCP endpoint understands; `offline_access` is no property of a resource.
pub const MCP: [&str; 2] = [WORKSPACE_READ, WORKSPACE_WRITE];

/// Scopes that clients may have who are strangers to us: those that registered themselves, and those that
/// publish a document.
pub const THIRD_PARTY: [&str; 3] = [WORKSPACE_READ, WORKSPACE_WRITE, OFFLINE_ACCESS];

/// Split a `scope` parameter: names separated by single spaces, in the order of the client,
/// without duplicates. Extra spaces are forgiven.
///
/// # Errors
/// `invalid_scope` if there is no name at all, or one has characters that RFC 6749 forbids.
pub fn parse(text: &str) -> Result<Vec<String>, OAuthError> {
    let mut scopes = Vec::new();
    for name in text.split(' ').filter(|name| !name.is_empty()) {
        if !name.bytes().all(is_scope_character) {
            return Err(OAuthError::new(ErrorCode::InvalidScope, "a scope has invalid characters"));
        }
        if !scopes.iter().any(|scope| scope == name) {
            scopes.push(name.to_owned());
        }
    }
    if scopes.is_empty() {
        return Err(OAuthError::new(ErrorCode::InvalidScope, "the scope names nothing"));
    }
    Ok(scopes)
}

/// As one string, the way `scope` members and claims carry it.
pub fn join(scopes: &[String]) -> String {
    scopes.join(" ")
}

const fn is_scope_character(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_and_extra_spaces_vanish() {
        assert_eq!(parse("b  a b").expect("scopes"), ["b", "a"]);
    }

    #[test]
    fn at_least_one_name_is_needed() {
        for text in ["", " ", "   "] {
            assert_eq!(parse(text).map_err(|e| e.code), Err(ErrorCode::InvalidScope), "{text:?}");
        }
    }

    #[test]
    fn quotes_backslashes_and_controls_are_refused() {
        for text in ["a\"b", "a\\b", "a\tb", "ä"] {
            assert_eq!(parse(text).map_err(|e| e.code), Err(ErrorCode::InvalidScope));
        }
    }
}
