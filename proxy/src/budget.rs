//! How much the requests and answers of all clients together may hold in memory.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A bound over all bodies that are held at once, in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    held: Arc<AtomicUsize>,
    limit: usize,
}

/// There is no room.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        Self { held: Arc::default(), limit }
    }

    /// A share that holds nothing yet.
    pub(crate) fn lease(&self) -> Lease {
        Lease { budget: self.clone(), bytes: 0 }
    }

    /// What all shares hold.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> Result<(), Exhausted> {
        let fits = |held: usize| held.checked_add(bytes).filter(|total| *total <= self.limit);
        let taken = self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.map(drop).map_err(|_| Exhausted)
    }
}

/// A share of the budget, given back when dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    budget: Budget,
    bytes: usize,
}

impl Lease {
    /// Holds so many bytes from now on, if there is room for them; never fewer than before.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<(), Exhausted> {
        if let Some(more) = bytes.checked_sub(self.bytes) {
            self.budget.take(more)?;
            self.bytes = bytes;
        }
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_end_where_the_budget_ends_and_come_back() {
        let budget = Budget::new(100);
        let (mut one, mut two) = (budget.lease(), budget.lease());
        one.hold(60).unwrap();
        one.hold(10).unwrap();
        assert_eq!(two.hold(41), Err(Exhausted));
        two.hold(40).unwrap();
        assert_eq!(one.hold(61), Err(Exhausted));
        assert_eq!(budget.held(), 100);
        drop(one);
        two.hold(100).unwrap();
        assert_eq!(two.hold(usize::MAX), Err(Exhausted));
        drop(two);
        assert_eq!(budget.held(), 0);
    }
}
