//! Pure OAuth types: no I/O, no clock, no randomness of their own.
//!
//! In scope: error codes, forms, client credentials, proofs of possession, scopes, resources, the two
//! token formats, signed introspection answers, key derivation, metadata documents. Names and rules are
//! those of the RFCs that each module cites.
//!
//! Out of scope: the state of sessions (crate `ledger`), the use cases (crate `auth`).

pub mod accept;
pub mod access_token;
pub mod authorization;
pub mod client_assertion;
pub mod client_auth;
pub mod client_keys;
pub mod client_metadata;
pub mod code;
pub mod dpop;
pub mod dpop_nonce;
pub mod error;
pub mod form;
pub mod internal_mac;
pub mod introspection_jwt;
pub mod jwk;
pub mod jws;
pub mod keys;
pub mod metadata;
pub mod pkce;
pub mod redirect;
pub mod refresh_token;
pub mod resource;
pub mod scope;
pub mod seal;
pub mod software;
pub mod workos_signature;

pub use access_token::AccessToken;
pub use error::{ErrorCode, OAuthError};
pub use refresh_token::RefreshToken;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// base64url without padding, RFC 4648 section 5.
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of unpadded base64url; `None` if the text is anything else.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
