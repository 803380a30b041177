//! The access token: a JWT of type `at+jwt` (RFC 9068), signed with EdDSA.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use ed25519_compact::{PublicKey, SecretKey, Signature};
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{Algorithm, AlgorithmExt as _, Claims, Header, UntrustedToken};
use ledger::{Millis, SessionId};
use serde::{Deserialize, Serialize};

use crate::base64url;
use crate::keys::{InvalidKey, digest};

/// The `typ` header, RFC 9068 section 2.1.
pub const TYPE: &str = "at+jwt";
/// The `alg` header, RFC 8037 section 3.1.
pub const ALGORITHM: &str = "EdDSA";
/// Tokens longer than this are not ours.
const MAX_LENGTH: usize = 16 * 1024;

/// The claims of an access token, RFC 9068 section 2.2 and ours. Times are seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    pub org: Option<String>,
    /// Roles in that organization.
    pub roles: Vec<String>,
}

/// The claims that the JWT library leaves to us; it keeps the times itself.
#[derive(Clone, Serialize, Deserialize)]
struct Custom {
    iss: String,
    sub: String,
    aud: Audience,
    jti: String,
    client_id: String,
    scope: String,
    sid: SessionId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    org: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roles: Vec<String>,
}

impl AccessToken {
    fn to_claims(&self) -> Claims<Custom> {
        let this = self.clone();
        let mut claims = Claims::new(Custom {
            iss: this.iss,
            sub: this.sub,
            aud: this.aud,
            jti: this.jti,
            client_id: this.client_id,
            scope: this.scope,
            sid: this.sid,
            org: this.org,
            roles: this.roles,
        });
        claims.issued_at = date(this.iat);
        claims.expiration = date(this.exp);
        claims
    }

    fn from_claims(claims: Claims<Custom>) -> Option<Self> {
        let Custom { iss, sub, aud, jti, client_id, scope, sid, org, roles } = claims.custom;
        let exp = u64::try_from(claims.expiration?.timestamp()).ok()?;
        let iat = u64::try_from(claims.issued_at?.timestamp()).ok()?;
        Some(Self { iss, sub, aud, exp, iat, jti, client_id, scope, sid, org, roles })
    }
}

fn date(seconds: u64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0)
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
}

/// The `jti` of what a session hands out at one counter for one scope and audience: a replayed
/// refresh yields the same name, and revoking it revokes every copy.
pub fn jti(
    session: &SessionId,
    generation: u16,
    counter: u32,
    scope: &str,
    resources: &[String],
) -> String {
    let audience = resources.join(" ");
    let parts: [&[u8]; 5] = [
        session.as_bytes(),
        &generation.to_be_bytes(),
        &counter.to_be_bytes(),
        scope.as_bytes(),
        audience.as_bytes(),
    ];
    base64url(&digest("atoms-edge jti", &parts)[..16])
}

/// A private key of access tokens.
pub struct SigningKey {
    kid: String,
    secret: SecretKey,
}

impl SigningKey {
    /// The first (newest) key of a private JWK set.
    ///
    /// # Errors
    /// If the text is not a JWK set whose first key is a private Ed25519 key with a `kid`.
    pub fn newest_of(set: &str) -> Result<Self, InvalidKey> {
        let first = parse_set(set)?.into_iter().next().ok_or(NOT_A_SET)?;
        let kid = kid_of(&first)?;
        let jwk: JsonWebKey<'_> = serde_json::from_value(first).map_err(|_| NOT_A_SET)?;
        let secret = (&jwk).try_into().map_err(|_| NOT_A_SET)?;
        Ok(Self { kid, secret })
    }

    /// Sign the claims. The same claims give the same token.
    ///
    /// # Errors
    /// Never for these claims; the signature of the library says so.
    pub fn sign(&self, claims: &AccessToken) -> Result<String, InvalidKey> {
        let header = Header::empty().with_token_type(TYPE).with_key_id(self.kid.as_str());
        EdDsa
            .token(&header, &claims.to_claims(), &self.secret)
            .map_err(|_| InvalidKey("the claims could not be signed"))
    }
}

/// EdDSA as RFC 8032 has it, without the random noise that the library would add: the same claims
/// give the same token, byte for byte, in every replay of a refresh.
#[derive(Clone, Copy)]
struct EdDsa;

impl Algorithm for EdDsa {
    type SigningKey = SecretKey;
    type VerifyingKey = PublicKey;
    type Signature = Signature;

    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(ALGORITHM)
    }

    fn sign(&self, key: &SecretKey, message: &[u8]) -> Signature {
        key.sign(message, None)
    }

    fn verify_signature(&self, signature: &Signature, key: &PublicKey, message: &[u8]) -> bool {
        key.verify(message, signature).is_ok()
    }
}

/// The public keys of access tokens.
pub struct VerifyingKeys(Vec<(String, PublicKey)>);

impl VerifyingKeys {
    /// From a JWK set.
    ///
    /// # Errors
    /// If the text is not a JWK set of Ed25519 keys with a `kid` each.
    pub fn parse(set: &str) -> Result<Self, InvalidKey> {
        let keys = parse_set(set)?.into_iter().map(|value| {
            let kid = kid_of(&value)?;
            let jwk: JsonWebKey<'_> = serde_json::from_value(value).map_err(|_| NOT_A_SET)?;
            let key = (&jwk).try_into().map_err(|_| NOT_A_SET)?;
            Ok((kid, key))
        });
        keys.collect::<Result<Vec<_>, _>>().map(Self)
    }

    /// Check form, algorithm, type, signature, issuer and expiry, in this order.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn verify(
        &self,
        text: &str,
        issuer: &str,
        now: Millis,
    ) -> Result<AccessToken, InvalidAccessToken> {
        if text.len() > MAX_LENGTH {
            return Err(InvalidAccessToken::Malformed);
        }
        let token = UntrustedToken::new(text).map_err(|_| InvalidAccessToken::Malformed)?;
        if token.algorithm() != ALGORITHM || !is_type(token.header().token_type.as_deref()) {
            return Err(InvalidAccessToken::Unsupported);
        }
        let kid = token.header().key_id.as_deref().ok_or(InvalidAccessToken::UnknownKey)?;
        let (_, key) =
            self.0.iter().find(|(known, _)| known == kid).ok_or(InvalidAccessToken::UnknownKey)?;
        let claims = EdDsa
            .validator::<Custom>(key)
            .validate(&token)
            .map_err(|error| match error {
                jwt_compact::ValidationError::InvalidSignature => InvalidAccessToken::BadSignature,
                _ => InvalidAccessToken::Malformed,
            })
            .map(|token| AccessToken::from_claims(token.into_parts().1))?
            .ok_or(InvalidAccessToken::Malformed)?;
        if claims.iss != issuer {
            return Err(InvalidAccessToken::WrongIssuer);
        }
        if claims.exp.saturating_mul(1000) <= now {
            return Err(InvalidAccessToken::Expired);
        }
        Ok(claims)
    }
}

const NOT_A_SET: InvalidKey = InvalidKey("must be a JWK set of Ed25519 keys with kid");

fn is_type(typ: Option<&str>) -> bool {
    // RFC 9068 section 4 allows the long form too.
    typ.is_some_and(|typ| {
        typ.eq_ignore_ascii_case(TYPE) || typ.eq_ignore_ascii_case("application/at+jwt")
    })
}

fn parse_set(text: &str) -> Result<Vec<serde_json::Value>, InvalidKey> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let set: Set = serde_json::from_str(text).map_err(|_| NOT_A_SET)?;
    if set.keys.is_empty() { Err(NOT_A_SET) } else { Ok(set.keys) }
}

fn kid_of(key: &serde_json::Value) -> Result<String, InvalidKey> {
    key["kid"].as_str().filter(|kid| !kid.is_empty()).map(str::to_owned).ok_or(NOT_A_SET)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Derived, Master};

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
        }
    }

    #[test]
    fn what_is_signed_is_verified_and_signing_is_repeatable() {
        let (signing, verifying) = keys();
        let text = signing.sign(&claims()).expect("signed");
        assert_eq!(verifying.verify(&text, ISSUER, NOW), Ok(claims()));
        assert_eq!(signing.sign(&claims()).expect("signed"), text);
    }

    #[test]
    fn m12_the_header_says_at_jwt() {
        let text = keys().0.sign(&claims()).expect("signed");
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
        let text = signing.sign(&claims()).expect("signed");
        assert_eq!(verifying.verify(&text, ISSUER, 1_900_000), Err(InvalidAccessToken::Expired));
        assert_eq!(
            verifying.verify(&text, "https://other", NOW),
            Err(InvalidAccessToken::WrongIssuer)
        );
        let (head, _) = text.rsplit_once('.').expect("parts");
        let other = AccessToken { sub: "user_2".to_owned(), ..claims() };
        let other = signing.sign(&other).expect("signed");
        let grafted = format!("{head}.{}", other.rsplit_once('.').expect("parts").1);
        assert_eq!(verifying.verify(&grafted, ISSUER, NOW), Err(InvalidAccessToken::BadSignature));
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
                verifying.verify(&text, ISSUER, NOW),
                Err(InvalidAccessToken::Unsupported),
                "{header}"
            );
        }
    }

    #[test]
    fn a_jti_names_session_counter_scope_and_audience() {
        let session = SessionId::from_bytes([1; 16]);
        let aud = vec!["a".to_owned()];
        let first = jti(&session, 0, 1, "s", &aud);
        assert_eq!(first, jti(&session, 0, 1, "s", &aud));
        assert_ne!(first, jti(&session, 0, 2, "s", &aud));
        assert_ne!(first, jti(&session, 0, 1, "t", &aud));
        assert_ne!(first, jti(&session, 0, 1, "s", &[]));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", a in "[A-Za-z0-9_-]{0,80}", b in "[A-Za-z0-9_-]{0,80}") {
            let (_, verifying) = keys();
            let _ = verifying.verify(&text, ISSUER, NOW);
            let _ = verifying.verify(&format!("{a}.{b}.{a}"), ISSUER, NOW);
        }
    }
}
