//! A bounded set of sessions, shared by all requests.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    budget::Lease,
    connection::{Connection, State},
    error::Failure,
    metrics::{Attempt, Ending, Metrics, Present, observe},
    request::{Format, Transaction, Work},
    response::Reply,
    settings::Settings,
    startup,
    statements::Statements,
    tls::Tls,
};

const CANCEL_TIMEOUT: Duration = Duration::from_secs(2);
/// For how long a session may take to say goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(200);

/// The sessions with the pinned target.
pub(crate) struct Pool {
    pub(crate) settings: Arc<Settings>,
    pub(crate) metrics: Arc<Metrics>,
    tls: Tls,
    permits: Arc<Semaphore>,
    /// Used longest ago first. The last one is taken: its memory is warm, and what the load does
    /// not need grows old and is closed.
    idle: Mutex<Vec<Connection>>,
    answered: Mutex<Option<Instant>>,
}

impl Pool {
    pub(crate) fn new(settings: Arc<Settings>, metrics: Arc<Metrics>, tls: Tls) -> Self {
        let permits = Arc::new(Semaphore::new(settings.pool_size));
        let (idle, answered) = (Mutex::default(), Mutex::default());
        Self { settings, metrics, tls, permits, idle, answered }
    }

    /// Runs a request and returns the response body. Dropping the future cancels the request.
    pub(crate) async fn run(
        self: &Arc<Self>,
        work: &Work,
        transaction: &Transaction,
        format: Format,
        lease: Lease,
    ) -> Result<(Vec<u8>, Lease), Failure> {
        let mut reply = Reply::new(work, format, self.settings.max_response_bytes, lease);
        let (permit, connection) = self.take().await?;
        let (permit, outcome) =
            self.attempt(permit, connection, work, transaction, &mut reply).await;
        let outcome = match (outcome, permit) {
            // A table has changed under a prepared statement. A new session has none.
            (Err(Failure::Stale(_)), Some(permit)) => {
                reply = reply.restart();
                let connection = self.open().await?;
                self.attempt(permit, connection, work, transaction, &mut reply).await.1
            }
            (outcome, _) => outcome,
        };
        outcome?;
        reply.finish()
    }

    /// How long ago Postgres has answered a request.
    pub(crate) fn answered(&self) -> Option<Duration> {
        lock(&self.answered).map(|at| at.elapsed())
    }

    /// Writes down how the pool stands.
    pub(crate) fn gauge(&self) {
        let (size, metrics) = (self.settings.pool_size, &self.metrics);
        let busy = size.saturating_sub(self.permits.available_permits());
        for (gauge, value) in [
            (&metrics.busy, busy),
            (&metrics.idle, lock(&self.idle).len()),
            (&metrics.pool_limit, size),
        ] {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }

    /// Closes the sessions that have been idle or have lived for too long.
    pub(crate) async fn prune(&self) {
        let old: Vec<_> =
            lock(&self.idle).extract_if(.., |connection| connection.is_old()).collect();
        self.close(old, Ending::Idle).await;
    }

    /// Waits until all requests are over, cancelled ones included, and closes all sessions.
    pub(crate) async fn drain(&self) {
        let all = u32::try_from(self.settings.pool_size).unwrap_or(u32::MAX);
        let _over = timeout(CANCEL_TIMEOUT, self.permits.acquire_many(all)).await;
        let idle = std::mem::take(&mut *lock(&self.idle));
        self.close(idle, Ending::Drained).await;
    }

    async fn close(&self, sessions: Vec<Connection>, why: Ending) {
        self.metrics.ended.add(why, sessions.len() as u64);
        let close = |session: Connection| timeout(CLOSE_TIMEOUT, session.close());
        futures::future::join_all(sessions.into_iter().map(close)).await;
    }

    /// Waits for a place and a session that is fit.
    async fn take(&self) -> Result<(OwnedSemaphorePermit, Connection), Failure> {
        let since = Instant::now();
        let deadline = since + self.settings.queue_timeout;
        let _waiting = Present::new(&self.metrics.waiting);
        let permit = timeout_at(deadline, Arc::clone(&self.permits).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else { return Err(Failure::Busy) };
        let Ok(connection) = timeout_at(deadline, self.connect()).await else {
            self.metrics.opened.count(Attempt::Failed);
            return Err(Failure::Unreachable("timeout".to_owned()));
        };
        observe(&self.metrics.queue, since.elapsed());
        Ok((permit, connection?))
    }

    /// The place comes back, unless Postgres may still be at work: then the guard keeps it.
    async fn attempt(
        self: &Arc<Self>,
        permit: OwnedSemaphorePermit,
        mut connection: Connection,
        work: &Work,
        transaction: &Transaction,
        reply: &mut Reply<'_>,
    ) -> (Option<OwnedSemaphorePermit>, Result<(), Failure>) {
        let mut guard =
            Guard { pool: Arc::clone(self), key: connection.cancel_key, permit: Some(permit) };
        let outcome = connection.run(work, transaction, reply, &self.metrics).await;
        let ending = match connection.state {
            State::Busy => return (None, outcome),
            State::Idle | State::Resetting(_) => {
                *lock(&self.answered) = Some(Instant::now());
                lock(&self.idle).push(connection);
                return (guard.permit.take(), outcome);
            }
            State::Broken => match outcome {
                Ok(()) | Err(Failure::Sql(_)) if connection.is_tainted => Ending::Tainted,
                Err(Failure::Stale(_)) => Ending::Stale,
                _ => Ending::Lost,
            },
        };
        self.metrics.ended.count(ending);
        (guard.permit.take(), outcome)
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        loop {
            let idle = lock(&self.idle).pop();
            let Some(mut connection) = idle else { return self.open().await };
            if connection.is_fit().await {
                return Ok(connection);
            }
            self.metrics.ended.count(Ending::Unfit);
            if connection.state == State::Idle {
                // Gone without a word: most likely so are those that have waited even longer.
                let others = std::mem::take(&mut *lock(&self.idle));
                self.metrics.ended.add(Ending::Unfit, others.len() as u64);
            }
        }
    }

    async fn open(&self) -> Result<Connection, Failure> {
        let session = startup::open(&self.settings, &self.tls).await;
        let attempt = if session.is_ok() { Attempt::Done } else { Attempt::Failed };
        self.metrics.opened.count(attempt);
        let statements = Statements::new(self.settings.statement_cache);
        Ok(Connection::new(session?, statements))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        pool.metrics.ended.count(Ending::Cancelled);
        runtime.spawn(async move {
            let cancel = startup::cancel(&pool.settings, &pool.tls, key);
            let is_done = matches!(timeout(CANCEL_TIMEOUT, cancel).await, Ok(Ok(())));
            let attempt = if is_done { Attempt::Done } else { Attempt::Failed };
            pool.metrics.cancelled.count(attempt);
            drop(permit);
        });
    }
}
