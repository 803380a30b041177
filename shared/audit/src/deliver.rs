//! Delivery of one ledger's events: look at the oldest, store them, forget them.

use data::audit::{self, EventRow, HeadRow};
use data::{DataError, as_service};
use ledger::{Actor, Address, ChainedEvent, Command, Delivery, Envelope, Origin, Outcome, Policy};
use ports::{LedgerError, Ledgers, Sql, SqlError, Statement};

use crate::Seals;

/// Events that one transaction carries.
pub const BATCH: u32 = 200;

/// Delivers events of ledgers.
pub struct Deliverer<'a, L, S> {
    /// Where the ledgers are.
    pub ledgers: &'a L,
    /// Where the trail is.
    pub sql: &'a S,
    /// The keys of the seals.
    pub seals: &'a Seals,
    /// The policy that travels with a ledger's commands: that of the last one, if it is stored.
    pub policy: &'a Policy,
}

/// What came of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// How many events are stored, those included that had been stored before.
    pub events: u32,
    /// How many are pending still.
    pub pending: u32,
}

/// Why events are pending still. None of them is lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// The ledger does not answer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Postgres is away, or refuses.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// A defect of ours.
    #[error("{0}")]
    Internal(String),
}

impl From<DataError> for DeliveryError {
    fn from(error: DataError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl<L: Ledgers, S: Sql> Deliverer<'_, L, S> {
    /// Deliver the oldest events of a ledger, at most `limit`: exactly those that are stored then are
    /// forgotten by the ledger. It may be repeated, also while another delivery is under way.
    ///
    /// # Errors
    /// See [`DeliveryError`]. Whatever was stored by then is stored once.
    pub async fn deliver(&self, address: &Address, limit: u32) -> Result<Delivered, DeliveryError> {
        let Delivery { owner, events, .. } =
            match self.execute(address, Command::Outbox { limit }).await? {
                Outcome::Outbox(delivery) => delivery,
                other => return Err(out_of_turn(&other)),
            };
        if events.is_empty() {
            return Ok(Delivered { events: 0, pending: 0 });
        }
        let count = events.len();
        let statements = self.statements(address, owner.as_deref(), &events)?;
        as_service(self.sql, statements).await?;
        let stored = events.iter().map(|one| (one.event.id, one.hash)).collect();
        match self.execute(address, Command::AckEvents { events: stored }).await? {
            Outcome::Acknowledged { pending, .. } => {
                Ok(Delivered { events: u32::try_from(count).unwrap_or(u32::MAX), pending })
            }
            other => Err(out_of_turn(&other)),
        }
    }

    /// The events, sealed, and the head of their chain.
    fn statements(
        &self,
        address: &Address,
        owner: Option<&str>,
        events: &[ChainedEvent],
    ) -> Result<Vec<Statement<'static>>, DeliveryError> {
        let rows: Result<Vec<_>, DeliveryError> =
            events.iter().map(|event| Ok(self.seals.seal(row(address, owner, event)?))).collect();
        let mut statements = vec![audit::add(&rows?)?];
        // What is in no chain has no head.
        let last = events.last().filter(|last| !last.is_alone());
        if let Some(ChainedEvent { event, hash, .. }) = last {
            let (ledger, hash, seal) = (address.to_string(), hash.to_string(), String::new());
            let head = HeadRow { ledger, number: event.id, hash, seal, key_id: 0 };
            statements.push(audit::move_head(&self.seals.seal(head))?);
        }
        Ok(statements)
    }

    async fn execute(&self, address: &Address, command: Command) -> Result<Outcome, LedgerError> {
        let origin = Origin { actor: Actor::Service, ..Origin::default() };
        let envelope = Envelope { command, policy: self.policy.clone(), origin };
        self.ledgers.execute(address, &envelope).await
    }
}

/// As it is stored, not sealed yet.
fn row(
    address: &Address,
    owner: Option<&str>,
    chained: &ChainedEvent,
) -> Result<EventRow, DeliveryError> {
    let ChainedEvent { event, prev, hash } = chained;
    // The very text that the ledger has hashed.
    let text =
        serde_json::to_string(event).map_err(|error| DeliveryError::Internal(error.to_string()))?;
    Ok(EventRow {
        hash: hash.to_string(),
        ledger: address.to_string(),
        number: event.id,
        prev: prev.to_string(),
        seal: String::new(),
        key_id: 0,
        subject: owner.map(str::to_owned),
        event: text,
    })
}

fn out_of_turn(outcome: &Outcome) -> DeliveryError {
    DeliveryError::Internal(outcome.out_of_turn())
}
