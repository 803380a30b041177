use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use ledger::{Hex, Millis, Revocation, SessionId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::view::Snapshot;
use crate::{SKEW, shard_of};

/// What ledgers send to the publisher of a shard. Without revocations it only says that somebody reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The shard.
    pub shard: u8,
    /// What was revoked in it.
    pub revocations: Vec<Revocation>,
}

impl Report {
    /// One report for each shard that the revocations are of.
    pub fn of(revocations: &[Revocation]) -> Vec<Self> {
        let mut shards: BTreeMap<u8, Vec<Revocation>> = BTreeMap::new();
        for revocation in revocations {
            shards.entry(shard_of(&revocation.session)).or_default().push(revocation.clone());
        }
        let reports = shards.into_iter();
        reports.map(|(shard, revocations)| Self { shard, revocations }).collect()
    }
}

/// A revoked session, or a revoked access token, in 17 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark([u8; Mark::LENGTH]);

impl Mark {
    pub(crate) const LENGTH: usize = 17;

    /// Of a session.
    pub fn session(session: &SessionId) -> Self {
        Self::of(0, session.as_bytes())
    }

    /// Of an access token. Whatever its `jti` looks like, it is hashed, with its session.
    pub fn token(session: &SessionId, jti: &str) -> Self {
        let hash = Sha256::new().chain_update(session.as_bytes()).chain_update(jti).finalize();
        Self::of(1, &hash)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    fn of(kind: u8, name: &[u8]) -> Self {
        let mut bytes = [kind; Self::LENGTH];
        bytes[1..].copy_from_slice(&name[..Self::LENGTH - 1]);
        Self(bytes)
    }
}

impl From<&Revocation> for Mark {
    fn from(revocation: &Revocation) -> Self {
        match &revocation.jti {
            Some(jti) => Self::token(&revocation.session, jti),
            None => Self::session(&revocation.session),
        }
    }
}

/// As it is stored: hexadecimal digits.
impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mark({self})")
    }
}

/// The text is not one that a mark is stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidMark;

impl FromStr for Mark {
    type Err = InvalidMark;

    fn from_str(text: &str) -> Result<Self, InvalidMark> {
        if text.len() != 2 * Self::LENGTH || !text.is_ascii() {
            return Err(InvalidMark);
        }
        let mut bytes = [0; Self::LENGTH];
        for (at, byte) in bytes.iter_mut().enumerate() {
            let pair = &text[2 * at..2 * at + 2];
            *byte = u8::from_str_radix(pair, 16).map_err(|_| InvalidMark)?;
        }
        Ok(Self(bytes))
    }
}

/// What the publisher of a shard knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    shard: u8,
    since: Millis,
    /// Until when each mark matters.
    marks: BTreeMap<Mark, Millis>,
}

impl Memory {
    /// Of a publisher that has heard of everything `since` that time, as it was stored.
    pub fn new(shard: u8, since: Millis, marks: impl IntoIterator<Item = (Mark, Millis)>) -> Self {
        Self { shard, since, marks: marks.into_iter().collect() }
    }

    /// Takes note of revocations. What is new or matters for longer than before is returned, to be
    /// stored.
    pub fn accept(&mut self, revocations: &[Revocation]) -> Vec<(Mark, Millis)> {
        let mut news = Vec::new();
        for revocation in revocations {
            let (mark, until) = (revocation.into(), revocation.until.saturating_add(SKEW));
            let known = self.marks.entry(mark).or_default();
            if *known < until {
                *known = until;
                news.push((mark, until));
            }
        }
        news
    }

    /// Forgets what does not matter any more: the tokens have expired by themselves.
    pub fn expire(&mut self, now: Millis) {
        self.marks.retain(|_, until| *until > now);
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// What readers are told now.
    pub fn publish(&self, now: Millis) -> Vec<u8> {
        Snapshot::encode(self.shard, self.since, now, self.marks.keys())
    }
}
