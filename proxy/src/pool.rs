//! A bounded set of sessions, shared by all requests.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    connection::{Connection, State},
    error::Failure,
    pipeline::Pipeline,
    request::{Format, Transaction, Work},
    response::Reply,
    settings::Settings,
    startup,
    tls::Tls,
};

const CANCEL_TIMEOUT: Duration = Duration::from_secs(2);

/// The sessions with the pinned target.
pub(crate) struct Pool {
    pub(crate) settings: Arc<Settings>,
    tls: Tls,
    permits: Arc<Semaphore>,
    /// Used longest ago first: by then its reset is over.
    idle: Mutex<VecDeque<Connection>>,
}

impl Pool {
    pub(crate) fn new(settings: Arc<Settings>, tls: Tls) -> Self {
        let permits = Arc::new(Semaphore::new(settings.pool_size));
        Self { settings, tls, permits, idle: Mutex::default() }
    }

    /// Runs a request and returns the response body. Dropping the future cancels the request.
    pub(crate) async fn run(
        self: &Arc<Self>,
        work: &Work,
        transaction: &Transaction,
        format: Format,
    ) -> Result<Vec<u8>, Failure> {
        let pipeline = Pipeline::new(work, transaction)?;
        let mut reply = Reply::new(work, format, self.settings.max_response_bytes);
        let deadline = Instant::now() + self.settings.queue_timeout;
        let permit = timeout_at(deadline, Arc::clone(&self.permits).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else { return Err(Failure::Busy) };
        let Ok(connection) = timeout_at(deadline, self.connect()).await else {
            return Err(Failure::Unreachable("timeout".to_owned()));
        };
        let mut connection = connection?;
        let guard =
            Guard { pool: Arc::clone(self), key: connection.cancel_key, permit: Some(permit) };
        let outcome = connection.run(&pipeline, &mut reply).await;
        self.hand_back(connection, guard);
        outcome?;
        reply.finish()
    }

    fn hand_back(&self, connection: Connection, mut guard: Guard) {
        let permit = match connection.state {
            State::Busy => return,
            State::Idle | State::Resetting(_) => {
                self.idle().push_back(connection);
                guard.permit.take()
            }
            State::Broken => guard.permit.take(),
        };
        drop(permit);
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        loop {
            let idle = self.idle().pop_front();
            let Some(mut connection) = idle else { break };
            if connection.is_fit().await {
                return Ok(connection);
            }
        }
        startup::open(&self.settings, &self.tls).await.map(Connection::new)
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cancels a request that was given up half-way, and keeps its place in the pool until then:
/// Postgres would go on working for nobody.
struct Guard {
    pool: Arc<Pool>,
    key: (i32, i32),
    /// Taken when there is nothing to cancel.
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (Some(permit), Ok(runtime)) = (self.permit.take(), Handle::try_current()) else {
            return;
        };
        let (pool, key) = (Arc::clone(&self.pool), self.key);
        runtime.spawn(async move {
            let _ = timeout(CANCEL_TIMEOUT, startup::cancel(&pool.settings, &pool.tls, key)).await;
            drop(permit);
        });
    }
}
