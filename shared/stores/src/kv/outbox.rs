//! The audit trail on its way out. Each event has a key of its own, so no writer can write over
//! another's, and a number that no other has: its time and a random part.
//!
//! There is no chain. Writers who do not see each other cannot agree on a last event, and a chain
//! that forks by itself proves nothing. Each event is the first of a chain of its own: its link
//! shows that it was not changed; that none is missing, nothing shows, so there is no head either.

use futures_util::future::try_join_all;
use ledger::{ChainedEvent, Delivery, Link, Millis, Outcome};
use ports::{Clock, KvStore, LedgerError, Random, Timer};

use super::io::{Io, failed};
use super::keys::event_id;
use super::plan::number_at;
use super::records::{Pending, read};

/// What was written so long ago is seen everywhere.
const SEEN: Millis = 600_000;

impl<P: Clock + Timer + Random, K: KvStore> Io<'_, P, K> {
    /// The oldest events that are pending, as far as they can be seen here.
    pub(super) async fn pending(&self, limit: u32) -> Result<Outcome, LedgerError> {
        let keys = self.list(&self.keys.events()).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let texts = try_join_all(keys.iter().take(limit).map(|key| self.get(key))).await?;
        let more = u32::try_from(keys.len().saturating_sub(limit)).unwrap_or(u32::MAX);
        let mut delivery = Delivery { owner: None, events: vec![], more };
        // One that was listed and is not there has been delivered meanwhile.
        for text in texts.into_iter().flatten() {
            let Pending { owner, event } = read(&text)?;
            delivery.owner = delivery.owner.or(owner);
            let prev = Link::default();
            let hash = prev.then(&event);
            delivery.events.push(ChainedEvent { event, prev, hash });
        }
        Ok(Outcome::Outbox(delivery))
    }

    /// Forgets exactly these events.
    pub(super) async fn delivered(&self, events: &[(u64, Link)]) -> Result<Outcome, LedgerError> {
        self.forget(|id| events.iter().any(|(delivered, _)| *delivered == id)).await
    }

    /// Forgets the events up to a number that are so old that whoever has delivered the last one has
    /// seen them all. The younger ones are delivered once more.
    pub(super) async fn delivered_up_to(&self, last: u64) -> Result<Outcome, LedgerError> {
        let old = number_at(self.platform.now().saturating_sub(SEEN));
        self.forget(|id| id <= last && id < old).await
    }

    async fn forget(&self, is_delivered: impl Fn(u64) -> bool) -> Result<Outcome, LedgerError> {
        let keys = self.list(&self.keys.events()).await?;
        let delivered = keys.iter().filter(|key| event_id(key).is_some_and(&is_delivered));
        let gone = try_join_all(delivered.map(|key| self.kv.delete(key))).await.map_err(failed)?;
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        let (events, pending) = (count(gone.len()), count(keys.len() - gone.len()));
        Ok(Outcome::Acknowledged { events, pending })
    }
}
