//! The keys by which clients say who they are: a JWK set (RFC 7517 section 5) of a stranger's making.

use serde_json::Value;

use crate::jwk::PublicKey;

/// Nobody is changing more keys at once.
const MAX: usize = 16;
/// Members of a JWK that are secret: RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1, RFC 8037 section 2.
const SECRETS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];

/// The public keys of a client, of the kinds that we verify, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientKeys(Vec<Entry>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    kid: Option<String>,
    key: PublicKey,
}

impl ClientKeys {
    /// Read a set; keys of other kinds and for other uses may be in it.
    ///
    /// # Errors
    /// What is wrong with it: it is none, is too large, has no key for us, or has a secret in it, of
    /// which everybody knows by then.
    pub fn parse(set: &Value) -> Result<Self, &'static str> {
        let keys = set["keys"].as_array().ok_or("the keys are no JWK set")?;
        if keys.len() > MAX {
            return Err("there are too many keys");
        }
        if keys.iter().any(|jwk| SECRETS.iter().any(|name| jwk.get(name).is_some())) {
            return Err("a private key must stay with the client");
        }
        let known: Vec<_> = keys.iter().filter_map(Entry::of).collect();
        if known.is_empty() {
            Err("no key is of a kind that is known here")
        } else {
            Ok(Self(known))
        }
    }

    /// The keys that a signature by `alg` may be of: the one of that name, or, if the client names
    /// none, all of the kind.
    pub fn candidates(&self, kid: Option<&str>, alg: &str) -> impl Iterator<Item = &PublicKey> {
        let named = move |entry: &&Entry| kid.is_none() || entry.kid.as_deref() == kid;
        self.0.iter().filter(named).map(|entry| &entry.key).filter(move |key| is_for(key, alg))
    }
}

impl Entry {
    fn of(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let key = PublicKey::of_jwk(jwk)?;
        let signs = text("use").is_none_or(|usage| usage == "sig");
        let fits = text("alg").is_none_or(|alg| is_for(&key, alg));
        (signs && fits).then(|| Self { kid: text("kid").map(str::to_owned), key })
    }
}

/// Whether a key is used with an algorithm, whatever a header says.
fn is_for(key: &PublicKey, alg: &str) -> bool {
    match key {
        PublicKey::Ed25519(_) => matches!(alg, "EdDSA" | "Ed25519"),
        PublicKey::P256(_) => alg == "ES256",
        PublicKey::Rsa { .. } => alg == "RS256",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base64url;

    fn okp(kid: &str, byte: u8) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url(&[byte; 32]), "kid": kid })
    }

    fn rsa() -> Value {
        json!({ "kty": "RSA", "n": base64url(&[0xc1; 256]), "e": "AQAB" })
    }

    fn with(mut jwk: Value, name: &str, value: &str) -> Value {
        jwk[name] = value.into();
        jwk
    }

    #[test]
    fn a_key_is_found_by_its_name_or_its_kind() {
        let set = json!({ "keys": [okp("a", 1), okp("b", 2), rsa(), { "kty": "X" }, 7] });
        let keys = ClientKeys::parse(&set).expect("a set");
        let count = |kid, alg| keys.candidates(kid, alg).count();
        assert_eq!(count(Some("a"), "EdDSA"), 1);
        assert_eq!(count(None, "EdDSA"), 2);
        assert_eq!(count(None, "Ed25519"), 2);
        assert_eq!(count(None, "RS256"), 1);
        assert_eq!(count(Some("a"), "RS256"), 0, "an algorithm of another kind of key");
        for alg in ["none", "HS256", "ES256", "PS256", "eddsa", ""] {
            assert_eq!(count(None, alg), 0, "{alg}");
        }
    }

    #[test]
    fn what_is_for_something_else_is_left_aside() {
        for other in [with(okp("a", 1), "use", "enc"), with(rsa(), "alg", "RSA-OAEP")] {
            assert!(ClientKeys::parse(&json!({ "keys": [other] })).is_err());
        }
        let signs = with(with(okp("a", 1), "use", "sig"), "alg", "EdDSA");
        assert!(ClientKeys::parse(&json!({ "keys": [signs] })).is_ok());
    }

    #[test]
    fn a_set_with_a_secret_in_it_or_without_a_key_is_none() {
        for set in [
            json!({}),
            json!([]),
            json!(null),
            json!({ "keys": {} }),
            json!({ "keys": [] }),
            json!({ "keys": [{ "kty": "RSA" }] }),
            json!({ "keys": vec![okp("a", 1); 17] }),
            json!({ "keys": [okp("a", 1), with(okp("b", 2), "d", "x")] }),
            json!({ "keys": [okp("a", 1), { "kty": "oct", "k": "c2VjcmV0" }] }),
            json!({ "keys": [with(rsa(), "p", "x")] }),
        ] {
            assert!(ClientKeys::parse(&set).is_err(), "{set}");
        }
    }
}
