//! Rate limits: a sliding window over a minute, by two buckets. The bucket before the present one
//! counts by the part of it that the window still covers. A window lives in the ledger and changes
//! in the same step as what it counts, so no parallel call slips through; those of introspection are
//! in the memory of the ledger's owner, see [`Throttle`](crate::Throttle).

use serde::{Deserialize, Serialize};

use crate::Millis;

/// The length of a bucket, and of the window.
const MINUTE: Millis = 60_000;

/// How often the clients of one person may do something in a minute. Zero: as often as they like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Rotations and extensions. A repeated answer is none, so no race of a client meets this.
    pub refresh: u32,
    /// Repeated answers for one rotation.
    pub replays: u32,
    /// Revocations of tokens; many at once count as one.
    pub revoke: u32,
    /// Lists of the sessions.
    pub list: u32,
    /// Ends of a session by name.
    pub delete: u32,
    /// Ends of all sessions.
    pub revoke_all: u32,
    /// Registrations of clients from one network.
    pub register: u32,
    /// Introspections by one caller. Not counted in the ledger, see [`Throttle`](crate::Throttle).
    pub introspect: u32,
    /// All of them are multiplied by this: the tier of the client.
    pub tier: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            refresh: 10,
            replays: 300,
            revoke: 5,
            list: 30,
            delete: 5,
            revoke_all: 1,
            register: 10,
            introspect: 30,
            tier: 1,
        }
    }
}

impl Limits {
    /// None at all.
    pub const fn off() -> Self {
        Self {
            refresh: 0,
            replays: 0,
            revoke: 0,
            list: 0,
            delete: 0,
            revoke_all: 0,
            register: 0,
            introspect: 0,
            tier: 1,
        }
    }

    /// How often, if it is bounded.
    pub const fn of(&self, class: Class) -> Option<u32> {
        let limit = match class {
            Class::Refresh => self.refresh,
            Class::Replay => self.replays,
            Class::Revoke => self.revoke,
            Class::List => self.list,
            Class::Delete => self.delete,
            Class::RevokeAll => self.revoke_all,
            Class::Register => self.register,
            Class::Introspect => self.introspect,
        };
        match limit.saturating_mul(self.tier) {
            0 => None,
            limit => Some(limit),
        }
    }
}

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// See [`Limits::refresh`].
    Refresh,
    /// See [`Limits::replays`].
    Replay,
    /// See [`Limits::revoke`].
    Revoke,
    /// See [`Limits::list`].
    List,
    /// See [`Limits::delete`].
    Delete,
    /// See [`Limits::revoke_all`].
    RevokeAll,
    /// See [`Limits::register`].
    Register,
    /// See [`Limits::introspect`].
    Introspect,
}

impl Class {
    /// Its name in headers and in the audit trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refresh => "refresh",
            Self::Replay => "replay",
            Self::Revoke => "revoke",
            Self::List => "list",
            Self::Delete => "delete",
            Self::RevokeAll => "revoke_all",
            Self::Register => "register",
            Self::Introspect => "introspect",
        }
    }
}

/// What is left of a limit: for the `RateLimit` fields of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Of what.
    pub class: Class,
    /// How often in a minute.
    pub limit: u32,
    /// How often from now on.
    pub remaining: u32,
    /// When there will be more: for a limit that was met, when the next one will be let through.
    pub reset_at: Millis,
}

/// What was spent of one limit lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    class: Class,
    /// Minutes since the epoch.
    bucket: u64,
    /// Spent in that minute.
    current: u32,
    /// Spent in the minute before.
    #[serde(default, skip_serializing_if = "is_zero")]
    previous: u32,
}

/// Takes one from a limit, or says what is left without having changed anything.
pub(crate) fn spend(
    windows: &mut Vec<Window>,
    class: Class,
    limit: u32,
    now: Millis,
) -> Result<Budget, Budget> {
    let found = windows.iter().find(|window| window.class == class);
    let empty = Window { class, bucket: 0, current: 0, previous: 0 };
    let mut window = found.cloned().unwrap_or(empty).moved_to(now / MINUTE);
    let used = window.used(now).saturating_add(MINUTE);
    let allowed = u64::from(limit) * MINUTE;
    if used > allowed {
        let reset_at = window.room_at(limit);
        return Err(Budget { class, limit, remaining: 0, reset_at });
    }
    window.current += 1;
    let remaining = u32::try_from((allowed - used) / MINUTE).unwrap_or(limit);
    let reset_at = (window.bucket + 1).saturating_mul(MINUTE);
    let bucket = window.bucket;
    windows.retain(|other| other.class != class && other.bucket.saturating_add(1) >= bucket);
    windows.push(window);
    Ok(Budget { class, limit, remaining, reset_at })
}

impl Window {
    /// Whether nothing of it counts any more.
    pub(crate) const fn is_over(&self, now: Millis) -> bool {
        now >= self.end()
    }

    /// When nothing of it counts any more.
    pub(crate) const fn end(&self) -> Millis {
        self.bucket.saturating_add(2).saturating_mul(MINUTE)
    }

    /// As it stands in that minute. A clock that went back finds it as it was.
    fn moved_to(self, bucket: u64) -> Self {
        match bucket.checked_sub(self.bucket) {
            None | Some(0) => self,
            Some(1) => Self { bucket, current: 0, previous: self.current, ..self },
            Some(_) => Self { bucket, current: 0, previous: 0, ..self },
        }
    }

    /// What counts, times the length of the window.
    fn used(&self, now: Millis) -> u64 {
        let elapsed = now.saturating_sub(self.bucket.saturating_mul(MINUTE)).min(MINUTE);
        u64::from(self.previous) * (MINUTE - elapsed) + u64::from(self.current) * MINUTE
    }

    /// When there will be room for one more, if nothing is spent until then.
    fn room_at(&self, limit: u32) -> Millis {
        let start = self.bucket.saturating_mul(MINUTE);
        // In this minute, if what it has spent leaves room, else in the next.
        let (start, spent, fading) = if self.current < limit {
            (start, self.current, self.previous)
        } else {
            (start.saturating_add(MINUTE), 0, self.current)
        };
        let room = u64::from(limit - spent - 1) * MINUTE;
        let elapsed = MINUTE.saturating_sub(room / u64::from(fading.max(1)));
        start.saturating_add(elapsed)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = 1_000 * MINUTE;

    fn spent(windows: &mut Vec<Window>, times: u32, limit: u32, now: Millis) -> u32 {
        let all = (0..times).map(|_| spend(windows, Class::Refresh, limit, now));
        u32::try_from(all.filter(Result::is_ok).count()).unwrap()
    }

    #[test]
    fn a_minute_has_as_many_as_the_limit() {
        let mut windows = Vec::new();
        let budget = spend(&mut windows, Class::Refresh, 10, START).unwrap();
        assert_eq!((budget.limit, budget.remaining, budget.reset_at), (10, 9, START + MINUTE));
        assert_eq!(spent(&mut windows, 20, 10, START + 1), 9);
        let before = windows.clone();
        let budget = spend(&mut windows, Class::Refresh, 10, START + 2).unwrap_err();
        assert_eq!(budget.remaining, 0);
        assert_eq!(windows, before, "what is not let through is not counted");
    }

    #[test]
    fn the_minute_before_fades() {
        let mut windows = Vec::new();
        spent(&mut windows, 10, 10, START);
        assert_eq!(spent(&mut windows, 10, 10, START + MINUTE), 0);
        assert_eq!(spent(&mut windows, 10, 10, START + MINUTE + 30_000), 5);
        assert_eq!(spent(&mut windows, 10, 10, START + 3 * MINUTE), 10);
    }

    #[test]
    fn the_announced_time_is_the_first_that_is_let_through() {
        for (limit, earlier, now) in
            [(10, 10, 1), (10, 10, MINUTE), (10, 7, MINUTE), (1, 1, 0), (3, 3, 59_999)]
        {
            let mut windows = Vec::new();
            spent(&mut windows, earlier, limit, START);
            let now = START + now;
            spent(&mut windows, limit, limit, now);
            let at = spend(&mut windows, Class::Refresh, limit, now).unwrap_err().reset_at;
            assert!(at > now);
            assert_eq!(spent(&mut windows.clone(), 1, limit, at - 1), 0, "{limit} {earlier}");
            assert_eq!(spent(&mut windows, 1, limit, at), 1, "{limit} {earlier}");
        }
    }

    #[test]
    fn classes_are_counted_apart_and_old_windows_are_dropped() {
        let mut windows = Vec::new();
        spent(&mut windows, 1, 1, START);
        assert!(spend(&mut windows, Class::List, 1, START).is_ok());
        assert_eq!(windows.len(), 2);
        assert!(spend(&mut windows, Class::Delete, 1, START + 5 * MINUTE).is_ok());
        assert_eq!(windows.len(), 1);
    }

    #[test]
    fn a_clock_that_went_back_and_the_ends_of_time_do_no_harm() {
        let mut windows = Vec::new();
        spent(&mut windows, 2, 2, START);
        assert_eq!(spent(&mut windows, 2, 2, START - 10 * MINUTE), 0);
        for now in [0, Millis::MAX] {
            assert_eq!(spent(&mut Vec::new(), 5, 2, now), 2);
        }
    }

    #[test]
    fn a_tier_multiplies_and_zero_is_no_limit() {
        let limits = Limits { tier: 3, list: 0, ..Limits::default() };
        assert_eq!(limits.of(Class::Refresh), Some(30));
        assert_eq!(limits.of(Class::List), None);
        assert_eq!(Limits::off().of(Class::RevokeAll), None);
    }
}
