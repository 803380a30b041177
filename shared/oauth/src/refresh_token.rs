//! The refresh token: `ar1_` and base64url of
//!
//! | bytes | what |
//! |---|---|
//! | 1 | format, 1 |
//! | 1 | key id |
//! | 16 | ledger address |
//! | 16 | session id |
//! | 2 | generation, big endian |
//! | 4 | counter, big endian |
//! | 16 | MAC |
//!
//! The MAC is HMAC-SHA256, cut to 128 bits, over label, issuer and all bytes before it, under a key
//! that is derived for the session and generation. It is checked before any ledger is touched, so
//! what is not ours costs nothing. Nothing secret is stored anywhere: a token can be minted again
//! from the same fields, which is how parallel refreshes converge.

use ledger::{Address, SessionId};
use subtle::ConstantTimeEq;

use crate::keys::{KeyRing, mac};
use crate::{base64url, from_base64url};

/// What a refresh token says, once its MAC has been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    /// The key that minted it.
    pub key_id: u8,
    /// Where its ledger lives.
    pub address: Address,
    /// Its session.
    pub session: SessionId,
    /// Its generation.
    pub generation: u16,
    /// Its counter.
    pub counter: u32,
}

/// Not a refresh token of this deployment: malformed, forged, or of a retired key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a refresh token of this deployment")]
pub struct InvalidRefreshToken;

const PREFIX: &str = "ar1_";
const FORMAT: u8 = 1;
const FIELDS: usize = 1 + 1 + 16 + 16 + 2 + 4;
const MAC: usize = 16;

impl RefreshToken {
    /// Whether a text claims to be a refresh token; its MAC decides whether it is one.
    pub fn resembles(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// The token's text; `None` if its key is not in the ring.
    pub fn encode(&self, issuer: &str, keys: &KeyRing) -> Option<String> {
        let fields = self.fields();
        let tag = self.tag(issuer, keys, &fields)?;
        let mut bytes = fields.to_vec();
        bytes.extend_from_slice(&tag);
        Some(format!("{PREFIX}{}", base64url(&bytes)))
    }

    /// Read a token and check its MAC, in constant time.
    ///
    /// # Errors
    /// One for everything: the caller must not tell a forger how close it came.
    pub fn decode(text: &str, issuer: &str, keys: &KeyRing) -> Result<Self, InvalidRefreshToken> {
        let bytes = text
            .strip_prefix(PREFIX)
            .and_then(from_base64url)
            .filter(|bytes| bytes.len() == FIELDS + MAC)
            .ok_or(InvalidRefreshToken)?;
        let (fields, tag) = bytes.split_at(FIELDS);
        let token = Self::from_fields(fields).ok_or(InvalidRefreshToken)?;
        let expected = token.tag(issuer, keys, fields).ok_or(InvalidRefreshToken)?;
        if bool::from(expected.ct_eq(tag)) { Ok(token) } else { Err(InvalidRefreshToken) }
    }

    fn fields(&self) -> [u8; FIELDS] {
        let mut fields = [0; FIELDS];
        fields[0] = FORMAT;
        fields[1] = self.key_id;
        fields[2..18].copy_from_slice(self.address.as_bytes());
        fields[18..34].copy_from_slice(self.session.as_bytes());
        fields[34..36].copy_from_slice(&self.generation.to_be_bytes());
        fields[36..40].copy_from_slice(&self.counter.to_be_bytes());
        fields
    }

    fn from_fields(fields: &[u8]) -> Option<Self> {
        if fields.first() != Some(&FORMAT) {
            return None;
        }
        Some(Self {
            key_id: *fields.get(1)?,
            address: Address::from_bytes(fields.get(2..18)?.try_into().ok()?),
            session: SessionId::from_bytes(fields.get(18..34)?.try_into().ok()?),
            generation: u16::from_be_bytes(fields.get(34..36)?.try_into().ok()?),
            counter: u32::from_be_bytes(fields.get(36..40)?.try_into().ok()?),
        })
    }

    fn tag(&self, issuer: &str, keys: &KeyRing, fields: &[u8]) -> Option<[u8; MAC]> {
        let generation = self.generation.to_be_bytes();
        let session_key = mac(
            keys.get(self.key_id)?,
            "atoms-edge refresh session key",
            &[self.session.as_bytes(), &generation],
        );
        let tag = mac(&session_key, "atoms-edge refresh token", &[issuer.as_bytes(), fields]);
        tag[..MAC].try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ISSUER: &str = "https://edge.example";

    fn ring() -> KeyRing {
        let key = |byte: u8| base64url(&[byte; 32]);
        KeyRing::parse(&format!("2={},1={}", key(2), key(1))).expect("a ring")
    }

    fn token() -> RefreshToken {
        RefreshToken {
            key_id: 2,
            address: Address::from_bytes([3; 16]),
            session: SessionId::from_bytes([4; 16]),
            generation: 5,
            counter: 6,
        }
    }

    fn text() -> String {
        token().encode(ISSUER, &ring()).expect("a known key")
    }

    #[test]
    fn what_is_minted_is_read() {
        assert_eq!(RefreshToken::decode(&text(), ISSUER, &ring()), Ok(token()));
        assert_eq!(text().len(), 79);
        assert!(text().starts_with("ar1_"));
    }

    #[test]
    fn another_issuer_and_a_retired_key_are_refused() {
        assert!(RefreshToken::decode(&text(), "https://other.example", &ring()).is_err());
        let retired = KeyRing::parse(&format!("3={}", base64url(&[2; 32]))).expect("a ring");
        assert!(RefreshToken::decode(&text(), ISSUER, &retired).is_err());
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = from_base64url(&text()[PREFIX.len()..]).expect("base64url");
        for bit in 0..bytes.len() * 8 {
            let mut forged = bytes.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let forged = format!("{PREFIX}{}", base64url(&forged));
            assert!(RefreshToken::decode(&forged, ISSUER, &ring()).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn truncated_and_extended_tokens_are_refused() {
        let text = text();
        for end in 0..text.len() {
            assert!(RefreshToken::decode(&text[..end], ISSUER, &ring()).is_err());
        }
        for extra in ["A", "=", "AAAA", " "] {
            assert!(RefreshToken::decode(&format!("{text}{extra}"), ISSUER, &ring()).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = RefreshToken::decode(&text, ISSUER, &ring());
            let _ = RefreshToken::decode(&format!("{PREFIX}{text}"), ISSUER, &ring());
        }

        #[test]
        fn all_fields_survive(key_id in 1u8..=2, address: [u8; 16], session: [u8; 16], generation: u16, counter: u32) {
            let token = RefreshToken {
                key_id,
                address: Address::from_bytes(address),
                session: SessionId::from_bytes(session),
                generation,
                counter,
            };
            let text = token.encode(ISSUER, &ring()).expect("a known key");
            prop_assert_eq!(RefreshToken::decode(&text, ISSUER, &ring()), Ok(token));
        }
    }
}
