use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Hex;

/// Where a ledger lives: a keyed hash of the user (or machine client), 16 bytes, so that a token
/// finds its ledger without an index and tells nothing about the person.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address([u8; 16]);

/// A session's random name, 16 bytes; 32 lower-case hexadecimal digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId([u8; 16]);

/// A keyed hash of what a client tells of its device, 16 bytes; 32 lower-case hexadecimal digits as
/// text. Two are compared and nothing can be read from one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 16]);

/// The random name of a lease, 16 bytes; 32 lower-case hexadecimal digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseId([u8; 16]);

/// The name of something that may be used once, 16 bytes; 32 lower-case hexadecimal digits as text.
/// Whoever issues it draws it at random, or hashes what others have drawn.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OnceId([u8; 16]);

/// A link of the audit chain, 32 bytes; 64 lower-case hexadecimal digits as text. `Default` is the
/// one before the first event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Link([u8; 32]);

/// The text is not the right number of lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidId;

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an identifier is lower-case hexadecimal digits, two for each of its bytes")
    }
}

impl std::error::Error for InvalidId {}

macro_rules! hex_id {
    ($name:ident, $length:literal) => {
        impl $name {
            /// From its bytes.
            pub const fn from_bytes(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Hex(&self.0).fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_hex(text).map(Self).ok_or(InvalidId)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

hex_id!(Address, 16);
hex_id!(SessionId, 16);
hex_id!(Fingerprint, 16);
hex_id!(LeaseId, 16);
hex_id!(OnceId, 16);
hex_id!(Link, 32);

fn parse_hex<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    let text = text.as_bytes();
    if text.len() != 2 * LENGTH {
        return None;
    }
    let mut bytes = [0; LENGTH];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_agree() {
        let id = SessionId::from_bytes([0xab; 16]);
        assert_eq!(id.to_string(), "ab".repeat(16));
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in
            ["", "AB", &"AB".repeat(16), &"ab".repeat(17), &"zz".repeat(16), &"é".repeat(16)]
        {
            assert_eq!(text.parse::<SessionId>(), Err(InvalidId), "{text}");
        }
    }
}
