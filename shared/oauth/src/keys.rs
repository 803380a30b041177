//! Keys. A deployment has one master secret in a small ring of versions; everything else is derived
//! from it by HKDF-SHA256 (RFC 5869) under distinct labels, so that each function is given only the
//! keys that it needs and none of them leads back to the master.
//!
//! Version 1 is never removed from the ring: what must not change is derived from it. It only stops
//! minting once another version is before it.

use ed25519_compact::{KeyPair, Seed};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use jwt_compact::jwk::JsonWebKey;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::access_token::ALGORITHM;
use crate::{base64url, from_base64url};

/// A 256-bit key.
pub type Key = [u8; 32];

/// One version of the master secret.
#[derive(Clone)]
pub struct Master {
    /// Its version, never reused.
    pub id: u8,
    /// 256 random bits.
    pub secret: Key,
}

/// Before a version of the master secret in text: it must not mint yet. Every function is given a
/// version in this way before the first token of it is made.
pub const VERIFY_ONLY: &str = "verify:";

impl Master {
    /// From `id=base64url,id=base64url`, newest first, where [`VERIFY_ONLY`] may be before an entry.
    /// The answer is in the order of [`Derived::from_masters`]: who mints, then who only verifies.
    ///
    /// # Errors
    /// If the text is anything else, or no version may mint.
    pub fn parse_ring(text: &str) -> Result<Vec<Self>, InvalidKey> {
        let entries = text.split(',').map(str::trim);
        let (waiting, minting): (Vec<_>, Vec<_>) =
            entries.partition(|entry| entry.starts_with(VERIFY_ONLY));
        if minting.is_empty() {
            return Err(InvalidKey("a version of the master secret must be allowed to mint"));
        }
        let waiting = waiting.iter().filter_map(|entry| entry.strip_prefix(VERIFY_ONLY));
        let ordered: Vec<_> = minting.iter().copied().chain(waiting).collect();
        let ring = KeyRing::parse(&ordered.join(","))?;
        Ok(ring.0.into_iter().map(|(id, secret)| Self { id, secret }).collect())
    }
}

/// A setting's text is not a key, a ring of keys, or a key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidKey(pub &'static str);

/// Everything that a deployment's functions are given, derived from its master secrets.
pub struct Derived {
    settings: Vec<(&'static str, String)>,
}

impl Derived {
    /// Derive from the ring: its first version mints, all verify.
    ///
    /// The address, client-secret and device keys come from version 1 and so never rotate: ledgers
    /// stay where they are, stored secret hashes stay valid, and nobody's device becomes another.
    ///
    /// # Errors
    /// If the ring lacks version 1 or repeats a version.
    pub fn from_masters(masters: &[Master]) -> Result<Self, InvalidKey> {
        let first = masters.iter().find(|master| master.id == 1).ok_or(InvalidKey(
            "version 1 of the master secret is missing; ledgers and client secrets depend on it, \
             so it is never removed",
        ))?;
        let repeated =
            |(at, master): (usize, &Master)| masters[..at].iter().any(|m| m.id == master.id);
        if masters.iter().enumerate().any(repeated) {
            return Err(InvalidKey("master secret versions must differ"));
        }
        let ring = |label| {
            let key = |master: &Master| base64url(&derive(&master.secret, label));
            let entries = masters.iter().map(|master| format!("{}={}", master.id, key(master)));
            entries.collect::<Vec<_>>().join(",")
        };
        let (signing, public) = key_sets(masters, "access-token-signature")?;
        // A key of its own, in a set of its own: no text that it signs can be an access token.
        let (introspecting, introspected) = key_sets(masters, "introspection-signature")?;
        Ok(Self {
            settings: vec![
                ("LEDGER_ADDRESS_KEY", base64url(&derive(&first.secret, "ledger-address"))),
                ("CLIENT_SECRET_KEY", base64url(&derive(&first.secret, "client-secret"))),
                ("DEVICE_KEY", base64url(&derive(&first.secret, "device"))),
                ("REFRESH_MAC_KEYS", ring("refresh-mac")),
                ("UPSTREAM_KEYS", ring("upstream-aead")),
                ("CODE_KEYS", ring("authorization-code-aead")),
                ("REQUEST_KEYS", ring("authorization-request-aead")),
                ("LOGIN_KEYS", ring("login-aead")),
                ("DPOP_NONCE_KEYS", ring("dpop-nonce")),
                ("INTERNAL_MAC_KEYS_ISSUER", ring("internal-mac issuer")),
                ("INTERNAL_MAC_KEYS_MCP", ring("internal-mac mcp")),
                ("AUDIT_KEYS", ring("audit")),
                ("SIGNING_KEYS", signing),
                ("PUBLIC_KEYS", public),
                ("INTROSPECTION_SIGNING_KEYS", introspecting),
                ("INTROSPECTION_PUBLIC_KEYS", introspected),
            ],
        })
    }

    /// Names and values of the settings.
    pub fn settings(&self) -> &[(&'static str, String)] {
        &self.settings
    }

    /// One setting's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
    }
}

/// A ring of keys by version: the first mints, all verify. `Default` has none, and does neither.
#[derive(Clone, Default)]
pub struct KeyRing(Vec<(u8, Key)>);

impl KeyRing {
    /// From `id=base64url,id=base64url`, the one that mints first.
    ///
    /// # Errors
    /// If the text is anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let keys: Option<Vec<_>> = text
            .split(',')
            .map(|entry| {
                let (id, key) = entry.trim().split_once('=')?;
                Some((id.parse().ok()?, parse_key(key).ok()?))
            })
            .collect();
        keys.map(Self).ok_or(InvalidKey("must be id=base64url,… with keys of 32 bytes"))
    }

    /// The version that mints.
    pub fn newest(&self) -> u8 {
        self.0.first().map_or(0, |(id, _)| *id)
    }

    /// The key of a version.
    pub fn get(&self, id: u8) -> Option<&Key> {
        self.0.iter().find(|(known, _)| *known == id).map(|(_, key)| key)
    }
}

/// A key from its base64url text.
///
/// # Errors
/// If the text is not 32 bytes of base64url.
pub fn parse_key(text: &str) -> Result<Key, InvalidKey> {
    from_base64url(text)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(InvalidKey("must be 32 bytes in base64url"))
}

/// The first half of a hash: as much as a name needs.
pub fn half(hash: &Key) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

/// HMAC-SHA256 over a label and parts. The label is ended by a zero byte and each part preceded by
/// its length, so no two inputs meet.
pub fn mac(key: &[u8], label: &str, parts: &[&[u8]]) -> Key {
    mac_state(key, label, parts).finalize().into_bytes().into()
}

/// What is stored of a client's secret: an HMAC, in base64url. The secrets are random 256-bit
/// values of our own making, so a slow password hash would add nothing.
pub fn hash_client_secret(key: &Key, secret: &str) -> String {
    base64url(&mac(key, "atoms-edge client secret", &[secret.as_bytes()]))
}

/// What is stored of the token by which a client manages its registration (RFC 7592): an HMAC under a key
/// that the database does not have.
pub fn hash_registration_token(key: &Key, token: &str) -> String {
    base64url(&mac(key, "atoms-edge registration token", &[token.as_bytes()]))
}

/// What is configured of an operator's credential: a digest, in base64url. The credentials are random
/// 256-bit values of our own making, so it needs no key and no slow hash.
pub fn hash_operator_key(credential: &str) -> String {
    base64url(&digest("atoms-edge operator", &[credential.as_bytes()]))
}

/// Whether two texts are equal, in time that tells nothing but their lengths.
pub fn equal(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

fn mac_state(key: &[u8], label: &str, parts: &[&[u8]]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut state = Hmac::<Sha256>::new_from_slice(key).expect("any key length");
    state.update(label.as_bytes());
    state.update(&[0]);
    for part in parts {
        state.update(&(part.len() as u64).to_be_bytes());
        state.update(part);
    }
    state
}

fn derive(master: &Key, label: &str) -> Key {
    let mut key = [0; 32];
    #[expect(clippy::expect_used, reason = "32 bytes are less than the 8160 that HKDF can give")]
    Hkdf::<Sha256>::new(Some(b"atoms-edge"), master)
        .expand(label.as_bytes(), &mut key)
        .expect("32 bytes");
    key
}

/// The private JWK set of a purpose, newest first, and its public half.
fn key_sets(masters: &[Master], label: &str) -> Result<(String, String), InvalidKey> {
    let private = masters.iter().map(|master| signing_jwk(master, label));
    let private: Vec<_> = private.collect::<Result<_, _>>()?;
    let public: Vec<_> = private.iter().map(public_jwk).collect();
    Ok((json!({ "keys": private }).to_string(), json!({ "keys": public }).to_string()))
}

/// The private JWK of a version; `kid` is the RFC 7638 thumbprint of its public half.
fn signing_jwk(master: &Master, label: &str) -> Result<Value, InvalidKey> {
    let seed = derive(&master.secret, label);
    let secret = KeyPair::from_seed(Seed::new(seed)).sk;
    let jwk = JsonWebKey::from(&secret);
    let kid = base64url(&jwk.to_verifying_key().thumbprint::<Sha256>());
    let mut value =
        serde_json::to_value(&jwk).map_err(|_| InvalidKey("the key has no JWK form"))?;
    value["kid"] = json!(kid);
    value["alg"] = json!(ALGORITHM);
    value["use"] = json!("sig");
    Ok(value)
}

fn public_jwk(signing: &Value) -> Value {
    let mut public = signing.clone();
    if let Some(members) = public.as_object_mut() {
        members.remove("d");
    }
    public
}

/// SHA-256 of a label and parts, framed like [`mac`].
pub(crate) fn digest(label: &str, parts: &[&[u8]]) -> Key {
    let mut state = Sha256::new();
    state.update(label.as_bytes());
    state.update([0]);
    for part in parts {
        state.update((part.len() as u64).to_be_bytes());
        state.update(part);
    }
    state.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masters() -> Vec<Master> {
        vec![Master { id: 2, secret: [2; 32] }, Master { id: 1, secret: [1; 32] }]
    }

    #[test]
    fn every_derived_key_differs() {
        let derived = Derived::from_masters(&masters()).expect("derived");
        let ring = KeyRing::parse(derived.get("REFRESH_MAC_KEYS").expect("ring")).expect("ring");
        assert_eq!(ring.newest(), 2);
        let mut keys = vec![
            parse_key(derived.get("LEDGER_ADDRESS_KEY").expect("set")).expect("a key"),
            parse_key(derived.get("CLIENT_SECRET_KEY").expect("set")).expect("a key"),
            parse_key(derived.get("DEVICE_KEY").expect("set")).expect("a key"),
            *ring.get(1).expect("key 1"),
            *ring.get(2).expect("key 2"),
        ];
        for name in ["UPSTREAM_KEYS", "CODE_KEYS", "REQUEST_KEYS", "LOGIN_KEYS", "DPOP_NONCE_KEYS"]
        {
            let ring = KeyRing::parse(derived.get(name).expect("ring")).expect("ring");
            keys.extend([1, 2].map(|version| *ring.get(version).expect("a key")));
        }
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 15);
    }

    #[test]
    fn rotation_keeps_addresses_and_client_secrets() {
        let before = Derived::from_masters(&masters()[1..]).expect("derived");
        let after = Derived::from_masters(&masters()).expect("derived");
        for name in ["LEDGER_ADDRESS_KEY", "CLIENT_SECRET_KEY", "DEVICE_KEY"] {
            assert_eq!(before.get(name), after.get(name), "{name}");
        }
    }

    #[test]
    fn version_1_is_never_removed() {
        let error = Derived::from_masters(&masters()[..1]).err().expect("refused");
        assert!(error.0.contains("version 1"), "{error}");
        let mut old = masters();
        old.insert(1, Master { id: 0, secret: [3; 32] });
        old.rotate_left(1);
        let (before, after) = (Derived::from_masters(&old), Derived::from_masters(&masters()));
        let key = |derived: Result<Derived, _>| {
            derived.expect("derived").get("LEDGER_ADDRESS_KEY").map(str::to_owned)
        };
        assert_eq!(key(before), key(after), "whatever its place");
    }

    #[test]
    fn a_version_that_only_verifies_does_not_mint() {
        let (one, two) = (base64url(&[1; 32]), base64url(&[2; 32]));
        let derived = |text: &str| {
            Derived::from_masters(&Master::parse_ring(text).expect("a ring")).expect("derived")
        };
        let waiting = derived(&format!("verify:2={two}, 1={one}"));
        let promoted = derived(&format!("2={two},1={one}"));
        let alone = derived(&format!("1={one}"));
        for name in [
            "REFRESH_MAC_KEYS",
            "UPSTREAM_KEYS",
            "CODE_KEYS",
            "REQUEST_KEYS",
            "LOGIN_KEYS",
            "DPOP_NONCE_KEYS",
            "INTERNAL_MAC_KEYS_ISSUER",
            "INTERNAL_MAC_KEYS_MCP",
            "AUDIT_KEYS",
        ] {
            let ring = |keys: &Derived| KeyRing::parse(keys.get(name).expect("set")).expect("ring");
            assert_eq!((ring(&waiting).newest(), ring(&promoted).newest()), (1, 2), "{name}");
            assert_eq!(ring(&waiting).get(2), ring(&promoted).get(2), "{name}");
        }
        let kids = |keys: &Derived, name| -> Vec<String> {
            let set: Value = serde_json::from_str(keys.get(name).expect("set")).expect("JSON");
            let keys = set["keys"].as_array().expect("keys").clone();
            keys.iter().map(|key| key["kid"].to_string()).collect()
        };
        for name in [
            "SIGNING_KEYS",
            "PUBLIC_KEYS",
            "INTROSPECTION_SIGNING_KEYS",
            "INTROSPECTION_PUBLIC_KEYS",
        ] {
            let kids = |keys| kids(keys, name);
            assert_eq!(kids(&waiting)[..1], kids(&alone), "{name}");
            assert_eq!(kids(&waiting)[1], kids(&promoted)[0], "{name}");
        }
    }

    #[test]
    fn the_public_sets_hold_no_private_part_and_no_key_is_in_two() {
        let derived = Derived::from_masters(&masters()).expect("derived");
        let mut kids = Vec::new();
        for name in ["PUBLIC_KEYS", "INTROSPECTION_PUBLIC_KEYS"] {
            let public: Value =
                serde_json::from_str(derived.get(name).expect("set")).expect("JSON");
            let keys = public["keys"].as_array().expect("keys");
            assert!(keys.iter().all(|key| key.get("d").is_none() && key["kid"].is_string()));
            kids.extend(keys.iter().map(|key| key["kid"].to_string()));
        }
        kids.sort_unstable();
        kids.dedup();
        assert_eq!(kids.len(), 4);
    }

    #[test]
    fn rings_that_are_no_rings_are_refused() {
        for text in ["", "1", "1=abc", "x=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "256=AA"] {
            assert!(KeyRing::parse(text).is_err(), "{text}");
        }
        let only_waiting = format!("verify:1={}", base64url(&[1; 32]));
        for text in ["", "1", "1=AAAA", "x=", "1=,", &only_waiting] {
            assert!(Master::parse_ring(text).is_err(), "{text}");
        }
        assert!(Derived::from_masters(&[]).is_err());
        assert!(Derived::from_masters(&[masters()[0].clone(), masters()[0].clone()]).is_err());
    }

    #[test]
    fn parts_are_framed() {
        assert_ne!(mac(&[0; 32], "l", &[b"ab", b"c"]), mac(&[0; 32], "l", &[b"a", b"bc"]));
    }
}
