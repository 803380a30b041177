//! Seals: HMACs under keys that the database does not have. Whoever can change its rows can compute
//! links anew, but no seals.

use data::audit::{CheckpointRow, EventRow, HeadRow};
use oauth::keys::{self, KeyRing};

/// Seals with the newest key of a ring, and knows the seals of all.
#[derive(Clone)]
pub struct Seals(KeyRing);

/// What is wrong with a seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealError {
    /// The ring has no key of this version.
    UnknownKey(u8),
    /// Another key has made it, or it was made for something else.
    Wrong,
}

/// What is sealed. Every row says of which version of the key its seal is.
pub trait Sealed {
    /// Names the kind of row, so that no seal is good for a row of another kind.
    const LABEL: &'static str;

    /// All of the row that matters.
    fn parts(&self) -> Vec<Vec<u8>>;

    /// The seal, as it is stored.
    fn seal(&self) -> (u8, &str);

    /// Takes a seal.
    fn set_seal(&mut self, key_id: u8, seal: String);
}

impl Seals {
    /// With these keys.
    pub const fn new(ring: KeyRing) -> Self {
        Self(ring)
    }

    /// Seals a row.
    #[must_use]
    pub fn seal<T: Sealed>(&self, mut row: T) -> T {
        let key_id = self.0.newest();
        // A ring is never empty, so it has its newest key.
        if let Some(seal) = self.compute(key_id, &row) {
            row.set_seal(key_id, seal);
        }
        row
    }

    /// Whether a row has the seal that it was given.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check<T: Sealed>(&self, row: &T) -> Result<(), SealError> {
        let (key_id, seal) = row.seal();
        let expected = self.compute(key_id, row).ok_or(SealError::UnknownKey(key_id))?;
        if keys::equal(&expected, seal) { Ok(()) } else { Err(SealError::Wrong) }
    }

    fn compute<T: Sealed>(&self, key_id: u8, row: &T) -> Option<String> {
        let parts = row.parts();
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let mac = keys::mac(self.0.get(key_id)?, T::LABEL, &parts);
        Some(ledger::Link::from_bytes(mac).to_string())
    }
}

impl Sealed for EventRow {
    const LABEL: &'static str = "atoms-edge audit event";

    /// The link stands for the event and for all before it. The subject is no part of an event, and
    /// decides who sees it.
    fn parts(&self) -> Vec<Vec<u8>> {
        let subject = self.subject.as_deref().map(|subject| format!("={subject}"));
        vec![
            self.ledger.clone().into(),
            self.number.to_be_bytes().into(),
            self.hash.clone().into(),
            subject.unwrap_or_default().into(),
        ]
    }

    fn seal(&self) -> (u8, &str) {
        (self.key_id, &self.seal)
    }

    fn set_seal(&mut self, key_id: u8, seal: String) {
        (self.key_id, self.seal) = (key_id, seal);
    }
}

impl Sealed for HeadRow {
    const LABEL: &'static str = "atoms-edge audit head";

    fn parts(&self) -> Vec<Vec<u8>> {
        vec![self.ledger.clone().into(), self.number.to_be_bytes().into(), self.hash.clone().into()]
    }

    fn seal(&self) -> (u8, &str) {
        (self.key_id, &self.seal)
    }

    fn set_seal(&mut self, key_id: u8, seal: String) {
        (self.key_id, self.seal) = (key_id, seal);
    }
}

impl Sealed for CheckpointRow {
    const LABEL: &'static str = "atoms-edge audit checkpoint";

    fn parts(&self) -> Vec<Vec<u8>> {
        vec![
            self.ledger.clone().into(),
            self.number.to_be_bytes().into(),
            self.hash.clone().into(),
            self.count.to_be_bytes().into(),
            self.at.to_be_bytes().into(),
        ]
    }

    fn seal(&self) -> (u8, &str) {
        (self.key_id, &self.seal)
    }

    fn set_seal(&mut self, key_id: u8, seal: String) {
        (self.key_id, self.seal) = (key_id, seal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seals(text: &str) -> Seals {
        let ring: Vec<_> = text
            .split(',')
            .map(|id| {
                let key = [id.parse::<u8>().expect("a version"); 32];
                format!("{id}={}", oauth::base64url(&key))
            })
            .collect();
        Seals::new(KeyRing::parse(&ring.join(",")).expect("a ring"))
    }

    fn row() -> EventRow {
        EventRow {
            hash: "ab".repeat(32),
            ledger: "cd".repeat(16),
            number: 7,
            prev: "ef".repeat(32),
            seal: String::new(),
            key_id: 0,
            subject: Some("user_1".to_owned()),
            event: "{}".to_owned(),
        }
    }

    #[test]
    fn a_seal_holds_every_part_together() {
        let seals = seals("1");
        let sealed = seals.seal(row());
        assert_eq!(seals.check(&sealed), Ok(()));
        let row = || sealed.clone();
        for changed in [
            EventRow { number: 8, ..row() },
            EventRow { hash: "ac".repeat(32), ..row() },
            EventRow { ledger: "ce".repeat(16), ..row() },
            EventRow { subject: Some("user_2".to_owned()), ..row() },
            EventRow { subject: None, ..row() },
            EventRow { seal: sealed.seal.chars().rev().collect(), ..row() },
        ] {
            assert_eq!(seals.check(&changed), Err(SealError::Wrong));
        }
        let none = seals.seal(EventRow { subject: None, ..row() });
        let empty = EventRow { subject: Some(String::new()), ..none };
        assert_eq!(seals.check(&empty), Err(SealError::Wrong));
    }

    #[test]
    fn a_seal_is_of_one_kind_of_row() {
        let seals = seals("1");
        let EventRow { ledger, number, hash, .. } = row();
        let head = HeadRow { ledger, number, hash, seal: String::new(), key_id: 0 };
        assert_ne!(seals.seal(head).seal, seals.seal(row()).seal);
    }

    #[test]
    fn the_newest_key_seals_and_the_others_still_count() {
        let old = seals("1").seal(row());
        let ring = seals("2,1");
        assert_eq!(ring.check(&old), Ok(()));
        let new = ring.seal(row());
        assert_eq!((new.key_id, ring.check(&new)), (2, Ok(())));
        assert_eq!(seals("1").check(&new), Err(SealError::UnknownKey(2)));
    }
}
