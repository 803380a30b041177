use std::fmt;

use ledger::{Address, Millis};
use ports::Random;

/// A place for documents that can replace one only if nobody else has replaced it meanwhile. This
/// is all that [`Cas`](crate::Cas) needs to make commands atomic.
pub trait VersionedStore {
    /// The document at `address`, as the last write left it: never an older one.
    async fn load(&self, address: &Address) -> Result<Option<Stored>, StoreError>;

    /// Store `write` if the version there is `expected`; `None` expects that nothing is there.
    /// Says whether it was. Who has got `true` will find the write after any restart.
    async fn swap(
        &self,
        address: &Address,
        expected: Option<&Version>,
        write: &Stored,
    ) -> Result<bool, StoreError>;

    /// Remove the document if the version there is `expected`. Says whether it was.
    async fn remove(&self, address: &Address, expected: &Version) -> Result<bool, StoreError>;

    /// Ledgers with work due at `now`, those that have waited longest first, at most `limit`.
    async fn due(&self, now: Millis, limit: u32) -> Result<Vec<Address>, StoreError>;
}

/// A document as a store holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The ledger as JSON. Stores do not look inside.
    pub document: String,
    /// Which write this is.
    pub version: Version,
    /// When there is work to do for this ledger, if ever.
    pub due: Option<Millis>,
}

/// The name of a write: a number that counts up, for people, and 16 random bytes. No two writes
/// ever have the same, so a document that was removed and made anew is not taken for the old one,
/// and who lost the answer to a write can tell whether it is theirs that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else is in the way; nothing has happened, and the next moment it may.
    #[error("busy: {0}")]
    Busy(String),
    /// It does not answer as it should. Whether a write has happened is unknown.
    #[error("{0}")]
    Away(String),
    /// What it holds or answers makes no sense here. Repeating will not help.
    #[error("{0}")]
    Broken(String),
}

impl Version {
    /// A version as a store holds it.
    pub const fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The text that a store holds and compares.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of a new write that replaces `held`.
    pub(crate) fn after(held: Option<&Self>, random: &impl Random) -> Self {
        let number = held.and_then(Self::number).unwrap_or(0).saturating_add(1);
        let mut bytes = [0; 16];
        random.fill(&mut bytes);
        Self(format!("{number}-{:032x}", u128::from_be_bytes(bytes)))
    }

    fn number(&self) -> Option<u64> {
        self.0.split_once('-')?.0.parse().ok()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<S: VersionedStore> VersionedStore for &S {
    async fn load(&self, address: &Address) -> Result<Option<Stored>, StoreError> {
        S::load(self, address).await
    }

    async fn swap(
        &self,
        address: &Address,
        expected: Option<&Version>,
        write: &Stored,
    ) -> Result<bool, StoreError> {
        S::swap(self, address, expected, write).await
    }

    async fn remove(&self, address: &Address, expected: &Version) -> Result<bool, StoreError> {
        S::remove(self, address, expected).await
    }

    async fn due(&self, now: Millis, limit: u32) -> Result<Vec<Address>, StoreError> {
        S::due(self, now, limit).await
    }
}

/// The address that a store has given back.
pub(crate) fn address(text: &str) -> Result<Address, StoreError> {
    text.parse().map_err(|_| StoreError::Broken("an address that is none".to_owned()))
}

/// The time that a store has given back.
pub(crate) fn time(text: &str) -> Result<Millis, StoreError> {
    text.parse().map_err(|_| StoreError::Broken("a time that is none".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[derive(Default)]
    struct Counting(Cell<u8>);

    impl Random for Counting {
        fn fill(&self, out: &mut [u8]) {
            self.0.set(self.0.get() + 1);
            out.fill(self.0.get());
        }
    }

    #[test]
    fn versions_count_up_and_are_never_the_same() {
        let random = Counting::default();
        let first = Version::after(None, &random);
        assert_eq!(first.as_str(), format!("1-{}", "01".repeat(16)));
        assert_eq!(
            Version::after(Some(&first), &random).as_str(),
            format!("2-{}", "02".repeat(16))
        );
        assert_ne!(Version::after(None, &random), first, "a document made anew");
    }

    #[test]
    fn a_version_of_somebody_else_is_replaced_all_the_same() {
        for text in ["", "x", "x-y", "18446744073709551616-0"] {
            let held = Version::from_text(text.to_owned());
            assert!(Version::after(Some(&held), &Counting::default()).as_str().starts_with("1-"));
        }
        let last = Version::from_text(format!("{}-00", u64::MAX));
        let next = Version::after(Some(&last), &Counting::default());
        assert_ne!(next, last);
    }
}
