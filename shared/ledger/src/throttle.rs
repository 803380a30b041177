//! The rate limit of introspection. It is counted per caller and subject in the memory of whoever owns
//! the ledger and never written, so that a read stays a read. An owner that starts anew has forgotten
//! what was spent, which costs at most one window more.

use std::collections::BTreeMap;

use crate::limits::spend;
use crate::{Actor, Address, Budget, Class, Command, Envelope, Millis, Usage, Window};

/// What the callers have spent lately on one ledger.
#[derive(Debug, Clone, Default)]
pub struct Throttle {
    /// One window each.
    callers: BTreeMap<String, Vec<Window>>,
}

impl Throttle {
    /// So many callers are told apart at a time. They are registered clients, of which few ask about
    /// one person; beyond, some are forgotten.
    const MAX_CALLERS: usize = 64;

    /// Whether a command is let through, before it is applied: an introspection spends one from the
    /// limit of its caller, everything else passes.
    ///
    /// # Errors
    /// What to answer ([`Limited`](crate::Outcome::Limited)) if the limit is met; then nothing was spent.
    pub fn admit(&mut self, envelope: &Envelope, now: Millis) -> Result<Option<Budget>, Budget> {
        let Some(caller) = introspecting(envelope) else { return Ok(None) };
        let Some(limit) = envelope.policy.limits.of(Class::Introspect) else { return Ok(None) };
        if !self.callers.contains_key(caller) {
            self.make_room(now);
        }
        let windows = self.callers.entry(caller.to_owned()).or_default();
        spend(windows, Class::Introspect, limit, now).map(Some)
    }

    /// Whether nothing that was spent counts any more.
    fn is_over(&self, now: Millis) -> bool {
        self.callers.values().flatten().all(|window| window.is_over(now))
    }

    fn make_room(&mut self, now: Millis) {
        if self.callers.len() < Self::MAX_CALLERS {
            return;
        }
        self.callers.retain(|_, windows| windows.iter().any(|window| !window.is_over(now)));
        while self.callers.len() >= Self::MAX_CALLERS {
            self.callers.pop_first();
        }
    }
}

/// The same for an owner of many ledgers: an instance of a function that has no objects.
#[derive(Debug, Clone, Default)]
pub struct Throttles {
    ledgers: BTreeMap<Address, Throttle>,
}

impl Throttles {
    /// So many ledgers are told apart at a time.
    const MAX_LEDGERS: usize = 10_000;

    /// See [`Throttle::admit`].
    ///
    /// # Errors
    /// What to answer ([`Limited`](crate::Outcome::Limited)) if the limit is met; then nothing was spent.
    pub fn admit(
        &mut self,
        address: &Address,
        envelope: &Envelope,
        now: Millis,
    ) -> Result<Option<Budget>, Budget> {
        if introspecting(envelope).is_none() {
            return Ok(None);
        }
        if self.ledgers.len() >= Self::MAX_LEDGERS && !self.ledgers.contains_key(address) {
            self.ledgers.retain(|_, throttle| !throttle.is_over(now));
            // Still too many in one window: an instance that is this busy starts over.
            if self.ledgers.len() >= Self::MAX_LEDGERS {
                self.ledgers.clear();
            }
        }
        self.ledgers.entry(*address).or_default().admit(envelope, now)
    }
}

/// Who introspects, if the command does.
fn introspecting(envelope: &Envelope) -> Option<&str> {
    match (&envelope.command, &envelope.origin.actor) {
        (Command::Check(check), Actor::ResourceServer(caller))
            if check.usage == Usage::Introspection =>
        {
            Some(caller)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{MINUTE, id};
    use crate::{Check, Credential, Limits, Origin, Policy};

    const START: Millis = 1_000 * MINUTE;

    fn check(caller: &str, usage: Usage, tier: u32) -> Envelope {
        let credential = Credential::Refresh { generation: 0, counter: 0 };
        let limits = Limits { tier, ..Limits::default() };
        Envelope {
            command: Command::Check(Check {
                session: id(1),
                credential,
                usage,
                key: None,
                proof: None,
            }),
            policy: Policy { limits, ..Policy::default() },
            origin: Origin { actor: Actor::ResourceServer(caller.to_owned()), ..Origin::default() },
        }
    }

    fn ask(caller: &str) -> Envelope {
        check(caller, Usage::Introspection, 1)
    }

    fn admitted(throttle: &mut Throttle, envelope: &Envelope, times: u32, now: Millis) -> usize {
        (0..times).filter(|_| throttle.admit(envelope, now).is_ok()).count()
    }

    #[test]
    fn i8_each_caller_has_thirty_in_a_minute() {
        let mut throttle = Throttle::default();
        assert_eq!(admitted(&mut throttle, &ask("a"), 100, START), 30);
        assert_eq!(admitted(&mut throttle, &ask("b"), 100, START), 30, "the others theirs");
        let Err(budget) = throttle.admit(&ask("a"), START) else { panic!("not limited") };
        assert_eq!((budget.class, budget.limit, budget.remaining), (Class::Introspect, 30, 0));
        assert_eq!(admitted(&mut throttle, &ask("a"), 1, budget.reset_at - 1), 0);
        assert_eq!(admitted(&mut throttle, &ask("a"), 1, budget.reset_at), 1);
    }

    #[test]
    fn a_tier_multiplies_and_what_is_no_introspection_passes() {
        let mut throttle = Throttle::default();
        let ten = check("a", Usage::Introspection, 10);
        assert_eq!(admitted(&mut throttle, &ten, 1_000, START), 300);
        for free in [
            check("a", Usage::Direct, 1),
            check("a", Usage::Introspection, 0),
            Envelope { origin: Origin::default(), ..ask("a") },
            Envelope { command: Command::List, ..ask("a") },
        ] {
            assert_eq!(throttle.admit(&free, START), Ok(None));
        }
    }

    #[test]
    fn callers_and_ledgers_are_forgotten_before_there_are_too_many() {
        let mut throttle = Throttle::default();
        for caller in 0..1_000 {
            assert!(throttle.admit(&ask(&caller.to_string()), START).is_ok());
        }
        assert_eq!(throttle.callers.len(), Throttle::MAX_CALLERS);
        assert!(throttle.admit(&ask("late"), START + 2 * MINUTE).is_ok());
        assert_eq!(throttle.callers.len(), 1, "what does not count any more goes first");

        let mut throttles = Throttles::default();
        let address = |number: usize| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
            Address::from_bytes(bytes)
        };
        for number in 0..=Throttles::MAX_LEDGERS {
            let now = if number < 10 { START } else { START + 2 * MINUTE };
            assert!(throttles.admit(&address(number), &ask("a"), now).is_ok());
        }
        assert_eq!(throttles.ledgers.len(), Throttles::MAX_LEDGERS - 9);
        let list = Envelope { command: Command::List, ..ask("a") };
        throttles.admit(&address(usize::MAX), &list, START).unwrap();
        assert!(!throttles.ledgers.contains_key(&address(usize::MAX)));
    }

    #[test]
    fn each_ledger_is_counted_by_itself() {
        let mut throttles = Throttles::default();
        for name in 0..3 {
            let address = Address::from_bytes([name; 16]);
            let asked = (0..50).filter(|_| throttles.admit(&address, &ask("a"), START).is_ok());
            assert_eq!(asked.count(), 30);
        }
    }
}
