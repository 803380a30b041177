use oauth::base64url;
use oauth::jwk::{PrivateKey, PublicKey};
use oauth::software;
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer as _;
use ports::Millis;
use serde_json::{Value, json};

/// A key of a client that proves to hold it, RFC 9449: of one kind or the other, named after a number.
pub enum ProofKey {
    /// For `ES256`, deterministically (RFC 6979).
    P256(Box<SigningKey>),
    /// For `EdDSA`.
    Ed25519(PrivateKey),
}

impl ProofKey {
    /// A key for `ES256`.
    ///
    /// # Panics
    /// If the number is zero, which is no key.
    pub fn es256(number: u8) -> Self {
        let mut scalar = [0; 32];
        scalar[31] = number;
        Self::P256(Box::new(SigningKey::from_slice(&scalar).expect("a scalar that is not zero")))
    }

    /// A key for `EdDSA`.
    pub fn eddsa(number: u8) -> Self {
        let seed = [number; 32];
        let pair = ed25519_compact::KeyPair::from_seed(ed25519_compact::Seed::new(seed));
        Self::Ed25519(PrivateKey { seed, public: *pair.pk })
    }

    /// Its public half.
    ///
    /// # Panics
    /// Never: the point of a key has two coordinates.
    pub fn public(&self) -> PublicKey {
        match self {
            Self::P256(key) => {
                let point = key.verifying_key().to_encoded_point(false);
                PublicKey::P256(point.as_bytes()[1..].try_into().expect("two coordinates"))
            }
            Self::Ed25519(key) => PublicKey::Ed25519(key.public),
        }
    }

    /// Its name in tokens.
    pub fn thumbprint(&self) -> String {
        self.public().thumbprint()
    }

    /// Its public half as a JWK.
    pub fn jwk(&self) -> Value {
        match self.public() {
            PublicKey::P256(point) => {
                let (x, y) = point.split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y) })
            }
            PublicKey::Ed25519(x) => json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url(&x) }),
            PublicKey::Rsa { .. } => Value::Null,
        }
    }

    /// The header of its proofs.
    pub fn header(&self) -> Value {
        let alg = if matches!(self, Self::P256(_)) { "ES256" } else { "EdDSA" };
        json!({ "typ": "dpop+jwt", "alg": alg, "jwk": self.jwk() })
    }

    /// A proof with the usual header.
    pub fn proof(&self, claims: &Value) -> String {
        self.sign(&self.header(), claims)
    }

    /// A JWT with whatever header and claims.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| base64url(value.to_string().as_bytes());
        let input = format!("{}.{}", part(header), part(claims));
        let signature = match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(input.as_bytes());
                signature.to_bytes().to_vec()
            }
            Self::Ed25519(key) => software::sign(key, input.as_bytes()),
        };
        format!("{input}.{}", base64url(&signature))
    }
}

/// The claims of a proof for a request, whose `jti` no other one has.
pub fn proof_claims(method: &str, url: &str, now: Millis, nonce: &str) -> Value {
    use std::sync::atomic::{AtomicU64, Ordering};
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    let jti = format!("{now}-{}", DRAWN.fetch_add(1, Ordering::Relaxed));
    json!({ "jti": jti, "htm": method, "htu": url, "iat": now / 1000, "nonce": nonce })
}
