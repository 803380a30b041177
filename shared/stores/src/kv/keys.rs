//! What the keys of a ledger are called. The kind comes before the address, so that what is pending
//! of all ledgers can be listed.

use ledger::{Address, Link, OnceId, SessionId};
use sha2::{Digest, Sha256};

use super::scope::SignIn;

/// Of the events of all ledgers.
pub(super) const EVENTS: &str = "ledger/e/";

/// Of the announcements of all ledgers.
pub(super) const WEBHOOKS: &str = "ledger/n/";

/// The keys of one ledger.
pub(super) struct Keys {
    address: Address,
}

impl Keys {
    pub(super) const fn of(address: Address) -> Self {
        Self { address }
    }

    /// A session, which lives as far as this key knows.
    pub(super) fn session(&self, session: SessionId) -> String {
        format!("{}{session}", self.sessions())
    }

    /// All of them.
    pub(super) fn sessions(&self) -> String {
        self.kind('s')
    }

    /// The end of a session.
    pub(super) fn tombstone(&self, session: SessionId) -> String {
        format!("{}{session}", self.tombstones())
    }

    /// All of them.
    pub(super) fn tombstones(&self) -> String {
        self.kind('t')
    }

    /// The use of a session between its rotations.
    pub(super) fn trace(&self, session: SessionId) -> String {
        format!("{}{session}", self.kind('l'))
    }

    /// A revoked access token. Its name may be of any length; that of a key may not.
    pub(super) fn token(&self, jti: &str) -> String {
        format!("{}{}", self.kind('j'), SessionId::from_bytes(digest(&[jti.as_bytes()])))
    }

    /// The sessions of an upstream sign-in.
    pub(super) fn sign_in(&self, client_id: &str, external_id: &str) -> String {
        let hash = digest(&[client_id.as_bytes(), external_id.as_bytes()]);
        format!("{}{}", self.kind('x'), SessionId::from_bytes(hash))
    }

    /// The last end of all sessions.
    pub(super) fn purge(&self) -> String {
        self.kind('a')
    }

    /// The ends of all sessions but one, or of one sign-in.
    pub(super) fn purges_of_some(&self) -> String {
        self.kind('b')
    }

    /// What was spent of the rate limits.
    pub(super) fn windows(&self) -> String {
        self.kind('w')
    }

    /// Since when a session has not been found that a token of ours speaks of.
    pub(super) fn missing(&self, session: SessionId) -> String {
        format!("{}{session}", self.kind('u'))
    }

    /// Something that was used up.
    pub(super) fn used(&self, once: OnceId) -> String {
        format!("{}{once}", self.kind('c'))
    }

    /// An event. The order of keys is that of the numbers.
    pub(super) fn event(&self, id: u64) -> String {
        format!("{}{id:016x}", self.events())
    }

    /// All of them.
    pub(super) fn events(&self) -> String {
        self.kind('e')
    }

    /// The grant at the identity provider that a session holds.
    pub(super) fn upstream(&self, session: SessionId) -> String {
        format!("{}{session}", self.kind('g'))
    }

    /// An announcement.
    pub(super) fn webhook(&self, id: Link) -> String {
        format!("{}{id}", self.webhooks())
    }

    /// All of them.
    pub(super) fn webhooks(&self) -> String {
        self.kind('n')
    }

    /// The name for the session that a proof of an upstream sign-in starts: whoever starts it at
    /// the same time, starts the same one.
    pub(super) fn name_of(&self, sign_in: &SignIn) -> SessionId {
        SessionId::from_bytes(digest(&[
            b"atoms-edge session of a sign-in",
            self.address.as_bytes(),
            sign_in.client_id.as_bytes(),
            sign_in.external_id.as_bytes(),
            &sign_in.authenticated_at.to_be_bytes(),
        ]))
    }

    /// The name for the session that an authorization code starts: whoever redeems it at the same time,
    /// elsewhere, gets no session of his own.
    pub(super) fn name_of_code(&self, code: OnceId) -> SessionId {
        let label = b"atoms-edge session of a code";
        SessionId::from_bytes(digest(&[label, self.address.as_bytes(), code.as_bytes()]))
    }

    fn kind(&self, kind: char) -> String {
        format!("ledger/{kind}/{}/", self.address)
    }
}

/// The number of an event in its key.
pub(super) fn event_id(key: &str) -> Option<u64> {
    u64::from_str_radix(key.rsplit('/').next()?, 16).ok()
}

/// The session that a key is of.
pub(super) fn session_id(key: &str) -> Option<SessionId> {
    key.rsplit('/').next()?.parse().ok()
}

/// The ledger that a key is of.
pub(super) fn address(key: &str) -> Option<Address> {
    key.split('/').nth(2)?.parse().ok()
}

/// A hash of parts, each told apart from the next by its length.
pub(super) fn digest(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut cut = [0; 16];
    cut.copy_from_slice(&hash.finalize()[..16]);
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: Keys = Keys::of(Address::from_bytes([1; 16]));

    #[test]
    fn what_was_put_into_a_key_is_read_from_it() {
        let session = SessionId::from_bytes([2; 16]);
        assert_eq!(session_id(&KEYS.session(session)), Some(session));
        assert_eq!(session_id(&KEYS.tombstone(session)), Some(session));
        let event = KEYS.event(77);
        assert_eq!((event_id(&event), address(&event)), (Some(77), Some(KEYS.address)));
        assert!(event.starts_with(EVENTS) && event < KEYS.event(78) && event < KEYS.event(1 << 60));
    }

    #[test]
    fn names_are_bounded_and_told_apart_by_all_their_parts() {
        let long = "x".repeat(10_000);
        assert!(KEYS.token(&long).len() <= 512 && KEYS.sign_in(&long, &long).len() <= 512);
        assert_ne!(KEYS.sign_in("ab", "c"), KEYS.sign_in("a", "bc"));
        let sign_in = |client_id: &str, external_id: &str, authenticated_at| SignIn {
            client_id: client_id.to_owned(),
            external_id: external_id.to_owned(),
            authenticated_at,
        };
        let names = [
            KEYS.name_of(&sign_in("a", "b", 1)),
            KEYS.name_of(&sign_in("a", "b", 2)),
            KEYS.name_of(&sign_in("a", "c", 1)),
            KEYS.name_of(&sign_in("b", "b", 1)),
            Keys::of(Address::from_bytes([3; 16])).name_of(&sign_in("a", "b", 1)),
            KEYS.name_of_code(OnceId::from_bytes([1; 16])),
            KEYS.name_of_code(OnceId::from_bytes([2; 16])),
            Keys::of(Address::from_bytes([3; 16])).name_of_code(OnceId::from_bytes([1; 16])),
        ];
        for (index, name) in names.iter().enumerate() {
            assert!(!names[..index].contains(name));
        }
    }
}
