//! Creations that happen once although they are asked for twice. The new key itself remembers: its
//! first 48 bits are the time, as in every UUID of version 7 (RFC 9562), and what is random in others
//! is a digest of the idempotency key and of the request. Whoever comes with the same key within a day
//! finds it; two at the same time wait for each other.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Error, Idempotency, check};

/// For how long a key is remembered.
const MEMORY: u64 = 24 * 60 * 60 * 1000;

/// What a creation needs to happen once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Once {
    /// The key of what is to be created.
    pub(crate) id: String,
    /// The characters of the key from the 15th that all with this idempotency key have: 42 bits.
    pub(crate) mark: String,
    /// Its last characters: of the request.
    pub(crate) request: String,
    /// Keys from here on are within the memory.
    pub(crate) since: String,
    /// For an advisory lock.
    pub(crate) lock: i64,
}

/// `id` is new, of version 7, and says the time; `owner` says whose the idempotency key is and for
/// what.
pub(crate) fn once(id: &str, owner: &[&str], asked: &Idempotency) -> Result<Once, Error> {
    check::line(&asked.key, 200, "idempotency_key")?;
    let time = Uuid::try_parse(id).map_err(Error::internal)?.as_u128() >> 80;
    let mut digest = Sha256::new();
    for part in owner.iter().chain([&asked.key.as_str()]) {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let key = digest.finalize();
    let request = Sha256::digest(&asked.digest);
    let random = (u128::from(u64::from_be_bytes(first(&key))) << 32)
        | u128::from(u32::from_be_bytes(first(&request)));
    let id = versioned(time << 80 | random & ((1 << 80) - 1));
    let since = versioned(time.saturating_sub(u128::from(MEMORY)) << 80);
    Ok(Once {
        mark: id[14..28].to_owned(),
        request: id[28..].to_owned(),
        lock: i64::from_be_bytes(first(&key)),
        id,
        since,
    })
}

impl Once {
    /// Whether the key that was found is of the same request.
    pub(crate) fn same(&self, found: &str) -> bool {
        found.get(28..) == Some(self.request.as_str())
    }
}

fn first<const N: usize>(digest: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&digest[..N]);
    bytes
}

/// With the bits of version 7 and of the variant.
fn versioned(bits: u128) -> String {
    let bits = bits & !(0xf << 76) | 0x7 << 76;
    let bits = bits & !(0x3 << 62) | 0x2 << 62;
    Uuid::from_u128(bits).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0190b3a0-1234-7fff-bfff-ffffffffffff";
    const LATER: &str = "0190b3a0-9999-7000-8000-000000000000";

    fn asked(key: &str, digest: &str) -> Idempotency {
        Idempotency { key: key.to_owned(), digest: digest.to_owned() }
    }

    #[test]
    fn the_new_key_says_the_time_and_what_was_asked() {
        let one = once(ID, &["org", "user", "task"], &asked("k", "d")).unwrap();
        assert_eq!(&one.id[..15], "0190b3a0-1234-7");
        assert!(check::new_uuid(&one.id, "id").is_ok());
        assert!(one.since < one.id);
        let time = |id: &str| Uuid::try_parse(id).unwrap().as_u128() >> 80;
        assert_eq!(time(&one.id) - time(&one.since), u128::from(MEMORY));

        let again = once(LATER, &["org", "user", "task"], &asked("k", "d")).unwrap();
        assert_ne!(one.id, again.id);
        assert_eq!((&one.mark, one.lock), (&again.mark, again.lock));
        assert!(again.same(&one.id));
    }

    #[test]
    fn another_request_owner_or_key_is_another() {
        let one = once(ID, &["org", "user", "task"], &asked("k", "d")).unwrap();
        let reused = once(ID, &["org", "user", "task"], &asked("k", "e")).unwrap();
        assert_eq!(one.mark, reused.mark);
        assert!(!reused.same(&one.id));
        for other in [
            once(ID, &["org", "user", "document"], &asked("k", "d")).unwrap(),
            once(ID, &["orgu", "ser", "task"], &asked("k", "d")).unwrap(),
            once(ID, &["org", "user", "task"], &asked("l", "d")).unwrap(),
        ] {
            assert_ne!(one.mark, other.mark);
        }
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        for bad in ["", " ", "a\0", &"x".repeat(201)] {
            let refused = once(ID, &[], &asked(bad, "d"));
            assert!(matches!(refused, Err(Error::Invalid { field: "idempotency_key", .. })));
        }
    }
}
