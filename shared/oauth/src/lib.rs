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
pub mod encoding;
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
pub use encoding::{base64url, from_base64url};
pub use error::{ErrorCode, OAuthError};
pub use refresh_token::RefreshToken;
