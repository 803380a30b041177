//! Proof key for code exchange, RFC 7636, with the method `S256` alone: `plain` shows the verifier to
//! whoever reads the authorization request, which is the very reader that the proof is against
//! (RFC 9700 section 2.1.1).

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{base64url, from_base64url};

/// The one method that is served, RFC 7636 section 4.2.
pub const METHOD: &str = "S256";

/// Lengths of a verifier, RFC 7636 section 4.1.
const VERIFIER: std::ops::RangeInclusive<usize> = 43..=128;

/// Whether a text can be a challenge of `S256`: the base64url of a SHA-256 digest.
pub fn is_challenge(text: &str) -> bool {
    from_base64url(text).is_some_and(|digest| digest.len() == 32)
}

/// The challenge of a verifier, RFC 7636 section 4.2.
pub fn challenge(verifier: &str) -> String {
    base64url(&Sha256::digest(verifier.as_bytes()))
}

/// Whether a verifier is well-formed and the one of the challenge, RFC 7636 section 4.6.
pub fn verify(expected: &str, verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let formed = VERIFIER.contains(&verifier.len()) && verifier.bytes().all(unreserved);
    formed && bool::from(challenge(verifier).as_bytes().ct_eq(expected.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 7636 appendix B.
    const PAIR: (&str, &str) = (
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    );

    #[test]
    fn m8_the_pair_of_the_rfc_matches_and_no_other_does() {
        let (expected, verifier) = PAIR;
        assert!(verify(expected, verifier));
        assert!(!verify(expected, &verifier.replace('X', "Y")));
        assert!(!verify(verifier, verifier), "that would be the method plain");
        assert!(!verify("", "") && !verify(expected, "") && !verify("", verifier));
    }

    #[test]
    fn m8_a_verifier_has_the_length_and_the_letters_of_the_rfc() {
        for text in ["a".repeat(42), "a".repeat(129), "ä".repeat(30), "a ".repeat(30)] {
            assert!(!verify(&challenge(&text), &text), "{text}");
        }
        for text in ["a".repeat(43), "~._-".repeat(32)] {
            assert!(verify(&challenge(&text), &text), "{text}");
        }
    }

    #[test]
    fn m8_a_challenge_is_a_digest_in_base64url() {
        assert!(is_challenge(PAIR.0));
        let padded = format!("{}=", PAIR.0);
        let foreign = PAIR.0.replace('-', "+");
        for text in ["", "short", &padded, &foreign, &"a".repeat(42), &"a".repeat(44)] {
            assert!(!is_challenge(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_a_client_computes_is_a_challenge_of_its_verifier_alone(
            verifier in "[A-Za-z0-9._~-]{43,128}",
            other in "[A-Za-z0-9._~-]{43,128}",
        ) {
            let expected = challenge(&verifier);
            prop_assert!(is_challenge(&expected) && verify(&expected, &verifier));
            prop_assert_eq!(verify(&expected, &other), other == verifier);
        }
    }
}
