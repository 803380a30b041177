//! Clients that sign who they are: `private_key_jwt`, RFC 7523 section 3 and OpenID Connect Core section
//! 9. Read and judged here; the signature is for the Signatures port, and that an assertion is used once
//! for the client's ledger.

use ledger::{Once, OnceId};
use serde::Deserialize;

use crate::access_token::Audience;
use crate::jws::Jws;
use crate::keys;

/// `client_assertion_type`, RFC 7523 section 2.2.
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How an assertion may be signed; `Ed25519` is the newer name of what `EdDSA` means here (RFC 9864).
pub const ALGORITHMS: &[&str] = &["ES256", "Ed25519", "EdDSA", "RS256"];

/// The client's clock may differ from ours by so much, in milliseconds.
const LEEWAY: u64 = 60_000;
/// An assertion lasts no longer, in milliseconds: that it was used is remembered for as long.
const LONGEST: u64 = 5 * 60_000;
/// Longer names are no random ones.
const MAX_JTI: usize = 256;
/// What it may be called in its header; nothing that is signed for another purpose is called so.
const TYPES: [&str; 2] = ["jwt", "client-authentication+jwt"];

/// An assertion, taken apart; nothing has been verified.
pub struct Assertion<'t> {
    /// The text with its header and signature.
    pub jws: Jws<'t>,
    claims: Claims,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: u64,
    #[serde(default)]
    iat: Option<u64>,
    #[serde(default)]
    nbf: Option<u64>,
    jti: String,
}

impl<'t> Assertion<'t> {
    /// Take a text apart; `None` if it is no assertion at all.
    pub fn parse(text: &'t str) -> Option<Self> {
        let jws = Jws::parse(text)?;
        let typed = jws.header.typ.as_deref();
        let ours = |typ: &str| TYPES.iter().any(|known| known.eq_ignore_ascii_case(typ));
        if !ALGORITHMS.contains(&jws.header.alg.as_str()) || !typed.is_none_or(ours) {
            return None;
        }
        let claims: Claims = serde_json::from_slice(&jws.payload).ok()?;
        Some(Self { jws, claims })
    }

    /// The client that it speaks for: it speaks for itself, RFC 7523 section 3 (1, 2).
    pub fn client_id(&self) -> Option<&str> {
        let Claims { iss, sub, .. } = &self.claims;
        (iss == sub && !sub.is_empty()).then_some(sub)
    }

    /// Whether it is meant for one of `audiences`, and nobody else, and for now (in milliseconds); and
    /// what of it may be used once. A text for others beside us is one that others could present to us.
    ///
    /// # Errors
    /// Why not, for the log.
    pub fn judge(&self, audiences: &[&str], now: u64) -> Result<Once, &'static str> {
        let Claims { aud, exp, iat, nbf, jti, sub, .. } = &self.claims;
        let mut meant = aud.iter().peekable();
        if meant.peek().is_none() || !meant.all(|one| audiences.contains(&one)) {
            return Err("the assertion is for somebody else");
        }
        let milliseconds = |seconds: u64| seconds.saturating_mul(1000);
        let until = milliseconds(*exp).saturating_add(LEEWAY);
        let early = |from: &u64| milliseconds(*from) > now.saturating_add(LEEWAY);
        if until <= now || iat.as_ref().is_some_and(early) || nbf.as_ref().is_some_and(early) {
            return Err("the assertion is over or not yet valid");
        }
        if milliseconds(*exp) > now.saturating_add(LONGEST + LEEWAY) {
            return Err("the assertion lasts too long");
        }
        if jti.is_empty() || jti.len() > MAX_JTI {
            return Err("the assertion has no name of its own");
        }
        let digest = keys::digest("client assertion", &[sub.as_bytes(), jti.as_bytes()]);
        Ok(Once::new(OnceId::from_bytes(keys::half(&digest)), until))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::base64url;

    const NOW: u64 = 1_800_000_000_000;
    const SECONDS: u64 = NOW / 1000;
    const US: [&str; 2] = ["https://edge.example", "https://edge.example/oauth/token"];

    fn text(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| base64url(value.to_string().as_bytes());
        format!("{}.{}.{}", part(header), part(claims), base64url(&[1; 64]))
    }

    fn claims() -> Value {
        json!({ "iss": "app", "sub": "app", "aud": US[0], "exp": SECONDS + 60, "jti": "1" })
    }

    fn with(name: &str, value: impl Into<Value>) -> Value {
        let mut claims = claims();
        claims[name] = value.into();
        claims
    }

    fn judged(claims: &Value) -> Result<Once, &'static str> {
        let text = text(&json!({ "alg": "EdDSA" }), claims);
        Assertion::parse(&text).ok_or("no assertion")?.judge(&US, NOW)
    }

    #[test]
    fn an_assertion_is_of_its_client_and_for_us() {
        let text = text(&json!({ "alg": "ES256", "typ": "JWT", "kid": "k" }), &claims());
        let assertion = Assertion::parse(&text).expect("an assertion");
        assert_eq!(assertion.client_id(), Some("app"));
        for aud in [json!(US[0]), json!(US[1]), json!([US[1]]), json!([US[0], US[1]])] {
            assert!(judged(&with("aud", aud.clone())).is_ok(), "{aud}");
        }
        for aud in [
            json!([]),
            json!(""),
            json!("https://evil.example"),
            json!([US[0], "https://evil.example"]),
            json!("https://edge.example/"),
            json!("https://edge.example/oauth/token/"),
        ] {
            assert!(judged(&with("aud", aud.clone())).is_err(), "{aud}");
        }
    }

    #[test]
    fn a_client_speaks_for_itself_alone() {
        for (iss, sub) in [("app", "other"), ("other", "app"), ("", "")] {
            let mut claims = claims();
            (claims["iss"], claims["sub"]) = (iss.into(), sub.into());
            let text = text(&json!({ "alg": "EdDSA" }), &claims);
            assert_eq!(Assertion::parse(&text).expect("an assertion").client_id(), None);
        }
    }

    #[test]
    fn an_assertion_lasts_five_minutes_and_what_clocks_differ_by() {
        let minute = 60;
        for (exp, fine) in [
            (SECONDS, true),
            (SECONDS - minute + 1, true),
            (SECONDS - minute, false),
            (SECONDS + 5 * minute, true),
            (SECONDS + 6 * minute, true),
            (SECONDS + 6 * minute + 1, false),
            (0, false),
            (u64::MAX, false),
        ] {
            let judged = judged(&with("exp", exp));
            assert_eq!(judged.is_ok(), fine, "{exp}");
            assert!(judged.is_err() || judged.is_ok_and(|once| once.until > NOW));
        }
        for name in ["iat", "nbf"] {
            assert!(judged(&with(name, SECONDS + minute)).is_ok(), "{name}");
            assert!(judged(&with(name, SECONDS + minute + 1)).is_err(), "{name}");
        }
    }

    #[test]
    fn each_has_a_name_of_its_own() {
        let id = |claims: &Value| judged(claims).expect("in force").id;
        assert_eq!(id(&claims()), id(&with("exp", SECONDS + 61)));
        assert_ne!(id(&claims()), id(&with("jti", "2")));
        for jti in [json!(""), json!("x".repeat(257)), json!(7), json!(null)] {
            assert!(judged(&with("jti", jti)).is_err());
        }
    }

    #[test]
    fn what_was_signed_otherwise_or_for_another_purpose_is_none() {
        for header in [
            json!({ "alg": "none" }),
            json!({ "alg": "HS256" }),
            json!({ "alg": "RS1" }),
            json!({ "alg": "EdDSA", "typ": "at+jwt" }),
            json!({ "alg": "ES256", "typ": "dpop+jwt" }),
            json!({ "alg": "EdDSA", "typ": "" }),
            json!({ "alg": "EdDSA", "crit": ["x"] }),
        ] {
            assert!(Assertion::parse(&text(&header, &claims())).is_none(), "{header}");
        }
        for name in ["iss", "sub", "aud", "exp", "jti"] {
            let mut claims = claims();
            claims.as_object_mut().expect("an object").remove(name);
            assert!(judged(&claims).is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}", times in any::<[u64; 3]>()) {
            prop_assert!(Assertion::parse(&text).is_none());
            let mut claims = with("exp", times[0]);
            (claims["iat"], claims["nbf"]) = (times[1].into(), times[2].into());
            let _ = judged(&claims);
        }
    }
}
