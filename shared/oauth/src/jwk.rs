//! JSON Web Keys, RFC 7517: the three kinds that matter here, Ed25519 (RFC 8037) for our own tokens, RSA
//! (RFC 7518 section 6.3) for those of the identity provider, and, beside Ed25519, P-256 (RFC 7518 section
//! 6.2) for what clients sign.

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::keys::InvalidKey;
use crate::{base64url, from_base64url};

/// RSA moduli of fewer bytes are too weak: 2048 bits, RFC 7518 section 3.3.
const MIN_MODULUS: usize = 256;

/// A key that verifies.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PublicKey {
    /// For `EdDSA`.
    Ed25519([u8; 32]),
    /// For `ES256`: the coordinates x and y of a point, big endian. Whether it is on the curve is for
    /// the verification to say.
    P256([u8; 64]),
    /// For `RS256`.
    Rsa {
        /// The modulus, big endian, without leading zeros.
        modulus: Vec<u8>,
        /// The public exponent, big endian.
        exponent: Vec<u8>,
    },
}

impl PublicKey {
    /// The key that a JWK is, or whose public half it holds; `None` if it is none of a known kind.
    pub fn of_jwk(jwk: &Value) -> Option<Self> {
        let member = |name: &str| jwk.get(name).and_then(Value::as_str).map(str::to_owned);
        let [crv, x, y, n, e] = ["crv", "x", "y", "n", "e"].map(member);
        Jwk { kty: member("kty")?, kid: String::new(), crv, x, y, d: None, n, e }.public()
    }

    /// Its name, RFC 7638: SHA-256 of the members that make the key, in base64url.
    pub fn thumbprint(&self) -> String {
        let canonical = match self {
            Self::Ed25519(x) => {
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url(x))
            }
            Self::P256(point) => {
                let (x, y) = point.split_at(32);
                let (x, y) = (base64url(x), base64url(y));
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Self::Rsa { modulus, exponent } => {
                let (e, n) = (base64url(exponent), base64url(modulus));
                format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)
            }
        };
        base64url(&Sha256::digest(canonical))
    }
}

/// A key that signs with `EdDSA`.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey {
    /// The secret half.
    pub seed: [u8; 32],
    /// The public half.
    pub public: [u8; 32],
}

/// Public keys by `kid`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeySet(Vec<(String, PublicKey)>);

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl KeySet {
    /// The keys of a JWK set that have a `kid` and are of a known kind; others may be meant for
    /// somebody else (RFC 7517 section 5).
    ///
    /// # Errors
    /// If the text is not a JWK set.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidKey> {
        let set: Set = serde_json::from_slice(text).map_err(|_| NOT_A_SET)?;
        let known = set.keys.into_iter().filter(|jwk| !jwk.kid.is_empty());
        Ok(Self(known.filter_map(|jwk| Some((jwk.kid.clone(), jwk.public()?))).collect()))
    }

    /// A set of Ed25519 keys and nothing else.
    ///
    /// # Errors
    /// If the text is not that, or the set is empty.
    pub fn parse_ed25519(text: &[u8]) -> Result<Self, InvalidKey> {
        let set: Set = serde_json::from_slice(text).map_err(|_| NOT_A_SET)?;
        let keys: Vec<_> = set
            .keys
            .into_iter()
            .filter(|jwk| !jwk.kid.is_empty() && jwk.kty == "OKP")
            .map(|jwk| Some((jwk.kid.clone(), jwk.public()?)))
            .collect::<Option<_>>()
            .ok_or(NOT_A_SET)?;
        if keys.is_empty() { Err(NOT_A_SET) } else { Ok(Self(keys)) }
    }

    /// The key of a name.
    pub fn get(&self, kid: &str) -> Option<&PublicKey> {
        self.0.iter().find(|(known, _)| known == kid).map(|(_, key)| key)
    }
}

/// The first key of a private set of Ed25519 keys, with its `kid`.
///
/// # Errors
/// If the text is not such a set.
pub fn first_private(text: &str) -> Result<(String, PrivateKey), InvalidKey> {
    let set: Set = serde_json::from_slice(text.as_bytes()).map_err(|_| NOT_A_SET)?;
    let jwk = set.keys.into_iter().next().filter(|jwk| !jwk.kid.is_empty()).ok_or(NOT_A_SET)?;
    let Some(PublicKey::Ed25519(public)) = jwk.public() else { return Err(NOT_A_SET) };
    let seed = jwk.d.as_deref().and_then(bytes32).ok_or(NOT_A_SET)?;
    Ok((jwk.kid, PrivateKey { seed, public }))
}

impl Jwk {
    fn public(&self) -> Option<PublicKey> {
        match self.kty.as_str() {
            "OKP" if self.crv.as_deref() == Some("Ed25519") => {
                Some(PublicKey::Ed25519(bytes32(self.x.as_deref()?)?))
            }
            "EC" if self.crv.as_deref() == Some("P-256") => {
                let (x, y) = (bytes32(self.x.as_deref()?)?, bytes32(self.y.as_deref()?)?);
                let mut point = [0; 64];
                point[..32].copy_from_slice(&x);
                point[32..].copy_from_slice(&y);
                Some(PublicKey::P256(point))
            }
            "RSA" => {
                let modulus = from_base64url(self.n.as_deref()?)?;
                let modulus: Vec<u8> = modulus.into_iter().skip_while(|byte| *byte == 0).collect();
                let exponent = from_base64url(self.e.as_deref()?)?;
                let strong = modulus.len() >= MIN_MODULUS && !exponent.is_empty();
                strong.then_some(PublicKey::Rsa { modulus, exponent })
            }
            _ => None,
        }
    }
}

const NOT_A_SET: InvalidKey = InvalidKey("must be a JWK set of Ed25519 keys with kid");

fn bytes32(text: &str) -> Option<[u8; 32]> {
    from_base64url(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_other_kinds_and_weak_keys_are_left_out() {
        let weak = base64url(&[0xff; 128]);
        let strong = base64url(&[0xff; 256]);
        let set = format!(
            r#"{{"keys":[{{"kty":"EC","kid":"ec"}},{{"kty":"RSA","kid":"weak","n":"{weak}","e":"AQAB"}},
               {{"kty":"RSA","n":"{strong}","e":"AQAB"}},{{"kty":"RSA","kid":"good","n":"{strong}","e":"AQAB"}}]}}"#
        );
        let set = KeySet::parse(set.as_bytes()).expect("a set");
        assert!(set.get("ec").is_none() && set.get("weak").is_none() && set.get("").is_none());
        assert!(matches!(set.get("good"), Some(PublicKey::Rsa { .. })));
    }

    #[test]
    fn a_point_of_p256_has_two_whole_coordinates() {
        let (x, y) = (base64url(&[1; 32]), base64url(&[2; 32]));
        let short = base64url(&[2; 31]);
        let set = format!(
            r#"{{"keys":[{{"kty":"EC","crv":"P-256","kid":"good","x":"{x}","y":"{y}"}},
               {{"kty":"EC","crv":"P-256","kid":"short","x":"{x}","y":"{short}"}},
               {{"kty":"EC","crv":"P-256","kid":"half","x":"{x}"}},
               {{"kty":"EC","crv":"P-384","kid":"other","x":"{x}","y":"{y}"}}]}}"#
        );
        let set = KeySet::parse(set.as_bytes()).expect("a set");
        let point: Vec<u8> = [[1; 32], [2; 32]].concat();
        assert!(matches!(set.get("good"), Some(PublicKey::P256(p)) if p[..] == point[..]));
        for kid in ["short", "half", "other"] {
            assert_eq!(set.get(kid), None, "{kid}");
        }
    }

    #[test]
    fn a_thumbprint_is_that_of_the_standards() {
        for (jwk, thumbprint) in [
            // RFC 7638 section 3.1.
            (
                r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#,
                "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            ),
            // RFC 8037 appendix A.3.
            (
                r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
                "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            ),
            // RFC 9449 sections 4.1 and 6.1.
            (
                r#"{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}"#,
                "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
            ),
        ] {
            let key = PublicKey::of_jwk(&serde_json::from_str(jwk).expect("JSON"));
            assert_eq!(key.expect("a key").thumbprint(), thumbprint);
        }
    }

    #[test]
    fn a_strict_set_is_all_ed25519() {
        for text in [
            "{}",
            r#"{"keys":[]}"#,
            r#"{"keys":[{"kty":"OKP","crv":"X25519","kid":"a","x":"AA"}]}"#,
        ] {
            assert!(KeySet::parse_ed25519(text.as_bytes()).is_err(), "{text}");
        }
    }
}
