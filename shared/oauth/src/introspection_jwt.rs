//! Introspection answers as signed JWTs, RFC 9701: evidence that a resource server can keep.
//!
//! They are signed with a key of their own that is published in the same JWK set. No verifier of access
//! tokens knows that key, and none takes their `typ`: an answer cannot be used as a token.

use serde::Serialize;

use crate::access_token::{ALGORITHM, Audience};
use crate::base64url;
use crate::jws::Jws;

/// The media type of the answer, RFC 9701 section 5.
pub const MEDIA_TYPE: &str = "application/token-introspection+jwt";
/// Its `typ` header, RFC 9701 section 5.
pub const TYPE: &str = "token-introspection+jwt";
/// The algorithms that answers are signed with, for the metadata (RFC 9701 section 7).
pub const ALGORITHMS: &[&str] = &[ALGORITHM];

/// The claims of an answer, RFC 9701 section 5. `sub` and `exp` are left out on purpose, as the RFC
/// advises: with them it would resemble a token.
#[derive(Debug, Serialize)]
pub struct Claims<'a, T> {
    /// Who answers.
    pub iss: &'a str,
    /// The resource server that asked: its client id.
    pub aud: Audience,
    /// When, in seconds.
    pub iat: u64,
    /// What the JSON answer would have been.
    pub token_introspection: &'a T,
}

/// Whether a text has the form of an answer. Nothing is verified.
pub fn resembles(text: &str) -> bool {
    let typ = Jws::parse(text).and_then(|jws| jws.header.typ).unwrap_or_default();
    // RFC 7515 section 4.1.9: the short form is the long one without `application/`.
    [TYPE, MEDIA_TYPE].into_iter().any(|known| known.eq_ignore_ascii_case(&typ))
}

impl<T: Serialize> Claims<'_, T> {
    /// What the signature is over: header and payload.
    pub fn signing_input(&self, kid: &str) -> String {
        #[derive(Serialize)]
        struct Header<'a> {
            alg: &'a str,
            kid: &'a str,
            typ: &'a str,
        }
        // Plain structs of strings and numbers always have a JSON form.
        let part = |json: serde_json::Result<Vec<u8>>| base64url(&json.unwrap_or_default());
        let header = part(serde_json::to_vec(&Header { alg: ALGORITHM, kid, typ: TYPE }));
        format!("{header}.{}", part(serde_json::to_vec(self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn i9_header_and_claims_are_those_of_rfc_9701() {
        let answer = json!({ "active": false });
        let claims = Claims {
            iss: "https://edge.example",
            aud: Audience::One("api".to_owned()),
            iat: 7,
            token_introspection: &answer,
        };
        let text = format!("{}.AA", claims.signing_input("k"));
        let jws = Jws::parse(&text).expect("a JWS");
        let header =
            (jws.header.alg.as_str(), jws.header.typ.as_deref(), jws.header.kid.as_deref());
        assert_eq!(header, ("EdDSA", Some("token-introspection+jwt"), Some("k")));
        let payload: Value = serde_json::from_slice(&jws.payload).expect("JSON");
        let expected = json!({
            "iss": "https://edge.example", "aud": "api", "iat": 7, "token_introspection": answer,
        });
        assert_eq!(payload, expected);
        assert!(resembles(&text) && !resembles("x") && !resembles("ar1_x"));
    }
}
