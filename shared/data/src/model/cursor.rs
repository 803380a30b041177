//! Where a list goes on: after the row with this place and key. A cursor is of one list with one
//! filter, and says so; what was not issued for it is refused. It opens nothing, so it needs no
//! secret: the values are bound, and row-level security judges whatever they lead to.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Error;

const FORMAT: u8 = 1;
/// Of the digest.
const SEAL: usize = 6;
const HEAD: usize = 1 + SEAL + 16;
/// The longest place is a hundred characters.
const MOST: usize = 800;

/// A place in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// By what the list is sorted; empty if by the key alone.
    pub(crate) place: String,
    /// The key.
    pub(crate) id: String,
}

/// The cursor to `position` in the list that `scope` describes.
pub(crate) fn encode(scope: &str, position: &Position) -> Result<String, Error> {
    let id = Uuid::try_parse(&position.id).map_err(Error::internal)?;
    let mut bytes = vec![FORMAT];
    bytes.extend(seal(scope, id.as_bytes(), &position.place));
    bytes.extend(id.as_bytes());
    bytes.extend(position.place.as_bytes());
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The position of a cursor of ours.
pub(crate) fn decode(scope: &str, cursor: &str) -> Result<Position, Error> {
    open(scope, cursor)
        .ok_or_else(|| Error::invalid("cursor", "is not one that this list has answered with"))
}

fn open(scope: &str, cursor: &str) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(Some(cursor).filter(|cursor| cursor.len() <= MOST)?).ok()?;
    let (head, place) = bytes.split_at_checked(HEAD)?;
    let id = Uuid::from_slice(&head[1 + SEAL..]).ok()?;
    let place = std::str::from_utf8(place).ok()?;
    let sealed = head[0] == FORMAT && head[1..=SEAL] == seal(scope, id.as_bytes(), place);
    sealed.then(|| Position { place: place.to_owned(), id: id.to_string() })
}

fn seal(scope: &str, id: &[u8; 16], place: &str) -> [u8; SEAL] {
    let length = (scope.len() as u64).to_be_bytes();
    let digest = Sha256::new()
        .chain_update(length)
        .chain_update(scope)
        .chain_update(id)
        .chain_update(place)
        .finalize();
    let mut seal = [0; SEAL];
    seal.copy_from_slice(&digest[..SEAL]);
    seal
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn position() -> impl Strategy<Value = Position> {
        ("\\PC{0,100}", any::<u128>())
            .prop_map(|(place, id)| Position { place, id: Uuid::from_u128(id).to_string() })
    }

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_position(scope in "\\PC{0,40}", at in position()) {
            let cursor = encode(&scope, &at).unwrap();
            prop_assert!(cursor.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert_eq!(decode(&scope, &cursor).unwrap(), at);
        }

        #[test]
        fn a_cursor_is_of_one_list(scope in "[a-c]{0,3}", other in "[a-c]{0,3}", at in position()) {
            prop_assume!(scope != other);
            prop_assert!(decode(&other, &encode(&scope, &at).unwrap()).is_err());
        }

        #[test]
        fn a_changed_cursor_is_refused(at in position(), which in any::<prop::sample::Index>(), bit in 0u8..8) {
            let cursor = encode("list", &at).unwrap();
            let mut bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
            let which = which.index(bytes.len());
            bytes[which] ^= 1 << bit;
            prop_assert!(decode("list", &URL_SAFE_NO_PAD.encode(bytes)).is_err());
        }

        #[test]
        fn what_strangers_send_is_refused(text in "\\PC{0,900}") {
            let refused = decode("list", &text);
            let of_cursor = matches!(refused, Err(Error::Invalid { field: "cursor", .. }));
            prop_assert!(of_cursor);
        }
    }
}
