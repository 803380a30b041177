//! When an outbox is delivered: soon after there is something in it, and after a failure later and
//! later. Pure: the time and the randomness are arguments.

use ledger::Millis;
use serde::{Deserialize, Serialize};

const SECOND: Millis = 1_000;
/// Events wait for so long, at least half of it, so that those of one sign-in travel together.
const SOON: Millis = 4 * SECOND;
/// After the first failure the next attempt is so far away, at least half of it; after each more
/// twice as far.
const FIRST_RETRY: Millis = 5 * SECOND;
/// No attempt is farther away, however many have failed.
const LAST_RETRY: Millis = 300 * SECOND;

/// The state of one outbox's delivery. It is stored beside the ledger, as an outage may outlast its
/// owner's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Schedule {
    /// When the next attempt is due; `None` while nothing is pending.
    pub due: Option<Millis>,
    /// Attempts that have failed since the last one that did not.
    pub failures: u32,
}

impl Schedule {
    /// A command may have left events behind: an attempt soon, if there is none yet.
    #[must_use]
    pub fn noticed(self, pending: bool, now: Millis, random: u16) -> Self {
        match self.due {
            None if pending => Self { due: Some(now + part(SOON, random)), ..self },
            _ => self,
        }
    }

    /// An attempt begins. Until it has an end it counts as failed: whoever makes it may die.
    #[must_use]
    pub fn begun(self, now: Millis, random: u16) -> Self {
        let doubled = FIRST_RETRY << self.failures.min(16);
        let wait = part(doubled.min(LAST_RETRY), random);
        Self { due: Some(now + wait), failures: self.failures.saturating_add(1) }
    }

    /// An attempt has delivered what it could carry.
    #[must_use]
    pub fn succeeded(pending: bool, now: Millis, random: u16) -> Self {
        Self::default().noticed(pending, now, random)
    }

    /// Whether an attempt is due.
    pub fn is_due(&self, now: Millis) -> bool {
        self.due.is_some_and(|due| due <= now)
    }
}

/// From half of `whole` to all of it.
fn part(whole: Millis, random: u16) -> Millis {
    whole / 2 + whole / 2 * Millis::from(random) / Millis::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_780_000_000_000;

    #[test]
    fn the_first_attempt_is_within_five_seconds_and_once_set_it_stays() {
        for random in [0, 1, 40_000, u16::MAX] {
            let set = Schedule::default().noticed(true, NOW, random);
            let due = set.due.unwrap();
            assert!((NOW + 1_000..NOW + 5_000).contains(&due), "{due}");
            assert_eq!(set.noticed(true, NOW + 1, 0), set);
            assert!(!set.is_due(due - 1) && set.is_due(due));
        }
        assert_eq!(Schedule::default().noticed(false, NOW, 7), Schedule::default());
    }

    #[test]
    fn failures_wait_longer_and_longer_with_jitter_up_to_five_minutes() {
        let mut schedule = Schedule::default().noticed(true, NOW, 0);
        for whole in [5, 10, 20, 40, 80, 160, 300, 300, 300] {
            let wait = |random| schedule.begun(NOW, random).due.unwrap() - NOW;
            assert_eq!((wait(0), wait(u16::MAX)), (whole * 500, whole * 1_000));
            schedule = schedule.begun(NOW, 9);
        }
        let long = Schedule { failures: u32::MAX, ..schedule };
        assert_eq!(long.begun(NOW, u16::MAX).due, Some(NOW + 300_000));
        assert_eq!(schedule.noticed(true, NOW, 0), schedule, "a command does not hurry it");
    }

    #[test]
    fn after_a_success_it_rests_or_goes_on_soon() {
        assert_eq!(Schedule::succeeded(false, NOW, 3), Schedule::default());
        let more = Schedule::succeeded(true, NOW, 0);
        assert_eq!(more, Schedule { due: Some(NOW + 2_000), failures: 0 });
    }
}
