use ledger::{Millis, SessionId};
use sha2::{Digest, Sha256};

use crate::memory::Mark;
use crate::{REVOCATION_BOUND, SKEW};

/// What a snapshot says of an access token whose signature and times have been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It, or its session, has been revoked.
    Revoked,
    /// It has not been revoked, but perhaps within the last [`REVOCATION_BOUND`].
    InForce,
    /// The ledger must be asked.
    Unknown,
}

/// One shard as it was at one time. As bytes: a name with the version, shard, `since`, `as_of` and the
/// number of marks, the marks in ascending order, and 16 bytes of SHA-256 over all that.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot {
    since: Millis,
    as_of: Millis,
    /// The marks, one after the other.
    marks: Vec<u8>,
}

const NAME: &[u8; 4] = b"ars1";
const HEADER: usize = 4 + 1 + 8 + 8 + 4;
const CHECK: usize = 16;

impl Snapshot {
    pub(crate) fn encode<'m>(
        shard: u8,
        since: Millis,
        as_of: Millis,
        marks: impl ExactSizeIterator<Item = &'m Mark>,
    ) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + marks.len() * Mark::LENGTH + CHECK);
        bytes.extend_from_slice(NAME);
        bytes.push(shard);
        bytes.extend_from_slice(&since.to_be_bytes());
        bytes.extend_from_slice(&as_of.to_be_bytes());
        bytes.extend_from_slice(&u32::try_from(marks.len()).unwrap_or(u32::MAX).to_be_bytes());
        marks.for_each(|mark| bytes.extend_from_slice(mark.as_bytes()));
        let check = check(&bytes);
        bytes.extend_from_slice(&check);
        bytes
    }

    /// Read what was published of a shard; `None` if it is anything else, or damaged.
    pub fn parse(bytes: &[u8], shard: u8) -> Option<Self> {
        let (content, given) = bytes.split_last_chunk::<CHECK>()?;
        if check(content) != *given {
            return None;
        }
        let (name, rest) = content.split_first_chunk::<4>()?;
        let (of, rest) = rest.split_first()?;
        let (since, rest) = rest.split_first_chunk::<8>()?;
        let (as_of, rest) = rest.split_first_chunk::<8>()?;
        let (count, marks) = rest.split_first_chunk::<4>()?;
        let count = usize::try_from(u32::from_be_bytes(*count)).ok()?;
        let ordered = marks.chunks_exact(Mark::LENGTH).is_sorted_by(|one, next| one < next);
        if name != NAME
            || *of != shard
            || count.checked_mul(Mark::LENGTH) != Some(marks.len())
            || !ordered
        {
            return None;
        }
        let (since, as_of) = (u64::from_be_bytes(*since), u64::from_be_bytes(*as_of));
        Some(Self { since, as_of, marks: marks.to_vec() })
    }

    /// The later one.
    #[must_use]
    pub fn or_later(self, other: Self) -> Self {
        if other.as_of > self.as_of { other } else { self }
    }

    /// Whether it may be believed: it is not older than the bound allows, and not from a clock that
    /// nobody can compare with ours.
    pub fn is_current(&self, now: Millis) -> bool {
        let oldest = now.saturating_sub(REVOCATION_BOUND - SKEW);
        (oldest..=now.saturating_add(SKEW)).contains(&self.as_of)
    }

    /// What it says of an access token that was issued at `iat` (seconds, as in the token).
    pub fn verdict(&self, session: &SessionId, jti: &str, iat: u64, now: Millis) -> Verdict {
        // Also by a current one's predecessor: what was revoked stays revoked.
        if self.has(&Mark::session(session)) || self.has(&Mark::token(session, jti)) {
            return Verdict::Revoked;
        }
        let told_of = iat.saturating_mul(1000) >= self.since.saturating_add(SKEW);
        if told_of && self.is_current(now) { Verdict::InForce } else { Verdict::Unknown }
    }

    fn has(&self, mark: &Mark) -> bool {
        let (marks, _) = self.marks.as_chunks::<{ Mark::LENGTH }>();
        marks.binary_search(mark.as_bytes()).is_ok()
    }
}

fn check(content: &[u8]) -> [u8; CHECK] {
    let mut cut = [0; CHECK];
    cut.copy_from_slice(&Sha256::digest(content)[..CHECK]);
    cut
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ledger::Revocation;
    use proptest::prelude::*;

    use super::*;
    use crate::{Memory, Report, SHARDS, shard_of};

    const NOW: Millis = 1_780_000_000_000;
    const IAT: u64 = NOW / 1000;

    fn id(name: u8) -> SessionId {
        SessionId::from_bytes([name; 16])
    }

    fn of_session(name: u8) -> Revocation {
        Revocation { session: id(name), jti: None, until: NOW + 60_000 }
    }

    fn of_token(name: u8, jti: &str) -> Revocation {
        Revocation { jti: Some(jti.to_owned()), ..of_session(name) }
    }

    fn memory(revocations: &[Revocation]) -> Memory {
        let mut memory = Memory::new(3, NOW - 60_000, []);
        memory.accept(revocations);
        memory
    }

    fn snapshot(revocations: &[Revocation]) -> Snapshot {
        Snapshot::parse(&memory(revocations).publish(NOW), 3).expect("a snapshot")
    }

    #[test]
    fn a_session_takes_all_its_tokens_along_and_a_token_goes_alone() {
        let snapshot = snapshot(&[of_session(1), of_token(2, "j")]);
        for (name, jti, verdict) in [
            (1, "j", Verdict::Revoked),
            (1, "k", Verdict::Revoked),
            (2, "j", Verdict::Revoked),
            (2, "k", Verdict::InForce),
            (3, "j", Verdict::InForce),
        ] {
            assert_eq!(snapshot.verdict(&id(name), jti, IAT, NOW), verdict, "{name} {jti}");
        }
    }

    #[test]
    fn an_old_snapshot_and_one_of_the_future_say_nothing() {
        let snapshot = snapshot(&[of_session(1)]);
        let at = |now| snapshot.verdict(&id(2), "j", IAT, now);
        let oldest = NOW + REVOCATION_BOUND - SKEW;
        for (now, verdict) in [
            (NOW, Verdict::InForce),
            (oldest, Verdict::InForce),
            (oldest + 1, Verdict::Unknown),
            (NOW - SKEW, Verdict::InForce),
            (NOW - SKEW - 1, Verdict::Unknown),
            (0, Verdict::Unknown),
            (Millis::MAX, Verdict::Unknown),
        ] {
            assert_eq!(at(now), verdict, "{now}");
        }
        // But for what it knows to be revoked.
        assert_eq!(snapshot.verdict(&id(1), "j", IAT, Millis::MAX), Verdict::Revoked);
    }

    #[test]
    fn tokens_from_before_the_reports_began_are_not_judged() {
        let snapshot = snapshot(&[of_session(1)]);
        let began = (NOW - 60_000 + SKEW) / 1000;
        for (iat, verdict) in [(0, Verdict::Unknown), (began - 1, Verdict::Unknown)] {
            assert_eq!(snapshot.verdict(&id(2), "j", iat, NOW), verdict);
            assert_eq!(snapshot.verdict(&id(1), "j", iat, NOW), Verdict::Revoked);
        }
        for iat in [began, u64::MAX] {
            assert_eq!(snapshot.verdict(&id(2), "j", iat, NOW), Verdict::InForce);
        }
    }

    #[test]
    fn what_has_expired_is_forgotten_and_what_is_repeated_is_no_news() {
        let mut memory = memory(&[]);
        let until = NOW + 60_000 + SKEW;
        assert_eq!(memory.accept(&[of_session(1)]), [(Mark::session(&id(1)), until)]);
        assert_eq!(memory.accept(&[of_session(1)]), []);
        let later = Revocation { until: NOW + 90_000, ..of_session(1) };
        assert_eq!(memory.accept(std::slice::from_ref(&later)).len(), 1);
        assert_eq!(memory.accept(&[of_session(1)]), [], "the later time stays");
        memory.expire(later.until + SKEW - 1);
        assert!(!memory.is_empty());
        memory.expire(later.until + SKEW);
        assert!(memory.is_empty());
    }

    #[test]
    fn of_two_the_later_one_counts() {
        let memory = memory(&[]);
        let at = |now| Snapshot::parse(&memory.publish(now), 3).expect("a snapshot");
        for (one, other) in [(NOW, NOW + 1), (NOW + 1, NOW)] {
            assert_eq!(at(one).or_later(at(other)).as_of, NOW + 1);
        }
    }

    #[test]
    fn a_report_goes_to_the_shard_of_each_session() {
        let all: Vec<_> = (0..=255).map(of_session).collect();
        let reports = Report::of(&all);
        assert_eq!(reports.len(), usize::from(SHARDS));
        assert_eq!(reports.iter().map(|report| report.revocations.len()).sum::<usize>(), 256);
        for Report { shard, revocations } in reports {
            assert!(revocations.iter().all(|one| shard_of(&one.session) == shard));
        }
        assert_eq!(Report::of(&[]), []);
    }

    #[test]
    fn another_shards_snapshot_is_none() {
        let bytes = memory(&[of_session(1)]).publish(NOW);
        assert!(Snapshot::parse(&bytes, 4).is_none());
    }

    fn revocations() -> impl Strategy<Value = Vec<Revocation>> {
        let jti = prop_oneof![Just(None), "[a-c]{1,2}".prop_map(Some)];
        let one = (0..20_u8, jti, 0..100_000_u64).prop_map(|(name, jti, later)| Revocation {
            session: id(name),
            jti,
            until: NOW + later,
        });
        prop::collection::vec(one, 0..60)
    }

    proptest! {
        #[test]
        fn what_is_revoked_is_found_and_nothing_else(revoked in revocations(), later in 0..100_000_u64) {
            let mut memory = memory(&revoked);
            memory.expire(NOW + later);
            let bytes = memory.publish(NOW);
            let snapshot = Snapshot::parse(&bytes, 3).expect("a snapshot");
            let alive = revoked.iter().filter(|one| one.until + SKEW > NOW + later);
            let marks: BTreeSet<_> =
                alive.map(|one| (one.session, one.jti.clone())).collect();
            for session in (0..25).map(id) {
                for jti in ["a", "b", "ab", "cc", "x"] {
                    let expected = marks.contains(&(session, None))
                        || marks.contains(&(session, Some(jti.to_owned())));
                    let verdict = snapshot.verdict(&session, jti, IAT, NOW);
                    prop_assert_eq!(verdict == Verdict::Revoked, expected);
                }
            }
        }

        #[test]
        fn marks_survive_their_text(name in any::<[u8; 16]>(), jti in "\\PC*", text in "\\PC{0,40}") {
            let session = SessionId::from_bytes(name);
            for mark in [Mark::session(&session), Mark::token(&session, &jti)] {
                prop_assert_eq!(mark.to_string().parse(), Ok(mark));
            }
            prop_assert!(text.parse::<Mark>().is_err());
        }

        #[test]
        fn damaged_bytes_are_no_snapshot(
            revoked in revocations(), at in any::<prop::sample::Index>(), bit in 0..8_u32, cut in any::<bool>(),
        ) {
            let mut bytes = memory(&revoked).publish(NOW);
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] ^= 1_u8 << bit }
            prop_assert!(Snapshot::parse(&bytes, 3).is_none());
        }

        #[test]
        fn hostile_bytes_do_not_panic(
            rest in prop::collection::vec(any::<u8>(), 0..200), shard in 0..SHARDS,
            since in any::<u64>(), as_of in any::<u64>(), count in any::<u32>(), now in any::<u64>(),
        ) {
            prop_assert!(Snapshot::parse(&rest, shard).is_none());
            // With a right checksum over wrong content.
            let mut bytes = NAME.to_vec();
            bytes.push(shard);
            bytes.extend_from_slice(&since.to_be_bytes());
            bytes.extend_from_slice(&as_of.to_be_bytes());
            bytes.extend_from_slice(&count.to_be_bytes());
            bytes.extend_from_slice(&rest);
            let check = check(&bytes);
            bytes.extend_from_slice(&check);
            if let Some(snapshot) = Snapshot::parse(&bytes, shard) {
                let _ = snapshot.verdict(&id(1), "j", since, now);
            }
        }
    }
}
