//! The access token: a JWT of type `at+jwt` (RFC 9068), signed with EdDSA.

use ledger::{Millis, SessionId};
use serde::{Deserialize, Serialize};

use crate::base64url;
use crate::dpop::Confirmation;
use crate::internal_mac::{self, InternalKeys};
use crate::jwk::{self, KeySet, PrivateKey, PublicKey};
use crate::jws::Jws;
use crate::keys::{InvalidKey, digest};
use crate::resource::Resources;

/// The `typ` header, RFC 9068 section 2.1.
pub const TYPE: &str = "at+jwt";
/// The `alg` header, RFC 8037 section 3.1.
pub const ALGORITHM: &str = "EdDSA";
/// The length of its signatures, RFC 8032 section 5.1.6.
const SIGNATURE: usize = 64;

/// The claims of an access token, RFC 9068 section 2.2 and ours. Times are seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessToken {
    /// Who issued it.
    pub iss: String,
    /// The person, or the client when it acts for itself.
    pub sub: String,
    /// The resources that it is for.
    pub aud: Audience,
    /// When it stops working.
    pub exp: u64,
    /// When its refresh token was rotated in.
    pub iat: u64,
    /// Its name: the same for every copy of the same grant.
    pub jti: String,
    /// The client that holds it.
    pub client_id: String,
    /// What it allows, space-separated.
    pub scope: String,
    /// Its session.
    pub sid: SessionId,
    /// The active organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// Roles in that organization.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The key that its holder must prove to hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
}

/// One audience as a string, several as an array, RFC 7519 section 4.1.3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Audience {
    /// From a list of resources.
    pub fn of(resources: &[String]) -> Self {
        match resources {
            [one] => Self::One(one.clone()),
            many => Self::Many(many.to_vec()),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(one) => std::slice::from_ref(one).iter(),
            Self::Many(many) => many.iter(),
        }
        .map(String::as_str)
    }

    /// Whether the resource is among them.
    pub fn contains(&self, resource: &str) -> bool {
        match self {
            Self::One(one) => one == resource,
            Self::Many(many) => many.iter().any(|known| known == resource),
        }
    }
}

/// Why a text is not an access token of this deployment that is in force. For logs and tests:
/// clients are told `invalid_token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAccessToken {
    /// Not a JWT of ours at all.
    #[error("malformed")]
    Malformed,
    /// Another algorithm or type than ours.
    #[error("wrong algorithm or type")]
    Unsupported,
    /// No key with its `kid`.
    #[error("unknown key")]
    UnknownKey,
    /// The signature is not by the key.
    #[error("bad signature")]
    BadSignature,
    /// Another issuer.
    #[error("wrong issuer")]
    WrongIssuer,
    /// Its time is over.
    #[error("expired")]
    Expired,
    /// It is from before the moment from which on the deployment takes tokens.
    #[error("from before what is taken")]
    TooOld,
}

/// The `jti` of what a session hands out at one counter for one scope, audience and key: a replayed
/// refresh yields the same name, and revoking it revokes every copy.
pub fn jti(
    session: &SessionId,
    generation: u16,
    counter: u32,
    scope: &str,
    resources: &[String],
    key: Option<&str>,
) -> String {
    let audience = resources.join(" ");
    let (generation, counter) = (generation.to_be_bytes(), counter.to_be_bytes());
    let mut parts: Vec<&[u8]> =
        vec![session.as_bytes(), &generation, &counter, scope.as_bytes(), audience.as_bytes()];
    parts.extend(key.map(str::as_bytes));
    base64url(&digest("atoms-edge jti", &parts)[..16])
}

/// A private key of access tokens.
pub struct SigningKey {
    /// Its name.
    pub kid: String,
    /// The key.
    pub key: PrivateKey,
}

impl SigningKey {
    /// The first (newest) key of a private JWK set.
    ///
    /// # Errors
    /// If the text is not a JWK set whose first key is a private Ed25519 key with a `kid`.
    pub fn newest_of(set: &str) -> Result<Self, InvalidKey> {
        jwk::first_private(set).map(|(kid, key)| Self { kid, key })
    }
}

/// The public keys of access tokens.
pub struct VerifyingKeys(KeySet);

impl VerifyingKeys {
    /// From a JWK set.
    ///
    /// # Errors
    /// If the text is not a JWK set of Ed25519 keys with a `kid` each.
    pub fn parse(set: &str) -> Result<Self, InvalidKey> {
        KeySet::parse_ed25519(set.as_bytes()).map(Self)
    }
}

impl AccessToken {
    /// Whether it speaks of no person: its client acts for itself, RFC 9068 section 2.2.
    pub fn is_of_client(&self) -> bool {
        self.sub == self.client_id
    }

    /// What the signature of a token is over: header, with the internal MACs, and payload. The same
    /// claims under the same keys give the same text.
    pub fn signing_input(&self, kid: &str, keys: &InternalKeys, resources: &Resources) -> String {
        #[derive(Serialize)]
        struct Header<'a> {
            alg: &'a str,
            kid: &'a str,
            typ: &'a str,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            amac: Vec<String>,
        }
        // Plain structs of strings and numbers always have a JSON form.
        let part = |json: serde_json::Result<Vec<u8>>| base64url(&json.unwrap_or_default());
        let payload = part(serde_json::to_vec(self));
        let amac = internal_mac::macs(keys, resources, &self.aud, [ALGORITHM, kid, TYPE], &payload);
        let header = part(serde_json::to_vec(&Header { alg: ALGORITHM, kid, typ: TYPE, amac }));
        format!("{header}.{payload}")
    }

    /// Issuer and expiry of a token whose signature has been verified.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn accept(self, issuer: &str, now: Millis) -> Result<Self, InvalidAccessToken> {
        if self.iss != issuer {
            return Err(InvalidAccessToken::WrongIssuer);
        }
        if self.exp.saturating_mul(1000) <= now {
            return Err(InvalidAccessToken::Expired);
        }
        Ok(self)
    }
}

/// A text that has the form of an access token of ours. Its claims must not be believed before its
/// internal MAC has been checked or its signature verified by `key`.
pub struct Presented<'t, 'k> {
    /// The key that it names.
    pub key: &'k PublicKey,
    /// What it consists of.
    pub jws: Jws<'t>,
    /// What it claims.
    pub unverified: AccessToken,
}

impl<'t, 'k> Presented<'t, 'k> {
    /// Check form, algorithm, type and key name, in this order.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn parse(text: &'t str, keys: &'k VerifyingKeys) -> Result<Self, InvalidAccessToken> {
        let jws = Jws::parse(text).ok_or(InvalidAccessToken::Malformed)?;
        if jws.header.alg != ALGORITHM || !is_type(jws.header.typ.as_deref()) {
            return Err(InvalidAccessToken::Unsupported);
        }
        // Also where a MAC decides: a token has one form.
        if jws.signature.len() != SIGNATURE {
            return Err(InvalidAccessToken::BadSignature);
        }
        let kid = jws.header.kid.as_deref().ok_or(InvalidAccessToken::UnknownKey)?;
        let key = keys.0.get(kid).ok_or(InvalidAccessToken::UnknownKey)?;
        let unverified =
            serde_json::from_slice(&jws.payload).map_err(|_| InvalidAccessToken::Malformed)?;
        Ok(Self { key, jws, unverified })
    }
}

fn is_type(typ: Option<&str>) -> bool {
    // RFC 9068 section 4 allows the long form too.
    typ.is_some_and(|typ| {
        typ.eq_ignore_ascii_case(TYPE) || typ.eq_ignore_ascii_case("application/at+jwt")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jws;
    use crate::keys::{Derived, Master};
    use crate::software;

    fn sign(key: &SigningKey, claims: &AccessToken) -> String {
        let input =
            claims.signing_input(&key.kid, &InternalKeys::default(), &Resources::of(ISSUER));
        jws::assemble(&input, &software::sign(&key.key, input.as_bytes()))
    }

    fn verify(
        keys: &VerifyingKeys,
        text: &str,
        issuer: &str,
        now: Millis,
    ) -> Result<AccessToken, InvalidAccessToken> {
        let presented = Presented::parse(text, keys)?;
        let input = presented.jws.signing_input.as_bytes();
        if !software::verify(presented.key, input, &presented.jws.signature) {
            return Err(InvalidAccessToken::BadSignature);
        }
        presented.unverified.accept(issuer, now)
    }

    const ISSUER: &str = "https://edge.example";
    const NOW: Millis = 1_000_000;

    fn keys() -> (SigningKey, VerifyingKeys) {
        let derived = Derived::from_masters(&[Master { id: 1, secret: [7; 32] }]).expect("derived");
        let signing = SigningKey::newest_of(derived.get("SIGNING_KEYS").expect("set"));
        let verifying = VerifyingKeys::parse(derived.get("PUBLIC_KEYS").expect("set"));
        (signing.expect("a key"), verifying.expect("keys"))
    }

    fn claims() -> AccessToken {
        AccessToken {
            iss: ISSUER.to_owned(),
            sub: "user_1".to_owned(),
            aud: Audience::One(format!("{ISSUER}/mcp")),
            exp: 1900,
            iat: 1000,
            jti: "j".to_owned(),
            client_id: "web".to_owned(),
            scope: "a b".to_owned(),
            sid: SessionId::from_bytes([1; 16]),
            org: None,
            roles: Vec::new(),
            cnf: None,
        }
    }

    #[test]
    fn what_is_signed_is_verified_and_signing_is_repeatable() {
        let (signing, verifying) = keys();
        let text = sign(&signing, &claims());
        assert_eq!(verify(&verifying, &text, ISSUER, NOW), Ok(claims()));
        assert_eq!(sign(&signing, &claims()), text);
    }

    #[test]
    fn m12_the_header_says_at_jwt() {
        let text = sign(&keys().0, &claims());
        let header =
            crate::from_base64url(text.split('.').next().expect("a part")).expect("base64url");
        let header: serde_json::Value = serde_json::from_slice(&header).expect("JSON");
        assert_eq!(
            (header["typ"].as_str(), header["alg"].as_str()),
            (Some("at+jwt"), Some("EdDSA"))
        );
        assert!(header["kid"].is_string());
    }

    #[test]
    fn expired_foreign_and_unsigned_tokens_are_told_apart() {
        let (signing, verifying) = keys();
        let text = sign(&signing, &claims());
        assert_eq!(verify(&verifying, &text, ISSUER, 1_900_000), Err(InvalidAccessToken::Expired));
        assert_eq!(
            verify(&verifying, &text, "https://other", NOW),
            Err(InvalidAccessToken::WrongIssuer)
        );
        let (head, _) = text.rsplit_once('.').expect("parts");
        let other = AccessToken { sub: "user_2".to_owned(), ..claims() };
        let other = sign(&signing, &other);
        let grafted = format!("{head}.{}", other.rsplit_once('.').expect("parts").1);
        assert_eq!(
            verify(&verifying, &grafted, ISSUER, NOW),
            Err(InvalidAccessToken::BadSignature)
        );
    }

    #[test]
    fn other_types_and_algorithms_are_refused() {
        let (_, verifying) = keys();
        let payload = base64url(b"{}");
        for header in [
            r#"{"alg":"none","typ":"at+jwt"}"#,
            r#"{"alg":"HS256","typ":"at+jwt","kid":"x"}"#,
            r#"{"alg":"EdDSA","typ":"JWT","kid":"x"}"#,
            r#"{"alg":"EdDSA","kid":"x"}"#,
        ] {
            let text = format!("{}.{payload}.AAAA", base64url(header.as_bytes()));
            assert_eq!(
                verify(&verifying, &text, ISSUER, NOW),
                Err(InvalidAccessToken::Unsupported),
                "{header}"
            );
        }
    }

    #[test]
    fn a_jti_names_session_counter_scope_audience_and_key() {
        let session = SessionId::from_bytes([1; 16]);
        let aud = vec!["a".to_owned()];
        let first = jti(&session, 0, 1, "s", &aud, None);
        assert_eq!(first, jti(&session, 0, 1, "s", &aud, None));
        assert_ne!(first, jti(&session, 0, 2, "s", &aud, None));
        assert_ne!(first, jti(&session, 0, 1, "t", &aud, None));
        assert_ne!(first, jti(&session, 0, 1, "s", &[], None));
        assert_ne!(first, jti(&session, 0, 1, "s", &aud, Some("k")));
        assert_ne!(first, jti(&session, 0, 1, "s", &aud, Some("")));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", a in "[A-Za-z0-9_-]{0,80}", b in "[A-Za-z0-9_-]{0,80}") {
            let (_, verifying) = keys();
            let _ = verify(&verifying, &text, ISSUER, NOW);
            let _ = verify(&verifying, &format!("{a}.{b}.{a}"), ISSUER, NOW);
        }
    }
}
