use std::cell::RefCell;
use std::collections::BTreeMap;

use ledger::{Address, Millis};

/// Who has the pass for longer than this many milliseconds is not waited for any longer.
const LONGEST: Millis = 1_000;

/// Lets those of this process who have met at a ledger go on one at a time, so that they do not
/// meet again. It is a courtesy that saves attempts: what makes commands atomic is the store.
///
/// Who has to wait asks again after a while. Nobody is woken by another, because on Workers one
/// request cannot wait for what another one does.
#[derive(Debug, Default)]
pub struct Gate(RefCell<BTreeMap<Address, Millis>>);

/// The right to go on, until it is dropped.
pub(crate) struct Pass<'g> {
    gate: &'g Gate,
    address: Address,
    since: Millis,
}

impl Gate {
    /// Go on at this ledger, unless somebody else is on the way.
    pub(crate) fn enter(&self, address: &Address, now: Millis) -> Option<Pass<'_>> {
        let mut passes = self.0.borrow_mut();
        let taken = passes.get(address).is_some_and(|since| now.abs_diff(*since) <= LONGEST);
        if taken {
            return None;
        }
        passes.insert(*address, now);
        Some(Pass { gate: self, address: *address, since: now })
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut passes = self.gate.0.borrow_mut();
        // It may be somebody else's by now.
        if passes.get(&self.address) == Some(&self.since) {
            passes.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Address = Address::from_bytes([1; 16]);
    const THERE: Address = Address::from_bytes([2; 16]);

    #[test]
    fn one_goes_on_at_each_ledger() {
        let gate = Gate::default();
        let pass = gate.enter(&HERE, 5);
        assert!(pass.is_some() && gate.enter(&HERE, 5).is_none());
        assert!(gate.enter(&THERE, 5).is_some());
        drop(pass);
        assert!(gate.enter(&HERE, 5).is_some());
    }

    #[test]
    fn nobody_waits_for_ever_for_one_who_went_away() {
        let gate = Gate::default();
        let lost = gate.enter(&HERE, 5);
        assert!(gate.enter(&HERE, 5 + LONGEST).is_none());
        let pass = gate.enter(&HERE, 6 + LONGEST);
        assert!(pass.is_some());
        drop(lost);
        assert!(gate.enter(&HERE, 6 + LONGEST).is_none(), "not the latecomer's to give back");
    }
}
