//! One breaker as a state machine. Time and randomness are arguments; nothing here waits.

use ports::Millis;

/// Whether a dependency is asked, and what is known of it.
///
/// Closed: every call goes through. Open: none does, until a time that doubles with every failed
/// attempt to close. Half-open: one call is under way as a probe, and what becomes of it decides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Breaker {
    state: State,
    /// Raised by every change of state: the outcome of a call that began in another one says
    /// nothing of this one.
    epoch: u64,
    /// Whether each of the last calls failed, and when, while closed; oldest first.
    recent: Vec<(Millis, bool)>,
    /// How often it has opened since it was last closed.
    openings: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Closed,
    Open {
        until: Millis,
    },
    HalfOpen {
        /// A probe whose outcome never comes (its request was given up) holds others back no longer.
        until: Millis,
    },
}

/// A call that may be made; its outcome is to be [recorded](Breaker::record).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit {
    epoch: u64,
}

impl Breaker {
    /// Calls are looked at for this long.
    pub const WINDOW: Millis = 60_000;
    /// And no more than the last so many.
    pub const CALLS: usize = 20;
    /// So many of them must have failed before it opens, and at least half of all: a few failures
    /// among many answers are no outage.
    pub const FAILURES: usize = 3;
    /// How long it is open the first time, at the most.
    pub const SHORTEST: Millis = 1_000;
    /// How long it is ever open, at the most.
    pub const LONGEST: Millis = 30_000;

    /// Ask to make a call that takes no longer than `patience`.
    ///
    /// # Errors
    /// If the dependency is to be left alone: for how many more milliseconds, at least one.
    pub fn admit(&mut self, now: Millis, patience: Millis) -> Result<Permit, Millis> {
        if let State::Open { until } | State::HalfOpen { until } = self.state {
            if now < until {
                return Err(until - now);
            }
            self.enter(State::HalfOpen { until: now.saturating_add(patience.max(1)) });
        }
        Ok(Permit { epoch: self.epoch })
    }

    /// Tell what became of a call. `random` spreads the end of an opening over its second half, so
    /// that not all instances come back at once.
    pub fn record(&mut self, permit: Permit, failed: bool, now: Millis, random: u32) {
        if permit.epoch != self.epoch {
            return;
        }
        match self.state {
            State::Closed => {
                self.remember(failed, now);
                if failed && self.is_outage() {
                    self.open(now, random);
                }
            }
            State::HalfOpen { .. } if failed => self.open(now, random),
            State::HalfOpen { .. } => {
                self.openings = 0;
                self.enter(State::Closed);
            }
            // Opening has raised the epoch, and no permit is of this one.
            State::Open { .. } => {}
        }
    }

    /// Whether there is nothing to remember.
    pub fn is_idle(&self, now: Millis) -> bool {
        let old = |&(at, _): &(Millis, bool)| now.saturating_sub(at) >= Self::WINDOW;
        self.state == State::Closed && self.recent.iter().all(old)
    }

    fn remember(&mut self, failed: bool, now: Millis) {
        self.recent.retain(|(at, _)| now.saturating_sub(*at) < Self::WINDOW);
        if self.recent.len() == Self::CALLS {
            self.recent.remove(0);
        }
        self.recent.push((now, failed));
    }

    fn is_outage(&self) -> bool {
        let failures = self.recent.iter().filter(|(_, failed)| *failed).count();
        failures >= Self::FAILURES && failures * 2 >= self.recent.len()
    }

    fn open(&mut self, now: Millis, random: u32) {
        // 2^5 s is beyond the longest already.
        let full = (Self::SHORTEST << self.openings.min(5)).min(Self::LONGEST);
        let half = full / 2;
        let wait = half + (full - half) * Millis::from(random) / Millis::from(u32::MAX);
        self.openings = self.openings.saturating_add(1);
        self.enter(State::Open { until: now.saturating_add(wait) });
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
        self.recent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_700_000_000_000;
    const PATIENCE: Millis = 10_000;

    fn call(breaker: &mut Breaker, failed: bool, now: Millis) -> Result<(), Millis> {
        let permit = breaker.admit(now, PATIENCE)?;
        breaker.record(permit, failed, now, u32::MAX);
        Ok(())
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..Breaker::FAILURES {
            call(&mut breaker, true, NOW).unwrap();
        }
        breaker
    }

    #[test]
    fn failures_within_the_window_open_it_and_older_ones_do_not() {
        assert_eq!(call(&mut opened(), false, NOW), Err(Breaker::SHORTEST));
        let mut breaker = Breaker::default();
        for call_number in 0..20 {
            let now = NOW + call_number * Breaker::WINDOW / 2;
            assert_eq!(call(&mut breaker, true, now), Ok(()), "two in a window are not enough");
        }
    }

    #[test]
    fn a_few_failures_among_many_answers_are_no_outage() {
        let mut breaker = Breaker::default();
        for number in 0..1_000 {
            assert_eq!(call(&mut breaker, number % 3 == 0, NOW + number), Ok(()), "{number}");
        }
    }

    #[test]
    fn one_probe_decides_and_others_wait_for_it() {
        let mut breaker = opened();
        let later = NOW + Breaker::SHORTEST;
        let probe = breaker.admit(later, PATIENCE).unwrap();
        assert_eq!(breaker.admit(later + 1, PATIENCE), Err(PATIENCE - 1));
        breaker.record(probe, false, later + 2, 0);
        assert_eq!(call(&mut breaker, false, later + 2), Ok(()));
    }

    #[test]
    fn a_failed_probe_doubles_the_time_up_to_the_longest_and_success_starts_anew() {
        let mut breaker = opened();
        let mut now = NOW;
        for seconds in [1, 2, 4, 8, 16, 30, 30, 30] {
            assert_eq!(call(&mut breaker, true, now), Err(seconds * 1_000));
            now += seconds * 1_000;
            assert_eq!(call(&mut breaker, true, now), Ok(()), "the probe");
        }
        now += Breaker::LONGEST;
        call(&mut breaker, false, now).unwrap();
        for _ in 0..Breaker::FAILURES {
            call(&mut breaker, true, now).unwrap();
        }
        assert_eq!(call(&mut breaker, true, now), Err(Breaker::SHORTEST));
    }

    #[test]
    fn a_probe_that_is_given_up_makes_room_for_another() {
        let mut breaker = opened();
        let later = NOW + Breaker::SHORTEST;
        let lost = breaker.admit(later, PATIENCE).unwrap();
        let next = breaker.admit(later + PATIENCE, PATIENCE).unwrap();
        breaker.record(lost, false, later + PATIENCE, 0);
        assert!(breaker.admit(later + PATIENCE, PATIENCE).is_err(), "it came too late to count");
        breaker.record(next, false, later + PATIENCE, 0);
        assert!(breaker.admit(later + PATIENCE, PATIENCE).is_ok());
    }

    #[test]
    fn what_began_before_it_opened_says_nothing_of_it() {
        let mut breaker = Breaker::default();
        let late: Vec<_> = (0..10).map(|_| breaker.admit(NOW, PATIENCE).unwrap()).collect();
        for permit in &late[..3] {
            breaker.record(*permit, true, NOW, u32::MAX);
        }
        let open = breaker.clone();
        for (number, permit) in late[3..].iter().enumerate() {
            breaker.record(*permit, number % 2 == 0, NOW + 500, u32::MAX);
        }
        assert_eq!(breaker, open);
    }
}
