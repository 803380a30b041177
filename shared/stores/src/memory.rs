use std::cell::RefCell;
use std::collections::BTreeMap;

use ledger::{Address, Millis};

use crate::store::{StoreError, Stored, Version, VersionedStore};

/// Ledgers in this process, until it ends: for tests and for trying things out. A clone is a
/// snapshot.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(RefCell<BTreeMap<Address, Stored>>);

impl VersionedStore for MemoryStore {
    async fn load(&self, address: &Address) -> Result<Option<Stored>, StoreError> {
        Ok(self.0.borrow().get(address).cloned())
    }

    async fn swap(
        &self,
        address: &Address,
        expected: Option<&Version>,
        write: &Stored,
    ) -> Result<bool, StoreError> {
        let mut ledgers = self.0.borrow_mut();
        let as_expected = ledgers.get(address).map(|held| &held.version) == expected;
        if as_expected {
            ledgers.insert(*address, write.clone());
        }
        Ok(as_expected)
    }

    async fn remove(&self, address: &Address, expected: &Version) -> Result<bool, StoreError> {
        let mut ledgers = self.0.borrow_mut();
        let as_expected = ledgers.get(address).is_some_and(|held| held.version == *expected);
        if as_expected {
            ledgers.remove(address);
        }
        Ok(as_expected)
    }

    async fn due(&self, now: Millis, limit: u32) -> Result<Vec<Address>, StoreError> {
        let ledgers = self.0.borrow();
        let due = ledgers.iter().filter_map(|(address, held)| Some((held.due?, *address)));
        let mut due: Vec<_> = due.filter(|(at, _)| *at <= now).collect();
        due.sort_unstable();
        due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(due.into_iter().map(|(_, address)| address).collect())
    }
}
