//! The nonces that proofs of possession must carry, RFC 9449 sections 8 and 9.
//!
//! A nonce is the minute in which it was handed out, with a MAC. Nothing is stored, every instance
//! knows those of the others, and whoever could sign with a stranger's key for a moment cannot have
//! signed proofs for later. It is no secret and may be used more than once: that a proof is not, is for
//! its `jti`.

use ledger::Millis;
use subtle::ConstantTimeEq;

use crate::keys::{KeyRing, mac};
use crate::{base64url, from_base64url};

const MINUTE: Millis = 60_000;
/// For so many minutes after the one of its making a nonce is taken.
const LIFETIME: u64 = 5;
const MAC: usize = 16;

/// The nonce of this minute; `None` if the ring has no key.
pub fn current(keys: &KeyRing, now: Millis) -> Option<String> {
    make(keys, keys.newest(), now / MINUTE)
}

/// Whether it is a nonce of ours that is recent enough. One of the next minute may come from an
/// instance whose clock is ahead.
pub fn is_recent(keys: &KeyRing, text: &str, now: Millis) -> bool {
    let Some(bytes) = from_base64url(text) else { return false };
    let Some(([id, minute @ ..], _)) = bytes.split_first_chunk::<9>() else { return false };
    let (made, current) = (u64::from_be_bytes(*minute), now / MINUTE);
    let recent = made <= current.saturating_add(1) && current <= made.saturating_add(LIFETIME);
    let genuine = make(keys, *id, made);
    recent && genuine.is_some_and(|genuine| genuine.as_bytes().ct_eq(text.as_bytes()).into())
}

fn make(keys: &KeyRing, id: u8, minute: u64) -> Option<String> {
    let minute = minute.to_be_bytes();
    let mac = mac(keys.get(id)?, "atoms-edge dpop nonce", &[&minute]);
    Some(base64url(&[&[id], minute.as_slice(), &mac[..MAC]].concat()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Millis = 1_780_000_000_000;

    fn ring(ids: &[u8]) -> KeyRing {
        let keys = ids.iter().map(|id| format!("{id}={}", base64url(&[*id; 32])));
        KeyRing::parse(&keys.collect::<Vec<_>>().join(",")).expect("a ring")
    }

    #[test]
    fn a_nonce_is_good_for_five_minutes_and_not_for_seven() {
        let keys = ring(&[1]);
        let nonce = current(&keys, NOW).expect("a key");
        assert_eq!(current(&keys, NOW / MINUTE * MINUTE), Some(nonce.clone()), "one in a minute");
        for later in [0, MINUTE, 5 * MINUTE] {
            assert!(is_recent(&keys, &nonce, NOW + later), "{later}");
            assert!(is_recent(&keys, &nonce, NOW + later), "it may be used more than once");
        }
        for later in [6 * MINUTE, 7 * MINUTE, 365 * 24 * 60 * MINUTE] {
            assert!(!is_recent(&keys, &nonce, NOW + later), "{later}");
        }
        assert!(is_recent(&keys, &nonce, NOW - MINUTE), "of an instance whose clock is ahead");
        assert!(!is_recent(&keys, &nonce, NOW - 2 * MINUTE), "of the future");
    }

    #[test]
    fn the_newest_key_makes_and_every_key_recognises() {
        let (old, both) = (ring(&[1]), ring(&[2, 1]));
        let nonce = current(&old, NOW).expect("a key");
        assert!(is_recent(&both, &nonce, NOW));
        assert_ne!(current(&both, NOW), Some(nonce.clone()));
        assert!(!is_recent(&old, &current(&both, NOW).expect("a key"), NOW));
        assert!(!is_recent(&ring(&[2]), &nonce, NOW));
    }

    #[test]
    fn texts_of_other_kinds_are_none() {
        for text in ["", "AQ", "é", "nonce", &"A".repeat(33), &"A".repeat(34), &"A".repeat(4000)] {
            assert!(!is_recent(&ring(&[1]), text, NOW), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bit_can_be_changed_and_no_text_makes_it_panic(
            at in any::<prop::sample::Index>(),
            bit in 0..8_u8,
            text in "\\PC*",
        ) {
            let keys = ring(&[1, 0, 3, 5, 9]);
            let mut bytes = from_base64url(&current(&keys, NOW).expect("a key")).expect("base64url");
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(!is_recent(&keys, &base64url(&bytes), NOW));
            prop_assert!(!is_recent(&keys, &text, NOW));
        }
    }
}
