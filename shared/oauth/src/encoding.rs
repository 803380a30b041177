//! base64 and base64url, RFC 4648 sections 4 and 5, and nothing else of what the usual crate can do, which
//! was a hundredth of every function.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// base64url without padding.
pub fn base64url(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for sextet in 0..=group.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * sextet)) as usize % 64]));
        }
    }
    text
}

/// The bytes of unpadded base64url; `None` if the text is anything else, such as another spelling of the
/// same bytes.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    decode(text, b'-', b'_')
}

/// The bytes of padded base64; `None` if the text is anything else.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let bare = text.strip_suffix("==").or(text.strip_suffix('=')).unwrap_or(text);
    if text.len().is_multiple_of(4) { decode(bare, b'+', b'/') } else { None }
}

fn decode(text: &str, plus: u8, slash: u8) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0;
        for letter in group {
            let sextet = match *letter {
                letter @ b'A'..=b'Z' => letter - b'A',
                letter @ b'a'..=b'z' => letter - b'a' + 26,
                letter @ b'0'..=b'9' => letter - b'0' + 52,
                letter if letter == plus => 62,
                letter if letter == slash => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(sextet);
        }
        let whole = (bits << (6 * (4 - group.len()))).to_be_bytes();
        // One letter is less than a byte.
        let (used, unused) = whole[1..].split_at(group.len().checked_sub(1).filter(|n| *n > 0)?);
        if unused.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(used);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_vectors_of_the_rfc() {
        for (bytes, padded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let bare = padded.trim_end_matches('=');
            assert_eq!(base64url(bytes.as_bytes()), bare);
            assert_eq!(from_base64url(bare).as_deref(), Some(bytes.as_bytes()));
            assert_eq!(from_base64(padded).as_deref(), Some(bytes.as_bytes()));
        }
    }

    #[test]
    fn one_text_stands_for_the_same_bytes() {
        for text in ["Zg==", "Zh", "Zm9", "Z", "Zm9vZ", "Zg\n", " Zg", "Zm9+", "Zm9/", "é", "Zm9v="]
        {
            assert_eq!(from_base64url(text), None, "{text}");
        }
        for text in ["Zg", "Zg=", "Zh==", "Zm9=", "=", "==", "===", "====", "Zm9-", "Zm9_", "Z==="]
        {
            assert_eq!(from_base64(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn bytes_are_written_and_read_as_everybody_does(
            bytes in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let text = base64url(&bytes);
            prop_assert_eq!(&text, &URL_SAFE_NO_PAD.encode(&bytes));
            prop_assert_eq!(from_base64(&STANDARD.encode(&bytes)), Some(bytes.clone()));
            prop_assert_eq!(from_base64url(&text), Some(bytes));
        }

        #[test]
        fn texts_are_read_as_everybody_does(
            letters in "[A-Za-z0-9+/_=-]{0,12}",
            any in "\\PC{0,12}",
        ) {
            for text in [letters, any] {
                prop_assert_eq!(from_base64url(&text), URL_SAFE_NO_PAD.decode(&text).ok());
                prop_assert_eq!(from_base64(&text), STANDARD.decode(&text).ok());
            }
        }
    }
}
