//! Signatures in pure Rust, for hosts without a cryptography service of their own, and for tests. A
//! Worker uses WebCrypto instead, where this costs a few hundred microseconds per signature.

use std::borrow::Cow;

use ed25519_compact::{KeyPair, Seed, Signature};
use jwt_compact::Algorithm as _;
use jwt_compact::AlgorithmSignature as _;
use jwt_compact::alg::{Rsa, RsaPublicKey, RsaSignature};
use jwt_compact::jwk::JsonWebKey;
use p256::ecdsa::VerifyingKey;
use p256::ecdsa::signature::Verifier as _;
use p256::{EncodedPoint, FieldBytes};

use crate::jwk::{PrivateKey, PublicKey};

/// Whether the signature is by the key.
pub fn verify(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    match key {
        PublicKey::Ed25519(public) => {
            let public = ed25519_compact::PublicKey::new(*public);
            Signature::from_slice(signature).is_ok_and(|s| public.verify(message, &s).is_ok())
        }
        PublicKey::P256(point) => es256(point, message, signature).is_some(),
        PublicKey::Rsa { modulus, exponent } => {
            let jwk = JsonWebKey::Rsa {
                modulus: Cow::Borrowed(modulus),
                public_exponent: Cow::Borrowed(exponent),
                private_parts: None,
            };
            let Ok(key) = RsaPublicKey::try_from(&jwk) else { return false };
            let signature = RsaSignature::try_from_slice(signature);
            signature.is_ok_and(|s| Rsa::rs256().verify_signature(&s, &key, message))
        }
    }
}

/// `r` and `s` in 32 bytes each, RFC 7518 section 3.4.
fn es256(point: &[u8; 64], message: &[u8], signature: &[u8]) -> Option<()> {
    let (x, y) = point.split_at(32);
    let (x, y) = (FieldBytes::clone_from_slice(x), FieldBytes::clone_from_slice(y));
    let point = EncodedPoint::from_affine_coordinates(&x, &y, false);
    let key = VerifyingKey::from_encoded_point(&point).ok()?;
    let signature = p256::ecdsa::Signature::from_slice(signature).ok()?;
    key.verify(message, &signature).ok()
}

/// Sign as RFC 8032 has it, without random noise: the same message gives the same signature.
pub fn sign(key: &PrivateKey, message: &[u8]) -> Vec<u8> {
    KeyPair::from_seed(Seed::new(key.seed)).sk.sign(message, None).to_vec()
}
