use oauth::jwk::{KeySet, first_private};
use oauth::jws::Jws;
use oauth::keys::{Derived, Master};
use ports::{PublicKey, Signatures};

use crate::workos::{AuthKitToken, FakeWorkos};

/// Signatures are made and recognised, the same on every host, and what is altered is refused
/// without an error.
pub async fn signatures(port: &impl Signatures) {
    eddsa(port).await;
    rs256(port).await;
}

async fn eddsa(port: &impl Signatures) {
    let derived = Derived::from_masters(&[Master { id: 1, secret: [9; 32] }]).expect("derived");
    let (kid, private) = first_private(derived.get("SIGNING_KEYS").expect("set")).expect("a key");
    let set = derived.get("PUBLIC_KEYS").expect("set");
    let set = KeySet::parse_ed25519(set.as_bytes()).expect("a set");
    let public = set.get(&kid).expect("its public half");
    let signature = port.sign(&private, b"message").await.expect("signed");
    assert_eq!(signature, oauth::software::sign(&private, b"message"), "as RFC 8032 has it");
    assert_eq!(port.sign(&private, b"message").await.as_ref(), Ok(&signature), "repeatable");
    assert_eq!(port.verify(public, b"message", &signature).await, Ok(true));
    assert_eq!(port.verify(public, b"massage", &signature).await, Ok(false), "another message");
    let other = PublicKey::Ed25519([0x58; 32]);
    assert_eq!(port.verify(&other, b"message", &signature).await, Ok(false), "another key");
    for length in [0, 1, 63, 65] {
        let wrong = vec![7; length];
        assert_eq!(port.verify(public, b"message", &wrong).await, Ok(false), "{length} bytes");
    }
    for byte in [0, 31, 32, 63] {
        let mut altered = signature.clone();
        altered[byte] ^= 1;
        assert_eq!(port.verify(public, b"message", &altered).await, Ok(false), "byte {byte}");
    }
}

async fn rs256(port: &impl Signatures) {
    let workos = FakeWorkos::new();
    let text = workos.sign(&AuthKitToken::of("ada", "s", crate::NOW));
    let jws = Jws::parse(&text).expect("a JWS");
    let set = workos.answer(&http::Request::new(bytes::Bytes::new()));
    let set = KeySet::parse(set.body()).expect("a set");
    let key = set.get(FakeWorkos::KID).expect("its key");
    let message = jws.signing_input.as_bytes();
    assert_eq!(port.verify(key, message, &jws.signature).await, Ok(true));
    assert_eq!(port.verify(key, b"message", &jws.signature).await, Ok(false), "another message");
    let mut altered = jws.signature.clone();
    altered[0] ^= 1;
    assert_eq!(port.verify(key, message, &altered).await, Ok(false), "altered");
    assert_eq!(port.verify(key, message, b"").await, Ok(false), "empty");
}
