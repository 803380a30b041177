use oauth::jwk::{KeySet, first_private};
use oauth::jws::Jws;
use oauth::keys::{Derived, Master};
use ports::{PublicKey, Signatures};

use crate::workos::{AuthKitToken, FakeWorkos};

/// Signatures are made and recognised, the same on every host, and what is altered is refused
/// without an error.
pub async fn signatures(port: &impl Signatures) {
    eddsa(port).await;
    es256(port).await;
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

/// RFC 6979 appendix A.2.5.
mod rfc6979 {
    pub(super) const POINT: &str = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
                                    7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
    pub(super) const SIGNATURE: &str = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
         f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
    /// The order of the curve, FIPS 186-5.
    pub(super) const ORDER: &str =
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
}

async fn es256(port: &impl Signatures) {
    let point: [u8; 64] = hex(rfc6979::POINT).try_into().expect("a point");
    let (key, signature) = (PublicKey::P256(point), hex(rfc6979::SIGNATURE));
    assert_eq!(port.verify(&key, b"sample", &signature).await, Ok(true));
    assert_eq!(port.verify(&key, b"simple", &signature).await, Ok(false), "another message");
    for byte in [0, 31, 32, 63] {
        let mut altered = signature.clone();
        altered[byte] ^= 1;
        assert_eq!(port.verify(&key, b"sample", &altered).await, Ok(false), "byte {byte}");
    }
    for length in [0, 1, 63, 65, 70] {
        let wrong = vec![7; length];
        assert_eq!(port.verify(&key, b"sample", &wrong).await, Ok(false), "{length} bytes");
    }
    let (r, s) = signature.split_at(32);
    let (zero, order) = (vec![0; 32], hex(rfc6979::ORDER));
    for pair in [[&zero, s], [r, &zero], [&zero, &zero], [&order, s], [r, &order]] {
        let forged = port.verify(&key, b"sample", &pair.concat()).await;
        assert_eq!(forged, Ok(false), "r and s are at least one and below the order");
    }
    let mut elsewhere = point;
    elsewhere[63] ^= 1;
    for point in [elsewhere, [0; 64], [0xff; 64]] {
        let forged = port.verify(&PublicKey::P256(point), b"sample", &signature).await;
        assert_eq!(forged, Ok(false), "a point that is not on the curve");
    }
}

fn hex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    let pairs = pairs.map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
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
