//! JSON Web Signature, compact form: RFC 7515 section 7.1. Read here, verified by the Signatures port.

use serde::Deserialize;

use crate::{base64url, from_base64url};

/// Longer texts are no token of anybody we know.
const MAX_LENGTH: usize = 16 * 1024;

/// A signed text, taken apart; nothing has been verified.
pub struct Jws<'t> {
    /// The protected header.
    pub header: Header,
    /// The payload.
    pub payload: Vec<u8>,
    /// The payload as it was sent.
    pub encoded_payload: &'t str,
    /// What the signature is over.
    pub signing_input: &'t str,
    /// The signature.
    pub signature: Vec<u8>,
}

/// The header parameters that matter, RFC 7515 section 4.1.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Header {
    /// The algorithm.
    pub alg: String,
    /// The type of the whole.
    #[serde(default)]
    pub typ: Option<String>,
    /// Which key.
    #[serde(default)]
    pub kid: Option<String>,
    /// Ours: see [`crate::internal_mac`].
    #[serde(default)]
    pub amac: Vec<String>,
    /// Extensions that must be understood; none is.
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

impl<'t> Jws<'t> {
    /// Take a text apart; `None` if it is malformed or asks for an extension.
    pub fn parse(text: &'t str) -> Option<Self> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let (signing_input, signature) = text.rsplit_once('.')?;
        let (header, encoded_payload) = signing_input.split_once('.')?;
        let header: Header = serde_json::from_slice(&from_base64url(header)?).ok()?;
        if header.crit.is_some() {
            return None;
        }
        let payload = from_base64url(encoded_payload)?;
        let signature = from_base64url(signature)?;
        Some(Self { header, payload, encoded_payload, signing_input, signature })
    }
}

/// The text of a JWS, from what was signed and the signature.
pub fn assemble(signing_input: &str, signature: &[u8]) -> String {
    format!("{signing_input}.{}", base64url(signature))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with_header(header: &str) -> String {
        format!("{}.{}.AAAA", base64url(header.as_bytes()), base64url(b"{}"))
    }

    #[test]
    fn the_parts_are_told_apart() {
        let text = with_header(r#"{"alg":"EdDSA","kid":"k","typ":"at+jwt"}"#);
        let jws = Jws::parse(&text).expect("a JWS");
        assert_eq!((jws.header.alg.as_str(), jws.payload.as_slice()), ("EdDSA", b"{}".as_slice()));
        assert_eq!(format!("{}.AAAA", jws.signing_input), text);
    }

    #[test]
    fn malformed_texts_and_unknown_extensions_are_refused() {
        for text in [
            String::new(),
            "..".to_owned(),
            "a.b".to_owned(),
            with_header("{}"),
            with_header(r#"{"alg":1}"#),
            with_header(r#"{"alg":"EdDSA","crit":["x"]}"#),
            format!("{}.x", with_header(r#"{"alg":"EdDSA"}"#)),
            format!("{}=", with_header(r#"{"alg":"EdDSA"}"#)),
            "a".repeat(MAX_LENGTH + 1),
        ] {
            assert!(Jws::parse(&text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", parts in proptest::collection::vec("[A-Za-z0-9_-]{0,80}", 0..5)) {
            let _ = Jws::parse(&text);
            let _ = Jws::parse(&parts.join("."));
        }
    }
}
