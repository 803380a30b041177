//! Secrets of others that we keep: sealed by XChaCha20-Poly1305, so that a store, its backups and
//! whoever reads along hold nothing of use. What is sealed is bound to where it belongs: in another
//! place it does not open.
//!
//! The text is base64url of
//!
//! | bytes | what |
//! |---|---|
//! | 1 | format, 1 |
//! | 1 | key id |
//! | 24 | nonce, drawn at random: long enough that two never meet |
//! | … | ciphertext |
//! | 16 | tag |
//!
//! The associated data are format and key id, a label, and each part of the place preceded by its
//! length.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};

use crate::keys::KeyRing;
use crate::{base64url, from_base64url};

const FORMAT: u8 = 1;
const NONCE: usize = 24;
const HEADER: usize = 2;

/// Bytes of a nonce, to be filled with unpredictable ones for each seal.
pub type Nonce = [u8; NONCE];

/// Seals a secret for a place, under the newest key; `None` if the ring is empty.
pub fn seal(
    keys: &KeyRing,
    label: &str,
    place: &[&[u8]],
    nonce: &Nonce,
    secret: &[u8],
) -> Option<String> {
    let header = [FORMAT, keys.newest()];
    let cipher = XChaCha20Poly1305::new(keys.get(keys.newest())?.into());
    let aad = associated(header, label, place);
    let payload = Payload { msg: secret, aad: &aad };
    let sealed = cipher.encrypt(XNonce::from_slice(nonce), payload).ok()?;
    Some(base64url(&[&header, nonce.as_slice(), &sealed].concat()))
}

/// Opens what was sealed for this place; `None` for everything else: another place, another key, or
/// a single bit that differs.
pub fn open(keys: &KeyRing, label: &str, place: &[&[u8]], sealed: &str) -> Option<Vec<u8>> {
    let bytes = from_base64url(sealed)?;
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>()?;
    let [FORMAT, key_id] = *header else { return None };
    let cipher = XChaCha20Poly1305::new(keys.get(key_id)?.into());
    let aad = associated(*header, label, place);
    let payload = Payload { msg: ciphertext, aad: &aad };
    cipher.decrypt(XNonce::from_slice(nonce), payload).ok()
}

fn associated(header: [u8; HEADER], label: &str, place: &[&[u8]]) -> Vec<u8> {
    let mut data = header.to_vec();
    for part in [label.as_bytes()].iter().chain(place) {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part);
    }
    data
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACE: &[&[u8]] = &[b"address", b"session"];

    fn ring(ids: &[u8]) -> KeyRing {
        let keys = ids.iter().map(|id| format!("{id}={}", base64url(&[*id; 32])));
        KeyRing::parse(&keys.collect::<Vec<_>>().join(",")).expect("a ring")
    }

    fn sealed(secret: &[u8]) -> String {
        seal(&ring(&[1]), "label", PLACE, &[7; NONCE], secret).expect("sealed")
    }

    fn opened(keys: &KeyRing, text: &str) -> Option<Vec<u8>> {
        open(keys, "label", PLACE, text)
    }

    #[test]
    fn the_cipher_is_the_one_of_the_draft() {
        // draft-irtf-cfrg-xchacha-03, appendix A.3.1.
        let key: Vec<u8> = (0x80..=0x9f).collect();
        let nonce: Vec<u8> = (0x40..=0x57).collect();
        let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let msg = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip \
            for the future, sunscreen would be it.";
        let cipher = XChaCha20Poly1305::new_from_slice(&key).expect("a key");
        let payload = Payload { msg: msg.as_slice(), aad: &aad };
        let sealed = cipher.encrypt(XNonce::from_slice(&nonce), payload).expect("sealed");
        let tag = [
            0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7, 0x98, 0x79, 0x47, 0xde, 0xaf, 0xd8, 0x78, 0x0a,
            0xcf, 0x49,
        ];
        assert!(sealed.starts_with(&[0xbd, 0x6d, 0x17, 0x9d, 0x3e, 0x83, 0xd4, 0x3b]));
        assert!(sealed.ends_with(&tag));
    }

    #[test]
    fn an_older_key_still_opens_and_the_newest_seals() {
        let old = sealed(b"secret");
        let both = ring(&[2, 1]);
        assert_eq!(opened(&both, &old).as_deref(), Some(b"secret".as_slice()));
        let new = seal(&both, "label", PLACE, &[7; NONCE], b"secret").expect("sealed");
        assert_eq!(opened(&ring(&[1]), &new), None);
        assert_eq!(opened(&ring(&[2]), &new).as_deref(), Some(b"secret".as_slice()));
        assert_eq!(opened(&ring(&[2]), &old), None);
    }

    #[test]
    fn a_key_does_not_open_what_is_said_to_be_sealed_by_it() {
        let mut bytes = from_base64url(&sealed(b"secret")).expect("base64url");
        bytes[1] = 2;
        // Even if both versions were the same key.
        let same = format!("1={0},2={0}", base64url(&[1; 32]));
        let same = KeyRing::parse(&same).expect("a ring");
        assert_eq!(opened(&same, &base64url(&bytes)), None);
    }

    #[test]
    fn texts_of_other_kinds_are_refused() {
        for text in ["", "AQ", "AQE", "é", &"A".repeat(200), &"!".repeat(80)] {
            assert_eq!(opened(&ring(&[1]), text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_in_its_place(
            secret in prop::collection::vec(any::<u8>(), 0..200),
            nonce in any::<Nonce>(),
        ) {
            let text = seal(&ring(&[1]), "label", PLACE, &nonce, &secret).expect("sealed");
            prop_assert_eq!(opened(&ring(&[1]), &text), Some(secret));
        }

        #[test]
        fn no_bit_can_be_changed(
            secret in prop::collection::vec(any::<u8>(), 0..60),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let mut bytes = from_base64url(&sealed(&secret)).expect("base64url");
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(opened(&ring(&[1, 0, 3, 5, 9]), &base64url(&bytes)), None);
        }

        #[test]
        fn it_opens_in_no_other_place(
            label in "[a-z]{0,6}",
            place in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..4),
        ) {
            let parts: Vec<&[u8]> = place.iter().map(Vec::as_slice).collect();
            prop_assume!(label != "label" || parts != PLACE);
            prop_assert_eq!(open(&ring(&[1]), &label, &parts, &sealed(b"secret")), None);
        }
    }

    #[test]
    fn parts_of_a_place_are_framed() {
        let moved: &[&[u8]] = &[b"addresss", b"ession"];
        assert_eq!(open(&ring(&[1]), "label", moved, &sealed(b"secret")), None);
    }
}
