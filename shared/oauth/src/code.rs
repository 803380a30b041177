//! Authorization codes (RFC 6749 section 4.1.2, RFC 7636): all that a code stands for, sealed, so that
//! nothing is stored until it is redeemed. That it is redeemed once, the ledger sees to.
//!
//! A code is [`PREFIX`] and the sealed JSON of a [`CodeGrant`].

use serde::{Deserialize, Serialize};

use crate::keys::KeyRing;
use crate::seal::{self, Nonce};

/// Before every code: no other text of ours begins so.
pub const PREFIX: &str = "ac1_";

/// How long a code may be redeemed, in milliseconds. RFC 6749 allows ten minutes; a client that is
/// there needs seconds.
pub const LIFETIME: u64 = 60_000;

const LABEL: &str = "authorization code";

/// What a code stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeGrant {
    /// Its name in the ledger, 32 hexadecimal digits drawn at random.
    pub id: String,
    /// The client that it was issued to.
    pub client_id: String,
    /// Where it was sent.
    pub redirect_uri: String,
    /// The S256 challenge of the client (RFC 7636 section 4.2).
    pub code_challenge: String,
    /// The scopes that were granted.
    pub scopes: Vec<String>,
    /// The resources that were granted (RFC 8707).
    pub resources: Vec<String>,
    /// The thumbprint of the key that its tokens must be bound to, `dpop_jkt` (RFC 9449 section 10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Who signed in.
    pub user: String,
    /// The active organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The role in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The session at the identity provider.
    pub sign_in: String,
    /// When the person signed in there, milliseconds since 1970.
    pub authenticated_at: u64,
    /// The grant of that sign-in, sealed for this code under the keys of upstream grants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// Until when it may be redeemed, milliseconds since 1970.
    pub expires_at: u64,
}

/// The code; `None` if the ring is empty.
pub fn seal(keys: &KeyRing, nonce: &Nonce, grant: &CodeGrant) -> Option<String> {
    let text = serde_json::to_vec(grant).ok()?;
    Some(format!("{PREFIX}{}", seal::seal(keys, LABEL, &[], nonce, &text)?))
}

/// What a code stands for; `None` if it is none of ours. Whether it is too old or used up is for the
/// caller to ask.
pub fn open(keys: &KeyRing, code: &str) -> Option<CodeGrant> {
    let text = seal::open(keys, LABEL, &[], code.strip_prefix(PREFIX)?)?;
    serde_json::from_slice(&text).ok()
}

/// Seals the grant at the identity provider for the code with this name.
pub fn seal_upstream(keys: &KeyRing, nonce: &Nonce, id: &str, token: &str) -> Option<String> {
    seal::seal(keys, LABEL, &[id.as_bytes()], nonce, token.as_bytes())
}

/// Opens what [`seal_upstream`] has sealed.
pub fn open_upstream(keys: &KeyRing, id: &str, sealed: &str) -> Option<String> {
    String::from_utf8(seal::open(keys, LABEL, &[id.as_bytes()], sealed)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64url;

    fn ring(version: u8) -> KeyRing {
        KeyRing::parse(&format!("{version}={}", base64url(&[version; 32]))).expect("a ring")
    }

    fn grant() -> CodeGrant {
        CodeGrant {
            id: "ab".repeat(16),
            client_id: "client".to_owned(),
            redirect_uri: "https://app.example/callback".to_owned(),
            code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned(),
            scopes: vec!["documents:read".to_owned()],
            resources: vec!["https://edge.example/mcp".to_owned()],
            key: None,
            user: "user_1".to_owned(),
            organization: Some("org_1".to_owned()),
            role: Some("admin".to_owned()),
            sign_in: "session_1".to_owned(),
            authenticated_at: 1_000,
            upstream: None,
            expires_at: 61_000,
        }
    }

    #[test]
    fn a_code_is_read_as_it_was_sealed_and_by_no_other_key() {
        let code = seal(&ring(1), &[7; 24], &grant()).expect("sealed");
        assert!(code.starts_with(PREFIX) && code.len() < 900, "{}", code.len());
        assert_eq!(open(&ring(1), &code), Some(grant()));
        assert_eq!(open(&ring(2), &code), None);
        assert_eq!(open(&ring(1), &code[4..]), None);
        assert_eq!(open(&ring(1), &format!("ar1_{}", &code[4..])), None);
    }

    #[test]
    fn no_character_of_a_code_can_be_changed() {
        let code = seal(&ring(1), &[7; 24], &grant()).expect("sealed");
        for at in 0..code.len() {
            let mut changed = code.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("text");
            assert_eq!(open(&ring(1), &changed), None, "{at}");
        }
    }

    #[test]
    fn an_upstream_grant_opens_with_its_own_code_only() {
        let sealed = seal_upstream(&ring(1), &[7; 24], "one", "token").expect("sealed");
        assert_eq!(open_upstream(&ring(1), "one", &sealed).as_deref(), Some("token"));
        assert_eq!(open_upstream(&ring(1), "two", &sealed), None);
        let grant = CodeGrant { upstream: Some(sealed.clone()), ..grant() };
        let code = seal(&ring(1), &[8; 24], &grant).expect("sealed");
        assert_eq!(open_upstream(&ring(1), "", &code[4..]), None, "nor is a code one");
    }
}
