//! The Durable Object under the suite of all stores of ledgers, in workerd.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use ledger::{Address, Answer, Envelope};
use ports::{Clock, LedgerError, Ledgers, Millis};
use stack::Door;
use testing::contract::{self, LedgerStore};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// Commands under way at a time: the suite sends a thousand at once, and the door has connections.
const PARALLEL: usize = 64;

#[tokio::test]
async fn the_durable_object_keeps_ledgers() -> Result<()> {
    let door = Door::start().await?;
    let objects = Objects {
        url: door.url.clone(),
        http: reqwest::Client::new(),
        slots: Semaphore::new(PARALLEL),
    };
    contract::ledgers(&objects).await;
    Ok(())
}

struct Objects {
    url: String,
    http: reqwest::Client,
    slots: Semaphore,
}

impl Objects {
    async fn post(&self, address: &Address, envelope: &Envelope) -> Result<Answer> {
        let _slot = self.slots.acquire().await?;
        let url = format!("{}/{address}", self.url);
        let response = self.http.post(url).json(envelope).send().await?.error_for_status()?;
        response.json().await.context("no answer of a ledger")
    }
}

impl Clock for Objects {
    fn now(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
    }
}

impl Ledgers for Objects {
    async fn ask(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError> {
        self.post(address, envelope).await.map_err(|error| LedgerError(format!("{error:#}")))
    }
}

impl LedgerStore for Objects {
    type Host = Self;

    fn host(&self) -> &Self {
        self
    }

    fn fresh_address(&self) -> Address {
        Address::from_bytes(*Uuid::new_v4().as_bytes())
    }

    async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
