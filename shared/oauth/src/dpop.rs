//! Proofs of possession, RFC 9449: a client shows with every request that it holds the key that its
//! tokens are bound to, so that a token alone is of no use to a thief.
//!
//! Here a proof is taken apart and held against the request that it came with. Its signature is for the
//! Signatures port, that it comes once is for the ledger.

use ledger::{Millis, Once, OnceId};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::jwk::PublicKey;
use crate::keys::{digest, half};
use crate::resource::Site;
use crate::{base64url, from_base64url};

/// The header that carries a proof, RFC 9449 section 4.1.
pub const HEADER: &str = "dpop";
/// The header that hands out a nonce, RFC 9449 section 8.1.
pub const NONCE_HEADER: &str = "dpop-nonce";
/// How access tokens are presented that are bound to a key, RFC 9449 section 7.1, and what a token
/// response calls them, section 5.
pub const SCHEME: &str = "DPoP";
/// The algorithms of proofs, for the metadata (RFC 9449 section 5.1) and challenges. `EdDSA` is what
/// RFC 9864 calls `Ed25519`.
pub const ALGORITHMS: &[&str] = &["ES256", "Ed25519", "EdDSA"];

/// The `typ` header, RFC 9449 section 4.2.
const TYPE: &str = "dpop+jwt";
/// A proof with the largest key of ours has some 500 characters; longer ones than this are refused
/// unread.
const MAX_LENGTH: usize = 4096;
/// For so long a proof is good.
const PAST: Millis = 60_000;
/// So far a client's clock may be ahead.
const FUTURE: Millis = 5_000;
/// The clocks of who looks at a proof and of who remembers it may differ by this much.
const MEMORY: Millis = 10_000;

/// The `cnf` claim of tokens that are bound to a key, RFC 9449 section 6.1.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Confirmation {
    /// The thumbprint of the key.
    pub jkt: String,
}

/// A text that has the form of a proof. Nothing in it is to be believed before the signature has been
/// verified by the key, which anybody can have made: what it proves is that the sender holds that key.
pub struct Proof<'t> {
    /// The key that it speaks of.
    pub key: PublicKey,
    /// What the signature is over.
    pub signing_input: &'t str,
    /// The signature.
    pub signature: Vec<u8>,
    claims: Map<String, Value>,
}

/// The request that a proof must be for.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its URL, as the deployment knows it and whatever the request says of its host.
    pub url: &'a str,
    /// The access token that comes with it.
    pub access_token: Option<&'a str>,
}

/// Why a proof is none for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidProof {
    /// There is more than one.
    Several,
    /// Not a JWT with the claims of a proof.
    Malformed,
    /// Another type or algorithm than those of proofs.
    Unsupported,
    /// No public key of the algorithm, or a private one.
    NoKey,
    /// For another method.
    Method,
    /// For another URL.
    Url,
    /// For another access token, or for none.
    AccessToken,
    /// Made too long ago, or ahead of time.
    NotNow,
    /// The signature is not by its key.
    BadSignature,
    /// By another key than the one that the token is bound to.
    WrongKey,
    /// It was used before.
    Replayed,
    /// There is none, where there must be one.
    Missing,
}

impl InvalidProof {
    /// For the developer of the client, and for the log. It tells nothing that the proof does not say.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Several => "there is more than one DPoP proof",
            Self::Malformed => "the DPoP proof is no JWT with the claims of one",
            Self::Unsupported => {
                "the DPoP proof has another type or algorithm than those of proofs"
            }
            Self::NoKey => "the DPoP proof holds no public key of its algorithm, or a private one",
            Self::Method => "the DPoP proof is for another method",
            Self::Url => "the DPoP proof is for another URL",
            Self::AccessToken => "the DPoP proof is for another access token",
            Self::NotNow => "the DPoP proof was made too long ago, or ahead of time",
            Self::BadSignature => "the DPoP proof is not signed by its key",
            Self::WrongKey => "the DPoP proof is by another key than the token's",
            Self::Replayed => "the DPoP proof was used before",
            Self::Missing => "the DPoP proof is missing",
        }
    }
}

impl<'t> Proof<'t> {
    /// Take a proof apart: form, type, algorithm and key, RFC 9449 section 4.3 (2 to 5 and 7).
    ///
    /// # Errors
    /// The first check that fails.
    pub fn parse(text: &'t str) -> Result<Self, InvalidProof> {
        let malformed = InvalidProof::Malformed;
        if text.len() > MAX_LENGTH {
            return Err(malformed);
        }
        let (signing_input, signature) = text.rsplit_once('.').ok_or(malformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or(malformed)?;
        let header = object(header).ok_or(malformed)?;
        let claims = object(payload).ok_or(malformed)?;
        let signature = from_base64url(signature).ok_or(malformed)?;
        // RFC 7515 section 4.1.11: extensions that must be understood; none is.
        if header.contains_key("crit") {
            return Err(malformed);
        }
        let member = |name: &str| header.get(name).and_then(Value::as_str);
        let algorithm = member("alg").filter(|alg| ALGORITHMS.contains(alg));
        let (Some(TYPE), Some(algorithm)) = (member("typ"), algorithm) else {
            return Err(InvalidProof::Unsupported);
        };
        let key = header
            .get("jwk")
            .and_then(|jwk| public_key(jwk, algorithm))
            .ok_or(InvalidProof::NoKey)?;
        Ok(Self { key, signing_input, signature, claims })
    }

    /// The nonce that it carries.
    pub fn nonce(&self) -> Option<&str> {
        self.claim("nonce")
    }

    /// Hold it against a request: claims, method, URL, access token and time, RFC 9449 section 4.3 (3,
    /// 8, 9, 11 and 12). Tells what it uses up: the `jti` of this key.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn check(&self, call: &Call<'_>, now: Millis) -> Result<Once, InvalidProof> {
        let malformed = InvalidProof::Malformed;
        let claim = |name| self.claim(name).filter(|text| !text.is_empty()).ok_or(malformed);
        let (jti, method, url) = (claim("jti")?, claim("htm")?, claim("htu")?);
        let made_at = self.claims.get("iat").and_then(Value::as_f64).ok_or(malformed)?;
        if method != call.method {
            return Err(InvalidProof::Method);
        }
        if !same_target(url, call.url) {
            return Err(InvalidProof::Url);
        }
        let hash = call.access_token.map(|token| base64url(&Sha256::digest(token)));
        if hash.is_some() && self.claim("ath") != hash.as_deref() {
            return Err(InvalidProof::AccessToken);
        }
        // Saturates: neither a negative nor a huge number is a time near ours.
        let made_at = (made_at * 1000.0) as Millis;
        if made_at > now.saturating_add(FUTURE) || now > made_at.saturating_add(PAST) {
            return Err(InvalidProof::NotNow);
        }
        let name = [self.key.thumbprint(), jti.to_owned()];
        let name = digest("atoms-edge dpop", &name.each_ref().map(String::as_bytes));
        Ok(Once::new(OnceId::from_bytes(half(&name)), made_at.saturating_add(PAST + MEMORY)))
    }

    fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }
}

fn object(encoded: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&from_base64url(encoded)?).ok()
}

/// The key of a header, which must not give its private half away: a client that does has lost it.
fn public_key(jwk: &Value, algorithm: &str) -> Option<PublicKey> {
    if jwk.get("d").is_some() {
        return None;
    }
    match (algorithm, PublicKey::of_jwk(jwk)?) {
        ("ES256", key @ PublicKey::P256(_)) => Some(key),
        ("EdDSA" | "Ed25519", key @ PublicKey::Ed25519(_)) => Some(key),
        _ => None,
    }
}

/// Whether a proof's `htu` names the URL, without query and fragment and in any spelling (RFC 9449
/// section 4.3 (9)).
fn same_target(htu: &str, url: &str) -> bool {
    let bare = htu.split(['?', '#']).next().unwrap_or_default();
    let asked = Site::parse(bare);
    asked.is_some() && asked == Site::parse(url)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use ed25519_compact::{KeyPair, Seed};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::software;

    const URL: &str = "https://edge.example/oauth/token";
    const NOW: Millis = 1_780_000_000_000;
    /// RFC 9449 section 4.1.
    const EXAMPLE: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik\
        VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR\
        nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE\
        QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIj\
        oiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwia\
        WF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg\
        4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";

    fn key() -> KeyPair {
        KeyPair::from_seed(Seed::new([3; 32]))
    }

    fn jwk() -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url(&*key().pk) })
    }

    fn header() -> Value {
        json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk() })
    }

    fn claims() -> Value {
        json!({ "jti": "j", "htm": "POST", "htu": URL, "iat": NOW / 1000 })
    }

    fn unsigned(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| base64url(value.to_string().as_bytes());
        format!("{}.{}", part(header), part(claims))
    }

    fn text(header: &Value, claims: &Value) -> String {
        let input = unsigned(header, claims);
        let signature = key().sk.sign(&input, None);
        format!("{input}.{}", base64url(&*signature))
    }

    /// The object with other members, where null takes one out.
    fn with(mut object: Value, changes: &Value) -> Value {
        let members = object.as_object_mut().expect("an object");
        for (name, value) in changes.as_object().expect("an object") {
            members.insert(name.clone(), value.clone());
        }
        members.retain(|_, value| !value.is_null());
        object
    }

    fn call(access_token: Option<&str>) -> Call<'_> {
        Call { method: "POST", url: URL, access_token }
    }

    fn judged(header: &Value, claims: &Value) -> Result<Once, InvalidProof> {
        let text = text(header, claims);
        let proof = Proof::parse(&text)?;
        let input = proof.signing_input.as_bytes();
        assert!(software::verify(&proof.key, input, &proof.signature));
        proof.check(&call(None), NOW)
    }

    fn claiming(changes: &Value) -> Result<Once, InvalidProof> {
        judged(&header(), &with(claims(), changes))
    }

    #[test]
    fn the_example_of_the_rfc_is_a_proof() {
        let proof = Proof::parse(EXAMPLE).expect("a proof");
        assert_eq!(proof.key.thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
        assert!(software::verify(&proof.key, proof.signing_input.as_bytes(), &proof.signature));
        let call =
            Call { method: "POST", url: "https://server.example.com/token", access_token: None };
        assert_eq!(proof.check(&call, 1_562_262_616_000).map(|_| ()), Ok(()));
        assert_eq!(proof.check(&call, NOW), Err(InvalidProof::NotNow));
    }

    #[test]
    fn both_names_of_eddsa_are_known() {
        for alg in ["EdDSA", "Ed25519"] {
            assert!(judged(&with(header(), &json!({ "alg": alg })), &claims()).is_ok(), "{alg}");
        }
    }

    #[test]
    fn other_types_and_algorithms_are_refused() {
        for changes in [
            json!({ "typ": null }),
            json!({ "typ": "JWT" }),
            json!({ "typ": "at+jwt" }),
            json!({ "typ": "DPOP+JWT" }),
            json!({ "alg": null }),
            json!({ "alg": "none" }),
            json!({ "alg": "HS256" }),
            json!({ "alg": "RS256" }),
            json!({ "alg": "es256" }),
            json!({ "alg": ["EdDSA"] }),
        ] {
            let header = with(header(), &changes);
            assert_eq!(judged(&header, &claims()), Err(InvalidProof::Unsupported), "{changes}");
        }
        let header = with(header(), &json!({ "crit": ["b64"], "b64": false }));
        assert_eq!(judged(&header, &claims()), Err(InvalidProof::Malformed));
    }

    #[test]
    fn private_symmetric_foreign_and_missing_keys_are_refused() {
        let point = base64url(&[1; 32]);
        for jwk in [
            json!(null),
            json!("key"),
            with(jwk(), &json!({ "d": base64url(&[3; 32]) })),
            with(jwk(), &json!({ "d": "" })),
            with(jwk(), &json!({ "crv": "X25519" })),
            with(jwk(), &json!({ "x": base64url(&[3; 31]) })),
            with(jwk(), &json!({ "x": null })),
            json!({ "kty": "oct", "k": point }),
            json!({ "kty": "EC", "crv": "P-256", "x": point, "y": point }),
            json!({ "kty": "EC", "crv": "P-256", "x": point, "y": point, "d": point }),
            json!({ "kty": "RSA", "n": base64url(&[0xff; 256]), "e": "AQAB" }),
        ] {
            let header = with(header(), &json!({ "jwk": jwk }));
            assert_eq!(judged(&header, &claims()), Err(InvalidProof::NoKey), "{header}");
        }
        // The key of one algorithm under the name of another.
        let header = with(header(), &json!({ "alg": "ES256" }));
        assert_eq!(judged(&header, &claims()), Err(InvalidProof::NoKey));
    }

    #[test]
    fn a_proof_is_for_one_method_and_one_url() {
        for method in ["GET", "post", "PUT"] {
            let outcome = claiming(&json!({ "htm": method }));
            assert_eq!(outcome, Err(InvalidProof::Method), "{method}");
        }
        for url in [
            "HTTPS://EDGE.example:443/oauth/token",
            "https://edge.example/oauth/token?a=b",
            "https://edge.example/oauth/token#f",
            "https://edge.example/oauth/token?a=b#f?",
        ] {
            assert!(claiming(&json!({ "htu": url })).is_ok(), "{url}");
        }
        for url in [
            "https://edge.example/oauth/Token",
            "https://edge.example/oauth",
            "https://edge.example/mcp",
            "https://edge.example",
            "http://edge.example/oauth/token",
            "https://edge.example:8443/oauth/token",
            "https://evil.example/oauth/token",
            "https://user@edge.example/oauth/token",
            "https://edge.example@evil.example/oauth/token",
            "https://edge.example/oauth/../oauth/token",
            "/oauth/token",
            "edge.example/oauth/token",
            "?",
        ] {
            assert_eq!(claiming(&json!({ "htu": url })), Err(InvalidProof::Url), "{url}");
        }
    }

    #[test]
    fn a_proof_is_good_for_a_minute() {
        let at = |millis: u64| claiming(&json!({ "iat": millis as f64 / 1000.0 })).map(|_| ());
        for good in [NOW - PAST, NOW - 1, NOW, NOW + FUTURE] {
            assert_eq!(at(good), Ok(()), "{good}");
        }
        for bad in [0, NOW - PAST - 1, NOW + FUTURE + 1, NOW * 1000] {
            assert_eq!(at(bad), Err(InvalidProof::NotNow), "{bad}");
        }
        for odd in [json!(-1), json!(-1e300), json!(1e300), json!(u64::MAX)] {
            assert_eq!(claiming(&json!({ "iat": odd })), Err(InvalidProof::NotNow), "{odd}");
        }
        let until = claiming(&json!({})).expect("good").until;
        assert!(until > NOW + PAST, "it is remembered for longer than it is good");
    }

    #[test]
    fn claims_of_other_kinds_are_malformed() {
        for changes in [
            json!({ "jti": null }),
            json!({ "jti": "" }),
            json!({ "jti": 7 }),
            json!({ "htm": null }),
            json!({ "htm": ["POST"] }),
            json!({ "htu": null }),
            json!({ "iat": null }),
            json!({ "iat": "1780000000" }),
        ] {
            assert_eq!(claiming(&changes), Err(InvalidProof::Malformed), "{changes}");
        }
    }

    #[test]
    fn f13_a_proof_at_a_resource_is_for_one_access_token() {
        let hash = base64url(&Sha256::digest("token"));
        let judged = |changes: &Value, token| {
            let text = text(&header(), &with(claims(), changes));
            Proof::parse(&text).and_then(|proof| proof.check(&call(Some(token)), NOW)).map(|_| ())
        };
        assert_eq!(judged(&json!({ "ath": hash }), "token"), Ok(()));
        for (changes, token) in [
            (json!({ "ath": hash }), "another"),
            (json!({}), "token"),
            (json!({ "ath": "" }), "token"),
            (json!({ "ath": format!("{hash}=") }), "token"),
            (json!({ "ath": [hash] }), "token"),
        ] {
            assert_eq!(judged(&changes, token), Err(InvalidProof::AccessToken), "{changes}");
        }
    }

    #[test]
    fn a_use_is_named_after_key_and_jti() {
        let first = claiming(&json!({})).expect("good");
        assert_eq!(claiming(&json!({ "htu": format!("{URL}?") })), Ok(first), "the same jti");
        assert_ne!(claiming(&json!({ "jti": "k" })), Ok(first));
        let example = Proof::parse(EXAMPLE).expect("a proof");
        let mut other = Proof::parse(EXAMPLE).expect("a proof");
        other.key = PublicKey::Ed25519([3; 32]);
        let call =
            Call { method: "POST", url: "https://server.example.com/token", access_token: None };
        let id = |proof: &Proof<'_>| proof.check(&call, 1_562_262_616_000).expect("good").id;
        assert_ne!(id(&example), id(&other), "clients do not spoil each other's");
    }

    #[test]
    fn oversized_and_malformed_texts_are_refused() {
        let padded = with(claims(), &json!({ "x": "x".repeat(MAX_LENGTH) }));
        for text in [
            String::new(),
            "..".to_owned(),
            "a.b".to_owned(),
            "é.é.é".to_owned(),
            text(&header(), &padded),
            text(&json!([]), &claims()),
            text(&header(), &json!("claims")),
            format!("{}=", text(&header(), &claims())),
            format!("{}, {0}", text(&header(), &claims())),
            format!(" {}", text(&header(), &claims())),
        ] {
            assert_eq!(Proof::parse(&text).err(), Some(InvalidProof::Malformed), "{text}");
        }
    }

    /// JSON of any shape, a few levels deep.
    fn arbitrary() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            "\\PC{0,20}".prop_map(Value::from),
            "(dpop\\+jwt|ES256|EdDSA|POST|OKP|EC|Ed25519|P-256|https://edge.example/oauth/token)"
                .prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            let name = "(typ|alg|jwk|kty|crv|x|y|d|jti|htm|htu|iat|ath|nonce|crit|[a-z]{1,4})";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(name, inner, 0..8)
                    .prop_map(|members| { members.into_iter().collect::<Map<_, _>>().into() }),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", parts in prop::collection::vec("[A-Za-z0-9_-]{0,80}", 0..5)) {
            let _ = Proof::parse(&text);
            let _ = Proof::parse(&parts.join("."));
        }

        #[test]
        fn no_members_make_it_panic(
            header in prop::collection::btree_map("(typ|alg|jwk|crit)", arbitrary(), 0..4),
            claims in prop::collection::btree_map("(jti|htm|htu|iat|ath|nonce)", arbitrary(), 0..6),
            now in any::<Millis>(),
        ) {
            let part = |members| serde_json::to_value(members).expect("JSON");
            let (strange, claimed) = (part(&header), part(&claims));
            let _ = Proof::parse(&format!("{}.AA", unsigned(&strange, &claimed)));
            let whole = format!("{}.AA", unsigned(&tests::header(), &claimed));
            if let Ok(proof) = Proof::parse(&whole) {
                let _ = (proof.nonce(), proof.check(&call(Some("token")), now));
            }
        }

        #[test]
        fn no_byte_can_be_changed(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_.-]") {
            static GOOD: LazyLock<String> = LazyLock::new(|| text(&header(), &claims()));
            let good = &*GOOD;
            let at = at.index(good.len());
            let changed = format!("{}{to}{}", &good[..at], &good[at + 1..]);
            prop_assume!(changed != *good);
            let signed = Proof::parse(&changed).is_ok_and(|proof| {
                software::verify(&proof.key, proof.signing_input.as_bytes(), &proof.signature)
            });
            prop_assert!(!signed);
        }
    }
}
